//! What the kernel is asked for by a condition has each socket that the condition admits, and no other socket is taken for
//! one: random conditions against whole samples, on sockets of every state in a network namespace that the test makes.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use conntop::model::coverage::Coverage;
use conntop::model::endpoint::{Family, Protocol};
use conntop::model::process::Owner;
use conntop::model::query::{Condition, IpNetwork, ProcessTest, QueryFields, SocketEnd, SocketQuery, StateSet};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::{NetnsId, Socket};
use conntop::model::tcp_state::{STATES, TcpState};
use conntop::source::linux::dumper::DumpThreads;
use conntop::source::linux::intake::DumpIntake;
use conntop::source::linux::query::DumpPlan;
use conntop::source::linux::tables::SocketTables;
use conntop::source::linux::unhashed::Unhashed;
use conntop::source::{Choice, open};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::differential::KnownSockets;
use crate::namespace;

/// How many conditions are tried.
const CONDITIONS: u64 = 120;
/// How often a condition is tried while sockets change.
const LOOKS: usize = 50;

/// `SplitMix64`: the same conditions in each run.
struct RandomConditions(u64);

impl RandomConditions {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }

    fn one_of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len())]
    }

    /// A condition up to `depth` deep about what `sockets` have.
    fn condition(&mut self, sockets: &[Socket], depth: usize) -> Condition {
        let lists = if depth == 0 { 0 } else { 5 };
        let inner = |this: &mut Self| -> Vec<Condition> {
            (0..=this.below(2)).map(|_| this.condition(sockets, depth - 1)).collect()
        };
        match self.below(7 + lists) {
            0 => Condition::States(StateSet::from_bits(u16::try_from(self.below(1 << 13)).expect("13 bits"))),
            1 => Condition::States(StateSet::of(&[self.one_of(&STATES).state, self.one_of(sockets).state])),
            2 => Condition::Protocol(*self.one_of(&Protocol::ALL)),
            3 => Condition::Family(*self.one_of(&Family::ALL)),
            4 => {
                let (end, socket) = (self.end(), self.one_of(sockets));
                let port = end.of(socket).port;
                let last = port.saturating_add(u16::try_from(self.below(3) * 100).expect("small"));
                Condition::Port(end, port, last)
            }
            5 => {
                let end = self.end();
                let addr = end.of(self.one_of(sockets)).addr;
                let addr = if self.below(2) == 0 { addr.to_canonical() } else { addr };
                let bits = if addr.is_ipv4() { 32 } else { 128 };
                let prefix = [0, 8, 24, 64, 96, bits - 1, bits][self.below(7)].min(bits);
                Condition::Network(end, IpNetwork { addr, prefix })
            }
            6 => {
                let socket = self.one_of(sockets);
                let group = socket.cgroup.map_or(Condition::Everything, Condition::Cgroup);
                socket.interface.map_or(group, Condition::Interface)
            }
            7 | 8 => Condition::All(inner(self)),
            9 | 10 => Condition::Any(inner(self)),
            _ => Condition::Not(Box::new(self.condition(sockets, depth - 1))),
        }
    }

    fn end(&mut self) -> SocketEnd {
        *self.one_of(&[SocketEnd::Local, SocketEnd::Remote])
    }
}

/// Sockets that the scene of `differential` does not have.
struct MoreSockets {
    _streams: Vec<(TcpStream, TcpStream)>,
    _listeners: Vec<TcpListener>,
    _udp: Vec<UdpSocket>,
    _bound: Vec<OwnedFd>,
}

/// Connects, once there is a route: that of a link-local address comes a moment after the address (`addrconf_dad_work`).
fn connect(address: SocketAddr) -> TcpStream {
    for _ in 0..100 {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("no route to {address}")
}

impl MoreSockets {
    fn make() -> Self {
        let added = Command::new("ip").args(["addr", "add", "fe80::1/64", "dev", "lo", "nodad"]).status();
        assert!(added.is_ok_and(|status| status.success()), "a link-local address");
        let link_local = |port: u16| format!("[fe80::1%1]:{port}").parse::<SocketAddr>().expect("an address");
        let listeners: Vec<_> = [SocketAddr::from(([0u16; 8], 9_300)), link_local(9_301)]
            .into_iter()
            .map(|address| TcpListener::bind(address).expect("an address of the namespace"))
            .collect();
        let mapped = SocketAddr::from(([127, 0, 0, 1], 9_300));
        let streams = [mapped, SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9_300)), link_local(9_301)]
            .into_iter()
            .zip([0, 0, 1])
            .map(|(address, nth)| (connect(address), listeners[nth].accept().expect("a connection").0))
            .collect();
        let udp: Vec<_> = ["127.0.0.1:9310", "[::1]:9311", "[::]:9312"]
            .iter()
            .map(|address| UdpSocket::bind(address).expect("an address of the namespace"))
            .collect();
        udp[0].connect("127.0.0.1:9313").expect("loopback");
        udp[2].connect("127.0.0.1:9310").expect("loopback");
        let bound = [(AddressFamily::INET, "127.0.0.1:9320"), (AddressFamily::INET6, "[::1]:9321")]
            .into_iter()
            .map(|(family, address)| {
                let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None);
                let socket = socket.expect("a socket");
                rustix::net::bind(&socket, &address.parse::<SocketAddr>().expect("an address")).expect("a free port");
                socket
            })
            .collect();
        Self { _streams: streams, _listeners: listeners, _udp: udp, _bound: bound }
    }
}

fn read(tables: &mut SocketTables, query: &SocketQuery) -> Vec<Socket> {
    let plan = tables.plan(query, Unhashed::Possible);
    let (mut sockets, mut coverage) = (Vec::new(), Coverage::default());
    let intake = &mut DumpIntake::all(&mut sockets).of_plan(Some(&plan));
    tables.read_plan(&plan, DumpThreads::One, intake, &mut coverage).expect("sock_diag");
    assert_eq!((coverage.records_skipped, &coverage.degraded[..]), (0, &[][..]));
    sockets
}

/// What stands in every message, of the sockets that `condition` admits.
fn admitted(sockets: Vec<Socket>, condition: &Condition) -> Vec<Socket> {
    let mut admitted: Vec<_> = sockets
        .into_iter()
        .filter(|socket| condition.admits(socket))
        .map(|socket| Socket { tcp: None, timer: None, queues: None, drops: None, owner: Owner::None, ..socket })
        .collect();
    admitted.sort_by_key(|socket| (socket.protocol, socket.id));
    admitted
}

#[test]
fn a_condition_finds_what_the_whole_table_has_of_it() {
    if !namespace::inside_namespace() {
        return;
    }
    let _sockets = (MoreSockets::make(), KnownSockets::make());
    let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
    let everything = SocketQuery { fields: QueryFields::NONE, ..SocketQuery::default() };
    let all = read(&mut tables, &everything);
    for row in &STATES {
        let is_rare = matches!(row.state, TcpState::Close | TcpState::Closing);
        assert!(is_rare || all.iter().any(|socket| socket.state == row.state), "no socket in {}", row.name);
    }
    let is_mapped =
        |socket: &&Socket| matches!(socket.remote.addr, IpAddr::V6(addr) if addr.to_ipv4_mapped().is_some());
    assert!(all.iter().filter(is_mapped).count() >= 2, "of TCP and of UDP");
    let (mut some, mut narrow) = (0, 0);
    for seed in 0..CONDITIONS {
        let condition = RandomConditions(seed).condition(&all, 3);
        let query = SocketQuery { condition: condition.clone(), ..everything.clone() };
        let still = (0..LOOKS).find_map(|_| {
            let whole = admitted(read(&mut tables, &everything), &condition);
            let asked = read(&mut tables, &query);
            let again = admitted(read(&mut tables, &everything), &condition);
            (whole == again).then_some((whole, asked))
        });
        let (whole, asked) = still.expect("it stands still");
        let is_admitted = |socket: &Socket| condition.admits(socket) || socket.protocol == Protocol::Mptcp;
        assert!(asked.iter().all(is_admitted), "{condition:?}");
        narrow += usize::from(!DumpPlan::of(&query, Unhashed::Possible).is_whole());
        some += usize::from(!whole.is_empty() && whole.len() < all.len());
        let asked = admitted(asked, &condition);
        let only_in = |here: &[Socket], there: &[Socket]| -> Vec<Socket> {
            here.iter().filter(|socket| !there.contains(socket)).cloned().collect()
        };
        assert_eq!((only_in(&asked, &whole), only_in(&whole, &asked)), (vec![], vec![]), "{condition:?}");
    }
    assert!(narrow > 80 && some > 50, "{narrow} narrow questions, {some} with a part of the sockets as the answer");
}

#[test]
fn who_asks_for_no_owners_and_no_numbers_gets_none_and_no_word_about_them() {
    if !namespace::inside_namespace() {
        return;
    }
    let _sockets = MoreSockets::make();
    let condition = Condition::Port(SocketEnd::Local, 9_300, 9_300);
    let needs = |fields| Needs {
        query: SocketQuery { condition: condition.clone(), fields, process: None },
        ..Needs::default()
    };
    let sample = |fields| {
        let (mut source, mut snapshot) = (open(&Choice::Linux).expect("a live source"), Snapshot::default());
        source.sample(&needs(fields), &mut snapshot).expect("a sample");
        snapshot
    };
    let bare = sample(QueryFields::NONE);
    assert_eq!(bare.sockets.len(), 3, "the listener and what it has accepted: {:?}", bare.sockets);
    assert!(bare.sockets.iter().all(|socket| socket.tcp.is_none() && socket.owner == Owner::None));
    assert!(bare.coverage.degraded.is_empty() && bare.coverage.processes_unreadable == 0, "{:?}", bare.coverage);
    let full = sample(QueryFields { owner: true, tcp_info: true, ..QueryFields::NONE });
    assert_eq!(full.sockets.len(), 3);
    assert!(full.sockets.iter().all(|socket| socket.owner.holders().is_some()), "{:?}", full.sockets);
    assert_eq!(full.sockets.iter().filter(|socket| socket.tcp.is_some()).count(), 2);
    let with_listeners = sample(QueryFields { listeners: true, ..QueryFields::NONE });
    let others = with_listeners.sockets.iter().filter(|socket| socket.local.port == 9_301);
    assert!(others.map(|socket| socket.state).eq([TcpState::Listen]));
}

#[test]
fn the_sockets_of_a_process_are_the_same_whether_only_they_or_all_are_read() {
    if !namespace::inside_namespace() {
        return;
    }
    let _sockets = (MoreSockets::make(), KnownSockets::make());
    // Never connected, so that no table lists it.
    let _closed = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let own = std::process::id();
    let fields = QueryFields { owner: true, tcp_info: true, namespaces: true, ..QueryFields::NONE };
    let sample = |process| {
        let query = SocketQuery { condition: Condition::Everything, fields, process };
        let (mut source, mut snapshot) = (open(&Choice::Linux).expect("a live source"), Snapshot::default());
        source.sample(&Needs { query, ..Needs::default() }, &mut snapshot).expect("a sample");
        let is_own = |socket: &Socket| {
            socket.owner.holders().is_some_and(|holders| holders.all().iter().any(|holder| holder.id.pid == own))
        };
        let listed = snapshot.sockets.len();
        let mut sockets: Vec<_> = snapshot.sockets.iter().filter(|socket| is_own(socket)).collect();
        sockets.sort_by_key(|socket| (socket.protocol, socket.id));
        let facts = sockets.iter().map(|socket| (socket.reference(), socket.state, socket.inode, socket.tcp.is_some()));
        (facts.collect::<Vec<_>>(), listed)
    };
    let (narrow, listed) = sample(Some(ProcessTest::new(move |process| process.id.pid == own)));
    let (whole, all) = sample(None);
    assert_eq!(narrow, whole);
    assert!(whole.iter().any(|(_, state, ..)| *state == TcpState::Close), "{whole:?}");
    assert!(whole.len() > 10 && listed < all / 4, "{} of {listed} and {all}", whole.len());
}
