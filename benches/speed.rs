//! Kernel speed: conntop beside the baselines, in one run, as medians of ratios.
//!
//! `cargo bench --bench speed` makes its own network namespace and sockets; `CONNTOP_BENCH_SOCKETS=1000,20000,200000`
//! chooses the sizes, and `-- --instructions` counts instructions instead. `cargo bench --bench speed -- --smoke` (and `cargo test --benches`) runs one small size once. No
//! time is asserted. Each row is measured right behind its baseline, so that a busy machine slows both.

#[path = "support/baseline.rs"]
#[expect(dead_code, reason = "a whole table takes no filters")]
mod baseline;
#[path = "speed/instructions.rs"]
mod instructions;
#[path = "speed/memory.rs"]
mod memory;
#[path = "support/ratios.rs"]
mod ratios;
#[path = "support/socket_load.rs"]
#[expect(dead_code, reason = "a whole table takes no special sockets")]
mod socket_load;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use baseline::RawRequest;
use conntop::model::coverage::Coverage;
use conntop::model::process::Owner;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::{NetnsId, Socket};
use conntop::source::linux::dumper::DumpThreads;
use conntop::source::linux::intake::DumpIntake;
use conntop::source::linux::tables::SocketTables;
use conntop::source::{self, Choice, Source};
use conntop::tracker::{Tracker, Tracking};
use ratios::{Baseline, Rows};
use socket_load::SocketLoad;

/// `ss -tanp` takes half a minute for more.
const SS_SOCKETS_MAX: u32 = 20_000;

fn main() {
    socket_load::hold_if_asked();
    memory::report_if_asked();
    instructions::work_if_asked();
    socket_load::enter_namespace();
    let asked = |word: &str| std::env::args().any(|arg| arg == word);
    if asked("--instructions") {
        return instructions::measure();
    }
    let smoke = asked("--smoke") || !asked("--bench");
    let sizes = ratios::sizes(if smoke { "1000" } else { "1000,20000,200000" });
    let runs = ratios::rounds(if smoke { 1 } else { 7 });
    let growth: Vec<_> = sizes.iter().map(|size| (*size, measure(*size, runs))).collect();
    ratios::print_growth(&growth);
}

fn measure(size: u32, runs: usize) -> Rows {
    let holders = socket_load::holders_for(size);
    let mut socket_load = SocketLoad::gather(size, holders);
    println!("\n== {size} sockets in {holders} processes, medians of {runs}");
    memory::measure();
    let mut rows = Rows::default();
    let mut tables = Dumps::open();
    let mut live = LiveSource::open();
    live.search();
    live.diff();
    for _ in 0..runs {
        let took = RawRequest::ALL.dump().expect("sock_diag answers").0;
        let dump = |target| vec![Baseline::new("raw dump", took, target)];
        rows.add("snapshot, one thread", tables.read(DumpThreads::One), dump(1.25));
        rows.add("snapshot, two threads", tables.read(DumpThreads::Two), dump(0.9));
        rows.add("refresh, no new sockets", live.sample(), dump(1.3));
        rows.add("tracker, nothing changed", live.diff(), dump(0.2));
        rows.add("refresh and tracker, compared", live.compared(), dump(1.5));
        let walk = baseline::raw_walk().expect("/proc is there").0;
        let both = |target| vec![Baseline::new("(raw dump + raw walk)", took + walk, target)];
        rows.add("(raw walk)", walk, dump(f64::INFINITY));
        rows.add("first picture, in process", first_sample(), both(0.85));
        let list = program(env!("CARGO_BIN_EXE_conntop"), &["list", "--format", "ndjson"]);
        rows.add("conntop list --format ndjson", list, both(1.5));
        if size <= SS_SOCKETS_MAX {
            let ss = program("ss", &["-tanp"]);
            rows.add("conntop list, whole process", list, vec![Baseline::new("ss -tanp", ss, 0.75)]);
        }
        // What is measured is a refresh that searches.
        live.wait_for_search();
        socket_load.grow(size / 100);
        let took = RawRequest::ALL.dump().expect("sock_diag answers").0;
        let dump = |target| vec![Baseline::new("raw dump", took, target)];
        rows.add("refresh, 1 % new sockets", live.search(), dump(1.6));
        // On a busy machine a search takes longer than the last one, and the next one is put off for longer.
        for _ in 0..10 {
            if live.without_owner() > 0 {
                live.wait_for_search();
                live.search();
            }
        }
        assert_eq!(live.without_owner(), 0, "every socket that is held has its owner");
        rows.add("tracker, 1 % changed", live.diff(), dump(0.2));
    }
    rows.print();
    rows
}

fn first_sample() -> Duration {
    let begun = Instant::now();
    LiveSource::open().sample();
    begun.elapsed()
}

fn program(name: &str, args: &[&str]) -> Duration {
    let begun = Instant::now();
    let status = Command::new(name).args(args).stdout(Stdio::null()).status().expect("the program is there");
    assert!(status.success(), "{name} failed");
    begun.elapsed()
}

/// The kernel's tables, decoded, without owners.
struct Dumps {
    tables: SocketTables,
    sockets: Vec<Socket>,
}

impl Dumps {
    fn open() -> Self {
        Self { tables: SocketTables::sock_diag(NetnsId(0)).expect("sock_diag answers"), sockets: Vec::new() }
    }

    fn read(&mut self, threads: DumpThreads) -> Duration {
        let begun = Instant::now();
        self.sockets.clear();
        let intake = &mut DumpIntake::all(&mut self.sockets);
        self.tables.read(threads, intake, &mut Coverage::default()).expect("sock_diag answers");
        begun.elapsed()
    }
}

/// The way from the kernel to the delta, as the sampler goes it.
struct LiveSource {
    source: Box<dyn Source>,
    snapshot: Snapshot,
    tracker: Tracker,
    /// How long the last sample took that searched for owners.
    searched: Duration,
}

impl LiveSource {
    fn open() -> Self {
        let source = source::open(&Choice::Linux).expect("sock_diag answers");
        Self { source, snapshot: Snapshot::default(), tracker: Tracker::new(), searched: Duration::ZERO }
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

    /// A sample as the sampler takes it: compared while it is dumped.
    fn compared(&mut self) -> Duration {
        let begun = Instant::now();
        let Self { source, snapshot, tracker, .. } = self;
        source.sample(&Needs::default(), &mut Tracking { tracker, snapshot }).expect("sock_diag answers");
        std::hint::black_box(tracker.finish(snapshot));
        begun.elapsed()
    }

    /// A sample of sockets some of which are new.
    fn search(&mut self) -> Duration {
        self.searched = self.sample();
        self.searched
    }

    /// Waits until the source may search again: at most a fifth of a core goes into searches.
    fn wait_for_search(&self) {
        std::thread::sleep(self.searched * 4);
    }

    /// Sockets that a process holds and whose process was not found. What has no inode any more (`TIME_WAIT`, the
    /// kernel's own) has no process either.
    fn without_owner(&self) -> usize {
        let held = self.snapshot.sockets.iter().filter(|socket| socket.inode.is_some());
        held.filter(|socket| !matches!(socket.owner, Owner::Live(_))).count()
    }
}
