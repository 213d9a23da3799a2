//! TCP sockets that stand in no table of the kernel: held ones are found by each question that they answer, and where the
//! kernel's counts prove that there are none, nothing is looked through for them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use conntop::model::endpoint::{Family, Protocol};
use conntop::model::process::Owner;
use conntop::model::query::{Condition, QueryFields, SocketEnd, SocketQuery, StateSet};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::TcpState;
use conntop::source::linux::unhashed::{Unhashed, UnhashedProof};
use conntop::source::{Choice, open};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::namespace;
use crate::skip::skip;

/// How often the counts are read while a socket is held that they must not overlook.
const LOOKS: usize = 50;
/// How long other processes of the machine may have sockets in `CLOSE` before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn made(family: AddressFamily) -> OwnedFd {
    rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket")
}

fn bound(family: AddressFamily, address: &str) -> OwnedFd {
    let socket = made(family);
    rustix::net::bind(&socket, &address.parse::<SocketAddr>().expect("an address")).expect("a free port");
    socket
}

/// A listener and the two ends of a connection.
fn connected(address: &str) -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).expect("an address of the namespace");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    let (accepted, _) = listener.accept().expect("a connection");
    (listener, client, accepted)
}

fn sample(condition: Condition) -> Snapshot {
    let query = SocketQuery { condition, fields: QueryFields::NONE, process: None };
    let (mut source, mut snapshot) = (open(&Choice::Linux).expect("a live source"), Snapshot::default());
    source.sample(&Needs { query, ..Needs::default() }, &mut snapshot).expect("a sample");
    snapshot
}

/// Whether owners were looked for though nobody asked for them: each scene here has sockets that this process holds.
fn was_walked(snapshot: &Snapshot) -> bool {
    snapshot.sockets.iter().any(|socket| socket.owner != Owner::None)
}

fn in_states(states: &[TcpState]) -> Condition {
    Condition::States(StateSet::of(states))
}

fn count(snapshot: &Snapshot, state: TcpState) -> usize {
    let is_it = |socket: &&Socket| socket.protocol == Protocol::Tcp && socket.state == state;
    snapshot.sockets.iter().filter(is_it).count()
}

#[test]
fn no_socket_outside_of_the_tables_escapes_the_counts() {
    if !namespace::inside_namespace() {
        return;
    }
    let assert_seen = |what: &str| {
        let overlooked = (0..LOOKS).filter(|_| UnhashedProof::open().look() == Unhashed::None).count();
        assert_eq!(overlooked, 0, "{what}");
    };
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        let socket = made(family);
        assert_seen("never used");
        drop(socket);
    }
    for (family, address) in [(AddressFamily::INET, "127.0.0.1:9500"), (AddressFamily::INET6, "[::1]:9500")] {
        let socket = bound(family, address);
        assert_seen("only bound");
        drop(socket);
        let (listener, client, accepted) = connected(address);
        set_socket_linger(&client, Some(Duration::ZERO)).expect("a socket option");
        drop(client);
        assert_seen("reset by its peer");
        drop((listener, accepted));
    }
    let stopped = TcpListener::bind("127.0.0.1:9501").expect("a free port");
    rustix::net::shutdown(&stopped, rustix::net::Shutdown::Both).expect("it listens");
    assert_seen("listens no more");
}

#[test]
fn a_held_socket_in_close_is_found_and_counted_by_each_question_that_it_answers() {
    if !namespace::alone_in_namespace() {
        return;
    }
    let _others = connected("127.0.0.1:9510");
    let _closed = (made(AddressFamily::INET), made(AddressFamily::INET6));
    let _bound = bound(AddressFamily::INET, "127.0.0.1:9511");
    // The kernel gives `BOUND` since Linux 6.8.
    let lists_bound = count(&sample(in_states(&[TcpState::Bound])), TcpState::Bound);
    let port = Condition::Port(SocketEnd::Local, 9_511, 9_511);
    for (condition, closed, bound) in [
        (Condition::Everything, 2, lists_bound),
        (Condition::Family(Family::Ipv4), 1, lists_bound),
        (Condition::Family(Family::Ipv6), 1, 0),
        (in_states(&[TcpState::Close]), 2, 0),
        (in_states(&[TcpState::Listen]).negated(), 2, lists_bound),
        (port, 0, lists_bound),
    ] {
        for _ in 0..20 {
            let snapshot = sample(condition.clone());
            let admitted = |state| {
                let mut snapshot = snapshot.clone();
                snapshot.sockets.retain(|socket| condition.admits(socket));
                count(&snapshot, state)
            };
            assert_eq!((admitted(TcpState::Close), admitted(TcpState::Bound)), (closed, bound), "{condition:?}");
        }
    }
}

#[test]
fn where_the_counts_prove_that_there_is_none_no_process_is_looked_at() {
    if !namespace::inside_namespace() {
        return;
    }
    let _sockets = (connected("127.0.0.1:9520"), connected("[::1]:9520"));
    let ids = |snapshot: &Snapshot, condition: &Condition| {
        let admitted = snapshot.sockets.iter().filter(|socket| condition.admits(socket));
        let mut ids: Vec<_> = admitted.map(|socket| (socket.id, socket.state)).collect();
        ids.sort_by_key(|(id, _)| *id);
        ids
    };
    let whole = sample(Condition::Any(vec![Condition::Everything, in_states(&[TcpState::Close])]));
    for condition in [
        Condition::Everything,
        Condition::Family(Family::Ipv4),
        Condition::Family(Family::Ipv6),
        Condition::Protocol(Protocol::Tcp),
        in_states(&[TcpState::Listen]).negated(),
    ] {
        let begun = Instant::now();
        let proved = std::iter::repeat_with(|| sample(condition.clone()))
            .inspect(|snapshot| assert_eq!(ids(snapshot, &condition), ids(&whole, &condition), "{condition:?}"))
            .take_while(|_| begun.elapsed() < PATIENCE)
            .find(|snapshot| !was_walked(snapshot));
        let Some(proved) = proved else {
            skip("other processes hold TCP sockets in CLOSE");
            return;
        };
        assert!(!proved.sockets.is_empty() && proved.coverage.processes_unreadable == 0, "{condition:?}");
        if condition == Condition::Family(Family::Ipv6) {
            assert_eq!(proved.sockets.len(), 3, "only what was asked for: {:?}", proved.sockets);
        }
    }
}
