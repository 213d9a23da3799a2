//! A dump in two halves has what the whole dump has: each socket once, at every port where the halves can meet.
//! The sockets live in a network namespace that the test makes.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream, UdpSocket};

use conntop::model::coverage::Coverage;
use conntop::model::endpoint::{Endpoint, Protocol};
use conntop::model::query::SocketEnd;
use conntop::model::socket::{NetnsId, Socket, SocketId};
use conntop::source::linux::byte_code::{ByteCode, FilterSupport};
use conntop::source::linux::dumper::DumpThreads;
use conntop::source::linux::intake::DumpIntake;
use conntop::source::linux::kernel_test::KernelTest;
use conntop::source::linux::netlink::NetlinkSocket;
use conntop::source::linux::query::{DumpPlan, PlannedDump};
use conntop::source::linux::sock_diag::DiagDecoder;
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
fn halves_meet_at_any_port_without_a_gap_or_an_overlap() {
    if !namespace::inside_namespace() {
        return;
    }
    let _tcp =
        [connect("127.0.0.1:7000"), connect("127.0.0.1:7001"), connect("[::1]:7000"), connect("127.0.0.1:65535")];
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
        for (end, endpoint) in [
            (SocketEnd::Local, (|socket| socket.local) as fn(&Socket) -> Endpoint),
            (SocketEnd::Remote, |socket| socket.remote),
        ] {
            let ports = all.iter().map(|socket| endpoint(socket).port);
            let near = |port: u16| [port.saturating_sub(1), port, port.saturating_add(1)];
            let lasts: BTreeSet<u16> = ports.chain([0, 1, 7000, u16::MAX]).flat_map(near).collect();
            for last in lasts {
                let half =
                    |first, last| dump(&PlannedDump { test: KernelTest::port(end, first, last), ..whole.clone() });
                let below = half(0, last);
                let above = last.checked_add(1).map_or_else(Vec::new, |first| half(first, u16::MAX));
                assert!(below.iter().all(|socket| endpoint(socket).port <= last), "{whole:?} {end:?} {last}");
                assert!(above.iter().all(|socket| endpoint(socket).port > last), "{whole:?} {end:?} {last}");
                assert_eq!(ids(&[below, above].concat()), ids(&all), "{whole:?} {end:?} {last}");
            }
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
        let tcp: Vec<_> = hasty.iter().filter(|socket| socket.protocol == Protocol::Tcp).collect();
        let cut = |port: fn(&Socket) -> u16| {
            // Up to here the highest port, from there on the lowest one.
            let running = |ports: &mut dyn Iterator<Item = u16>, pick: fn(u16, u16) -> u16| {
                ports
                    .scan(None, |best, port| {
                        *best = Some(best.map_or(port, |best| pick(best, port)));
                        *best
                    })
                    .collect::<Vec<_>>()
            };
            let highest = running(&mut tcp.iter().map(|socket| port(socket)), u16::max);
            let mut lowest = running(&mut tcp.iter().rev().map(|socket| port(socket)), u16::min);
            lowest.reverse();
            highest.iter().zip(&lowest[1..]).any(|(highest, lowest)| highest < lowest)
        };
        let is_cut = [cut(|socket| socket.local.port), cut(|socket| socket.remote.port)];
        assert!(is_cut.contains(&true), "the lower half comes first, by the local or by the remote port");
    } else {
        skip("the part with two halves: this machine has one core");
    }
    assert_eq!(order(&read(DumpThreads::One)), order(&calm), "the probe leaves nothing behind");
}
