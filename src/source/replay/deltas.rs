//! The samples of format 6, one after the other: as a stream that is read as it comes, and over several recordings of one timeline.

use std::io::Read;
use std::sync::Arc;

use crate::model::delta::{Delta, EventSource, Gap};
use crate::model::recorded::RecordedMark;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::source::record::bytes::BytesIn;
use crate::source::record::compression::Decompressor;
use crate::source::record::decode::DeltaDecoder;
use crate::source::record::format::{RecordingFault, kind};
use crate::source::record::frame::FrameHead;
use crate::source::record::header::{Header, RecorderRun};
use crate::source::replay::frames::{NotPlayable, RecordingFrames};

/// A recording that is read as it comes: nothing is read ahead, and nothing is gone back to.
#[derive(Debug)]
pub struct DeltaStream<R> {
    frames: RecordingFrames<R>,
    header: Header,
    decoder: FrameDecoder,
}

impl<R: Read> DeltaStream<R> {
    /// Reads what `input` begins with. A recording of version 1 to 5 is refused: it has snapshots, which
    /// [`Replay`](super::Replay) reads.
    pub fn open(input: R) -> Result<Self, NotPlayable> {
        let (frames, header) = RecordingFrames::open(input)?;
        if frames.has_snapshots() {
            return Err(NotPlayable::Older(frames.version()));
        }
        let decoder = FrameDecoder::new(header.run).map_err(NotPlayable::Header)?;
        Ok(Self { frames, header, decoder })
    }

    /// Who recorded, and what.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next sample; `None` at the end. The first one adds every row.
    pub fn next_sample(&mut self) -> Result<Option<RecordedSample>, RecordingFault> {
        self.decoder.next(&mut self.frames)
    }
}

/// A sample of a recording.
#[derive(Clone, Debug)]
pub struct RecordedSample {
    /// What it changes.
    pub delta: Delta,
    /// What a person may want to go to.
    pub marks: Vec<RecordedMark>,
}

/// What was read so far of recordings that follow each other.
#[derive(Debug)]
pub struct FrameDecoder {
    head: FrameHead,
    decompressor: Decompressor,
    decoder: DeltaDecoder,
    shift: Shift,
    run: RecorderRun,
    /// The run and the number of the last sample.
    last: Option<(RecorderRun, u64)>,
}

/// How far the clock of a recording is put, in nanoseconds: whole milliseconds, as some moments are known so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift(pub i64);

impl Shift {
    /// `at` on the timeline.
    pub const fn of(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add_signed(self.0))
    }

    /// `at` of the timeline as the recording has it.
    pub const fn back(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add_signed(self.0.saturating_neg()))
    }

    /// The shift that brings `from` to `to` or up to a millisecond later.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        const MILLI: i128 = 1_000_000;
        let distance = (i128::from(to.0) - i128::from(from.0) + MILLI - 1).div_euclid(MILLI) * MILLI;
        Self(i64::try_from(distance).unwrap_or(0))
    }
}

impl FrameDecoder {
    /// For recordings of `run`, from their begin or a key frame on.
    pub fn new(run: RecorderRun) -> Result<Self, RecordingFault> {
        Ok(Self {
            head: FrameHead::default(),
            decompressor: Decompressor::new()?,
            decoder: DeltaDecoder::default(),
            shift: Shift::default(),
            run,
            last: None,
        })
    }

    /// What follows is of another recording.
    pub fn begin_recording(&mut self, run: RecorderRun, shift: Shift) {
        (self.run, self.shift, self.head) = (run, shift, FrameHead::default());
    }

    /// The next sample of `frames`; `None` at their end. After a fault only another recording can follow.
    pub fn next<R: Read>(&mut self, frames: &mut RecordingFrames<R>) -> Result<Option<RecordedSample>, RecordingFault> {
        loop {
            match frames.next_frame()? {
                None => return Ok(None),
                Some((kind @ (kind::KEY | kind::CHANGE), payload)) => {
                    return self.decode(payload, kind == kind::KEY).map(Some);
                }
                // An index, or of a later format.
                Some(_) => {}
            }
        }
    }

    fn decode(&mut self, payload: &[u8], is_key: bool) -> Result<RecordedSample, RecordingFault> {
        let mut bytes = BytesIn::new(payload, Timestamp::default());
        let before = if is_key { FrameHead::default() } else { std::mem::take(&mut self.head) };
        let head = FrameHead::take(&before, &mut bytes)?;
        if is_key {
            self.decompressor.begin_group()?;
        }
        let last_at = self.decoder.last();
        let content = self.decompressor.decompress(bytes.rest(), head.content_len)?;
        let at = self.shift.of(head.at);
        let mut delta = self.decoder.decode(content, (at, head.wall), is_key)?;
        if let (Some(from), Some((run, sequence))) = (last_at, self.last)
            && (run, sequence.wrapping_add(1)) != (self.run, head.sequence)
            && !delta.gaps.iter().any(|gap| gap.of == EventSource::Samples)
        {
            delta.gaps.push(Gap { from, to: at, lost: None, of: EventSource::Samples });
        }
        self.last = Some((self.run, head.sequence));
        let shifted = |mark: &RecordedMark| RecordedMark { at: self.shift.of(mark.at), ..mark.clone() };
        let marks = head.marks.iter().map(shifted).collect();
        self.head = head;
        Ok(RecordedSample { delta, marks })
    }

    /// When the sample was begun that was read last, and what time of day it was.
    pub fn last(&self) -> Option<(Timestamp, WallTime)> {
        Some((self.decoder.last()?, self.head.wall))
    }

    /// The memory that the frame at hand has taken, in bytes.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.decompressor.memory()
    }
}

/// Adds a sentence to what a sample does not show.
pub fn add_note(delta: &mut Delta, note: DisplayText) {
    Arc::make_mut(&mut delta.coverage).degraded.push(note);
}
