//! Frames of format 6: what stands before the compressed content of a sample.

use crate::model::recorded::{MarkSeverity, RecordedMark};
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::source::record::bytes::Relative;
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::{CONTENT_BYTES_MAX, FRAME_BYTES_MAX, RecordingFault, SAMPLE_MARKS_MAX};
use crate::source::record::relative::cases;

/// What is known of a sample without reading its content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameHead {
    /// When the sample was begun.
    pub at: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// The length of the content, uncompressed.
    pub content_len: u32,
    /// The number of the sample in the run of the recorder: one more than that before it, if none is missing.
    pub sequence: u64,
    /// What a person may want to go to.
    pub marks: Vec<RecordedMark>,
}

impl FrameHead {
    /// Writes it relative to that of the frame before; of a key frame to none.
    pub fn put(&self, before: &Self, out: &mut BytesOut) {
        out.at = self.at;
        out.structure(|fields| {
            fields.put(0, &self.at.0, &before.at.0);
            fields.put(1, &self.wall, &before.wall_at(self.at));
            fields.put(2, &self.content_len, &0);
            fields.put(3, &self.sequence, &before.sequence.wrapping_add(1));
            if !self.marks.is_empty() {
                fields.always(4, |out| put_marks(&self.marks, SAMPLE_MARKS_MAX, out));
            }
        });
    }

    /// Reads it, and leaves `bytes` at the compressed content.
    pub fn take(before: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let mut fields = bytes.structure()?;
        let at = Timestamp(fields.take(0, &before.at.0)?);
        if at < before.at {
            return Err(RecordingFault::Nonsense("it is older than the one before"));
        }
        let wall = fields.take(1, &before.wall_at(at))?;
        let content_len = fields.take(2, &0)?;
        if content_len > CONTENT_BYTES_MAX {
            return Err(RecordingFault::TooLong(content_len.into()));
        }
        let sequence = fields.take(3, &before.sequence.wrapping_add(1))?;
        let marks = if fields.has(4) {
            let bytes = fields.bytes();
            bytes.at = at;
            take_marks(SAMPLE_MARKS_MAX, bytes)?
        } else {
            Vec::new()
        };
        Ok(Self { at, wall, content_len, sequence, marks })
    }

    /// The time of day at `at`, if nobody sets the clock.
    fn wall_at(&self, at: Timestamp) -> WallTime {
        let millis = at.as_millis().wrapping_sub(self.at.as_millis()).cast_signed();
        WallTime(self.wall.0.wrapping_add(millis))
    }
}

/// Writes at most `max` marks.
pub fn put_marks(marks: &[RecordedMark], max: u32, out: &mut BytesOut) {
    let marks = &marks[..marks.len().min(max as usize)];
    out.count(marks.len());
    let at = out.at;
    for mark in marks {
        out.structure(|fields| {
            fields.put(0, &mark.at, &at);
            fields.put(1, &mark.severity, &None);
            fields.put(2, &mark.sentence, &DisplayText::default());
        });
    }
}

/// Reads marks.
pub fn take_marks(max: u32, bytes: &mut BytesIn<'_>) -> Result<Vec<RecordedMark>, RecordingFault> {
    let at = bytes.at;
    let count = bytes.count((max, "marks"))?;
    let take = |_| {
        let mut fields = bytes.structure()?;
        Ok(RecordedMark {
            at: fields.take(0, &at)?,
            severity: fields.take(1, &None)?,
            sentence: fields.take(2, &DisplayText::default())?,
        })
    };
    (0..count).map(take).collect()
}

cases! {
    Option<MarkSeverity>: [None, WARNING, CRITICAL];
}
const WARNING: Option<MarkSeverity> = Some(MarkSeverity::Warning);
const CRITICAL: Option<MarkSeverity> = Some(MarkSeverity::Critical);

/// Writes a frame to the end of `out`: `fill` writes what is in it.
pub fn put_frame(
    out: &mut Vec<u8>,
    kind: u8,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), RecordingFault>,
) -> Result<(), RecordingFault> {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_START]);
    out.push(kind);
    fill(out)?;
    let payload = &out[begin + FRAME_START..];
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= FRAME_BYTES_MAX);
    let length = length.ok_or(RecordingFault::TooLong(payload.len() as u64))?;
    let crc = crc32fast::hash(payload);
    out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    out[begin + 4..begin + FRAME_START].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// Length and checksum.
pub const FRAME_START: usize = 8;
