//! A flight recorder: it records for weeks into a directory whose size is fixed, in segments of which the oldest is removed first.
//!
//! It reads no clock: ages are counted by the moments of the samples (`CLOCK_BOOTTIME`), which no change of the time of day
//! touches. Nothing that the disk does ends it: what cannot be written is said once and tried again, and what was not recorded
//! by then is a [`Gap`](crate::model::delta::Gap) in the recording.

#[cfg(unix)]
pub mod directory;
pub mod encoder;
pub mod limits;
pub mod segment_name;
pub mod storage;

mod interruption;
mod kept;
#[cfg(not(unix))]
mod no_directory;
mod not_recorded;

#[cfg(unix)]
pub use directory::SegmentDirectory as RecorderDirectory;
#[cfg(not(unix))]
pub use no_directory::NoDirectory as RecorderDirectory;

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use crate::model::delta::Delta;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::source::RecordedMark;
use crate::source::flight_recorder::encoder::SegmentEncoder;
use crate::source::flight_recorder::interruption::{FullDisk, Interruption};
use crate::source::flight_recorder::kept::KeptSegments;
use crate::source::flight_recorder::limits::SegmentLimits;
use crate::source::flight_recorder::not_recorded::{NotRecorded, is_full};
use crate::source::flight_recorder::segment_name::SegmentName;
use crate::source::flight_recorder::storage::{SegmentFile, SegmentStorage, StoredSegments};

/// How many names are tried that somebody else has taken since the directory was listed.
const NAMES_MAX: u32 = 16;

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
        let gap = self.interruption.as_ref().map(|interruption| interruption.gap(at)).map(|(gap, mark)| {
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
        self.full_disk.has_written(added);
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
        if !self.full_disk.may_free() {
            return false;
        }
        let mut room = 0;
        while room <= kept::room_of(needed) {
            match self.kept.remove_oldest(&mut self.storage) {
                Ok(0) | Err(_) => break,
                Ok(more) => room += more,
            }
        }
        if self.full_disk.has_freed(room) {
            let shown = self.storage.shown();
            self.remark(&format!("the disk of {shown} is full; the oldest segments are removed to go on"));
        }
        room > 0
    }

    /// Completes the segment that is being written. One whose end does not fit is kept without it.
    fn complete(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        self.bytes.clear();
        if self.encoder.finish(&mut self.bytes).is_ok() {
            let _ = self.append(&mut open);
        }
        self.full_disk.begin_segment();
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
        let reason = why.reason();
        if self.interruption.as_ref().is_none_or(|interruption| interruption.reason != reason) {
            self.remark(&format!("cannot record into {}: {reason}; {}", self.storage.shown(), why.advice(self.limits)));
        }
        self.interruption = Some(match self.interruption.take() {
            Some(interruption) => interruption.going_on(at, reason),
            None => Interruption::new(self.last.unwrap_or(at), at, reason),
        });
    }

    fn remark(&mut self, sentence: &str) {
        self.remarks.push(DisplayText::from(sentence));
    }
}

#[cfg(test)]
mod tests;
