//! How many instructions a socket takes, by callgrind: the same on a busy machine as on a quiet one.
//!
//! `cargo bench --bench speed -- --instructions`. Each task runs once and then eleven times; the difference, a tenth of
//! it, is what once costs, whatever the program does before and after.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use conntop::model::endpoint::{Family, Protocol};
use conntop::model::snapshot::Snapshot;
use conntop::model::socket::{NetnsId, Socket};
use conntop::model::time::Timestamp;
use conntop::source::linux::netlink::NetlinkSocket;
use conntop::source::linux::sock_diag::{BY_FAMILY, DiagDecoder, DumpRequest};
use conntop::tracker::Tracker;

use crate::socket_load::SocketLoad;

/// The first argument of the process that callgrind counts.
const WORK: &str = "--work";
/// Few: an instruction takes fifty times its time.
const SOCKETS: u32 = 4_000;
/// How many rounds more the longer run has.
const ROUNDS: u64 = 10;
/// What is counted, and what it is.
const TASKS: [(&str, &str); 3] = [
    ("decode", "decode: from the kernel's messages into the model"),
    ("push", "push: each socket is found to be the same before it is kept"),
    ("diff", "diff: a snapshot of all sockets, none of which has changed"),
];

/// Prints a row for each task.
pub fn measure() {
    let _sockets = SocketLoad::gather(SOCKETS, 4);
    let file = std::env::temp_dir().join(format!("conntop-bench-{}", std::process::id()));
    std::fs::write(&file, messages()).expect("room for a megabyte");
    println!("instructions a socket, {SOCKETS} sockets, by callgrind");
    for (task, what) in TASKS {
        let counted = count(task, 1 + ROUNDS, &file).zip(count(task, 1, &file));
        match counted.map(|(many, one)| many.saturating_sub(one) / ROUNDS / u64::from(SOCKETS)) {
            Some(instructions) => println!("{what}: {instructions}"),
            None => println!("SKIPPED: {what}: valgrind did not count; install it (apt install valgrind)"),
        }
    }
    std::fs::remove_file(file).expect("ours");
}

/// What the kernel says of the IPv4 TCP sockets, each message behind its length: it is read here because rustix does not
/// run under valgrind, which hides the vDSO.
fn messages() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut connection = NetlinkSocket::open().expect("sock_diag answers");
    let request = DumpRequest::of((Protocol::Tcp, Family::Ipv4)).encode();
    connection.dump(BY_FAMILY, &request, |payload, _| {
        bytes.extend(u32::try_from(payload.len()).expect("small").to_ne_bytes());
        bytes.extend(payload);
        true
    });
    bytes
}

/// The instructions of a run of `task`; `None` if valgrind does not work here.
fn count(task: &str, rounds: u64, file: &Path) -> Option<u64> {
    let this = std::env::current_exe().ok()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this);
    let output = valgrind.args([WORK, task, &rounds.to_string()]).arg(file).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok().filter(|_| output.status.success())
}

/// In the process that callgrind counts: works and ends it. In others: does nothing.
pub fn work_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(WORK) {
        return;
    }
    let mut next = || args.next().expect("an argument of ours");
    let (task, rounds, file) = (next(), next(), next());
    let messages = std::fs::read(file).expect("it was written");
    let mut snapshot = Snapshot { at: Timestamp::from_millis(1_000_000_000), ..Snapshot::default() };
    decode(&messages, &mut snapshot.sockets);
    let mut tracker = Tracker::new();
    // The second time the rates get known.
    for _ in 0..2 {
        tracker.update(&snapshot);
        snapshot.at = snapshot.at.after(Duration::from_secs(1));
    }
    let mut sockets = Vec::with_capacity(snapshot.sockets.len());
    for _ in 0..rounds.parse().expect("a number") {
        snapshot.at = snapshot.at.after(Duration::from_secs(1));
        match task.as_str() {
            "decode" => {
                sockets.clear();
                decode(&messages, &mut sockets);
            }
            "push" => {
                tracker.begin(snapshot.at);
                snapshot.sockets.iter().for_each(|socket| {
                    black_box(tracker.push(socket));
                });
            }
            _ => drop(black_box(tracker.update(&snapshot))),
        }
    }
    std::process::exit(0);
}

fn decode(mut messages: &[u8], sockets: &mut Vec<Socket>) {
    let decoder = DiagDecoder { netns: NetnsId(1) };
    while let Some((len, rest)) = messages.split_first_chunk() {
        let (payload, rest) = rest.split_at(u32::from_ne_bytes(*len) as usize);
        sockets.extend(decoder.decode(payload, Protocol::Tcp, Timestamp::from_millis(1_000_000_000)));
        messages = rest;
    }
}
