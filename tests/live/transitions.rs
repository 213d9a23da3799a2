//! The life of real connections on the real kernel, as the tracker tells it: transitions, ages, remembered owners, and
//! silence while nothing happens.

#![cfg(target_os = "linux")]

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{AgeBasis, Delta};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::TcpState::{self, CloseWait, Established, FinWait1, FinWait2, SynRecv, TimeWait};
use conntop::model::time::Timestamp;
use conntop::source::Choice;
use conntop::tracker::{DUMP_JITTER_MAX, Tracker};
use rustix::time::{ClockId, clock_gettime};

use crate::namespace;
use crate::tracked_source::{TIMEOUT, TrackedSource};

/// How far an age may be off where a sample is read at once: jiffies of up to 10 ms, twice.
const PRECISION: Duration = Duration::from_millis(50);

/// Between acts whose order must be seen: longer than a sample takes that is not held up.
const APART: Duration = Duration::from_millis(300);

/// How many samples of a quiet machine must make no delta.
const SILENT_SAMPLES: u32 = 20;

impl TrackedSource {
    /// How far an age may be off.
    fn precision(&self) -> Duration {
        PRECISION + self.slowest
    }
}

fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Boottime);
    Timestamp(u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).expect("after boot"))
}

/// What `act` gives, and a check of whether a moment lies within its run, give or take a precision.
fn timed<T>(act: impl FnOnce() -> T) -> (T, impl Fn(Timestamp, Duration) -> bool) {
    let begun = now();
    let result = act();
    let ended = now();
    (result, move |at, precision| begun.before(precision) <= at && at <= ended.after(precision))
}

fn is_in(sockets: &[Socket], port: u16, state: TcpState) -> bool {
    sockets.iter().any(|socket| (socket.local.port, socket.state) == (port, state))
}

/// A listener and a connection to it, not yet accepted.
fn pair() -> (TcpListener, TcpStream, u16, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is up");
    let server_port = listener.local_addr().expect("it is bound").port();
    let client = TcpStream::connect(("127.0.0.1", server_port)).expect("it listens");
    let client_port = client.local_addr().expect("it is bound").port();
    (listener, client, server_port, client_port)
}

#[test]
fn a_connection_is_followed_from_open_to_time_wait() {
    if !namespace::inside_namespace() {
        return;
    }
    let deadline = Instant::now() + TIMEOUT;
    while !is_followed() {
        assert!(Instant::now() < deadline, "every sample takes longer than {APART:?}");
    }
}

/// Follows one connection; `false` where samples took so long that it may look as if it had been there before the first one.
fn is_followed() -> bool {
    let mut tracked = TrackedSource::open(&Choice::Linux);
    sleep(APART);
    let opening = now();
    let (listener, client, server_port, client_port) = pair();
    tracked.wait_for_transition(client_port, Some(Established));
    let (server, _) = listener.accept().expect("a connection waits");
    tracked.sample();
    let half_closed = now();
    client.shutdown(Shutdown::Write).expect("it is connected");
    let step = tracked.wait_for_transition(server_port, Some(CloseWait));
    let (lasted, basis) = step.lasted.expect("it was seen to open");
    assert!(lasted <= now().since(opening) + tracked.precision(), "{step:?}");
    assert!(!step.skipped, "{step:?}");
    if tracked.slowest >= APART {
        return false;
    }
    assert_ne!(basis, AgeBasis::AtLeast, "{step:?}");
    tracked.wait_for_transition(client_port, Some(FinWait2));
    drop(server);
    let step = tracked.wait_for_transition(client_port, Some(TimeWait));
    let (lasted, _) = step.lasted.expect("it was seen to begin");
    assert!(lasted <= now().since(half_closed) + tracked.precision(), "{step:?}");
    assert_eq!(step.owner.label(), "remembered");
    assert_eq!(step.owner.process().map(|process| process.id.pid), Some(std::process::id()));
    true
}

#[test]
fn ages_of_sockets_older_than_the_tracker_come_from_the_kernel() {
    if !namespace::inside_namespace() {
        return;
    }
    let (listener, client, server_port, client_port) = pair();
    let (leaked, _) = listener.accept().expect("a connection waits");
    let ((other, idle, _, idle_port), is_opening) = timed(pair);
    sleep(APART);
    let ((), is_closing) = timed(|| {
        client.shutdown(Shutdown::Write).expect("it is connected");
        // FIN_WAIT2 begins with the acknowledgement, which the kernel may delay.
        TrackedSource::open(&Choice::Linux).wait_until("both have gone on", |snapshot| {
            is_in(&snapshot.sockets, server_port, CloseWait) && is_in(&snapshot.sockets, client_port, FinWait2)
        });
    });
    sleep(APART);
    let tracked = TrackedSource::open(&Choice::Linux);
    let delta = Tracker::new().update(&tracked.snapshot);
    let since = |port: u16, state: TcpState| {
        let is_wanted = |socket: &Socket| (socket.local.port, socket.state) == (port, state);
        let row = delta.added.iter().find(|row| is_wanted(&row.socket)).expect("the connection is there");
        row.state_since.expect("the kernel says").at
    };
    assert!(is_closing(since(server_port, CloseWait), tracked.precision()));
    assert!(is_closing(since(client_port, FinWait2), tracked.precision()));
    assert!(is_opening(since(idle_port, Established), tracked.precision()));
    drop((leaked, other, idle));
}

#[test]
fn a_quiet_machine_makes_no_deltas() {
    if !namespace::inside_namespace() {
        return;
    }
    let pairs: Vec<_> = (0..50).map(|_| pair()).collect();
    let accepted: Vec<_> = pairs.iter().step_by(2).map(|pair| pair.0.accept().expect("one waits")).collect();
    for pair in pairs.iter().step_by(4) {
        pair.1.shutdown(Shutdown::Write).expect("it is connected");
    }
    let _udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback is up");
    let mut tracked = TrackedSource::open(&Choice::Linux);
    let is_under_way = |socket: &Socket| matches!(socket.state, SynRecv | FinWait1);
    tracked.wait_until("every FIN is acknowledged", |snapshot| !snapshot.sockets.iter().any(is_under_way));
    // The next sample knows the rates; the search for owners may be put off for a moment.
    let deadline = Instant::now() + TIMEOUT;
    while (0..2).any(|_| !is_silent(&tracked.sample())) {
        assert!(Instant::now() < deadline, "it never becomes quiet");
        sleep(Duration::from_millis(17));
    }
    // The tracker allows for a second that a sample takes: one that was held up for longer proves nothing, nor does the next.
    let deadline = Instant::now() + TIMEOUT;
    let mut silent = 0;
    while silent < SILENT_SAMPLES {
        assert!(Instant::now() < deadline, "{silent} samples were not held up");
        sleep(Duration::from_millis(17));
        let delta = tracked.sample();
        if tracked.snapshot.took < DUMP_JITTER_MAX {
            assert!(is_silent(&delta), "{delta:?}");
            silent += 1;
        } else {
            tracked.sample();
        }
    }
    drop(accepted);
}

fn is_silent(delta: &Delta) -> bool {
    delta.added.is_empty() && delta.changed.is_empty() && delta.removed.is_empty() && delta.transitions.is_empty()
}
