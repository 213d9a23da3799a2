//! Any sample survives recording and replay, however odd.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::seeking::rows;
use super::*;
use crate::model::coverage::Coverage;
use crate::model::delta::{AgeBasis, EventSource, FinalCounters, Transition};
use crate::model::descriptors::{Descriptors, SocketKinds};
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::event::{Caller, CloseError, Ended, EventSourceStatus, EventStatus, Events, Loss, TracedStateChange};
use crate::model::exposure::AddressKinds;
use crate::model::facts::{Counters, Facts, PortRange};
use crate::model::outcome::{EndReport, SocketError};
use crate::model::process::{Holders, Names, Owner, Process, ProcessId, Usage};
use crate::model::snapshot::Scope;
use crate::model::socket::{Drops, NetnsId, Queues, SocketId, SocketRef, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpDetail, TcpInfo};
use crate::model::tcp_state::{STATES, TcpState};
use crate::model::text::{COMMAND_LEN_MAX, NAME_LEN_MAX};
use crate::model::time::{Timestamp, WallTime};

fn text(len_max: usize) -> impl Strategy<Value = DisplayText> {
    vec(any::<u8>(), 0..60).prop_map(move |bytes| DisplayText::from_bytes(&bytes, len_max))
}

fn name() -> impl Strategy<Value = DisplayText> {
    vec(any::<u8>(), 0..60).prop_map(|bytes| DisplayText::name(&bytes))
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(addr, port)| Endpoint::new(addr, port))
}

fn process() -> impl Strategy<Value = Arc<Process>> {
    let id = (0..6_u32, 0..3_u64).prop_map(|(pid, start_ticks)| ProcessId { pid, start_ticks });
    let rest = (any::<u32>(), name(), text(COMMAND_LEN_MAX), any::<Option<u32>>(), any::<Option<i64>>());
    (id, rest).prop_map(|(id, (parent_pid, name, command, uid, started))| {
        let started = started.map(WallTime);
        Arc::new(Process { id, parent_pid, name, command, uid, started, is_container_init: false, thread: None })
    })
}

fn holders() -> impl Strategy<Value = Arc<Holders>> {
    vec(process(), 1..4).prop_map(|processes| Arc::new(Holders::new(processes).expect("there is one")))
}

fn owner() -> impl Strategy<Value = Owner> {
    prop_oneof![
        holders().prop_map(Owner::Live),
        holders().prop_map(Owner::Remembered),
        Just(Owner::Unaccepted),
        Just(Owner::Hidden),
        Just(Owner::Unseen),
        Just(Owner::Vanished),
        Just(Owner::None),
    ]
}

fn timer() -> impl Strategy<Value = Timer> {
    let kinds = prop::sample::select(&[
        TimerKind::Retransmit,
        TimerKind::KeepAlive,
        TimerKind::TimeWait,
        TimerKind::ZeroWindow,
    ]);
    (kinds, any::<u8>(), any::<u64>()).prop_map(|(kind, retries, expires)| Timer {
        kind,
        retries,
        expires: Timestamp(expires).into(),
    })
}

fn tcp() -> impl Strategy<Value = TcpInfo> {
    let numbers = any::<(u32, u32, u32, u32, u8, u8)>();
    let instants = any::<(u64, u64, u64)>();
    (numbers, instants, any::<Option<(u64, u64)>>()).prop_map(|(numbers, instants, bytes)| TcpInfo {
        rtt_us: numbers.0,
        rto_us: numbers.1,
        retransmits_total: numbers.2,
        retransmits_spurious: u16::try_from(numbers.2).unwrap_or(u16::MAX),
        unacked: numbers.3,
        backoff: numbers.4,
        probes: numbers.5,
        last_data_sent: Timestamp(instants.0).into(),
        last_data_received: Timestamp(instants.1).into(),
        last_ack_received: Timestamp(instants.2).into(),
        bytes: bytes.map(|(received, sent)| ByteCounts::new(received, sent)),
    })
}

prop_compose! {
    fn socket()(
        (value, is_cookie, netns) in any::<(u64, bool, u32)>(),
        (protocol, family) in (prop::sample::select(&Protocol::ALL), prop::sample::select(&Family::ALL)),
        state in (0..STATES.len()).prop_map(|index| STATES[index].state),
        (local, remote) in (endpoint(), endpoint()),
        (interface, inode) in any::<(Option<NonZeroU32>, Option<NonZeroU32>)>(),
        (v6only, drops, is_subflow) in (any::<Option<bool>>(), any::<Option<u32>>().prop_map(|count| count.map(Drops::new)), any::<bool>()),
        (uid, cgroup, queues) in any::<(Option<u32>, Option<NonZeroU64>, Option<(u32, u32)>)>(),
        (timer, tcp) in (option::of(timer()), option::of(tcp())),
        owner in owner(),
    ) -> Socket {
        let id = if is_cookie {
            SocketId::from_cookie(value, NetnsId(netns))
        } else {
            SocketId::from_tuple(protocol, local, remote, netns, NetnsId(netns))
        };
        let queues = queues.map(|(receive, send)| Queues { receive, send: Some(send) });
        Socket {
            id, protocol, state, family, local, remote, interface, v6only,
            inode, uid, cgroup, queues, timer, tcp, drops, is_subflow, owner,
        }
    }
}

fn names() -> impl Strategy<Value = Arc<Names>> {
    let table = || vec((any::<u32>(), text(NAME_LEN_MAX)), 0..4).prop_map(BTreeMap::from_iter);
    let interfaces = vec((any::<(u32, u32)>(), text(NAME_LEN_MAX)), 0..4);
    let interfaces = interfaces.prop_map(|all| all.into_iter().map(|((ns, index), name)| ((NetnsId(ns), index), name)));
    let namespaces = vec((any::<u32>().prop_map(NetnsId), text(NAME_LEN_MAX)), 0..4).prop_map(BTreeMap::from_iter);
    let units = vec((any::<u64>(), text(NAME_LEN_MAX)), 0..4).prop_map(BTreeMap::from_iter);
    (table(), interfaces, namespaces, units).prop_map(|(users, interfaces, namespaces, units)| {
        let interfaces: BTreeMap<_, _> = interfaces.collect();
        let reachable = interfaces.keys().map(|key| (*key, AddressKinds::of([10, 0, 0, 1].into()))).collect();
        Arc::new(Names { users, interfaces, namespaces, own: None, reachable, units, ..Names::default() })
    })
}

fn coverage() -> impl Strategy<Value = Coverage> {
    (any::<[u32; 5]>(), vec(text(200), 0..3)).prop_map(|(numbers, degraded)| Coverage {
        sockets: numbers[0],
        owners_hidden: numbers[1],
        processes_unreadable: numbers[2],
        records_skipped: numbers[3],
        other_namespaces: numbers[4],
        degraded,
    })
}

prop_compose! {
    fn ended()(
        (at, value, remote) in (any::<u64>(), any::<u64>(), endpoint()),
        (protocol, local) in (prop::sample::select(&Protocol::ALL), endpoint()),
        (info, interface) in (option::of(tcp()), any::<Option<NonZeroU32>>()),
    ) -> Ended {
        let id = SocketId::from_cookie(value, NetnsId(1));
        Ended { at: Timestamp(at / 16), socket: SocketRef { id, protocol, local, remote, interface }, info }
    }
}

fn step() -> impl Strategy<Value = TracedStateChange> {
    let state = || (0..STATES.len()).prop_map(|index| STATES[index].state);
    (any::<(u64, u64)>(), endpoint(), endpoint(), state(), state()).prop_map(|((at, key), local, remote, from, to)| {
        TracedStateChange { at: Timestamp(at / 16), key, local, remote, from, to }
    })
}

fn events() -> impl Strategy<Value = Events> {
    let loss = (prop::sample::select(&[EventSource::DestroyEvent, EventSource::Tracepoint]), any::<Option<u64>>());
    let loss = loss.prop_map(|(of, count)| Loss { of, count });
    let teller = || {
        prop_oneof![
            Just(EventSourceStatus::Off),
            Just(EventSourceStatus::On),
            text(100).prop_map(EventSourceStatus::Refused)
        ]
    };
    let event_status = (teller(), teller()).prop_map(|(ends, trace)| EventStatus { ends, trace });
    let caller = (any::<(u64, u64, Option<u32>)>(), holders()).prop_map(|((at, key, netns), process)| Caller {
        at: Timestamp(at / 16),
        key,
        process,
        netns: netns.map(NetnsId),
    });
    let error = prop::sample::select(&[SocketError::Refused, SocketError::Other]);
    let error = (any::<(u64, u64)>(), error);
    let error = error.prop_map(|((at, key), error)| CloseError { at: Timestamp(at / 16), key, error });
    let errors = (vec(error, 0..3), any::<bool>());
    let told = (vec(ended(), 0..3), vec(step(), 0..3), vec(caller, 0..3), errors, vec(loss, 0..3), event_status);
    told.prop_map(|(ended, steps, callers, (errors, errors_are_told), lost, event_status)| Events {
        ended,
        state_changes: steps,
        callers,
        errors,
        errors_are_told,
        lost,
        event_status,
    })
}

fn usage() -> impl Strategy<Value = (ProcessId, Usage)> {
    let cpu = option::of(0.0_f32..64.0);
    (any::<(u32, u64, u64)>(), cpu).prop_map(|(numbers, cpu)| {
        (ProcessId { pid: numbers.0, start_ticks: numbers.1 }, Usage { cpu, memory_bytes: numbers.2 })
    })
}

fn descriptors() -> impl Strategy<Value = Arc<Vec<(ProcessId, Descriptors)>>> {
    let kinds = any::<Option<[u32; 6]>>().prop_map(|kinds| {
        kinds.map(|[tcp, closed, udp, unix, other, unknown]| SocketKinds { tcp, closed, udp, unix, other, unknown })
    });
    let one = (any::<(u32, u64)>(), any::<(u32, Option<u64>, Option<u64>)>(), kinds);
    let one = one.prop_map(|((pid, start_ticks), (used, max, counted_at), sockets)| {
        let counted_at = counted_at.map(|at| Timestamp(at / 16));
        (ProcessId { pid, start_ticks }, Descriptors { used, max, counted_at, sockets })
    });
    vec(one, 0..3).prop_map(|mut all| {
        all.sort_unstable_by_key(|(process, _)| *process);
        Arc::new(all)
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let parts = (any::<bool>(), any::<bool>()).prop_map(|(waiting, udp)| {
        let scope = Scope::tcp(&[TcpState::CloseWait]);
        let scope = if waiting { scope.and(TcpState::TimeWait) } else { scope };
        if udp { scope.and_udp() } else { scope }
    });
    prop_oneof![Just(Scope::ALL), parts]
}

fn facts() -> impl Strategy<Value = Arc<Facts>> {
    let range = any::<Option<(u16, u16)>>();
    let counters = any::<Option<(u64, u64)>>();
    let some = (range, any::<(u32, Option<u8>, Option<u32>)>(), counters).prop_map(|(range, numbers, counters)| {
        let ephemeral_ports = range.map(|(one, other)| PortRange { first: one.min(other), last: one.max(other) });
        let counters = counters.map(|(listen_overflows, attempt_fails)| Counters {
            listen_overflows,
            attempt_fails,
            conntrack_early_drops: attempt_fails / 2,
            ..Counters::default()
        });
        Arc::new(Facts {
            ephemeral_ports,
            ephemeral_reserved: numbers.0,
            time_wait_reuse: numbers.1,
            orphans: numbers.2,
            tcp_memory_pages: numbers.2.map(u64::from),
            tcp_memory_limits_pages: numbers.2.map(|pages| [1, 2, pages.into()]),
            counters,
            ..Facts::default()
        })
    });
    prop_oneof![Just(Arc::default()), some]
}

prop_compose! {
    fn snapshot()(
        (at, wall, took) in (0..u64::MAX / 2, any::<i64>(), any::<u32>()),
        mut sockets in vec(socket(), 0..12),
        (coverage, names) in (coverage(), names()),
        (usage, descriptors) in (vec(usage(), 0..3), descriptors()),
        (scope, gone, facts, events) in (scope(), vec(any::<u64>(), 0..3), facts(), events()),
        (lost, congestion, cookie) in (any::<Option<u32>>(), option::of(text(20)), any::<u64>()),
    ) -> Snapshot {
        sockets.sort_by_key(|socket| socket.id);
        sockets.dedup_by_key(|socket| socket.id);
        let detail = TcpDetail { lost, congestion, busy_us: Some(cookie), ..TcpDetail::default() };
        Snapshot {
            at: Timestamp(at),
            wall: WallTime(wall),
            took: Duration::from_nanos(took.into()),
            scope,
            gone: gone.into_iter().map(|cookie| SocketId::from_cookie(cookie, NetnsId(1))).collect(),
            sockets,
            coverage,
            names,
            facts,
            events,
            usage,
            descriptors,
            details: vec![(SocketId::from_cookie(cookie, NetnsId(1)), detail)],
            tracked: None,
            // A recording does not hold it.
            network: None,
        }
    }
}

fn states() -> impl Strategy<Value = Option<TcpState>> {
    option::of((0..STATES.len()).prop_map(|nth| STATES[nth].state))
}

prop_compose! {
    /// A transition of a socket that has a row, or of one that has none.
    fn transition()(
        (row, id, protocol) in (any::<Option<prop::sample::Index>>(), any::<u64>(), 0..3_usize),
        (local, remote, interface) in (endpoint(), endpoint(), any::<u32>()),
        (ago, from, to, lasted) in (any::<u32>(), states(), states(), option::of(any::<u32>())),
        (owner, flags, error) in (owner(), any::<(bool, bool, bool, bool)>(), 0..8_usize),
    ) -> (Option<prop::sample::Index>, Transition) {
        const REPORTS: [EndReport; 8] = [
            EndReport::NotReported,
            EndReport::NoError,
            EndReport::Error(SocketError::Refused),
            EndReport::Error(SocketError::Reset),
            EndReport::Error(SocketError::TimedOut),
            EndReport::Error(SocketError::Unreachable),
            EndReport::Error(SocketError::Aborted),
            EndReport::Error(SocketError::Other),
        ];
        let bytes = Some(ByteCounts::new(id, u64::from(ago)));
        let counters = FinalCounters { bytes, rtt_us: ago, retransmits_total: interface };
        let transition = Transition {
            at: Timestamp(ago.into()),
            id: SocketId::from_cookie(id, NetnsId(interface)),
            protocol: Protocol::ALL[protocol],
            of_subflow: flags.0,
            local,
            remote,
            interface: NonZeroU32::new(interface),
            from,
            to,
            lasted: lasted.map(|nanos| (Duration::from_nanos(nanos.into()), AgeBasis::Kernel)),
            skipped: flags.1,
            owner,
            source: if flags.2 { EventSource::Tracepoint } else { EventSource::DestroyEvent },
            is_emptied: flags.2,
            report: REPORTS[error],
            final_counters: flags.3.then_some(counters),
        };
        (row, transition)
    }
}

/// A sample, and what else happened: each to one of its sockets, or to another one.
type ToldSample = (Snapshot, Vec<(Option<prop::sample::Index>, Transition)>);

/// Snapshots that follow each other within so many milliseconds, and what else happened in each.
fn samples_within(millis: u64) -> impl Strategy<Value = Vec<ToldSample>> {
    let sample = (snapshot(), vec(transition(), 0..4), 0..millis);
    (0..u64::MAX / 16, vec(sample, 1..5)).prop_map(|(mut at, samples)| {
        let timed = samples.into_iter().map(|(mut snapshot, transitions, after)| {
            at += after * 1_000_003;
            snapshot.at = Timestamp(at);
            (snapshot, transitions)
        });
        timed.collect()
    })
}

/// What a tracker says of them, and what else happened: of sockets that it knows, or of others.
fn tracked(samples: Vec<ToldSample>) -> Vec<Delta> {
    let mut tracker = Tracker::new();
    let told = samples.into_iter().map(|(snapshot, transitions)| {
        let mut delta = tracker.update(&snapshot);
        for (row, mut transition) in transitions {
            transition.at = delta.at.before(Duration::from_nanos(transition.at.0));
            if let (Some(row), false) = (row, snapshot.sockets.is_empty()) {
                transition.id = row.get(&snapshot.sockets).id;
            }
            delta.transitions.push(transition);
        }
        delta
    });
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_was_recorded_is_replayed(samples in samples_within(2_000)) {
        let recorded = tracked(samples);
        assert_same(&play(&recording(&recorded)).expect("a recording"), &recorded);
    }

    #[test]
    fn over_groups_the_rows_and_what_happened_are_the_same(samples in samples_within(1_000_000)) {
        let recorded = tracked(samples);
        let played = play(&recording(&recorded)).expect("a recording");
        prop_assert_eq!(played.len(), recorded.len());
        for ((one, other), (rows_of_one, rows_of_other)) in
            played.iter().zip(&recorded).zip(rows(&played).into_iter().zip(rows(&recorded)))
        {
            prop_assert!(rows_of_one == rows_of_other);
            // What a tracker calls changed, and is not, is not told again at the begin of a group.
            let (one, other) = (ordered(one), ordered(other));
            let without_changed = |delta: Delta| Delta { changed: Vec::new(), ..delta };
            prop_assert_eq!(without_changed(one), without_changed(other));
        }
    }
}
