//! Cut, flipped and forged recordings of versions 1 to 5: the good prefix is kept, the rest is refused with a sentence.

use proptest::prelude::*;

use super::play_snapshots as play;
use super::*;
use crate::model::facts::{Facts, PortRange};
use crate::model::process::Process;
use crate::source::record::format::{MAGIC, OlderHeader, SOCKETS_MAX, SampleHead, VERSION_OF_SNAPSHOTS};

/// Three samples on a loopback, in version 4.
const RECORDED: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v4.conntop"));

/// Twelve samples of the small server, in version 5.
const DEMO_5: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recording_v5.conntop"));

/// The samples that the damaged recording plays are the first of `recorded`, and the last of them says what is wrong;
/// if none is good, a sentence says so. Returns how many are good.
fn assert_good_prefix(bytes: &[u8], recorded: &[Snapshot]) -> usize {
    let played = match play(bytes) {
        Ok(played) => played,
        Err(error) => {
            assert!(error.to_string().contains("test.conntop"), "{error}");
            return 0;
        }
    };
    let (last, before) = played.split_last().expect("at least one sample");
    for ((snapshot, _), original) in before.iter().zip(recorded) {
        assert_eq!(snapshot, original);
    }
    let mut good = last.0.clone();
    let said = good.coverage.degraded.pop().expect("the damage is said").to_string();
    assert!(said.starts_with("test.conntop ends at byte "), "{said}");
    assert!(said.contains(&format!("after {} good samples", played.len())), "{said}");
    assert_eq!(good, recorded[played.len() - 1]);
    played.len()
}

fn recorded() -> Vec<Snapshot> {
    play(RECORDED).expect("a recording").into_iter().map(|(snapshot, _)| snapshot).collect()
}

#[test]
fn cut_at_any_byte_the_samples_before_are_played() {
    let recorded = recorded();
    let mut good_before = 0;
    for length in 0..RECORDED.len() {
        let good = assert_good_prefix(&RECORDED[..length], &recorded);
        assert!(good >= good_before, "more bytes, never fewer samples");
        good_before = good;
    }
    assert_eq!(good_before, 3, "without its end mark all samples are there");
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let recorded = recorded();
    let mut bytes = RECORDED.to_vec();
    // A version that is flipped to another one is read as that.
    for index in (0..bytes.len()).filter(|index| *index != MAGIC.len()) {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        assert_good_prefix(&bytes, &recorded);
        bytes[index] ^= bit;
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).expect("a small payload").to_le_bytes().to_vec();
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A recording of version 5 whose only sample has this payload, with lengths and checksums as they should be.
fn forged(payload: &[u8]) -> Vec<u8> {
    let header = OlderHeader { host: DisplayText::from("web-7"), kind: SourceKind::Linux };
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION_OF_SNAPSHOTS.to_le_bytes());
    bytes.extend(frame(&postcard::to_stdvec(&header).expect("a header")));
    bytes.extend(frame(payload));
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

fn refusal(payload: &[u8]) -> String {
    play(&forged(payload)).expect_err("it makes no sense").to_string()
}

fn head(names: bool) -> Vec<u8> {
    let head =
        SampleHead { fresh: true, names, at: Timestamp(1), wall: WallTime(1), took: Duration::ZERO, coverage: [0; 5] };
    postcard::to_stdvec(&head).expect("it can be encoded")
}

#[test]
fn counts_are_not_believed() {
    for count in [u32::MAX, SOCKETS_MAX + 1] {
        let count = postcard::to_stdvec(&count).expect("a number");
        // Notes, processes, holders, sockets, usage, details, descriptors, ends: each section in turn claims to be long.
        for sections_before in 0..8 {
            let mut payload = head(false);
            payload.extend(std::iter::repeat_n(0, sections_before));
            match sections_before {
                // That there are others than before stands before the descriptors,
                6 => payload.push(1),
                // and the scope before the ends: its states and whether UDP is in it.
                7 => payload.extend([0, 0]),
                _ => {}
            }
            payload.extend_from_slice(&count);
            assert!(refusal(&payload).contains("there are more "), "{sections_before}: {}", refusal(&payload));
        }
    }
    let mut payload = head(false);
    payload.extend([0, 0, 0]);
    payload.extend(postcard::to_stdvec(&SOCKETS_MAX).expect("a number"));
    assert!(refusal(&payload).contains("cannot be decoded"), "a claim within the limit ends where the bytes end");
}

#[test]
fn indices_are_checked_before_they_are_followed() {
    let process = Process {
        id: ProcessId { pid: 1, start_ticks: 1 },
        parent_pid: 0,
        name: DisplayText::from("a"),
        command: DisplayText::from("a"),
        uid: None,
        started: None,
        is_container_init: false,
        thread: None,
    };
    let mut payload = head(false);
    payload.extend([0, 1]);
    payload.extend(postcard::to_stdvec(&process).expect("a process"));
    // One set of holders with one member, process 1 of a table that has only process 0.
    let mut dangling = payload.clone();
    dangling.extend([1, 1, 1]);
    assert!(refusal(&dangling).contains("a process is not there"), "{}", refusal(&dangling));
    // One set of holders with no member.
    let mut nobody = payload.clone();
    nobody.extend([1, 0]);
    assert!(refusal(&nobody).contains("held by nobody"), "{}", refusal(&nobody));
}

#[test]
fn facts_that_cannot_be_are_refused() {
    let range = |first, last| {
        let facts = Facts { ephemeral_ports: Some(PortRange { first, last }), ..Facts::default() };
        let mut payload = head(false);
        payload.extend([0; 6 + 1 + 3]);
        payload.extend(postcard::to_stdvec(&Some(facts)).expect("facts"));
        payload
    };
    assert!(play(&forged(&range(5, 5))).is_ok());
    assert!(refusal(&range(6, 5)).contains("a range of ports ends before it begins"), "{}", refusal(&range(6, 5)));
    let cut = range(5, 5);
    assert!(refusal(&cut[..cut.len() - 1]).contains("cannot be decoded"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_payload_is_either_a_sample_or_a_sentence(payload: Vec<u8>) {
        let _ = play(&forged(&payload));
    }

    #[test]
    fn a_forged_recording_is_either_samples_or_a_sentence(changes in prop::collection::vec(any::<(usize, u8)>(), 1..6)) {
        let (mut frames, _) = RecordingFrames::open(DEMO_5).map_err(|_| ()).expect("a recording");
        let mut payload = frames.next_sample().expect("a sample").expect("one").to_vec();
        for (place, byte) in changes {
            let place = place % payload.len();
            payload[place] = byte;
        }
        if let Ok(played) = play(&forged(&payload)) {
            let text = format!("{:?}", played[0].0);
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
}
