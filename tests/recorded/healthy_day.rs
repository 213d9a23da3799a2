//! A day on a machine that is well: users come and go, connections wait in `TIME_WAIT`, the program is replaced every four
//! hours, a batch runs in the night, and here and there a packet is lost, a connect refused, a client gone without a
//! word. Nothing of it may ever be a finding. Time is data here: the day takes some seconds.

mod chance;
mod kernel;
mod life;
mod machine;

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::model::testing::source_info;
use conntop::store::Store;
use conntop::tracker::Tracker;

use machine::Machine;

/// The seed of the day that everybody runs; `CONNTOP_DAY=7 cargo test --test recorded healthy_day` makes another.
const SEED: u64 = 2_026;
const DAY: u64 = 86_400;

#[test]
fn a_healthy_day_raises_nothing() {
    let seed = std::env::var("CONNTOP_DAY").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let mut machine = Machine::new(seed);
    let (mut tracker, mut store) = (Tracker::new(), Store::new(source_info()));
    let mut diagnosis = Diagnosis::new(Thresholds::default());
    let (mut samples, mut sockets) = (0_u32, 0);
    while machine.second() < DAY {
        let sample = machine.pass(step(machine.second()));
        samples += 1;
        sockets += sample.sockets.len();
        store.apply(tracker.update(&sample));
        diagnosis.observe(&store);
        let found: Vec<_> = diagnosis.findings().iter().map(|finding| finding.sentence.clone()).collect();
        assert_eq!(found, [""; 0], "at {} of day {seed}: {:?}", clock(machine.second()), machine.told());
    }
    let told = machine.told();
    println!("{samples} samples, {sockets} rows, {told:?}");
    // A day on which nothing happened proves nothing.
    assert!(samples > 18_000 && sockets > 1_500_000, "{samples} samples of {sockets} sockets");
    assert!(told.served > 15_000 && told.refused > 60 && told.deploys == 5, "{told:?}");
    assert!(told.vanished > 10 && told.reset > 100 && told.batch > 5_000, "{told:?}");
}

/// The same day, judged too strictly: what the first test stays silent about is there to be seen.
#[test]
fn the_clients_that_vanish_on_that_day_are_seen_by_who_asks_for_each() {
    let mut machine = Machine::new(SEED);
    let (mut tracker, mut store) = (Tracker::new(), Store::new(source_info()));
    let strict = Thresholds { troubled_clients: 0.0, troubled_clients_many: 1, ..Thresholds::default() };
    let mut diagnosis = Diagnosis::new(strict);
    let mut found = std::collections::BTreeSet::new();
    while machine.second() < 3 * 3_600 {
        store.apply(tracker.update(&machine.pass(5)));
        diagnosis.observe(&store);
        found.extend(diagnosis.findings().iter().map(|finding| finding.rule().id()));
    }
    assert!(found.contains("dead-peer"), "{found:?}");
}

/// How far apart samples are, in seconds: close together where much happens.
fn step(second: u64) -> u64 {
    let into_deploy = second % machine::DEPLOY_EVERY;
    if into_deploy < 150 || machine::BATCH.contains(&second) { 1 } else { 5 }
}

fn clock(second: u64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}
