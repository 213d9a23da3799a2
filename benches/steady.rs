//! Steady state: what conntop takes while it runs, screen and all, beside many idle sockets and under churn: as a share of a
//! core, and in raw dumps a second, which is a ratio of processor times and so hardly depends on what else the machine does.
//!
//! `cargo bench --bench steady` makes its own network namespace and sockets. `CONNTOP_BENCH_SOCKETS=10000` chooses the
//! sizes, 1000000 among them; `CONNTOP_BENCH_SECONDS=60` how long each row is measured; `-- --soak SECONDS` (600 if not said) instead runs the program under churn and prints its memory and
//! descriptors, and beside them what the tables hold by then on a made-up machine with the same churn; `-- --hour` plays
//! an hour of that alone, in a minute. Under `cargo test` a small size runs for a moment as a smoke test. No time is
//! asserted.

#[path = "support/baseline.rs"]
#[expect(dead_code, reason = "the raw dump is all that is compared with")]
mod baseline;
#[path = "../tests/common/churn.rs"]
mod churn;
#[path = "../tests/common/pty.rs"]
#[expect(dead_code, reason = "a benchmark looks at less than the tests do")]
mod pty;
#[path = "support/socket_load.rs"]
#[expect(dead_code, reason = "this load does not grow")]
mod socket_load;
#[path = "support/traffic.rs"]
mod traffic;

use std::process::Command;
use std::time::{Duration, Instant};

use churn::{SimulatedMachine, lines};
use conntop::model::delta::Transition;
use conntop::model::memory::TableSize;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{self, Choice};
use conntop::tracker::{Tracker, Tracking};
use pty::{Control, Session};
use socket_load::SocketLoad;
use traffic::{SERVED, Traffic};

/// Sockets that do nothing while a soak runs: so many that samples are partial.
const IDLE: u32 = 30_000;
/// Connections that come and go in a second.
const CHURN: u32 = 200;
/// As many as a busy server has.
const BUSY: u32 = 2_000;
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
    let seconds = std::env::var("CONNTOP_BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let window = Duration::from_secs(seconds.unwrap_or(if smoke { 1 } else { 120 }));
    for size in sizes.split(',') {
        measure(size.trim().parse().expect("CONNTOP_BENCH_SOCKETS is a list of numbers"), window);
    }
}

fn measure(size: u32, window: Duration) {
    let holders = socket_load::holders_for(size);
    let _idle = SocketLoad::gather(size, holders);
    let mut machine = Machine { raw_dump: raw_dump(), window };
    println!(
        "\n== {size} sockets in {holders} processes, one sample a second; a raw dump takes {:.1?}",
        machine.raw_dump
    );
    let is_huge = size >= 1_000_000;
    if !is_huge {
        samples(if window > Duration::from_secs(5) { 9 } else { 1 });
    }
    let traffic = Traffic::begin(5, 1);
    let of_large = |target| if size >= 100_000 { target } else { "none" };
    let target = if is_huge { "0.03" } else { of_large("0.05") };
    machine.idle(&[], "idle, trace on, a segment each 0.2 s", target);
    if is_huge {
        return;
    }
    machine.idle(&["--no-trace"], "idle, trace off, a segment each 0.2 s", of_large("0.12"));
    drop(traffic);
    machine.idle(&[], "idle, trace on, no segment at all", of_large("0.05"));
    for rate in [CHURN, BUSY] {
        machine.busy(rate);
    }
}

/// What the sizes of the rows are measured with.
struct Machine {
    /// What a raw dump takes of a core.
    raw_dump: Duration,
    window: Duration,
}

impl Machine {
    /// Prints what an idle screen takes, begun with `args`, after it has come to rest.
    fn idle(&mut self, args: &[&str], what: &str, target: &str) {
        let mut session = conntop(args);
        session.watch(self.window / 2);
        let used = load(&mut session, self.window, what, "none");
        println!("  = {:.3} raw dumps a second (target {target})", used / self.raw_dump.as_secs_f64());
        println!("  header: {}", session.text().lines().next().unwrap_or_default().trim());
        println!("  resident memory: {} KiB", status(&session, "VmRSS:"));
    }

    /// Prints what `rate` connections a second take beside the idle sockets, and how many of them are not told.
    fn busy(&mut self, rate: u32) {
        let traffic = Traffic::begin(rate, rate);
        let mut session = conntop(&[]);
        session.watch(self.window / 8);
        let what = format!("{rate} connections a second come and go");
        let target = if rate == BUSY { "25" } else { "none" };
        let used = load(&mut session, self.window / 2, &what, target);
        println!("  = {:.3} raw dumps a second", used / self.raw_dump.as_secs_f64());
        println!("  header: {}", session.text().lines().next().unwrap_or_default().trim());
        drop(session);
        drop(traffic);
        count_missed(rate, self.window / 4);
    }
}

/// The processor time of a raw dump: the median of some.
fn raw_dump() -> Duration {
    let thread_time = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).expect("not negative")
    };
    let one = |_| {
        let begun = thread_time();
        baseline::RawRequest::ALL.dump().expect("sock_diag answers");
        thread_time().saturating_sub(begun)
    };
    median((0..5).map(one).collect())
}

/// Follows connections by source and tracker alone, as the sampler does, and prints how many were opened and not told.
fn count_missed(rate: u32, window: Duration) {
    let mut source = source::open(&Choice::Linux).expect("sock_diag answers");
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    source.listen(true);
    let (mut told, mut lost) = (0, 0);
    let mut take = |partial: bool| {
        let needs = Needs { partial, ..Needs::default() };
        let sink = &mut Tracking { tracker: &mut tracker, snapshot: &mut snapshot };
        source.sample(&needs, sink).expect("sock_diag answers");
        let delta = tracker.finish(&mut snapshot);
        let is_served = |step: &&Transition| step.is_opening() && step.local.port == SERVED && step.remote.port != 0;
        told += delta.transitions.iter().filter(is_served).count();
        lost += delta.gaps.len();
        let is_followed = snapshot.scope.has_told_changes() && !snapshot.scope.is_all();
        snapshot.sockets.clear();
        is_followed
    };
    // The trace is opened beside the samples; what was there before is listed by the next full one.
    (0..3).for_each(|_| {
        take(false);
        std::thread::sleep(Duration::from_millis(500));
    });
    let mut traffic = Traffic::begin(rate, rate);
    let (begun, mut followed, mut samples) = (Instant::now(), 0, 0);
    while begun.elapsed() < window {
        std::thread::sleep(Duration::from_secs(1).min(window));
        followed += u32::from(take(true));
        samples += 1;
    }
    let made = traffic.end();
    // The last ones end, and two full samples show what is left.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(500));
        take(false);
    }
    let missed = i64::from(made) - i64::try_from(told).unwrap_or(i64::MAX);
    println!(
        "  {made} connections in {window:.0?}, of which {missed} were not told (target 0); {lost} losses reported; {followed} of \
         {samples} samples without a dump of the states"
    );
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
            tracker.finish(&mut snapshot);
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

fn conntop(args: &[&str]) -> Session {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
    command.args(["--interval", "1"]).args(args);
    let mut session = Session::start(&command, Control::Controlling, SCREEN);
    session.wait_for_text("every 1 s");
    session
}

/// Prints the share of a core that the program takes for a while, which it gives, and what it writes.
fn load(session: &mut Session, window: Duration, what: &str, target: &str) -> f64 {
    let (begun, before, written) = (Instant::now(), session.process().1, session.bytes.len());
    session.watch(window);
    let seconds = begun.elapsed().as_secs_f64();
    let share = session.process().1.saturating_sub(before).as_secs_f64() / seconds;
    #[expect(clippy::cast_precision_loss, reason = "a few kilobytes")]
    let bytes = (session.bytes.len() - written) as f64 / seconds;
    let percent = share * 100.0;
    println!("{what}: {percent:.1} % of a core (target {target}), {bytes:.0} bytes a second to the terminal");
    session.bytes.clear();
    share
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
    let mut session = conntop(&[]);
    let _traffic = Traffic::begin(CHURN, CHURN);
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
