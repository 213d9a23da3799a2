//! The life of real connections on the real kernel, as the tracker tells it: transitions, ages, remembered owners, and
//! silence while nothing happens.

#![cfg(target_os = "linux")]

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{AgeBasis, Delta, Transition};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::TcpState::{self, CloseWait, Established, FinWait1, FinWait2, SynRecv, TimeWait};
use conntop::model::time::Timestamp;
use conntop::source::{self, Choice, Source};
use conntop::tracker::{DUMP_JITTER_MAX, Tracker};
use rustix::time::{ClockId, clock_gettime};

use crate::namespace;

/// How long anything may take; long, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far an age may be off where a sample is read at once: jiffies of up to 10 ms, twice.
const PRECISION: Duration = Duration::from_millis(50);

/// Between acts whose order must be seen: longer than a sample takes that is not held up.
const APART: Duration = Duration::from_millis(300);

struct Watch {
    source: Box<dyn Source>,
    snapshot: Snapshot,
    tracker: Tracker,
    told: Vec<Transition>,
    /// How long the slowest sample took. "So long ago" is off by as much where the reader was held up meanwhile.
    slowest: Duration,
}

impl Watch {
    fn begin() -> Self {
        let source = source::open(&Choice::Linux).expect("sock_diag answers");
        let (snapshot, tracker) = (Snapshot::default(), Tracker::new());
        let mut watch = Self { source, snapshot, tracker, told: Vec::new(), slowest: Duration::ZERO };
        assert_eq!(watch.sample().transitions, []);
        watch
    }

    fn sample(&mut self) -> Delta {
        self.source.sample(&Needs::default(), &mut self.snapshot).expect("sock_diag answers");
        self.slowest = self.slowest.max(self.snapshot.took);
        self.tracker.update(&self.snapshot)
    }

    /// How far an age may be off.
    fn precision(&self) -> Duration {
        PRECISION + self.slowest
    }

    /// Samples until the sockets are as wanted.
    fn wait(&mut self, what: &str, wanted: impl Fn(&[Socket]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.snapshot.sockets) {
            assert!(Instant::now() < deadline, "it never happened that {what}: {:?}", self.snapshot.sockets);
            sleep(Duration::from_millis(5));
            self.sample();
        }
    }

    /// Samples until a socket on `port` has gone `to` a state, and gives that transition.
    fn until(&mut self, port: u16, to: TcpState) -> Transition {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let delta = self.sample();
            self.told.extend(delta.transitions);
            let wanted = |step: &&Transition| (step.local.port, step.to) == (port, Some(to));
            if let Some(step) = self.told.iter().find(wanted) {
                return step.clone();
            }
            assert!(Instant::now() < deadline, "nothing went to {to}, but {:?}", self.told);
            sleep(Duration::from_millis(5));
        }
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
    let mut watch = Watch::begin();
    sleep(APART);
    let opening = now();
    let (listener, client, server_port, client_port) = pair();
    watch.until(client_port, Established);
    let (server, _) = listener.accept().expect("a connection waits");
    watch.sample();
    let half_closed = now();
    client.shutdown(Shutdown::Write).expect("it is connected");
    let step = watch.until(server_port, CloseWait);
    let (lasted, basis) = step.lasted.expect("it was seen to open");
    assert!(lasted <= now().since(opening) + watch.precision(), "{step:?}");
    // Else it may look as if it had been there before the first sample.
    let is_apart = watch.slowest < APART;
    assert!(!step.skipped && (basis != AgeBasis::AtLeast || !is_apart), "{step:?}");
    watch.until(client_port, FinWait2);
    drop(server);
    let step = watch.until(client_port, TimeWait);
    let (lasted, _) = step.lasted.expect("it was seen to begin");
    assert!(lasted <= now().since(half_closed) + watch.precision(), "{step:?}");
    assert_eq!(step.owner.label(), "remembered");
    assert_eq!(step.owner.process().map(|process| process.id.pid), Some(std::process::id()));
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
        Watch::begin().wait("both have gone on", |sockets| {
            is_in(sockets, server_port, CloseWait) && is_in(sockets, client_port, FinWait2)
        });
    });
    sleep(APART);
    let watch = Watch::begin();
    let delta = Tracker::new().update(&watch.snapshot);
    let since = |port: u16, state: TcpState| {
        let is_wanted = |socket: &Socket| (socket.local.port, socket.state) == (port, state);
        let row = delta.added.iter().find(|row| is_wanted(&row.socket)).expect("the connection is there");
        row.state_since.expect("the kernel says").at
    };
    assert!(is_closing(since(server_port, CloseWait), watch.precision()));
    assert!(is_closing(since(client_port, FinWait2), watch.precision()));
    assert!(is_opening(since(idle_port, Established), watch.precision()));
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
    let mut watch = Watch::begin();
    let is_under_way = |socket: &Socket| matches!(socket.state, SynRecv | FinWait1);
    watch.wait("every FIN is acknowledged", |sockets| !sockets.iter().any(is_under_way));
    // The next sample knows the rates; the search for owners may be put off for a moment.
    let deadline = Instant::now() + PATIENCE;
    while (0..2).any(|_| !is_silent(&watch.sample())) {
        assert!(Instant::now() < deadline, "it never becomes quiet");
        sleep(Duration::from_millis(17));
    }
    for _ in 0..20 {
        sleep(Duration::from_millis(17));
        let delta = watch.sample();
        let is_held_up = watch.snapshot.took >= DUMP_JITTER_MAX;
        assert!(is_silent(&delta) || is_held_up, "{delta:?}");
        if is_held_up {
            // The tracker allows for a second: beyond that it takes "so long ago" for news, and once more for the
            // sample that is right again.
            watch.sample();
        }
    }
    drop(accepted);
}

fn is_silent(delta: &Delta) -> bool {
    delta.added.is_empty() && delta.changed.is_empty() && delta.removed.is_empty() && delta.transitions.is_empty()
}
