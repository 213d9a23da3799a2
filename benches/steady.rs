//! Steady state: what conntop takes of a core while it runs, screen and all, beside many idle sockets and under churn.
//!
//! `cargo bench --bench steady` makes its own network namespace and sockets. `CONNTOP_BENCH_SOCKETS=10000` chooses the
//! sizes; `-- --soak SECONDS` (600 if not said) instead runs the program under churn and prints its memory and
//! descriptors, and beside them what the tables hold by then on a made-up machine with the same churn; `-- --hour` plays
//! an hour of that alone, in a minute. Under `cargo test` a small size runs for a moment as a smoke test. No time is
//! asserted.

#[path = "../tests/common/churn.rs"]
mod churn;
#[path = "../tests/common/pty.rs"]
#[expect(dead_code, reason = "a benchmark looks at less than the tests do")]
mod pty;
#[path = "support/socket_load.rs"]
#[expect(dead_code, reason = "this load does not grow")]
mod socket_load;

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use churn::{SimulatedMachine, lines};
use conntop::model::memory::TableSize;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{self, Choice};
use conntop::tracker::{Tracker, Tracking};
use pty::{Control, Session};
use socket_load::SocketLoad;

/// Sockets that do nothing while a soak runs: so many that samples are partial.
const IDLE: u32 = 30_000;
/// Connections that come and go in a second.
const CHURN: u32 = 200;
/// How often a soak is looked at; the last half of it is to be flat.
const PARTS: u32 = 12;
/// An hour, and how often it is looked at.
const HOUR: u64 = 3_600;
const HOUR_PART: u64 = 300;
/// The size of the screen.
const SCREEN: (u16, u16) = (120, 40);
/// How long a soak runs unless it is said.
const SOAK: Duration = Duration::from_secs(10 * 60);

fn main() {
    socket_load::hold_if_asked();
    socket_load::enter_namespace();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|arg| arg == "--soak") {
        let seconds = args.get(at + 1).and_then(|seconds| seconds.parse().ok());
        return soak(seconds.map_or(SOAK, Duration::from_secs));
    }
    if args.iter().any(|arg| arg == "--hour") {
        return hour();
    }
    let smoke = args.iter().all(|arg| arg != "--bench");
    let sizes = std::env::var("CONNTOP_BENCH_SOCKETS")
        .unwrap_or_else(|_| if smoke { "1000" } else { "1000,10000,200000" }.to_owned());
    let window = Duration::from_secs(if smoke { 1 } else { 20 });
    for size in sizes.split(',') {
        measure(size.trim().parse().expect("CONNTOP_BENCH_SOCKETS is a list of numbers"), window);
    }
}

fn measure(size: u32, window: Duration) {
    let holders = socket_load::holders_for(size);
    let _idle = SocketLoad::gather(size, holders);
    println!("\n== {size} sockets in {holders} processes, one sample a second");
    samples(if window > Duration::from_secs(5) { 9 } else { 1 });
    let mut session = conntop();
    session.watch(window / 4);
    let target = if size >= 100_000 { "15" } else { "3" };
    load(&mut session, window, &format!("idle, after {:.0?}", window / 4), target);
    // By then all sockets are read as seldom as it gets.
    session.watch(window * 3);
    load(&mut session, window * 2, &format!("idle, after {:.0?}", window * 17 / 4), "falling");
    let churn = Churn::begin();
    session.watch(window / 4);
    load(&mut session, window, &format!("{CHURN} connections a second come and go"), "none");
    drop(churn);
    println!("header: {}", session.text().lines().next().unwrap_or_default().trim());
    println!("resident memory: {} KiB (122880 for source, tracker, store and screen)", status(&session, "VmRSS:"));
}

/// The cost of one full and of one partial sample with its diff.
fn samples(runs: u32) {
    let mut source = source::open(&Choice::Linux).expect("sock_diag answers");
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    let mut take = |part: bool| {
        let begun = Instant::now();
        let needs = Needs { partial: part, ..Needs::default() };
        if part {
            let sink = &mut Tracking { tracker: &mut tracker, snapshot: &mut snapshot };
            source.sample(&needs, sink).expect("sock_diag answers");
            tracker.finish(&snapshot);
        } else {
            source.sample(&needs, &mut snapshot).expect("sock_diag answers");
            tracker.update(&snapshot);
        }
        begun.elapsed()
    };
    take(false);
    take(true);
    let full = median((0..runs).map(|_| take(false)).collect());
    let part = median((0..runs).map(|_| take(true)).collect());
    let ratio = part.as_secs_f64() / full.as_secs_f64();
    println!("full sample: {full:.2?}, partial sample: {part:.2?} = {ratio:.2} x (0.1 to 0.2)");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn conntop() -> Session {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
    command.args(["--interval", "1"]);
    let mut session = Session::start(&command, Control::Controlling, SCREEN);
    session.wait_for_text("every 1 s");
    session
}

/// Prints the share of a core that the program takes for a while, and what it writes.
fn load(session: &mut Session, window: Duration, what: &str, target: &str) {
    let (begun, before, written) = (Instant::now(), session.process().1, session.bytes.len());
    session.watch(window);
    let seconds = begun.elapsed().as_secs_f64();
    let percent = session.process().1.saturating_sub(before).as_secs_f64() / seconds * 100.0;
    #[expect(clippy::cast_precision_loss, reason = "a few kilobytes")]
    let bytes = (session.bytes.len() - written) as f64 / seconds;
    println!("{what}: {percent:.1} % of a core (target {target} %), {bytes:.0} bytes a second to the terminal");
    session.bytes.clear();
}

/// A number of the program's `/proc/PID/status`.
fn status(session: &Session, key: &str) -> u64 {
    status_of(&session.pid().as_raw_nonzero().to_string(), key)
}

fn status_of(pid: &str, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn descriptors(session: &Session) -> usize {
    let pid = session.pid().as_raw_nonzero();
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Runs the program under churn beside enough idle sockets for partial samples.
fn soak(time: Duration) {
    let _idle = SocketLoad::gather(IDLE, socket_load::holders_for(IDLE));
    let mut session = conntop();
    let _churn = Churn::begin();
    println!("soak: {IDLE} idle sockets, {CHURN} connections a second, {time:.0?}");
    let mut machine = SimulatedMachine::new(IDLE.into(), CHURN.into());
    let mut resident = Vec::new();
    for part in 0..=PARTS {
        let header = session.text().lines().next().unwrap_or_default().trim().to_owned();
        resident.push(status(&session, "VmRSS:"));
        println!(
            "{:.0?}: {} KiB, {} descriptors, {} threads; tables of a made-up one: {} KiB | {header}",
            time / PARTS * part,
            resident[resident.len() - 1],
            descriptors(&session),
            status(&session, "Threads:"),
            kib(&machine.table_sizes()),
        );
        if part < PARTS {
            load(&mut session, time / PARTS, "  load", "none");
            (0..(time / PARTS).as_secs()).for_each(|_| machine.tick());
        }
    }
    println!("what the tables of the made-up one hold:\n{}", lines(&machine.table_sizes()));
    // TIME_WAIT fills up for a minute, paths and what waits to be forgotten for four.
    let (half, end) = (resident[resident.len() / 2], resident[resident.len() - 1]);
    #[expect(clippy::cast_precision_loss, reason = "a share with two digits")]
    let growth = (end as f64 / half as f64 - 1.0) * 100.0;
    println!("resident memory, growth over the last half: {growth:.1} % (target < 2 %)");
    for (what, keys, back) in [("frozen", "z", "z"), ("in a dialog", "jK", "\x1b")] {
        measure_while_still(&mut session, what, (keys, back), time / PARTS);
    }
}

/// Prints what the program takes while its screen is held still, and after.
fn measure_while_still(session: &mut Session, what: &str, (keys, back): (&str, &str), time: Duration) {
    let mut resident = vec![status(session, "VmRSS:")];
    session.keys(keys);
    for _ in 0..4 {
        session.watch(time / 4);
        resident.push(status(session, "VmRSS:"));
    }
    session.keys(back);
    session.watch(Duration::from_secs(3));
    println!(
        "{what} for {time:.0?}: KiB before and in each quarter {resident:?}, after it {}",
        status(session, "VmRSS:")
    );
}

/// An hour of the same churn on a made-up machine, and what it leaves in memory.
fn hour() {
    println!("an hour: {IDLE} idle sockets, {CHURN} connections a second, made up");
    let mut machine = SimulatedMachine::new(IDLE.into(), CHURN.into());
    for second in 0..=HOUR {
        if second.is_multiple_of(HOUR_PART) {
            let resident = status_of("self", "VmRSS:");
            println!("{second} s: tables {} KiB, this process {resident} KiB", kib(&machine.table_sizes()));
        }
        machine.tick();
    }
    println!("{}", lines(&machine.table_sizes()));
}

fn kib(held: &[TableSize]) -> usize {
    held.iter().map(|held| held.bytes).sum::<usize>() / 1_024
}

/// Connections that are opened and closed at a steady rate, by a thread that ends with the value.
struct Churn {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Churn {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::new(127, 2, 0, 1), 7001)).expect("an address");
        let thread = std::thread::spawn(move || {
            let (begun, mut made) = (Instant::now(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let client = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("a free port");
                let server = listener.accept().expect("the connection just made").0;
                drop((client, server));
                made += 1;
                let due = Duration::from_secs(1) * made / CHURN;
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it only makes connections");
        }
    }
}
