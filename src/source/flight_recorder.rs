//! A flight recorder: it records for weeks into a directory whose size is fixed, in segments of which the oldest is removed first.
//!
//! It reads no clock: ages are counted by the moments of the samples (`CLOCK_BOOTTIME`), which no change of the time of day
//! touches. Nothing that the disk does ends it: what cannot be written is said once and tried again, and what was not recorded
//! by then is a [`Gap`] in the recording.

#[cfg(unix)]
pub mod directory;
pub mod limits;
pub mod segment_name;
pub mod storage;

mod kept;
#[cfg(not(unix))]
mod no_directory;

#[cfg(unix)]
pub use directory::SegmentDirectory as RecorderDirectory;
#[cfg(not(unix))]
pub use no_directory::NoDirectory as RecorderDirectory;

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use crate::model::delta::{Delta, EventSource, Gap};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::source::RecordedMark;
use crate::source::flight_recorder::kept::KeptSegments;
use crate::source::flight_recorder::limits::SegmentLimits;
use crate::source::flight_recorder::segment_name::SegmentName;
use crate::source::flight_recorder::storage::{SegmentFile, SegmentStorage, StoredSegments};
use crate::source::record::format::RecordingFault;

/// The wait after the first sample that could not be written; it doubles from one to the next, up to the longest.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How many names are tried that somebody else has taken since the directory was listed.
const NAMES_MAX: u32 = 16;

/// Makes the bytes of segments, each a recording of its own. It keeps what every sample is relative to, so it is told of all
/// samples, those that are not recorded too.
pub trait SegmentEncoder {
    /// The next sample begins a segment.
    fn begin_segment(&mut self);

    /// Writes a sample, and what a person may want to go to, to the end of `bytes`; before the first one what a recording begins with.
    /// After an error the sample is left out.
    fn sample(&mut self, delta: &Delta, marks: &[RecordedMark], bytes: &mut Vec<u8>) -> Result<(), RecordingFault>;

    /// The sample that was written last is not recorded after all.
    fn take_back(&mut self);

    /// A sample is not recorded.
    fn leave_out(&mut self, delta: &Delta);

    /// Writes to the end of `bytes` what ends a segment, which can be read without it too.
    fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), RecordingFault>;
}

/// Records into segments.
#[derive(Debug)]
pub struct FlightRecorder<S: SegmentStorage, E> {
    storage: S,
    encoder: E,
    limits: SegmentLimits,
    kept: KeptSegments,
    open: Option<OpenSegment<S::File>>,
    last_number: u32,
    /// The bytes of one sample.
    bytes: Vec<u8>,
    /// The last sample that is recorded.
    last: Option<Timestamp>,
    interruption: Option<Interruption>,
    full_disk: FullDisk,
    /// Whether it was said that a segment cannot be removed.
    is_stuck_said: bool,
    remarks: Vec<DisplayText>,
    samples: u64,
}

/// The segment that is being written.
#[derive(Debug)]
struct OpenSegment<F> {
    name: SegmentName,
    /// There once the first sample is encoded.
    file: Option<F>,
    /// What is whole in it.
    len: u64,
    /// What its first sample took.
    first_len: u64,
    begins: Timestamp,
}

/// Samples cannot be written.
#[derive(Clone, Debug)]
struct Interruption {
    /// The last sample that was recorded; the first one that was not, where there was none before.
    since: Timestamp,
    reason: String,
    wait: Duration,
    retry_at: Timestamp,
}

/// What is given up of the past while the disk is full: no more than about what is recorded instead, as others may take the
/// room as soon as it is free.
#[derive(Clone, Copy, Debug, Default)]
struct FullDisk {
    /// What the last segment removed for it gave, and what was written since.
    freed: u64,
    written: u64,
    is_said: bool,
}

/// Why a sample is not recorded.
#[derive(Debug)]
enum NotRecorded {
    /// It cannot be encoded.
    Fault(RecordingFault),
    /// The system refuses.
    Io(io::Error),
    /// So many bytes are more than may be kept at all.
    TooLarge(u64),
}

impl From<RecordingFault> for NotRecorded {
    fn from(fault: RecordingFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for NotRecorded {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<S: SegmentStorage, E: SegmentEncoder> FlightRecorder<S, E> {
    /// Goes on in `storage`, which has `stored`, in a new segment.
    pub fn new(storage: S, stored: &StoredSegments, limits: SegmentLimits, encoder: E) -> Self {
        Self {
            storage,
            encoder,
            limits,
            kept: KeptSegments::new(stored),
            open: None,
            last_number: stored.last_number,
            bytes: Vec::new(),
            last: None,
            interruption: None,
            full_disk: FullDisk::default(),
            is_stuck_said: false,
            remarks: Vec::new(),
            samples: 0,
        }
    }

    /// Records one sample and its marks, or says in [`Self::take_remarks`] why not.
    pub fn write(&mut self, delta: &Delta, marks: &[RecordedMark]) {
        let at = delta.at;
        let paused = self.pause_before(delta);
        self.kept.count_by_clock(at, delta.wall);
        self.remove_older(at);
        if self.interruption.as_ref().is_some_and(|interruption| at < interruption.retry_at) {
            self.encoder.leave_out(delta);
            return;
        }
        if self.open.as_ref().is_some_and(|open| self.is_complete(open, at)) {
            self.complete();
        }
        let (mut delta, mut marks) = (Cow::Borrowed(delta), Cow::Borrowed(marks));
        let gap = self.gap_before(at).map(|(gap, mark)| {
            delta.to_mut().gaps.push(gap);
            mark
        });
        if let Some(mark) = gap.or(paused) {
            marks.to_mut().insert(0, mark);
        }
        match self.record(&delta, &marks) {
            Ok(()) => self.has_recorded(at),
            Err(why) => self.has_not_recorded(at, &why),
        }
    }

    /// What is to be said since the last call: what went wrong, and that it is over.
    pub fn take_remarks(&mut self) -> Vec<DisplayText> {
        std::mem::take(&mut self.remarks)
    }

    /// How many samples were recorded.
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.kept.count() + usize::from(self.open.is_some())
    }

    /// Where the segments are.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Completes the last segment.
    pub fn finish(mut self) -> Vec<DisplayText> {
        self.complete();
        self.remarks
    }

    /// Before the first sample: that the recorder did not run for a while.
    fn pause_before(&self, delta: &Delta) -> Option<RecordedMark> {
        let written = self.kept.last_written().filter(|_| self.samples == 0)?;
        let millis = u64::try_from(delta.wall.0.saturating_sub(written.0)).ok()?;
        let sentence = format!(
            "nothing was recorded for {} before: the recorder was started again",
            units::age(Duration::from_millis(millis))
        );
        Some(RecordedMark { at: delta.at, severity: None, sentence: DisplayText::new(&sentence) })
    }

    fn gap_before(&self, at: Timestamp) -> Option<(Gap, RecordedMark)> {
        let Interruption { since, reason, .. } = self.interruption.as_ref()?;
        let lasted = units::age(at.since(*since));
        let sentence = format!("nothing was recorded for {lasted} before: {reason}");
        let gap = Gap { from: *since, to: at, lost: None, of: EventSource::Samples };
        Some((gap, RecordedMark { at, severity: None, sentence: DisplayText::new(&sentence) }))
    }

    fn is_complete(&self, open: &OpenSegment<S::File>, at: Timestamp) -> bool {
        open.len >= self.limits.segment_bytes(open.first_len) || at.since(open.begins) >= self.limits.segment_time()
    }

    fn record(&mut self, delta: &Delta, marks: &[RecordedMark]) -> Result<(), NotRecorded> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(delta).inspect_err(|_| self.encoder.leave_out(delta))?,
        };
        self.bytes.clear();
        let recorded = match self.encoder.sample(delta, marks, &mut self.bytes) {
            Ok(()) => self.append(&mut open).inspect_err(|_| self.encoder.take_back()),
            Err(fault) => Err(fault.into()),
        };
        if recorded.is_ok() {
            self.open = Some(open);
        } else {
            self.keep(open);
        }
        recorded
    }

    fn begin(&mut self, delta: &Delta) -> io::Result<OpenSegment<S::File>> {
        self.encoder.begin_segment();
        let name = self.next_name(delta)?;
        Ok(OpenSegment { name, file: None, len: 0, first_len: 0, begins: delta.at })
    }

    fn next_name(&self, delta: &Delta) -> io::Result<SegmentName> {
        SegmentName::new(self.last_number.saturating_add(1), delta.wall)
            .ok_or_else(|| io::Error::other("all numbers of segments are used up"))
    }

    /// Writes `self.bytes` to the end of `open`, which is unchanged after an error.
    fn append(&mut self, open: &mut OpenSegment<S::File>) -> Result<(), NotRecorded> {
        let added = self.bytes.len() as u64;
        let len = open.len.saturating_add(added);
        if !self.kept.make_room(self.limits.bytes, len, &mut self.storage)? {
            return Err(NotRecorded::TooLarge(len));
        }
        let mut is_second = false;
        while let Err(error) = self.write_bytes(open) {
            if is_second || !is_full(&error) || !self.free(added) {
                return Err(error.into());
            }
            is_second = true;
        }
        self.full_disk.written = self.full_disk.written.saturating_add(added);
        if open.len == 0 {
            open.first_len = added;
        }
        open.len = len;
        Ok(())
    }

    fn write_bytes(&mut self, open: &mut OpenSegment<S::File>) -> io::Result<()> {
        let mut file = match open.file.take() {
            Some(file) => file,
            None => self.create(open)?,
        };
        let written = file.append(&self.bytes);
        // A part of a sample would be in the way of the next one.
        let cut = if written.is_ok() { Ok(()) } else { file.cut(open.len) };
        open.file = Some(file);
        cut.and(written)
    }

    fn create(&mut self, open: &mut OpenSegment<S::File>) -> io::Result<S::File> {
        for _ in 1..NAMES_MAX {
            match self.storage.create(open.name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let next = open.name.number.saturating_add(1);
                    open.name = SegmentName::new(next, open.name.begins).ok_or(error)?;
                }
                created => {
                    let file = created?;
                    self.last_number = open.name.number;
                    return Ok(file);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Gives up so much of the past that `needed` bytes fit on a full disk; whether that is worth another try.
    fn free(&mut self, needed: u64) -> bool {
        let FullDisk { freed, written, is_said } = self.full_disk;
        if freed > 0 && written < freed / 2 {
            return false;
        }
        let mut room = 0;
        while room <= kept::room_of(needed) {
            match self.kept.remove_oldest(&mut self.storage) {
                Ok(0) | Err(_) => break,
                Ok(more) => room += more,
            }
        }
        if room > 0 && !is_said {
            self.remark(&format!(
                "the disk of {} is full; the oldest segments are removed to go on",
                self.storage.shown()
            ));
        }
        self.full_disk = FullDisk { freed: room, written: 0, is_said: is_said || room > 0 };
        room > 0
    }

    /// Completes the segment that is being written. One whose end does not fit is kept without it.
    fn complete(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        self.bytes.clear();
        if self.encoder.finish(&mut self.bytes).is_ok() {
            let _ = self.append(&mut open);
        }
        if self.full_disk.written >= self.full_disk.freed {
            self.full_disk = FullDisk::default();
        }
        self.keep(open);
    }

    fn keep(&mut self, open: OpenSegment<S::File>) {
        let OpenSegment { name, file, len, begins, .. } = open;
        let is_made = file.is_some();
        drop(file);
        let is_empty = len == 0 && (!is_made || self.storage.remove(name).is_ok());
        if !is_empty {
            self.kept.add(name, len, self.last.unwrap_or(begins));
        }
    }

    fn remove_older(&mut self, at: Timestamp) {
        let Some(keep) = self.limits.keep else { return };
        let removed = self.kept.remove_older(keep, at, &mut self.storage);
        if let Err(error) = &removed
            && !self.is_stuck_said
        {
            self.remark(&format!("cannot remove what is too old in {}: {}", self.storage.shown(), error.kind()));
        }
        self.is_stuck_said = removed.is_err();
    }

    fn has_recorded(&mut self, at: Timestamp) {
        self.samples += 1;
        self.last = Some(at);
        if let Some(interruption) = self.interruption.take() {
            let lasted = units::age(at.since(interruption.since));
            self.remark(&format!("recording into {} goes on after a gap of {lasted}", self.storage.shown()));
        }
    }

    fn has_not_recorded(&mut self, at: Timestamp, why: &NotRecorded) {
        let wait = match &self.interruption {
            Some(interruption) => interruption.wait.saturating_mul(2).min(WAIT_MAX),
            None => WAIT_FIRST,
        };
        let reason = why.reason();
        let is_new = self.interruption.as_ref().is_none_or(|interruption| interruption.reason != reason);
        if is_new {
            self.remark(&format!("cannot record into {}: {reason}; {}", self.storage.shown(), why.advice(self.limits)));
        }
        let since = self.interruption.as_ref().map_or(self.last.unwrap_or(at), |interruption| interruption.since);
        self.interruption = Some(Interruption { since, reason, wait, retry_at: at.after(wait) });
    }

    fn remark(&mut self, sentence: &str) {
        self.remarks.push(DisplayText::from(sentence));
    }
}

impl NotRecorded {
    fn reason(&self) -> String {
        match self {
            Self::Fault(fault) => fault.to_string(),
            Self::Io(error) if error.kind() == io::ErrorKind::Other => error.to_string(),
            Self::Io(error) => error.kind().to_string(),
            Self::TooLarge(len) => format!("a sample takes {}B", units::bytes(*len)),
        }
    }

    /// What to do next.
    fn advice(&self, limits: SegmentLimits) -> String {
        match self {
            Self::Fault(_) => "nothing is recorded until a sample can be; record with a longer interval".to_owned(),
            Self::Io(error) if is_full(error) => "nothing is recorded until there is room; make room".to_owned(),
            Self::Io(_) => "nothing is recorded until that works again".to_owned(),
            Self::TooLarge(len) => {
                let least = units::bytes(len.saturating_mul(4).max(limits.bytes));
                format!("start the recorder again with --max-size {least} or more")
            }
        }
    }
}

/// Whether room would help.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests;
