//! Attempts of groups against made-up transitions.

use std::sync::Arc;

use super::*;
use crate::model::address::Address;
use crate::model::delta::{Delta, Gap, Transition};
use crate::model::event::EventStatus;
use crate::model::facts::{Facts, PortRange};
use crate::model::outcome::{EndReport, SocketError};
use crate::model::tcp_state::TcpState::{Established, SynRecv, SynSent};
use crate::model::testing::{SocketBuilder, connection, destination, listener, process, source_info, tcp, transition};
use crate::store::groups::{by, rows_of};

const DATABASE: &str = "10.0.0.9:5432";
const CACHE: &str = "10.0.0.31:6379";

fn attempt(nth: u64, to: &str) -> SocketBuilder {
    tcp(nth).local(&format!("10.0.0.1:{}", 40_000 + nth)).remote(to).held_by(&[process(7, "app")])
}

/// Attempts at the database: one is refused every second, from second 10 on; and one at the cache, that succeeds in second 12.
fn told() -> Vec<Transition> {
    let refused = |nth: u64| {
        let (ms, report) = (10_000 + nth * 1_000, EndReport::Error(SocketError::Refused));
        let begun = transition(attempt(nth, DATABASE), ms, None, Some(SynSent));
        [begun, Transition { report, ..transition(attempt(nth, DATABASE), ms, Some(SynSent), None) }]
    };
    let mut told: Vec<_> = (0..5).flat_map(refused).collect();
    told.push(transition(attempt(50, CACHE), 12_000, None, Some(SynSent)));
    told.push(transition(attempt(50, CACHE), 12_000, Some(SynSent), Some(Established)));
    told
}

fn store(trace: EventSourceStatus, sockets: &[SocketBuilder], transitions: Vec<Transition>) -> Store {
    let mut store = Store::new(source_info());
    let facts = Facts {
        ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }),
        netns: Some(NetnsId(0)),
        ..Facts::default()
    };
    let added = sockets.iter().map(|socket| connection(socket.clone().build(), 0)).collect();
    let first = Delta { added, facts: Arc::new(facts.clone()), at: Timestamp::from_millis(10_000), ..Delta::default() };
    store.apply(first);
    let event_status = EventStatus { trace, ..EventStatus::default() };
    let at = Timestamp::from_millis(20_000);
    store.apply(Delta { transitions, facts: Arc::new(facts), at, event_status, ..Delta::default() });
    store
}

fn remote(to: &str, port: Option<u16>) -> GroupKey {
    let address: Address = destination(to).address;
    GroupKey::Remote { protocol: Protocol::Tcp, address, netns: NetnsId::default(), port }
}

fn attempts(store: &Store, grouping: Grouping, key: GroupKey) -> Option<GroupAttempts> {
    by(store, grouping).into_iter().find(|group| group.key == key)?.attempts
}

#[test]
fn a_destination_has_its_attempts_even_where_no_socket_is_left_of_them() {
    let store = store(EventSourceStatus::On, &[attempt(50, CACHE), attempt(51, "10.0.0.40:80")], told());
    let groups = by(&store, Grouping::Remote);
    assert_eq!(groups.len(), 3);
    let refusing = groups.iter().find(|group| group.key == remote(DATABASE, Some(5432))).expect("it was tried");
    let since = LastSuccess::NoneSince(Timestamp::from_millis(10_000));
    assert_eq!(refusing.attempts, Some(GroupAttempts { made: 5, failed: 5, success: since }));
    assert_eq!((refusing.sockets(), refusing.peers), (0, 1));
    assert_eq!(refusing.process.as_ref().map(|process| process.name.as_str()), Some("app"));
    assert_eq!(rows_of(&store, refusing.key), []);
    let success = LastSuccess::At(Timestamp::from_millis(12_000));
    let cache = attempts(&store, Grouping::Remote, remote(CACHE, Some(6379)));
    assert_eq!(cache, Some(GroupAttempts { made: 1, failed: 0, success }));
    let idle = attempts(&store, Grouping::Remote, remote("10.0.0.40:80", Some(80)));
    assert_eq!(idle, Some(GroupAttempts::default()), "it was not tried, and that is known");
}

#[test]
fn without_the_trace_nothing_is_told_and_nothing_is_none() {
    for trace in [EventSourceStatus::Off, EventSourceStatus::Refused("no".into())] {
        let store = store(trace, &[attempt(50, CACHE)], told());
        let groups = by(&store, Grouping::Remote);
        assert_eq!(groups.len(), 1, "those with a socket");
        assert_eq!(groups[0].attempts, None);
    }
}

#[test]
fn among_the_sockets_of_a_filter_no_remote_stands_that_has_none() {
    let store = store(EventSourceStatus::On, &[attempt(50, CACHE)], told());
    let mut summing = crate::store::groups::Summing::new(Grouping::Remote);
    while !summing.advance(&store, &mut usize::MAX.clone(), |_| true) {}
    let (groups, _) = summing.into_groups(&store, false);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].attempts.map(|attempts| attempts.made), Some(1));
}

#[test]
fn routes_have_the_attempts_at_their_destination_and_processes_none() {
    let store = store(EventSourceStatus::On, &[attempt(50, CACHE)], told());
    let routes = by(&store, Grouping::PortPool);
    assert_eq!(routes.len(), 1, "a route is about ports, and those that failed take none");
    assert_eq!(routes[0].attempts.map(|attempts| attempts.made), Some(1));
    assert!(by(&store, Grouping::Process).iter().all(|group| group.attempts.is_none()));
}

#[test]
fn a_listener_has_what_came_in_by_it_unless_another_may_have_taken_it() {
    let client = |nth: u64| tcp(nth).local("10.0.0.1:443").remote(&format!("203.0.113.9:{}", 40_000 + nth));
    let came_in = |nth: u64| {
        let begun = transition(client(nth), 15_000, None, Some(SynRecv));
        [begun, transition(client(nth), 15_000, Some(SynRecv), Some(Established))]
    };
    let told = || [came_in(1), came_in(2)].concat();
    let web = |cookie, pid| listener(cookie, 443).held_by(&[process(pid, "nginx")]);
    let of = |store: &Store| -> Vec<Option<u32>> {
        by(store, Grouping::Listener).iter().map(|group| group.attempts.map(|attempts| attempts.made)).collect()
    };
    let other = || listener(902, 80).held_by(&[process(8, "nginx")]);
    let mut found = of(&store(EventSourceStatus::On, &[web(900, 8), other()], told()));
    found.sort_unstable();
    assert_eq!(found, [Some(0), Some(2)]);
    let found = of(&store(EventSourceStatus::On, &[web(900, 8), web(901, 9)], told()));
    assert_eq!(found, [None, None], "nothing tells which of them took the two");
}

#[test]
fn where_events_were_lost_there_were_at_least_so_many() {
    let mut store = store(EventSourceStatus::On, &[], told());
    assert!(!GroupAttempts::are_at_least(&store, AttemptWindow::Minute));
    let mut lose = |of, ms| {
        let to = Timestamp::from_millis(ms);
        let gaps = vec![Gap { from: to, to, lost: Some(7), of }];
        let event_status = EventStatus { trace: EventSourceStatus::On, ..EventStatus::default() };
        store.apply(Delta { gaps, at: to, event_status, ..Delta::default() });
        GroupAttempts::are_at_least(&store, AttemptWindow::Minute)
    };
    assert!(!lose(EventSource::DestroyEvent, 21_000), "the trace tells of attempts");
    assert!(lose(EventSource::Tracepoint, 22_000));
    assert!(!lose(EventSource::DestroyEvent, 122_000), "more than a minute ago");
}
