//! Sockets that the kernel empties before it tells of their ends, sockets that no sample shows, and traces with holes: what
//! is not known stays unknown, and everything is reported once.

use super::events::{at, begun, conn, kinds, reported, step};
use super::*;
use crate::model::endpoint::Family;
use crate::model::event::{Caller, Ended, TracedStateChange};
use crate::model::process::{Holders, Names};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState::{Close, Unconn};

/// The end of `socket` as `tcp_disconnect` leaves it: no local address, no remote port, no counters.
fn emptied(socket: &Socket) -> Socket {
    let local = Endpoint::new(Family::Ipv4.unspecified(), socket.local.port);
    let remote = Endpoint::new(socket.remote.addr, 0);
    Socket { local, remote, tcp: Some(TcpInfo::default()), ..socket.clone() }
}

/// The steps of a connection that its own side resets.
fn reset(key: u64, ms: u64, socket: &Socket) -> Vec<TracedStateChange> {
    let connection = [(0, (Close, SynSent)), (1, (SynSent, Established)), (20, (Established, Close))];
    connection.map(|(after, hop)| step(ms + after, key, socket, hop)).into()
}

fn called(mut sample: Snapshot, key: u64, ms: u64, netns: u32) -> Snapshot {
    let process = Arc::new(Holders::new(vec![process(42, "curl")]).expect("there is one"));
    sample.events.callers.push(Caller { at: at(ms), key, process, netns: Some(NetnsId(netns)) });
    sample
}

fn ends(delta: &Delta) -> Vec<(String, Option<String>)> {
    delta
        .transitions
        .iter()
        .map(|step| (step.local_text(&Names::default()), step.remote_text(&Names::default())))
        .collect()
}

#[test]
fn an_emptied_end_says_that_a_socket_is_gone_and_nothing_else() {
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &[(1_500, &emptied(&conn()))], &[]));
    assert_eq!(kinds(&delta), [(1_500, None, None, EventSource::DestroyEvent)], "no opening, no state");
    let end = &delta.transitions[0];
    assert!(
        end.is_emptied
            && !end.is_opening()
            && end.final_counters.is_none()
            && end.lasted.is_none()
            && end.remote.is_unset()
    );
    assert_eq!(ends(&delta), [("?:1031".to_owned(), Some("?".to_owned()))]);
}

#[test]
fn the_trace_says_what_an_emptied_end_does_not() {
    let sample = reported(snapshot::<Socket>(2_000, []), &[(1_500, &emptied(&conn()))], &reset(9, 1_100, &conn()));
    let delta = begun().update(&called(sample, 9, 1_100, 0));
    let traced = |ms, from, to| (ms, from, to, EventSource::Tracepoint);
    let connection = [
        traced(1_100, None, Some(SynSent)),
        traced(1_101, Some(SynSent), Some(Established)),
        traced(1_120, Some(Established), None),
    ];
    assert_eq!(kinds(&delta), connection);
    for step in &delta.transitions {
        assert_eq!((step.local, step.remote, step.id), (conn().local, conn().remote, conn().id));
        assert_eq!((step.owner.label(), step.owner.process().map(|it| it.id.pid)), ("remembered", Some(42)));
        assert!(!step.is_emptied && step.final_counters.is_none());
    }
}

#[test]
fn of_two_traces_that_an_emptied_end_may_be_of_none_is_chosen() {
    let other = Socket { remote: Endpoint::new(conn().remote.addr, 9_999), ..conn() };
    let steps = [reset(9, 1_100, &conn()), reset(8, 1_110, &other)].concat();
    let sample = reported(snapshot::<Socket>(2_000, []), &[(1_500, &emptied(&conn()))], &steps);
    assert_eq!(kinds(&begun().update(&sample)), [(1_500, None, None, EventSource::DestroyEvent)]);
    let delta = begun().update(&called(sample, 8, 1_110, 77));
    assert_eq!(delta.transitions.len(), 3, "the other one was in another namespace: {:?}", delta.transitions);
    assert!(delta.transitions.iter().all(|step| step.remote == conn().remote));
}

#[test]
fn a_socket_that_is_connected_again_and_again_has_several_lives_and_one_end() {
    let second = Socket { remote: Endpoint::new(conn().remote.addr, 7_010), ..conn() };
    let refused = |ms: u64, socket: &Socket| {
        [(0, (Close, SynSent)), (1, (SynSent, Close))].map(|(after, hop)| step(ms + after, 9, socket, hop))
    };
    let steps = [refused(1_100, &conn()), refused(1_200, &second)].concat();
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &[(1_500, &emptied(&conn()))], &steps));
    let traced = |ms, from, to| (ms, from, to, EventSource::Tracepoint);
    let (open, close) = ((None, Some(SynSent)), (Some(SynSent), None));
    let connections =
        [(1_100, open), (1_101, close), (1_200, open), (1_201, close)].map(|(ms, hop)| traced(ms, hop.0, hop.1));
    assert_eq!(kinds(&delta), connections);
    assert_eq!(delta.transitions[3].remote.port, 7_010);
}

#[test]
fn two_emptied_ends_of_one_port_get_a_life_each() {
    let other = Socket { id: tcp(8).build().id, remote: Endpoint::new(conn().remote.addr, 7_010), ..conn() };
    let steps = [reset(9, 1_100, &conn()), reset(9, 1_300, &other)].concat();
    let ended = [(1_500, &emptied(&conn())), (1_500, &emptied(&other))];
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &ended, &steps));
    let opened: Vec<_> = delta.transitions.iter().filter(|it| it.is_opening()).map(|it| (it.id, it.remote)).collect();
    assert_eq!(opened, [(conn().id, conn().remote), (other.id, other.remote)]);
}

#[test]
fn a_connect_that_failed_is_told_when_its_descriptor_is_closed_seconds_later() {
    let mut tracker = begun();
    tracker.update(&reported(snapshot::<Socket>(2_000, []), &[], &reset(9, 1_100, &conn())));
    for second in 3..6 {
        assert_eq!(kinds(&tracker.update(&reported(snapshot::<Socket>(second * 1_000, []), &[], &[]))), []);
    }
    let delta = tracker.update(&reported(snapshot::<Socket>(6_000, []), &[(5_500, &emptied(&conn()))], &[]));
    assert_eq!(delta.transitions.len(), 3);
    assert_eq!(delta.transitions[0].at, at(1_100), "when it happened, not when it was reported");
}

#[test]
fn a_tracked_connection_that_is_emptied_is_gone_at_once_with_what_the_samples_know() {
    let mut tracker = Tracker::new();
    tracker.update(&reported(snapshot(1_000, [conn()]), &[], &[]));
    let delta = tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_500, &emptied(&conn()))], &[]));
    assert_eq!(kinds(&delta), [(1_500, Some(Established), None, EventSource::DestroyEvent)]);
    let end = &delta.transitions[0];
    assert_eq!((end.local, end.remote, end.is_emptied, end.final_counters), (conn().local, conn().remote, false, None));
}

#[test]
fn a_socket_that_is_disconnected_and_connected_anew_is_another_connection() {
    let anew = Socket { local: "10.0.0.1:1032".parse_endpoint(), ..conn() };
    let mut tracker = Tracker::new();
    tracker.update(&reported(snapshot(1_000, [conn()]), &[], &[]));
    let steps = [vec![step(1_100, 9, &conn(), (Established, Close))], reset(9, 1_200, &anew)[..2].to_vec()].concat();
    let delta = tracker.update(&reported(snapshot(2_000, [anew.clone()]), &[], &steps));
    let traced = |ms, from, to| (ms, from, to, EventSource::Tracepoint);
    let expected = [
        traced(1_100, Some(Established), None),
        traced(1_200, None, Some(SynSent)),
        traced(1_201, Some(SynSent), Some(Established)),
    ];
    assert_eq!(kinds(&delta), expected);
    assert_eq!((delta.transitions[0].local, delta.transitions[1].local), (conn().local, anew.local));
    assert_eq!(delta.changed.len(), 1, "one socket, one row");
}

trait ParseEndpoint {
    fn parse_endpoint(&self) -> Endpoint;
}

impl ParseEndpoint for str {
    fn parse_endpoint(&self) -> Endpoint {
        let addr: std::net::SocketAddr = self.parse().expect("an endpoint");
        Endpoint::new(addr.ip(), addr.port())
    }
}

#[test]
fn a_connection_without_a_cookie_ends_once() {
    let row = || tcp(7).bytes(500, 20).last(1_200, 1_250, 1_300).without_cookie();
    for end in [conn(), emptied(&conn())] {
        // Told of before the sample that misses it, and after that.
        for late in [false, true] {
            let mut tracker = begun();
            tracker.update(&reported(snapshot(2_000, [row()]), &[], &[]));
            let (first, second): (&[_], &[_]) = if late { (&[], &[(3_010, &end)]) } else { (&[(2_900, &end)], &[]) };
            let mut all = tracker.update(&reported(snapshot::<Socket>(3_000, []), first, &[])).transitions;
            for (ms, ended) in [(4_000, second), (5_000, &[]), (6_000, &[])] {
                all.extend(tracker.update(&reported(snapshot::<Socket>(ms, []), ended, &[])).transitions);
            }
            let [closed] = &all[..] else {
                panic!("reported once, emptied {}, late {late}: {all:?}", end.local.as_told())
            };
            assert_eq!((closed.from, closed.to), (Some(Established), None));
            assert_eq!((closed.local, closed.remote), (conn().local, conn().remote));
            assert_eq!(closed.id.cookie(), None, "the identity of the row");
        }
    }
}

#[test]
fn listeners_and_udp_sockets_between_two_samples_are_told_as_far_as_they_are_known() {
    let server = listener(5, 80).build();
    let traced = [step(1_100, 3, &server, (Close, Listen)), step(1_200, 3, &server, (Listen, Close))];
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &[(1_201, &server)], &traced));
    let by_trace = |ms, from, to| (ms, from, to, EventSource::Tracepoint);
    assert_eq!(kinds(&delta), [by_trace(1_100, None, Some(Listen)), by_trace(1_200, Some(Listen), None)]);

    let by_event = |ms, from, to| (ms, from, to, EventSource::DestroyEvent);
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &[(1_201, &server)], &[]));
    assert_eq!(kinds(&delta), [by_event(1_201, None, None)], "a listener, or only bound");
    assert_eq!(ends(&delta), [(server.local.as_told(), None)], "its address is its own");

    let socket = udp(6, 53).build();
    let delta = begun().update(&reported(snapshot::<Socket>(2_000, []), &[(1_300, &socket)], &[]));
    assert_eq!(kinds(&delta), [by_event(1_300, None, Some(Unconn)), by_event(1_300, Some(Unconn), None)]);
}

#[test]
fn what_a_trace_tells_before_a_hole_is_told() {
    let connection = [(1_100, (Listen, SynRecv)), (1_101, (SynRecv, Established)), (1_200, (Established, FinWait1))];
    let steps = connection.map(|(ms, hop)| step(ms, 3, &conn(), hop));
    let waiting = tcp(8).mini(TimeWait).timer(TimerKind::TimeWait, 0, 61_300);
    let waiting = waiting.with(|socket| (socket.local, socket.remote) = (conn().local, conn().remote)).build();
    // The socket's memory is used again: then no more can come.
    let reused = [steps.to_vec(), vec![step(1_900, 3, &tcp(9).build(), (Close, SynSent))]].concat();
    for steps in [&steps[..], &reused] {
        let delta = begun().update(&reported(snapshot(2_000, [waiting.clone()]), &[], steps));
        let path: Vec<_> =
            delta.transitions.iter().map(|it| (it.at.as_millis(), it.to, it.skipped, it.source)).collect();
        let expected = [
            (1_100, Some(SynRecv), false, EventSource::Tracepoint),
            (1_101, Some(Established), false, EventSource::Tracepoint),
            (1_200, Some(FinWait1), false, EventSource::Tracepoint),
            (1_300, Some(TimeWait), false, EventSource::Samples),
        ];
        assert_eq!(path, expected);
    }
    let steps = connection.map(|(ms, hop)| step(ms, 3, &conn(), hop));
    let mut tracker = begun();
    let mut all = tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_361, &conn())], &steps)).transitions;
    all.extend(tracker.update(&reported(snapshot::<Socket>(3_000, []), &[], &[])).transitions);
    let end = all.last().expect("its end");
    assert_eq!((all.len(), end.at, end.from, end.to), (4, at(1_361), Some(FinWait1), None));
    assert_eq!(end.source, EventSource::DestroyEvent);
}

#[test]
fn an_attempt_is_told_by_clocks_that_were_never_set() {
    let silent = |ms| tcp(7).bytes(0, 0).last(ms, ms, ms).build();
    for (socket, state) in [(silent(300), SynSent), (silent(1_400), Established)] {
        let mut tracker = begun();
        tracker.update(&reported(snapshot::<Socket>(2_000, []), &[(1_500, &socket)], &[]));
        let delta = tracker.update(&reported(snapshot::<Socket>(3_000, []), &[], &[]));
        assert_eq!(delta.transitions.iter().find_map(|step| step.to), Some(state));
    }
    let end = Ended { at: at(1), socket: emptied(&conn()).reference(), info: Some(TcpInfo::default()) };
    assert!(end.is_emptied() && !end.is_unconnected() && end.final_counters().is_none());
}

#[test]
fn a_time_wait_that_the_trace_dates_begins_then() {
    let connection = [
        (1_100, (Close, SynSent)),
        (1_101, (SynSent, Established)),
        (1_200, (Established, FinWait1)),
        (1_303, (FinWait1, Close)),
    ];
    let steps = connection.map(|(ms, hop)| step(ms, 3, &conn(), hop));
    let waiting = tcp(8).mini(TimeWait).timer(TimerKind::TimeWait, 0, 61_300);
    let waiting = waiting.with(|socket| (socket.local, socket.remote) = (conn().local, conn().remote));
    let delta = begun().update(&reported(snapshot(2_000, [waiting]), &[(1_304, &conn())], &steps));
    let last = delta.transitions.last().expect("it waits");
    assert_eq!(
        (last.at, last.to, last.lasted),
        (at(1_303), Some(TimeWait), Some((Duration::from_millis(103), AgeBasis::Kernel)))
    );
    assert_eq!(age(&delta.added[0]), "1303 kernel");
}
