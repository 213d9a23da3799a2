//! What the tracker makes of events: one history per connection, and never another table than without them.

use proptest::sample::Index;

use super::*;
use crate::model::delta::FinalCounters;
use crate::model::event::{Ended, EventStatus, Loss, TracedStateChange};
use crate::model::tcp_state::STATES;
use crate::model::tcp_state::TcpState::{Close, Closing};

pub(super) fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// `sample` with what the kernel reported before it.
pub(super) fn reported(mut sample: Snapshot, ended: &[(u64, &Socket)], steps: &[TracedStateChange]) -> Snapshot {
    sample.events.event_status = EventStatus { ends: EventSourceStatus::On, trace: EventSourceStatus::On };
    let ended = ended.iter().map(|(ms, socket)| Ended { at: at(*ms), socket: socket.reference(), info: socket.tcp });
    sample.events.ended.extend(ended);
    sample.events.state_changes.extend_from_slice(steps);
    sample
}

pub(super) fn step(ms: u64, key: u64, socket: &Socket, (from, to): (TcpState, TcpState)) -> TracedStateChange {
    TracedStateChange { at: at(ms), key, local: socket.local, remote: socket.remote, from, to }
}

/// All states of a server's end, closed by the peer first.
fn served(key: u64, socket: &Socket) -> Vec<TracedStateChange> {
    let listening = TracedStateChange { remote: testing_unset(), ..step(1_100, key, socket, (Listen, SynRecv)) };
    let rest = [
        (1_101, (SynRecv, Established)),
        (1_300, (Established, CloseWait)),
        (1_350, (CloseWait, LastAck)),
        (1_360, (LastAck, Close)),
    ];
    [listening].into_iter().chain(rest.map(|(ms, step_of)| step(ms, key, socket, step_of))).collect()
}

fn testing_unset() -> Endpoint {
    Endpoint::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0)
}

pub(super) fn conn() -> Socket {
    tcp(7).bytes(500, 20).last(1_200, 1_250, 1_300).info(|info| info.rtt_us = 90).build()
}

/// A tracker that has seen an empty table at 1 s.
pub(super) fn begun() -> Tracker {
    let mut tracker = Tracker::new();
    tracker.update(&reported(snapshot::<Socket>(1_000, []), &[], &[]));
    tracker
}

pub(super) fn kinds(delta: &Delta) -> Vec<(u64, Option<TcpState>, Option<TcpState>, EventSource)> {
    let kind = |step: &Transition| (step.at.as_millis(), step.from, step.to, step.source);
    delta.transitions.iter().map(kind).collect()
}

/// A sample may ask for the cookie of a request socket after its full socket was cloned from it: then they have two.
#[test]
fn the_end_of_a_half_open_connection_is_its_end_under_another_cookie_too() {
    let mut tracker = begun();
    let request = tcp(5).local("10.0.0.1:1031").mini(SynRecv).build();
    assert_eq!((request.local, request.remote), (conn().local, conn().remote));
    let steps = served(9, &conn());
    let opened = tracker.update(&reported(snapshot(1_101, [request]), &[], &steps[..1]));
    assert_eq!(
        opened.transitions.iter().map(|step| (step.id, step.to)).collect::<Vec<_>>(),
        [(tcp(5).build().id, Some(SynRecv))]
    );
    let mut deltas = vec![tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_361, &conn())], &steps[1..]))];
    deltas.extend([3_000, 4_000].map(|at| tracker.update(&reported(snapshot::<Socket>(at, []), &[], &[]))));
    let steps: Vec<_> = deltas.iter().flat_map(|delta| &delta.transitions).collect();
    assert!(steps.iter().all(|step| step.from.is_some() && step.id == tcp(5).build().id), "{steps:?}");
    let ends: Vec<_> = steps.iter().filter(|step| step.to.is_none()).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0].final_counters.map(|last| last.rtt_us), Some(90));
}

#[test]
fn a_traced_connection_between_two_samples_is_told_whole_at_once() {
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &[(1_361, &conn())], &served(9, &conn())));
    let traced = |ms, from, to| (ms, from, to, EventSource::Tracepoint);
    assert_eq!(
        kinds(&delta),
        [
            traced(1_100, None, Some(SynRecv)),
            traced(1_101, Some(SynRecv), Some(Established)),
            traced(1_300, Some(Established), Some(CloseWait)),
            traced(1_350, Some(CloseWait), Some(LastAck)),
            traced(1_360, Some(LastAck), None),
        ]
    );
    let last = delta.transitions.last().expect("its end");
    let words = FinalCounters { bytes: Some(ByteCounts::new(500, 20)), rtt_us: 90, retransmits_total: 0 };
    assert_eq!((last.final_counters, last.lasted), (Some(words), Some((Duration::from_millis(10), AgeBasis::Kernel))));
    assert!(delta.transitions.iter().all(|step| !step.skipped && step.id == conn().id));
    assert!(delta.added.is_empty() && delta.removed.is_empty());
}

#[test]
fn without_the_trace_only_the_end_is_known_and_told_once_nothing_is_left() {
    let mut tracker = begun();
    let delta = tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_361, &conn())], &[]));
    assert_eq!(kinds(&delta), [], "a mini-socket may have been stepped over");
    let delta = tracker.update(&reported(snapshot::<Socket>(3_000, []), &[], &[]));
    let by_event = |ms, from, to| (ms, from, to, EventSource::DestroyEvent);
    assert_eq!(kinds(&delta), [by_event(1_200, None, Some(Established)), by_event(1_361, Some(Established), None)]);
    assert_eq!(delta.transitions[1].lasted, Some((Duration::from_millis(161), AgeBasis::AtLeast)));
    assert_eq!(kinds(&tracker.update(&reported(snapshot::<Socket>(4_000, []), &[], &[]))), []);
}

/// A connection that was last active at `ms`.
fn heard_last(id: u64, ms: u64) -> Socket {
    tcp(id).bytes(500, 20).last(ms, ms, ms).info(|info| info.rtt_us = 90).build()
}

#[test]
fn the_jiffies_of_the_kernel_make_no_connection_old() {
    // Lived within 2 ms after the sample; the kernel's clock ticks every 4 ms.
    let short = heard_last(7, 998);
    let mut tracker = begun();
    tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_002, &short)], &[]));
    let delta = tracker.update(&reported(snapshot::<Socket>(3_000, []), &[], &[]));
    assert_eq!(delta.transitions.len(), 2, "{:?}", delta.transitions);
}

#[test]
fn an_end_that_is_told_a_sample_late_is_told() {
    let mut tracker = begun();
    tracker.update(&reported(snapshot::<Socket>(2_000, []), &[], &[]));
    tracker.update(&reported(snapshot::<Socket>(3_000, []), &[(2_001, &heard_last(7, 1_500))], &[]));
    let delta = tracker.update(&reported(snapshot::<Socket>(4_000, []), &[], &[]));
    let by_event = |ms, from, to| (ms, from, to, EventSource::DestroyEvent);
    assert_eq!(kinds(&delta), [by_event(1_500, None, Some(Established)), by_event(2_001, Some(Established), None)]);
}

#[test]
fn a_descriptor_of_a_connection_that_was_over_changes_nothing() {
    let mut tracker = begun();
    let before_conntop = heard_last(7, 900);
    let long_ago = heard_last(8, 1_500);
    let freed = [(7_900, &before_conntop), (7_901, &long_ago)];
    for (sample_at, ended) in [(7_000, &freed[..0]), (8_000, &freed[..]), (9_000, &freed[..0])] {
        let delta = tracker.update(&reported(snapshot::<Socket>(sample_at, []), ended, &[]));
        assert_eq!(kinds(&delta), [], "at {sample_at} ms");
    }
}

#[test]
fn a_tracked_connection_follows_its_trace_and_closes_exactly() {
    let nginx = [process(812, "nginx")];
    let mut tracker = Tracker::new();
    let open = tcp(7).held_by(&nginx).last(500, 500, 500).build();
    tracker.update(&reported(snapshot(1_000, [open.clone()]), &[], &[]));
    let steps = &served(9, &open)[2..];
    // The sample came after the first of the steps.
    let half = tcp(7).held_by(&nginx).state(CloseWait).last(500, 500, 1_300).build();
    let delta = tracker.update(&reported(snapshot(1_320, [half]), &[], steps));
    assert_eq!(kinds(&delta), [(1_300, Some(Established), Some(CloseWait), EventSource::Tracepoint)]);
    assert_eq!(age(&delta.changed[0]), "1300 kernel");
    assert_eq!(delta.transitions[0].owner.label(), "live");
    let delta = tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_361, &conn())], &[]));
    let traced = |ms, from, to| (ms, from, to, EventSource::Tracepoint);
    assert_eq!(kinds(&delta), [traced(1_350, Some(CloseWait), Some(LastAck)), traced(1_360, Some(LastAck), None)]);
    assert!(delta.transitions[1].final_counters.is_some() && delta.removed.len() == 1);
}

#[test]
fn a_client_that_closes_first_goes_on_as_a_mini_socket_with_another_cookie() {
    let full = conn();
    let connection = [
        (1_100, (Close, SynSent)),
        (1_101, (SynSent, Established)),
        (1_200, (Established, FinWait1)),
        (1_201, (FinWait1, FinWait2)),
        (1_300, (FinWait2, Close)),
    ];
    let steps: Vec<_> = connection.map(|(ms, step_of)| step(ms, 3, &full, step_of)).into();
    let waiting = || {
        let mini = tcp(8).mini(TimeWait).timer(TimerKind::TimeWait, 0, 61_300);
        mini.with(|socket| (socket.local, socket.remote) = (conn().local, conn().remote))
    };
    let mut tracker = begun();
    let delta = tracker.update(&reported(snapshot(2_000, [waiting()]), &[(1_301, &full)], &steps));
    let path: Vec<_> = delta.transitions.iter().map(|step| (step.from, step.to, step.skipped)).collect();
    assert_eq!(
        path,
        [
            (None, Some(SynSent), false),
            (Some(SynSent), Some(Established), false),
            (Some(Established), Some(FinWait1), false),
            (Some(FinWait1), Some(FinWait2), false),
            (Some(FinWait2), Some(TimeWait), false),
        ]
    );
    assert_eq!(age(&delta.added[0]), "1300 kernel");
    tracker.update(&reported(snapshot(61_000, [waiting()]), &[], &[]));
    let delta = tracker.update(&reported(snapshot::<Socket>(62_000, []), &[], &[]));
    assert_eq!(kinds(&delta), [(61_300, Some(TimeWait), None, EventSource::Samples)], "when its timer ran out");
    assert!(delta.transitions[0].final_counters.is_some(), "its final counters were kept");
}

#[test]
fn words_may_come_after_the_mini_socket() {
    let waiting = || tcp(8).mini(TimeWait).timer(TimerKind::TimeWait, 0, 61_300);
    let full = tcp(9).with(|socket| socket.local = waiting().build().local).bytes(1, 2).last(1_100, 1_100, 1_100);
    let mut tracker = begun();
    tracker.update(&reported(snapshot(2_000, [waiting()]), &[], &[]));
    let delta = tracker.update(&reported(snapshot(3_000, [waiting()]), &[(2_001, &full.build())], &[]));
    assert_eq!(kinds(&delta), []);
    for ms in [4_000, 5_000, 61_000] {
        assert_eq!(kinds(&tracker.update(&reported(snapshot(ms, [waiting()]), &[], &[]))), []);
    }
    let delta = tracker.update(&reported(snapshot::<Socket>(62_000, []), &[], &[]));
    assert_eq!(delta.transitions[0].final_counters.and_then(|last| last.bytes), Some(ByteCounts::new(1, 2)));
}

#[test]
fn two_sockets_with_the_same_endpoints_are_not_mixed_up() {
    let open = tcp(7).build();
    let mut tracker = Tracker::new();
    tracker.update(&reported(snapshot(1_000, [open.clone()]), &[], &[]));
    // One of them is in another namespace; which one is not known.
    let steps = [1, 2].map(|key| step(1_300 + key, key, &open, (Established, CloseWait)));
    let delta = tracker.update(&reported(snapshot(2_000, [tcp(7).state(CloseWait)]), &[], &steps));
    assert_eq!(kinds(&delta), [(2_000, Some(Established), Some(CloseWait), EventSource::Samples)]);
}

#[test]
fn steps_that_do_not_lead_to_what_is_there_are_not_believed() {
    let open = tcp(7).build();
    let mut tracker = Tracker::new();
    tracker.update(&reported(snapshot(1_000, [open.clone()]), &[], &[]));
    let steps = [step(1_300, 1, &open, (Established, FinWait1)), step(1_400, 1, &open, (FinWait1, Closing))];
    let delta = tracker.update(&reported(snapshot(2_000, [tcp(7).state(CloseWait)]), &[], &steps));
    assert_eq!(kinds(&delta), [(2_000, Some(Established), Some(CloseWait), EventSource::Samples)]);
}

#[test]
fn a_loss_is_a_gap_between_two_samples() {
    let mut sample = reported(snapshot::<Socket>(2_000, []), &[], &[]);
    sample.events.lost = vec![Loss { of: EventSource::DestroyEvent, count: Some(3) }];
    let gaps = begun().update(&sample).gaps;
    assert_eq!(gaps.len(), 1);
    let gap = gaps[0];
    assert_eq!((gap.from, gap.to, gap.lost, gap.of), (at(1_000), at(2_000), Some(3), EventSource::DestroyEvent));
}

/// Something the kernel might tell, true or not: which slot it is about, and how.
#[derive(Clone, Debug)]
enum FalseReport {
    Ended { slot: usize, of_other: bool, is_emptied: bool },
    TracedStateChange { slot: usize, key: u64, from: Index, to: Index, ago_ms: u64 },
    TracedConnection { slot: usize, key: u64 },
}

fn report() -> impl Strategy<Value = FalseReport> {
    let slot = 0..SLOTS;
    prop_oneof![
        (slot.clone(), any::<bool>(), any::<bool>()).prop_map(|(slot, of_other, is_emptied)| FalseReport::Ended {
            slot,
            of_other,
            is_emptied
        }),
        (slot.clone(), 0..4_u64, any::<Index>(), any::<Index>(), 0..2_000_u64)
            .prop_map(|(slot, key, from, to, ago_ms)| FalseReport::TracedStateChange { slot, key, from, to, ago_ms }),
        (slot, 0..4_u64).prop_map(|(slot, key)| FalseReport::TracedConnection { slot, key }),
    ]
}

/// `sample` with false reports of the sockets in it.
fn with_reports(sample: &Snapshot, reports: &[FalseReport], rotate: usize) -> Snapshot {
    let mut sample = reported(sample.clone(), &[], &[]);
    let now = sample.at.as_millis();
    for report in reports {
        let (FalseReport::Ended { slot, .. }
        | FalseReport::TracedStateChange { slot, .. }
        | FalseReport::TracedConnection { slot, .. }) = *report;
        let Some(socket) = sample.sockets.get(slot).cloned() else { continue };
        match *report {
            FalseReport::Ended { of_other, is_emptied, .. } => {
                let mut socket = socket;
                socket.remote.port *= u16::from(!is_emptied);
                let id = if of_other { tcp(90_000 + slot as u64).build().id } else { socket.id };
                let ended =
                    Ended { at: at(now), socket: Socket { id, ..socket.clone() }.reference(), info: socket.tcp };
                sample.events.ended.extend([ended.clone(), ended]);
            }
            FalseReport::TracedStateChange { key, from, to, ago_ms, .. } => {
                let (from, to) = (from.get(&STATES).state, to.get(&STATES).state);
                sample.events.state_changes.push(step(now.saturating_sub(ago_ms), key, &socket, (from, to)));
            }
            FalseReport::TracedConnection { key, .. } => {
                let connection =
                    [(Close, SynSent), (SynSent, Established), (Established, CloseWait), (CloseWait, LastAck)];
                let connection =
                    connection.into_iter().zip(0..).map(|(hop, ms)| step(now - 10 + ms, key, &socket, hop));
                sample.events.state_changes.extend(connection);
            }
        }
    }
    let len = sample.events.state_changes.len().max(1);
    sample.events.state_changes.rotate_left(rotate % len);
    sample
}

proptest! {
    #[test]
    fn whatever_is_told_the_table_is_that_of_the_samples(
        events in prop::collection::vec(event(), 1..60),
        reports in prop::collection::vec((prop::collection::vec(report(), 0..8), any::<usize>()), 1..6),
    ) {
        let (mut world, mut tracker, mut silent) = (World::new(), Tracker::new(), Tracker::new());
        let (mut reader, mut reports) = (Reader { first: true, ..Reader::default() }, reports.iter().cycle());
        let mut follow = |reader: &mut Reader, sample: &Snapshot, reported: &Snapshot| {
            let delta = tracker.update(reported);
            silent.update(sample);
            let known: Vec<_> = reader.table.keys().copied().collect();
            // Of a connection that never was in a sample there are an opening and an end, and no row.
            let rows = |step: &Transition| known.contains(&step.id) || step.id.cookie().is_none_or(|cookie| cookie < 90_000);
            let delta = Delta { transitions: delta.transitions.iter().filter(|step| rows(step)).cloned().collect(), ..delta };
            if reader.first {
                reader.table = delta.added.iter().map(|row| (row.socket.id, row.clone())).collect();
                reader.first = false;
            } else {
                reader.read(&delta);
            }
            reader.compare(sample);
        };
        for event in &events {
            let Some(sample) = world.happen(event) else { continue };
            let (report, rotate) = reports.next().expect("it goes on");
            follow(&mut reader, &sample, &with_reports(&sample, report, *rotate));
        }
        for _ in 0..3 {
            let sample = world.sample(1_000, 0);
            follow(&mut reader, &sample, &sample);
        }
        let last = world.sample(1_000, 0);
        let (delta, other) = (tracker.update(&last), silent.update(&last));
        prop_assert!(delta.added.is_empty() && delta.changed.is_empty() && delta.removed.is_empty(), "{delta:?}");
        prop_assert!(other.added.is_empty() && other.changed.is_empty() && other.removed.is_empty());
        let states = |sockets: &mut dyn Iterator<Item = &Socket>| -> BTreeMap<SocketId, TcpState> {
            sockets.map(|socket| (socket.id, socket.state)).collect()
        };
        let table = states(&mut reader.table.values().map(|row| &row.socket));
        prop_assert_eq!(table, states(&mut last.sockets.iter()));
    }
}
