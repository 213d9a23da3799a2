//! Finds the index of a recording: at its end, or, where it was broken off, by the heads of its frames.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::model::time::Timestamp;
use crate::source::record::bytes::BytesIn;
use crate::source::record::format::{FRAME_BYTES_MAX, MAGIC, RecordingFault, kind};
use crate::source::record::frame::{FRAME_START, FrameHead};
use crate::source::record::index::Index;

/// The length of the last frame: its start, its kind and a place.
const END_LEN: u64 = FRAME_START as u64 + 1 + 8;
/// Where the first frame begins.
const FRAMES_BEGIN: u64 = MAGIC.len() as u64 + 2;
/// So much of a frame is read to see its head, in bytes; a head with many marks is longer.
const HEAD_LEN: usize = 256;
const HEAD_LEN_MAX: usize = 1 << 20;

/// The index of the recording in `file`, of format 6.
pub fn read(file: File) -> Result<Index, RecordingFault> {
    let len = file.metadata()?.len();
    let mut input = BufReader::new(file);
    match at_end(&mut input, len) {
        Ok(index) => Ok(index),
        Err(_) => by_heads(&mut input, len),
    }
}

fn at_end(input: &mut BufReader<File>, len: u64) -> Result<Index, RecordingFault> {
    let end = len.checked_sub(END_LEN).ok_or(RecordingFault::Cut)?;
    let mut payload = Vec::new();
    read_frame(input, end, len, &mut payload)?;
    let place = match payload.split_first() {
        Some((&kind::END, place)) => u64::from_le_bytes(place.try_into().map_err(|_| RecordingFault::Cut)?),
        _ => return Err(RecordingFault::Unfinished),
    };
    read_frame(input, place, end, &mut payload)?;
    let Some((&kind::INDEX, index)) = payload.split_first() else { return Err(RecordingFault::Unfinished) };
    Index::take(&mut BytesIn::new(index, Timestamp::default()), place)
}

/// The frame at `place`, which ends at `end`.
fn read_frame(input: &mut BufReader<File>, place: u64, end: u64, payload: &mut Vec<u8>) -> Result<(), RecordingFault> {
    input.seek(SeekFrom::Start(place))?;
    let (length, crc) = frame_start(input)?;
    let begin = place.saturating_add(FRAME_START as u64);
    if begin.saturating_add(length.into()) != end || length > FRAME_BYTES_MAX {
        return Err(RecordingFault::Cut);
    }
    payload.clear();
    input.by_ref().take(length.into()).read_to_end(payload)?;
    if crc32fast::hash(payload) == crc { Ok(()) } else { Err(RecordingFault::Checksum) }
}

fn frame_start(input: &mut impl Read) -> io::Result<(u32, u32)> {
    let mut start = [0; FRAME_START];
    input.read_exact(&mut start)?;
    let [a, b, c, d, crc @ ..] = start;
    Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(crc)))
}

/// As far as the heads make sense; that their frames are whole is seen when they are read.
fn by_heads(input: &mut BufReader<File>, len: u64) -> Result<Index, RecordingFault> {
    let mut index = Index::default();
    let (mut place, mut head, mut has_group) = (FRAMES_BEGIN, FrameHead::default(), false);
    let mut begin = Vec::new();
    input.seek(SeekFrom::Start(place))?;
    while place.saturating_add(FRAME_START as u64) < len {
        let (length, _) = frame_start(input)?;
        let end = place.saturating_add(FRAME_START as u64 + u64::from(length));
        if length == 0 || length > FRAME_BYTES_MAX || end > len {
            break;
        }
        read_begin(input, HEAD_LEN.min(length as usize), &mut begin)?;
        let kind = begin.first().copied();
        if let Some(kind @ (kind::KEY | kind::CHANGE)) = kind {
            let is_key = kind == kind::KEY;
            let before = if is_key { FrameHead::default() } else { std::mem::take(&mut head) };
            let mut found = take_head(&begin, &before);
            if found.is_err() && begin.len() < length as usize {
                let more = HEAD_LEN_MAX.min(length as usize) - begin.len();
                read_begin(input, more, &mut begin)?;
                found = take_head(&begin, &before);
            }
            let Ok(found) = found else { break };
            has_group |= is_key;
            if !has_group || (index.samples > 0 && found.at < index.last.at) {
                break;
            }
            index.add(&found, is_key, place);
            head = found;
        }
        let rest = u64::from(length) - begin.len() as u64;
        begin.clear();
        input.seek_relative(i64::try_from(rest).unwrap_or(i64::MAX))?;
        place = end;
    }
    Ok(index)
}

fn take_head(begin: &[u8], before: &FrameHead) -> Result<FrameHead, RecordingFault> {
    FrameHead::take(before, &mut BytesIn::new(begin.get(1..).unwrap_or_default(), Timestamp::default()))
}

fn read_begin(input: &mut BufReader<File>, more: usize, begin: &mut Vec<u8>) -> io::Result<()> {
    let have = begin.len();
    begin.resize(have + more, 0);
    input.read_exact(&mut begin[have..])
}
