//! The recording that screen tests play. `CONNTOP_BLESS=1 cargo test --lib golden` writes it anew.
//!
//! It also guards the format: a change of the model that changes the bytes fails here, and needs a new format version
//! once a release has written recordings.

use super::*;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/recordings/demo.conntop");
const SAMPLES: usize = 12;
const BYTES_MAX: usize = 300_000;

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
