//! A machine where processes and sockets come and go all the time: samples succeed, and nothing piles up.
//! In a process of its own, because it counts the descriptors of its process.

#![cfg(target_os = "linux")]

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{Choice, open};

use crate::namespace::alone_in_process;

/// How many samples are taken at least.
const SAMPLES_MIN: u32 = 20;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("own").count()
}

#[test]
fn churning_processes_and_sockets_cause_no_error_and_leak_nothing() {
    if !alone_in_process() {
        return;
    }
    let before = descriptors();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also where a sample fails: the scope waits for its threads.
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                Command::new("true").status().expect("the program exists");
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
                let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
                drop((listener.accept(), client));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for choice in [Choice::Linux, Choice::Procfs] {
            sample_for(&choice, Duration::from_secs(2), before);
        }
    });
    // The two threads' own descriptors are closed now; what sources had open is closed with them.
    assert_eq!(descriptors(), before);
}

/// Ends the churn.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Samples for at least `duration`, and longer on a machine so busy that few samples fit into it.
fn sample_for(choice: &Choice, duration: Duration, descriptors_before: usize) {
    let mut source = open(choice).expect("a live source");
    let (mut needs, mut snapshot) = (Needs::default(), Snapshot::default());
    let (begun, mut samples) = (Instant::now(), 0);
    while begun.elapsed() < duration || samples <= SAMPLES_MIN {
        source.sample(&needs, &mut snapshot).expect("a sample");
        assert_eq!(snapshot.coverage.records_skipped, 0, "{:?}", snapshot.coverage);
        needs.details = snapshot.sockets.iter().map(conntop::model::socket::Socket::reference).take(50).collect();
        needs.usage = snapshot.sockets.iter().filter_map(|socket| Some(socket.owner.process()?.id)).take(20).collect();
        let ids: std::collections::HashSet<_> = snapshot.sockets.iter().map(|socket| socket.id).collect();
        assert_eq!(ids.len(), snapshot.sockets.len(), "every socket once");
        samples += 1;
    }
    let now = descriptors();
    assert!(now < descriptors_before + 25, "{descriptors_before} descriptors became {now}");
}
