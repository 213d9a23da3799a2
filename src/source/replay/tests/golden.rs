//! The recording that screen tests play. `CONNTOP_BLESS=1 cargo test --lib golden` writes it anew.
//!
//! It also guards the format: a change of the model that changes the bytes fails here, and needs a new format version
//! once a release has written recordings.

use super::*;
use crate::model::facts::Facts;
use crate::model::socket::Socket;
use crate::source::record::format::MAGIC;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/recordings/demo.conntop");
const SAMPLES: usize = 12;
const BYTES_MAX: usize = 300_000;

/// Three samples of the small server, written in version 2; version 1 differs from it only by its number here, where
/// no sample is partial.
const VERSION_2: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v2.conntop"));

/// Twelve samples of the small server, written in version 3.
const VERSION_3: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v3.conntop"));

#[test]
fn a_recording_of_version_3_is_played_as_what_it_knows() {
    let played = play(VERSION_3).expect("a recording");
    let made = samples(SAMPLES);
    assert_eq!(played.len(), made.len());
    for ((played, _), made) in played.iter().zip(&made) {
        let older =
            made.sockets.iter().map(|socket| Socket { v6only: None, drops: None, is_subflow: false, ..socket.clone() });
        assert_eq!(played.sockets, older.collect::<Vec<_>>());
        assert_eq!((&played.facts, &played.events), (&made.facts, &made.events));
    }
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
fn facts_stand_where_they_change() {
    let two = samples(2);
    let mut recorded = vec![two[0].clone(); 3];
    recorded[2].facts = std::sync::Arc::clone(&two[1].facts);
    let length = |count: usize| recording(&recorded[..count]).len();
    let (same, other) = (length(2) - length(1), length(3) - length(2));
    assert!(recorded[0].facts.counters.is_some() && recorded[2].facts != recorded[0].facts);
    let played = play(&recording(&recorded)).expect("a recording");
    for ((played, _), recorded) in played.iter().zip(&recorded) {
        assert_eq!(played.facts, recorded.facts);
    }
    assert!(same < other, "{same} {other}");
}

#[test]
fn the_demo_recording_is_what_the_small_server_does_in_twelve_seconds() {
    let made = recording(&samples(SAMPLES));
    assert!(made.len() < BYTES_MAX, "{} bytes", made.len());
    if std::env::var_os("CONNTOP_BLESS").is_some() {
        std::fs::create_dir_all(Path::new(DEMO).parent().expect("a directory")).expect("it can be made");
        std::fs::write(DEMO, &made).expect("it can be written");
    }
    let stored = std::fs::read(DEMO).expect("assets/recordings/demo.conntop is part of the repository");
    assert!(stored == made, "it differs; look at why, then write it anew with CONNTOP_BLESS=1");
    assert_eq!(rest(&mut Replay::open(Path::new(DEMO)).expect("a recording")).len(), SAMPLES);
}
