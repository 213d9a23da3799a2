//! The recordings that a replay plays one after the other: one file, or the segments of a flight recorder's directory. Together
//! they are one timeline, whose moments ascend.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::recorded::{RecordedMark, RecordedMoment, RecordedSpan};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::source::flight_recorder::segment_name::SegmentName;
use crate::source::guarded;
use crate::source::record::file;
use crate::source::record::format::RecordingFault;
use crate::source::record::header::{Header, RecorderRun};
use crate::source::record::index::Index;
use crate::source::replay::deltas::Shift;
use crate::source::replay::frames::RecordingFrames;
use crate::source::replay::index_reader;

/// Where the bytes of a recording come from.
pub type RecordingInput = Box<dyn Read + Send>;

/// How the names of the segments of a directory end.
const EXTENSION: &str = "conntop";
/// The most segments of a directory.
const SEGMENTS_MAX: usize = 65_536;

/// A recording.
#[derive(Debug)]
pub struct Segment {
    /// Who recorded, and what.
    pub header: Header,
    path: PathBuf,
    index: Index,
    /// How far its clock is put.
    pub shift: Shift,
}

/// Recordings that follow each other.
#[derive(Debug)]
pub struct Timeline {
    /// The recordings, oldest first; each has a sample.
    pub segments: Vec<Segment>,
}

impl Segment {
    /// The recording of format 6 in the file at `path`.
    pub fn of_file(path: &Path, header: Header) -> Result<Self, RecordingFault> {
        let (file, _) = guarded::open(path).map_err(|_| RecordingFault::Nonsense("it cannot be opened"))?;
        let index = index_reader::read(file)?;
        Ok(Self { header, path: path.to_owned(), index, shift: Shift::default() })
    }

    /// What messages call it.
    pub fn name(&self) -> DisplayText {
        file::shown(&self.path)
    }

    /// Its frames from the key frame at `place` on.
    pub fn frames_at(&self, place: u64) -> Result<RecordingFrames<RecordingInput>, RecordingFault> {
        let (mut file, _) =
            guarded::open(&self.path).map_err(|_| RecordingFault::Nonsense("its file is not there any more"))?;
        file.seek(SeekFrom::Start(place))?;
        let input: RecordingInput = Box::new(BufReader::new(file));
        Ok(RecordingFrames::from_group(input, place))
    }

    /// Its first sample.
    fn first(&self) -> Option<RecordedMoment> {
        self.index.groups.first().map(|group| self.moment(group.first))
    }

    /// Its last sample.
    fn last(&self) -> RecordedMoment {
        self.moment(self.index.last)
    }

    fn moment(&self, moment: RecordedMoment) -> RecordedMoment {
        RecordedMoment { at: self.shift.of(moment.at), ..moment }
    }

    /// The number in its name, where a flight recorder gave it one.
    fn number(&self) -> Option<u32> {
        Some(SegmentName::parse(self.path.file_name()?.to_str()?)?.number)
    }

    /// Where its first group begins.
    pub fn begin(&self) -> u64 {
        self.index.groups.first().map_or(0, |group| group.place)
    }

    /// Where the last group begins that begins at or before `at`.
    fn place_of(&self, at: Timestamp) -> u64 {
        self.index.group_at(self.shift.back(at)).map_or(0, |(_, group)| group.place)
    }

    fn goes_on(&self, earlier: &Self) -> bool {
        self.header.run == earlier.header.run && earlier.index.last_sequence.wrapping_add(1) == self.header.sequence
    }
}

impl Timeline {
    /// Recordings as they follow each other; what has no sample is left out.
    pub fn new(mut segments: Vec<Segment>) -> Self {
        segments.retain(|segment| segment.index.samples > 0);
        // The time of day at which a run began may have been wrong; the numbers that a flight recorder gives are not.
        let mut numbers: BTreeMap<RecorderRun, Option<u32>> = BTreeMap::new();
        for segment in &segments {
            let number = numbers.entry(segment.header.run).or_insert(segment.number());
            *number = (*number).min(segment.number());
        }
        let number = |run| numbers.get(&run).copied().flatten();
        segments.sort_by_key(|segment| {
            let run = segment.header.run;
            (number(run), run, segment.header.sequence)
        });
        segments.dedup_by_key(|segment| (segment.header.run, segment.header.sequence));
        for nth in 1..segments.len() {
            let (earlier, later) = segments.split_at_mut(nth);
            if let (Some(earlier), Some(later)) = (earlier.last(), later.first_mut()) {
                later.shift = shift_after(earlier, later);
            }
        }
        Self { segments }
    }

    /// The time that they cover; `None` where there is no sample.
    pub fn span(&self) -> Option<RecordedSpan> {
        let first = self.segments.first()?.first()?;
        let last = self.segments.last()?.last();
        let mut span = RecordedSpan { first, last, samples: 0, marks: Vec::new() };
        let mut earlier: Option<&Segment> = None;
        for segment in &self.segments {
            span.samples += segment.index.samples;
            let shifted = |mark: &RecordedMark| RecordedMark { at: segment.shift.of(mark.at), ..mark.clone() };
            let marks = segment.index.marks.iter().map(shifted);
            let pause = earlier.and_then(|earlier| segment.pause_after(earlier));
            span.marks.extend(pause.into_iter().chain(marks));
            earlier = Some(segment);
        }
        span.marks.sort_by_key(|mark| mark.at);
        Some(span)
    }

    /// Which recording has the moment `at`, and where its group begins there; the first one for what is before all.
    pub fn find(&self, at: Timestamp) -> Option<(usize, u64)> {
        let begins = |segment: &Segment| segment.first().map_or(Timestamp::default(), |first| first.at);
        let nth = self.segments.partition_point(|segment| begins(segment) <= at).saturating_sub(1);
        Some((nth, self.segments.get(nth)?.place_of(at)))
    }
}

impl Segment {
    /// What tells that nothing was recorded between `earlier` and this one, unless the recorder has told it.
    fn pause_after(&self, earlier: &Self) -> Option<RecordedMark> {
        let first = self.first()?;
        let is_told = self.index.marks.first().is_some_and(|mark| mark.severity.is_none());
        let paused = first.at.since(earlier.last().at);
        let sentence = || DisplayText::new(&format!("nothing was recorded for {} before", units::age(paused)));
        (!self.goes_on(earlier) && !is_told).then(|| RecordedMark {
            at: first.at,
            severity: None,
            sentence: sentence(),
        })
    }
}

/// The shift that puts `later` behind `earlier`. Clocks of one boot go on; else as much lies between as the time of day says.
fn shift_after(earlier: &Segment, later: &Segment) -> Shift {
    let (last, first) = (earlier.last(), later.index.groups.first().map(|group| group.first).unwrap_or_default());
    let is_of_one_boot = !later.header.boot.as_str().is_empty() && later.header.boot == earlier.header.boot;
    let goes_on = is_of_one_boot || later.header.run == earlier.header.run;
    if goes_on && earlier.shift.of(first.at) >= last.at {
        return earlier.shift;
    }
    let millis = first.wall.0.saturating_sub(last.wall.0).max(1).unsigned_abs();
    Shift::between(first.at, last.at.after(Duration::from_millis(millis)))
}

/// The recordings of format 6 in the directory at `path`, with their headers, and how many files there could not be read as such.
pub fn in_directory(path: &Path) -> std::io::Result<(Vec<(PathBuf, Header)>, usize)> {
    let (mut found, mut others) = (Vec::new(), 0);
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new(EXTENSION)) {
            continue;
        }
        match header(&path) {
            Some(header) if found.len() < SEGMENTS_MAX => found.push((path, header)),
            _ => others += 1,
        }
    }
    Ok((found, others))
}

fn header(path: &Path) -> Option<Header> {
    let (file, _) = guarded::open(path).ok()?;
    let (frames, header) = RecordingFrames::<BufReader<File>>::open(BufReader::new(file)).ok()?;
    (!frames.has_snapshots()).then_some(header)
}
