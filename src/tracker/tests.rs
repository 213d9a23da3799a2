//! What the tracker promises: a scenario told in text, and properties over random lives of sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::model::delta::{Connection, Rates};
use crate::model::process::Owner;
use crate::model::socket::{SocketId, TimerKind};
use crate::model::tcp_info::TcpInfo;
use crate::model::tcp_state::TcpState::{
    CloseWait, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait,
};
use crate::model::testing::{listener, process, snapshot, tcp, udp};

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
            transition.local,
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
    let mut told = String::new();
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
        told += &story(&tracker.update(sample));
    }
    assert_eq!(
        told,
        "\
101000 10.0.0.1:80 - -> SYN_RECV after ?, none
102000 10.0.0.1:80 SYN_RECV -> ESTABLISHED after 400ms observed, live nginx
103000 10.0.0.1:80 ESTABLISHED -> CLOSE_WAIT after 1200ms observed, live nginx
104000 10.0.0.1:80 CLOSE_WAIT -> LAST_ACK after 1400ms observed, remembered nginx
105000 10.0.0.1:80 LAST_ACK -> - after 1000ms observed, remembered nginx
"
    );
}

#[test]
fn a_client_that_closes_first_waits_sixty_seconds_and_is_remembered() {
    let app = [process(4121, "jdbc-pool")];
    let conn = || tcp(7).local("10.0.0.7:51234").remote("10.0.0.1:5432");
    let waiting = || conn().mini(TimeWait).timer(TimerKind::TimeWait, 0, 162_300);
    let mut tracker = Tracker::new();
    let mut told = String::new();
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
        told += &story(&delta);
        if delta.at == Timestamp::from_millis(103_000) {
            assert_eq!(age(&delta.changed[0]), "102300 kernel");
            assert_eq!(delta.changed[0].socket.uid, Some(1000), "the uid is remembered with the owner");
        }
    }
    assert_eq!(
        told,
        "\
101000 10.0.0.7:51234 - -> SYN_SENT after ?, live jdbc-pool
102000 10.0.0.7:51234 SYN_SENT -> ESTABLISHED after 1000ms observed, live jdbc-pool
103000 10.0.0.7:51234 ESTABLISHED -> TIME_WAIT (skipped) after 300ms observed, remembered jdbc-pool
163000 10.0.0.7:51234 TIME_WAIT -> - after 60000ms kernel, remembered jdbc-pool
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
    let delta = Tracker::new().update(&snapshot(100_000, sockets));
    assert!(delta.transitions.is_empty() && delta.changed.is_empty() && delta.removed.is_empty());
    let ages: Vec<_> = delta.added.iter().map(age).collect();
    assert_eq!(
        ages,
        [
            "?",
            "91000 at-least",
            "40020 kernel",
            "99010 at-least",
            "70000 kernel",
            "?",
            "99400 kernel",
            "99000 at-least",
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
fn a_time_wait_that_is_overdue_is_no_news() {
    let overdue = |now| tcp(1).mini(TimeWait).timer(TimerKind::TimeWait, 0, now);
    let mut tracker = Tracker::new();
    let first = tracker.update(&snapshot(100_000, [overdue(100_000)]));
    assert_eq!(age(&first.added[0]), "40000 at-least", "the timer only says that 60 s are over");
    assert_eq!(tracker.update(&snapshot(101_000, [overdue(101_000)])).changed, []);
}

#[test]
fn rates_need_two_samples_and_counters_that_grow() {
    let mut tracker = Tracker::new();
    let rate = |delta: &Delta| delta.added.iter().chain(&delta.changed).next().map(|connection| connection.rates);
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
    let (entry, connection) = (size_of::<Entry>(), size_of::<Connection>());
    assert!(entry <= 168, "an entry takes {entry} bytes, a connection {connection}");
}

/// Prints what a socket costs; run it with `cargo test --release -- --ignored --nocapture cost_of`.
#[test]
#[ignore = "measures, asserts no times"]
fn cost_of_two_hundred_thousand_sockets() {
    const LEN: u64 = 200_000;
    let workers: Vec<_> = (1..=20).map(|pid| tcp(0).held_by(&[process(pid, "worker")]).build().owner).collect();
    let socket = |cookie: u64| {
        let owner = workers[usize::try_from(cookie % 20).expect("below 20")].clone();
        let addr = std::net::Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(cookie).expect("small"));
        let socket = tcp(cookie).bytes(cookie, 9).last(1_000, 2_000, 3_000).owner(owner);
        socket.with(|socket| socket.remote.addr = addr.into()).build()
    };
    let mut sample = snapshot(100_000, (0..LEN).map(socket));
    let mut tracker = Tracker::new();
    let mut store = crate::store::Store::new(crate::model::testing::source_info());
    let mut take = |what: &str, sample: &mut Snapshot| {
        sample.at = sample.at.after(Duration::from_secs(1));
        let begin = std::time::Instant::now();
        let delta = tracker.update(sample);
        let diff = begin.elapsed();
        let (added, changed, removed) = (delta.added.len(), delta.changed.len(), delta.removed.len());
        let begin = std::time::Instant::now();
        store.apply(delta);
        let apply = begin.elapsed();
        println!(
            "{what:28} diff {:7.2} ms ({:4} ns/socket), apply {:6.2} ms; +{added} ~{changed} -{removed}",
            diff.as_secs_f64() * 1e3,
            diff.as_nanos() / u128::from(LEN),
            apply.as_secs_f64() * 1e3,
        );
    };
    println!("entry {} bytes, connection {} bytes", size_of::<Entry>(), size_of::<Connection>());
    take("first", &mut sample);
    take("second (rates known)", &mut sample);
    take("idle", &mut sample);
    for round in 1..=5 {
        // Of a hundred sockets one changes: half get another rtt, a quarter go and make room for new ones, a quarter change state.
        for (nth, slot) in sample.sockets.iter_mut().enumerate().skip(round).step_by(100) {
            match (nth / 100) % 4 {
                0 | 1 => *slot = tcp(0).with(|s| *s = slot.clone()).info(|tcp| tcp.rtt_us += 1).build(),
                2 => *slot = socket(LEN * round as u64 + nth as u64),
                _ => slot.state = if slot.state == CloseWait { LastAck } else { CloseWait },
            }
        }
        take("one in a hundred changed", &mut sample);
    }
    sample.sockets.reverse();
    take("other order", &mut sample);
    take("same order, idle", &mut sample);
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
            Event::Become { slot, state } => self.with(slot, |socket| {
                socket.state = state;
                if state.is_mini() {
                    (socket.tcp, socket.uid, socket.inode, socket.owner) = (None, None, None, Owner::None);
                }
                let timer = tcp(0).timer(TimerKind::TimeWait, 0, now + 60_000).build().timer;
                socket.timer = timer.filter(|_| state == TimeWait);
            }),
            Event::Transfer { slot, bytes } => self.with(slot, |socket| {
                if let Some(counts) = socket.tcp.as_mut().and_then(|tcp| tcp.bytes.as_mut()) {
                    counts.received += bytes;
                }
            }),
            Event::Restart { slot } => self.with(slot, |socket| {
                if let Some(counts) = socket.tcp.as_mut().and_then(|tcp| tcp.bytes.as_mut()) {
                    counts.received /= 2;
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

    fn sample(&mut self, after_ms: u64, jitter_ms: u64) -> Snapshot {
        self.now_ms += after_ms;
        let missed = std::mem::take(&mut self.missed);
        let seen = self.slots.iter().enumerate().filter(|(slot, _)| !missed.contains(slot));
        let mut sample = snapshot(self.now_ms, seen.filter_map(|(_, socket)| socket.clone()));
        for socket in &mut sample.sockets {
            if let Some(tcp) = &mut socket.tcp {
                tcp.last_ack_received = tcp.last_ack_received.after(Duration::from_millis(jitter_ms));
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
                tcp: socket.tcp.map(|tcp| {
                    row.socket.tcp.map_or(tcp, |old| TcpInfo { last_ack_received: old.last_ack_received, ..tcp })
                }),
                ..socket.clone()
            };
            assert_eq!(row.socket, seen);
            if !matches!(socket.owner, Owner::None) {
                assert_eq!(row.socket.owner, socket.owner);
            }
            assert!(row.first_seen <= sample.at && row.state_since.is_none_or(|since| since.at <= sample.at));
            assert!(row.rates.is_none_or(|rates| rates.received >= 0.0 && rates.received.is_finite()));
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

proptest! {
    #[test]
    fn old_table_and_delta_make_the_new_table(events in prop::collection::vec(event(), 1..80)) {
        let (mut world, mut tracker, mut reader) = (World::new(), Tracker::new(), Reader::default());
        reader.first = true;
        for event in &events {
            let Some(sample) = world.happen(event) else { continue };
            let delta = tracker.update(&sample);
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
        let delta = tracker.update(&world.sample(1_000, 0));
        prop_assert!(delta.added.is_empty() && delta.changed.is_empty() && delta.removed.is_empty(), "{:?}", delta);
        prop_assert!(delta.transitions.is_empty());
    }
}
