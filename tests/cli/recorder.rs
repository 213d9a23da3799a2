//! `conntop record` as a service and a pipe run it: killed at any moment, on a full and on a read-only disk, beside another one.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conntop::model::delta::{EventSource, Gap};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::time::Timestamp;
use conntop::source::{self, Choice, Pace, clock};
use conntop::tracker::{Tracker, Tracking};
use rustix::process::{Pid, Signal, kill_process};

use crate::namespace;
use crate::program::{complaints, run};
use crate::session::{Control, Session};

/// How long anything may take; long, because the machine that runs the tests may be busy.
const DEADLINE: Duration = Duration::from_secs(60);
/// What a machine that is cut off at once may lose.
const LOST_MAX: Duration = Duration::from_secs(2);

/// A recorder that runs, and what it says.
struct Recorder {
    child: Child,
    said: tempfile::NamedTempFile,
}

impl Recorder {
    /// Records into `directory`, ten samples a second.
    fn start(directory: &Path, around: &[&str]) -> Self {
        let said = tempfile::NamedTempFile::new().expect("a temporary file");
        let words = [around, &[env!("CARGO_BIN_EXE_conntop")]].concat();
        let child = Command::new(words[0])
            .args(&words[1..])
            .args(["record", "--interval", "0.1", "--keep", "1h", "--max-size", "4M"])
            .arg(directory)
            .env_remove("HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdout(Stdio::null())
            .stderr(said.reopen().expect("it can be written"))
            .spawn()
            .expect("it was built");
        Self { child, said }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.said.path()).expect("text")
    }

    /// Waits until it has said `what`.
    fn wait_for(&self, what: &str) {
        wait_until(|| self.said().contains(what), || format!("it never said {what:?}: {}", self.said()));
    }

    /// Sends it `signal`; what it said, and how it ended.
    fn end(mut self, signal: Signal) -> (String, std::process::ExitStatus) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        let status = self.child.wait().expect("it ends");
        (self.said(), status)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(is_done: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < DEADLINE, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The segments of a directory, oldest first.
fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect());
    let mut paths: Vec<PathBuf> = entries.unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "conntop"));
    paths.sort();
    paths
}

/// What a recording plays.
#[derive(Default)]
struct Played {
    times: Vec<Timestamp>,
    gaps: Vec<Gap>,
    /// What is wrong with it.
    notes: Vec<String>,
}

fn play(path: &Path) -> Played {
    let mut source = source::open(&Choice::Replay { path: path.to_owned() }).expect("a recording");
    let (mut tracker, mut snapshot, mut played) = (Tracker::new(), Snapshot::default(), Played::default());
    loop {
        let sink = &mut Tracking { tracker: &mut tracker, snapshot: &mut snapshot };
        let pace = source.sample(&Needs::default(), sink).expect("a sample");
        let delta = tracker.finish(&mut snapshot);
        played.times.push(delta.at);
        played.gaps.extend(delta.gaps.iter().copied());
        if !matches!(pace, Pace::After(_)) {
            played.notes = delta.coverage.degraded.iter().map(ToString::to_string).collect();
            return played;
        }
    }
}

#[test]
fn killed_at_any_moment_it_loses_at_most_two_seconds_and_the_next_start_goes_on() {
    if !namespace::inside_namespace() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("recorder");
    let mut noise = 7u64;
    let mut before = 0;
    for round in 0..24 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let recorder = Recorder::start(&directory, &[]);
        // Now and then so long that much was recorded; else somewhere in its first moments.
        let lives = if round % 6 == 5 { 2_500 } else { noise >> 33 & 0x1ff };
        std::thread::sleep(Duration::from_millis(lives));
        let (_, status) = recorder.end(Signal::KILL);
        let killed = clock::since_boot();
        assert_eq!(status.signal(), Some(9));
        let there = segments(&directory);
        assert!(there.len() >= before, "what was there is kept");
        before = there.len();
        if lives > 2_000 {
            let played = play(&directory);
            let last = *played.times.last().expect("a sample");
            assert!(killed.since(last) <= LOST_MAX, "{:?} lost in round {round}", killed.since(last));
            assert!(played.times.is_sorted(), "the runs follow one another");
        }
    }
    // Each that has a sample plays by itself.
    let whole = segments(&directory).iter().filter(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0)).count();
    assert!(whole >= 4, "{whole} segments");
    let recorder = Recorder::start(&directory, &[]);
    wait_until(|| segments(&directory).len() > before, || "no new segment".to_owned());
    let (said, status) = recorder.end(Signal::TERM);
    assert!(status.success() && said.contains("recorded; play with conntop replay"), "{said}");
    let played = play(&directory);
    assert!(played.times.is_sorted() && played.times.len() > 40, "{} samples", played.times.len());
}

#[test]
fn whoever_asks_it_to_end_leaves_a_finished_recording() {
    if !namespace::inside_namespace() {
        return;
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let folder = tempfile::tempdir().expect("a directory");
        let directory = folder.path().join("recorder");
        let recorder = Recorder::start(&directory, &[]);
        wait_until(|| segments(&directory).len() == 1, || "no segment".to_owned());
        std::thread::sleep(Duration::from_millis(300));
        let (said, status) = recorder.end(signal);
        assert!(status.success(), "{signal:?}: {said}");
        let played = play(&segments(&directory)[0]);
        let unfinished: Vec<&String> = played.notes.iter().filter(|note| note.contains("finish")).collect();
        assert!(unfinished.is_empty() && played.times.len() > 1, "{signal:?}: {unfinished:?}");
    }
}

#[test]
fn two_recorders_do_not_share_a_directory() {
    if !namespace::inside_namespace() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("recorder");
    let first = Recorder::start(&directory, &[]);
    wait_until(|| !segments(&directory).is_empty(), || "no segment".to_owned());
    let second = run(&["record", "--max-size", "4M", directory.to_str().expect("text")]);
    let expected = format!("another conntop (pid {}) is recording into", first.child.id());
    assert!(second.code == 1 && second.stderr.contains(&expected), "{}", second.stderr);
    assert_eq!(first.said(), "", "the first one does not mind");
    assert_eq!(segments(&directory).len(), 1);
}

#[test]
fn a_disk_that_is_full_and_then_read_only_is_outlived_and_leaves_a_gap() {
    if !namespace::inside_namespace_of_mounts() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let disk = folder.path().to_str().expect("text");
    let mount = |arguments: &[&str]| {
        let status = Command::new("mount").args(arguments).status();
        assert!(status.expect("mount(8) is there").success(), "mount {arguments:?}");
    };
    mount(&["-t", "tmpfs", "-o", "size=1M", "none", disk]);
    let directory = folder.path().join("recorder");
    let recorder = Recorder::start(&directory, &[]);
    wait_until(|| !segments(&directory).is_empty(), || recorder.said());
    // Somebody else takes all that is left.
    let mut filler = File::create(folder.path().join("filler")).expect("writable");
    let _ = std::io::copy(&mut File::open("/dev/zero").expect("a device").take(1 << 20), &mut filler);
    drop(filler);
    recorder.wait_for("cannot record into");
    let said = recorder.said();
    assert!(said.contains("no storage space; nothing is recorded until there is room; make room"), "{said}");
    mount(&["-o", "remount,ro", disk]);
    recorder.wait_for("read-only filesystem");
    mount(&["-o", "remount,rw,size=8M", disk]);
    recorder.wait_for("goes on after a gap of");
    std::thread::sleep(Duration::from_millis(500));
    let (said, status) = recorder.end(Signal::TERM);
    assert!(status.success(), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("cannot record into")).count(), 2, "each is said once: {said}");
    let played = play(&directory);
    let gap = played.gaps.iter().find(|gap| gap.of == EventSource::Samples).expect("a gap");
    assert!(gap.to.since(gap.from) >= Duration::from_secs(1), "{gap:?}");
    assert!(played.times.is_sorted());
}

#[test]
fn a_disk_that_is_read_only_at_the_start_is_one_sentence() {
    if !namespace::inside_namespace_of_mounts() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let disk = folder.path().to_str().expect("text");
    let mount = |options: &str| Command::new("mount").args(["-t", "tmpfs", "-o", options, "none", disk]).status();
    assert!(mount("ro").is_ok_and(|status| status.success()));
    let ended = run(&["record", "--max-size", "4M", &format!("{disk}/recorder")]);
    assert_eq!((ended.code, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("read-only filesystem"), "{}", ended.stderr);
}

/// A machine that was booted again has a clock that begins anew.
#[test]
fn a_run_after_a_reboot_stands_behind_the_one_before() {
    if !namespace::inside_namespace() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("recorder");
    let later = ["unshare", "-T", "--boottime", "1000000", "--"];
    let works = Command::new(later[0]).args(&later[1..]).arg("true").status().is_ok_and(|status| status.success());
    if !works {
        crate::skip::skip("`unshare -T` does not work here");
        return;
    }
    for (around, count) in [(&later[..], 1), (&[][..], 2)] {
        let recorder = Recorder::start(&directory, around);
        wait_until(|| segments(&directory).len() == count, || recorder.said());
        std::thread::sleep(Duration::from_millis(400));
        let (said, status) = recorder.end(Signal::TERM);
        assert!(status.success(), "{said}");
    }
    let [first, second] = [0, 1].map(|number| play(&segments(&directory)[number]).times.len());
    let played = play(&directory);
    assert!(played.times.is_sorted() && played.times.len() == first + second, "{:?}", played.times);
}

#[test]
fn a_pipe_gets_the_recording_itself_and_may_be_closed() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("piped.conntop");
    let record = |arguments: &[&str], stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
        command.args(["record", "--demo", "--interval", "0.1", "-"]).args(arguments);
        command.env_remove("HOME").env_remove("XDG_CONFIG_HOME").stdout(stdout).stderr(Stdio::piped());
        command.spawn().expect("it was built")
    };
    let file = File::create(&path).expect("writable");
    let output = record(&["--count", "3"], file.into()).wait_with_output().expect("it ends");
    assert!(output.status.success() && complaints(&output.stderr).is_empty(), "{output:?}");
    assert_eq!(play(&path).times.len(), 3);

    let mut closed = record(&[], Stdio::piped());
    closed.stdout.take().expect("piped").read_exact(&mut [0; 8]).expect("it begins at once");
    let output = closed.wait_with_output().expect("it ends by itself");
    assert!(output.status.success() && complaints(&output.stderr).is_empty(), "{output:?}");
}

#[test]
fn findings_that_began_are_marked() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("demo.conntop");
    let words = ["record", "--demo", "--interval", "0.1", "--count", "20", path.to_str().expect("text")];
    assert_eq!(run(&words).code, 0);
    let source = source::open(&Choice::Replay { path: path.clone() }).expect("a recording");
    let marks = source.span().expect("it has a time").marks;
    let found: Vec<String> = marks.iter().map(|mark| mark.sentence.to_string()).collect();
    assert!(marks.iter().all(|mark| mark.severity.is_some()), "the demo has no gap: {found:?}");
    assert!(found.iter().any(|sentence| sentence.contains("jdbc-pool")), "the leak: {found:?}");
    let mut once = found.clone();
    once.sort();
    once.dedup();
    assert!(once.len() >= 2 && found.len() < 40, "each once, and once more where it became critical: {found:?}");
}

#[test]
fn a_terminal_gets_no_recording() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
    command.args(["record", "--demo", "-"]);
    let mut session = Session::start(&command, Control::Controlling, (200, 24));
    session.wait_for_text("a recording is no text for a terminal; pipe it on");
}

#[test]
fn the_unit_is_what_systemd_understands_and_starts_what_there_is() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/systemd/conntop-recorder.service");
    let text = fs::read_to_string(&unit).expect("the unit");
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    let words: Vec<&str> = line.split(' ').collect();
    let state = text.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("a directory");
    let directory = words.last().expect("a directory");
    assert!(directory.starts_with(&format!("/var/lib/{state}/")), "{line}");
    let help = run(&[&words[1..], &["--help"]].concat());
    assert_eq!(help.code, 0, "{}", help.stderr);
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        crate::skip::skip("systemd-analyze is not installed");
        return;
    }
    // What it starts is elsewhere here.
    let folder = tempfile::tempdir().expect("a directory");
    let copy = folder.path().join("conntop-recorder.service");
    fs::write(&copy, text.replace(words[0], env!("CARGO_BIN_EXE_conntop"))).expect("writable");
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output().expect("it runs");
    assert!(verify.status.success() && verify.stderr.is_empty(), "{verify:?}");
    let security =
        Command::new("systemd-analyze").args(["security", "--offline=yes", "--threshold=30"]).arg(&copy).output();
    let security = security.expect("it runs");
    assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
}
