//! What happens between samples, on the real kernel: no connection and no transition is missing unless the loss is reported.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{EventSource, Transition};
use conntop::model::event::EventSourceStatus;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::{NetnsId, SocketId};
use conntop::model::tcp_state::TcpState::{
    self, CloseWait, Established, FinWait1, LastAck, SynRecv, SynSent, TimeWait,
};
use conntop::model::time::Timestamp;
use conntop::source::linux::destroy_events::DestroyEvents;
use conntop::source::{self, Choice};

use crate::namespace;
use crate::skip::{skip, this_test};
use crate::tracked_source::{TIMEOUT, TrackedSource};

/// A second listener for the ends of sockets, beside the source's. The kernel sends the ends from a work queue, which waits
/// for a free core like everything else; an end that comes later than two samples comes without the last counters.
struct SecondListener(DestroyEvents);

impl SecondListener {
    /// Call this before the source listens: the kernel tells who came last first.
    fn new() -> Self {
        Self(DestroyEvents::open(NetnsId(0)).expect("everybody may listen"))
    }

    /// Waits until the end of the socket at `port` has been told to everybody.
    fn wait_for_end(&mut self, port: u16) {
        let (mut told, deadline) = (false, Instant::now() + TIMEOUT);
        while !told {
            assert!(Instant::now() < deadline, "the kernel does not tell of the end of {port}");
            sleep(Duration::from_millis(5));
            self.0.drain(|ended| told |= ended.socket.local.port == port).expect("it can be read");
        }
    }
}

fn port(end: &TcpStream) -> u16 {
    end.local_addr().expect("bound").port()
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    let (server, _) = listener.accept().expect("a connection");
    (client, server)
}

#[test]
fn a_connection_between_two_samples_is_told_with_its_last_words() {
    if !namespace::inside_namespace() {
        return;
    }
    let mut second_listener = SecondListener::new();
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    let (mut client, mut server) = pair();
    let (near, far) = (port(&client), port(&server));
    client.write_all(&[7; 3000]).expect("it is connected");
    server.read_exact(&mut [0; 3000]).expect("it was sent");
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).expect("it is closed in order"), 0);
    drop(server);
    second_listener.wait_for_end(far);
    let closed = tracked.wait_for_transition(far, None);
    let last = closed.final_counters.expect("the end that closed last is gone, with its last words");
    assert!((3000..=3002).contains(&last.bytes.expect("counted").received()), "{last:?}");
    assert_ne!(closed.source, EventSource::Samples);
    // No sample saw whose it was, but the trace, if there is one, who closed it.
    let process = closed.owner.process().map(|process| process.id.pid);
    let possible: &[Option<u32>] = match (&tracked.snapshot.events.event_status.trace, tracked.lost) {
        (EventSourceStatus::On, 0) => &[Some(std::process::id())],
        (EventSourceStatus::On, _) => &[Some(std::process::id()), None],
        _ => &[None],
    };
    assert!(possible.contains(&process), "{closed:?}");
    assert_eq!(tracked.path(far)[0].0, None, "it was opened");
    // The end that closed first waits, under a cookie that its full socket never had.
    assert_eq!(tracked.wait_for_transition(near, Some(TimeWait)).to, Some(TimeWait));
    for _ in 0..5 {
        tracked.sample();
    }
    assert!(!tracked.path(near).iter().any(|step| step.1.is_none()), "{:?}", tracked.path(near));
    let ids: Vec<SocketId> =
        tracked.transitions.iter().filter(|step| step.local.port == near).map(|step| step.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "one connection, one identity: {ids:?}");
}

#[test]
fn a_tracked_connection_keeps_its_last_words_for_its_end() {
    if !namespace::inside_namespace() {
        return;
    }
    let (mut client, mut server) = pair();
    let (near, far) = (port(&client), port(&server));
    let mut second_listener = SecondListener::new();
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    client.write_all(&[7; 500]).expect("it is connected");
    server.read_exact(&mut [0; 500]).expect("it was sent");
    drop(client);
    tracked.wait_for_transition(far, Some(CloseWait));
    drop(server);
    second_listener.wait_for_end(far);
    let closed = tracked.wait_for_transition(far, None);
    assert!(
        closed.final_counters.and_then(|last| last.bytes).is_some_and(|bytes| bytes.received() >= 500),
        "{closed:?}"
    );
    tracked.wait_for_transition(near, Some(TimeWait));
    assert!(
        !tracked.path(near).contains(&(Some(Established), None)),
        "its socket was freed, the connection is not over"
    );
    let is_end_of_client = |step: &Transition| step.to.is_none() && step.local.port == near;
    assert!(!tracked.transitions.iter().any(is_end_of_client), "{:?}", tracked.path(near));
}

#[test]
fn a_dead_socket_that_is_freed_late_is_not_told_twice() {
    if !namespace::inside_namespace() {
        return;
    }
    let (mut client, server) = pair();
    let near = port(&client);
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    // Unread data makes close(2) send a reset, which leaves the client a descriptor of nothing.
    client.write_all(b"unread").expect("it is connected");
    drop(server);
    let first = tracked.wait_for_transition(near, Some(TcpState::Close));
    assert_eq!(first.final_counters, None, "it is not freed yet");
    drop(client);
    tracked.wait_for_transition(near, None);
    for _ in 0..10 {
        tracked.sample();
        sleep(Duration::from_millis(10));
    }
    assert_eq!(tracked.path(near).iter().filter(|step| step.1.is_none()).count(), 1, "{:?}", tracked.path(near));
}

#[test]
fn it_is_said_who_tells() {
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    assert_eq!(tracked.sample().event_status.ends, EventSourceStatus::On);
    let mut without_events = source::open(&Choice::Linux).expect("sock_diag answers");
    let mut snapshot = Snapshot::default();
    without_events.sample(&Needs::default(), &mut snapshot).expect("sock_diag answers");
    assert_eq!(snapshot.events.event_status.ends, EventSourceStatus::Off, "nobody asked for it");
}

/// Connections that were made and closed, as a load makes them.
struct Load {
    listener: u16,
    made: u32,
    took: Duration,
}

/// For `seconds`, about `per_second` connections a second: the client closes at once, the server when it sees that.
fn short_connections(seconds: u32, per_second: u32) -> Load {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port is free");
    let at = listener.local_addr().expect("bound").port();
    let total = seconds * per_second;
    let server = std::thread::spawn(move || {
        for _ in 0..total {
            let (mut end, _) = listener.accept().expect("a connection");
            assert_eq!(end.read(&mut [0; 8]).expect("it is closed in order"), 0);
        }
    });
    let begun = Instant::now();
    let batch = per_second / 100;
    let mut made = 0;
    while made < total {
        // Many addresses, so that the ports that wait do not run out.
        let to = [127, 0, 1 + u8::try_from(made / 20_000).expect("few"), 1];
        for _ in 0..batch.min(total - made) {
            drop(TcpStream::connect((std::net::Ipv4Addr::from(to), at)).expect("the listener is there"));
            made += 1;
        }
        let due = begun + Duration::from_millis(10) * (made / batch);
        sleep(due.saturating_duration_since(Instant::now()));
    }
    let took = begun.elapsed();
    server.join().expect("it accepts all of them");
    Load { listener: at, made, took }
}

/// In seconds; `CONNTOP_LOAD_SECONDS=10` is the size that the project promises.
fn load_seconds() -> u32 {
    std::env::var("CONNTOP_LOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[test]
fn every_one_of_thousands_of_short_connections_is_told() {
    if !namespace::inside_namespace() {
        return;
    }
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    // The trace begins with the second sample.
    tracked.sample();
    let load = std::thread::spawn(|| short_connections(load_seconds(), 5_000));
    let (mut ended, mut lost, mut lost_steps, mut rest) = (0, 0, 0, 4);
    while rest > 0 {
        let delta = tracked.sample();
        ended += tracked.snapshot.events.ended.len();
        let of = |teller| delta.gaps.iter().filter(move |gap| gap.of == teller).map(|gap| gap.lost.expect("counted"));
        lost += of(EventSource::DestroyEvent).sum::<u64>();
        lost_steps += of(EventSource::Tracepoint).sum::<u64>();
        rest -= u32::from(load.is_finished());
        sleep(Duration::from_millis(if load.is_finished() { 200 } else { 1_000 }));
    }
    let load = load.join().expect("it ran");
    let rate = f64::from(load.made) / load.took.as_secs_f64();
    let serving = |step: &&Transition| step.local.port == load.listener && step.remote.port != 0;
    let count = |wanted: &dyn Fn(&Transition) -> bool| {
        tracked.transitions.iter().filter(serving).filter(|step| wanted(step)).count() as u64
    };
    let opened = count(&|step| step.from.is_none());
    let closed = count(&|step| step.to.is_none());
    let path = [None, Some(SynRecv), Some(Established), Some(CloseWait), Some(LastAck), None];
    let legs: Vec<_> = path.windows(2).map(|leg| (leg[0], leg[1])).collect();
    let steps_of = |leg: &(_, _)| {
        count(&|step| (step.from, step.to) == *leg && step.source == EventSource::Tracepoint && !step.skipped)
    };
    let steps: Vec<u64> = legs.iter().map(steps_of).collect();
    let with_words = count(&|step| step.to.is_none() && step.final_counters.is_some());
    // The other ends wait, if a sample comes before their ports are used again.
    let clients =
        tracked.transitions.iter().filter(|step| step.remote.port == load.listener && step.from.is_none()).count();
    eprintln!(
        "{} connections in {:?} ({rate:.0}/s): {ended} ends received, {lost} lost; at the server {opened} opened, \
         {closed} closed, {with_words} with last words; traced {steps:?}, {lost_steps} steps of the machine lost; at the client {clients} opened",
        load.made, load.took
    );
    let made = u64::from(load.made);
    assert!(closed + lost >= made && closed <= made, "{closed} of {made} told, {lost} lost");
    assert!(closed * 1_000 >= made * 999, "{closed} of {made} told");
    assert_eq!(opened, closed);
    // The kernel tells from a work queue, which a machine without a free core can hold up past two samples.
    assert!(with_words * 1_000 >= closed * 999, "{with_words} of {closed} with last words");
    match &tracked.snapshot.events.event_status.trace {
        // What a sample shows in the middle of a handshake is told by that sample. A machine that is too busy loses steps, and
        // the source counts how many.
        EventSourceStatus::On => {
            let missing = |count: &u64| made.saturating_sub(*count);
            assert!(
                steps.iter().all(|count| missing(count) <= lost_steps + made / 100),
                "{steps:?}, {lost_steps} lost"
            );
        }
        other => skip(&format!("without the trace of states the steps are not compared: {other:?}")),
    }
    let clients = clients as u64;
    assert!(clients.abs_diff(made) * 100 <= made + lost * 100, "{clients} of {made} other ends");
}

#[test]
fn with_the_trace_every_step_is_told_at_its_moment() {
    if !namespace::inside_namespace() {
        return;
    }
    // On a busy machine steps are lost, which the source tells; what is left then is looked at by other tests.
    let deadline = Instant::now() + TIMEOUT;
    while !traces_every_step() {
        assert!(Instant::now() < deadline, "of each connection steps were lost");
    }
}

/// Follows one connection from open to `TIME_WAIT`; `false` if the source says that steps were lost.
fn traces_every_step() -> bool {
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    let tellers = tracked.sample().event_status;
    if tellers.trace != EventSourceStatus::On {
        skip(&format!("there is no trace of states: {tellers:?}"));
        return true;
    }
    let before = since_boot();
    let (client, server) = pair();
    let opened = since_boot();
    let (near, far) = (port(&client), port(&server));
    tracked.sample();
    drop(client);
    // Who reads the end of the stream is in CLOSE_WAIT.
    assert_eq!(server.peek(&mut [0; 1]).expect("it is closed in order"), 0);
    let closed = since_boot();
    tracked.wait_for_transition(far, Some(CloseWait));
    drop(server);
    tracked.wait_for_transition(far, None);
    tracked.wait_for_transition(near, Some(TimeWait));
    if tracked.lost > 0 {
        return false;
    }
    let exact: Vec<_> = tracked.transitions.iter().filter(|step| step.source == EventSource::Tracepoint).collect();
    let at = |port: u16, to: Option<TcpState>| {
        let step = exact.iter().find(|step| (step.local.port, step.to) == (port, to));
        step.unwrap_or_else(|| panic!("{to:?} at {port} was not traced: {:?}", tracked.transitions)).at
    };
    let handshake = [at(near, Some(SynSent)), at(near, Some(Established)), at(far, Some(Established))];
    assert!(handshake.iter().all(|at| (before..=opened).contains(at)), "{before:?} {handshake:?} {opened:?}");
    let half = [at(near, Some(FinWait1)), at(far, Some(CloseWait))];
    assert!(half.iter().all(|at| (opened..=closed).contains(at)), "{opened:?} {half:?} {closed:?}");
    let path = [None, Some(SynRecv), Some(Established), Some(CloseWait), Some(LastAck), None];
    let legs: Vec<_> = path.windows(2).map(|leg| (leg[0], leg[1])).collect();
    assert_eq!(tracked.path(far), legs);
    assert!(tracked.transitions.iter().all(|step| !step.skipped), "{:?}", tracked.transitions);
    true
}

/// Now, by the clock of all samples.
fn since_boot() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let whole = u64::try_from(time.tv_sec).expect("after boot") * 1_000_000_000;
    Timestamp(whole + u64::try_from(time.tv_nsec).expect("not negative"))
}

#[test]
fn in_a_time_namespace_steps_bear_the_time_of_the_samples() {
    const INSIDE: &str = "CONNTOP_TEST_TIME_NAMESPACE";
    if !namespace::inside_namespace() {
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        for offset in ["604800", "-1"] {
            let unshare = |program: &std::ffi::OsStr| {
                let mut command = std::process::Command::new("unshare");
                command.args(["-T", "--boottime", offset, "--fork"]).arg(program).env(INSIDE, "1");
                command
            };
            if !unshare("true".as_ref()).status().is_ok_and(|status| status.success()) {
                skip(&format!("`unshare -T --boottime {offset}` does not work here"));
                continue;
            }
            let this = std::env::current_exe().expect("a test knows its program");
            let status =
                unshare(this.as_os_str()).args(["--exact", &this_test(), "--nocapture"]).status().expect("it runs");
            assert!(status.success(), "failed {offset} s apart");
        }
        return;
    }
    let deadline = Instant::now() + TIMEOUT;
    while !bears_the_time_of_samples() {
        assert!(Instant::now() < deadline, "of each connection steps were lost");
    }
}

/// Opens one connection, whose steps lie between two readings of the clock; `false` if the source says that steps were lost.
fn bears_the_time_of_samples() -> bool {
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    let tellers = tracked.sample().event_status;
    if tellers.trace != EventSourceStatus::On {
        skip(&format!("there is no trace of states: {tellers:?}"));
        return true;
    }
    let before = since_boot();
    let (client, _server) = pair();
    let after = since_boot();
    let near = port(&client);
    tracked.wait_for_transition(near, Some(Established));
    let steps: Vec<_> = tracked.transitions.iter().filter(|step| step.local.port == near).collect();
    assert!(steps.iter().all(|step| (before..=after).contains(&step.at)), "{before:?} {steps:?} {after:?}");
    let pid = |step: &Transition| step.owner.process().map(|process| process.id.pid);
    assert!(steps.iter().all(|step| pid(step) == Some(std::process::id())), "{steps:?}");
    tracked.lost == 0 && {
        assert!(steps.iter().all(|step| step.source == EventSource::Tracepoint), "{steps:?}");
        true
    }
}
