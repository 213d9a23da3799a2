//! Listeners that share a port in every way the kernel allows, and what came in by them.

use self::Found::{Nothing, OneOf, This};
use super::*;
use crate::model::delta::{Delta, Removed};
use crate::model::tcp_state::TcpState::{CloseWait, SynRecv, TimeWait};
use crate::model::testing::{SocketBuilder, connection, listener, process, source_info, tcp, udp};
use crate::model::time::Timestamp;
use crate::store::Store;

fn store(sockets: impl IntoIterator<Item = SocketBuilder>) -> Store {
    let mut store = Store::new(source_info());
    let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    store.apply(Delta { added, ..Delta::default() });
    store
}

/// Workers 0, 1 and 2 with a listener each (cookies 10, 11 and 12) on one port, and so many waiting at each.
fn workers(waiting: [u32; 3]) -> [SocketBuilder; 3] {
    [0, 1, 2].map(|nth: u32| {
        let held = listener(10 + u64::from(nth), 80).held_by(&[process(100 + nth, "worker")]);
        held.queues(waiting[nth as usize], 8)
    })
}

/// What is known of the listener of a socket.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing listens there.
    Nothing,
    /// One of several.
    OneOf(usize),
    /// The one with this cookie.
    This(u64),
}

fn came_by(store: &Store, socket: SocketBuilder) -> Found {
    let socket = socket.build();
    match store.listeners().of_connection(&socket) {
        None => Found::Nothing,
        Some(found) => found
            .listener
            .map_or(Found::OneOf(found.count()), |listener| Found::This(listener.id.cookie().expect("made of one"))),
    }
}

fn came_in(cookie: u64) -> SocketBuilder {
    tcp(cookie).local("10.0.0.1:80").remote("10.0.0.9:40000")
}

fn unaccepted() -> SocketBuilder {
    came_in(99).owner(Owner::Unaccepted)
}

fn on(socket: SocketBuilder, interface: u32) -> SocketBuilder {
    socket.with(|socket| socket.interface = NonZeroU32::new(interface))
}

#[test]
fn a_connection_came_in_by_the_listener_of_the_worker_that_holds_it() {
    let store = store(workers([0, 9, 0]));
    let held = |pid| came_in(50).held_by(&[process(pid, "worker")]);
    assert_eq!(came_by(&store, held(102)), This(12));
    let left = held(100).build().owner.holders().cloned().expect("held");
    assert_eq!(came_by(&store, came_in(51).mini(TimeWait).owner(Owner::Remembered(left))), This(10));
    assert_eq!(came_by(&store, held(7)), OneOf(3), "handed on to another process");
    assert_eq!(came_by(&store, came_in(52).state(SynRecv)), OneOf(3), "the kernel does not say");
    assert_eq!(came_by(&store, came_in(53).local("10.0.0.1:81")), Nothing);
}

#[test]
fn what_waits_is_never_put_down_to_a_listener_whose_queue_is_empty() {
    assert_eq!(came_by(&store(workers([0, 9, 0])), unaccepted()), This(11));
    let two = store(workers([3, 9, 0]));
    assert_eq!(came_by(&two, unaccepted()), OneOf(3), "one of two");
    let socket = unaccepted().state(CloseWait).build();
    let found = two.listeners().of_connection(&socket).expect("somebody listens");
    let possible: Vec<_> = found.possible(&socket).filter_map(|listener| listener.id.cookie()).collect();
    assert_eq!((possible, found.count()), (vec![10, 11], 3));
    assert_eq!(came_by(&store(workers([0, 0, 0])), unaccepted()), OneOf(3), "accepted while the table was read");
    let unknown = workers([0, 0, 0]).map(|one| one.with(|socket| socket.queues = None));
    assert_eq!(came_by(&store(unknown), unaccepted()), OneOf(3), "a source that knows no queues");
}

#[test]
fn workers_that_inherited_one_socket_are_one_listener_with_many_holders() {
    let all = [process(1, "gunicorn"), process(2, "gunicorn"), process(3, "gunicorn")];
    let store = store([listener(10, 80).held_by(&all).queues(5, 8)]);
    assert_eq!(came_by(&store, came_in(50).held_by(&all[2..])), This(10));
    assert_eq!(came_by(&store, unaccepted()), This(10));
}

#[test]
fn a_process_that_holds_several_of_the_listeners_does_not_tell_them_apart() {
    // As nginx with reuseport: the master opens them all, and every worker inherits all.
    let (master, workers) = (process(1, "nginx"), [process(2, "nginx"), process(3, "nginx")]);
    let all = [master.clone(), workers[0].clone(), workers[1].clone()];
    let sockets = [listener(10, 80).held_by(&all).queues(0, 8), listener(11, 80).held_by(&all).queues(9, 8)];
    let shared = store(sockets);
    assert_eq!(came_by(&shared, came_in(50).held_by(&workers[..1])), OneOf(2));
    assert_eq!(came_by(&shared, unaccepted()), This(11), "the queues do");
    let process = |socket: SocketBuilder| {
        let socket = socket.build();
        shared.listeners().of_connection(&socket).and_then(|found| found.process(&socket)).map(|process| process.id.pid)
    };
    assert_eq!(process(came_in(50).held_by(&workers[..1])), Some(1), "the first holder of them all");
    // A worker that holds its own, too, beside a master that holds all.
    let own = |cookie, worker: usize| listener(cookie, 80).held_by(&[master.clone(), workers[worker].clone()]);
    let store = store([own(10, 0), own(11, 1)]);
    assert_eq!(came_by(&store, came_in(50).held_by(&[master.clone(), workers[1].clone()])), This(11));
}

#[test]
fn the_very_address_comes_before_every_address_and_a_device_keeps_to_itself() {
    let store = store([
        listener(10, 80),
        listener(11, 80).local("10.0.0.1:80"),
        on(listener(12, 80), 3),
        listener(13, 80).local("[::]:80").remote("[::]:0"),
        listener(14, 80).netns(7),
        udp(15, 80),
    ]);
    assert_eq!(came_by(&store, came_in(50)), This(11));
    assert_eq!(came_by(&store, came_in(51).local("10.0.0.2:80")), This(10));
    assert_eq!(came_by(&store, on(came_in(52), 3)), This(12), "it keeps the device of its listener");
    assert_eq!(came_by(&store, on(came_in(53), 4)), This(11), "the link of a link-local peer");
    assert_eq!(came_by(&store, came_in(54).local("[2001:db8::1]:80")), This(13));
    assert_eq!(came_by(&store, came_in(55).local("[::ffff:10.0.0.1]:80")), This(13), "dual stack");
    assert_eq!(came_by(&store, came_in(56).netns(7)), This(14));
    assert_eq!(came_by(&store, came_in(57).netns(8)), Nothing);
}

#[test]
fn a_control_group_tells_listeners_apart_that_nothing_else_does() {
    let in_group = |socket: SocketBuilder, id| socket.with(|socket| socket.cgroup = NonZeroU64::new(id));
    let [a, b, c] = workers([9, 9, 9]);
    let store = store([in_group(a, 1), in_group(b, 2), in_group(c, 2)]);
    assert_eq!(came_by(&store, in_group(unaccepted(), 1)), This(10));
    assert_eq!(came_by(&store, in_group(unaccepted(), 2)), OneOf(3));
    assert_eq!(came_by(&store, in_group(unaccepted(), 5)), OneOf(3), "moved since");
}

#[test]
fn datagram_sockets_that_share_a_port_stay_apart() {
    let own = |cookie, pid| udp(cookie, 53).held_by(&[process(pid, "resolver")]);
    let store = store([own(10, 1), own(11, 2)]);
    let connected = udp(50, 53).local("10.0.0.1:53").remote("10.0.0.9:5353").held_by(&[process(2, "resolver")]);
    assert_eq!(came_by(&store, connected), This(11));
    assert_eq!(came_by(&store, udp(51, 53).local("10.0.0.1:53").remote("10.0.0.9:5354")), OneOf(2));
}

#[test]
fn the_index_is_of_the_last_delta() {
    let mut store = store(workers([0, 9, 0]));
    assert_eq!(came_by(&store, unaccepted()), This(11));
    let [.., last] = workers([0, 0, 9]);
    let [_, middle, _] = workers([0, 0, 0]);
    let changed = vec![connection(middle, 0), connection(last, 0)];
    store.apply(Delta { changed, ..Delta::default() });
    assert_eq!(came_by(&store, unaccepted()), This(12));
}

#[test]
fn busy_neighbours_do_not_hide_the_listener_that_hangs() {
    let mut store = store(workers([1, 9, 0]).into_iter().chain([unaccepted()]));
    assert_eq!(came_by(&store, unaccepted()), OneOf(3), "worker 0 or worker 1");
    let mut sample = |waiting, added: Vec<SocketBuilder>| {
        let changed = workers(waiting).map(|one| connection(one, 0)).into();
        let added = added.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, changed, ..Delta::default() });
        came_by(&store, unaccepted())
    };
    assert_eq!(sample([0, 9, 2], vec![]), This(11), "worker 0 had an empty queue, worker 2 had one before");
    assert_eq!(sample([3, 9, 3], vec![]), This(11), "it stays where it is");
    let later = || unaccepted().local("10.0.0.1:80").with(|socket| socket.id = SocketId::from_cookie(98, NetnsId(0)));
    sample([3, 9, 3], vec![later()]);
    assert_eq!(came_by(&store, later()), OneOf(3), "nothing tells yet");
    let accepted = came_in(99).held_by(&[process(101, "worker")]);
    store.apply(Delta { changed: vec![connection(accepted, 0)], ..Delta::default() });
    assert_eq!(came_by(&store, came_in(99).held_by(&[process(102, "worker")])), This(12), "the holder says more");
}

#[test]
fn a_listener_that_is_gone_is_not_what_anything_waits_at() {
    let mut store = store(workers([0, 9, 0]).into_iter().chain([unaccepted()]));
    assert_eq!(came_by(&store, unaccepted()), This(11));
    let gone = workers([0, 9, 0]).into_iter().nth(1).expect("three").build().id;
    store.apply(Delta { removed: vec![Removed { id: gone, at: Timestamp::default() }], ..Delta::default() });
    assert_eq!(came_by(&store, unaccepted()), OneOf(2));
}

#[test]
fn a_queue_is_full_at_its_limit_and_one_of_no_limit_lets_one_wait() {
    let queue = |waiting, limit| AcceptQueue { waiting, limit };
    assert!(queue(8, Some(8)).is_full() && queue(9, Some(8)).is_full() && !queue(7, Some(8)).is_full());
    assert!(queue(1, Some(0)).is_full() && !queue(0, Some(0)).is_full());
    assert!(!queue(900, None).is_full() && queue(900, None).share().is_none());
    assert_eq!(queue(100, Some(4096)).fuller(queue(5, Some(5))), queue(5, Some(5)));
}

#[test]
fn an_ipv4_connection_came_by_no_listener_of_ipv6_alone() {
    let on = |cookie, local: &str, v6only| listener(cookie, 80).local(local).with(|socket| socket.v6only = v6only);
    let mapped = || tcp(9).local("[::ffff:10.0.0.1]:80").remote("[::ffff:10.0.0.9]:40000");
    let six = || tcp(9).local("[fd00::1]:80").remote("[fd00::9]:40000");
    for (v6only, of_mapped) in [(Some(true), Nothing), (Some(false), This(1)), (None, This(1))] {
        let store = store([on(1, "[::]:80", v6only)]);
        assert_eq!(came_by(&store, mapped()), of_mapped, "{v6only:?}");
        assert_eq!(came_by(&store, six()), This(1), "{v6only:?}");
    }
    // nginx: one listener for each family.
    let both = store([on(1, "[::]:80", Some(true)), on(2, "0.0.0.0:80", None)]);
    assert_eq!(came_by(&both, came_in(9)), This(2));
    assert_eq!(came_by(&both, six()), This(1));
}
