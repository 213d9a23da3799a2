//! Partial samples on the real kernel: what they see at once, what they leave alone, and that nothing is lost.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{Connection, Delta, EventSource, Transition};
use conntop::model::endpoint::Protocol;
use conntop::model::event::EventSourceStatus;
use conntop::model::snapshot::Needs;
use conntop::model::socket::{Socket, SocketRef};
use conntop::model::tcp_state::TcpState::{self, Close, CloseWait, Established, FinWait2, SynSent, TimeWait};
use conntop::source::Choice;

use crate::namespace;
use crate::skip::skip;
use crate::tracked_source::{TIMEOUT, TrackedSource};

/// Connections of a peer that is killed.
const COUNT: u32 = 50;

/// Opens a tracked source and takes its first full samples; from now on all are partial.
fn open_partial() -> TrackedSource {
    let mut tracked = TrackedSource::open(&Choice::Linux);
    assert!(tracked.source.has_parts(&Needs::default()));
    tracked.sample_compared(true);
    assert!(tracked.snapshot.scope.is_all(), "the first partial sample begins with a full one");
    tracked.sample_compared(true);
    assert!(!tracked.snapshot.scope.is_all());
    tracked
}

/// The same with the trace, which tells every change of state; `None` where there is none.
fn open_traced() -> Option<TrackedSource> {
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    let status = &tracked.snapshot.events.event_status;
    if status.trace != EventSourceStatus::On {
        skip(&format!("there is no trace of states: {status:?}"));
        return None;
    }
    tracked.sample_compared(true);
    make_sure_of_trace(&mut tracked);
    Some(tracked)
}

/// Samples until every change is told: the trace is of the whole machine, whose other programs can fill its rings.
fn make_sure_of_trace(tracked: &mut TrackedSource) {
    let deadline = Instant::now() + TIMEOUT;
    while tracked.snapshot.scope.is_all() || !tracked.snapshot.scope.has_told_changes() {
        assert!(Instant::now() < deadline, "steps are lost each time");
        tracked.sample_compared(false);
        tracked.sample_compared(true);
    }
}

impl TrackedSource {
    fn part(&mut self) -> Delta {
        self.sample_compared(true)
    }

    /// Takes partial samples until their deltas have `done` it, all of which are given.
    fn parts_until(&mut self, what: &str, done: impl Fn(&[Delta]) -> bool) -> Vec<Delta> {
        let (mut deltas, deadline) = (Vec::new(), Instant::now() + TIMEOUT);
        while !done(&deltas) {
            assert!(Instant::now() < deadline, "it never happened that {what}; seen: {:?}", steps(&deltas));
            deltas.push(self.part());
            sleep(Duration::from_millis(10));
        }
        deltas
    }

    fn reference(&self, local: u16, remote: u16) -> SocketRef {
        let there = |socket: &&Socket| (socket.local.port, socket.remote.port) == (local, remote);
        self.snapshot.sockets.iter().find(there).expect("it is listed").reference()
    }
}

type Step = (u16, Option<TcpState>, Option<TcpState>);

fn steps(deltas: &[Delta]) -> Vec<Step> {
    let step = |step: &Transition| (step.local.port, step.from, step.to);
    deltas.iter().flat_map(|delta| &delta.transitions).map(step).collect()
}

fn pair() -> (TcpStream, TcpStream, (u16, u16)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    let (server, _) = listener.accept().expect("a connection");
    let port = |end: &TcpStream| end.local_addr().expect("bound").port();
    let ports = (port(&client), port(&server));
    (client, server, ports)
}

#[test]
fn a_half_close_is_seen_by_the_next_partial_sample() {
    if !namespace::inside_namespace() {
        return;
    }
    let (client, server, (near, far)) = pair();
    let mut tracked = open_partial();
    client.shutdown(Shutdown::Write).expect("it is connected");
    // Who reads the end of the stream is in CLOSE_WAIT; the acknowledgement may be delayed.
    assert_eq!(server.peek(&mut [0; 1]).expect("it is connected"), 0);
    let delta = tracked.part();
    assert!(steps(&[delta]).contains(&(far, Some(Established), Some(CloseWait))));
    let deltas = tracked.parts_until("nothing moves", |deltas| deltas.len() > 10);
    assert!(steps(&deltas).iter().all(|(port, _, to)| *port == near && *to == Some(FinWait2)), "{:?}", steps(&deltas));
}

#[test]
fn idle_connections_cost_nothing_and_stay() {
    if !namespace::inside_namespace() {
        return;
    }
    let pairs: Vec<_> = (0..200).map(|_| pair()).collect();
    let mut tracked = open_partial();
    for _ in 0..10 {
        let delta = tracked.part();
        assert_eq!((delta.added.len(), delta.changed.len(), delta.removed.len()), (0, 0, 0));
        assert!(tracked.snapshot.sockets.len() < 10, "none of them is asked for");
    }
    let delta = tracked.sample();
    assert_eq!((delta.added.len(), delta.removed.len(), delta.sample_intervals.late), (0, 0, 0));
    assert_eq!(tracked.snapshot.sockets.len(), 2 * pairs.len());
}

/// `nc`-like: a python process that holds `count` connections to `port`.
fn holder(port: u16, count: u32) -> Child {
    let code = format!(
        "import socket,time\nkept=[socket.create_connection(('127.0.0.1',{port})) for _ in range({count})]\nprint(1,flush=True)\ntime.sleep(60)"
    );
    Command::new("python3").args(["-c", &code]).stdout(Stdio::piped()).spawn().expect("python3 is there")
}

#[test]
fn the_sockets_of_a_killed_peer_are_gone_at_once() {
    if !namespace::inside_namespace() {
        return;
    }
    // The kernel tells of ends from a work queue, which waits for a free core like everybody else.
    let soonest = (0..5).map(|_| samples_until_a_killed_peer_is_gone()).find(|samples| *samples < 20);
    assert!(soonest.is_some(), "it takes 20 samples every time");
}

fn samples_until_a_killed_peer_is_gone() -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let mut peer = holder(port, COUNT);
    let kept: Vec<_> = (0..COUNT).map(|_| listener.accept().expect("a connection").0).collect();
    let mut tracked = open_partial();
    peer.kill().expect("it runs");
    peer.wait().expect("it is ours");
    // The peer's ends are orphans in FIN_WAIT; ours see the end of the stream.
    let half = |deltas: &[Delta]| {
        let to = |state| steps(deltas).iter().filter(|step| step.0 == port && step.2 == Some(state)).count();
        to(CloseWait) == COUNT as usize
    };
    tracked.parts_until("our ends are half closed", half);
    // Closing ours ends them without TIME_WAIT, and the peer's go there.
    drop(kept);
    let ended = |deltas: &[Delta]| {
        let gone = steps(deltas).iter().filter(|step| step.0 == port && step.2.is_none()).count();
        let waiting = steps(deltas).iter().filter(|step| step.2 == Some(TimeWait)).count();
        (gone, waiting) == (COUNT as usize, COUNT as usize)
    };
    let deltas = tracked.parts_until("all are gone, and the peer's wait", ended);
    let delta = tracked.sample();
    let late = delta.sample_intervals.late;
    assert_eq!(late, 0, "{:?}", steps(&[delta]));
    deltas.len()
}

#[test]
fn a_reset_in_the_silent_mass_is_told_by_the_kernel() {
    if !namespace::inside_namespace() {
        return;
    }
    let (mut client, server, (near, far)) = pair();
    let mut tracked = open_partial();
    // Unread data makes close(2) send a reset: both ends go from ESTABLISHED to nothing.
    client.write_all(b"unread").expect("it is connected");
    drop(server);
    assert!(client.peek(&mut [0; 1]).is_err(), "the reset has come");
    let gone = |deltas: &[Delta], port| steps(deltas).contains(&(port, Some(Established), None));
    tracked.parts_until("the resetting end is gone", |deltas| gone(deltas, far));
    drop(client);
    tracked.sample();
    tracked.part();
    let delta = tracked.sample();
    assert!(delta.removed.is_empty() && delta.added.is_empty());
    assert!(!tracked.snapshot.sockets.iter().any(|socket| socket.local.port == near));
}

#[test]
fn the_rows_on_the_screen_are_of_now() {
    if !namespace::inside_namespace() {
        return;
    }
    let (mut client, _server, (near, far)) = pair();
    let (mut other, _others, _) = pair();
    let mut tracked = open_partial();
    tracked.sample();
    tracked.needs.visible = vec![tracked.reference(near, far)];
    client.write_all(b"some bytes").expect("it is connected");
    other.write_all(b"some bytes").expect("it is connected");
    let has_sent = |row: &&Connection| row.rates().is_some_and(|rates| rates.sent > 0.0);
    let deltas = tracked.parts_until("the row has rates", |deltas| {
        deltas.iter().flat_map(|delta| &delta.changed).any(|row| has_sent(&row))
    });
    let changed: Vec<_> = deltas.iter().flat_map(|delta| &delta.changed).collect();
    assert!(changed.iter().all(|row| row.socket.local.port == near), "only what is looked at");
    let row = changed.iter().find(|row| has_sent(row)).expect("it was waited for");
    assert!(row.socket.owner.process().is_some());
}

#[test]
fn while_all_namespaces_are_wanted_every_sample_is_full_and_so_are_two_after() {
    if !namespace::inside_namespace() {
        return;
    }
    let (client, _server, (_, far)) = pair();
    client.shutdown(Shutdown::Write).expect("it is connected");
    let mut tracked = open_partial();
    let own = tracked.snapshot.names.namespaces.clone();
    let half_closed = |tracked: &TrackedSource| {
        let socket = tracked.snapshot.sockets.iter().find(|socket| socket.local.port == far).expect("it is listed");
        (socket.state, socket.cgroup, socket.owner.process().expect("it is held").id)
    };
    let before = half_closed(&tracked);
    let is_full = |tracked: &mut TrackedSource| {
        tracked.part();
        tracked.snapshot.scope.is_all()
    };
    tracked.needs.all_namespaces = true;
    assert!(!tracked.source.has_parts(&tracked.needs));
    assert!(is_full(&mut tracked) && is_full(&mut tracked));
    assert!(tracked.snapshot.names.namespaces.len() > own.len(), "the one that the tests run in is another one");
    tracked.needs.all_namespaces = false;
    assert!(tracked.source.has_parts(&tracked.needs));
    assert!(is_full(&mut tracked) && is_full(&mut tracked), "two of them end what is no longer looked at");
    assert!(!is_full(&mut tracked));
    assert_eq!(tracked.snapshot.names.namespaces, own);
    assert_eq!(half_closed(&tracked), before, "state, unit and owner are those of a full sample");
}

#[test]
fn with_the_trace_a_sample_dumps_listeners_and_shows_what_has_changed() {
    if !namespace::inside_namespace() {
        return;
    }
    let pairs: Vec<_> = (0..50).map(|_| pair()).collect();
    let Some(mut tracked) = open_traced() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let queued = |tracked: &TrackedSource| {
        let port = listener.local_addr().expect("bound").port();
        let is_it = |socket: &&Socket| socket.is_listener() && socket.local.port == port;
        tracked.snapshot.sockets.iter().find(is_it).and_then(|socket| socket.queues).map(|queues| queues.receive)
    };
    // Changes of state, each seen by the very next sample; a sample for which steps were lost proves nothing.
    let told = |tracked: &mut TrackedSource, what: &str, make: &mut dyn FnMut() -> Step| {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            assert!(Instant::now() < deadline, "{what}: steps are lost each time");
            make_sure_of_trace(tracked);
            let expected = make();
            let delta = tracked.part();
            let scope = tracked.snapshot.scope;
            if scope.has_told_changes() && !scope.covers(Protocol::Tcp, CloseWait) {
                assert!(
                    steps(std::slice::from_ref(&delta)).contains(&expected),
                    "{what}: {expected:?} in {:?}",
                    steps(&[delta])
                );
                return tracked.snapshot.sockets.len();
            }
        }
    };
    let mut kept = Vec::new();
    let address = listener.local_addr().expect("bound");
    told(&mut tracked, "opened", &mut || {
        let client = TcpStream::connect(address).expect("it listens");
        let port = client.local_addr().expect("bound").port();
        kept.push(client);
        (port, None, Some(SynSent))
    });
    assert!(queued(&tracked).is_some_and(|waiting| waiting > 0), "the accept queue is of now: {:?}", queued(&tracked));
    let mut halves: Vec<_> = pairs.into_iter().collect();
    let mut closed = Vec::new();
    told(&mut tracked, "half-closed", &mut || {
        let (client, server, (_, far)) = halves.pop().expect("enough");
        client.shutdown(Shutdown::Write).expect("it is connected");
        assert_eq!(server.peek(&mut [0; 1]).expect("it is connected"), 0);
        closed.push((client, server));
        (far, Some(Established), Some(CloseWait))
    });
    let looked_at = told(&mut tracked, "reset", &mut || {
        let (mut client, server, (near, _)) = halves.pop().expect("enough");
        client.write_all(b"unread").expect("it is connected");
        drop(server);
        assert!(client.peek(&mut [0; 1]).is_err(), "the reset has come");
        kept.push(client);
        // Its process holds what is left: nothing reports its end.
        (near, Some(Established), None)
    });
    assert!(looked_at < 40, "the others are not asked for: {looked_at}");
}

#[test]
fn with_the_trace_a_connection_between_two_samples_is_told_whole_and_its_time_wait_shown() {
    if !namespace::inside_namespace() {
        return;
    }
    let Some(mut tracked) = open_traced() else { return };
    let (client, server, (near, far)) = pair();
    drop(client);
    assert_eq!(server.peek(&mut [0; 1]).expect("it is connected"), 0);
    drop(server);
    let has = |deltas: &[Delta]| {
        let is_over = |step: &Step| step.0 == far && step.2.is_none();
        steps(deltas).iter().any(is_over) && steps(deltas).contains(&(near, Some(FinWait2), Some(TimeWait)))
    };
    let deltas = tracked.parts_until("one end is over and the other one waits", has);
    let from_trace =
        deltas.iter().flat_map(|delta| &delta.transitions).filter(|step| step.source == EventSource::Tracepoint);
    let from_trace = from_trace.filter(|step| step.local.port == far).count();
    assert!(from_trace >= 4 || tracked.lost > 0, "{from_trace} steps of the far end: {:?}", steps(&deltas));
    let delta = tracked.sample();
    assert_eq!(
        (delta.added.len(), delta.sample_intervals.late),
        (0, 0),
        "a full sample shows nothing else: {:?}",
        steps(&[delta])
    );
}

#[test]
fn with_the_trace_what_it_does_not_lead_to_is_found_by_a_dump() {
    if !namespace::inside_namespace() {
        return;
    }
    let Some(mut tracked) = open_traced() else { return };
    // Nobody answers where the queue is full: neither end of the handshake comes to its end.
    let code = "import socket,time\n\
        l=socket.socket(); l.bind(('127.0.0.1',0)); l.listen(0)\n\
        kept=[socket.create_connection(l.getsockname())]\n\
        for _ in range(3):\n c=socket.socket(); c.setblocking(False); c.connect_ex(l.getsockname()); kept.append(c)\n\
        print(1,flush=True); time.sleep(60)";
    let mut hanging = Command::new("python3").args(["-c", code]).stdout(Stdio::piped()).spawn().expect("python3");
    let opening = |deltas: &[Delta]| steps(deltas).iter().any(|step| step.2 == Some(SynSent) && step.1.is_none());
    tracked.parts_until("an attempt hangs", opening);
    let is_there = |tracked: &TrackedSource, state| tracked.snapshot.sockets.iter().any(|socket| socket.state == state);
    tracked.parts_until("it is looked at again and again", |_| true);
    tracked.part();
    assert!(is_there(&tracked, SynSent), "{:?}", tracked.snapshot.sockets);
    hanging.kill().expect("it runs");
    hanging.wait().expect("it is ours");
    let over = |deltas: &[Delta]| {
        steps(deltas).iter().any(|step| step.1 == Some(SynSent) && matches!(step.2, None | Some(Close)))
    };
    tracked.parts_until("the attempts are given up", over);
}
