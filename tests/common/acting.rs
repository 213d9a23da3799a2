//! For tests of `conntop close` and `conntop kill`: processes that hold sockets, and what conntop prints of them.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde_json::Value;

use crate::program::{Ended, run};

/// How long anything may take; long, because the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A process that holds one socket, as its standard input. The test itself is a parent of conntop, whose sockets are
/// never closed.
pub struct Holder(pub Child);

impl Holder {
    pub fn of(socket: impl Into<OwnedFd>) -> Self {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        Self::running(sleep, socket)
    }

    /// The command goes at once: while it is there, the test holds the socket as well.
    pub fn running(mut command: Command, socket: impl Into<OwnedFd>) -> Self {
        let child = command.stdin(Stdio::from(socket.into())).stdout(Stdio::null()).spawn().expect("it is there");
        let holder = Self(child);
        // Between fork and exec it holds what the test holds.
        let comm = command.get_program().to_str().expect("UTF-8").to_owned();
        wait(&format!("{comm} runs"), || {
            std::fs::read_to_string(format!("/proc/{}/comm", holder.pid())).is_ok_and(|name| name.trim() == comm)
        });
        holder
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }

    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait("the process ends", || {
            status = self.0.try_wait().expect("it is our child");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A client at `client` of `listener`, and the accepted end.
pub fn connect(listener: &TcpListener, client: &str) -> (TcpStream, TcpStream) {
    // Or a holder that is started later would hold it, too.
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .expect("a descriptor is free");
    rustix::net::bind(&socket, &client.parse::<SocketAddr>().expect(client)).expect("nobody else is here");
    rustix::net::connect(&socket, &listener.local_addr().expect("bound")).expect("it listens");
    (socket.into(), listener.accept().expect("it has connected").0)
}

/// Whether the other end has sent a RST; `false` if it is silent.
pub fn is_reset(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    match (&*stream).read(&mut [0; 1]) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => true,
        other => panic!("{other:?}"),
    }
}

/// The sockets that pass `filter`, as conntop lists them.
pub fn listed(filter: &str) -> Vec<Value> {
    let ended = run(&["list", "--format", "ndjson", filter]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What `--format json` prints, held against its schema.
pub fn document(ended: &Ended, name: &str) -> Value {
    let value: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}{}", ended.stdout, ended.stderr));
    let path = format!("{}/assets/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect(name)).expect("JSON");
    assert_eq!(crate::schema::faults(&schema, &value), Vec::<String>::new());
    value
}

pub fn outcomes(document: &Value) -> Vec<&str> {
    let targets = document["targets"].as_array().expect("a list");
    targets.iter().map(|target| target["outcome"].as_str().expect("a word")).collect()
}

/// A Python program that has said what there is to know of it, in one line; it ends with the value.
pub struct PythonProcess {
    child: Child,
    /// That line.
    pub said: String,
}

impl PythonProcess {
    /// Runs `code`, which has socket, os, sys, time, threading and ctypes, and must print one line. What it does then
    /// it does until its standard input ends.
    pub fn new(code: &str) -> Self {
        Self::by(Command::new("python3"), code)
    }

    /// The same as what `launcher` starts: a command whose arguments end where `-c` would follow.
    pub fn by(mut launcher: Command, code: &str) -> Self {
        let code = format!("import socket, os, sys, time, threading, ctypes\n{code}\nsys.stdin.read()");
        let command = launcher.args(["-c", &code]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 is there");
        let mut said = String::new();
        let read = BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut said);
        assert!(read.is_ok_and(|len| len > 0), "the python said nothing");
        Self { child, said: said.trim().to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for PythonProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
