//! Resident memory of each part of the sampling, in a process of its own, so that nothing freed earlier is counted.

use std::process::Command;

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{self, Choice};
use conntop::tracker::Tracker;

/// The first argument of the process that measures itself.
const REPORT: &str = "--report-memory";

/// Prints what a sampler of the sockets that are there takes.
pub fn measure() {
    let this = std::env::current_exe().expect("a program knows its file");
    let status = Command::new(this).arg(REPORT).status().expect("the program starts again");
    assert!(status.success(), "measuring memory failed");
}

/// In the process that [`measure`] starts: measures and ends it. In others: does nothing.
pub fn report_if_asked() {
    if std::env::args().nth(1).as_deref() != Some(REPORT) {
        return;
    }
    let start = resident_kib();
    let mut source = source::open(&Choice::Linux).expect("sock_diag answers");
    let mut snapshot = Snapshot::default();
    source.sample(&Needs::default(), &mut snapshot).expect("sock_diag answers");
    let after_sample = resident_kib();
    let mut tracker = Tracker::new();
    drop(tracker.update(&snapshot));
    let after_diff = resident_kib();
    source.sample(&Needs::default(), &mut snapshot).expect("sock_diag answers");
    drop(tracker.update(&snapshot));
    let steady = resident_kib();
    let sockets = snapshot.sockets.len().max(1) as u64;
    let part = |name: &str, kib: u64| println!("memory, {name}: {} KiB, {} bytes a socket", kib, kib * 1024 / sockets);
    part("snapshot and owners", after_sample.saturating_sub(start));
    part("tracker", after_diff.saturating_sub(after_sample));
    part("all of the sampler after two samples", steady.saturating_sub(start));
    std::process::exit(0);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}
