//! What a recorder does to the file system, and what it refuses.

use std::fs;

use super::*;
use crate::model::coverage::Coverage;
use crate::model::snapshot::Needs;
use crate::model::time::Timestamp;
use crate::source::Source;
use crate::source::synthetic::Synthetic;

fn first_sample() -> (SourceInfo, Snapshot) {
    let (mut source, mut snapshot) = (Synthetic::small(1), Snapshot::default());
    source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
    (source.info().clone(), snapshot)
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
    let (info, snapshot) = first_sample();
    let mut recorder = Recorder::create(&path, &info).expect("a recorder");
    recorder.write(&snapshot).expect("it is recorded");
    let length = fs::metadata(&path).expect("a file").len();
    assert_eq!(recorder.bytes(), length);

    let older = Snapshot { at: Timestamp(snapshot.at.0 - 1), ..snapshot.clone() };
    assert!(recorder.write(&older).is_err());
    let notes = vec![DisplayText::from("note"); 1_000];
    let noisy = Snapshot { coverage: Coverage { degraded: notes, ..Coverage::default() }, ..snapshot.clone() };
    let error = recorder.write(&noisy).expect_err("too many notes");
    assert!(sentence(&error).contains("more notes"), "{error}");
    assert_eq!(fs::metadata(&path).expect("a file").len(), length);

    recorder.write(&snapshot).expect("the next one is recorded");
    assert_eq!(recorder.samples(), 2);
    recorder.finish().expect("it ends");
    let mut replay = crate::source::replay::Replay::open(&path).expect("a recording");
    let mut played = Snapshot::default();
    for _ in 0..2 {
        replay.sample(&Needs::default(), &mut played).expect("a sample");
        assert_eq!(played, snapshot);
    }
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
    let (info, snapshot) = first_sample();
    let mut writer = Writer::new(Full(100), &info).expect("the header fits");
    let fault = writer.write(&snapshot).expect_err("the sample does not");
    let said = sentence(&not_written(&DisplayText::from("x.conntop"), &fault));
    assert_eq!(said, "cannot write to x.conntop: no storage space; make room or record elsewhere");
}

#[test]
fn what_the_file_says_already_is_not_said_again() {
    let (info, snapshot) = first_sample();
    let mut writer = Writer::new(Vec::new(), &info).expect("a header");
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let before = writer.out.len();
        writer.write(&snapshot).expect("it is recorded");
        lengths.push(writer.out.len() - before);
    }
    assert!(lengths[1] + 1_500 < lengths[0], "{lengths:?}: processes and names stand once");
    assert_eq!(lengths[1], lengths[2]);
}
