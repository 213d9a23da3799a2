//! The rules against machines made by hand, sample by sample: through tracker and store, as in life.

use std::sync::Arc;

use super::*;
use crate::diagnosis::finding::{FindingScope, PROCESSES_LISTED_MAX, Severity};
use crate::diagnosis::rule::Rule;
use crate::model::descriptors::Descriptors;
use crate::model::facts::{Counters, Facts, PortRange};
use crate::model::process::{Owner, Process, ProcessId};
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::model::tcp_state::TcpState::CloseWait;
use crate::model::testing::{SocketBuilder, connection, destination, listener, process, snapshot, source_info, tcp};
use crate::table::filter::Filter;
use crate::tracker::Tracker;

mod attempts;
mod lookups;
mod losses;
mod stalls;

/// A machine whose samples are made by hand.
struct Machine {
    tracker: Tracker,
    store: Store,
    diagnosis: Diagnosis,
    now_ms: u64,
    facts: Facts,
    descriptors: Vec<(ProcessId, Descriptors)>,
    /// Whether sockets may become others under one cookie: then a finding that is held shows examples of before.
    is_wild: bool,
}

impl Machine {
    fn new() -> Self {
        Self::with(Thresholds::default())
    }

    fn with(thresholds: Thresholds) -> Self {
        let (tracker, store) = (Tracker::new(), Store::new(source_info()));
        let facts = Facts { ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }), ..Facts::default() };
        Self {
            tracker,
            store,
            diagnosis: Diagnosis::new(thresholds),
            now_ms: 10_000_000,
            facts,
            descriptors: Vec::new(),
            is_wild: false,
        }
    }

    /// A sample a second later.
    fn sample(&mut self, sockets: Vec<Socket>) -> &[Finding] {
        self.now_ms += 1_000;
        let mut snapshot = snapshot(self.now_ms, sockets);
        snapshot.facts = Arc::new(self.facts.clone());
        snapshot.descriptors = Arc::new(self.descriptors.clone());
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
                assert!(
                    is_selected || self.is_wild,
                    "{} does not select an example of {}",
                    finding.filter,
                    finding.sentence
                );
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

fn descriptors(used: u32, max: u64) -> Descriptors {
    Descriptors { used, max: Some(max), ..Descriptors::default() }
}

#[test]
fn rules_stand_in_the_order_of_the_table_and_ids_are_unique() {
    for (index, &rule) in Rule::ALL.iter().enumerate() {
        assert_eq!(rule as usize, index, "{}", rule.id());
        assert_eq!(Rule::named(rule.id()), Some(rule));
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
        machine.descriptors = vec![(app().id, descriptors(600 + second / 15, 1_024))];
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
        "jdbc-pool[4121] leaks CLOSE_WAIT to 10.0.0.5:5432: 57, +4/min for 3m, oldest 14m, never closed; out of descriptors in 1h42m (409 left)"
    );
    assert_eq!((found.severity, found.why, found.sockets), (Severity::Warning, "never closed", 57));
    assert_eq!(found.key.scope, FindingScope::To(destination("10.0.0.5:5432")));
    assert_eq!(found.filter, "state:close-wait pid:4121 raddr=10.0.0.5 rport=5432");
    assert_eq!(found.examples.len(), EXAMPLES_MAX);
    assert_eq!(machine.diagnosis.findings().len(), 1, "{:?}", machine.sentences());
}

#[test]
fn a_healthy_busy_server_raises_nothing() {
    let mut machine = Machine::new();
    let server = [process(812, "nginx")];
    machine.facts.counters = Some(Counters::default());
    for second in 0..75u64 {
        let now = machine.now_ms + 1_000;
        let client = |cookie: u64| {
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
        sockets.extend((0..1_000).map(|nth| client(100 + second * 1_000 + nth).build()));
        sockets
            .extend((0..closing).map(|nth| client(500_000 + second * 1_000 + nth).state(TcpState::CloseWait).build()));
        sockets.extend((0..5).map(|nth| {
            let lossy = client(900_000 + second * 10 + nth).timer(TimerKind::Retransmit, 1, now + 100);
            lossy.info(|info| (info.backoff, info.rto_us, info.unacked) = (1, 400_000, 3)).build()
        }));
        sockets.extend((0..second % 9).map(|nth| {
            client(950_000 + second * 10 + nth).owner(Owner::Unaccepted).with(|socket| socket.inode = None).build()
        }));
        sockets.extend((0..3_000).map(|nth| {
            let expires = now + 60_000 - nth * 20;
            client(2_000_000 + second * 150 + nth)
                .mini(TcpState::TimeWait)
                .timer(TimerKind::TimeWait, 0, expires)
                .build()
        }));
        let counters = machine.facts.counters.as_mut().expect("set");
        counters.segments_sent += 100_000;
        counters.segments_retransmitted += 700;
        machine.descriptors = vec![(server[0].id, descriptors(1_100, 65_536))];
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
    assert_eq!(found.sentence, "app[99] does not accept on :8080: 12 wait, 9 given up by their peers, oldest ≥1m");
    assert_eq!((found.severity, found.sockets), (Severity::Critical, 12));
    assert_eq!(found.filter, "owner:unaccepted lport=8080");
    assert_eq!(machine.diagnosis.findings().len(), 1, "{:?}", machine.sentences());
}

/// `CLOSE_WAIT` to `places` peers, `each` of them to one.
fn leaks_to(machine: &Machine, places: u64, each: u64) -> Vec<Socket> {
    let now = machine.now_ms + 1_000;
    let leaked =
        |nth: u64| leaked(nth, now, 30_000).remote(&format!("10.9.{}.{}:443", nth % places / 250, nth % places % 250));
    (0..places * each).map(|nth| leaked(nth).build()).collect()
}

#[test]
fn many_places_with_a_few_each_are_one_finding_of_the_process() {
    let mut machine = Machine::new();
    machine.sample(leaks_to(&machine, 60, 2));
    let found = machine.found(Rule::CloseWaitLeak);
    assert_eq!(found.sentence, "jdbc-pool[4121] leaks CLOSE_WAIT to 60 peers: 120, oldest 30s, never closed");
    assert_eq!((found.key.scope, found.filter.as_str()), (FindingScope::Process, "state:close-wait pid:4121"));
    assert_eq!(machine.diagnosis.findings().len(), 1);
}

#[test]
fn many_findings_of_one_process_are_told_as_one() {
    for (places, findings) in [(6, 6), (7, 1)] {
        let mut machine = Machine::new();
        machine.sample(leaks_to(&machine, places, 100));
        assert_eq!(machine.diagnosis.findings().len(), findings, "{:?}", machine.sentences());
    }
}

#[test]
fn a_finding_stays_near_its_limit_and_keeps_when_it_was_first_found() {
    let mut machine = Machine::new();
    for (sockets, is_found) in
        [(99, false), (100, true), (85, true), (100, true), (40, true), (40, true), (40, true), (40, false)]
    {
        let now = machine.now_ms + 1_000;
        let findings = machine.sample((0..sockets).map(|nth| leaked(nth, now, 20_000).build()).collect());
        assert_eq!(!findings.is_empty(), is_found, "{sockets}");
        if let Some(finding) = findings.first() {
            assert_eq!(finding.first_found.as_millis(), 10_002_000);
        }
    }
}

#[test]
fn a_leak_is_over_when_its_process_is_gone() {
    let mut machine = Machine::new();
    machine.sample(leaks_to(&machine, 1, 200));
    assert_eq!(machine.diagnosis.findings().len(), 1);
    machine.sample(Vec::new());
    machine.sample(Vec::new());
    assert_eq!(machine.sentences(), [""; 0]);
}

#[test]
fn a_full_queue_is_critical_only_while_the_kernel_drops() {
    let mut machine = Machine::new();
    let server = [process(99, "app")];
    let mut seen = Vec::new();
    for second in 0..50u64 {
        let listener = listener(1, 8080).queues(129, 128).held_by(&server).build();
        let dropped = 100 + second.min(10) * 30;
        machine.facts.counters = Some(Counters { listen_overflows: dropped, ..Counters::default() });
        machine.sample(vec![listener]);
        seen.push(machine.found(Rule::AcceptQueueFull).severity);
    }
    assert_eq!((seen[1], seen[12], seen[49]), (Severity::Critical, Severity::Critical, Severity::Warning));
    assert!(
        machine.found(Rule::AcceptQueueFull).sentence.ends_with("129 of 128, accept() too slow"),
        "{:?}",
        machine.sentences()
    );
}

#[test]
fn bursts_that_no_sample_sees_are_told_of_the_machine_and_linger() {
    let mut machine = Machine::new();
    let server = [process(99, "app")];
    for second in 0..4 {
        machine.facts.counters = Some(Counters { listen_overflows: second * 20, ..Counters::default() });
        machine.sample(vec![listener(1, 8080).queues(0, 16).held_by(&server).build()]);
    }
    let found = machine.found(Rule::AcceptQueueFull);
    assert_eq!(found.sentence, "an accept queue overflows: 20/s dropped, in bursts between samples");
    // A listener that is full for one sample in four is one finding, not one that comes and goes.
    let mut machine = Machine::new();
    for second in 0..12u32 {
        let waiting = if second % 4 == 0 { 17 } else { 0 };
        machine.sample(vec![listener(1, 8080).queues(waiting, 16).held_by(&server).build()]);
        assert_eq!(machine.diagnosis.findings().len(), 1, "second {second}");
    }
}

#[test]
fn time_wait_ports_that_may_be_used_again_are_not_taken() {
    let opened = |nth: u64, now: u64| {
        let socket = tcp(nth).local(&format!("127.0.0.1:{}", 40_000 + nth)).remote("127.0.0.1:80");
        socket.mini(TcpState::TimeWait).timer(TimerKind::TimeWait, 0, now + 30_000).build()
    };
    for (reuse, found) in [(0, 1), (1, 0), (2, 0)] {
        let mut machine = Machine::new();
        machine.facts.ephemeral_ports = Some(PortRange { first: 40_000, last: 40_099 });
        machine.facts.time_wait_reuse = Some(reuse);
        let now = machine.now_ms;
        machine.sample((0..80).map(|nth| opened(nth, now)).collect());
        assert_eq!(machine.diagnosis.findings().len(), found, "{reuse}: {:?}", machine.sentences());
    }
}

#[test]
fn a_silent_client_of_many_is_its_own_trouble() {
    let gone = |nth: u64, now: u64| {
        let socket = tcp(nth)
            .local("10.0.0.1:443")
            .remote(&format!("203.0.113.7:{}", 20_000 + nth))
            .held_by(&[process(812, "nginx")]);
        let socket = socket.timer(TimerKind::Retransmit, 9, now + 50_000).last(1_000, 1_000, 1_000);
        socket.info(|info| (info.backoff, info.rto_us, info.unacked) = (9, 102_400_000, 6)).build()
    };
    for (healthy, dead, found) in [(0, 1, 1), (1_000, 1, 0), (1_000, 30, 1)] {
        let mut machine = Machine::new();
        let now = machine.now_ms;
        let mut sockets = vec![listener(1, 443).held_by(&[process(812, "nginx")]).build()];
        sockets.extend((10..10 + dead).map(|nth| gone(nth, now)));
        sockets.extend(
            (2_000..2_000 + healthy)
                .map(|nth| tcp(nth).local("10.0.0.1:443").remote(&format!("203.0.113.8:{}", 20_000 + nth)).build()),
        );
        machine.sample(sockets);
        assert_eq!(machine.diagnosis.findings().len(), found, "{dead} of {healthy}: {:?}", machine.sentences());
    }
}

#[test]
fn an_old_ack_says_nothing_of_data_sent_a_moment_ago() {
    let mut machine = Machine::new();
    let now = machine.now_ms + 1_000;
    let idle = tcp(1).timer(TimerKind::Retransmit, 1, now + 300).last(now - 500, 1_000, 1_000).held_by(&[app()]);
    machine.sample(vec![idle.info(|info| (info.backoff, info.rto_us, info.unacked) = (1, 400_000, 2)).build()]);
    assert_eq!(machine.sentences(), [""; 0]);
}

/// What looks at `len` connections beside a listener cost in steps, second by second while nothing moves.
fn costs(len: u64, make: impl Fn(u64) -> SocketBuilder) -> impl Iterator<Item = usize> {
    let mut store = Store::new(source_info());
    let added = (0..len).map(|nth| connection(make(nth), 0));
    let added = std::iter::once(connection(listener(900_000, 443), 0)).chain(added).collect();
    store.apply(crate::model::delta::Delta {
        added,
        at: crate::model::time::Timestamp::from_millis(1_000),
        ..Default::default()
    });
    let mut diagnosis = Diagnosis::new(Thresholds::default());
    (2..20).map(move |second| {
        let mut steps = usize::MAX;
        diagnosis.begin(&store);
        assert!(diagnosis.advance(&store, &mut steps));
        let at = crate::model::time::Timestamp::from_millis(second * 1_000);
        store.apply(crate::model::delta::Delta { at, ..Default::default() });
        usize::MAX - steps
    })
}

#[test]
fn the_silent_mass_costs_no_steps() {
    let far = |nth: u64| {
        let [_, _, _, _, _, b, c, d] = nth.to_be_bytes();
        crate::model::endpoint::Endpoint::new([10, b, c, d].into(), 50_000)
    };
    let served = |nth| tcp(nth).local("10.0.0.1:443").with(|socket| socket.remote = far(nth));
    assert!(costs(200_000, served).all(|cost| cost < 32), "no destination can be short of ports");
}

#[test]
fn a_destination_that_may_be_short_of_ports_is_counted_once_while_nothing_moves() {
    let calls = |nth: u64| {
        let port = 32_768 + u16::try_from(nth).expect("few");
        tcp(nth).with(|socket| socket.local.port = port).remote("10.0.0.9:80")
    };
    let costs: Vec<usize> = costs(25_000, calls).collect();
    assert!(costs[0] > 25_000 && costs[1..].iter().all(|cost| *cost < 64), "{costs:?}");
}

/// A look at thousands of places of one process, some of which are findings and some only together, step by step.
#[test]
fn no_part_of_a_look_is_done_in_one_go() {
    const PLACES: u64 = 5_000;
    let leak = |nth: u64| {
        let [.., c, d] = nth.to_be_bytes();
        let socket = tcp(nth).state(CloseWait).queues(0, 0).last(1_000, 1_000, 1_000).held_by(&[app()]);
        socket.with(|socket| socket.remote = crate::model::endpoint::Endpoint::new([10, 9, c, d].into(), 80))
    };
    let mut store = Store::new(source_info());
    let added = (0..PLACES).map(|nth| connection(leak(nth), 0)).collect();
    let at = crate::model::time::Timestamp::from_millis(7_200_000);
    store.apply(crate::model::delta::Delta { at, added, ..Default::default() });
    let mut diagnosis = Diagnosis::new(Thresholds::default());
    diagnosis.begin(&store);
    let (mut slices, mut before) = (0, 0);
    while !diagnosis.advance(&store, &mut 1) {
        let units = diagnosis.evaluation.as_ref().map_or(0, crate::diagnosis::evaluation::Evaluation::units);
        assert!(units <= before + 1, "one step did the work of {}", units - before);
        (slices, before) = (slices + 1, units);
    }
    let groups = crate::diagnosis::group::GROUPS_MAX as u64 + 1;
    assert!(slices >= PLACES + 2 * groups, "gathered, judged and settled: {slices}");
    assert_eq!(diagnosis.findings().len(), 1, "one process is told once");
}

/// `SYN_SENT` to a host that has not answered for 5 s, of a process of its own.
fn calling(pid: u32, program: &str, now_ms: u64) -> SocketBuilder {
    let socket = tcp(pid.into()).local(&format!("10.0.0.1:{}", 40_000 + pid)).remote("10.0.0.2:5432");
    let socket = socket.state(TcpState::SynSent).queues(0, 1).timer(TimerKind::Retransmit, 2, now_ms + 2_000);
    socket.info(|info| info.rto_us = 4_000_000).held_by(&[process(pid, program)])
}

fn unanswered(pid: u32, program: &str, now_ms: u64) -> Socket {
    calling(pid, program, now_ms).build()
}

#[test]
fn one_dead_host_is_one_finding_of_all_who_call_it_and_stays_while_they_come_and_go() {
    let mut machine = Machine::new();
    for second in 0..20u32 {
        let now = machine.now_ms + 1_000;
        let pids = second * 3..second * 3 + 40;
        machine.sample(pids.map(|pid| unanswered(100 + pid, "worker", now)).collect());
        let [found] = machine.diagnosis.findings() else { panic!("{:?}", machine.sentences()) };
        assert!(found.process.is_none(), "{}", found.sentence);
        if found.rule() == Rule::FailingConnects {
            // Once some have given up, what is known is more: that none has succeeded.
            let told = "worker cannot connect to 10.0.0.2:5432: 0 of";
            assert!(found.sentence.starts_with(told) && found.processes >= 40, "{}", found.sentence);
            continue;
        }
        let told = "worker gets no answer from 10.0.0.2:5432: 40 processes, 40 connections";
        assert!(found.sentence.starts_with(told), "{}", found.sentence);
        assert_eq!((found.processes, found.process_shares.len()), (40, PROCESSES_LISTED_MAX));
        assert_eq!(found.filter, "state:syn-sent process=worker raddr=10.0.0.2 rport=5432");
        assert_eq!(found.first_found.as_millis(), 10_001_000, "it is still the same");
    }
    assert_eq!(machine.diagnosis.findings()[0].rule(), Rule::FailingConnects);
}

#[test]
fn several_programs_and_one_dead_host_are_one_finding_that_names_them() {
    let mut machine = Machine::new();
    let now = machine.now_ms + 1_000;
    let programs = ["worker", "worker", "api", "cron", "curl", "wget"];
    let sockets = (100..).zip(programs).map(|(pid, program)| unanswered(pid, program, now));
    let nobodys = Socket { owner: Owner::Hidden, ..unanswered(300, "", now) };
    machine.sample(sockets.chain([nobodys]).collect());
    let told = "worker, api, cron, 2 more programs and unidentified processes get no answer from 10.0.0.2:5432: 6 processes, 7 connections";
    assert!(machine.sentences()[0].starts_with(told), "{:?}", machine.sentences());
    assert_eq!(machine.sentences().len(), 1);
    assert_eq!(machine.found(Rule::SynSentStuck).program, None);
}

#[test]
fn processes_of_one_program_near_their_limit_are_one_finding_that_names_the_worst() {
    let mut machine = Machine::new();
    let pids = 100..162u32;
    let socket = |pid: u32| tcp(pid.into()).held_by(&[process(pid, "worker")]).build();
    machine.descriptors =
        pids.clone().map(|pid| (process(pid, "worker").id, descriptors(205 + pid % 41, 256))).collect();
    machine.descriptors.push((process(900, "worker").id, descriptors(20, 256)));
    machine.sample(pids.chain([900]).map(socket).collect());
    let found = machine.found(Rule::DescriptorLimit);
    let told =
        "62 processes of worker are near their limit of open files: worker[122] 245 of 256 (95%), 1 of them sockets";
    assert_eq!((found.sentence.as_str(), found.processes, found.sockets), (told, 62, 62));
    assert_eq!(machine.sentences().len(), 1, "{:?}", machine.sentences());
}

#[test]
fn a_few_each_of_many_processes_are_a_leak_of_their_program_and_not_of_another() {
    let leak = |program: &'static str| {
        move |pid: u32| {
            let socket = leaked(pid.into(), 10_001_000, 20_000).with(|socket| socket.remote.port = 443);
            socket.held_by(&[process(pid, program)]).build()
        }
    };
    let mut machine = Machine::new();
    machine.sample((0..99).map(leak("gunicorn")).chain((100..199).map(leak("celery"))).collect());
    assert_eq!(machine.sentences(), [""; 0], "99 each of two programs");
    machine.sample((0..100).map(leak("gunicorn")).chain((100..199).map(leak("celery"))).collect());
    let told = "gunicorn leaks CLOSE_WAIT to 10.0.0.5:443: 100 processes, 100 connections, oldest 21s, never closed";
    assert_eq!(machine.sentences(), [told]);
}

#[test]
fn who_waits_for_a_full_queue_is_told_with_it_also_from_mapped_addresses() {
    let mut machine = Machine::new();
    let api = process(6002, "report-api");
    for second in 0..4u64 {
        let now = machine.now_ms + 1_000;
        machine.facts.counters = Some(Counters { listen_overflows: 100 + second * 7, ..Counters::default() });
        let caller = |nth: u32| {
            let here = if nth.is_multiple_of(2) { "127.0.0.1" } else { "[::ffff:127.0.0.1]" };
            let socket = calling(100 + nth, &format!("curl-{nth}"), now);
            socket.local(&format!("{here}:{}", 40_000 + nth)).remote(&format!("{here}:9090")).build()
        };
        let listener = listener(1, 9090).queues(9, 8).held_by(std::slice::from_ref(&api)).build();
        let elsewhere = unanswered(500, "curl", now);
        machine.sample(std::iter::once(listener).chain((0..21).map(caller)).chain([elsewhere]).collect());
    }
    assert_eq!(machine.sentences().len(), 2, "{:?}", machine.sentences());
    let full = machine.found(Rule::AcceptQueueFull);
    assert_eq!(machine.diagnosis.findings()[0].rule(), Rule::AcceptQueueFull, "the cause comes first");
    let caused: Vec<_> = full.caused.listed.iter().map(|one| (one.rule, one.sockets, one.processes)).collect();
    assert_eq!(caused, [(Rule::SynSentStuck, 21, 21)]);
    let elsewhere = machine.found(Rule::SynSentStuck);
    assert!(
        elsewhere.sentence.starts_with("curl[500] gets no answer from 10.0.0.2:5432: 1 in SYN_SENT"),
        "{elsewhere:?}"
    );
}

#[test]
fn what_happens_is_told_before_what_stands() {
    let mut machine = Machine::new();
    let now = machine.now_ms + 1_000;
    let redis = listener(1, 6379).held_by(&[process(640, "redis-server")]).build();
    machine.sample(vec![redis, unanswered(100, "worker", now)]);
    let rules: Vec<_> = machine.diagnosis.findings().iter().map(Finding::rule).collect();
    assert_eq!(rules, [Rule::SynSentStuck, Rule::ExposedRiskyPort]);
}

#[test]
fn what_is_offered_is_stated_of_a_known_program_and_of_others_only_as_what_may_be() {
    let told = |port, name: &str| {
        let mut machine = Machine::new();
        machine.sample(vec![listener(1, port).held_by(&[process(640, name)]).build()]);
        let findings = machine.diagnosis.findings().iter();
        findings.filter(|one| one.rule() == Rule::ExposedRiskyPort).map(|one| one.sentence.clone()).collect::<String>()
    };
    assert!(told(6379, "redis-server").starts_with("redis-server[640] offers redis on every address"));
    assert!(told(514, "in.rshd").starts_with("in.rshd[640] offers shell on every address"));
    let perhaps = told(6379, "my-api");
    assert!(perhaps.starts_with("my-api[640] may offer redis on every address, port 6379: redis is not"), "{perhaps}");
    assert!(told(9200, "java").starts_with("java[640] may offer elasticsearch"), "java is anything");
    assert_eq!(told(514, "rsyslogd"), "", "a log server, known by its name, is no rsh");
    assert_eq!(told(8080, "my-api"), "", "no service of that port lets in whoever reaches it");
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::tcp_state::STATES;

    fn endpoints() -> impl Strategy<Value = Endpoint> {
        let ports = prop_oneof![Just(22), Just(443), Just(6379), Just(5432), Just(40_000), 1u16..];
        let addrs = prop_oneof![
            Just("10.0.0.1"),
            Just("10.0.0.2"),
            Just("127.0.0.1"),
            Just("0.0.0.0"),
            Just("::"),
            Just("2001:db8::1")
        ];
        (addrs, ports).prop_map(|(addr, port)| Endpoint::new(addr.parse().expect("an address"), port))
    }

    prop_compose! {
        fn sockets()(
            cookie in 0u64..400,
            state in 0..STATES.len(),
            local in endpoints(),
            remote in endpoints(),
            owner in 0u32..6,
            queues in (any::<u32>(), any::<u32>()),
            timer in proptest::option::of((1u8..5, any::<u8>(), any::<u32>())),
            info in proptest::option::of((any::<u8>(), any::<u32>(), any::<u32>(), any::<u8>())),
            clocks in (any::<u32>(), any::<u32>(), any::<u32>()),
        ) -> Socket {
            let socket = tcp(cookie).state(STATES[state].state).queues(queues.0 % 5, queues.1 % 5);
            let socket = match owner {
                0 => socket.owner(Owner::Unaccepted),
                1 => socket.owner(Owner::Hidden),
                2 => socket,
                pid => socket.held_by(&[process(pid, "app")]),
            };
            socket.with(|socket| {
                (socket.local, socket.remote) = (local, remote);
                socket.timer = timer.and_then(|(kind, retries, expires)| {
                    let kind = TimerKind::from_kernel(kind)?;
                    Some(crate::model::socket::Timer { kind, retries, expires: crate::model::time::Timestamp::from_millis(expires.into()).into() })
                });
                let at = |ms: u32| crate::model::time::Timestamp::from_millis(ms.into()).into();
                socket.tcp = info.map(|(backoff, rto_us, unacked, probes)| crate::model::tcp_info::TcpInfo {
                    backoff, rto_us, unacked, probes,
                    last_data_sent: at(clocks.0), last_data_received: at(clocks.1), last_ack_received: at(clocks.2),
                    ..Default::default()
                });
            }).build()
        }
    }

    prop_compose! {
        fn kernels()(
            counters in any::<[u32; 6]>(),
            orphans in proptest::option::of(any::<u32>()),
            max in proptest::option::of(any::<u32>()),
            range in (any::<u16>(), any::<u16>()),
            reserved: u32,
            reuse in proptest::option::of(0u8..4),
        ) -> Facts {
            let [a, b, c, d, e, f] = counters.map(u64::from);
            let counters = Counters {
                listen_overflows: a, syn_queue_drops: b, syn_queue_cookies: c, segments_sent: d,
                segments_retransmitted: e, memory_aborts: f, ..Counters::default()
            };
            Facts {
                ephemeral_ports: Some(PortRange { first: range.0, last: range.1 }),
                ephemeral_reserved: reserved, time_wait_reuse: reuse, orphans, orphans_max: max,
                accept_queue_max: max, counters: Some(counters), ..Facts::default()
            }
        }
    }

    fn samples() -> impl Strategy<Value = (Vec<Socket>, Facts, u64, u32, u64)> {
        (proptest::collection::vec(sockets(), 0..120), kernels(), 0u64..20_000, any::<u32>(), any::<u64>())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn no_store_confuses_it_and_slices_do_not_matter(
            told in proptest::collection::vec(samples(), 1..6),
            slice in 1usize..40,
            low: bool,
        ) {
            let text = "close-wait-many = 1\nfin-wait2-stuck = 1\nsyn-sent-age = 0\nsettled = 0\nchurn = 0.1\nephemeral-ports-warning = 1";
            let thresholds: Thresholds = if low { toml::from_str(text).expect("valid") } else { Thresholds::default() };
            let mut sliced = Diagnosis::new(thresholds.clone());
            let mut machine = Machine::with(thresholds);
            (machine.now_ms, machine.is_wild) = (1_000_000, true);
            for (sockets, facts, pause, used, max) in told {
                machine.now_ms += pause;
                machine.facts = facts;
                machine.descriptors = vec![(process(3, "app").id, descriptors(used, max))];
                machine.sample(sockets);
                sliced.begin(&machine.store);
                while !sliced.advance(&machine.store, &mut slice.clone()) {}
                prop_assert_eq!(sliced.findings(), machine.diagnosis.findings());
                prop_assert_eq!(sliced.left_out(), machine.diagnosis.left_out());
                prop_assert!(sliced.findings().len() <= FINDINGS_MAX);
            }
        }
    }
}

#[test]
fn a_warning_becomes_critical_at_the_critical_limit_and_not_before() {
    let mut machine = Machine::new();
    let mut found = |used: u32| {
        let now = machine.now_ms + 1_000;
        machine.descriptors = vec![(app().id, descriptors(used, 1_000))];
        machine.sample((0..40).map(|nth| leaked(nth, now, 1_000).build()).collect());
        machine.found(Rule::DescriptorLimit).severity
    };
    for used in [850, 900, 945, 945] {
        assert_eq!(found(used), Severity::Warning, "{used}");
    }
    assert_eq!(found(950), Severity::Critical);
    // Back below the limit but near: still critical; then no more.
    assert_eq!([found(900), found(850)], [Severity::Critical, Severity::Warning]);
}

#[test]
fn what_the_last_sample_did_not_list_grows_no_older() {
    let mut machine = Machine::new();
    let waits = |now: u64| {
        tcp(1).local("10.0.0.1:80").remote("10.0.0.9:40000").owner(Owner::Unaccepted).last(now, now, now).build()
    };
    machine.sample(vec![waits(machine.now_ms)]);
    // The next sample comes late, and the connection is over by then: it may be kept, but says nothing.
    machine.now_ms += 30_000;
    assert_eq!(machine.sample(Vec::new()), []);
    assert_eq!(machine.sample(Vec::new()), []);
}

#[test]
fn a_runtime_or_a_tunnel_on_a_known_port_is_nothing_odd() {
    let held = |cookie, port, name: &str| {
        listener(cookie, port).local(&format!("127.0.0.1:{port}")).held_by(&[process(900, name)]).build()
    };
    let mut machine = Machine::new();
    machine.sample(vec![held(1, 7001, "node"), held(2, 9200, "opensearch"), held(3, 5432, "kubectl")]);
    assert_eq!(machine.sentences(), [""; 0]);
    machine.sample(vec![held(4, 6379, "python3")]);
    assert_eq!(machine.found(Rule::UnexpectedListener).why, "an unusual process");
}

#[test]
fn who_does_not_accept_and_whose_queue_is_full_is_told_once() {
    let mut machine = Machine::new();
    let api = process(6002, "report-api");
    let waiting = |nth: u64| tcp(100 + nth).local("10.0.0.1:9090").remote(&format!("10.0.0.9:{}", 40_000 + nth));
    let waiting = |nth: u64| waiting(nth).owner(Owner::Unaccepted).last(9_900_000, 9_900_000, 9_900_000).build();
    let sample = |limit: u32| {
        let listener = listener(1, 9090).queues(9, limit).held_by(std::slice::from_ref(&api)).build();
        std::iter::once(listener).chain((0..9).map(waiting)).collect::<Vec<_>>()
    };
    machine.sample(sample(128));
    assert_eq!(machine.found(Rule::NotAccepted).also, None);
    machine.sample(sample(8));
    assert_eq!(machine.sentences().len(), 1, "{:?}", machine.sentences());
    let full = machine.found(Rule::AcceptQueueFull);
    assert!(full.is_of(Rule::NotAccepted) && full.sentence.contains("oldest"), "{}", full.sentence);
    assert!(full.evidence.iter().any(|one| one.key == "not_accepted"), "{full:?}");
}

/// Listeners of one port: so many wait at each, each held by a worker of its own.
fn reuseport(waiting: &[u32]) -> Vec<Socket> {
    let worker = |(nth, waiting): (u64, &u32)| {
        let held = listener(nth, 9090).local("10.0.0.1:9090").queues(*waiting, 8);
        held.held_by(&[process(100 + u32::try_from(nth).expect("few"), "worker")]).build()
    };
    (0..).zip(waiting).map(worker).collect()
}

/// So many connections of that port that wait since long ago.
fn waiting(len: u64) -> impl Iterator<Item = Socket> {
    let waits = |nth: u64| tcp(1_000 + nth).local("10.0.0.1:9090").remote(&format!("10.0.0.9:{}", 40_000 + nth));
    (0..len).map(move |nth| waits(nth).owner(Owner::Unaccepted).last(9_900_000, 9_900_000, 9_900_000).build())
}

#[test]
fn the_worker_that_hangs_is_named_and_its_healthy_neighbours_are_not() {
    let mut machine = Machine::new();
    for busy in [0, 1, 0, 1] {
        machine.sample(reuseport(&[busy, 5, 0]).into_iter().chain(waiting(5)).collect());
        let found = machine.found(Rule::NotAccepted);
        assert_eq!(
            found.sentence,
            "worker[101] does not accept on 10.0.0.1:9090 (1 of 3 listeners): 5 wait, oldest ≥1m"
        );
        assert_eq!(found.filter, "owner:unaccepted laddr=10.0.0.1 lport=9090 listener=2");
        assert_eq!(machine.sentences().len(), 1, "{:?}", machine.sentences());
    }
}

#[test]
fn one_full_queue_beside_empty_ones_is_one_finding_that_knows_who_waits() {
    let mut machine = Machine::new();
    for second in 0..4u64 {
        machine.facts.counters = Some(Counters { listen_overflows: 100 + second * 7, ..Counters::default() });
        machine.sample(reuseport(&[0, 9, 0]).into_iter().chain(waiting(9)).collect());
    }
    let found = machine.found(Rule::AcceptQueueFull);
    let told = "worker[101] accept queue full on 10.0.0.1:9090 (1 of 3 listeners): 9 of 8, 7/s dropped, ";
    assert!(found.sentence.starts_with(told) && found.sentence.ends_with("oldest ≥1m"), "{}", found.sentence);
    assert!(found.is_of(Rule::NotAccepted));
    assert_eq!(machine.sentences().len(), 1, "{:?}", machine.sentences());
}

#[test]
fn two_stuck_workers_are_both_named_and_what_is_lost_is_said_of_both_together() {
    let mut machine = Machine::new();
    for second in 0..4u64 {
        machine.facts.counters = Some(Counters { listen_overflows: 100 + second * 7, ..Counters::default() });
        machine.sample(reuseport(&[9, 9, 0]).into_iter().chain(waiting(18)).collect());
    }
    let mut sentences = machine.sentences();
    sentences.sort_unstable();
    assert_eq!(sentences.len(), 2, "{sentences:?}");
    for (sentence, who) in sentences.iter().zip(["worker[100]", "worker[101]"]) {
        assert!(sentence.starts_with(who) && sentence.contains(", 7/s dropped at 2 full listeners"), "{sentence}");
    }
    // Not full: one finding that says whose they can be.
    let mut machine = Machine::new();
    machine.sample(reuseport(&[4, 3, 0]).into_iter().chain(waiting(7)).collect());
    let told = "worker[100] or worker[101] does not accept on 10.0.0.1:9090: 7 wait, oldest ≥1m";
    assert_eq!(machine.sentences(), [told]);
}

#[test]
fn listeners_that_one_process_holds_are_told_apart_and_many_full_ones_are_one_finding() {
    let master = [process(1, "nginx")];
    let all = |waiting: &[u32]| {
        let own = |socket: Socket| Socket { owner: listener(0, 0).held_by(&master).build().owner, ..socket };
        reuseport(waiting).into_iter().map(own).collect::<Vec<_>>()
    };
    let mut machine = Machine::new();
    machine.sample(all(&[9, 8, 0]));
    let listeners: Vec<_> = machine.diagnosis.findings().iter().map(|finding| finding.key.listener).collect();
    assert_eq!(listeners.len(), 2, "{:?}", machine.sentences());
    assert!(listeners[0] != listeners[1] && listeners.iter().all(Option::is_some));
    machine.sample(all(&[9; 12]));
    assert_eq!(machine.sentences().len(), 1, "{:?}", machine.sentences());
    assert!(machine.sentences()[0].ends_with("; 11 more there are full, too"), "{:?}", machine.sentences());
}

#[test]
fn a_stuck_worker_that_is_restarted_is_no_finding_any_more() {
    let mut machine = Machine::new();
    machine.sample(reuseport(&[0, 9, 0]).into_iter().chain(waiting(9)).collect());
    assert_eq!(machine.sentences().len(), 1);
    let mut fresh = reuseport(&[0, 0, 0]);
    fresh[1] = listener(77, 9090).local("10.0.0.1:9090").queues(0, 8).held_by(&[process(900, "worker")]).build();
    for _ in 0..2 {
        machine.sample(fresh.clone());
    }
    assert_eq!(machine.sentences(), [""; 0], "nothing outlasts its listener");
    let stuck = Socket { queues: listener(0, 0).queues(9, 8).build().queues, ..fresh[1].clone() };
    fresh[1] = stuck;
    machine.sample(fresh.into_iter().chain(waiting(9)).collect());
    assert!(machine.sentences()[0].starts_with("worker[900] accept queue full"), "{:?}", machine.sentences());
}

#[test]
fn handshakes_that_several_listeners_share_fill_their_queues_together() {
    let half_open = |len: u64| {
        let socket = |nth: u64| tcp(2_000 + nth).local("10.0.0.1:9090").remote(&format!("10.0.0.9:{}", 30_000 + nth));
        (0..len).map(move |nth| socket(nth).state(TcpState::SynRecv).owner(Owner::None).build())
    };
    let mut machine = Machine::new();
    machine.sample(reuseport(&[0, 0, 0]).into_iter().chain(half_open(9)).collect());
    assert_eq!(machine.sentences(), [""; 0], "9 of 24, not 9 of 8");
    machine.sample(reuseport(&[0, 0, 0]).into_iter().chain(half_open(24)).collect());
    let told = machine.found(Rule::SynBacklog).sentence.as_str();
    assert_eq!(told, "SYN queues of 3 listeners full on 10.0.0.1:9090: 24 of 24 half open");
}
