//! What a flight recorder does with a disk that is made up: weeks in seconds, clocks that jump, a disk that fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use super::*;
use crate::model::time::WallTime;
use crate::source::flight_recorder::storage::StoredSegment;
use crate::source::record::format::RecordingFault;

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400 * SECOND;
/// 28 November 2026.
const WALL: i64 = 1_795_824_000_000;

/// A disk in memory, which holds what a recorder wrote and what others did.
#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<SegmentName, Vec<u8>>,
    /// Room for all files; `None` for as much as is wanted.
    room: Option<u64>,
    /// What others take of it.
    others: u64,
    /// Why nothing can be written or removed.
    refuses: Option<ErrorKind>,
    /// The most that files took at any moment.
    most: u64,
    open: usize,
    removed: usize,
}

impl Disk {
    fn used(&self) -> u64 {
        self.files.values().map(|file| kept::room_of(file.len() as u64)).sum()
    }
}

#[derive(Clone, Debug)]
struct MadeUpStorage {
    disk: Rc<RefCell<Disk>>,
    shown: DisplayText,
}

#[derive(Debug)]
struct MadeUpFile {
    disk: Rc<RefCell<Disk>>,
    name: SegmentName,
}

impl MadeUpStorage {
    fn new() -> Self {
        Self { disk: Rc::default(), shown: "/dir".into() }
    }

    fn stored(&self, written: WallTime) -> StoredSegments {
        let disk = self.disk.borrow();
        let segment =
            |(name, file): (&SegmentName, &Vec<u8>)| StoredSegment { name: *name, len: file.len() as u64, written };
        let last_number = disk.files.keys().map(|name| name.number).max().unwrap_or(0);
        StoredSegments { segments: disk.files.iter().map(segment).collect(), last_number }
    }

    /// The second of the first sample that is there.
    fn oldest(&self) -> u64 {
        let disk = self.disk.borrow();
        let file = disk.files.values().next().expect("a segment");
        let line = String::from_utf8_lossy(&file[..file.len().min(100)]).into_owned();
        line.split([' ', '.']).nth(1).and_then(|second| second.parse().ok()).expect("a second")
    }

    /// Every line of every segment, in the order of their names.
    fn lines(&self) -> Vec<String> {
        let disk = self.disk.borrow();
        let text = disk.files.values().map(|file| String::from_utf8(file.clone()).expect("text")).collect::<String>();
        text.lines().map(|line| line.trim_end_matches('.').to_owned()).collect()
    }
}

impl SegmentStorage for MadeUpStorage {
    type File = MadeUpFile;

    fn shown(&self) -> &DisplayText {
        &self.shown
    }

    fn create(&mut self, name: SegmentName) -> io::Result<MadeUpFile> {
        let mut disk = self.disk.borrow_mut();
        if let Some(kind) = disk.refuses {
            return Err(kind.into());
        }
        if disk.files.keys().any(|taken| taken.number == name.number) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        disk.files.insert(name, Vec::new());
        disk.open += 1;
        assert_eq!(disk.open, 1, "one file is open at a time");
        Ok(MadeUpFile { disk: Rc::clone(&self.disk), name })
    }

    fn remove(&mut self, name: SegmentName) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        if let Some(kind) = disk.refuses {
            return Err(kind.into());
        }
        assert!(disk.files.remove(&name).is_some(), "only what is there is removed");
        disk.removed += 1;
        Ok(())
    }
}

impl SegmentFile for MadeUpFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        if let Some(kind) = disk.refuses {
            return Err(kind.into());
        }
        for piece in bytes.chunks(1_000) {
            disk.files.get_mut(&self.name).expect("it was made").extend_from_slice(piece);
            if disk.room.is_some_and(|room| disk.used() + disk.others > room) {
                let file = disk.files.get_mut(&self.name).expect("it was made");
                file.truncate(file.len() - piece.len());
                return Err(ErrorKind::StorageFull.into());
            }
        }
        disk.most = disk.most.max(disk.used());
        Ok(())
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        disk.files.get_mut(&self.name).expect("it was made").truncate(usize::try_from(len).expect("small"));
        Ok(())
    }
}

impl Drop for MadeUpFile {
    fn drop(&mut self) {
        self.disk.borrow_mut().open -= 1;
    }
}

/// Writes a line for each sample, filled up with dots to a length.
#[derive(Debug)]
struct Lines {
    first: usize,
    next: usize,
    is_first: bool,
    fails: bool,
    told: u64,
    taken_back: u64,
    left_out: u64,
}

impl Lines {
    fn new(first: usize, next: usize) -> Self {
        Self { first, next, is_first: true, fails: false, told: 0, taken_back: 0, left_out: 0 }
    }
}

impl SegmentEncoder for Lines {
    fn begin_segment(&mut self) {
        self.is_first = true;
    }

    fn take_back(&mut self) {
        self.taken_back += 1;
    }

    fn leave_out(&mut self, _: &Delta) {
        self.left_out += 1;
    }

    fn sample(&mut self, delta: &Delta, marks: &[RecordedMark], bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        self.told += 1;
        if self.fails {
            return Err(RecordingFault::TooMany("notes"));
        }
        let is_first = std::mem::replace(&mut self.is_first, false);
        let len = if is_first { self.first } else { self.next };
        let gaps: Vec<String> =
            delta.gaps.iter().map(|gap| format!(" gap {}", gap.to.since(gap.from).as_secs())).collect();
        let marks: Vec<String> = marks.iter().map(|mark| format!(" ({})", mark.sentence)).collect();
        let (gaps, marks) = (gaps.concat(), marks.concat());
        let line =
            format!("{} {}{gaps}{marks}", if is_first { "all" } else { "changes" }, delta.at.as_millis() / SECOND);
        let end = bytes.len() + len.max(line.len());
        bytes.extend_from_slice(line.as_bytes());
        bytes.resize(end, b'.');
        bytes.push(b'\n');
        Ok(())
    }

    fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        bytes.extend_from_slice(b"end\n");
        Ok(())
    }
}

type MadeUpRecorder = FlightRecorder<MadeUpStorage, Lines>;

const LIMITS: SegmentLimits = SegmentLimits { keep: Some(Duration::from_secs(86_400)), bytes: 40_000_000 };

fn recorder(storage: &MadeUpStorage, limits: SegmentLimits, encoder: Lines) -> MadeUpRecorder {
    FlightRecorder::new(storage.clone(), &storage.stored(WallTime(WALL)), limits, encoder)
}

/// Records a sample of the moment `millis` after boot, while the time of day is that after [`WALL`] and `off`.
fn write(recorder: &mut MadeUpRecorder, millis: u64, off: i64) -> Vec<String> {
    let wall = WallTime(WALL + i64::try_from(millis).expect("small") + off);
    let delta = Delta { at: Timestamp::from_millis(millis), wall, ..Delta::default() };
    recorder.write(&delta, &[]);
    recorder.take_remarks().iter().map(ToString::to_string).collect()
}

/// The seconds of all samples that are there.
fn seconds(storage: &MadeUpStorage) -> Vec<u64> {
    let second = |line: &String| line.split(' ').nth(1).and_then(|second| second.parse().ok());
    storage.lines().iter().filter_map(second).collect()
}

#[test]
fn three_weeks_stay_within_the_size_and_the_age_at_every_moment() {
    for (first, next, oldest_bound) in [(20_000, 300, true), (200_000, 60_000, false)] {
        let storage = MadeUpStorage::new();
        let mut recorder = recorder(&storage, LIMITS, Lines::new(first, next));
        for millis in (1..=21 * DAY).step_by(60_000) {
            assert_eq!(write(&mut recorder, millis, 0), <[String; 0]>::default());
            if millis % 3_600_001 < 60_000 {
                let oldest = storage.oldest();
                let age = millis / SECOND - oldest;
                assert!(age <= 86_400 + 3_600, "{age} s is older than a day and a segment");
                let is_whole_day = millis < DAY || age >= 86_400;
                assert!(is_whole_day || !oldest_bound, "what is younger than a day stays while there is room: {age}");
            }
        }
        let disk = storage.disk.borrow();
        assert!(disk.most <= LIMITS.bytes - 16_384, "{} bytes", disk.most);
        assert!(oldest_bound || disk.most > LIMITS.bytes / 10 * 9, "the room is used: {} bytes", disk.most);
        assert!(recorder.segments() == disk.files.len() && disk.files.len() < 100, "{} segments", disk.files.len());
        assert_eq!(recorder.samples(), 21 * DAY / 60_000);
    }
}

#[test]
fn a_clock_that_is_set_in_either_direction_changes_neither_order_nor_age() {
    let storage = MadeUpStorage::new();
    let mut recorder = recorder(&storage, LIMITS, Lines::new(1_000, 100));
    let year = i64::try_from(365 * DAY).expect("small");
    for (hour, off) in [(1, 0), (2, year), (3, -40 * year), (4, 0), (5, 0), (6, -1), (7, year), (8, 0)] {
        for second in (0..3_600).step_by(60) {
            assert!(write(&mut recorder, (hour * 3_600 + second) * SECOND, off).is_empty());
        }
    }
    let times = seconds(&storage);
    assert_eq!(times.len(), 8 * 60, "nothing was removed");
    assert!(times.is_sorted(), "names sort in the order of the recording");
    assert!(storage.disk.borrow().files.len() >= 8, "a segment an hour");
}

#[test]
fn what_an_earlier_run_left_is_kept_is_told_and_grows_old() {
    let storage = MadeUpStorage::new();
    let mut first = recorder(&storage, LIMITS, Lines::new(1_000, 100));
    (0..100).for_each(|second| drop(write(&mut first, (5_000 + second) * SECOND, 0)));
    drop(first); // As a kill -9: no end is written.
    // The machine starts again, and an hour later the recorder, by a clock that counts from boot.
    let gone = i64::try_from(8_700 * SECOND).expect("small");
    let stored = storage.stored(WallTime(WALL + 5_099_000));
    let mut second = FlightRecorder::new(storage.clone(), &stored, LIMITS, Lines::new(1_000, 100));
    assert!(write(&mut second, SECOND, gone).is_empty());
    let lines = storage.lines();
    assert_eq!(lines.len(), 101);
    assert_eq!(lines[100], "all 1 (nothing was recorded for 1h00m before: the recorder was started again)");
    // The first run's segment ended an hour before: a day after that it goes.
    write(&mut second, DAY - 3_603 * SECOND, gone);
    assert_eq!(seconds(&storage)[0], 5_000);
    write(&mut second, DAY - 3_600 * SECOND, gone);
    assert_eq!(seconds(&storage)[0], 1);
    assert_eq!(storage.disk.borrow().removed, 1);
}

#[test]
fn a_full_disk_takes_the_oldest_segments_and_no_more_than_is_recorded_instead() {
    let storage = MadeUpStorage::new();
    let limits = SegmentLimits { keep: None, ..LIMITS };
    let mut recorder = recorder(&storage, limits, Lines::new(10_000, 1_000));
    let mut now = 0;
    let mut tick = |recorder: &mut MadeUpRecorder| {
        now += SECOND;
        (now, write(recorder, now, 0))
    };
    (0..40_000).for_each(|_| assert!(tick(&mut recorder).1.is_empty()));
    let before = storage.disk.borrow().files.len();
    // Somebody else takes all that is left, and whatever is freed as soon as it is.
    let fill = || {
        let mut disk = storage.disk.borrow_mut();
        (disk.room, disk.others) = (Some(1 << 40), (1 << 40) - disk.used());
    };
    fill();
    let mut said = Vec::new();
    for _ in 0..600 {
        let (_, remarks) = tick(&mut recorder);
        said.extend(remarks);
        fill();
    }
    assert!(said.len() <= 4, "{said:#?}");
    assert_eq!(said[0], "the disk of /dir is full; the oldest segments are removed to go on");
    assert!(said[1].starts_with("cannot record into /dir: no storage space; nothing is recorded until"), "{said:?}");
    let left = storage.disk.borrow().files.len();
    assert!(left + 2 >= before, "of {before} segments {left} are left, although nothing was recorded for them");

    // There is room again.
    storage.disk.borrow_mut().others = 0;
    let resumed = (0..40).find_map(|_| tick(&mut recorder).1.pop()).expect("it goes on by itself");
    assert!(
        resumed.starts_with("recording into /dir goes on after a gap of 9m") || resumed.contains("10m"),
        "{resumed}"
    );
    let lines = storage.lines();
    let gap = lines.last().expect("a sample");
    assert!(gap.starts_with("all ") && gap.contains(" gap ") && gap.contains("no storage space"), "{gap}");
    let times = seconds(&storage);
    assert!(times.is_sorted());
}

#[test]
fn on_a_disk_that_is_smaller_than_said_it_goes_on_with_what_fits() {
    let storage = MadeUpStorage::new();
    storage.disk.borrow_mut().room = Some(5_000_000);
    let mut recorder = recorder(&storage, LIMITS, Lines::new(10_000, 1_000));
    let mut said = Vec::new();
    for second in 1..30_000 {
        said.extend(write(&mut recorder, second * SECOND, 0));
    }
    assert!(said.len() <= 60, "{} remarks, {:#?}", said.len(), &said[..5]);
    let times = seconds(&storage);
    assert_eq!(times.last(), Some(&29_999), "it records to the end");
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 1), "without a gap");
    assert!(times.len() > 2_000, "{} samples are there", times.len());
}

#[test]
fn a_disk_that_becomes_read_only_is_said_once_and_tried_again() {
    let storage = MadeUpStorage::new();
    let mut recorder = recorder(&storage, LIMITS, Lines::new(1_000, 100));
    (1..=10).for_each(|second| assert!(write(&mut recorder, second * SECOND, 0).is_empty()));
    storage.disk.borrow_mut().refuses = Some(ErrorKind::ReadOnlyFilesystem);
    let said: Vec<String> = (11..=310).flat_map(|second| write(&mut recorder, second * SECOND, 0)).collect();
    assert_eq!(
        said,
        ["cannot record into /dir: read-only filesystem or storage medium; nothing is recorded until that works again"]
    );
    storage.disk.borrow_mut().refuses = None;
    let said: Vec<String> = (311..=345).flat_map(|second| write(&mut recorder, second * SECOND, 0)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    let lines = storage.lines();
    let gap = lines.iter().find(|line| line.contains("gap")).expect("a gap");
    assert!(gap.starts_with("all ") && gap.contains("read-only filesystem"), "{gap}");
    assert_eq!(lines.iter().filter(|line| line.contains("gap")).count(), 1);
    let Lines { told, taken_back, left_out, .. } = recorder.encoder;
    assert_eq!((told + left_out, told - taken_back), (345, recorder.samples()), "the encoder knows of every sample");
    assert!(taken_back < 20 && left_out > 280, "{taken_back} tries, {left_out} samples left out");
    assert_eq!(recorder.finish(), []);
    assert_eq!(storage.lines().last().map(String::as_str), Some("end"));
}

#[test]
fn a_sample_that_cannot_be_encoded_costs_itself_and_the_next_begins_a_segment() {
    let storage = MadeUpStorage::new();
    let mut recorder = recorder(&storage, LIMITS, Lines::new(1_000, 100));
    assert!(write(&mut recorder, SECOND, 0).is_empty());
    recorder.encoder.fails = true;
    let said = write(&mut recorder, 2 * SECOND, 0);
    assert!(said[0].contains("there are more notes than conntop takes"), "{said:?}");
    recorder.encoder.fails = false;
    assert_eq!(write(&mut recorder, 3 * SECOND, 0).len(), 1, "it says that it goes on");
    assert_eq!(seconds(&storage), [1, 3]);
    assert_eq!(storage.disk.borrow().files.len(), 2);
}

#[test]
fn a_sample_that_never_fits_is_said_with_the_size_that_would_do() {
    let storage = MadeUpStorage::new();
    let limits = SegmentLimits { bytes: SegmentLimits::BYTES_MIN, ..LIMITS };
    let mut recorder = recorder(&storage, limits, Lines::new(5_000_000, 100));
    let said = write(&mut recorder, SECOND, 0);
    assert_eq!(
        said,
        ["cannot record into /dir: a sample takes 5.0MB; start the recorder again with --max-size 20.0M or more"]
    );
    assert!(storage.disk.borrow().files.is_empty(), "nothing half written");
}

#[test]
fn a_name_that_somebody_took_is_left_alone() {
    let storage = MadeUpStorage::new();
    let mut recorder = recorder(&storage, LIMITS, Lines::new(1_000, 100));
    let theirs = SegmentName::new(1, WallTime(WALL)).expect("a name");
    storage.disk.borrow_mut().files.insert(theirs, b"mine\n".to_vec());
    assert!(write(&mut recorder, SECOND, 0).is_empty());
    let names: Vec<u32> = storage.disk.borrow().files.keys().map(|name| name.number).collect();
    assert_eq!(names, [1, 2]);
    assert_eq!(storage.lines()[0], "mine");
}

#[test]
fn a_recorder_that_is_started_again_and_again_fills_no_directory() {
    let storage = MadeUpStorage::new();
    for number in 1..=5_000 {
        let name = SegmentName::new(number, WallTime(WALL)).expect("a name");
        storage.disk.borrow_mut().files.insert(name, b"one sample\n".to_vec());
    }
    let mut recorder = recorder(&storage, SegmentLimits { keep: None, ..LIMITS }, Lines::new(100, 10));
    assert!(write(&mut recorder, SECOND, 0).is_empty());
    assert_eq!(recorder.segments(), 4_096);
    let disk = storage.disk.borrow();
    assert!(disk.files.len() <= 4_096 && disk.used() <= LIMITS.bytes, "{} segments", disk.files.len());
}
