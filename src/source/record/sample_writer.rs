//! Makes the bytes of a recording, sample by sample: for a file, a pipe, the segments of a flight recorder, or memory.

use std::time::Duration;

use crate::model::delta::Delta;
use crate::model::recorded::RecordedMark;
use crate::model::time::Timestamp;
use crate::source::record::bytes::BytesOut;
use crate::source::record::compression::Compressor;
use crate::source::record::encode::Encoder;
use crate::source::record::format::{GROUP_BYTES_MAX, MAGIC, RecordingFault, VERSION, kind};
use crate::source::record::frame::{FrameHead, put_frame};
use crate::source::record::header::Header;
use crate::source::record::index::{Index, IndexSize};

/// A group is at most so long: whoever goes to a moment reads on from the begin of its group.
const GROUP_TIME_MAX: Duration = Duration::from_secs(300);
/// After this time a group ends when its changes take [`CHANGES_PER_KEY`] times the bytes of its key frame: then another key frame
/// costs little, and saves who goes to a moment much.
const GROUP_TIME_MIN: Duration = Duration::from_secs(60);
/// See [`GROUP_TIME_MIN`].
const CHANGES_PER_KEY: u64 = 4;

/// Makes recordings: of one run of a recorder one after the other.
#[derive(Debug)]
pub struct SampleWriter {
    header: Header,
    encoder: Encoder,
    compressor: Compressor,
    head: FrameHead,
    out: BytesOut,
    index: Index,
    group: OpenGroup,
    /// How many bytes the recording at hand has.
    written: u64,
    /// The header is still to be written.
    is_new: bool,
    /// The number of the next sample.
    sequence: u64,
    undo: Undo,
}

/// What was before the sample that was written last.
#[derive(Debug, Default)]
struct Undo {
    written: u64,
    is_new: bool,
    index: IndexSize,
}

/// The group that is being written.
#[derive(Clone, Copy, Debug, Default)]
struct OpenGroup {
    /// There is one, and the next sample can go on with it.
    goes_on: bool,
    begun: Timestamp,
    key_bytes: u64,
    changes_bytes: u64,
    /// The length of the content so far, uncompressed.
    content_bytes: u64,
}

impl SampleWriter {
    /// A writer of the recording that `header` describes.
    pub fn new(header: Header) -> Result<Self, RecordingFault> {
        Ok(Self {
            head: FrameHead::default(),
            sequence: header.sequence,
            header,
            encoder: Encoder::default(),
            compressor: Compressor::new()?,
            out: BytesOut::default(),
            index: Index::default(),
            group: OpenGroup::default(),
            written: 0,
            is_new: true,
            undo: Undo::default(),
        })
    }

    /// Who records, and what.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next sample begins another recording of the same run, which a reader puts behind this one without a gap.
    pub fn begin_recording(&mut self) {
        (self.index, self.written, self.is_new) = (Index::default(), 0, true);
        self.group.goes_on = false;
    }

    /// Writes magic, version and header to the end of `bytes`, if that was not done yet. The first sample does it too.
    pub fn begin(&mut self, bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        if !self.is_new {
            return Ok(());
        }
        let begin = bytes.len();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let header = Header { sequence: self.sequence, ..self.header.clone() };
        self.out.begin(Timestamp::default());
        header.put(&mut self.out);
        put_frame(bytes, kind::HEADER, |bytes| {
            bytes.extend_from_slice(&self.out.bytes);
            Ok(())
        })?;
        self.is_new = false;
        self.written += (bytes.len() - begin) as u64;
        Ok(())
    }

    /// Writes a sample to the end of `bytes`: what it changes, and what a person may want to go to. Every delta has to be told, as
    /// the writer keeps the rows. After an error `bytes` is as it was, the sample is left out, and the next one begins a group.
    pub fn sample(&mut self, delta: &Delta, marks: &[RecordedMark], bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        let begin = bytes.len();
        let before = std::mem::take(&mut self.head);
        self.undo = Undo { written: self.written, is_new: self.is_new, index: self.index.size() };
        let is_older = self.index.samples > 0 && delta.at < before.at;
        self.head = FrameHead {
            at: delta.at.max(before.at),
            wall: delta.wall,
            content_len: 0,
            sequence: self.sequence,
            marks: marks.to_vec(),
        };
        let result = if is_older {
            self.encoder.take_in_only(delta);
            Err(RecordingFault::Nonsense("it is older than the one before"))
        } else {
            self.begin(bytes).and_then(|()| self.put_sample(delta, &before, bytes))
        };
        self.sequence = self.sequence.wrapping_add(1);
        if result.is_err() {
            bytes.truncate(begin);
            self.take_back();
        }
        result
    }

    /// A sample is not written: what it changes is taken in, and the next one begins a group.
    pub fn leave_out(&mut self, delta: &Delta) {
        self.encoder.take_in_only(delta);
        self.sequence = self.sequence.wrapping_add(1);
        self.group.goes_on = false;
    }

    /// The sample that was written last did not get to where it should be: it is left out, and the next one begins a group.
    pub fn take_back(&mut self) {
        (self.written, self.is_new) = (self.undo.written, self.undo.is_new);
        self.index.truncate(&self.undo.index);
        self.group.goes_on = false;
    }

    fn put_sample(&mut self, delta: &Delta, before: &FrameHead, bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        let is_key = !self.group.goes_on || self.group.is_complete(delta.at) || self.encoder.is_large();
        let none = FrameHead::default();
        let before = if is_key { &none } else { before };
        let begin = bytes.len();
        let content = self.encoder.encode(delta, is_key)?;
        self.head.content_len = u32::try_from(content.len()).map_err(|_| RecordingFault::TooLong(u64::MAX))?;
        self.out.begin(delta.at);
        self.head.put(before, &mut self.out);
        if is_key {
            self.compressor.begin_group()?;
        }
        put_frame(bytes, if is_key { kind::KEY } else { kind::CHANGE }, |bytes| {
            bytes.extend_from_slice(&self.out.bytes);
            Ok(self.compressor.compress(content, bytes)?)
        })?;
        let length = (bytes.len() - begin) as u64;
        if is_key {
            self.group = OpenGroup { goes_on: true, begun: delta.at, key_bytes: length, ..OpenGroup::default() };
        } else {
            self.group.changes_bytes += length;
        }
        self.group.content_bytes += u64::from(self.head.content_len);
        self.index.add(&self.head, is_key, self.written);
        self.written += length;
        Ok(())
    }

    /// Whether the sample that was written last begins a group.
    pub const fn has_begun_group(&self) -> bool {
        self.group.goes_on && self.group.changes_bytes == 0
    }

    /// The head of the sample that was written last.
    pub const fn head(&self) -> &FrameHead {
        &self.head
    }

    /// What was written so far is in no index: for who keeps the frames themselves.
    pub fn forget_index(&mut self) {
        self.index = Index { samples: self.index.samples, ..Index::default() };
    }

    /// Writes index and end to the end of `bytes`.
    pub fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        self.begin(bytes)?;
        let place = self.written;
        let begin = bytes.len();
        self.out.begin(Timestamp::default());
        self.index.put(&mut self.out);
        put_frame(bytes, kind::INDEX, |bytes| {
            bytes.extend_from_slice(&self.out.bytes);
            Ok(())
        })?;
        put_frame(bytes, kind::END, |bytes| {
            bytes.extend_from_slice(&place.to_le_bytes());
            Ok(())
        })?;
        self.written += (bytes.len() - begin) as u64;
        self.begin_recording();
        Ok(())
    }
}

impl OpenGroup {
    fn is_complete(&self, at: Timestamp) -> bool {
        let time = at.since(self.begun);
        let is_outgrown = self.changes_bytes >= self.key_bytes * CHANGES_PER_KEY;
        time >= GROUP_TIME_MAX || (time >= GROUP_TIME_MIN && is_outgrown) || self.content_bytes >= GROUP_BYTES_MAX / 2
    }
}
