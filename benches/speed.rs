//! Kernel speed: conntop beside the floors, in one run, as medians and ratios.
//!
//! `cargo bench --bench speed` makes its own network namespace and sockets. `CONNTOP_BENCH_SOCKETS=1000,20000,200000`
//! chooses the sizes; under `cargo test` one small size runs as a smoke test. No time is asserted.

#[path = "support/crowd.rs"]
mod crowd;
#[path = "support/floor.rs"]
mod floor;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{self, Choice, Source};
use conntop::tracker::Tracker;
use crowd::Crowd;

/// Processes that share the sockets.
const HOLDERS: u32 = 20;

fn main() {
    crowd::hold_if_asked();
    crowd::enter_namespace();
    let smoke = std::env::args().all(|arg| arg != "--bench");
    let sizes = std::env::var("CONNTOP_BENCH_SOCKETS")
        .unwrap_or_else(|_| if smoke { "1000" } else { "1000,20000,200000" }.to_owned());
    for size in sizes.split(',') {
        let size = size.trim().parse().expect("CONNTOP_BENCH_SOCKETS is a list of numbers");
        measure(size, if smoke { 1 } else { 7 });
    }
}

fn measure(size: u32, runs: usize) {
    let mut crowd = Crowd::gather(size, HOLDERS);
    println!("\n== {size} sockets in {HOLDERS} processes, medians of {runs}");
    let dump = median(runs, || floor::raw_dump().expect("sock_diag answers").0);
    let walk = median(runs, || floor::raw_walk().expect("/proc is there").0);
    println!("floor, raw dump: {dump:.2?}");
    println!("floor, raw descriptor walk: {walk:.2?}");
    let first = median(runs, first_sample);
    row("first sample with owners", first, dump + walk, "raw dump + raw walk, target 0.85");

    let mut live = Live::open();
    live.sample();
    let refresh = median(runs, || live.sample());
    row("refresh, no new sockets", refresh, dump, "raw dump, target 1.3");
    let idle = median(runs, || live.diff());
    row("tracker, nothing changed", idle, dump, "raw dump");
    let mut grown = Vec::new();
    let mut diffs = Vec::new();
    for _ in 0..runs {
        crowd.grow(size / 100);
        grown.push(live.sample());
        diffs.push(live.diff());
    }
    row("refresh, 1 % new sockets", middle(grown), dump, "raw dump, target 1.6");
    row("tracker, 1 % changed", middle(diffs), dump, "raw dump, target 0.2");

    let list = median(runs, || program(env!("CARGO_BIN_EXE_conntop"), &["list", "--format", "ndjson"]));
    row("conntop list --format ndjson", list, dump + walk, "raw dump + raw walk, target 1.5");
    if size <= 20_000 {
        let ss = median(runs, || program("ss", &["-tanp"]));
        row("conntop list --format ndjson", list, ss, "ss -tanp, target 0.75");
    }
    println!("resident memory of this process: {} KiB", resident_kib());
}

fn row(name: &str, time: Duration, floor: Duration, target: &str) {
    println!("{name}: {time:.2?} = {:.2} x {target}", time.as_secs_f64() / floor.as_secs_f64());
}

fn median(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    middle((0..runs).map(|_| run()).collect())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn first_sample() -> Duration {
    let begun = Instant::now();
    Live::open().sample();
    begun.elapsed()
}

fn program(name: &str, args: &[&str]) -> Duration {
    let begun = Instant::now();
    let status = Command::new(name).args(args).stdout(Stdio::null()).status().expect("the program is there");
    assert!(status.success(), "{name} failed");
    begun.elapsed()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// The way from the kernel to the delta, as the sampler goes it.
struct Live {
    source: Box<dyn Source>,
    snapshot: Snapshot,
    tracker: Tracker,
}

impl Live {
    fn open() -> Self {
        let source = source::open(&Choice::Linux).expect("sock_diag answers");
        Self { source, snapshot: Snapshot::default(), tracker: Tracker::new() }
    }

    fn sample(&mut self) -> Duration {
        let begun = Instant::now();
        self.source.sample(&Needs::default(), &mut self.snapshot).expect("sock_diag answers");
        begun.elapsed()
    }

    fn diff(&mut self) -> Duration {
        let begun = Instant::now();
        std::hint::black_box(self.tracker.update(&self.snapshot));
        begun.elapsed()
    }
}
