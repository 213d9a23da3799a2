//! The rules against machines made by hand, sample by sample: through tracker and store, as in life.

use std::sync::Arc;

use super::*;
use crate::diagnosis::finding::{Place, Severity};
use crate::diagnosis::rule::{RULES, Rule};
use crate::model::facts::{Counters, Facts, PortRange};
use crate::model::process::{Owner, Process, Usage};
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::model::testing::{SocketBuilder, endpoint, listener, process, snapshot, source_info, tcp};
use crate::table::filter::Filter;
use crate::tracker::Tracker;

/// A machine whose samples are made by hand.
struct Machine {
    tracker: Tracker,
    store: Store,
    diagnosis: Diagnosis,
    now_ms: u64,
    facts: Facts,
    usage: Vec<(ProcessId, Usage)>,
}

impl Machine {
    fn new() -> Self {
        Self::with(Thresholds::default())
    }

    fn with(thresholds: Thresholds) -> Self {
        let (tracker, store) = (Tracker::new(), Store::new(source_info()));
        let facts = Facts { ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }), ..Facts::default() };
        Self { tracker, store, diagnosis: Diagnosis::new(thresholds), now_ms: 10_000_000, facts, usage: Vec::new() }
    }

    /// A sample a second later.
    fn sample(&mut self, sockets: Vec<Socket>) -> &[Finding] {
        self.now_ms += 1_000;
        let mut snapshot = snapshot(self.now_ms, sockets);
        snapshot.facts = Arc::new(self.facts.clone());
        snapshot.usage.clone_from(&self.usage);
        self.store.apply(self.tracker.update(&snapshot));
        self.diagnosis.observe(&self.store);
        self.check();
        self.diagnosis.findings()
    }

    /// What holds of every finding: its filter is an expression that selects as many sockets as it is about, its
    /// sentence is one line.
    fn check(&self) {
        for finding in self.diagnosis.findings() {
            assert!(!finding.sentence.contains('\n') && finding.sentence.len() < 200, "{}", finding.sentence);
            let filter = Filter::parse(&finding.filter).unwrap_or_else(|error| panic!("{}: {error}", finding.filter));
            let rows = self.store.rows().iter().filter(|(_, row)| !row.is_closed());
            let selected: Vec<_> = rows.filter(|(_, row)| filter.matches(row, &self.store)).collect();
            for example in &finding.examples {
                let is_selected = selected.iter().any(|(_, row)| row.connection.socket.id == *example);
                assert!(is_selected, "{} does not select an example of {}", finding.filter, finding.sentence);
            }
        }
    }

    fn sentences(&self) -> Vec<&str> {
        self.diagnosis.findings().iter().map(|finding| finding.sentence.as_str()).collect()
    }

    fn found(&self, rule: Rule) -> &Finding {
        let found = self.diagnosis.findings().iter().find(|finding| finding.rule() == rule);
        found.unwrap_or_else(|| panic!("{rule:?} is not among {:?}", self.sentences()))
    }
}

fn app() -> Arc<Process> {
    process(4121, "jdbc-pool")
}

/// A client's connection to a database that the database has closed `age_ms` ago.
fn leaked(cookie: u64, now_ms: u64, age_ms: u64) -> SocketBuilder {
    let since = now_ms - age_ms;
    let local = format!("10.0.0.1:{}", 40_000 + cookie);
    let socket = tcp(cookie).local(&local).remote("10.0.0.5:5432").state(TcpState::CloseWait).queues(0, 0);
    socket.held_by(&[app()]).last(since - 5, since - 5, since)
}

fn usage(used: u32, max: u64) -> Usage {
    Usage { cpu: None, memory_bytes: 0, descriptors: Some(used), descriptors_max: Some(max) }
}

#[test]
fn rows_stand_in_the_order_of_the_enum_and_ids_are_unique() {
    for (index, row) in RULES.iter().enumerate() {
        assert_eq!(row.rule as usize, index, "{}", row.id);
        assert_eq!(Rule::named(row.id), Some(row.rule));
    }
}

#[test]
fn a_leak_tells_who_where_how_many_how_fast_since_when_why_and_what_breaks() {
    let mut machine = Machine::new();
    let begin = machine.now_ms - 600_000;
    // One every 15 s, for ten minutes before and four minutes after conntop starts.
    for second in 0..240 {
        let now = machine.now_ms + 1_000;
        let born = (begin..=now).step_by(15_000);
        let sockets = born.enumerate().map(|(nth, at)| leaked(nth as u64, now, now - at).build()).collect();
        machine.usage = vec![(app().id, usage(600 + second / 15, 1_024))];
        machine.sample(sockets);
        if second == 0 {
            let first = machine.found(Rule::CloseWaitLeak);
            assert_eq!(
                first.sentence,
                "jdbc-pool[4121] holds CLOSE_WAIT to 10.0.0.5:5432: 41, perhaps +4/min, oldest 10m, never closed"
            );
        }
    }
    let found = machine.found(Rule::CloseWaitLeak);
    assert_eq!(
        found.sentence,
        "jdbc-pool[4121] leaks CLOSE_WAIT to 10.0.0.5:5432: 57, +4/min for 3m, oldest 14m, never closed; out of descriptors in 1h42m"
    );
    assert_eq!((found.severity, found.why, found.sockets), (Severity::Warning, "never closed", 57));
    assert_eq!(found.key.place, Place::To(endpoint("10.0.0.5:5432")));
    assert_eq!(found.filter, "state:close-wait pid:4121 raddr=10.0.0.5 rport=5432");
    assert_eq!(found.examples.len(), EXAMPLES_MAX);
    assert_eq!(machine.diagnosis.findings().len(), 1, "{:?}", machine.sentences());
}

#[test]
fn a_healthy_busy_server_raises_nothing() {
    let mut machine = Machine::new();
    let server = [process(812, "nginx")];
    machine.facts.counters = Some(Counters::default());
    for second in 0..180u64 {
        let now = machine.now_ms + 1_000;
        let served = |cookie: u64| {
            let socket = tcp(cookie).local("10.0.0.1:443").remote(&format!(
                "203.0.113.{}:{}",
                cookie % 250 + 1,
                1_024 + cookie % 60_000
            ));
            socket.held_by(&server).last(now - 50, now - 40, now - 30)
        };
        let mut sockets =
            vec![listener(1, 443).queues(u32::try_from(second % 9).expect("small"), 511).held_by(&server).build()];
        // A thousand connections, 20 to 220 of them closing for a moment, some sending again, some waiting to be accepted.
        let closing = 20 + second * 37 % 200;
        sockets.extend((0..1_000).map(|nth| served(100 + second * 1_000 + nth).build()));
        sockets
            .extend((0..closing).map(|nth| served(500_000 + second * 1_000 + nth).state(TcpState::CloseWait).build()));
        sockets.extend((0..5).map(|nth| {
            let lossy = served(900_000 + second * 10 + nth).timer(TimerKind::Retransmit, 1, now + 100);
            lossy.info(|info| (info.backoff, info.rto_us, info.unacked) = (1, 400_000, 3)).build()
        }));
        sockets.extend((0..second % 9).map(|nth| {
            served(950_000 + second * 10 + nth).owner(Owner::Unaccepted).with(|socket| socket.inode = None).build()
        }));
        sockets.extend((0..3_000).map(|nth| {
            let expires = now + 60_000 - nth * 20;
            served(2_000_000 + second * 150 + nth)
                .mini(TcpState::TimeWait)
                .timer(TimerKind::TimeWait, 0, expires)
                .build()
        }));
        let counters = machine.facts.counters.as_mut().expect("set");
        counters.segments_sent += 100_000;
        counters.segments_retransmitted += 700;
        machine.usage = vec![(server[0].id, usage(1_100, 65_536))];
        machine.sample(sockets);
        assert_eq!(machine.sentences(), [""; 0], "at second {second}");
    }
}

#[test]
fn what_accept_does_not_take_is_put_down_to_the_listener() {
    let mut machine = Machine::new();
    let server = [process(99, "app")];
    for _ in 0..3 {
        let now = machine.now_ms + 1_000;
        let waiting = |cookie: u64| {
            let socket = tcp(cookie).local("10.0.0.1:8080").remote(&format!("10.0.0.9:{}", 50_000 + cookie));
            socket.owner(Owner::Unaccepted).last(9_900_000, 9_900_000, 9_900_000 + cookie)
        };
        let mut sockets = vec![listener(1, 8080).queues(12, 128).held_by(&server).build()];
        sockets.extend((2..11).map(|cookie| waiting(cookie).state(TcpState::CloseWait).queues(1, 0).build()));
        sockets.extend((11..14).map(|cookie| waiting(cookie).build()));
        assert!(now > 9_900_000);
        machine.sample(sockets);
    }
    let found = machine.found(Rule::NotAccepted);
    assert_eq!(found.sentence, "app[99] does not accept on :8080: 12 wait, 9 given up by their peers, oldest >1m");
    assert_eq!((found.severity, found.sockets), (Severity::Critical, 12));
    assert_eq!(found.filter, "owner:unaccepted lport=8080");
    assert_eq!(machine.diagnosis.findings().len(), 1, "{:?}", machine.sentences());
}
