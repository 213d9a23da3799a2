//! What a flight recorder asks of the place where its segments are.

use std::io;

use crate::model::text::DisplayText;
use crate::model::time::WallTime;
use crate::source::flight_recorder::segment_name::SegmentName;

/// Keeps segments.
pub trait SegmentStorage {
    /// A segment that is being written.
    type File: SegmentFile;

    /// What messages call the place.
    fn shown(&self) -> &DisplayText;

    /// Makes a new, empty segment; fails if the name is taken.
    fn create(&mut self, name: SegmentName) -> io::Result<Self::File>;

    /// Removes a segment that this recorder or one before it has made.
    fn remove(&mut self, name: SegmentName) -> io::Result<()>;
}

/// A segment that is being written.
pub trait SegmentFile {
    /// Writes all of `bytes` behind what is there. After an error a part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes off what is there after the first `len` bytes.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

/// A segment that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSegment {
    /// Its name.
    pub name: SegmentName,
    /// Its length in bytes.
    pub len: u64,
    /// The time of day at which it was last written.
    pub written: WallTime,
}

/// What is in a place where segments are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSegments {
    /// The segments, oldest first.
    pub segments: Vec<StoredSegment>,
    /// The highest number that any name has, of files as well that are not ours; 0 for none.
    pub last_number: u32,
}
