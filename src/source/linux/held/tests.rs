//! What of a sample is guessed, and that a guess changes no answer: with sockets of this process.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::model::query::{QueryFields, SocketQuery};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::testing::tcp;
use crate::source::clock;
use crate::source::linux::processes::ClockReading;
use crate::source::linux::unhashed::Unhashed;

fn connection(cookie: u64, inode: u32, (local, remote): (u16, u16), cgroup: u64) -> Socket {
    let socket = tcp(cookie).local(&format!("10.0.0.1:{local}")).remote(&format!("10.0.0.2:{remote}")).build();
    Socket { inode: NonZeroU32::new(inode), cgroup: NonZeroU64::new(cgroup), ..socket }
}

/// Sockets 1 to `held` are held, of a thousand; `of` gives the ports and the control group of each.
fn marks(held: u32, of: impl Fn(u32) -> ((u16, u16), u64)) -> Option<Vec<CommonMark>> {
    let socket = |inode: u32| connection(inode.into(), inode, of(inode).0, of(inode).1);
    let first: Vec<Socket> = (1..=1_000).map(socket).collect();
    common_marks(&first, &(1..=held).collect())
}

fn port(inode: u32) -> u16 {
    u16::try_from(30_000 + inode).expect("small")
}

#[test]
fn what_is_held_has_a_control_group_or_ports_that_others_have_not() {
    let cgroup = NonZeroU64::new(7).expect("not 0");
    let of_service = |inode| ((port(inode), 443), if inode <= 50 { 7 } else { 8 });
    assert_eq!(marks(50, of_service), Some(vec![CommonMark::Cgroup(cgroup)]));
    let of_server = |inode| ((if inode <= 50 { 443 } else { port(inode) }, port(inode)), 7);
    assert_eq!(marks(50, of_server), Some(vec![CommonMark::LocalPort(443)]));
    let of_proxy = |inode: u32| match inode {
        1..=30 => ((443, port(inode)), 7),
        31..=50 => ((port(inode), 8_080), 7),
        _ => ((port(inode), 5_432), 7),
    };
    assert_eq!(marks(50, of_proxy), Some(vec![CommonMark::LocalPort(443), CommonMark::RemotePort(8_080)]));
}

#[test]
fn nothing_is_guessed_of_few_of_what_others_have_too_and_of_too_many_ports() {
    let of_service = |inode| ((port(inode), 443), if inode <= 7 { 7 } else { 8 });
    assert_eq!(marks(7, of_service), None, "few");
    assert_eq!(marks(50, |inode| ((443, port(inode)), 7)), None, "what each has");
    let mostly = |inode: u32| ((if inode <= 600 { 443 } else { port(inode) }, port(inode)), 7);
    assert_eq!(marks(50, mostly), None, "it holds for 550 of 950 others");
    assert_eq!(marks(50, |inode| ((port(inode), port(inode)), 7)), None, "a port each");
}

/// Connections of this process.
struct Connections {
    listener: TcpListener,
    ends: Vec<TcpStream>,
}

impl Connections {
    fn open(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let open = |_| [TcpStream::connect(address).expect("room"), listener.accept().expect("connected").0];
        let ends = (0..count).flat_map(open).collect();
        Self { listener, ends }
    }

    fn inodes(&self) -> impl Iterator<Item = u32> {
        self.ends.iter().map(inode_of).chain([inode_of(&self.listener)])
    }
}

fn inode_of(file: impl AsFd) -> u32 {
    u32::try_from(rustix::fs::fstat(file).expect("open").st_ino).expect("small")
}

/// Owners that have looked through this process.
fn owners() -> Owners {
    let mut owners = Owners::open();
    let now = ClockReading { at: clock::now().0, ..ClockReading::default() };
    let this = crate::model::query::ProcessTest::new(|process| process.id.pid == std::process::id());
    owners.held_by(&this, now).expect("readable");
    owners
}

/// The inodes of the sockets that are found, and whether all of them have a `tcp_info`.
fn found(held: &FxHashSet<u32>, guess_min: usize, fields: QueryFields) -> (BTreeSet<u32>, bool) {
    let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
    let owners = owners();
    let threads = DumpThreads::One;
    let mut dump = HeldDump { tables: &mut tables, owners: &owners, held, threads, expected: 100_000, guess_min };
    let mut plan = DumpPlan::of(&SocketQuery { fields, ..SocketQuery::default() }, Unhashed::Possible);
    assert_eq!(dump.guess(&plan).is_some(), guess_min == 0, "they have a port that others have not");
    let mut sockets = Vec::new();
    dump.read(&mut plan, &mut sockets, &mut Coverage::default()).expect("sock_diag");
    let mut of_tcp =
        sockets.iter().filter(|socket| socket.protocol == Protocol::Tcp && socket.state == TcpState::Established);
    let has_info = of_tcp.all(|socket| socket.tcp.is_some());
    (sockets.iter().filter_map(inode).collect(), has_info)
}

#[test]
fn with_and_without_a_guess_the_same_sockets_are_found() {
    let (server, _others) = (Connections::open(20), Connections::open(20));
    let unix = std::os::unix::net::UnixStream::pair().expect("a pair");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let of_server: FxHashSet<u32> = server.inodes().collect();
    let with_others: FxHashSet<u32> = of_server.iter().copied().chain([inode_of(&unix.0), inode_of(&udp)]).collect();
    // Where it is bound and neither listens nor is connected, it is not among what is guessed.
    let bound = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a descriptor more");
    rustix::net::bind(&bound, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let with_bound: FxHashSet<u32> = with_others.iter().copied().chain([inode_of(&bound)]).collect();
    for held in [of_server, with_others, with_bound] {
        for tcp_info in [true, false] {
            let fields = QueryFields { owner: true, tcp_info, ..QueryFields::NONE };
            let whole = found(&held, usize::MAX, fields);
            assert_eq!(found(&held, 0, fields), whole);
            assert!(!tcp_info || whole.1);
            assert!(server.inodes().all(|inode| whole.0.contains(&inode)));
            assert_eq!(held.contains(&inode_of(&udp)), whole.0.contains(&inode_of(&udp)));
        }
    }
}

#[test]
fn sockets_that_are_in_no_table_of_tcp_need_no_whole_dump() {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let unix = std::os::unix::net::UnixStream::pair().expect("a pair");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let owners = owners();
    let may_be_tcp = |inodes: &[u32]| owners.may_be_tcp(&inodes.iter().copied().collect());
    assert!(!may_be_tcp(&[]) && !may_be_tcp(&[inode_of(&udp), inode_of(&unix.0)]));
    assert!(may_be_tcp(&[inode_of(&udp), inode_of(&tcp)]));
    assert!(may_be_tcp(&[u32::MAX - 7]), "nobody knows");
}
