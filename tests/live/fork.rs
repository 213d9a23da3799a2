//! A process that forks shares its sockets without opening one: no dump shows it, and still both are named as holders.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use conntop::model::process::Owner;
use conntop::model::socket::Socket;
use conntop::model::testing::source_info;
use conntop::source::Choice;
use conntop::store::Store;
use rustix::process::{Pid, Signal, kill_process};

use crate::namespace;
use crate::tracked_source::TrackedSource;

/// Holds a listener and both ends of ten connections; on a line of input it forks a child that only has them, too.
const PROGRAM: &str = "
import os, socket, sys
listener = socket.create_server(('127.0.0.1', 0))
kept = []
for _ in range(10):
    kept.append(socket.create_connection(listener.getsockname()))
    kept.append(listener.accept()[0])
print(listener.getsockname()[1], flush=True)
sys.stdin.readline()
child = os.fork()
if child:
    print(child, flush=True)
sys.stdin.read()
";
/// Of each connection both ends, and the listener.
const SOCKETS: usize = 21;
/// Samples are a second apart, as they are unless somebody asks for more.
const APART: Duration = Duration::from_secs(1);
/// Long enough on any machine.
const DEADLINE: Duration = Duration::from_secs(2 * 60);

/// The process that holds the sockets, and its standard output.
struct ForkingProcess {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl ForkingProcess {
    fn start() -> Self {
        let mut process = Command::new("python3")
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is here, as for the scenarios");
        let (input, output) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        Self { process, input, output: BufReader::new(output) }
    }

    fn number(&mut self) -> u32 {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it prints a line");
        line.trim().parse().expect("a number")
    }

    /// Forks; the pid of the child.
    fn fork(&mut self) -> u32 {
        writeln!(self.input, "go").expect("it reads");
        self.number()
    }
}

impl Drop for ForkingProcess {
    fn drop(&mut self) {
        // The child ends with its input, which is the same pipe.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A tracked source, and the store behind it as the screen has it.
struct StoredSource {
    tracked: TrackedSource,
    store: Store,
}

impl StoredSource {
    fn open() -> Self {
        let mut tracked = TrackedSource::open_unsampled(&Choice::Linux);
        let mut store = Store::new(source_info());
        store.apply(tracked.sample_compared(false));
        Self { tracked, store }
    }

    /// Takes a sample as the sampler does.
    fn sample(&mut self) {
        std::thread::sleep(APART);
        self.store.apply(self.tracked.sample_compared(false));
    }

    /// How many of the sockets at `port` are held by exactly the processes `pids`.
    fn held_by(&self, port: u16, pids: &[u32]) -> usize {
        let wanted: BTreeSet<u32> = pids.iter().copied().collect();
        let rows = self.store.rows().iter().map(|(_, row)| &row.connection.socket);
        let ours = rows.filter(|socket| socket.local.port == port || socket.remote.port == port);
        ours.filter(|socket| pids_of(socket) == wanted).count()
    }
}

fn pids_of(socket: &Socket) -> BTreeSet<u32> {
    let Owner::Live(holders) = &socket.owner else { return BTreeSet::new() };
    holders.all().iter().map(|process| process.id.pid).collect()
}

#[test]
fn a_forked_process_that_inherits_sockets_shows_within_two_samples() {
    if !namespace::alone_in_namespace() {
        return;
    }
    let mut parent = ForkingProcess::start();
    let port = u16::try_from(parent.number()).expect("a port");
    let pid = parent.process.id();
    let (mut stored, begun) = (StoredSource::open(), Instant::now());
    while stored.held_by(port, &[pid]) < SOCKETS {
        assert!(begun.elapsed() < DEADLINE, "{} of {SOCKETS} sockets have their owner", stored.held_by(port, &[pid]));
        stored.sample();
    }
    // So that the fork is not found by the way: another sample shows nothing new.
    stored.sample();
    let child = parent.fork();
    stored.sample();
    stored.sample();
    assert_eq!(stored.held_by(port, &[pid, child]), SOCKETS, "both hold all of them");
    let target = Pid::from_raw(i32::try_from(child).expect("a pid")).expect("not 0");
    kill_process(target, Signal::KILL).expect("it is ours");
    let begun = Instant::now();
    while stored.held_by(port, &[pid]) < SOCKETS {
        assert!(begun.elapsed() < DEADLINE, "the child is gone");
        stored.sample();
    }
}
