//! The life of real connections on the real kernel, as the tracker tells it: transitions, ages, remembered owners, and
//! silence while nothing happens.

#![cfg(target_os = "linux")]

#[path = "common/namespace.rs"]
mod namespace;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{AgeBasis, Delta, Transition};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::TcpState::{self, CloseWait, Established, FinWait2, TimeWait};
use conntop::model::time::Timestamp;
use conntop::source::{self, Choice, Source};
use conntop::tracker::Tracker;
use rustix::time::{ClockId, clock_gettime};

/// How long the kernel may take to carry out what was asked of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far an age may be off: jiffies of up to 10 ms, and a machine that is busy.
const PRECISION: Duration = Duration::from_millis(50);

/// How late the peer may acknowledge a FIN, which is when `FIN_WAIT2` begins (`TCP_DELACK_MAX`, include/net/tcp.h).
const DELAYED_ACK: Duration = Duration::from_millis(200);

struct Watch {
    source: Box<dyn Source>,
    snapshot: Snapshot,
    tracker: Tracker,
    told: Vec<Transition>,
}

impl Watch {
    fn begin() -> Self {
        let source = source::open(&Choice::Linux).expect("sock_diag answers");
        let mut watch = Self { source, snapshot: Snapshot::default(), tracker: Tracker::new(), told: Vec::new() };
        assert_eq!(watch.sample().transitions, []);
        watch
    }

    fn sample(&mut self) -> Delta {
        self.source.sample(&Needs::default(), &mut self.snapshot).expect("sock_diag answers");
        self.tracker.update(&self.snapshot)
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

/// What `act` gives, and a check of whether a moment lies within its run, give or take [`PRECISION`] and a delay after.
fn timed<T>(act: impl FnOnce() -> T) -> (T, impl Fn(Timestamp, Duration) -> bool) {
    let begun = now();
    let result = act();
    let ended = now();
    (result, move |at, delay| begun.before(PRECISION) <= at && at <= ended.after(PRECISION + delay))
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
    if !namespace::inside_namespace("a_connection_is_followed_from_open_to_time_wait") {
        return;
    }
    let mut watch = Watch::begin();
    let (listener, client, server_port, client_port) = pair();
    watch.until(client_port, Established);
    let (server, _) = listener.accept().expect("a connection waits");
    watch.sample();
    client.shutdown(Shutdown::Write).expect("it is connected");
    let half_closed = now();
    let step = watch.until(server_port, CloseWait);
    let (lasted, basis) = step.lasted.expect("it was seen to open");
    assert!(lasted < PATIENCE && basis != AgeBasis::AtLeast && !step.skipped, "{step:?}");
    watch.until(client_port, FinWait2);
    drop(server);
    let step = watch.until(client_port, TimeWait);
    let (lasted, _) = step.lasted.expect("it was seen to begin");
    assert!(lasted <= now().since(half_closed) + PRECISION);
    assert_eq!(step.owner.label(), "remembered");
    assert_eq!(step.owner.process().map(|process| process.id.pid), Some(std::process::id()));
}

#[test]
fn ages_of_sockets_older_than_the_tracker_come_from_the_kernel() {
    if !namespace::inside_namespace("ages_of_sockets_older_than_the_tracker_come_from_the_kernel") {
        return;
    }
    let (listener, client, server_port, client_port) = pair();
    let (leaked, _) = listener.accept().expect("a connection waits");
    let ((other, idle, _, idle_port), is_opening) = timed(pair);
    sleep(Duration::from_millis(300));
    let (half_closed, is_closing) = timed(|| client.shutdown(Shutdown::Write));
    half_closed.expect("it is connected");
    sleep(Duration::from_millis(300));
    let watch = Watch::begin();
    let delta = Tracker::new().update(&watch.snapshot);
    let since = |port: u16, state: TcpState| {
        let is_wanted = |socket: &Socket| (socket.local.port, socket.state) == (port, state);
        let row = delta.added.iter().find(|row| is_wanted(&row.socket)).expect("the connection is there");
        row.state_since.expect("the kernel says").at
    };
    assert!(is_closing(since(server_port, CloseWait), Duration::ZERO));
    assert!(is_closing(since(client_port, FinWait2), DELAYED_ACK));
    assert!(is_opening(since(idle_port, Established), Duration::ZERO));
    drop((leaked, other, idle));
}

#[test]
fn a_quiet_machine_makes_no_deltas() {
    if !namespace::inside_namespace("a_quiet_machine_makes_no_deltas") {
        return;
    }
    let pairs: Vec<_> = (0..50).map(|_| pair()).collect();
    let accepted: Vec<_> = pairs.iter().step_by(2).map(|pair| pair.0.accept().expect("one waits")).collect();
    for pair in pairs.iter().step_by(4) {
        pair.1.shutdown(Shutdown::Write).expect("it is connected");
    }
    let _udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback is up");
    let mut watch = Watch::begin();
    // The second sample knows the rates; a delayed ACK comes within 200 ms.
    watch.sample();
    sleep(Duration::from_millis(250));
    watch.sample();
    for _ in 0..20 {
        sleep(Duration::from_millis(17));
        let delta = watch.sample();
        assert_eq!((delta.added, delta.changed, delta.removed, delta.transitions), Default::default());
    }
    drop(accepted);
}
