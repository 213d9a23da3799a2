//! Which findings explain which, and that folding loses and invents nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::diagnosis::finding::Severity;
use crate::diagnosis::finding::testing::finding;
use crate::diagnosis::rule::Rule;
use crate::model::address::Destination;
use crate::model::delta::Delta;
use crate::model::descriptors::Descriptors;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{connection, destination, listener, process, source_info, tcp};

fn on(text: &str) -> FindingScope {
    FindingScope::On(destination(text))
}

fn to(text: &str) -> FindingScope {
    FindingScope::To(destination(text))
}

/// A listener on every address that is full, one on 10.0.0.7, clients of both, and one of another host.
fn store() -> Store {
    let mut store = Store::new(source_info());
    let client = |cookie, local, remote| tcp(cookie).local(local).remote(remote).state(TcpState::SynSent);
    let sockets = vec![
        listener(1, 8000).queues(9, 8),
        listener(2, 9000).local("10.0.0.7:9000").queues(9, 8),
        client(11, "127.0.0.1:40001", "127.0.0.1:8000"),
        client(12, "10.0.0.7:40002", "10.0.0.7:8000"),
        client(13, "10.0.0.7:40003", "10.0.0.9:8000"),
        client(14, "10.0.0.3:40004", "10.0.0.7:9000"),
        // Another namespace: a client of a server that waits there, and one of its namesake elsewhere.
        client(15, "172.17.0.2:40005", "172.17.0.3:8000").netns(6),
        client(16, "172.17.0.9:40006", "172.17.0.3:8000").netns(7),
        tcp(17).local("172.17.0.3:8000").remote("172.17.0.2:40001"),
    ];
    let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    let usage = |pid: u32, used: u32| {
        let usage = Descriptors { used, max: Some(256), ..Descriptors::default() };
        (process(pid, &format!("program-{}", pid % 10)).id, usage)
    };
    store.apply(Delta {
        added,
        descriptors: Arc::new(vec![usage(1, 256), usage(2, 250), usage(3, 256)]),
        ..Delta::default()
    });
    store
}

fn id(cookie: u64, netns: u32) -> SocketId {
    SocketId::from_cookie(cookie, NetnsId(netns))
}

fn full(cookie: u64, place: &str) -> Finding {
    let mut full = finding(Rule::AcceptQueueFull, 1, on(place), 9);
    full.key.listener = Some(id(cookie, 0));
    full
}

fn stuck(cookie: u64, netns: u32, place: &str) -> Finding {
    let mut stuck = finding(Rule::SynSentStuck, 5, to(place), 3);
    (stuck.key.netns, stuck.examples) = (NetnsId(netns), vec![id(cookie, netns)]);
    stuck
}

/// Whether the first explains the second.
fn explains(cause: Finding, effect: Finding) -> bool {
    let (sockets, rule) = (effect.sockets, effect.rule());
    let mut findings = vec![effect, cause];
    fold(&mut findings, &store());
    match findings.as_slice() {
        [one] => {
            assert_eq!((one.caused.listed.len(), one.caused.listed[0].sockets, one.is_of(rule)), (1, sockets, true));
            true
        }
        _ => false,
    }
}

#[test]
fn no_rule_explains_itself_over_whatever_ways() {
    fn reaches(from: Rule, to: Rule, seen: &mut BTreeSet<Rule>) -> bool {
        let next = LINKS.iter().filter(|link| link.cause == from && link.effect != link.cause);
        next.into_iter().any(|link| link.effect == to || seen.insert(link.effect) && reaches(link.effect, to, seen))
    }
    for &rule in Rule::ALL {
        assert!(!reaches(rule, rule, &mut BTreeSet::new()), "{}", rule.id());
    }
    for link in LINKS.iter().filter(|link| link.cause == link.effect) {
        // By the order of the findings, or a place that explains what is said of the machine, which explains nothing.
        let is_ordered = std::ptr::eq(link.by, &raw const OTHER_PORT) || std::ptr::eq(link.by, &raw const RESENT_TO);
        assert!(is_ordered, "{:?}", link.cause);
    }
}

#[test]
fn a_full_queue_explains_its_own_clients_and_nobody_elses() {
    for (listens, cookie, client, place, is_explained) in [
        ("0.0.0.0:8000", 1, 11, "127.0.0.1:8000", true),
        ("0.0.0.0:8000", 1, 12, "10.0.0.7:8000", true),
        ("0.0.0.0:8000", 1, 13, "10.0.0.9:8000", false),
        ("10.0.0.7:9000", 2, 14, "10.0.0.7:9000", true),
        ("10.0.0.7:9000", 2, 12, "10.0.0.7:8000", false),
    ] {
        assert_eq!(explains(full(cookie, listens), stuck(client, 0, place)), is_explained, "{listens} {place}");
    }
    // Sockets that are gone: only a loopback address is known to be here.
    assert!(explains(full(1, "0.0.0.0:8000"), stuck(99, 0, "127.0.0.1:8000")));
    assert!(!explains(full(1, "0.0.0.0:8000"), stuck(99, 0, "10.0.0.7:8000")));
    assert!(!explains(full(1, "[::]:8000"), stuck(99, 0, "127.0.0.1:8000")));
}

#[test]
fn a_client_of_another_namespace_is_explained_by_a_neighbour_that_waits() {
    let mut full = full(1, "0.0.0.0:8000");
    assert!(!explains(full.clone(), stuck(15, 6, "172.17.0.3:8000")), "nothing is known of who waits");
    full.examples = vec![id(17, 0)];
    assert!(explains(full.clone(), stuck(15, 6, "172.17.0.3:8000")));
    assert!(!explains(full, stuck(16, 7, "172.17.0.3:8000")), "from an address that does not wait there");
}

#[test]
fn a_dead_host_explains_what_is_seen_of_it_and_loopback_is_no_host() {
    let stuck = |place| finding(Rule::SynSentStuck, 5, to(place), 3);
    let gone = |place| finding(Rule::DeadPeer, 6, to(place), 2);
    assert!(explains(stuck("10.0.0.2:80"), gone("10.0.0.2:443")));
    assert!(explains(stuck("10.0.0.2:80"), stuck("10.0.0.2:443")));
    assert!(!explains(stuck("10.0.0.2:80"), gone("10.0.0.3:80")));
    assert!(!explains(stuck("127.0.0.1:80"), gone("127.0.0.1:443")));
    let mut elsewhere = gone("10.0.0.2:443");
    elsewhere.key.netns = NetnsId(4);
    assert!(!explains(stuck("10.0.0.2:80"), elsewhere), "the same address in another namespace is another host");
}

#[test]
fn who_has_no_descriptor_left_cannot_accept_and_a_leak_says_why() {
    let limit = |pid| finding(Rule::DescriptorLimit, pid, FindingScope::Process, 40);
    let queue = |pid| finding(Rule::NotAccepted, pid, on("0.0.0.0:8000"), 9);
    let leak = |pid, sockets| finding(Rule::CloseWaitLeak, pid, to("10.0.0.5:5432"), sockets);
    assert!(explains(limit(1), queue(1)));
    assert!(!explains(limit(2), queue(2)), "6 of 256 are left");
    assert!(!explains(limit(1), queue(3)), "another process");
    assert!(explains(leak(2, 125), limit(2)));
    assert!(!explains(leak(2, 124), limit(2)), "fewer than half of 250");
    let growing = |finding: Finding, per_minute| {
        let slope = Slope { per_minute, over: Duration::from_secs(3 * 60), confidence: 0.99 };
        Finding { slope: Some(slope), ..finding }
    };
    assert!(explains(growing(leak(2, 20), 4.0), growing(limit(2), 4.2)), "it grows as they do");
    assert!(!explains(growing(leak(2, 20), 4.0), growing(limit(2), 9.0)));
    // A chain has one beginning, which is told first.
    let mut findings = vec![queue(1), limit(1), leak(1, 200)];
    fold(&mut findings, &store());
    let [one] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(one.rule(), Rule::CloseWaitLeak);
    let caused: Vec<_> = one.caused.listed.iter().map(|caused| (caused.rule, caused.sockets)).collect();
    assert_eq!(caused, [(Rule::NotAccepted, 9), (Rule::DescriptorLimit, 40)]);
}

#[test]
fn who_holds_the_other_ends_explains_what_is_seen_from_here() {
    let mut store = Store::new(source_info());
    let ends = |cookie, local: &str, remote: &str, pid: u32| {
        let socket = tcp(cookie).local(local).remote(remote);
        socket.held_by(&[process(pid, &format!("program-{pid}"))]).queues(9_000, 0)
    };
    let sockets = [
        ends(1, "10.0.0.1:9001", "10.0.0.1:40001", 3).state(TcpState::CloseWait),
        ends(2, "10.0.0.1:40001", "10.0.0.1:9001", 4).state(TcpState::FinWait2),
        ends(3, "10.0.0.1:40002", "10.0.0.9:9001", 4).state(TcpState::FinWait2),
    ];
    let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    store.apply(Delta { added, ..Delta::default() });
    let folded = |holder, examples: &[u64]| {
        let waits = finding(Rule::FinWait2Stuck, 4, to("10.0.0.1:9001"), 2);
        let examples = examples.iter().map(|cookie| id(*cookie, 0)).collect();
        let mut findings =
            vec![Finding { examples, ..waits }, finding(Rule::CloseWaitLeak, holder, FindingScope::Process, 5)];
        fold(&mut findings, &store);
        findings.len()
    };
    assert_eq!([folded(3, &[2]), folded(5, &[2]), folded(3, &[2, 3])], [1, 2, 2]);
}

#[test]
fn a_host_to_which_nearly_all_is_sent_again_explains_what_is_said_of_the_machine() {
    let mut store = Store::new(source_info());
    let sends = |cookie, to, again| tcp(cookie).remote(to).info(move |info| info.retransmits_total = again).build();
    let mut tracker = crate::tracker::Tracker::new();
    for (second, again) in [(1, 0), (2, 95)] {
        let sockets = vec![sends(1, "10.0.0.2:443", again), sends(2, "10.0.0.3:443", again / 19)];
        store.apply(tracker.update(&crate::model::testing::snapshot(1_000_000 + second * 1_000, sockets)));
    }
    let folded = |place| {
        let mut findings =
            vec![finding(Rule::Retransmitting, 1, FindingScope::Machine, 0), finding(Rule::DeadPeer, 6, to(place), 2)];
        fold(&mut findings, &store);
        findings.len()
    };
    assert_eq!((folded("10.0.0.2:80"), folded("10.0.0.3:443")), (1, 2));
}

#[test]
fn a_cause_is_as_bad_as_what_it_explains_and_loses_none_of_many() {
    let worse = Finding { severity: Severity::Critical, ..stuck(11, 0, "127.0.0.1:8000") };
    let mut findings = vec![full(1, "0.0.0.0:8000"), worse];
    for pid in 20..40 {
        findings.push(finding(Rule::ZeroWindow, pid, to("127.0.0.1:8000"), pid));
        findings.last_mut().expect("just put").key.program = Some(ProgramName::named(&pid.to_string()));
    }
    fold(&mut findings, &store());
    let [one] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((one.severity, one.caused.listed.len(), one.caused.more), (Severity::Critical, CAUSED_LISTED_MAX, 13));
    assert!(one.is_of(Rule::ZeroWindow) && one.is_of(Rule::SynSentStuck));
    assert_eq!(one.caused.listed[1].sockets, 39, "those with most first");
    assert_eq!(one.caused.lines().last().as_deref(), Some("13 more findings"));
}

fn places() -> impl Strategy<Value = FindingScope> {
    let addresses = ["0.0.0.0:8000", "127.0.0.1:8000", "10.0.0.7:9000", "10.0.0.2:80", "10.0.0.2:443", "[::]:8000"];
    let ends = proptest::sample::select(addresses.map(destination).to_vec());
    let end = |place: fn(Destination) -> FindingScope| move |end| place(end);
    prop_oneof![
        Just(FindingScope::Machine),
        Just(FindingScope::Process),
        ends.clone().prop_map(end(FindingScope::To)),
        ends.prop_map(end(FindingScope::On))
    ]
}

prop_compose! {
    fn findings()(
        rule in 0..Rule::ALL.len(), pid in 1u32..6, place in places(), sockets in 0u32..1_000, netns in 0u32..2,
        listener in proptest::option::of(1u64..3), critical: bool, examples in proptest::collection::vec(1u64..20, 0..3),
    ) -> Finding {
        let mut finding = finding(Rule::ALL[rule], pid, place, sockets);
        finding.key.netns = NetnsId(netns);
        finding.key.listener = listener.map(|cookie| id(cookie, 0));
        finding.examples = examples.into_iter().map(|cookie| id(cookie, 0)).collect();
        finding.severity = if critical { Severity::Critical } else { Severity::Warning };
        finding
    }
}

/// How many findings are told, with how many sockets, of each rule.
fn told(findings: &[Finding]) -> (u64, u64, BTreeMap<Rule, u64>) {
    let (mut number, mut sockets, mut rules) = (0, 0, BTreeMap::new());
    for finding in findings {
        number += 1 + finding.caused.listed.len() as u64 + u64::from(finding.caused.more);
        sockets += u64::from(finding.sockets) + finding.caused.more_sockets;
        *rules.entry(finding.rule()).or_default() += 1;
        for caused in &finding.caused.listed {
            sockets += u64::from(caused.sockets);
            *rules.entry(caused.rule).or_default() += 1;
        }
    }
    (number, sockets, rules)
}

proptest! {
    #[test]
    fn folding_loses_and_invents_nothing_and_does_not_depend_on_the_order(
        found in proptest::collection::vec(findings(), 0..60),
        turn in 0usize..60,
    ) {
        let store = store();
        let unique: BTreeMap<FindingKey, Finding> = found.into_iter().map(|one| (one.key, one)).collect();
        let before: Vec<Finding> = unique.into_values().collect();
        let mut folded = before.clone();
        fold(&mut folded, &store);
        let (was, is) = (told(&before), told(&folded));
        prop_assert_eq!((was.0, was.1), (is.0, is.1), "findings and sockets");
        let is_told = |rule: Rule| folded.iter().any(|finding| finding.is_of(rule));
        prop_assert!(was.2.keys().all(|rule| is_told(*rule)), "a rule that found something is among what is told");
        let worst = |findings: &[Finding]| findings.iter().map(|finding| finding.severity).max();
        prop_assert_eq!(worst(&before), worst(&folded));
        let mut other_way = before.clone();
        other_way.reverse();
        other_way.rotate_left(turn % before.len().max(1));
        fold(&mut other_way, &store);
        prop_assert_eq!(&other_way, &folded);
        // What is folded is not folded further.
        let mut again = folded.clone();
        fold(&mut again, &store);
        prop_assert_eq!(told(&again).1, is.1);
    }
}
