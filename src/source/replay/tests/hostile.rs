//! Cut, flipped, forged and huge recordings of format 6: the good prefix is kept, the rest is refused with a sentence.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};

use proptest::prelude::*;

use super::*;
use crate::source::record::bytes::BytesOut;
use crate::source::record::compression::Compressor;
use crate::source::record::format::{FRAME_BYTES_MAX, MAGIC, SOCKETS_MAX, VERSION, kind, section};
use crate::source::record::frame::{FrameHead, put_frame};
use crate::source::replay::deltas::{DeltaStream, FrameDecoder};

/// The length of the last frame.
const END: usize = 17;

/// Three deltas with some sockets of every kind: small enough to try every byte.
fn few() -> Vec<Delta> {
    let mut samples = samples(3);
    for snapshot in &mut samples {
        let mut index = 0;
        snapshot.sockets.retain(|_| {
            index += 1;
            index % 23 == 0
        });
        snapshot.details.truncate(2);
        snapshot.usage.truncate(2);
    }
    let mut tracker = Tracker::new();
    samples.iter().map(|snapshot| tracker.update(snapshot)).collect()
}

/// The samples that the damaged recording plays are the first of `recorded`, and the last of them says what is wrong;
/// if none is good, a sentence says so. Returns how many are good.
fn assert_good_prefix(bytes: &[u8], recorded: &[Delta]) -> usize {
    let mut played = match play(bytes) {
        Ok(played) => played,
        Err(error) => {
            assert!(error.to_string().contains("test.conntop"), "{error}");
            return 0;
        }
    };
    let count = played.len();
    let last = played.last_mut().expect("at least one sample");
    let said = Arc::make_mut(&mut last.coverage).degraded.pop().expect("the damage is said").to_string();
    assert!(said.starts_with("test.conntop ends at byte "), "{said}");
    assert!(said.contains(&format!("after {count} good samples")), "{said}");
    assert_same(&played, &recorded[..count]);
    count
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
    assert_eq!(good_before, 3, "without its end all samples are there");
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let recorded = few();
    let mut bytes = recording(&recorded);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("test.conntop");
    for index in 0..bytes.len() {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        assert_good_prefix(&bytes, &recorded);
        if index % 9 == 0 {
            // What stands in an index that is damaged is not believed, nor does it do harm.
            fs::write(&path, &bytes).expect("a file");
            if let Ok(mut replay) = Replay::open(&path) {
                let _ = (replay.span(), replay.seek(recorded[1].at));
            }
        }
        bytes[index] ^= bit;
    }
}

#[test]
fn the_sentence_says_where_and_what() {
    let recorded = few();
    let bytes = recording(&recorded);
    let said = |bytes: &[u8]| {
        let played = play(bytes).expect("some samples");
        played.last().expect("at least one").coverage.degraded.last().map(ToString::to_string).unwrap_or_default()
    };
    let mut writer = SampleWriter::new(header(1)).expect("a writer");
    let mut first = Vec::new();
    writer.sample(&recorded[0], &[], &mut first).expect("it can be recorded");
    let second = first.len();
    let sentence =
        format!("test.conntop ends at byte {second} after 1 good samples: it ends in the middle of a sample");
    assert_eq!(said(&bytes[..second + 50]), sentence);
    let mut flipped = bytes.clone();
    flipped[second + 20] ^= 1;
    assert!(said(&flipped).ends_with("after 1 good samples: a checksum does not match"));
    let mut followed = bytes.clone();
    followed.push(0);
    assert!(said(&followed).ends_with("after 3 good samples: something follows its end mark"));
    let unfinished = said(&bytes[..bytes.len() - END]);
    assert!(unfinished.ends_with("after 3 good samples: it was not finished, its end mark is missing"), "{unfinished}");
}

/// A recording whose only sample, a key frame, has this content, with lengths and checksums as they should be.
fn forged(content: &[u8], content_len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    SampleWriter::new(header(1)).expect("a writer").begin(&mut bytes).expect("a header");
    let content_len = u32::try_from(content_len).expect("small");
    let head = FrameHead { at: Timestamp(1_000_000), content_len, ..FrameHead::default() };
    put_frame(&mut bytes, kind::KEY, |bytes| {
        let mut out = BytesOut::default();
        head.put(&FrameHead::default(), &mut out);
        bytes.extend_from_slice(&out.bytes);
        Ok(Compressor::new()?.compress(content, bytes)?)
    })
    .expect("a frame");
    put_frame(&mut bytes, kind::END, |bytes| {
        bytes.extend_from_slice(&[0; 8]);
        Ok(())
    })
    .expect("a frame");
    bytes
}

fn refusal(content: &[u8]) -> String {
    play(&forged(content, content.len())).expect_err("it makes no sense").to_string()
}

/// A section with this content.
fn of_section(kind: u64, fill: impl FnOnce(&mut BytesOut)) -> Vec<u8> {
    let mut out = BytesOut::default();
    out.begin(Timestamp(1_000_000));
    out.section(kind, fill).expect("a small section");
    out.bytes
}

#[test]
fn counts_are_not_believed() {
    for kind in [section::USAGE, section::DESCRIPTORS, section::DETAILS] {
        let said = refusal(&of_section(kind, |out| out.number(u64::MAX)));
        assert!(said.contains("there are more "), "{kind}: {said}");
        let said = refusal(&of_section(kind, |out| out.number(1_000)));
        assert!(said.contains("shorter than it says"), "{kind}: {said}");
    }
    let said = refusal(&of_section(section::ROWS, |out| out.number(SOCKETS_MAX.into())));
    assert!(said.contains("shorter than it says"), "{said}");
    let said =
        refusal(&of_section(section::HOLDERS, |out| out.structure(|fields| fields.always(0, |out| out.number(9)))));
    assert!(said.contains("shorter than it says"), "{said}");
}

#[test]
fn numbers_of_rows_processes_and_cases_are_checked_before_they_are_followed() {
    let member = |index| {
        of_section(section::HOLDERS, |out| {
            out.structure(|fields| {
                fields.always(0, |out| {
                    out.number(1);
                    out.number(index);
                });
            });
        })
    };
    assert!(refusal(&member(7)).contains("a process is not there"), "{}", refusal(&member(7)));
    let nobody = of_section(section::HOLDERS, |out| out.structure(|fields| fields.always(0, |out| out.number(0))));
    assert!(refusal(&nobody).contains("held by nobody"), "{}", refusal(&nobody));
    let owned = of_section(section::ROWS, |out| out.structure(|fields| fields.always(17, |out| out.number(99))));
    assert!(refusal(&owned).contains("a holder is not there"), "{}", refusal(&owned));
    let state = of_section(section::ROWS, |out| out.structure(|fields| fields.always(8, |out| out.number(13))));
    assert!(refusal(&state).contains("a case is not known"), "{}", refusal(&state));
    for kind in [section::UNLISTED, section::TRANSITIONS] {
        let slot = of_section(kind, |out| {
            if kind == section::TRANSITIONS {
                out.structure(|fields| fields.always(0, |out| out.number(3)));
            } else {
                out.signed(3);
            }
        });
        assert!(refusal(&slot).contains("a socket is not there"), "{kind}: {}", refusal(&slot));
    }
}

#[test]
fn what_stands_twice_or_cannot_be_is_refused() {
    let twice = of_section(section::ROWS, |out| {
        out.structure(|_| ());
        out.structure(|_| ());
    });
    assert!(refusal(&twice).contains("a socket stands twice"), "{}", refusal(&twice));
    let ports = of_section(section::FACTS, |out| {
        out.structure(|fields| {
            fields.always(5, |out| {
                out.byte(1);
                out.signed(6);
                out.signed(5);
            });
        });
    });
    assert!(refusal(&ports).contains("a range of ports ends before it begins"), "{}", refusal(&ports));
    let rates = of_section(section::ROWS, |out| {
        out.structure(|fields| {
            fields.always(0, |out| {
                out.byte(3);
                out.bytes.extend_from_slice(&f32::NAN.to_bits().to_le_bytes());
                out.bytes.extend_from_slice(&[0; 4]);
            });
        });
    });
    assert!(refusal(&rates).contains("no number"), "{}", refusal(&rates));
}

#[test]
fn a_recording_that_goes_back_in_time_or_is_put_together_of_two_ends_there() {
    let recorded = few();
    let mut bytes = recording(&recorded[..1]);
    let later = recording(&[Delta { at: Timestamp(recorded[0].at.0 - 1), ..recorded[0].clone() }]);
    let header = recording(&[]).len();
    let index_and_end = |samples: &[Delta]| {
        let mut writer = SampleWriter::new(super::header(1)).expect("a writer");
        let mut bytes = Vec::new();
        for delta in samples {
            writer.sample(delta, &[], &mut bytes).expect("it can be recorded");
        }
        bytes.len()
    };
    bytes.truncate(index_and_end(&recorded[..1]));
    let begin = {
        let mut bytes = Vec::new();
        SampleWriter::new(super::header(1)).expect("a writer").begin(&mut bytes).expect("a header");
        bytes.len()
    };
    assert!(begin < header);
    bytes.extend_from_slice(&later[begin..]);
    assert_eq!(assert_good_prefix(&bytes, &recorded), 1);
}

#[test]
fn what_is_decompressed_is_no_longer_than_it_says_and_no_shorter() {
    let zeros = vec![0; 50_000_000];
    let bytes = forged(&zeros, 100);
    assert!(bytes.len() < 100_000);
    let said = play(&bytes).expect_err("there is more").to_string();
    assert!(said.contains("it cannot be decompressed"), "{said}");
    let said = play(&forged(&[0; 10], 100)).expect_err("there is less").to_string();
    assert!(said.contains("it cannot be decompressed"), "{said}");
    let said = play(&forged(&[], 300 << 20)).expect_err("it is long").to_string();
    assert!(said.contains("longer than conntop takes"), "{said}");

    let (mut frames, header) = RecordingFrames::open(bytes.as_slice()).map_err(|_| ()).expect("the header is good");
    let mut decoder = FrameDecoder::new(header.run).expect("a decoder");
    assert!(decoder.next(&mut frames).is_err());
    assert!(decoder.memory() < 100_000, "{} bytes", decoder.memory());
}

#[test]
fn memory_grows_with_what_is_there_not_with_what_is_claimed() {
    let mut bytes = Vec::new();
    SampleWriter::new(header(1)).expect("a writer").begin(&mut bytes).expect("a header");
    bytes.extend_from_slice(&FRAME_BYTES_MAX.to_le_bytes());
    bytes.extend_from_slice(&[7; 300]);
    let (mut frames, _) = RecordingFrames::open(Cursor::new(bytes)).map_err(|_| ()).expect("the header is good");
    assert!(matches!(frames.next_frame(), Err(RecordingFault::Cut)));
    assert!(frames.memory() < 10_000, "{} bytes", frames.memory());
}

#[test]
fn what_a_later_conntop_adds_is_skipped() {
    let recorded = few();
    let bytes = recording(&recorded[..1]);
    let mut stream = DeltaStream::open(bytes.as_slice()).map_err(|_| ()).expect("a recording");
    let known = stream.next_sample().expect("it is good").expect("a sample").delta;
    // A sample with a section, fields of the row and of the sample, and a frame that this conntop does not know.
    let mut content = of_section(99, |out| out.slice(b"of the future"));
    content.extend(of_section(section::SAMPLE, |out| {
        out.structure(|fields| {
            fields.put(0, &known.took, &Duration::ZERO);
            fields.always(61, |out| out.slice(b"of the future"));
        });
    }));
    content.extend(of_section(section::ROWS, |out| {
        out.structure(|fields| {
            fields.put(19, &443_u16, &0);
            fields.always(60, |out| out.number(7));
            fields.always(63, |out| out.slice(b"of the future"));
        });
    }));
    let mut bytes = forged(&content, content.len());
    let mut frame = Vec::new();
    put_frame(&mut frame, 77, |bytes| {
        bytes.extend_from_slice(b"of the future");
        Ok(())
    })
    .expect("a frame");
    let end = bytes.len() - END;
    bytes.splice(end..end, frame);
    let played = play(&bytes).expect("what is known of it can be played");
    assert_eq!((played.len(), played[0].took, played[0].added.len()), (1, known.took, 1));
    assert_eq!(played[0].added[0].socket.remote.port, 443);
    assert!(played[0].coverage.degraded.is_empty(), "nothing is wrong with it");
}

#[test]
fn a_recording_cannot_smuggle_escapes_to_the_terminal() {
    let content = of_section(section::COVERAGE, |out| {
        out.structure(|fields| {
            fields.always(5, |out| {
                out.number(1);
                out.slice(b"\x1b[2Jforged");
            });
        });
    });
    let played = play(&forged(&content, content.len())).expect("the format is right");
    assert_eq!(played[0].coverage.degraded[0].as_str(), "␛[2Jforged");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_content_is_either_a_sample_or_a_sentence(content: Vec<u8>) {
        let _ = play(&forged(&content, content.len()));
    }

    #[test]
    fn forged_content_is_either_a_sample_or_a_sentence(changes in prop::collection::vec(any::<(usize, u8)>(), 1..6)) {
        static CONTENT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let mut encoder = crate::source::record::encode::Encoder::default();
            encoder.encode(&few()[0], true).expect("it can be encoded").to_vec()
        });
        let mut content = CONTENT.clone();
        for (place, byte) in changes {
            let place = place % content.len();
            content[place] = byte;
        }
        if let Ok(played) = play(&forged(&content, content.len())) {
            let text = format!("{:?}", played[0]);
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
}

#[test]
fn versions_and_foreign_files_get_their_own_sentence() {
    let mut newer = recording(&deltas(1));
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
fn what_is_no_recording_is_refused_without_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(refused_path(&dir.path().join("none")).starts_with("there is no file "));
    let empty = dir.path().join("empty");
    fs::write(&empty, "").expect("a file");
    assert!(refused_path(&empty).contains("is no recording"));
    let said = refused_path(dir.path());
    assert!(said.contains("is a directory without a recording of conntop record in it; give the name"), "{said}");
}

#[test]
fn the_recordings_of_two_machines_are_not_put_together() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, host) in [("a", "web-1"), ("b", "web-2")] {
        let header = Header { host: DisplayText::from(host), ..header(1) };
        let mut bytes = Vec::new();
        SampleWriter::new(header).expect("a writer").sample(&few()[0], &[], &mut bytes).expect("it can be recorded");
        fs::write(dir.path().join(format!("{name}.conntop")), bytes).expect("a file");
    }
    let said = refused_path(dir.path());
    assert!(said.contains("web-1") && said.contains("web-2") && said.contains("of one machine"), "{said}");
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_refused_without_waiting() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let dir = tempfile::tempdir().expect("a directory");
    let pipe = dir.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    for path in [&pipe, Path::new("/dev/zero"), Path::new("/dev/null")] {
        let said = refused_path(path);
        assert!(said.contains("not a regular file; give the name of a file"), "{said}");
    }
}

#[test]
fn a_sparse_giant_takes_neither_memory_nor_time() {
    const GIANT: u64 = 4 << 30;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("giant");
    File::create(&path).and_then(|file| file.set_len(GIANT)).expect("a sparse file");
    assert!(refused_path(&path).contains("is no recording"));

    // A good sample; then nothing but zeros.
    let mut bytes = Vec::new();
    SampleWriter::new(header(1)).expect("a writer").sample(&few()[0], &[], &mut bytes).expect("it can be recorded");
    fs::write(&path, &bytes).expect("a file");
    File::options().write(true).open(&path).and_then(|file| file.set_len(GIANT)).expect("it grows");
    let mut replay = Replay::open(&path).expect("a recording");
    assert_eq!(replay.span().expect("a file has one").samples, 1);
    let said = deltas_of(rest(&mut replay))[0].coverage.degraded.last().expect("the damage is said").to_string();
    assert!(said.ends_with("a frame is empty)"), "{said}");

    // A good sample, then one that claims to be as long as can be.
    let mut file = File::options().write(true).open(&path).expect("a file");
    file.seek(SeekFrom::Start(bytes.len() as u64)).expect("a place");
    file.write_all(&FRAME_BYTES_MAX.to_le_bytes()).expect("a claim");
    let played = deltas_of(rest(&mut Replay::open(&path).expect("a recording")));
    let said = played[0].coverage.degraded.last().expect("the damage is said").to_string();
    assert!(said.ends_with("a checksum does not match"), "{said}");
}
