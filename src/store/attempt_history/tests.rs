//! The ledger against made-up transitions.

use super::*;
use crate::model::facts::PortRange;
use crate::model::outcome::{EndReport, SocketError};
use crate::model::testing::{SocketBuilder, destination, listener, process, tcp, transition};

use TcpState::{CloseWait, Established, LastAck, SynRecv, SynSent, TimeWait};

const ORDERS: &str = "10.0.0.9:5432";

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A ledger that has watched since 100 s after boot.
fn ledger() -> AttemptHistory {
    let mut ledger = AttemptHistory::default();
    ledger.push(at(100_000), &[], &facts());
    ledger
}

fn facts() -> Facts {
    Facts { ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }), ..Facts::default() }
}

fn attempt(nth: u64) -> SocketBuilder {
    tcp(nth).local(&format!("10.0.0.1:{}", 40_000 + nth % 20_000)).remote(ORDERS).held_by(&[process(7, "app")])
}

fn key(name: &str, to: &str) -> AttemptKey {
    AttemptKey::To { program: Program::Named(name.into()), to: destination(to), netns: NetnsId(0) }
}

/// The attempt `socket`, begun `waited_ms` before `ms`, when it ended with `report`.
fn failed(socket: SocketBuilder, ms: u64, waited_ms: u64, report: EndReport) -> [Transition; 2] {
    let lasted = Some((Duration::from_millis(waited_ms), AgeBasis::Kernel));
    let begun = transition(socket.clone(), ms - waited_ms, None, Some(SynSent));
    [begun, Transition { lasted, report, ..transition(socket, ms, Some(SynSent), None) }]
}

const REFUSED: EndReport = EndReport::Error(SocketError::Refused);

#[test]
fn attempts_are_counted_by_what_became_of_them() {
    let mut ledger = ledger();
    let of = |nth, report| failed(attempt(nth), 100_500, 200, report);
    let mut told: Vec<Transition> = Vec::new();
    told.extend(of(1, REFUSED));
    told.extend(of(2, EndReport::Error(SocketError::TimedOut)));
    told.extend(of(3, EndReport::Error(SocketError::Unreachable)));
    told.extend(of(4, EndReport::NoError));
    told.extend(of(5, EndReport::NotReported));
    told.push(transition(attempt(6), 100_600, None, Some(SynSent)));
    told.push(transition(attempt(6), 100_601, Some(SynSent), Some(Established)));
    told.push(transition(attempt(7), 100_700, None, Some(Established)));
    ledger.push(at(101_000), &told, &facts());
    let entry = ledger.get(&key("app", ORDERS)).expect("it is there");
    for window in [AttemptWindow::Moment, AttemptWindow::Minute, AttemptWindow::Quarter] {
        let counts = ledger.counts(entry, window);
        assert_eq!((counts.begun(), counts.succeeded(), counts.failed(), counts.decided()), (7, 2, 5, 7));
        assert_eq!((counts.refused(), counts.timed_out(), counts.unreachable()), (1, 1, 1));
        assert_eq!((counts.given_up(), counts.failed_unknown()), (1, 1));
        assert_eq!(ledger.over(window), Duration::from_secs(1));
    }
}

#[test]
fn ends_of_connections_are_counted_by_who_closed_and_how_soon() {
    let mut ledger = ledger();
    let end = |nth, from, lasted_ms, report| {
        let lasted = Some((Duration::from_millis(lasted_ms), AgeBasis::Kernel));
        Transition { lasted, report, ..transition(attempt(nth), 100_500, Some(from), None) }
    };
    let reset = EndReport::Error(SocketError::Reset);
    let told = [
        transition(attempt(1), 100_400, Some(Established), Some(TimeWait)),
        end(1, TimeWait, 60_000, EndReport::NotReported),
        end(2, LastAck, 1, EndReport::NotReported),
        end(3, Established, 800, reset),
        end(4, Established, 1_200, reset),
        end(5, Established, 800, EndReport::NoError),
        end(6, Established, 800, EndReport::NotReported),
        end(7, CloseWait, 800, reset),
    ];
    ledger.push(at(101_000), &told, &facts());
    let counts = ledger.counts(ledger.get(&key("app", ORDERS)).expect("it is there"), AttemptWindow::Moment);
    assert_eq!((counts.closed_here(), counts.closed_by_peer()), (1, 1), "TIME_WAIT is counted when it begins");
    assert_eq!((counts.reset_early(), counts.reset_early_here(), counts.reset_otherwise()), (1, 1, 2));
    assert_eq!((counts.ended_unknown(), counts.ended()), (1, 7));
}

#[test]
fn what_came_in_is_told_by_its_listener_and_never_by_the_peers_port() {
    let mut ledger = ledger();
    let web = listener(900, 443).held_by(&[process(8, "nginx")]).build();
    ledger.see(&web);
    let client = |nth: u64| tcp(nth).local("10.0.0.1:443").remote(&format!("203.0.113.9:{}", 40_000 + nth));
    let told = [
        transition(client(1), 100_100, None, Some(SynRecv)),
        transition(client(1), 100_101, Some(SynRecv), Some(Established)),
        transition(client(2), 100_200, None, Some(Established)),
    ];
    ledger.push(at(101_000), &told, &facts());
    let on = |listener| AttemptKey::On { listener, port: 443, netns: NetnsId(0) };
    let entry = ledger.get(&on(Some(web.id))).expect("one listener");
    assert_eq!(ledger.counts(entry, AttemptWindow::Moment).succeeded(), 2);

    // A second one on the same port: who holds the connection tells, else nobody.
    let other = listener(901, 443).held_by(&[process(9, "nginx")]).build();
    ledger.see(&other);
    let told = [
        transition(client(3).held_by(&[process(9, "nginx")]), 101_200, None, Some(Established)),
        transition(client(4), 101_200, None, Some(Established)),
    ];
    ledger.push(at(102_000), &told, &facts());
    for key in [on(Some(other.id)), on(None)] {
        assert_eq!(
            ledger.counts(ledger.get(&key).expect("it is there"), AttemptWindow::Moment).succeeded(),
            1,
            "{key:?}"
        );
    }
    // After the listeners are gone a connection is still no attempt of ours.
    let gone = [&web, &other].map(|gone| transition(gone.clone(), 102_100, Some(TcpState::Listen), None));
    ledger.push(at(103_000), &gone, &facts());
    ledger.push(at(104_000), &[transition(client(5), 103_500, Some(Established), None)], &facts());
    assert_eq!(ledger.counts(ledger.get(&on(None)).expect("it is there"), AttemptWindow::Moment).ended_unknown(), 1);
    assert_eq!(ledger.listening.len(), 0);
}

#[test]
fn processes_of_one_program_after_one_another_are_one_entry() {
    let mut ledger = ledger();
    for second in 0..100u64 {
        let pid = 1_000 + u32::try_from(second).expect("small");
        let curl = attempt(second).held_by(&[process(pid, "curl")]);
        ledger.push(at(101_000 + second * 1_000), &failed(curl, 100_900 + second * 1_000, 500, REFUSED), &facts());
    }
    assert_eq!(ledger.entries().count(), 1);
    let entry = ledger.get(&key("curl", ORDERS)).expect("it is there");
    assert_eq!(entry.processes(), (PROCESSES_MAX, true), "at least so many");
    assert_eq!(entry.process().map(|process| process.id.pid), Some(1_000), "the first of the trouble stands for all");
    let row = entry.row().expect("all failed");
    assert_eq!((row.failures, row.since), (100, at(100_400)));
    assert_eq!((row.waited, row.last_waited), (Duration::from_secs(50), Some(Duration::from_millis(500))));
}

#[test]
fn a_success_ends_the_row_and_attempts_from_before_it_begin_none() {
    let mut ledger = ledger();
    let push = |ledger: &mut AttemptHistory, ms: u64, told: &[Transition]| ledger.push(at(ms), told, &facts());
    push(&mut ledger, 101_000, &failed(attempt(1), 100_800, 500, EndReport::NoError));
    push(&mut ledger, 102_000, &[transition(attempt(2), 101_500, None, Some(Established))]);
    let row = |ledger: &AttemptHistory| ledger.get(&key("app", ORDERS)).and_then(AttemptRecord::row);
    assert_eq!(row(&ledger), None);
    push(&mut ledger, 103_000, &failed(attempt(3), 102_000, 1_000, EndReport::NoError));
    assert_eq!(row(&ledger), None, "it began before the success");
    push(&mut ledger, 104_000, &failed(attempt(4), 103_900, 1_000, EndReport::NoError));
    assert_eq!(row(&ledger).map(|row| (row.since, row.failures)), Some((at(102_900), 1)));
}

#[test]
fn a_condition_outlasts_the_windows_and_ends_when_nobody_tries_any_more() {
    let mut ledger = ledger();
    let mut now = 100_000;
    for nth in 0..200 {
        now += 20_000;
        ledger.push(at(now), &failed(attempt(nth), now - 100, 5_000, EndReport::NoError), &facts());
    }
    let entry = ledger.get(&key("app", ORDERS)).expect("it is there");
    assert_eq!(entry.row().map(|row| row.since), Some(at(114_900)), "an hour ago");
    assert_eq!(ledger.counts(entry, AttemptWindow::Quarter).failed(), 46, "15 minutes, and one that is not over");
    assert!(entry.goes_on(at(now + 50_000)) && !entry.goes_on(at(now + 70_000)), "three times 20 s");
}

#[test]
fn old_slots_are_forgotten_and_a_burst_is_not_steady() {
    let mut ledger = ledger();
    let open = |second: u64| {
        (0..50).map(move |nth| transition(attempt(second * 50 + nth), second * 1_000, None, Some(Established)))
    };
    for second in 101..=110 {
        let told: Vec<_> = open(second).collect();
        ledger.push(at(second * 1_000), &told, &facts());
    }
    let steady = |ledger: &AttemptHistory, seconds| {
        let entry = ledger.get(&key("app", ORDERS)).expect("it is there");
        ledger.slots(entry, AttemptCounts::succeeded).steady(Duration::from_secs(seconds))
    };
    let is = |rate: f64, expected: f64| (rate - expected).abs() < 1e-9;
    assert!(is(steady(&ledger, 6), 50.0) && is(steady(&ledger, 60), 0.0));
    for second in 111..=114 {
        ledger.push(at(second * 1_000), &[], &facts());
    }
    assert!(is(steady(&ledger, 6), 0.0));
    let count = |ledger: &AttemptHistory, window| {
        ledger.counts(ledger.get(&key("app", ORDERS)).expect("it is there"), window).succeeded()
    };
    ledger.push(at(180_000), &[], &facts());
    assert_eq!(
        [AttemptWindow::Moment, AttemptWindow::Minute, AttemptWindow::Quarter].map(|window| count(&ledger, window)),
        [0, 0, 500]
    );
    ledger.push(at(1_200_000), &[], &facts());
    assert_eq!(count(&ledger, AttemptWindow::Quarter), 0);
}

#[test]
fn what_nobody_can_place_is_counted_as_such() {
    let mut ledger = ledger();
    let emptied = tcp(1).remote("0.0.0.0:0").local("0.0.0.0:40001");
    let told = [Transition { is_emptied: true, ..transition(emptied, 100_500, None, None) }];
    ledger.push(at(101_000), &told, &facts());
    assert_eq!((ledger.unplaced(AttemptWindow::Moment), ledger.entries().count()), (1, 0));
    let unknown = attempt(2).owner(Owner::Vanished);
    ledger.push(at(102_000), &failed(unknown, 101_500, 10, REFUSED), &facts());
    let to =
        AttemptKey::To { program: Program::Unknown(NoProcess::Vanished), to: destination(ORDERS), netns: NetnsId(0) };
    assert!(ledger.get(&to).is_some(), "a key of its own");
}

#[test]
fn it_is_bounded_and_says_when_it_is_full() {
    let mut ledger = ledger();
    let crawl = |from: u32, to: u32, ms: u64| {
        let socket = move |nth: u32| {
            let [_, b, c, d] = nth.to_be_bytes();
            attempt(nth.into()).with(|socket| socket.remote.addr = [10, b, c, d].into())
        };
        (from..to).flat_map(|nth| failed(socket(nth), ms, 10, REFUSED)).collect::<Vec<_>>()
    };
    let most = u32::try_from(LEDGER_LEN_MAX).expect("small");
    ledger.push(at(101_000), &crawl(0, most, 100_500), &facts());
    assert!(!ledger.is_full());
    ledger.push(at(103_000), &crawl(most, most + 10, 102_500), &facts());
    assert!(ledger.is_full() && ledger.entries().count() == LEDGER_LEN_MAX);
    ledger.push(at(200_000), &crawl(most, most + 10, 199_500), &facts());
    assert!(!ledger.is_full(), "what was idle gave way");
    assert_eq!(ledger.entries().count(), 10);
}

#[test]
fn a_listener_udp_and_mptcp_are_no_attempts() {
    let mut ledger = ledger();
    let mptcp = attempt(1).with(|socket| socket.protocol = Protocol::Mptcp);
    let told = [
        transition(listener(2, 80), 100_500, None, Some(TcpState::Listen)),
        transition(crate::model::testing::udp(3, 53), 100_500, None, Some(TcpState::Unconn)),
        transition(mptcp, 100_500, None, Some(Established)),
    ];
    ledger.push(at(101_000), &told, &facts());
    assert_eq!((ledger.entries().count(), ledger.unplaced(AttemptWindow::Quarter)), (0, 0));
}
