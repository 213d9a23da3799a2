//! A flight recorder beside churn, with rotation: what it takes of disk, memory and descriptors is flat.

use std::fs;
use std::path::Path;
use std::time::Duration;

use conntop::model::testing::source_info;
use conntop::source::flight_recorder::FlightRecorder;
use conntop::source::flight_recorder::directory::SegmentDirectory;
use conntop::source::flight_recorder::limits::SegmentLimits;
use conntop::source::record::header::Header;
use conntop::source::record::sample_writer::SampleWriter;

use crate::churn::SimulatedMachine;
use crate::namespace::alone_in_process;

/// By then segments were removed by age, and every table of the machine is full.
const WARM: u64 = 1_200;
const HOUR: u64 = 3_600;
const LIMITS: SegmentLimits = SegmentLimits { keep: Some(Duration::from_secs(600)), bytes: SegmentLimits::BYTES_MIN };

#[test]
fn an_hour_of_recording_with_rotation_takes_no_more_than_its_first_third() {
    if !alone_in_process() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recorder");
    let (directory, stored) = SegmentDirectory::open(&path).expect("it is made");
    let mut recorder = FlightRecorder::new(
        directory,
        &stored,
        LIMITS,
        SampleWriter::new(Header::of(&source_info())).expect("a writer"),
    );
    let mut machine = SimulatedMachine::new(100, 36);
    let (mut warm, mut most_bytes, mut most_segments) = ((0, 0), 0, 0);
    for second in 0..HOUR {
        recorder.write(&machine.tick_with_delta(), &[]);
        assert_eq!(recorder.take_remarks(), [], "at {second} s");
        let (bytes, segments) = disk(&path);
        (most_bytes, most_segments) = (most_bytes.max(bytes), most_segments.max(segments));
        assert!(bytes <= LIMITS.bytes, "{bytes} bytes at {second} s");
        if second == WARM {
            warm = (status("VmRSS:"), descriptors());
        }
    }
    let end = (status("VmRSS:"), descriptors());
    println!(
        "KiB and descriptors after {WARM} s {warm:?}, after {HOUR} s {end:?}; {most_bytes} bytes, {most_segments} segments"
    );
    assert_eq!(warm.1, end.1, "descriptors");
    assert!(end.0 <= warm.0 + warm.0 / 20, "{} KiB after {WARM} s, {} after {HOUR} s", warm.0, end.0);
    // Ten minutes in segments of at least a minute, and the one that is being written.
    assert!((10..=13).contains(&most_segments), "{most_segments} segments");
    assert_eq!(recorder.samples(), HOUR);
    assert_eq!(recorder.finish(), []);
}

/// What all files take, and how many segments there are.
fn disk(path: &Path) -> (u64, usize) {
    let entries: Vec<_> = fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry")).collect();
    let segments = entries.iter().filter(|entry| entry.path().extension().is_some_and(|ending| ending == "conntop"));
    let room = |entry: &fs::DirEntry| std::os::unix::fs::MetadataExt::blocks(&entry.metadata().expect("a file")) * 512;
    (entries.iter().map(room).sum(), segments.count())
}

/// A number of `/proc/self/status`.
fn status(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with(key)).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
