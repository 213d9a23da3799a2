//! What a recorder does to the file system, and what it refuses.

use std::fs;
use std::time::Duration;

use super::*;
use crate::model::delta::{EventSource, Gap, Transition};
use crate::model::snapshot::{Needs, Snapshot};
use crate::model::time::Timestamp;
use crate::source::Source;
use crate::source::record::format::TRANSITIONS_MAX;
use crate::source::synthetic::Synthetic;
use crate::tracker::once;

fn first_sample() -> (SourceInfo, Delta) {
    let (mut source, mut snapshot) = (Synthetic::small(1), Snapshot::default());
    source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
    (source.info().clone(), once(snapshot))
}

fn sentence(error: &SourceError) -> String {
    error.to_string()
}

#[test]
fn a_file_that_is_there_is_never_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("taken.conntop");
    fs::write(&path, "mine").expect("a file");
    let error = Recorder::create(&path, &first_sample().0).expect_err("it is taken");
    assert!(sentence(&error).contains("is there already"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "mine");
}

#[test]
fn a_directory_that_is_not_there_is_named_in_the_sentence() {
    let error = Recorder::create(Path::new("/no/such/place/x.conntop"), &first_sample().0).expect_err("no directory");
    assert!(sentence(&error).starts_with("cannot create /no/such/place/x.conntop"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_in_the_way_is_not_followed_even_if_it_dangles() {
    let dir = tempfile::tempdir().expect("a directory");
    let (link, target) = (dir.path().join("link"), dir.path().join("target"));
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    assert!(Recorder::create(&link, &first_sample().0).is_err());
    assert!(!target.exists(), "nothing was made behind the link");
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_recording() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("private.conntop");
    Recorder::create(&path, &first_sample().0).expect("a recorder").finish().expect("it ends");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_sample_that_is_refused_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("refused.conntop");
    let (info, first) = first_sample();
    let mut recorder = Recorder::create(&path, &info).expect("a recorder");
    recorder.write(&first, &[]).expect("it is recorded");
    let length = fs::metadata(&path).expect("a file").len();
    assert_eq!(recorder.bytes(), length);

    let next =
        |millis: u64| Delta { at: first.at.after(Duration::from_millis(millis)), added: Vec::new(), ..first.clone() };
    let older = Delta { at: Timestamp(first.at.0 - 1), ..next(0) };
    assert!(recorder.write(&older, &[]).is_err());
    let noisy = next(1_000);
    let step = Transition::new(&first.added[0].socket.reference(), noisy.at, None, None);
    let noisy = Delta { transitions: vec![step; TRANSITIONS_MAX as usize + 1], ..noisy };
    let error = recorder.write(&noisy, &[]).expect_err("too many transitions");
    assert!(sentence(&error).contains("more transitions"), "{error}");
    assert_eq!(fs::metadata(&path).expect("a file").len(), length);

    recorder.write(&next(2_000), &[]).expect("the next one is recorded");
    assert_eq!(recorder.samples(), 2);
    recorder.finish().expect("it ends");
    let mut replay = crate::source::replay::Replay::open(&path).expect("a recording");
    let mut played = Snapshot::default();
    let mut take = || {
        replay.sample(&Needs::default(), &mut played).expect("a sample");
        *played.tracked.take().expect("it was tracked")
    };
    assert_eq!(take(), first);
    let second = take();
    let gap = Gap { from: first.at, to: second.at, lost: None, of: EventSource::Samples };
    assert_eq!(second, Delta { gaps: vec![gap], ..next(2_000) }, "and what was left out is told");
}

/// A disk with room for so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = bytes.len().min(self.0);
        self.0 -= written;
        if written == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_said_in_a_sentence() {
    let (info, first) = first_sample();
    let mut writer = Writer::new(Full(150), Header::of(&info)).expect("the header fits");
    let fault = writer.write(&first, &[]).expect_err("the sample does not");
    let said = sentence(&not_written(&DisplayText::from("x.conntop"), &fault));
    assert_eq!(said, "cannot write to x.conntop: no storage space; make room or record elsewhere");
}

#[test]
fn what_the_file_says_already_is_not_said_again() {
    let (info, first) = first_sample();
    let mut writer = Writer::new(Vec::new(), Header::of(&info)).expect("a header");
    let mut lengths = Vec::new();
    for nth in 0..3 {
        let before = writer.out.len();
        let added = if nth == 0 { first.added.clone() } else { Vec::new() };
        let at = first.at.after(Duration::from_secs(nth));
        writer.write(&Delta { at, added, ..first.clone() }, &[]).expect("it is recorded");
        lengths.push(writer.out.len() - before);
    }
    assert!(lengths[1] < 100 && lengths[2] < 50, "{lengths:?}: what stays as it is costs nothing");
}
