//! What recording costs: bytes a sample, processor time beside that of `watch`, and how long a jump in a large recording takes.
//!
//! `cargo bench --bench recording` makes its own network namespace and sockets, and prints each target with whether it is met.
//! `CONNTOP_BENCH_SECONDS=60` chooses how long each row is measured, `CONNTOP_BENCH_BYTES=1000000000` how large the recording is
//! in which it jumps, `CONNTOP_BENCH_FOLDER=/var/tmp` where that is. Under `cargo test` everything is small and takes a moment, as a
//! smoke test. No time is asserted.

#[path = "support/machine.rs"]
mod machine;
#[path = "support/socket_load.rs"]
#[expect(dead_code, reason = "this load does not grow")]
mod socket_load;
#[path = "support/traffic.rs"]
mod traffic;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conntop::app::msg::Msg;
use conntop::model::delta::Delta;
use conntop::model::snapshot::{Abilities, Needs, Snapshot, SourceInfo, SourceKind};
use conntop::model::time::Timestamp;
use conntop::source::record::header::Header;
use conntop::source::record::sample_writer::SampleWriter;
use conntop::source::{self, Choice, Source};
use conntop::store::Store;
use conntop::tracker::{Tracker, Tracking};
use machine::Machine;
use socket_load::SocketLoad;
use traffic::Traffic;

/// An idle machine, and the most bytes that a sample of it may take after the first.
const IDLE: (u32, f64) = (2_000, 1_000.0);
/// A busy machine, how many connections come and go on it in a second, and the most bytes of a sample.
const BUSY: (u32, u32, f64) = (20_000, 200, 12_000.0);
/// The most processor time that recording takes, in that of `watch`.
const CPU_RATIO: f64 = 1.2;
/// The longest time from a jump to the first picture.
const JUMP: Duration = Duration::from_millis(150);
/// The size of the machine whose recording is jumped in, and how often that is done.
const RECORDED: u32 = 20_000;
const JUMPS: u32 = 50;

fn main() {
    socket_load::hold_if_asked();
    socket_load::enter_namespace();
    let is_smoke = std::env::args().all(|arg| arg != "--bench");
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seconds = number("CONNTOP_BENCH_SECONDS").unwrap_or(if is_smoke { 2 } else { 60 });
    let share = if is_smoke { 20 } else { 1 };
    let bytes = number("CONNTOP_BENCH_BYTES").unwrap_or(if is_smoke { 2_000_000 } else { 1_000_000_000 });
    let window = Duration::from_secs(seconds);

    {
        let _idle = gather(IDLE.0 / share);
        let mean = bytes_a_sample(window);
        report(&format!("{} idle sockets", IDLE.0 / share), mean, IDLE.1, "bytes a sample");
    }
    {
        let _idle = gather(BUSY.0 / share);
        let _traffic = Traffic::begin(BUSY.1, BUSY.1);
        let mean = bytes_a_sample(window);
        let what = format!("{} connections a second beside {} sockets", BUSY.1, BUSY.0 / share);
        report(&what, mean, BUSY.2, "bytes a sample");
        report(&format!("processor time of record in that of watch, {what}"), cpu_ratio(window), CPU_RATIO, "x");
    }
    jumps(bytes, RECORDED / share);
}

fn gather(sockets: u32) -> SocketLoad {
    SocketLoad::gather(sockets, socket_load::holders_for(sockets))
}

fn report(what: &str, value: f64, target: f64, unit: &str) {
    let is_met = if value <= target { "met" } else { "missed" };
    println!("{what}: {value:.2} {unit} (target {target}: {is_met})");
}

/// What a sample takes in a recording of this machine, but for the first one, and for what lists all sockets again.
fn bytes_a_sample(window: Duration) -> f64 {
    let mut source = source::open(&Choice::Linux).expect("sock_diag answers");
    source.listen(true);
    let (mut tracker, mut snapshot, mut bytes) = (Tracker::new(), Snapshot::default(), Vec::new());
    let mut encoder = SampleWriter::new(Header::of(source.info())).expect("a writer");
    let (begun, mut lengths) = (Instant::now(), Vec::new());
    loop {
        let sink = &mut Tracking { tracker: &mut tracker, snapshot: &mut snapshot };
        source.sample(&Needs::default(), sink).expect("sock_diag answers");
        let delta = tracker.finish(&mut snapshot);
        snapshot.sockets.clear();
        bytes.clear();
        encoder.sample(&delta, &[], &mut bytes).expect("it can be recorded");
        lengths.push(bytes.len());
        if begun.elapsed() >= window {
            break;
        }
        let due = begun + Duration::from_secs(lengths.len() as u64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    // What is found about a machine in the first seconds is no steady state.
    let steady = &lengths[(lengths.len() / 4).max(1)..];
    println!(
        "  first sample {} bytes, then {} samples, the largest {:?}",
        lengths[0],
        steady.len(),
        steady.iter().max()
    );
    mean(steady)
}

#[expect(clippy::cast_precision_loss, reason = "some megabytes")]
fn mean(lengths: &[usize]) -> f64 {
    lengths.iter().sum::<usize>() as f64 / lengths.len() as f64
}

/// The processor time of `record` in that of `watch`, both at once beside the same sockets.
fn cpu_ratio(window: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("recording");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
        command.args(["--config", "/dev/null", "--interval", "1"]).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it was built")
    };
    let record = start(&["record", file.to_str().expect("text")]);
    let watch = start(&["watch", "--format", "ndjson"]);
    std::thread::sleep(window / 4);
    let before = [&record, &watch].map(processor_time);
    std::thread::sleep(window);
    let used: Vec<f64> = [&record, &watch]
        .iter()
        .zip(before)
        .map(|(child, before)| processor_time(child).saturating_sub(before).as_secs_f64())
        .collect();
    for mut child in [record, watch] {
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
    let share = |seconds: f64| seconds / window.as_secs_f64() * 100.0;
    println!("  record {:.2} % of a core, watch {:.2} %", share(used[0]), share(used[1]));
    used[0] / used[1]
}

/// User and system time of a process, in ticks of 10 ms (`proc_pid_stat(5)`).
fn processor_time(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

/// Makes a recording of at least `bytes` bytes, and jumps to moments all over it.
fn jumps(bytes: u64, sockets: u32) {
    let folder = std::env::var_os("CONNTOP_BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).expect("a temporary directory");
    let path = folder.path().join("recording");
    let begun = Instant::now();
    let samples = write_recording(&path, bytes, sockets);
    let len = std::fs::metadata(&path).expect("it was written").len();
    println!("a recording of {len} bytes, {samples} samples of {sockets} sockets, made in {:.1?}", begun.elapsed());

    let begun = Instant::now();
    let mut source = open(&path);
    let span = source.span().expect("a recording has one");
    let opened = begun.elapsed();
    let mut times = Vec::new();
    for jump in 0..JUMPS {
        let at = Timestamp(span.first.at.0 + scatter(jump) % (span.last.at.0 - span.first.at.0).max(1));
        let begun = Instant::now();
        let sockets = picture(&mut *source, at);
        times.push(begun.elapsed());
        assert!(sockets > 0, "there is something to see");
    }
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    report("opening it", millis(opened), millis(JUMP), "ms");
    report("a jump, the median", millis(times[times.len() / 2]), millis(JUMP), "ms");
    report("the slowest jump", millis(times[times.len() - 1]), millis(JUMP), "ms");
}

fn open(path: &Path) -> Box<dyn Source> {
    source::open(&Choice::Replay { path: path.to_owned() }).expect("a recording")
}

/// What there was at `at`: how many sockets.
fn picture(source: &mut dyn Source, at: Timestamp) -> usize {
    source.seek(at).expect("it is in the recording");
    let (mut tracker, mut store) = (Tracker::new(), Store::new(source.info().clone()));
    let mut snapshot = Snapshot::default();
    loop {
        let sink = &mut Tracking { tracker: &mut tracker, snapshot: &mut snapshot };
        let pace = source.sample(&Needs::default(), sink).expect("a sample");
        if snapshot.at > at && store.deltas() > 0 {
            break;
        }
        store.apply(tracker.finish(&mut snapshot));
        if !matches!(pace, source::Pace::After(_)) {
            break;
        }
    }
    store.rows().iter().count()
}

/// Writes samples of a made-up machine until there are `bytes` bytes; how many samples that are.
fn write_recording(path: &Path, bytes: u64, sockets: u32) -> u64 {
    let host = SourceInfo { kind: SourceKind::Linux, host: "made-up".into(), abilities: Abilities::default() };
    let (mut machine, mut encoder) = (Machine::new(sockets), SampleWriter::new(Header::of(&host)).expect("a writer"));
    let mut file = File::create(path).expect("writable");
    let (mut written, mut samples, mut buffer) = (0, 0, Vec::new());
    let mut next = delta(machine.first());
    while written < bytes {
        buffer.clear();
        encoder.sample(&next, &[], &mut buffer).expect("it can be recorded");
        file.write_all(&buffer).expect("room for the recording");
        written += buffer.len() as u64;
        samples += 1;
        next = delta(machine.next());
    }
    buffer.clear();
    encoder.finish(&mut buffer).expect("an end");
    file.write_all(&buffer).expect("room for the recording");
    samples
}

fn delta(message: Msg) -> Delta {
    match message {
        Msg::Delta(delta) => *delta,
        other => panic!("{other:?} is no sample"),
    }
}

/// A number that looks random and is the same every time (the finalizer of `SplitMix64`).
fn scatter(number: u32) -> u64 {
    let mixed = u64::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}
