//! Cut, flipped, forged and huge recordings: the good prefix is kept, the rest is refused with a sentence.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::facts::{Facts, PortRange};
use crate::model::process::{Process, ProcessId};
use crate::model::time::{Timestamp, WallTime};
use crate::source::record::format::{FRAME_BYTES_MAX, MAGIC, SOCKETS_MAX, SampleHead, VERSION};

/// Three samples with some sockets of every kind: small enough to try every byte.
fn few() -> Vec<Snapshot> {
    let mut recorded = samples(3);
    for snapshot in &mut recorded {
        let mut index = 0;
        snapshot.sockets.retain(|_| {
            index += 1;
            index % 23 == 0
        });
        snapshot.details.truncate(2);
        snapshot.usage.truncate(2);
    }
    recorded
}

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

#[test]
fn cut_at_any_byte_the_samples_before_are_played() {
    let recorded = few();
    let bytes = recording(&recorded);
    let mut good_before = 0;
    for length in 0..bytes.len() {
        let good = assert_good_prefix(&bytes[..length], &recorded);
        assert!(good >= good_before, "more bytes, never fewer samples");
        good_before = good;
    }
    assert_eq!(good_before, 3, "without its end mark all samples are there");
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let recorded = few();
    let mut bytes = recording(&recorded);
    // A version that is flipped to an older one is played: those are read alike.
    for index in (0..bytes.len()).filter(|index| *index != MAGIC.len()) {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        assert_good_prefix(&bytes, &recorded);
        bytes[index] ^= bit;
    }
}

#[test]
fn the_sentence_says_where_and_what() {
    let recorded = few();
    let bytes = recording(&recorded);
    let second = recording(&recorded[..1]).len() - 8;
    let said = |bytes: &[u8]| {
        let played = play(bytes).expect("some samples");
        played.last().expect("at least one").0.coverage.degraded.last().map(ToString::to_string).unwrap_or_default()
    };
    let sentence =
        format!("test.conntop ends at byte {second} after 1 good samples: it ends in the middle of a sample");
    assert_eq!(said(&bytes[..second + 100]), sentence);
    let mut flipped = bytes.clone();
    flipped[second + 20] ^= 1;
    assert!(said(&flipped).ends_with("after 1 good samples: a checksum does not match"));
    let mut followed = bytes.clone();
    followed.push(0);
    assert!(said(&followed).ends_with("after 3 good samples: something follows its end mark"));
}

/// A recording whose only sample has this payload, with lengths and checksums as they should be.
fn forged(payload: &[u8]) -> Vec<u8> {
    let mut bytes = recording(&[]);
    bytes.truncate(bytes.len() - 8);
    bytes.extend_from_slice(&u32::try_from(payload.len()).expect("a small payload").to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
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

#[test]
fn what_stands_twice_or_is_left_over_or_goes_back_in_time_is_refused() {
    let recorded = few();
    let mut twice = recorded[0].clone();
    let again = twice.sockets[0].clone();
    twice.sockets.push(again);
    let error = play(&recording(&[twice])).expect_err("no sample is good");
    assert!(error.to_string().contains("a socket stands twice"), "{error}");

    let mut payload = head(false);
    // Empty sections, descriptors as before, then an empty scope and no ends, facts as before, nobody who tells, no events, callers nor errors, then one byte.
    payload.extend([0; 6 + 1 + 3 + 1 + 6 + 2 + 1]);
    assert!(refusal(&payload).contains("something is left over"), "{}", refusal(&payload));
    payload.truncate(payload.len() - 7);
    payload.extend([0xff, 0xff, 0x7f]);
    assert!(refusal(&payload).contains("more ended sockets"), "{}", refusal(&payload));

    let mut bytes = recording(&recorded[1..2]);
    bytes.truncate(bytes.len() - 8);
    let header = recording(&[]).len() - 8;
    bytes.extend_from_slice(&recording(&recorded[..1])[header..]);
    assert_eq!(assert_good_prefix(&bytes, &recorded[1..]), 1);
}

#[test]
fn a_recording_cannot_smuggle_escapes_to_the_terminal() {
    let mut recorded = few();
    recorded.truncate(1);
    let names = Arc::make_mut(&mut recorded[0].names);
    names.users.insert(0, DisplayText::from("root-name-to-be-forged"));
    let bytes = recording(&recorded);
    let header = recording(&[]).len() - 8;
    let mut payload = bytes[header + 8..bytes.len() - 8].to_vec();
    let name = b"root-name-to-be-forged";
    let place = payload.windows(name.len()).position(|window| window == name).expect("it is in there");
    payload[place..place + 4].copy_from_slice(b"\x1b[2J");
    let played = play(&forged(&payload)).expect("the format is right");
    assert_eq!(played[0].0.names.users[&0].as_str(), "␛[2J-name-to-be-forged");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_payload_is_either_a_sample_or_a_sentence(payload: Vec<u8>) {
        let _ = play(&forged(&payload));
    }

    #[test]
    fn a_forged_payload_is_either_a_sample_or_a_sentence(changes in prop::collection::vec(any::<(usize, u8)>(), 1..6)) {
        static PAYLOAD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let bytes = recording(&few()[..1]);
            bytes[recording(&[]).len()..bytes.len() - 8].to_vec()
        });
        let mut payload = PAYLOAD.clone();
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

#[test]
fn memory_grows_with_what_is_there_not_with_what_is_claimed() {
    let mut bytes = recording(&[]);
    bytes.truncate(bytes.len() - 8);
    bytes.extend_from_slice(&FRAME_BYTES_MAX.to_le_bytes());
    bytes.extend_from_slice(&[7; 300]);
    let (mut frames, _) = RecordingFrames::open(Cursor::new(bytes)).map_err(|_| ()).expect("the header is good");
    assert!(matches!(frames.next_sample(), Err(RecordingFault::Cut)));
    assert!(frames.memory() < 10_000, "{} bytes", frames.memory());
}

#[test]
fn versions_and_foreign_files_get_their_own_sentence() {
    let mut newer = recording(&samples(1));
    newer[MAGIC.len()] = u8::try_from(VERSION + 1).expect("small");
    let said = play(&newer).map(|played| played.len()).expect_err("it is newer").to_string();
    assert!(said.contains(&format!("recording format {}", VERSION + 1)) && said.contains("newer conntop"), "{said}");
    for foreign in [&b""[..], b"\x89PNG\r\n\x1a\n and so on", b"hello, world", &[0; 4_096], &MAGIC] {
        let said = play(foreign).expect_err("it is something else").to_string();
        assert!(said.contains("is no recording"), "{said}");
    }
}

fn refused_path(path: &Path) -> String {
    Replay::open(path).err().expect("it is no recording").to_string()
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(refused_path(&dir.path().join("none")).starts_with("there is no file "));
    let empty = dir.path().join("empty");
    fs::write(&empty, "").expect("a file");
    assert!(refused_path(&empty).contains("is no recording"));
}

#[cfg(unix)]
#[test]
fn directories_devices_and_pipes_are_refused_without_waiting() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let dir = tempfile::tempdir().expect("a directory");
    let pipe = dir.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    for path in [dir.path(), &pipe, Path::new("/dev/zero"), Path::new("/dev/null")] {
        let said = refused_path(path);
        assert!(said.contains("not a regular file; give the name of a file"), "{said}");
    }
}

#[test]
fn a_sparse_giant_takes_neither_memory_nor_time() {
    const GIANT: u64 = 4 << 30;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("giant");
    let recorded = few();
    File::create(&path).and_then(|file| file.set_len(GIANT)).expect("a sparse file");
    assert!(refused_path(&path).contains("is no recording"));

    // A good sample; then nothing but zeros, which begin like an end mark.
    let bytes = recording(&recorded[..1]);
    fs::write(&path, &bytes[..bytes.len() - 8]).expect("a file");
    File::options().write(true).open(&path).and_then(|file| file.set_len(GIANT)).expect("it grows");
    let last = rest(&mut Replay::open(&path).expect("a recording")).pop().expect("one sample").0;
    let said = last.coverage.degraded.last().expect("the damage is said").to_string();
    assert!(said.ends_with("something follows its end mark"), "{said}");

    // A good sample, then one that claims to be as long as can be.
    let mut file = File::options().write(true).open(&path).expect("a file");
    file.seek(SeekFrom::Start(bytes.len() as u64 - 8)).expect("a place");
    file.write_all(&FRAME_BYTES_MAX.to_le_bytes()).expect("a claim");
    let last = rest(&mut Replay::open(&path).expect("a recording")).pop().expect("one sample").0;
    let said = last.coverage.degraded.last().expect("the damage is said").to_string();
    assert!(said.ends_with("a checksum does not match"), "{said}");
}
