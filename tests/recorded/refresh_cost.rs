//! What a refresh costs behind the source: the tracker's diff, the store's update, the groups.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use conntop::model::snapshot::Snapshot;
use conntop::model::tcp_state::TcpState::{CloseWait, LastAck};
use conntop::model::testing::{process, snapshot, source_info, tcp};
use conntop::store::Store;
use conntop::store::groups::{Grouping, by};
use conntop::tracker::Tracker;

/// Prints what a socket costs; run it with `cargo test --release --test recorded refresh_cost -- --ignored --nocapture`.
#[test]
#[ignore = "measures, asserts no times"]
fn cost_of_two_hundred_thousand_sockets() {
    const LEN: u64 = 200_000;
    let workers: Vec<_> = (1..=20).map(|pid| tcp(0).held_by(&[process(pid, "worker")]).build().owner).collect();
    let socket = |cookie: u64| {
        let owner = workers[usize::try_from(cookie % 20).expect("below 20")].clone();
        let addr = Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(cookie).expect("small"));
        let socket = tcp(cookie).bytes(cookie, 9).last(1_000, 2_000, 3_000).owner(owner);
        socket.with(|socket| socket.remote.addr = addr.into()).build()
    };
    let mut sample = snapshot(100_000, (0..LEN).map(socket));
    println!("the snapshot alone: {}", resident());
    let mut tracker = Tracker::new();
    let mut store = Store::new(source_info());
    let mut take = |what: &str, sample: &mut Snapshot| {
        sample.at = sample.at.after(Duration::from_secs(1));
        let begin = Instant::now();
        let delta = tracker.update(sample);
        let diff = begin.elapsed();
        let (added, changed, removed) = (delta.added.len(), delta.changed.len(), delta.removed.len());
        let begin = Instant::now();
        store.apply(delta);
        let apply = begin.elapsed();
        println!(
            "{what:28} diff {:7.2} ms ({:4} ns/socket), apply {:6.2} ms; +{added} ~{changed} -{removed}; {}",
            diff.as_secs_f64() * 1e3,
            diff.as_nanos() / u128::from(LEN),
            apply.as_secs_f64() * 1e3,
            resident(),
        );
    };
    take("first", &mut sample);
    take("second (rates known)", &mut sample);
    take("idle", &mut sample);
    for round in 1..=5 {
        // Of a hundred sockets one changes: half get another rtt, a quarter go and make room for new ones, a quarter change state.
        for (nth, slot) in sample.sockets.iter_mut().enumerate().skip(round).step_by(100) {
            match (nth / 100) % 4 {
                0 | 1 => *slot = tcp(0).with(|s| *s = slot.clone()).info(|tcp| tcp.rtt_us += 1).build(),
                2 => *slot = socket(LEN * round as u64 + nth as u64),
                _ => slot.state = if slot.state == CloseWait { LastAck } else { CloseWait },
            }
        }
        take("one in a hundred changed", &mut sample);
    }
    sample.sockets.reverse();
    take("other order", &mut sample);
    take("same order, idle", &mut sample);
    for grouping in [Grouping::Process, Grouping::Remote, Grouping::Listener, Grouping::PortPool] {
        let begin = Instant::now();
        let groups = by(&store, grouping).len();
        println!("{groups} groups by {grouping:?}: {:.2} ms", begin.elapsed().as_secs_f64() * 1e3);
    }
}

/// The resident memory of this process, where the system says.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(String::new, |line| format!("{} resident", line.trim()))
}
