//! Attempts that fail, resets soon after connecting, and churn told by the ledger: on both sides of each limit.

use std::time::Duration;

use super::*;
use crate::model::delta::{AgeBasis, EventSource, Gap, Transition};
use crate::model::outcome::{EndReport, SocketError};
use crate::model::testing::transition;
use crate::model::time::Timestamp;

use TcpState::{Established, LastAck, SynRecv, SynSent};

const ORDERS: &str = "10.0.0.9:5432";
const REFUSED: EndReport = EndReport::Error(SocketError::Refused);
const RESET: EndReport = EndReport::Error(SocketError::Reset);

/// Attempt number `nth` of a program.
fn attempt(nth: u64) -> SocketBuilder {
    let local = format!("10.0.0.1:{}", 40_000 + nth % 20_000);
    tcp(nth).local(&local).remote(ORDERS).held_by(&[process(7, "app")])
}

/// An attempt that ended at `ms` with `report`, after it had waited so long.
fn failed(nth: u64, ms: u64, waited_ms: u64, report: EndReport) -> Vec<Transition> {
    let lasted = Some((Duration::from_millis(waited_ms), AgeBasis::Kernel));
    let begun = transition(attempt(nth), ms - waited_ms, None, Some(SynSent));
    vec![begun, Transition { lasted, report, ..transition(attempt(nth), ms, Some(SynSent), None) }]
}

/// A connection of `socket` that was established at `ms` and ended `lasted_ms` later, in the state `from`.
fn over(socket: &SocketBuilder, ms: u64, lasted_ms: u64, from: TcpState, report: EndReport) -> Vec<Transition> {
    let lasted = Some((Duration::from_millis(lasted_ms), AgeBasis::Kernel));
    let end = transition(socket.clone(), ms + lasted_ms, Some(from), None);
    vec![transition(socket.clone(), ms, None, Some(Established)), Transition { lasted, report, ..end }]
}

/// A sample a second later that tells these transitions beside what it lists; the severity of what `rule` finds then.
fn told(machine: &mut Machine, rule: Rule, transitions: Vec<Transition>) -> Option<Severity> {
    told_with_gaps(machine, rule, transitions, Vec::new())
}

fn told_with_gaps(machine: &mut Machine, rule: Rule, transitions: Vec<Transition>, gaps: Vec<Gap>) -> Option<Severity> {
    machine.now_ms += 1_000;
    let mut snapshot = snapshot(machine.now_ms, vec![listener(900, 443).held_by(&[process(8, "gate")]).build()]);
    snapshot.facts = Arc::new(machine.facts.clone());
    let mut delta = machine.tracker.update(&snapshot);
    delta.transitions.extend(transitions);
    delta.gaps.extend(gaps);
    machine.store.apply(delta);
    machine.diagnosis.observe(&machine.store);
    machine.check();
    machine.diagnosis.findings().iter().find(|finding| finding.rule() == rule).map(|finding| finding.severity)
}

/// A machine that has been watched for a second.
fn watched(thresholds: Thresholds) -> Machine {
    let mut machine = Machine::with(thresholds);
    told(&mut machine, Rule::Churn, Vec::new());
    machine
}

/// What `rule` finds where so many attempts that succeeded are followed by so many that end with `report`, in one second.
fn of_mix(rule: Rule, succeeded: u64, fail: u64, report: EndReport) -> Option<Severity> {
    let mut machine = watched(Thresholds::default());
    let now = machine.now_ms;
    let mut all = Vec::new();
    (0..fail).for_each(|nth| all.extend(failed(nth, now + 100 + nth * 10, 10, report)));
    all.extend((0..succeeded).map(|nth| transition(attempt(1_000 + nth), now + 900, None, Some(Established))));
    told(&mut machine, rule, all)
}

/// What `rule` finds of so many attempts that all failed, evenly within so many milliseconds.
fn of_row(rule: Rule, fail: u64, within_ms: u64, waited_ms: u64, report: EndReport) -> Option<Severity> {
    let mut machine = watched(Thresholds::default());
    while machine.now_ms < 10_020_000 {
        told(&mut machine, rule, Vec::new());
    }
    // The first of them begins so long before the last one fails.
    let end = machine.now_ms + 900;
    let pause = (within_ms - waited_ms) / (fail - 1);
    let all = (0..fail).flat_map(|nth| failed(nth, end - nth * pause, waited_ms, report)).collect();
    told(&mut machine, rule, all)
}

#[test]
fn five_attempts_in_a_row_that_fail_are_a_finding_unless_they_are_one_try() {
    for (rule, report) in [(Rule::FailingConnects, EndReport::NoError), (Rule::RefusedConnects, REFUSED)] {
        assert_eq!(of_row(rule, 5, 800, 0, report), Some(Severity::Warning), "{rule:?}");
        assert_eq!(of_row(rule, 4, 800, 0, report), None, "{rule:?}");
        assert_eq!(of_row(rule, 5, 500, 0, report), Some(Severity::Warning), "{rule:?}");
        assert_eq!(of_row(rule, 5, 496, 0, report), None, "within less than half a second: {rule:?}");
    }
    assert_eq!(of_row(Rule::RefusedConnects, 5, 800, 0, EndReport::NoError), None, "nobody refused them");
    assert_eq!(of_row(Rule::FailingConnects, 5, 800, 0, REFUSED), None, "they were refused");
}

#[test]
fn two_attempts_are_enough_if_they_waited_for_long() {
    let waited = |ms| of_row(Rule::FailingConnects, 2, 9_000, ms, EndReport::NoError);
    assert_eq!((waited(4_000), waited(3_999)), (Some(Severity::Warning), None));
    let mut machine = watched(Thresholds::default());
    let one = failed(1, machine.now_ms, 9_000, EndReport::NoError);
    assert_eq!(told(&mut machine, Rule::FailingConnects, one), None, "one try of somebody");
}

#[test]
fn where_a_part_fails_it_takes_twice_as_many_and_a_fifth_of_all() {
    for (rule, report) in [(Rule::FailingConnects, EndReport::NoError), (Rule::RefusedConnects, REFUSED)] {
        assert_eq!(of_mix(rule, 40, 10, report), Some(Severity::Warning), "10 of 50: {rule:?}");
        assert_eq!(of_mix(rule, 41, 10, report), None, "10 of 51: {rule:?}");
        assert_eq!(of_mix(rule, 9, 9, report), None, "9 of 18: {rule:?}");
    }
}

#[test]
fn where_nothing_succeeds_for_a_minute_it_is_critical_if_many_were_made() {
    for (pause, expected) in [(5, Some(Severity::Critical)), (12, Some(Severity::Warning))] {
        let mut machine = watched(Thresholds::default());
        let begun = machine.now_ms;
        for second in 1..=63 {
            let now = machine.now_ms;
            let all =
                if second % pause == 0 || second == 1 { failed(second, now + 500, 0, REFUSED) } else { Vec::new() };
            let found = told(&mut machine, Rule::RefusedConnects, all);
            let lasts = machine.now_ms - begun - 500;
            if lasts < 60_000 {
                assert_ne!(found, Some(Severity::Critical), "{lasts} ms");
            } else if lasts > 61_000 {
                assert_eq!(found, expected, "{lasts} ms, one each {pause} s");
            }
        }
    }
}

#[test]
fn who_tries_each_half_minute_is_found_after_some_attempts() {
    let mut machine = watched(Thresholds::default());
    let mut found_after = None;
    for nth in 1..=8u64 {
        for second in 0..30 {
            let now = machine.now_ms;
            let all = if second == 0 { failed(nth, now + 500, 1_000, EndReport::NoError) } else { Vec::new() };
            if told(&mut machine, Rule::FailingConnects, all).is_some() {
                found_after.get_or_insert(nth);
            } else {
                assert_eq!(found_after, None, "it goes on while the attempts do");
            }
        }
    }
    assert_eq!(found_after, Some(5));
}

#[test]
fn a_hundred_ports_that_refuse_once_each_are_no_trouble() {
    let mut machine = watched(Thresholds::default());
    let now = machine.now_ms;
    let scan = (0..100u64).flat_map(|nth| {
        let to_port = move |mut one: Transition| {
            one.remote.port = 1_000 + u16::try_from(nth).expect("small");
            one
        };
        failed(nth, now + nth * 9, 0, REFUSED).into_iter().map(to_port)
    });
    assert_eq!(told(&mut machine, Rule::RefusedConnects, scan.collect()), None);
    assert!(machine.sentences().is_empty(), "{:?}", machine.sentences());
}

/// What is found of so many connections that are reset so soon, beside so many others.
fn of_resets(reset: u64, others: u64) -> Option<Severity> {
    let mut machine = watched(Thresholds::default());
    let now = machine.now_ms;
    let mut all = Vec::new();
    (0..reset).for_each(|nth| all.extend(over(&attempt(nth), now + 100, 50, Established, RESET)));
    (0..others).for_each(|nth| all.extend(over(&attempt(500 + nth), now + 100, 50, LastAck, EndReport::NotReported)));
    told(&mut machine, Rule::ResetAfterAccept, all)
}

#[test]
fn ten_resets_soon_after_connecting_are_a_finding_if_they_are_a_fifth() {
    assert_eq!((of_resets(10, 0), of_resets(9, 0)), (Some(Severity::Warning), None));
    assert_eq!((of_resets(10, 40), of_resets(10, 41)), (Some(Severity::Warning), None));
}

#[test]
fn where_both_ends_are_here_the_server_that_resets_is_named_and_told_once() {
    let mut machine = watched(Thresholds::default());
    let now = machine.now_ms;
    let mut all = Vec::new();
    for nth in 0..30u64 {
        let (near, far) = ("127.0.0.1:443", format!("127.0.0.1:{}", 40_000 + nth));
        let client = tcp(nth).local(&far).remote(near).held_by(&[process(7, "app")]);
        all.extend(over(&client, now + 100, 5, Established, RESET));
        // The holder of the server's end was never seen, and most of its steps were not told.
        if nth < 12 {
            let server = tcp(200 + nth).local(near).remote(&far).owner(Owner::Vanished);
            all.push(transition(server.clone(), now + 99, None, Some(SynRecv)));
            all.push(transition(server.clone(), now + 100, Some(SynRecv), Some(Established)));
            let lasted = Some((Duration::from_millis(5), AgeBasis::Kernel));
            let end = transition(server, now + 105, Some(Established), None);
            all.push(Transition { lasted, report: EndReport::NoError, ..end });
        }
    }
    assert_eq!(told(&mut machine, Rule::ResetAfterAccept, all), Some(Severity::Warning));
    let found = machine.found(Rule::ResetAfterAccept);
    assert_eq!(
        found.sentence,
        "gate[8] loses connections on :443: 30 of 30 connections in 1s reset within a second, by the process itself"
    );
    assert_eq!(machine.diagnosis.findings().len(), 1, "{:?}", machine.sentences());
}

/// After how many seconds so many connections a second that the peer closes first are a finding; `None` if after none.
fn churn_told_after(a_second: u64, seconds: u64) -> Option<u64> {
    let mut machine = watched(Thresholds { churn_elsewhere: 100.0, ..Thresholds::default() });
    (1..=seconds).find(|second| {
        let now = machine.now_ms;
        let one = |nth: u64| over(&attempt(second * 1_000 + nth), now + 500, 1, LastAck, EndReport::NotReported);
        told(&mut machine, Rule::Churn, (0..a_second).flat_map(one).collect()).is_some()
    })
}

#[test]
fn churn_is_found_wherever_time_wait_lies_unless_it_is_a_burst() {
    let after = churn_told_after(100, 15).expect("it is found");
    assert!((4..=7).contains(&after), "after {after} s");
    assert_eq!(churn_told_after(99, 15), None);
    assert_eq!(churn_told_after(400, 3), None, "a burst");
}

#[test]
fn where_events_were_lost_the_rate_is_a_lower_bound_and_the_begin_is_that_of_most() {
    let mut machine = watched(Thresholds { churn_elsewhere: 100.0, ..Thresholds::default() });
    let sentence = |machine: &mut Machine, seconds: u64, lost_at: Option<u64>| {
        for second in 1..=seconds {
            let now = machine.now_ms;
            let mut all = Vec::new();
            for nth in 0..150 {
                // The holder of a few is not found, at the end only.
                let one = attempt(now * 200 + nth);
                let one = if nth == 0 && second > 8 { one.owner(Owner::Vanished) } else { one };
                all.extend(over(&one, now + 500, 1, LastAck, EndReport::NotReported));
            }
            let [from, to] = [now, now + 1_000].map(Timestamp::from_millis);
            let gap = Gap { from, to, lost: Some(3), of: EventSource::Tracepoint };
            let gaps = if lost_at == Some(second) { vec![gap] } else { Vec::new() };
            told_with_gaps(machine, Rule::Churn, all, gaps);
        }
        let found = machine.found(Rule::Churn);
        (found.sentence.clone(), found.since.map(|since| machine.now_ms - since.at.as_millis()))
    };
    let told = "app[7] makes and closes 150 connections/s to 10.0.0.9:5432, which the other end closes first";
    let at_least = told.replace("150", "at least 150");
    assert_eq!(sentence(&mut machine, 9, None), (told.to_owned(), Some(8_500)));
    assert_eq!(sentence(&mut machine, 8, Some(8)).0, at_least);
    assert_eq!(sentence(&mut machine, 15, None).0, told, "that is over");
}

/// After how many seconds what the counters tell of attempts is a finding, where so many a second fail, and one each `every` s,
/// of so many; `None` if after none.
fn counters_told_after(fails: u64, opens: u64, every: u64) -> Option<u64> {
    let mut machine = Machine::new();
    (0..60).find(|second| {
        let times = second / every;
        let (attempt_fails, active_opens) = (500 + times * fails, 9_000 + times * opens);
        machine.facts.counters = Some(Counters { active_opens, attempt_fails, ..Counters::default() });
        told(&mut machine, Rule::RefusedConnects, Vec::new()).is_some()
    })
}

#[test]
fn without_the_trace_the_counters_tell_that_attempts_fail() {
    assert_eq!(counters_told_after(1, 1, 1), Some(10), "ten of them");
    assert_eq!(counters_told_after(2, 10, 1), Some(5), "a fifth of all");
    assert_eq!(counters_told_after(2, 11, 1), None, "less than a fifth");
    assert_eq!(counters_told_after(1, 1, 2), None, "less than one a second");
}
