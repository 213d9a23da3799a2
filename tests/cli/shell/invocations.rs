//! How each command is run here: on made-up data, to an end, with the outcome that is right.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::commands::commands;

pub const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");
const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/recordings/demo.conntop");
/// A moment at its begin.
const BEGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/recordings/demo.conntop@+1s");
/// What takes longer hangs: everything here is done within a second, on a machine that is busy within ten.
const HANGS: Duration = Duration::from_secs(5 * 60);
/// Stands for a file that does not exist yet.
const NEW: &str = "NEW";

/// Arguments of the commands that do not end, or do nothing, with `--demo` alone; none for the program itself.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("", &["--demo", "state:listen"]),
    ("watch", &["--demo", "--interval", "0.1", "--count", "5"]),
    ("explain", &["time-wait", "--demo"]),
    ("netstat", &["--demo", "-ano"]),
    ("record", &[NEW, "--demo", "--interval", "0.1", "--count", "2"]),
    ("replay", &[RECORDING]),
    ("diff", &[BEGIN, RECORDING]),
    ("completions", &["bash", "--demo"]),
    ("kill", &["--demo", "--dry-run", "process:jdbc"]),
    ("close", &["--demo", "--dry-run", "process:jdbc"]),
];
/// Arguments with which commands run until they are told to stop. What is written at once is short: only up to 4,096
/// bytes (`PIPE_BUF`) go into a pipe whole if the program is ended meanwhile.
const RUNNING: &[(&str, &[&str])] = &[
    ("list", &["--demo", "--interval", "0.1", "--on-change", "lport:22"]),
    ("list", &["--demo", "--interval", "0.1", "--on-change", "--format", "json", "lport:22"]),
    ("watch", &["--demo", "--interval", "0.1"]),
    ("watch", &["--demo", "--interval", "0.1", "--format", "ndjson"]),
    ("netstat", &["--demo", "-ano", "0.1", "lport:22"]),
    ("netstat", &["--demo", "-ano", "0.1", "--format", "json", "lport:22"]),
    // A file that grows while it is played might never end.
    ("record", &[NEW, "--demo", "--interval", "60"]),
];

/// One command with arguments.
pub struct Invocation {
    pub name: String,
    words: Vec<&'static str>,
    /// The exit code if all is as it should be.
    pub code: i32,
    /// Whether it then prints nothing on stdout.
    pub is_silent: bool,
    /// Whether its first argument is the name of a file that it makes.
    pub takes_a_new_file: bool,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Invocation {
    fn new(name: &str, words: &[&'static str]) -> Self {
        let takes_a_new_file = words.contains(&NEW);
        // The demo is in trouble, which a check says; and what is made up cannot be hit.
        let refuses = ["kill", "close"].contains(&name);
        let code = if name == "check" || refuses { 2 } else { 0 };
        let is_silent = takes_a_new_file || refuses;
        Self { name: name.to_owned(), words: words.to_vec(), code, is_silent, takes_a_new_file }
    }

    /// The arguments; a new file is in `folder`.
    pub fn arguments(&self, folder: &Path) -> Vec<String> {
        let file = folder.join("new.conntop");
        let word = |word: &&str| if *word == NEW { file.display().to_string() } else { (*word).to_owned() };
        let name = Some(self.name.clone()).filter(|name| !name.is_empty());
        name.into_iter().chain(self.words.iter().map(word)).collect()
    }

    /// Its exit code if it could not do its work; that of a check is one of its own.
    pub fn failed(&self) -> i32 {
        if self.name == "check" { 3 } else { 1 }
    }

    /// Its exit code if it was used wrongly.
    pub fn misused(&self) -> i32 {
        if self.name == "check" { 3 } else { 2 }
    }

    /// Waits until its file can be played.
    pub fn wait_for_file(&self, folder: &Path, running: &mut Running) {
        let begun = Instant::now();
        while !self.is_played(folder) {
            assert!(running.0.try_wait().expect("it is ours").is_none(), "{} ended by itself", self.name);
            assert!(begun.elapsed() < HANGS, "{} writes nothing", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_played(&self, folder: &Path) -> bool {
        let mut replay = Command::new(CONNTOP);
        replay.args(["replay", "new.conntop"]).current_dir(folder).stdin(Stdio::null());
        let ended = ended(self, &mut replay);
        ended.code == Some(0) && ended.stdout.lines().count() > 1
    }

    /// What it printed or wrote until it was ended can be used.
    pub fn is_whole(&self, text: &str, folder: &Path) {
        if self.takes_a_new_file {
            assert!(self.is_played(folder), "{}: its file cannot be played", self.name);
        }
        if self.words.iter().any(|word| word.ends_with("json")) {
            for line in text.lines() {
                assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{}: {line}", self.name);
            }
        }
    }
}

/// Every command there is, and the program without one.
pub fn all() -> Vec<Invocation> {
    let words = |name: &str| ARGUMENTS.iter().find(|(known, _)| *known == name).map_or(&["--demo"][..], |row| row.1);
    let names = std::iter::once(String::new()).chain(commands());
    names.map(|name| Invocation::new(&name, words(&name))).collect()
}

/// Those that run on.
pub fn running() -> Vec<Invocation> {
    RUNNING.iter().map(|(name, words)| Invocation::new(name, words)).collect()
}

/// A child that does not outlive its test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `command` to its end. Whatever happens, nothing panics and nothing hangs.
pub fn ended(invocation: &Invocation, command: &mut Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut running = Running(child.unwrap_or_else(|error| panic!("{}: {error}", invocation.name)));
    let stdout = running.0.stdout.take().expect("piped");
    let stderr = running.0.stderr.take().expect("piped");
    let read = |mut pipe: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).map(|_| bytes)
        })
    };
    let (stdout, stderr) = (read(Box::new(stdout)), read(Box::new(stderr)));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = running.0.try_wait().expect("it is ours") {
            break status;
        }
        assert!(begun.elapsed() < HANGS, "{} {:?} hangs", invocation.name, invocation.words);
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("conntop prints UTF-8");
    let ended = Ended {
        code: status.code(),
        stdout: text(stdout.join().expect("it reads").expect("a pipe")),
        stderr: text(stderr.join().expect("it reads").expect("a pipe")),
    };
    assert!(!ended.stderr.contains("panicked"), "{}: {}", invocation.name, ended.stderr);
    ended
}
