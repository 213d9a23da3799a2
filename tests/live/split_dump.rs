//! A dump in two halves has what the whole dump has: each socket once.
//! The sockets live in a network namespace that the test makes.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use conntop::model::coverage::Coverage;
use conntop::model::endpoint::Protocol;
use conntop::model::socket::{NetnsId, Socket, SocketId};
use conntop::source::linux::byte_code::{ByteCode, FilterSupport};
use conntop::source::linux::dumper::DumpThreads;
use conntop::source::linux::halves;
use conntop::source::linux::intake::DumpIntake;
use conntop::source::linux::kernel_test::TableShare;
use conntop::source::linux::netlink::NetlinkSocket;
use conntop::source::linux::query::{DumpPlan, PlannedDump};
use conntop::source::linux::sock_diag::{BOUND, DiagDecoder};
use conntop::source::linux::tables::SocketTables;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::namespace;
use crate::skip::skip;

/// Descriptors that the large table needs.
const DESCRIPTORS: u64 = 14_000;

fn dump(planned: &PlannedDump) -> Vec<Socket> {
    let filter = ByteCode::of(&planned.test, FilterSupport::All);
    let request = planned.request(filter.as_ref());
    let mut connection = NetlinkSocket::open().expect("sock_diag");
    let mut sockets = Vec::new();
    let exchange = DiagDecoder { netns: NetnsId(1) }.dump(&mut connection, request, |socket| sockets.push(socket));
    assert_eq!((exchange.error, exchange.skipped), (None, 0));
    sockets
}

fn ids(sockets: &[Socket]) -> BTreeSet<SocketId> {
    let ids: BTreeSet<_> = sockets.iter().map(|socket| socket.id).collect();
    assert_eq!(ids.len(), sockets.len(), "each once");
    ids
}

fn connect(address: &str) -> (TcpListener, Vec<(TcpStream, TcpStream)>) {
    let listener = TcpListener::bind(address).expect("an address of the namespace");
    let connect = || {
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        (client, listener.accept().expect("a connection").0)
    };
    let pairs = (0..20).map(|_| connect()).collect();
    (listener, pairs)
}

#[test]
fn halves_have_each_socket_once() {
    if !namespace::inside_namespace() {
        return;
    }
    let _tcp =
        [connect("127.0.0.1:7000"), connect("127.0.0.1:7001"), connect("[::1]:7000"), connect("127.0.0.1:65535")];
    // The kernel gives the connections to one place ports that lie together, so that all may be of one half: these two are not.
    let from_port = |port: u16| {
        let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
        let socket = socket.expect("a socket");
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port))).expect("a free port");
        rustix::net::connect(&socket, &SocketAddr::from(([127, 0, 0, 1], 7_000))).expect("loopback");
        socket
    };
    let _of_both_halves = [10_000, 12_100].map(from_port);
    let only_bound = |port| {
        let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
        let socket = socket.expect("a socket");
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port))).expect("a free port");
        socket
    };
    let _only_bound: Vec<_> = [1, 2_047, 2_048, 9_000, 20_000, 40_000].map(only_bound).into();
    let _bound = ["127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:1", "[::1]:65535"]
        .map(|address| UdpSocket::bind(address).expect("an address of the namespace"));
    let connected = UdpSocket::bind("127.0.0.1:7002").expect("an address of the namespace");
    connected.connect("127.0.0.1:7000").expect("loopback");
    // One closed from each side: mini-sockets are filtered by other fields of the kernel.
    let (_closing, mut pairs) = connect("127.0.0.1:7100");
    drop(pairs.pop());

    for whole in DumpPlan::everything().dumps {
        let all = dump(&whole);
        // One UDP socket is of IPv6.
        let is_single = whole.protocol == Protocol::Udp;
        assert!(all.len() >= if is_single { 1 } else { 2 }, "{whole:?}: {} sockets", all.len());
        let without_bound = PlannedDump { states: whole.states & !BOUND, ..whole.clone() };
        for planned in [without_bound, whole] {
            let all = dump(&planned);
            let [first, second] = halves::of(&planned).map(|half| dump(&half));
            // Only the first one is told what is bound.
            let is_two = planned.protocol == Protocol::Tcp && !planned.is_of_listeners();
            assert!(!is_two || !first.is_empty() && !second.is_empty(), "{planned:?}");
            assert_eq!(ids(&[first, second].concat()), ids(&all), "{planned:?}");
        }
    }
}

#[test]
fn a_large_table_read_in_haste_is_the_same_as_in_calm() {
    if !namespace::inside_namespace() {
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if getrlimit(Resource::Nofile).current.is_some_and(|current| current < DESCRIPTORS) {
        skip(&format!("this user may not open {DESCRIPTORS} descriptors"));
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7000").expect("an address of the namespace");
    let _udp = UdpSocket::bind("127.0.0.1:7000").expect("an address of the namespace");
    let pairs: Vec<_> = (0..6_000)
        .map(|_| {
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
            (client, listener.accept().expect("a connection"))
        })
        .collect();
    let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
    let mut read = |threads| {
        let (mut sockets, mut coverage) = (Vec::new(), Coverage::default());
        tables.read(threads, &mut DumpIntake::all(&mut sockets), &mut coverage).expect("a dump");
        assert!(coverage.is_complete(), "{coverage:?}");
        sockets
    };
    let calm = read(DumpThreads::One);
    let hasty = read(DumpThreads::Two);
    assert_eq!(hasty.len(), 2 * pairs.len() + 2);
    assert_eq!(ids(&hasty), ids(&calm));
    let order = |sockets: &[Socket]| sockets.iter().map(|socket| socket.id).collect::<Vec<_>>();
    assert_eq!(order(&read(DumpThreads::Two)), order(&hasty), "always in the same order");
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let connections = hasty.iter().filter(|socket| socket.protocol == Protocol::Tcp && !socket.is_listener());
        let is_first = |socket: &&Socket| TableShare::TWO_FIFTHS.has(socket.local.port, socket.remote.port);
        let halves: Vec<bool> = connections.map(|socket| is_first(&socket)).collect();
        assert!(halves.contains(&true) && halves.contains(&false), "both have some");
        assert!(halves.is_sorted_by(|one, next| one >= next), "the first half comes first");
    } else {
        skip("the part with two halves: this machine has one core");
    }
    assert_eq!(order(&read(DumpThreads::One)), order(&calm), "two threads leave nothing behind");
}
