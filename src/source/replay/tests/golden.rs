//! The recording that screen tests play. `CONNTOP_BLESS=1 cargo test --lib golden` writes it anew.
//!
//! It also guards the format: a change of the model that changes the bytes fails here, and needs a new format version
//! once a release has written recordings.

use super::play_snapshots as play;
use super::*;
use crate::model::facts::{Counters, Facts};
use crate::source::record::format::MAGIC;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/recordings/demo.conntop");
const SAMPLES: usize = 12;
const BYTES_MAX: usize = 300_000;

/// Three samples of the small server, written in version 2; version 1 differs from it only by its number here, where
/// no sample is partial.
const VERSION_2: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v2.conntop"));

/// Twelve samples of the small server, written in version 3.
const VERSION_3: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v3.conntop"));

/// A listener, a connection and forty short ones on loopback, two seconds with trace, written in version 4 by the program
/// that wrote it last.
const VERSION_4: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v4.conntop"));

/// Twelve samples of the small server, written in version 5 by the program that wrote it last.
const VERSION_5: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v5.conntop"));

#[test]
fn a_recording_of_version_4_is_played_as_what_it_knows() {
    let played = play(VERSION_4).expect("a recording");
    let events = |count: fn(&crate::model::event::Events) -> usize| -> usize {
        played.iter().map(|(snapshot, _)| count(&snapshot.events)).sum()
    };
    assert_eq!(
        [60, 120, 40],
        [events(|told| told.ended.len()), events(|told| told.state_changes.len()), events(|told| told.callers.len())]
    );
    let last = &played.last().expect("three samples").0;
    let counters = last.facts.counters.expect("the kernel told them");
    assert_eq!((played.len(), counters.active_opens, counters.attempt_fails, counters.time_outs), (3, 48, 23, 0));
    assert!(last.sockets.iter().any(|socket| socket.is_listener() && socket.drops.is_some()));
    assert_eq!((last.facts.syncookies, last.facts.tcp_memory_pages), (Some(1), None), "the rest is not known");
    assert!(last.names.reachable.is_empty(), "nor are the interfaces");
}

#[test]
fn descriptors_of_version_4_are_those_that_were_asked_for() {
    let stored = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/descriptors_v4.conntop"));
    let played = play(stored).expect("a recording");
    let told: Vec<_> =
        played[0].0.descriptors.iter().map(|(process, told)| (process.pid, told.used, told.max)).collect();
    assert_eq!(told, [(4_300, 860, Some(1_024))]);
}

#[test]
fn a_recording_of_version_3_is_played_as_what_it_knows() {
    let played = play(VERSION_3).expect("a recording");
    let made = samples(SAMPLES);
    assert_eq!(played.len(), made.len());
    for ((played, _), made) in played.iter().zip(&made) {
        let older =
            made.sockets.iter().map(|socket| Socket { v6only: None, drops: None, is_subflow: false, ..socket.clone() });
        assert_eq!(played.sockets, older.collect::<Vec<_>>());
        assert_eq!((facts_of_4(&played.facts), &played.events), (facts_of_4(&made.facts), &made.events));
    }
}

/// The facts that versions 3 and 4 hold.
fn facts_of_4(facts: &Facts) -> Facts {
    let counters = facts.counters.map(|counters| Counters {
        listen_overflows: counters.listen_overflows,
        listen_drops: counters.listen_drops,
        syn_queue_drops: counters.syn_queue_drops,
        syn_queue_cookies: counters.syn_queue_cookies,
        syncookies_sent: counters.syncookies_sent,
        time_wait_overflows: counters.time_wait_overflows,
        memory_aborts: counters.memory_aborts,
        segments_sent: counters.segments_sent,
        segments_retransmitted: counters.segments_retransmitted,
        active_opens: counters.active_opens,
        passive_opens: counters.passive_opens,
        attempt_fails: counters.attempt_fails,
        ..Counters::ZERO
    });
    Facts { tcp_memory_pages: None, tcp_memory_limits_pages: None, counters, ..facts.clone() }
}

#[test]
fn recordings_of_older_versions_are_played() {
    for version in [1, 2] {
        let mut bytes = VERSION_2.to_vec();
        bytes[MAGIC.len()] = version;
        let played = play(&bytes).expect("a recording");
        let sockets: Vec<_> = played.iter().map(|(snapshot, _)| snapshot.sockets.len()).collect();
        assert_eq!(sockets, [8, 8, 8], "version {version}");
        assert!(played.iter().all(|(snapshot, _)| snapshot.scope.is_all() && *snapshot.facts == Facts::default()));
        assert_eq!(played[0].0.names.users[&1001].as_str(), "app");
    }
}

#[test]
fn a_recording_of_version_5_is_played_exactly() {
    let played = play(VERSION_5).expect("a recording");
    let made = samples(SAMPLES);
    assert_eq!(played.into_iter().map(|(snapshot, _)| snapshot).collect::<Vec<_>>(), made);
}

#[test]
fn the_demo_recording_is_what_the_small_server_does_in_twelve_seconds() {
    let made = recording(&deltas(SAMPLES));
    assert!(made.len() < BYTES_MAX, "{} bytes", made.len());
    if std::env::var_os("CONNTOP_BLESS").is_some() {
        std::fs::create_dir_all(Path::new(DEMO).parent().expect("a directory")).expect("it can be made");
        std::fs::write(DEMO, &made).expect("it can be written");
    }
    let stored = std::fs::read(DEMO).expect("assets/recordings/demo.conntop is part of the repository");
    assert!(stored == made, "it differs; look at why, then write it anew with CONNTOP_BLESS=1");
    assert_eq!(rest(&mut Replay::open(Path::new(DEMO)).expect("a recording")).len(), SAMPLES);
}
