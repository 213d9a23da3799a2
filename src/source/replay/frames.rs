//! Reads a recording frame by frame, never more than one at a time.

use std::io::{self, Read};

use crate::model::time::Timestamp;
use crate::source::record::bytes::BytesIn;
use crate::source::record::format::{
    FRAME_BYTES_MAX, FRAMES_MAX, HEADER_BYTES_MAX, MAGIC, OlderHeader, RecordingFault, VERSION, VERSION_OF_SNAPSHOTS,
    kind,
};
use crate::source::record::header::Header;

/// The frames of a recording.
#[derive(Debug)]
pub struct RecordingFrames<R> {
    input: R,
    payload: Vec<u8>,
    /// Where the frame at hand begins, in bytes from the start of the file.
    begin: u64,
    /// How far was read.
    end: u64,
    samples: u32,
    version: u16,
}

/// What a file is instead of a recording that can be played.
#[derive(Debug)]
pub enum NotPlayable {
    /// It does not begin as one.
    Foreign,
    /// It has a format from after this conntop.
    Newer(u16),
    /// It has a format from before version 6, where only that can be read.
    Older(u16),
    /// Its header is damaged.
    Header(RecordingFault),
}

impl<R: Read> RecordingFrames<R> {
    /// Reads magic, version and header.
    pub fn open(input: R) -> Result<(Self, Header), NotPlayable> {
        let mut frames = Self { input, payload: Vec::new(), begin: 0, end: 0, samples: 0, version: 0 };
        let mut start = [0; MAGIC.len() + 2];
        let complete = frames.fill(&mut start).map_err(|error| NotPlayable::Header(error.into()))?;
        let version = match start.strip_prefix(&MAGIC) {
            Some(&[low, high]) if complete => u16::from_le_bytes([low, high]),
            _ => return Err(NotPlayable::Foreign),
        };
        frames.version = version;
        match version {
            0 => return Err(NotPlayable::Foreign),
            1..=VERSION => {}
            newer => return Err(NotPlayable::Newer(newer)),
        }
        let header = frames.header().map_err(NotPlayable::Header)?;
        Ok((frames, header))
    }

    /// The version of the format.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The frames of a recording of the newest version, from a key frame on that is `place` bytes from its begin.
    pub fn from_group(input: R, place: u64) -> Self {
        Self { input, payload: Vec::new(), begin: place, end: place, samples: 0, version: VERSION }
    }

    /// Whether its samples are as the source gave them.
    pub fn has_snapshots(&self) -> bool {
        self.version <= VERSION_OF_SNAPSHOTS
    }

    fn header(&mut self) -> Result<Header, RecordingFault> {
        const MISSING: RecordingFault = RecordingFault::Nonsense("the header is missing");
        if !self.has_snapshots() {
            let Some((kind::HEADER, payload)) = self.tagged_frame(HEADER_BYTES_MAX)? else { return Err(MISSING) };
            return Header::take(&mut BytesIn::new(payload, Timestamp::default()));
        }
        let payload = self.frame(HEADER_BYTES_MAX)?.ok_or(MISSING)?;
        let (header, rest) = postcard::take_from_bytes::<OlderHeader>(payload)?;
        if rest.is_empty() { Ok(header.into()) } else { Err(RecordingFault::Nonsense("the header is too long")) }
    }

    /// Kind and rest of the next frame of version 6; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<(u8, &[u8])>, RecordingFault> {
        if self.samples >= FRAMES_MAX {
            self.begin = self.end;
            return Err(RecordingFault::TooMany("samples"));
        }
        self.samples += 1;
        self.tagged_frame(FRAME_BYTES_MAX)
    }

    fn tagged_frame(&mut self, length_max: u32) -> Result<Option<(u8, &[u8])>, RecordingFault> {
        self.frame(length_max)?;
        if self.payload.first() == Some(&kind::END) {
            self.nothing_follows()?;
            return Ok(None);
        }
        Ok(self.payload.split_first().map(|(kind, rest)| (*kind, rest)))
    }

    /// The payload of the next sample; `None` at the end mark.
    pub fn next_sample(&mut self) -> Result<Option<&[u8]>, RecordingFault> {
        if self.samples >= FRAMES_MAX {
            self.begin = self.end;
            return Err(RecordingFault::TooMany("samples"));
        }
        self.samples += 1;
        self.frame(FRAME_BYTES_MAX)
    }

    /// Where the frame read last begins: where a fault is.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The memory that the frame at hand has taken, in bytes.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.payload.capacity()
    }

    fn frame(&mut self, length_max: u32) -> Result<Option<&[u8]>, RecordingFault> {
        self.begin = self.end;
        let mut start = [0; 8];
        if !self.fill(&mut start)? {
            return Err(if self.end == self.begin { RecordingFault::Unfinished } else { RecordingFault::Cut });
        }
        let [a, b, c, d, crc @ ..] = start;
        let (length, crc) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(crc));
        if length == 0 && !self.has_snapshots() {
            return Err(RecordingFault::Nonsense("a frame is empty"));
        }
        if length == 0 {
            return self.end_mark(crc).map(|()| None);
        }
        if length > length_max {
            return Err(RecordingFault::TooLong(length.into()));
        }
        self.payload.clear();
        // Memory grows with what is there, not with what the length claims.
        let read = self.input.by_ref().take(length.into()).read_to_end(&mut self.payload)?;
        self.end += u64::try_from(read).unwrap_or(u64::MAX);
        if self.payload.len() < length as usize {
            return Err(RecordingFault::Cut);
        }
        if crc32fast::hash(&self.payload) != crc {
            return Err(RecordingFault::Checksum);
        }
        Ok(Some(&self.payload))
    }

    fn end_mark(&mut self, crc: u32) -> Result<(), RecordingFault> {
        if crc != 0 {
            return Err(RecordingFault::EndMark);
        }
        self.nothing_follows()
    }

    fn nothing_follows(&mut self) -> Result<(), RecordingFault> {
        let mut one = [0];
        if self.fill(&mut one)? { Err(RecordingFault::Trailing) } else { Ok(()) }
    }

    /// Reads as much as `buffer` takes; false if the file ends before that.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.end += u64::try_from(filled).unwrap_or(u64::MAX);
        Ok(filled == buffer.len())
    }
}
