//! The zstd streams of groups. Each frame is flushed, so that it can be read without the next one.

use std::io;

use zstd::stream::raw::{DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use crate::source::record::format::{GROUP_BYTES_MAX, RecordingFault, WINDOW_LOG_MAX};

/// The level of zstd, its usual one.
const LEVEL: i32 = 3;
/// The least room that is made for the next piece of output, in bytes.
const ROOM: usize = 16 << 10;

/// Compresses one group after the other.
pub struct Compressor {
    stream: Encoder<'static>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

impl Compressor {
    /// Begins with a new group.
    pub fn new() -> io::Result<Self> {
        Ok(Self { stream: Encoder::new(LEVEL)? })
    }

    /// Another group begins.
    pub fn begin_group(&mut self) -> io::Result<()> {
        self.stream.reinit()
    }

    /// Writes `content`, compressed, to the end of `out`.
    pub fn compress(&mut self, content: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut input = InBuffer::around(content);
        while input.pos() < content.len() {
            let begin = with_room(out);
            let mut output = OutBuffer::around_pos(out, begin);
            self.stream.run(&mut input, &mut output)?;
        }
        loop {
            let begin = with_room(out);
            let mut output = OutBuffer::around_pos(out, begin);
            if self.stream.flush(&mut output)? == 0 {
                return Ok(());
            }
        }
    }
}

/// Decompresses one group after the other; never more than a frame says that it has.
pub struct Decompressor {
    stream: Decoder<'static>,
    content: Vec<u8>,
    group_len: u64,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor").field("group_len", &self.group_len).finish_non_exhaustive()
    }
}

impl Decompressor {
    /// Begins with a new group.
    pub fn new() -> io::Result<Self> {
        let mut stream = Decoder::new()?;
        stream.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self { stream, content: Vec::new(), group_len: 0 })
    }

    /// Another group begins.
    pub fn begin_group(&mut self) -> io::Result<()> {
        self.group_len = 0;
        self.stream.reinit()
    }

    /// The content of a frame, of `length` bytes.
    pub fn decompress(&mut self, compressed: &[u8], length: u32) -> Result<&[u8], RecordingFault> {
        self.group_len += u64::from(length);
        if self.group_len > GROUP_BYTES_MAX {
            return Err(RecordingFault::TooLong(self.group_len));
        }
        let length = length as usize;
        self.content.clear();
        let mut input = InBuffer::around(compressed);
        loop {
            // Memory grows with what is there, not with what the length claims. One byte more shows that there is more.
            let room = (length + 1).saturating_sub(self.content.len()).min(self.content.len().max(ROOM));
            self.content.reserve_exact(room);
            let (begin, read) = (self.content.len(), input.pos());
            let mut output = OutBuffer::around_pos(&mut self.content, begin);
            self.stream.run(&mut input, &mut output).map_err(|_| BROKEN)?;
            if self.content.len() > length {
                return Err(BROKEN);
            }
            if input.pos() == compressed.len() && self.content.len() == length {
                return Ok(&self.content);
            }
            if input.pos() == read && self.content.len() == begin {
                return Err(BROKEN);
            }
        }
    }

    /// The memory that the frame at hand has taken, in bytes.
    pub fn memory(&self) -> usize {
        self.content.capacity()
    }
}

const BROKEN: RecordingFault = RecordingFault::Nonsense("it cannot be decompressed");

/// Makes room at the end of `out`; gives its length.
fn with_room(out: &mut Vec<u8>) -> usize {
    out.reserve(ROOM);
    out.len()
}
