//! How many instructions a socket takes, by callgrind: the same on a busy machine as on a quiet one.
//!
//! `cargo bench --bench speed -- --instructions`. Each task runs once and then eleven times; the difference, a tenth of
//! it, is what once costs, whatever the program does before and after.

use std::process::Command;

use conntop::model::coverage::Coverage;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::NetnsId;
use conntop::source::linux::dumper::Way;
use conntop::source::linux::tables::Tables;
use conntop::source::{self, Choice};
use conntop::tracker::Tracker;

use crate::crowd::Crowd;

/// The first argument of the process that callgrind counts.
const WORK: &str = "--work";
/// Few: an instruction takes fifty times its time.
const SOCKETS: u32 = 4_000;
/// How many rounds more the longer run has.
const ROUNDS: u64 = 10;
/// What is counted, and what it is.
const TASKS: [(&str, &str); 3] = [
    ("decode", "dump and decode into the model"),
    ("sift", "sift: each socket is found to be the same while it is dumped"),
    ("diff", "diff: a snapshot of all sockets, none of which has changed"),
];

/// Prints a row for each task.
pub fn measure() {
    let _crowd = Crowd::gather(SOCKETS, 4);
    println!("instructions a socket, {SOCKETS} sockets, by callgrind");
    for (task, what) in TASKS {
        let counted = count(task, 1 + ROUNDS).zip(count(task, 1)).map(|(many, one)| many.saturating_sub(one));
        match counted {
            Some(instructions) => println!("{what}: {}", instructions / ROUNDS / u64::from(SOCKETS)),
            None => println!("SKIPPED: {what}: valgrind did not count; install it (apt install valgrind)"),
        }
    }
}

/// The instructions of a run of `task`; `None` if valgrind does not work here.
fn count(task: &str, rounds: u64) -> Option<u64> {
    let this = std::env::current_exe().ok()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this);
    let output = valgrind.args([WORK, task, &rounds.to_string()]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// In the process that callgrind counts: works and ends it. In others: does nothing.
pub fn work_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(WORK) {
        return;
    }
    let (task, rounds) = (args.next().unwrap_or_default(), args.next().and_then(|rounds| rounds.parse().ok()));
    let rounds: u64 = rounds.expect("an argument of ours");
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    let mut source = source::open(&Choice::Linux).expect("sock_diag answers");
    let mut tables = Tables::sock_diag(NetnsId(0)).expect("sock_diag answers");
    source.sample(&Needs::default(), &mut snapshot).expect("sock_diag answers");
    for _ in 0..2 {
        tracker.update(&snapshot);
        snapshot.at = snapshot.at.after(std::time::Duration::from_millis(1));
    }
    let mut sockets = Vec::with_capacity(snapshot.sockets.len() * 2);
    for _ in 0..rounds {
        snapshot.at = snapshot.at.after(std::time::Duration::from_millis(1));
        match task.as_str() {
            "decode" => {
                sockets.clear();
                tables.read(Way::Whole, &mut sockets, &mut Coverage::default()).expect("sock_diag answers");
            }
            "sift" => snapshot.sockets.iter().for_each(|socket| {
                std::hint::black_box(tracker.sift(snapshot.at, socket));
            }),
            _ => drop(tracker.update(&snapshot)),
        }
    }
    std::process::exit(0);
}
