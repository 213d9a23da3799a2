//! What of a sample is guessed, and that a guess changes no answer: with sockets of this process.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::model::query::{QueryFields, SocketEnd, SocketQuery};
use crate::model::socket::NetnsId;
use crate::model::testing::tcp;
use crate::source::clock;
use crate::source::linux::processes::ClockReading;
use crate::source::linux::unhashed::Unhashed;

/// A connection that is a socket of control group `cgroup`; 0 for none that is known.
fn connection(inode: u32, cgroup: u64) -> Socket {
    Socket { inode: NonZeroU32::new(inode), cgroup: NonZeroU64::new(cgroup), ..tcp(inode.into()).build() }
}

/// The control groups of sockets 1 to `held` among a thousand, of which `of` gives the control groups.
fn cgroups(held: u32, of: impl Fn(u32) -> u64) -> Option<Vec<u64>> {
    let first: Vec<Socket> = (1..=1_000).map(|inode| connection(inode, of(inode))).collect();
    let found = selective_cgroups(&first, &[], &(1..=held).collect())?;
    Some(found.into_iter().map(NonZeroU64::get).collect())
}

#[test]
fn control_groups_that_most_others_are_not_in_are_asked_for() {
    assert_eq!(cgroups(50, |inode| if inode <= 50 { 7 } else { 8 }), Some(vec![7]));
    assert_eq!(cgroups(50, |inode| if inode <= 500 { 7 + u64::from(inode % 2) } else { 9 }), Some(vec![7, 8]));
    let found = [connection(3_000, 9)];
    let first = [connection(1, 7), connection(2, 8)];
    let of_found = selective_cgroups(&first, &found, &[1, 3_000].into_iter().collect()).expect("two");
    assert_eq!(of_found.into_iter().map(NonZeroU64::get).collect::<Vec<_>>(), [7, 9]);
}

#[test]
fn nothing_is_guessed_of_one_control_group_for_all_of_unknown_ones_and_of_many() {
    assert_eq!(cgroups(50, |_| 7), None);
    assert_eq!(cgroups(50, |inode| if inode <= 600 { 7 } else { 8 }), None, "550 of 950 others are in it");
    assert_eq!(cgroups(50, |inode| if inode == 3 { 0 } else { inode.into() }), None, "one is not known");
    assert_eq!(cgroups(17, u64::from), None, "17");
    assert_eq!(cgroups(0, u64::from), None, "none is held");
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

/// What a dump of `held` brought.
#[derive(Debug, PartialEq)]
struct HeldFound {
    inodes: BTreeSet<u32>,
    /// How many of them have a `tcp_info`.
    with_info: usize,
}

/// What a dump brings, with `guess` or without a guess; whether the guess brought all.
fn found(held: &FxHashSet<u32>, guess: Option<&KernelTest>, tcp_info: bool) -> (HeldFound, bool) {
    let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
    let (owners, threads, guess_min) = (owners(), DumpThreads::One, usize::MAX);
    let mut dump = HeldDump { tables: &mut tables, owners: &owners, held, threads, expected: 100_000, guess_min };
    let fields = QueryFields { owner: true, tcp_info, ..QueryFields::NONE };
    let mut plan = DumpPlan::of(&SocketQuery { fields, ..SocketQuery::default() }, Unhashed::Possible);
    let (mut sockets, coverage) = (Vec::new(), &mut Coverage::default());
    let is_all = if let Some(guess) = guess {
        let (connections, rest) = split(&plan);
        dump.read_part(&rest, &mut sockets, coverage).expect("sock_diag");
        dump.read_connections(connections, Some(guess), tcp_info, &mut sockets, coverage).expect("sock_diag")
    } else {
        dump.read(&mut plan, &mut sockets, coverage).expect("sock_diag");
        false
    };
    let with_info = sockets.iter().filter(|socket| socket.tcp.is_some()).count();
    (HeldFound { inodes: sockets.iter().filter_map(inode).collect(), with_info }, is_all)
}

#[test]
fn with_any_guess_the_same_sockets_are_found_as_without() {
    let server = Connections::open(20);
    let port = server.listener.local_addr().expect("bound").port();
    let [local, remote] = [SocketEnd::Local, SocketEnd::Remote].map(|end| KernelTest::port(end, port, port));
    let either = KernelTest::any([local.clone(), remote]);
    let unix = std::os::unix::net::UnixStream::pair().expect("a pair");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    // It is bound and neither listens nor is connected.
    let bound = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a descriptor more");
    rustix::net::bind(&bound, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let of_server: FxHashSet<u32> = server.inodes().collect();
    let with = |others: &[u32]| of_server.iter().chain(others).copied().collect::<FxHashSet<u32>>();
    let with_others = with(&[inode_of(&unix.0), inode_of(&udp)]);
    let with_bound = with(&[inode_of(&bound)]);
    for (held, is_all_by_either) in [(&of_server, true), (&with_others, true), (&with_bound, false)] {
        for tcp_info in [true, false] {
            let (whole, _) = found(held, None, tcp_info);
            assert!(of_server.is_subset(&whole.inodes.iter().copied().collect()));
            assert_eq!(whole.inodes.contains(&inode_of(&udp)), held.contains(&inode_of(&udp)));
            assert_eq!(found(held, Some(&either), tcp_info), (whole, is_all_by_either));
            let (whole, _) = found(held, None, tcp_info);
            assert_eq!(found(held, Some(&local), tcp_info), (whole, false), "the ends of clients are sought");
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
