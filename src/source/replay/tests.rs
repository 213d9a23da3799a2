//! A replay is exact, and no file can harm it.

mod arbitrary;
mod golden;
mod hostile;

use std::io::Cursor;

use super::*;
use crate::model::socket::Socket;
use crate::source::record::{Recorder, Writer};
use crate::source::synthetic::Synthetic;

fn info() -> SourceInfo {
    SourceInfo { kind: SourceKind::Synthetic, host: DisplayText::from("web-7"), abilities: Abilities::default() }
}

/// The bytes of a finished recording.
fn recording(snapshots: &[Snapshot]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &info()).expect("a header");
    for snapshot in snapshots {
        writer.write(snapshot).expect("it can be recorded");
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

fn play(bytes: &[u8]) -> Result<Vec<(Snapshot, Pace)>, SourceError> {
    open(bytes).map(|mut replay| rest(&mut replay))
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
        snapshot
    };
    (0..count).map(take).collect()
}

#[test]
fn a_replay_is_exact() {
    let recorded = samples(5);
    let played = play(&recording(&recorded)).expect("a recording");
    assert_eq!(played.len(), 5);
    for (before, (after, pace)) in recorded.iter().zip(&played) {
        assert_eq!(before, after);
        assert!(matches!(pace, Pace::Last) || *pace == Pace::After(Duration::from_secs(1)));
    }
}

#[test]
fn it_says_whose_it_is_and_can_do_nothing() {
    let replay = open(&recording(&samples(1))).expect("a recording");
    assert_eq!(replay.info().host.as_str(), "web-7");
    assert_eq!(replay.info().kind, SourceKind::Replay);
    assert_eq!(replay.recorded_from(), SourceKind::Synthetic);
    assert!(!replay.info().abilities.kill);
}

#[test]
fn long_pauses_are_cut_missing_ones_made_and_the_end_is_the_end() {
    let mut recorded = samples(3);
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
    let played = play(&recording(&samples(2))).expect("a recording");
    let address = |snapshot: &Snapshot| {
        let leaked = snapshot.sockets.iter().filter(|it| it.remote.port == 5_432 && it.local.addr.is_ipv4());
        let mut all: Vec<_> =
            leaked.filter_map(|it| it.owner.holders()).map(|it| std::sync::Arc::as_ptr(it).addr()).collect();
        assert!(all.len() > 30);
        all.dedup();
        all
    };
    let first = address(&played[0].0);
    assert_eq!(first, address(&played[1].0), "one value for all sockets of a process, in all samples");
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
    let before = samples(3);
    let mut recorder = Recorder::create(&path, &info()).expect("a recorder");
    for snapshot in &before {
        recorder.write(snapshot).expect("it can be recorded");
    }
    recorder.finish().expect("an end");
    let played = rest(&mut Replay::open(&path).expect("a recording"));
    assert_eq!(played.into_iter().map(|(snapshot, _)| snapshot).collect::<Vec<_>>(), before);
}
