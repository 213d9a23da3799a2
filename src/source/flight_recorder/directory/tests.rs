//! What a flight recorder takes for its directory, what it refuses, and that it touches nothing else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::model::delta::Delta;
use crate::model::testing::source_info;
use crate::model::time::Timestamp;
use crate::source::Source;
use crate::source::flight_recorder::FlightRecorder;
use crate::source::flight_recorder::limits::SegmentLimits;
use crate::source::record::header::{Header, RecorderRun};
use crate::source::record::sample_writer::SampleWriter;
use crate::source::replay::Replay;

fn refused(path: &Path) -> String {
    match SegmentDirectory::open(path) {
        Ok(_) => panic!("{} is taken", path.display()),
        Err(error) => error.to_string(),
    }
}

fn name(number: u32) -> SegmentName {
    SegmentName::new(number, WallTime(1_795_895_251_000)).expect("a name")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
}

/// What is in `path`, with what it holds.
fn content(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut content: Vec<_> = fs::read_dir(path)
        .expect("a directory")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("text"), fs::read(entry.path()).unwrap_or_default()))
        .collect();
    content.sort();
    content
}

#[test]
fn a_directory_and_its_segments_are_made_private() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recorder");
    let (mut directory, stored) = SegmentDirectory::open(&path).expect("it is made");
    assert_eq!((stored, mode(&path)), (StoredSegments::default(), 0o700));
    let mut file = directory.create(name(1)).expect("a segment");
    file.append(&MAGIC).and_then(|()| file.append(b"half a sample")).expect("it is written");
    file.cut(8).and_then(|()| file.append(b"!")).expect("it is cut");
    let segment = path.join("00000001-20261128T194731Z.conntop");
    assert_eq!((mode(&segment), fs::read(&segment).expect("it is there")), (0o600, [&MAGIC[..], b"!"].concat()));
    assert_eq!(mode(&path.join(LOCK)), 0o600);
    assert_eq!(directory.create(name(1)).expect_err("it is taken").kind(), ErrorKind::AlreadyExists);
    drop((directory, file));

    let (mut directory, stored) = SegmentDirectory::open(&path).expect("it is a recorder's");
    assert_eq!((stored.segments.len(), stored.segments[0].len, stored.last_number), (1, 9, 1));
    assert!(stored.segments[0].written.0 > 1_700_000_000_000);
    directory.remove(name(1)).expect("it is ours");
    directory.remove(name(1)).expect("it is gone already");
    assert!(!segment.exists());
}

#[test]
fn a_directory_that_is_not_a_recorders_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path();
    fs::write(path.join("thesis.txt"), "mine").expect("writable");
    let before = content(path);
    let said = refused(path);
    assert!(
        said.contains("is not the directory of a recorder: it holds thesis.txt; name an empty directory"),
        "{said}"
    );
    assert_eq!(content(path), before);
    // What only looks like the lock is none.
    symlink("thesis.txt", path.join(LOCK)).expect("a link");
    assert!(refused(path).contains("is not the directory of a recorder"));
    assert_eq!(fs::read(path.join("thesis.txt")).expect("it is there"), b"mine");
    // An own partition has this.
    let partition = tempfile::tempdir().expect("a directory");
    fs::create_dir(partition.path().join(OF_FILE_SYSTEM)).expect("writable");
    SegmentDirectory::open(partition.path()).expect("it is as good as empty");
}

#[test]
fn files_of_others_in_the_directory_are_never_removed() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path();
    drop(SegmentDirectory::open(path).expect("it is empty"));
    let named = |number: u32| path.join(name(number).to_string());
    fs::write(path.join("notes.txt"), "mine").expect("writable");
    fs::write(named(3), "no recording").expect("writable");
    symlink(path.join("notes.txt"), named(4)).expect("a link");
    fs::create_dir(named(5)).expect("writable");
    fs::write(named(6), "").expect("writable");
    fs::write(named(7), &MAGIC[..4]).expect("writable");
    fs::write(path.join("leak.conntop"), MAGIC).expect("writable");
    let (mut directory, stored) = SegmentDirectory::open(path).expect("it is a recorder's");
    let numbers: Vec<u32> = stored.segments.iter().map(|segment| segment.name.number).collect();
    assert_eq!((numbers, stored.last_number), (vec![6, 7], 7), "what was just begun by one that was killed is ours");
    // A link in place of a segment, put there after the list was made.
    assert_eq!(directory.remove(name(4)).expect_err("it is a link").kind(), ErrorKind::PermissionDenied);
    assert!(directory.remove(name(5)).is_err());
    assert_eq!(fs::read(path.join("notes.txt")).expect("it is there"), b"mine");
}

#[test]
fn no_link_is_followed() {
    let folder = tempfile::tempdir().expect("a directory");
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::create_dir(&target).expect("writable");
    symlink(&target, &link).expect("a link");
    for path in [link.clone(), link.join(""), link.join(".")] {
        let said = refused(&path);
        assert!(said.contains("is a symbolic link"), "{said}");
    }
    symlink(folder.path().join("nowhere"), folder.path().join("dangling")).expect("a link");
    assert!(refused(&folder.path().join("dangling")).contains("is a symbolic link"));
    assert!(content(&target).is_empty() && !folder.path().join("nowhere").exists(), "nothing was made behind it");
    // The lock of a recorder is a link to a file of somebody.
    let victim = folder.path().join("victim");
    fs::write(&victim, "mine").expect("writable");
    symlink(&victim, target.join(LOCK)).expect("a link");
    refused(&target);
    assert_eq!(fs::read(&victim).expect("it is there"), b"mine");
    // A segment's name is a link to a place where a file could be made.
    let path = folder.path().join("recorder");
    let (mut directory, _) = SegmentDirectory::open(&path).expect("it is made");
    symlink(folder.path().join("made"), path.join(name(1).to_string())).expect("a link");
    assert_eq!(directory.create(name(1)).expect_err("it is taken").kind(), ErrorKind::AlreadyExists);
    assert!(!folder.path().join("made").exists());
}

#[test]
fn who_may_write_there_is_only_its_owner() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("shared");
    fs::create_dir(&path).expect("writable");
    for bits in [0o770, 0o702, 0o1777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).expect("it is ours");
        let said = refused(&path);
        assert!(said.contains("other users may write to") && said.contains("chmod go-w"), "{said}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    SegmentDirectory::open(&path).expect("others may look at the names");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(4_711), None).expect("root may");
        assert!(refused(&path).contains("belongs to another user"));
    }
}

#[test]
fn two_recorders_do_not_share_a_directory_and_the_second_says_who_has_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let first = SegmentDirectory::open(folder.path()).expect("it is empty");
    let said = refused(folder.path());
    let expected = format!("another conntop (pid {}) is recording into", std::process::id());
    assert!(said.starts_with(&expected), "{said}");
    drop(first);
    SegmentDirectory::open(folder.path()).expect("the lock ends with its holder");
}

#[test]
fn what_is_no_directory_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("writable");
    let said = refused(&file);
    assert!(said.contains("is a file; --keep and --max-size record into a directory"), "{said}");
    let said = refused(&folder.path().join("no/such/place"));
    assert!(said.contains("cannot record into") && said.contains("choose a directory that you may write to"), "{said}");
    assert_eq!(fs::read(&file).expect("it is there"), b"mine");
}

/// A run of one minute of the recorder, begun when the clock of the machine, just booted, said `wall`.
fn run_for_a_minute(path: &Path, wall: WallTime, number: u64) {
    let (directory, stored) = SegmentDirectory::open(path).expect("it is a recorder's");
    let boot = DisplayText::from(number.to_string().as_str());
    let header = Header::new(&source_info(), boot, RecorderRun { begun: wall, number });
    let limits = SegmentLimits { keep: None, bytes: SegmentLimits::BYTES_MIN };
    let mut recorder = FlightRecorder::new(directory, &stored, limits, SampleWriter::new(header).expect("a writer"));
    for second in 0..60 {
        let wall = WallTime(wall.0 + second * 1_000);
        let at = Timestamp::from_millis(1_000 * (number * 100 + second.unsigned_abs()));
        recorder.write(&Delta { at, wall, ..Delta::default() }, &[]);
    }
    assert_eq!(recorder.finish(), []);
}

/// A machine without a battery for its clock begins in 1970 until the network tells it the time.
#[test]
fn a_run_whose_clock_was_wrong_stands_where_it_was_recorded() {
    let folder = tempfile::tempdir().expect("a directory");
    let walls = [1_795_895_251_000, 5_000, 1_795_899_000_000];
    for (number, wall) in (1..).zip(walls) {
        run_for_a_minute(folder.path(), WallTime(wall), number);
    }
    let replay = Replay::open(folder.path()).expect("a recording");
    let span = replay.span().expect("it has a time");
    assert_eq!((span.first.wall, span.samples), (WallTime(walls[0]), 180));
    assert_eq!(span.last.wall, WallTime(walls[2] + 59_000));
    assert!(span.marks.is_sorted_by_key(|mark| mark.at) && span.marks.len() >= 2, "{:?}", span.marks);
}
