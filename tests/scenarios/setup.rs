//! What a scenario is made of: scripted processes, which do with sockets what the test tells them, the settings of their
//! network namespace, and programs that look at it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::skip::skip;

/// How long anything may take that takes a moment; long, because the machine may be busy.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A process called as it is wanted, which holds sockets; gone with the value.
pub struct ScriptedProcess {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    /// The name of the process.
    pub name: &'static str,
    /// The process.
    pub pid: u64,
}

impl ScriptedProcess {
    /// A process of this name (at most 15 bytes) without sockets.
    pub fn new(name: &'static str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/scripted_process.py");
        let mut child = Command::new("python3")
            .args([script, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, answers) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Self { child, stdin, answers, name, pid: 0 };
        process.pid = process.answer("its start")["pid"].as_u64().expect("a number");
        process
    }

    /// Has it do something (see `tests/fixtures/scripted_process.py`) and gives its answer.
    pub fn tell(&mut self, command: &str) -> Value {
        writeln!(self.stdin, "{command}").expect("it listens");
        self.answer(command)
    }

    fn answer(&self, command: &str) -> Value {
        let line = self.answers.recv_timeout(TIMEOUT).unwrap_or_else(|_| panic!("{}: {command}", self.name));
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer["error"].is_null(), "{}: {answer}", self.name);
        answer
    }

    /// Waits until this count of `tell("count")` is reached.
    pub fn wait_for_count(&mut self, key: &str, least: u64) {
        wait_until(&format!("{} counts {least} {key}", self.name), || {
            self.tell("count")[key].as_u64().expect("a number") >= least
        });
    }
}

impl Drop for ScriptedProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server and the client that is connected to it.
pub fn server_and_client(
    server: &'static str,
    listen: &str,
    client: &'static str,
) -> (ScriptedProcess, ScriptedProcess) {
    let (mut server, client) = (ScriptedProcess::new(server), ScriptedProcess::new(client));
    server.tell(&format!("listen {listen}"));
    (server, client)
}

/// Waits until `done`; `what` says what for.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !done() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Waits until ss(8) lists exactly so many sockets for its filter, as `state close-wait sport = :7101`.
pub fn wait_for_sockets(filter: &str, wanted: usize) {
    let mut seen = 0;
    let deadline = Instant::now() + TIMEOUT;
    while seen != wanted {
        assert!(Instant::now() < deadline, "{seen} instead of {wanted} sockets: {filter}");
        sleep(Duration::from_millis(20));
        seen = sockets(filter);
    }
}

/// How many sockets ss(8) lists for its filter.
pub fn sockets(filter: &str) -> usize {
    let output = Command::new("ss").arg("-Htn").args(filter.split(' ')).output().expect("ss is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().count()
}

/// Sets a value of the namespace; `false` where that is not allowed, which is said loudly.
pub fn set(path: &str, value: &str) -> bool {
    let is_set = std::fs::write(format!("/proc/sys/net/{path}"), value);
    if let Err(error) = &is_set {
        skip(&format!("net/{path} cannot be set here: {error}"));
    }
    is_set.is_ok()
}

/// Runs each line of `ip` in the namespace; `false` where one is refused, which is said loudly.
pub fn ip(lines: &[&str]) -> bool {
    lines.iter().all(|line| {
        let output = Command::new("ip").args(line.split(' ')).output().expect("ip is there");
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            skip(&format!("ip {line}: {said}"));
        }
        output.status.success()
    })
}

/// A link to 10.66.0.2, a host that never answers; `false` where it cannot be made, which is said loudly.
pub fn silent_host() -> bool {
    let link = [
        "link add v0 type veth peer name v1",
        "addr add 10.66.0.1/24 dev v0",
        "link set v0 up",
        "link set v1 up",
        "neigh add 10.66.0.2 lladdr 02:00:00:00:00:99 dev v0 nud permanent",
    ];
    ip(&link)
}

/// Runs conntop without a configuration of the user, for a bounded time.
pub fn run(mut command: Command) -> Output {
    command.env("XDG_CONFIG_HOME", "/nonexistent").env("RUST_BACKTRACE", "0");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is there");
    let stdout = drain(child.stdout.take().expect("it is piped"));
    let stderr = drain(child.stderr.take().expect("it is piped"));
    let deadline = Instant::now() + 3 * TIMEOUT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("conntop does not end");
        }
        sleep(Duration::from_millis(10));
    };
    Output { status, stdout: stdout.join().expect("no panic"), stderr: stderr.join().expect("no panic") }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}
