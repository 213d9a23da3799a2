//! What the tracker promises: a scenario in text, and properties over random histories of sockets.

mod emptied;
mod events;
mod partial;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::{NonZeroU32, NonZeroU64};

use proptest::prelude::*;

use super::*;
use crate::model::delta::{Connection, Rates};
use crate::model::process::Owner;
use crate::model::socket::{Drops, SocketId, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState::{
    CloseWait, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait,
};
use crate::model::testing::{SocketBuilder, listener, process, snapshot, tcp, udp};

fn story(delta: &Delta) -> String {
    let mut text = String::new();
    for transition in &delta.transitions {
        let name = |state: Option<TcpState>| state.map_or("-", TcpState::name);
        let lasted = transition
            .lasted
            .map_or("?".to_owned(), |(time, basis)| format!("{}ms {}", time.as_millis(), basis.label()));
        let owner = match transition.owner.process() {
            Some(process) => format!("{} {}", transition.owner.label(), process.name),
            None => transition.owner.label().to_owned(),
        };
        let skipped = if transition.skipped { " (skipped)" } else { "" };
        writeln!(
            text,
            "{} {} {} -> {}{skipped} after {lasted}, {owner}",
            transition.at.as_millis(),
            transition.local.as_told(),
            name(transition.from),
            name(transition.to),
        )
        .expect("writing to a string");
    }
    text
}

fn age(connection: &Connection) -> String {
    connection.state_since.map_or("?".to_owned(), |since| format!("{} {}", since.at.as_millis(), since.basis.label()))
}

#[test]
fn a_served_connection_is_told_from_its_opening_to_its_end() {
    let nginx = [process(812, "nginx")];
    let server = || listener(1, 80).held_by(&nginx);
    let conn = || tcp(2).local("10.0.0.1:80").remote("10.0.0.9:50000");
    let mut tracker = Tracker::new();
    let mut reported = String::new();
    let samples = [
        snapshot(100_000, [server()]),
        snapshot(101_000, [server(), conn().state(SynRecv).mini(SynRecv)]),
        snapshot(102_000, [server(), conn().held_by(&nginx).last(101_500, 101_400, 101_500)]),
        snapshot(103_000, [server(), conn().held_by(&nginx).state(CloseWait).last(101_500, 101_700, 102_600)]),
        snapshot(104_000, [server(), conn().state(LastAck).mini(LastAck)]),
        snapshot(105_000, [server()]),
        snapshot(106_000, [server()]),
    ];
    for sample in &samples {
        reported += &story(&tracker.update(sample));
    }
    assert_eq!(
        reported,
        "\
101000 10.0.0.1:80 - -> SYN_RECV after ?, none
101400 10.0.0.1:80 SYN_RECV -> ESTABLISHED after 400ms observed, live nginx
102600 10.0.0.1:80 ESTABLISHED -> CLOSE_WAIT after 1200ms observed, live nginx
104000 10.0.0.1:80 CLOSE_WAIT -> LAST_ACK after 1400ms observed, remembered nginx
105000 10.0.0.1:80 LAST_ACK -> - after 1000ms observed, remembered nginx
"
    );
}

#[test]
fn a_client_that_closes_first_waits_sixty_seconds_and_is_remembered() {
    let app = [process(4121, "jdbc-pool")];
    let conn =
        || tcp(7).local("10.0.0.7:51234").remote("10.0.0.1:5432").with(|socket| socket.cgroup = NonZeroU64::new(42));
    let waiting = || conn().mini(TimeWait).timer(TimerKind::TimeWait, 0, 162_300);
    let mut tracker = Tracker::new();
    let mut reported = String::new();
    let samples = [
        snapshot::<Socket>(100_000, []),
        snapshot(101_000, [conn().held_by(&app).state(SynSent)]),
        snapshot(102_000, [conn().held_by(&app)]),
        snapshot(103_000, [waiting()]),
        snapshot(162_000, [waiting()]),
        snapshot::<Socket>(163_000, []),
    ];
    for sample in &samples {
        let delta = tracker.update(sample);
        reported += &story(&delta);
        if delta.at == Timestamp::from_millis(103_000) {
            assert_eq!(age(&delta.changed[0]), "102300 observed");
            let socket = &delta.changed[0].socket;
            assert_eq!((socket.uid, socket.cgroup), (Some(1000), NonZeroU64::new(42)), "remembered, as the owner is");
        }
    }
    assert_eq!(
        reported,
        "\
101000 10.0.0.7:51234 - -> SYN_SENT after ?, live jdbc-pool
102000 10.0.0.7:51234 SYN_SENT -> ESTABLISHED after 1000ms observed, live jdbc-pool
102300 10.0.0.7:51234 ESTABLISHED -> TIME_WAIT (skipped) after 300ms observed, remembered jdbc-pool
162300 10.0.0.7:51234 TIME_WAIT -> - after 60000ms observed, remembered jdbc-pool
"
    );
}

#[test]
fn the_first_sample_only_adds_and_asks_the_kernel_for_ages() {
    let sockets = [
        listener(1, 22),
        tcp(2).last(91_000, 95_000, 99_000),
        tcp(3).state(CloseWait).last(1_000, 40_000, 40_020),
        tcp(4).state(CloseWait).last(99_000, 40_000, 99_010),
        tcp(5).mini(TimeWait).timer(TimerKind::TimeWait, 0, 130_000),
        tcp(6).mini(FinWait2).timer(TimerKind::TimeWait, 0, 130_000),
        tcp(7).state(SynSent).timer(TimerKind::Retransmit, 0, 100_400).info(|info| info.rto_us = 1_000_000),
        tcp(8).state(SynSent).timer(TimerKind::Retransmit, 2, 103_000).info(|info| info.rto_us = 4_000_000),
        udp(9, 53),
    ];
    let mut sample = snapshot(100_000, sockets);
    let delta = Tracker::new().update(&sample);
    sample.sockets.extend(sample.sockets.clone());
    assert_eq!(once(sample), delta, "the same without a tracker, also if each socket is listed twice");
    assert!(delta.transitions.is_empty() && delta.changed.is_empty() && delta.removed.is_empty());
    let ages: Vec<_> = delta.added.iter().map(age).collect();
    assert_eq!(
        ages,
        [
            "?",
            "91000 at-least",
            "40020 kernel",
            "99010 at-least",
            "70000 at-least",
            "?",
            "99400 kernel",
            "96000 at-least",
            "?"
        ]
    );
}

#[test]
fn a_socket_missing_once_goes_on_and_twice_is_gone_since_the_first_time() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2)]));
    assert_eq!(tracker.update(&snapshot(2_000, [tcp(1)])).removed, []);
    let back = tracker.update(&snapshot(3_000, [tcp(1), tcp(2)]));
    assert!(back.added.is_empty() && back.changed.is_empty() && back.transitions.is_empty());
    tracker.update(&snapshot(4_000, [tcp(2)]));
    let gone = tracker.update(&snapshot(5_000, [tcp(2)]));
    assert_eq!(gone.removed, [Removed { id: tcp(1).build().id, at: Timestamp::from_millis(4_000) }]);
    assert_eq!(gone.transitions[0].at, Timestamp::from_millis(4_000));
}

#[test]
fn a_connection_whose_tuple_another_took_is_gone_at_once() {
    let mut tracker = Tracker::new();
    let old = || tcp(1).local("10.0.0.1:40000");
    let new = || tcp(2).local("10.0.0.1:40000");
    tracker.update(&snapshot(1_000, [old().mini(TimeWait).timer(TimerKind::TimeWait, 0, 50_000)]));
    let delta = tracker.update(&snapshot(2_000, [new()]));
    assert_eq!(delta.removed, [Removed { id: old().build().id, at: Timestamp::from_millis(2_000) }]);
    assert_eq!(delta.added.len(), 1);
}

#[test]
fn a_tuple_used_again_is_another_connection_with_new_clocks() {
    let app = [process(9, "curl")];
    let conn = || tcp(1).without_cookie();
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [conn().held_by(&app)]));
    tracker.update(&snapshot(2_000, [conn().mini(TimeWait)]));
    let delta = tracker.update(&snapshot(3_000, [conn().state(SynSent)]));
    assert_eq!(
        story(&delta),
        "\
3000 10.0.0.1:1025 TIME_WAIT -> - after 1000ms observed, remembered curl
3000 10.0.0.1:1025 - -> SYN_SENT after ?, none
"
    );
    let [again] = &delta.changed[..] else { panic!("one row changed: {delta:?}") };
    assert_eq!(again.first_seen, Timestamp::from_millis(3_000));
    assert_eq!(again.socket.owner, Owner::None, "whoever held the old one need not hold the new one");
}

#[test]
fn a_tuple_is_another_connection_when_inode_or_byte_counters_say_so() {
    let conn = || tcp(1).bytes(500, 500).without_cookie();
    for again in [conn().with(|socket| socket.inode = NonZeroU32::new(77)), conn().bytes(400, 600)] {
        let mut tracker = Tracker::new();
        tracker.update(&snapshot(1_000, [conn()]));
        let delta = tracker.update(&snapshot(2_000, [again]));
        let steps: Vec<_> = delta.transitions.iter().map(|transition| (transition.from, transition.to)).collect();
        assert_eq!(steps, [(Some(Established), None), (None, Some(Established))]);
        assert_eq!(delta.changed[0].first_seen, Timestamp::from_millis(2_000));
        assert_eq!(delta.changed[0].rates(), None);
    }
}

/// A socket with everything set, and every way in which one thing of it can differ.
fn one_difference_each() -> (Socket, Vec<(&'static str, Socket)>) {
    let base = || {
        let socket =
            tcp(1).bytes(10, 10).last(1_000, 2_000, 3_000).queues(1, 1).timer(TimerKind::KeepAlive, 1, 500_000);
        socket.held_by(&[process(9, "curl")]).with(|socket| socket.cgroup = NonZeroU64::new(5))
    };
    let info = |change: fn(&mut TcpInfo)| base().info(change).build();
    let with = |change: fn(&mut Socket)| base().with(change).build();
    let others = vec![
        ("local", base().local("10.0.0.7:9").build()),
        ("remote", base().remote("10.0.0.7:9").build()),
        ("drops", with(|socket| socket.drops = Some(Drops::new(0)))),
        ("is_subflow", with(|socket| socket.is_subflow = true)),
        ("v6only", with(|socket| socket.v6only = Some(false))),
        ("interface", with(|socket| socket.interface = NonZeroU32::new(2))),
        ("inode", with(|socket| socket.inode = None)),
        ("uid", base().uid(0).build()),
        ("cgroup", with(|socket| socket.cgroup = NonZeroU64::new(6))),
        ("receive queue", base().queues(2, 1).build()),
        ("send queue", base().queues(1, 2).build()),
        ("queues", with(|socket| socket.queues = None)),
        ("timer kind", base().timer(TimerKind::Retransmit, 1, 500_000).build()),
        ("timer retries", base().timer(TimerKind::KeepAlive, 2, 500_000).build()),
        ("timer", base().timer(TimerKind::KeepAlive, 1, 600_000).build()),
        ("no timer", with(|socket| socket.timer = None)),
        ("rtt", info(|tcp| tcp.rtt_us = 1)),
        ("rto", info(|tcp| tcp.rto_us = 1)),
        ("retransmits", info(|tcp| tcp.retransmits_total = 1)),
        ("spurious retransmits", info(|tcp| tcp.retransmits_spurious = 1)),
        ("unacked", info(|tcp| tcp.unacked = 1)),
        ("backoff", info(|tcp| tcp.backoff = 1)),
        ("probes", info(|tcp| tcp.probes = 1)),
        ("no tcp_info", with(|socket| socket.tcp = None)),
        ("received", base().bytes(11, 10).build()),
        ("sent", base().bytes(10, 11).build()),
        ("no byte counts", info(|tcp| tcp.bytes = None)),
        ("data sent", base().last(1_500, 2_000, 3_000).build()),
        ("data received", base().last(1_000, 2_500, 3_000).build()),
        ("ack received", base().last(1_000, 2_000, 3_500).build()),
        ("holder", base().held_by(&[process(10, "curl")]).build()),
        ("owner", base().owner(Owner::Hidden).build()),
        ("state", base().state(CloseWait).build()),
    ];
    (base().build(), others)
}

#[test]
fn nothing_that_a_row_shows_changes_unnoticed() {
    let (base, others) = one_difference_each();
    for (what, other) in others {
        let mut tracker = Tracker::new();
        tracker.update(&snapshot(100_000, [base.clone()]));
        tracker.update(&snapshot(101_000, [base.clone()]));
        let delta = tracker.update(&snapshot(102_000, [other.clone()]));
        assert_eq!(delta.changed.len(), 1, "{what}");
        // Other ends are another connection of the same socket.
        let first_seen = if matches!(what, "local" | "remote") { 102_000 } else { 100_000 };
        assert_eq!(delta.changed[0].first_seen, Timestamp::from_millis(first_seen), "{what}");
        assert_eq!(delta.changed[0].socket, other, "{what}");
        tracker.update(&snapshot(103_000, [other.clone()]));
        let silent = tracker.update(&snapshot(104_000, [other]));
        assert_eq!(silent.changed, [], "{what}");
    }
}

#[test]
fn what_came_with_the_sample_comes_with_the_delta() {
    let mut tracker = Tracker::new();
    let mut sample = snapshot(1_000, [tcp(1)]);
    sample.usage.push((process(9, "curl").id, crate::model::process::Usage::default()));
    for hidden in [3, 4] {
        sample.coverage.owners_hidden = hidden;
        let delta = tracker.update(&sample);
        assert_eq!((&*delta.coverage, &delta.usage), (&sample.coverage, &sample.usage));
        assert_eq!((delta.at, delta.wall, delta.took), (sample.at, sample.wall, sample.took));
    }
}

#[test]
fn a_listener_or_a_time_wait_never_seen_before_inherits_no_owner() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1).held_by(&[process(9, "curl")])]));
    let delta = tracker.update(&snapshot(2_000, [tcp(1), tcp(2).mini(TimeWait)]));
    assert_eq!(delta.added[0].socket.owner, Owner::None);
    assert!(delta.transitions[0].skipped, "it did not begin in TIME_WAIT");
}

#[test]
fn an_idle_table_is_silent_although_the_kernel_counts_in_jiffies() {
    let idle = |jitter: u64| {
        [
            tcp(1).bytes(5, 5).last(10_000 + jitter, 20_000 - jitter, 20_000 + jitter),
            tcp(2).state(CloseWait).bytes(1, 1).last(10_000, 20_000 + jitter, 20_000 + jitter),
            tcp(3).mini(TimeWait).timer(TimerKind::TimeWait, 0, 130_000 + jitter),
            tcp(4).bytes(0, 0).timer(TimerKind::KeepAlive, 0, 7_200_000 - jitter),
            // The kernel leaves a listener's tcp_info at zero, so that its "last" is always now.
            listener(5, 80).last(100_000 + jitter * 1_000, 100_000 + jitter * 1_000, 100_000 + jitter * 1_000),
            udp(6, 53),
        ]
    };
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(100_000, idle(0)));
    let second = tracker.update(&snapshot(101_000, idle(4)));
    assert_eq!(second.changed.len(), 3, "their rate is known now, and is 0: {:?}", second.changed);
    for (at, jitter) in (102_000..).step_by(1_000).zip([8, 0, 3, 10, 1]) {
        let delta = tracker.update(&snapshot(at, idle(jitter)));
        assert!(delta.added.is_empty() && delta.changed.is_empty() && delta.removed.is_empty(), "{delta:?}");
        assert!(delta.transitions.is_empty());
    }
}

#[test]
fn a_time_wait_that_is_overdue_changes_nothing() {
    let overdue = |now| tcp(1).mini(TimeWait).timer(TimerKind::TimeWait, 0, now);
    let mut tracker = Tracker::new();
    let first = tracker.update(&snapshot(100_000, [overdue(100_000)]));
    assert_eq!(age(&first.added[0]), "40000 at-least", "the timer only says that 60 s are over");
    assert_eq!(tracker.update(&snapshot(101_000, [overdue(101_000)])).changed, []);
}

#[test]
fn rates_need_two_samples_and_counters_that_grow() {
    let mut tracker = Tracker::new();
    let rate = |delta: &Delta| delta.added.iter().chain(&delta.changed).next().map(Connection::rates);
    let some = |received, sent| Some(Some(Rates { received, sent }));
    assert_eq!(rate(&tracker.update(&snapshot(1_000, [tcp(1).bytes(100, 10)]))), Some(None));
    assert_eq!(rate(&tracker.update(&snapshot(3_000, [tcp(1).bytes(300, 10)]))), some(100.0, 0.0));
    assert_eq!(rate(&tracker.update(&snapshot(4_000, [tcp(1).bytes(300, 10)]))), some(0.0, 0.0));
    assert_eq!(rate(&tracker.update(&snapshot(5_000, [tcp(1).bytes(300, 10)]))), None, "nothing changed");
    assert_eq!(rate(&tracker.update(&snapshot(6_000, [tcp(1).bytes(7, 10)]))), Some(None), "a new epoch");
    assert_eq!(rate(&tracker.update(&snapshot(7_000, [tcp(1).bytes(17, 10)]))), some(10.0, 0.0));
    tracker.update(&snapshot::<Socket>(8_000, []));
    assert_eq!(rate(&tracker.update(&snapshot(9_000, [tcp(1).bytes(57, 10)]))), some(20.0, 0.0), "over two samples");
}

#[test]
fn a_socket_that_was_held_is_never_shown_as_unaccepted() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1).held_by(&[process(9, "curl")]), tcp(2).owner(Owner::Unaccepted)]));
    let delta = tracker.update(&snapshot(2_000, [tcp(1).owner(Owner::Unaccepted), tcp(2).owner(Owner::Hidden)]));
    let owners: Vec<_> = delta.changed.iter().map(|connection| connection.socket.owner.label()).collect();
    assert_eq!(owners, ["remembered", "hidden"]);
    let again = tracker.update(&snapshot(3_000, [tcp(1).owner(Owner::None), tcp(2).owner(Owner::Hidden)]));
    assert_eq!(again.changed, [], "what is remembered stays as it is");
}

#[test]
fn an_entry_stays_well_below_a_connection() {
    let (entry, connection) = (size_of::<TrackedSocket>(), size_of::<Connection>());
    assert!(entry <= 72, "an entry takes {entry} bytes, a connection {connection}");
}

/// One thing that happens to the socket in a slot of a small world.
#[derive(Clone, Debug)]
enum Event {
    Open { slot: usize, weak: bool, state: TcpState },
    Become { slot: usize, state: TcpState },
    Transfer { slot: usize, bytes: u64 },
    Restart { slot: usize },
    Hold { slot: usize, pid: Option<u32> },
    Miss { slot: usize },
    Close { slot: usize },
    Swap { a: usize, b: usize },
    Sample { after_ms: u64, jitter_ms: u64 },
}

const SLOTS: usize = 6;
const STATES: [TcpState; 9] = [SynSent, SynRecv, Established, FinWait1, FinWait2, CloseWait, LastAck, TimeWait, Listen];

fn event() -> impl Strategy<Value = Event> {
    let slot = 0..SLOTS;
    let state = prop::sample::select(&STATES[..]);
    prop_oneof![
        3 => (slot.clone(), any::<bool>(), state.clone())
            .prop_map(|(slot, weak, state)| Event::Open { slot, weak, state }),
        3 => (slot.clone(), state).prop_map(|(slot, state)| Event::Become { slot, state }),
        2 => (slot.clone(), 1..5_000u64).prop_map(|(slot, bytes)| Event::Transfer { slot, bytes }),
        1 => slot.clone().prop_map(|slot| Event::Restart { slot }),
        2 => (slot.clone(), prop::option::of(1..4u32)).prop_map(|(slot, pid)| Event::Hold { slot, pid }),
        1 => slot.clone().prop_map(|slot| Event::Miss { slot }),
        1 => slot.clone().prop_map(|slot| Event::Close { slot }),
        1 => (slot.clone(), slot).prop_map(|(a, b)| Event::Swap { a, b }),
        6 => (0..3_000u64, 0..10u64).prop_map(|(after_ms, jitter_ms)| Event::Sample { after_ms, jitter_ms }),
    ]
}

/// The sockets as the kernel would have them, and the samples taken of them.
struct World {
    now_ms: u64,
    next_cookie: u64,
    slots: Vec<Option<Socket>>,
    missed: BTreeSet<usize>,
}

impl World {
    fn new() -> Self {
        Self { now_ms: 100_000, next_cookie: 100, slots: vec![None; SLOTS], missed: BTreeSet::new() }
    }

    /// Lets `event` happen; gives the sample if it was one.
    fn happen(&mut self, event: &Event) -> Option<Snapshot> {
        let now = self.now_ms;
        match *event {
            Event::Open { slot, weak, state } if self.slots[slot].is_none() => {
                self.next_cookie += 1;
                let cookie = if weak { slot as u64 } else { self.next_cookie };
                let socket = tcp(cookie).state(state).bytes(0, 0).last(now, now, now);
                let socket = if weak { socket.without_cookie() } else { socket }.build();
                // A sample lists each identity once.
                self.slots[slot] = (!self.slots.iter().flatten().any(|other| other.id == socket.id)).then_some(socket);
            }
            // A timer that starts anew within the tolerance is no change, and is not reported.
            Event::Become { slot, state } => self.with(slot, |socket| {
                if socket.state == state {
                    return;
                }
                socket.state = state;
                if state.is_mini() {
                    (socket.tcp, socket.uid, socket.inode, socket.owner) = (None, None, None, Owner::None);
                }
                let timer = tcp(0).timer(TimerKind::TimeWait, 0, now + 60_000).build().timer;
                socket.timer = timer.filter(|_| state == TimeWait);
            }),
            Event::Transfer { slot, bytes } => self.with(slot, |socket| {
                if let Some(counts) = socket.tcp.as_mut().and_then(|tcp| tcp.bytes.as_mut()) {
                    counts.add(bytes, 0);
                }
            }),
            Event::Restart { slot } => self.with(slot, |socket| {
                if let Some(counts) = socket.tcp.as_mut().and_then(|tcp| tcp.bytes.as_mut()) {
                    *counts = ByteCounts::new(counts.received() / 2, counts.sent());
                }
            }),
            Event::Hold { slot, pid } => self.with(slot, |socket| {
                let holders: Vec<_> = pid.map(|pid| process(pid, "held")).into_iter().collect();
                socket.owner = tcp(0).held_by(&holders).build().owner;
            }),
            Event::Miss { slot } => drop(self.missed.insert(slot)),
            Event::Close { slot } => self.slots[slot] = None,
            Event::Swap { a, b } => self.slots.swap(a, b),
            Event::Sample { after_ms, jitter_ms } => return Some(self.sample(after_ms, jitter_ms)),
            Event::Open { .. } => {}
        }
        None
    }

    fn with(&mut self, slot: usize, change: impl FnOnce(&mut Socket)) {
        if let Some(socket) = &mut self.slots[slot] {
            change(socket);
        }
    }

    /// The kernel ends a `TIME_WAIT` when its timer says so.
    fn end_waiting(&mut self) {
        let now = Timestamp::from_millis(self.now_ms);
        let waits = |socket: &Socket| socket.timer.filter(|timer| timer.kind == TimerKind::TimeWait);
        for slot in &mut self.slots {
            slot.take_if(|socket| waits(socket).is_some_and(|timer| timer.expires <= now.into()));
        }
    }

    fn sample(&mut self, after_ms: u64, jitter_ms: u64) -> Snapshot {
        self.now_ms += after_ms;
        self.end_waiting();
        let missed = std::mem::take(&mut self.missed);
        let seen = self.slots.iter().enumerate().filter(|(slot, _)| !missed.contains(slot));
        let mut sample = snapshot(self.now_ms, seen.filter_map(|(_, socket)| socket.clone()));
        // A dump can list a socket twice while its neighbours come and go.
        let again = sample.sockets.first().filter(|_| jitter_ms % 4 == 1).cloned();
        sample.sockets.extend(again);
        for socket in &mut sample.sockets {
            if let Some(tcp) = &mut socket.tcp {
                tcp.last_ack_received =
                    tcp.last_ack_received.timestamp().after(Duration::from_millis(jitter_ms)).into();
            }
        }
        sample
    }
}

/// The table as one who only reads deltas has it, checked against what the samples said.
#[derive(Default)]
struct Reader {
    table: BTreeMap<SocketId, Connection>,
    /// For how many samples sockets have been missing.
    missing: BTreeMap<SocketId, u32>,
    first: bool,
}

impl Reader {
    fn read(&mut self, delta: &Delta) {
        let states: BTreeMap<_, _> = self.table.iter().map(|(id, row)| (*id, row.socket.state)).collect();
        for connection in &delta.added {
            let before = self.table.insert(connection.socket.id, connection.clone());
            assert!(before.is_none(), "added twice: {connection:?}");
        }
        for connection in &delta.changed {
            let before = self.table.insert(connection.socket.id, connection.clone());
            assert!(before.is_some_and(|before| before != *connection), "not changed: {connection:?}");
        }
        for removed in &delta.removed {
            assert!(self.table.remove(&removed.id).is_some(), "removed, but not there: {removed:?}");
            assert!(removed.at <= delta.at);
        }
        let touched = delta.added.iter().chain(&delta.changed).map(|row| row.socket.id);
        let touched: Vec<_> = touched.chain(delta.removed.iter().map(|removed| removed.id)).collect();
        assert_eq!(touched.iter().collect::<BTreeSet<_>>().len(), touched.len(), "not disjoint: {delta:?}");
        self.follow_transitions(delta, states);
    }

    /// The transitions alone lead from the old states to the new ones, each legal or marked.
    fn follow_transitions(&self, delta: &Delta, mut states: BTreeMap<SocketId, TcpState>) {
        for transition in &delta.transitions {
            let legal = match (transition.from, transition.to) {
                (Some(from), Some(to)) => from.leads_to(to),
                (None, Some(to)) => matches!(to, Listen | SynSent | SynRecv | Established),
                _ => true,
            };
            assert_ne!(legal, transition.skipped, "{transition:?}");
            if let Some(from) = transition.from {
                assert_eq!(states.remove(&transition.id), Some(from), "{transition:?}");
                assert!(transition.lasted.is_some());
            }
            if let Some(to) = transition.to {
                assert_eq!(states.insert(transition.id, to), None, "{transition:?}");
            }
        }
        let now: BTreeMap<_, _> = self.table.iter().map(|(id, row)| (*id, row.socket.state)).collect();
        assert_eq!(states, now, "{delta:?}");
    }

    fn compare(&mut self, sample: &Snapshot) {
        let listed: BTreeSet<_> = sample.sockets.iter().map(|socket| socket.id).collect();
        for socket in &sample.sockets {
            let row = &self.table[&socket.id];
            let seen = Socket {
                owner: row.socket.owner.clone(),
                uid: socket.uid.or(row.socket.uid),
                tcp: socket.tcp.map(|tcp| with_moments_of(row.socket.tcp, tcp, socket.is_listener())),
                ..socket.clone()
            };
            assert_eq!(row.socket, seen);
            if !matches!(socket.owner, Owner::None) {
                assert_eq!(row.socket.owner, socket.owner);
            }
            assert!(row.first_seen <= sample.at && row.state_since.is_none_or(|since| since.at <= sample.at));
            assert!(row.rates().is_none_or(|rates| rates.received >= 0.0 && rates.received.is_finite()));
            self.missing.remove(&socket.id);
        }
        for (id, row) in self.table.iter().filter(|(id, _)| !listed.contains(id)) {
            let times = self.missing.entry(*id).or_default();
            *times += 1;
            assert_eq!(*times, 1, "shown although missing twice: {row:?}");
        }
        self.missing.retain(|id, _| self.table.contains_key(id));
    }
}

/// What is left of `sample` after each of its sockets was pushed so many times.
fn pushed(tracker: &mut Tracker, sample: &Snapshot, times: usize) -> Snapshot {
    let mut left = sample.clone();
    tracker.begin(sample.at);
    for time in 0..times {
        left.sockets.retain(|socket| tracker.push(socket).is_to_list());
        let known = sample.sockets.iter().filter(|socket| !left.sockets.contains(socket));
        known.for_each(|socket| assert_eq!(tracker.push(socket), SinkAnswer::Repeated, "{time}"));
    }
    left
}

#[test]
fn a_sample_that_was_pushed_and_then_failed_is_forgotten() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2)]));
    tracker.begin(Timestamp::from_millis(2_000));
    assert_eq!(tracker.push(&tcp(2).build()), SinkAnswer::Known);
    let delta = tracker.update(&snapshot(3_000, [tcp(1), tcp(3)]));
    assert_eq!((delta.added.len(), delta.removed.len()), (1, 0));
    tracker.begin(Timestamp::from_millis(4_000));
    assert_eq!(tracker.push(&tcp(1).build()), SinkAnswer::Known);
    assert_eq!(tracker.push(&tcp(3).queues(1, 0).build()), SinkAnswer::Changed);
    assert_eq!(tracker.push(&tcp(4).build()), SinkAnswer::New);
    let delta = tracker.finish(&mut snapshot(4_000, [tcp(3).queues(1, 0)]));
    assert_eq!((delta.added.len(), delta.changed.len(), delta.removed.len()), (0, 1, 1));
    assert_eq!(delta.removed[0].at, Timestamp::from_millis(3_000), "missed twice since then");
}

/// `tcp` with the moments of `old`, which are near enough; a listener's mean nothing.
fn with_moments_of(old: Option<TcpInfo>, tcp: TcpInfo, is_listener: bool) -> TcpInfo {
    let old = old.expect("the row has tcp_info as the sample has");
    let moments = |tcp: TcpInfo| [tcp.last_data_sent, tcp.last_data_received, tcp.last_ack_received];
    for (old, new) in moments(old).into_iter().zip(moments(tcp)) {
        let (old, new) = (old.timestamp(), new.timestamp());
        assert!(is_listener || old.since(new).max(new.since(old)) <= JITTER + Duration::from_millis(1));
    }
    let [last_data_sent, last_data_received, last_ack_received] = moments(old);
    TcpInfo { last_data_sent, last_data_received, last_ack_received, ..tcp }
}

proptest! {
    #[test]
    fn old_table_and_delta_make_the_new_table(
        events in prop::collection::vec(event(), 1..80),
        pushes in prop::sample::select(&[0, 1, 2]),
    ) {
        let (mut world, mut tracker, mut reader) = (World::new(), Tracker::new(), Reader::default());
        reader.first = true;
        for event in &events {
            let Some(sample) = world.happen(event) else { continue };
            let mut left = pushed(&mut tracker, &sample, pushes);
            let delta = tracker.finish(&mut left);
            prop_assert_eq!(once(sample.clone()), Tracker::new().update(&sample));
            if reader.first {
                prop_assert!(delta.transitions.is_empty());
                reader.table = delta.added.iter().map(|row| (row.socket.id, row.clone())).collect();
                reader.first = false;
            } else {
                reader.read(&delta);
            }
            reader.compare(&sample);
        }
        // Whatever happened: left alone, the table falls silent.
        for jitter_ms in [3, 7, 5] {
            tracker.update(&world.sample(1_000, jitter_ms));
        }
        let last = world.sample(1_000, 0);
        let mut left = pushed(&mut tracker, &last, pushes);
        prop_assert!(pushes == 0 || left.sockets.is_empty());
        let delta = tracker.finish(&mut left);
        prop_assert!(delta.added.is_empty() && delta.changed.is_empty() && delta.removed.is_empty(), "{:?}", delta);
        prop_assert!(delta.transitions.is_empty());
    }
}
