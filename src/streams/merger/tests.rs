//! Hosts of one image, merged: what each has alone it has among others.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::by_host::HostDiagnoses;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::Connection;
use crate::model::hosts::{StreamStatus, number_of_host};
use crate::model::process::ProcessId;
use crate::model::snapshot::Snapshot;
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{SocketBuilder, process, source_info, tcp};
use crate::store::Store;
use crate::streams::ids::HostIds;
use crate::streams::timeline::{Origin, TimeShift};
use crate::streams::translate::HostTranslator;
use crate::tracker::Tracker;

const WALL: WallTime = WallTime(1_796_000_000_000);
const NETNS: u32 = 4_026_531_840;

/// One step of a host: its leaking process holds so many connections in `CLOSE_WAIT`, its server so many clients.
type HostStep = (u8, u8);

/// Every host is a clone of one image: the same cookies, pids, users, namespaces and addresses.
fn snapshot(host: usize, nth: usize, (leaked, served): HostStep, names: &Arc<Names>) -> Snapshot {
    let here = |socket: SocketBuilder| socket.netns(NETNS).uid(1_000);
    let leak = |cookie: u64| {
        let socket = tcp(1_000 + cookie).remote("10.0.0.20:5432").state(TcpState::CloseWait).queues(1, 0);
        here(socket.local(&format!("10.0.0.1:{}", 40_000 + cookie))).held_by(&[process(4121, "jdbc-pool")])
    };
    let client = |cookie: u64| {
        let socket = tcp(5_000 + cookie).local("10.0.0.1:80");
        here(socket.remote(&format!("10.9.9.9:{}", 50_000 + cookie))).held_by(&[process(812, "nginx")])
    };
    let sockets = (0..u64::from(leaked)).map(leak).chain((0..u64::from(served)).map(client));
    let up_since = Timestamp::from_millis(1_000_000 * (host as u64 + 1));
    let passed = Duration::from_secs(10 * nth as u64);
    Snapshot {
        at: up_since.after(passed),
        wall: WallTime(WALL.0 + i64::try_from(passed.as_millis()).expect("small")),
        sockets: sockets.map(SocketBuilder::build).collect(),
        names: Arc::clone(names),
        ..Snapshot::default()
    }
}

fn names(host: usize) -> Arc<Names> {
    let user = if host == 0 { "alice" } else { "bob" };
    let namespaces = [(NetnsId(NETNS), "own".into())].into();
    Arc::new(Names { users: [(1_000, user.into())].into(), namespaces, own: Some(NetnsId(NETNS)), ..Names::default() })
}

/// A host that is watched alone, and the same as one of several.
struct WatchedHost {
    tracker: Tracker,
    alone: Store,
    diagnosis: Diagnosis,
    translator: HostTranslator,
    names: Arc<Names>,
}

impl WatchedHost {
    fn new(host: usize, first: &Snapshot, names: Arc<Names>) -> Self {
        let number = HostNumber::at(host).expect("there is room");
        let (shift, _) = TimeShift::of(Origin::before(WALL), (first.at, first.wall), None);
        Self {
            tracker: Tracker::new(),
            alone: Store::new(source_info()),
            diagnosis: Diagnosis::new(Thresholds::default()),
            translator: HostTranslator::new(HostIds::new(number), shift),
            names,
        }
    }

    fn take(&mut self, snapshot: &Snapshot) -> HostSample {
        let delta = self.tracker.update(snapshot);
        self.alone.apply(delta.clone());
        self.diagnosis.observe(&self.alone);
        let delta = self.translator.delta(delta);
        HostSample { delta, numbers: Arc::clone(self.translator.ids().numbers()) }
    }

    /// The rows that it has alone, in the numbers and the time of all hosts.
    fn rows(&mut self) -> BTreeMap<SocketId, Connection> {
        let rows = self.alone.rows().iter().filter(|(_, row)| !row.is_closed());
        let added = rows.map(|(_, row)| row.connection.clone()).collect();
        let delta = self.translator.delta(Delta { added, names: Arc::clone(&self.names), ..Delta::default() });
        delta.added.into_iter().map(|row| (row.socket.id, row)).collect()
    }
}

fn statuses(hosts: usize) -> Vec<HostStatus> {
    let status = |host: usize| HostStatus {
        name: DisplayText::new(&format!("web-{host}")),
        stream: StreamStatus::Flowing,
        clock_ahead_ms: None,
        at: None,
        wall: WALL,
        is_renamed: false,
    };
    (0..hosts).map(status).collect()
}

fn steps() -> impl Strategy<Value = Vec<Vec<Option<HostStep>>>> {
    let step = proptest::option::weighted(0.8, (0..200_u8, 0..20_u8));
    proptest::collection::vec(proptest::collection::vec(step, 8), 2..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Hosts may skip rounds: what one has to say comes when it comes.
    #[test]
    fn every_host_has_exactly_the_rows_and_findings_that_it_would_have_alone(hosts in steps()) {
        let mut merger = Merger::new(hosts.len());
        let statuses = statuses(hosts.len());
        let mut watched: Vec<WatchedHost> = (0..hosts.len())
            .map(|host| WatchedHost::new(host, &snapshot(host, 0, (0, 0), &names(host)), names(host)))
            .collect();
        let mut all = Store::new(source_info());
        let mut by_host = HostDiagnoses::new(Thresholds::default(), Vec::new());
        for round in 0..8 {
            let mut samples = Vec::new();
            for (host, steps) in hosts.iter().enumerate() {
                if let Some(step) = steps[round] {
                    let snapshot = snapshot(host, round, step, &watched[host].names);
                    samples.push((HostNumber::at(host).expect("there is room"), watched[host].take(&snapshot)));
                }
            }
            let mut delta = merger.merge(samples, &statuses, None, |_| WALL);
            by_host.observe(std::mem::take(&mut delta.by_host));
            all.apply(delta);

            let mut expected = BTreeMap::new();
            for host in &mut watched {
                expected.extend(host.rows());
            }
            let live = all.rows().iter().filter(|(_, row)| !row.is_closed());
            let found: BTreeMap<SocketId, Connection> =
                live.map(|(_, row)| (row.connection.socket.id, row.connection.clone())).collect();
            prop_assert_eq!(found, expected);
            let found = by_host.found(all.names());
            for (host, watched) in watched.iter().enumerate() {
                let prefix = format!("web-{host}: ");
                let of_host = found.findings.iter().filter_map(|finding| {
                    Some((finding, finding.sentence.strip_prefix(&prefix)?.to_owned()))
                });
                let told: Vec<_> = of_host.map(|(finding, sentence)| (finding.rule(), finding.severity, sentence, finding.sockets)).collect();
                let alone: Vec<_> = watched.diagnosis.findings().iter()
                    .map(|finding| (finding.rule(), finding.severity, finding.sentence.clone(), finding.sockets))
                    .collect();
                prop_assert_eq!(told, alone, "host {} in round {}", host, round);
            }
        }
    }
}

fn merged(parts: Vec<(usize, Delta)>) -> (Store, Delta) {
    let mut merger = Merger::new(2);
    let mut store = Store::new(source_info());
    let mut last = Delta::default();
    let mut translators: Vec<HostTranslator> = (0..2)
        .map(|host| {
            let number = HostNumber::at(host).expect("there is room");
            HostTranslator::new(HostIds::new(number), TimeShift::default())
        })
        .collect();
    for (host, delta) in parts {
        let translator = &mut translators[host];
        let delta = translator.delta(delta);
        let sample = HostSample { delta, numbers: Arc::clone(translator.ids().numbers()) };
        let samples = vec![(HostNumber::at(host).expect("there is room"), sample)];
        last = merger.merge(samples, &statuses(2), None, |_| WALL);
        store.apply(last.clone());
    }
    (store, last)
}

#[test]
fn what_one_host_has_to_say_takes_nothing_from_another() {
    let id = ProcessId { pid: 7, start_ticks: 70 };
    let coverage =
        |hidden: u32, why: &str| Coverage { owners_hidden: hidden, degraded: vec![why.into()], ..Coverage::default() };
    let of = |host: usize, at: u64| {
        let used = u32::try_from(host + 1).expect("small");
        let socket = tcp(1).netns(NETNS).build();
        Delta {
            at: Timestamp::from_millis(at),
            unlisted: vec![socket.id],
            coverage: Arc::new(coverage(used, "no tcp_info")),
            names: names(host),
            usage: vec![(id, Usage { cpu: None, memory_bytes: u64::from(used) })],
            descriptors: Arc::new(vec![(id, Descriptors { used, ..Descriptors::default() })]),
            traffic: Some(Traffic { received: 10, sent: 1 }),
            ..Delta::default()
        }
    };
    let (store, last) = merged(vec![(0, of(0, 1_000)), (1, of(1, 1_100)), (0, of(0, 2_000))]);
    assert_eq!(last.unlisted.len(), 2);
    assert_eq!(last.usage.len(), 2);
    assert_eq!(last.descriptors.iter().map(|(_, of)| of.used).collect::<Vec<_>>(), [1, 2]);
    assert!(last.descriptors.iter().all(|(of, _)| (of.pid, number_of_host(of.start_ticks)) == (7, 70)));
    assert_eq!(last.traffic, Some(Traffic { received: 20, sent: 2 }));
    assert_eq!(last.coverage.owners_hidden, 3);
    let said: Vec<&str> = last.coverage.degraded.iter().map(DisplayText::as_str).collect();
    assert_eq!(said, ["web-0: no tcp_info", "web-1: no tcp_info"]);
    let users: Vec<&str> = store.names().users.values().map(DisplayText::as_str).collect();
    assert_eq!(users, ["alice", "bob"], "uid 1000 is somebody else on each host");
    assert!(store.names().users.keys().all(|uid| store.names().hosts.uid_number(*uid) == 1_000));
}

#[test]
fn samples_ascend_whatever_the_clocks_of_the_hosts_say() {
    let at = |millis| Delta { at: Timestamp::from_millis(millis), ..Delta::default() };
    let (store, _) = merged(vec![(0, at(5_000)), (1, at(1_000)), (0, at(5_001)), (1, at(1_001))]);
    assert_eq!(store.at(), Timestamp::from_millis(5_003));
}

#[test]
fn nobody_is_told_that_events_are_told_unless_every_host_tells_them() {
    let status = |trace: EventSourceStatus| Delta {
        event_status: EventStatus { trace, ..EventStatus::default() },
        ..Delta::default()
    };
    let trace = |parts| merged(parts).1.event_status.trace;
    assert_eq!(trace(vec![(0, status(EventSourceStatus::On))]), EventSourceStatus::On);
    assert_eq!(
        trace(vec![(0, status(EventSourceStatus::On)), (1, status(EventSourceStatus::Off))]),
        EventSourceStatus::Off
    );
    let refused = EventSourceStatus::Refused("needs root".into());
    assert_eq!(
        trace(vec![(0, status(EventSourceStatus::On)), (1, status(refused))]),
        EventSourceStatus::Refused("web-1: needs root".into())
    );
}
