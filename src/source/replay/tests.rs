//! A replay is exact, and no file can harm it.

mod arbitrary;
mod golden;
mod hostile;
mod older;
mod seeking;
mod size;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use super::*;
use crate::model::delta::{Connection, Delta};
use crate::model::process::{Holders, ProcessId};
use crate::model::socket::Socket;
use crate::model::time::WallTime;
use crate::source::record::header::RecorderRun;
use crate::source::record::sample_writer::SampleWriter;
use crate::source::record::{Recorder, Writer};
use crate::source::synthetic::Synthetic;
use crate::tracker::Tracker;

fn info() -> SourceInfo {
    SourceInfo { kind: SourceKind::Synthetic, host: DisplayText::from("web-7"), abilities: Abilities::default() }
}

/// The header of run `number`, which is begun so many seconds after 1970.
fn header(number: u64) -> Header {
    let begun = WallTime(i64::try_from(number).expect("small") * 1_000);
    Header::new(&info(), DisplayText::default(), RecorderRun { begun, number })
}

/// The bytes of a finished recording.
fn recording(deltas: &[Delta]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, header(1)).expect("a header");
    for delta in deltas {
        writer.write(delta, &[]).expect("it can be recorded");
    }
    writer.finish().expect("an end");
    bytes
}

fn open(bytes: &[u8]) -> Result<Replay, SourceError> {
    Replay::read(Box::new(Cursor::new(bytes.to_vec())), DisplayText::from("test.conntop"))
}

/// Every sample until the last, with the pace that follows it.
fn rest(replay: &mut Replay) -> Vec<(Snapshot, Pace)> {
    let mut played = Vec::new();
    loop {
        let mut snapshot = Snapshot::default();
        let pace = replay.sample(&Needs::default(), &mut snapshot).expect("it says when it was the last");
        played.push((snapshot, pace));
        if pace == Pace::Last {
            return played;
        }
    }
}

fn play_snapshots(bytes: &[u8]) -> Result<Vec<(Snapshot, Pace)>, SourceError> {
    open(bytes).map(|mut replay| rest(&mut replay))
}

/// Every delta of a recording of format 6.
fn deltas_of(played: Vec<(Snapshot, Pace)>) -> Vec<Delta> {
    played.into_iter().map(|(snapshot, _)| *snapshot.tracked.expect("it was tracked when it was recorded")).collect()
}

fn play(bytes: &[u8]) -> Result<Vec<Delta>, SourceError> {
    play_snapshots(bytes).map(deltas_of)
}

/// So many samples of the small synthetic server, with what a screen asks for.
fn samples(count: usize) -> Vec<Snapshot> {
    let mut source = Synthetic::small(7);
    let mut needs = Needs::default();
    let take = |_| {
        let mut snapshot = Snapshot::default();
        source.sample(&needs, &mut snapshot).expect("it never fails");
        let mut processes: Vec<_> =
            snapshot.sockets.iter().filter_map(|it| it.owner.process()).map(|it| it.id).collect();
        processes.sort_unstable();
        processes.dedup();
        needs.usage = processes;
        needs.details = snapshot.sockets.iter().filter(|it| it.tcp.is_some()).map(Socket::reference).collect();
        snapshot.network = None;
        snapshot
    };
    (0..count).map(take).collect()
}

/// What a tracker says of them.
fn deltas(count: usize) -> Vec<Delta> {
    let mut tracker = Tracker::new();
    samples(count).iter().map(|snapshot| tracker.update(snapshot)).collect()
}

/// The same with its rows in one order: at the begin of a group they come in another one.
fn ordered(delta: &Delta) -> Delta {
    let mut delta = delta.clone();
    let by_id = |connection: &Connection| connection.socket.id;
    delta.added.sort_by_key(by_id);
    delta.changed.sort_by_key(by_id);
    delta.removed.sort_by_key(|removed| removed.id);
    delta
}

fn assert_same(one: &[Delta], other: &[Delta]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_same_delta(one, other);
    }
}

/// Says what differs: a delta of a busy machine is long.
fn assert_same_delta(one: &Delta, other: &Delta) {
    let (one, other) = (ordered(one), ordered(other));
    for (one, other) in one.added.iter().zip(&other.added).chain(one.changed.iter().zip(&other.changed)) {
        assert_eq!(one, other);
    }
    for (one, other) in one.transitions.iter().zip(&other.transitions) {
        assert_eq!(one, other);
    }
    assert_eq!((&one.removed, &one.unlisted, &one.gaps), (&other.removed, &other.unlisted, &other.gaps));
    assert_eq!(one, other, "at {:?}", one.at);
}

#[test]
fn a_replay_is_exact() {
    let recorded = deltas(150);
    assert_same(&play(&recording(&recorded)).expect("a recording"), &recorded);
    let played = play_snapshots(&recording(&recorded)).expect("a recording");
    assert!(played.iter().all(|(_, pace)| matches!(pace, Pace::Last) || *pace == Pace::After(Duration::from_secs(1))));
}

#[test]
fn it_says_whose_it_is_and_can_do_nothing() {
    let replay = open(&recording(&deltas(1))).expect("a recording");
    assert_eq!(replay.info().host.as_str(), "web-7");
    assert_eq!(replay.info().kind, SourceKind::Replay);
    assert_eq!(replay.recorded_from(), SourceKind::Synthetic);
    assert!(!replay.info().abilities.kill);
    assert_eq!(replay.span(), None, "a stream has no past");
}

#[test]
fn long_pauses_are_cut_missing_ones_made_and_the_end_is_the_end() {
    let mut recorded = deltas(3);
    recorded[1].at = recorded[0].at.after(Duration::from_secs(8 * 3_600));
    recorded[2].at = recorded[1].at;
    let mut replay = open(&recording(&recorded)).expect("a recording");
    let played = rest(&mut replay);
    let paces: Vec<_> = played.iter().map(|(_, pace)| *pace).collect();
    assert_eq!(paces, [Pace::After(GAP_MAX), Pace::After(GAP_MIN), Pace::Last]);
    assert_eq!(played[1].0.at, recorded[1].at, "the recorded time stays");
    let error = replay.sample(&Needs::default(), &mut Snapshot::default()).expect_err("there is no more");
    assert!(error.to_string().contains("has ended"), "{error}");
}

#[test]
fn holders_are_shared_again() {
    let played = play(&recording(&deltas(70))).expect("a recording");
    let mut known: BTreeMap<Vec<ProcessId>, Arc<Holders>> = BTreeMap::new();
    for connection in played.iter().flat_map(|delta| delta.added.iter().chain(&delta.changed)) {
        let Some(holders) = connection.socket.owner.holders() else { continue };
        let ids = holders.all().iter().map(|process| process.id).collect();
        let one = known.entry(ids).or_insert_with(|| Arc::clone(holders));
        assert!(Arc::ptr_eq(one, holders), "one value for all sockets of a process, in all samples and groups");
    }
    assert!(known.len() > 5);
}

#[test]
fn a_recording_without_samples_is_no_recording_to_play() {
    let error = play(&recording(&[])).expect_err("nothing to play");
    assert!(error.to_string().contains("holds no sample"), "{error}");
}

#[test]
fn it_goes_through_a_file_as_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file.conntop");
    let before = deltas(3);
    let mut recorder = Recorder::create(&path, &info()).expect("a recorder");
    for delta in &before {
        recorder.write(delta, &[]).expect("it can be recorded");
    }
    recorder.finish().expect("an end");
    let played = rest(&mut Replay::open(&path).expect("a recording"));
    assert_same(&deltas_of(played), &before);
}
