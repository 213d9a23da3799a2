//! Any snapshot survives recording and replay, however odd.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::coverage::Coverage;
use crate::model::delta::EventSource;
use crate::model::descriptors::{Descriptors, SocketKinds};
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::event::{Caller, CloseError, Ended, EventSourceStatus, EventStatus, Events, Loss, TracedStateChange};
use crate::model::exposure::AddressKinds;
use crate::model::facts::{Counters, Facts, PortRange};
use crate::model::outcome::SocketError;
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
        Ended { at: Timestamp(at), socket: SocketRef { id, protocol, local, remote, interface }, info }
    }
}

fn step() -> impl Strategy<Value = TracedStateChange> {
    let state = || (0..STATES.len()).prop_map(|index| STATES[index].state);
    (any::<(u64, u64)>(), endpoint(), endpoint(), state(), state()).prop_map(|((at, key), local, remote, from, to)| {
        TracedStateChange { at: Timestamp(at), key, local, remote, from, to }
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
        at: Timestamp(at),
        key,
        process,
        netns: netns.map(NetnsId),
    });
    let error = prop::sample::select(&[SocketError::Refused, SocketError::Other]);
    let error = (any::<(u64, u64)>(), error);
    let error = error.prop_map(|((at, key), error)| CloseError { at: Timestamp(at), key, error });
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
        let counted_at = counted_at.map(Timestamp);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_recorded_is_replayed(mut recorded in vec(snapshot(), 1..4)) {
        recorded.sort_by_key(|snapshot| snapshot.at);
        let played = play(&recording(&recorded)).expect("a recording");
        let played: Vec<Snapshot> = played.into_iter().map(|(snapshot, _)| snapshot).collect();
        prop_assert_eq!(played, recorded);
    }
}
