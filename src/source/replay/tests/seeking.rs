//! Going to a moment: what follows is what would have followed from the begin.

use std::fs;
use std::path::Path;

use super::*;
use crate::model::delta::{EventSource, Gap};
use crate::model::recorded::{MarkSeverity, RecordedMark};
use crate::model::socket::SocketId;

/// The rows after each delta.
pub fn rows(deltas: &[Delta]) -> Vec<BTreeMap<SocketId, Connection>> {
    let mut rows = BTreeMap::new();
    let after = |delta: &Delta| {
        for connection in &delta.added {
            assert!(rows.insert(connection.socket.id, connection.clone()).is_none(), "it was there");
        }
        for connection in &delta.changed {
            assert!(rows.insert(connection.socket.id, connection.clone()).is_some(), "it was not there");
        }
        for removed in &delta.removed {
            assert!(rows.remove(&removed.id).is_some(), "it was not there");
        }
        rows.clone()
    };
    deltas.iter().map(after).collect()
}

/// Every moment of `replay` can be gone to, and leads to the rows of `recorded`.
fn assert_goes_anywhere(replay: &mut Replay, recorded: &[Delta]) {
    let expected = rows(recorded);
    for (nth, delta) in recorded.iter().enumerate() {
        if nth % 7 != 0 && nth + 1 < recorded.len() {
            continue;
        }
        replay.seek(delta.at).expect("it can be gone to");
        let mut played = Vec::new();
        while played.last().is_none_or(|last: &Delta| last.at < delta.at) {
            let mut snapshot = Snapshot::default();
            replay.sample(&Needs::default(), &mut snapshot).expect("a sample");
            played.push(*snapshot.tracked.expect("it was tracked"));
        }
        let after = rows(&played).pop().expect("at least one");
        assert!(after == expected[nth], "sample {nth}");
        let mut last = played.pop().expect("at least one");
        if played.is_empty() {
            assert_eq!(last.transitions, delta.transitions);
            last.added.clear();
        } else {
            assert_same_delta(&last, delta);
        }
    }
}

fn write_file(path: &Path, deltas: &[Delta]) {
    fs::write(path, recording(deltas)).expect("a file");
}

#[test]
fn a_file_is_gone_through_with_its_index_and_without() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file.conntop");
    let recorded = deltas(200);
    write_file(&path, &recorded);
    let mut replay = Replay::open(&path).expect("a recording");
    let span = replay.span().expect("a file has one");
    assert_eq!((span.first.at, span.last.at, span.samples), (recorded[0].at, recorded[199].at, 200));
    assert_eq!((span.first.wall, span.last.wall), (recorded[0].wall, recorded[199].wall));
    assert_goes_anywhere(&mut replay, &recorded);

    let bytes = fs::read(&path).expect("a file");
    fs::write(&path, &bytes[..bytes.len() - 17]).expect("a file");
    let mut broken_off = Replay::open(&path).expect("a recording");
    assert_eq!(broken_off.span(), Some(span));
    // The last sample says what is missing.
    assert_goes_anywhere(&mut broken_off, &recorded[..199]);
}

#[test]
fn what_is_before_the_begin_and_after_the_end_leads_to_the_first_and_the_last_group() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file.conntop");
    let recorded = deltas(70);
    write_file(&path, &recorded);
    let mut replay = Replay::open(&path).expect("a recording");
    replay.seek(Timestamp(0)).expect("the first group");
    assert_same(&deltas_of(rest(&mut replay)), &recorded);
    replay.seek(Timestamp(u64::MAX)).expect("the last group");
    assert_eq!(rest(&mut replay).len(), 10);
    assert!(open(&recording(&recorded)).expect("a stream").seek(Timestamp(0)).is_err());
}

/// Segments of one run, of so many samples each.
fn write_segments(dir: &Path, header: Header, deltas: &[Delta], length: usize) {
    let mut writer = SampleWriter::new(header).expect("a writer");
    let run = writer.header().run.number;
    for (nth, part) in deltas.chunks(length).enumerate() {
        let mut bytes = Vec::new();
        for delta in part {
            writer.sample(delta, &[], &mut bytes).expect("it can be recorded");
        }
        if nth % 2 == 0 {
            writer.finish(&mut bytes).expect("an end");
        } else {
            // The recorder was killed, and goes on all the same.
            writer.begin_recording();
        }
        // Names say nothing: headers do.
        fs::write(dir.join(format!("{}-{run}.conntop", 90 - nth)), bytes).expect("a segment");
    }
}

#[test]
fn the_segments_of_a_directory_are_one_recording() {
    let dir = tempfile::tempdir().expect("a directory");
    let recorded = deltas(100);
    write_segments(dir.path(), header(1), &recorded, 23);
    fs::write(dir.path().join("notes.txt"), "mine").expect("a file");
    let mut replay = Replay::open(dir.path()).expect("a directory of recordings");
    assert_eq!(replay.span().expect("one").samples, 100);
    assert_same(&deltas_of(rest(&mut replay)), &recorded);
    assert_goes_anywhere(&mut replay, &recorded);
}

#[test]
fn after_a_reboot_time_goes_on_and_what_changed_in_between_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let before = deltas(50);
    let last = before[49].clone();
    write_segments(dir.path(), header(1), &before, 50);
    // The clock of the machine begins anew; ten minutes are missing.
    let mut after = deltas(30);
    let wall = last.wall.0 + 600_000;
    let first = after[0].wall.0;
    for delta in &mut after {
        delta.wall = WallTime(delta.wall.0 - first + wall);
    }
    write_segments(dir.path(), header(2), &after, 30);

    let mut replay = Replay::open(dir.path()).expect("a directory of recordings");
    let played = deltas_of(rest(&mut replay));
    assert_eq!(played.len(), 80);
    assert!(played.windows(2).all(|pair| pair[0].at < pair[1].at), "moments ascend");
    let (from, to) = (played[49].at, played[50].at);
    assert_eq!(to.since(from), Duration::from_secs(600));
    assert_eq!(played[50].gaps, [Gap { from, to, lost: None, of: EventSource::Samples }]);
    assert_eq!(played[79].wall, after[29].wall);
    let ages = |deltas: &[Delta]| -> Vec<_> {
        let now = deltas.last().expect("one").at;
        let rows = rows(deltas).pop().expect("one");
        rows.into_values().map(|row| (row.socket.id, row.state_since.map(|since| since.age(now)))).collect()
    };
    assert_eq!(ages(&played), ages(&after), "ages are as they were");
    let marks = replay.span().expect("one").marks;
    assert_eq!(marks.len(), 1);
    assert_eq!((marks[0].at, marks[0].severity), (to, None));
    assert_eq!(marks[0].sentence.as_str(), "nothing was recorded for 10m before");
}

#[test]
fn marks_are_in_the_span() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file.conntop");
    let recorded = deltas(3);
    let mark = RecordedMark {
        at: recorded[1].at,
        severity: Some(MarkSeverity::Critical),
        sentence: DisplayText::from("payments leaks"),
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, header(1)).expect("a header");
    for (nth, delta) in recorded.iter().enumerate() {
        let marks = if nth == 1 { std::slice::from_ref(&mark) } else { &[] };
        writer.write(delta, marks).expect("it can be recorded");
    }
    writer.finish().expect("an end");
    for length in [bytes.len(), bytes.len() - 17] {
        fs::write(&path, &bytes[..length]).expect("a file");
        let span = Replay::open(&path).expect("a recording").span().expect("one");
        assert_eq!(span.marks, std::slice::from_ref(&mark));
    }
}
