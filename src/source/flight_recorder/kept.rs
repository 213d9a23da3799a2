//! The segments that are complete, oldest first, and the room that they take.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::model::time::{Timestamp, WallTime};
use crate::source::flight_recorder::segment_name::SegmentName;
use crate::source::flight_recorder::storage::{SegmentStorage, StoredSegments};

/// What a file takes is a multiple of this, as on most file systems.
const BLOCK: u64 = 4_096;
/// What the directory and its lock take, and for each name in it.
const DIRECTORY: u64 = 4 * BLOCK;
const ENTRY: u64 = 64;
/// The most segments: a recorder that is started again every few seconds makes many.
const SEGMENTS_MAX: usize = 4_096;

/// The segments that are complete.
#[derive(Debug, Default)]
pub struct KeptSegments {
    segments: VecDeque<KeptSegment>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct KeptSegment {
    name: SegmentName,
    /// What it takes of the disk.
    room: u64,
    end: SegmentEnd,
}

/// When a segment was last written.
#[derive(Clone, Copy, Debug)]
enum SegmentEnd {
    /// By the clock of the recording, in milliseconds since boot; negative for what is from before.
    Known(i64),
    /// Before this recorder was started: a time of day.
    Wall(WallTime),
}

/// What a file of `len` bytes takes of the disk.
pub const fn room_of(len: u64) -> u64 {
    len.div_ceil(BLOCK).saturating_mul(BLOCK)
}

impl KeptSegments {
    /// What is there when a recorder starts.
    pub fn new(stored: &StoredSegments) -> Self {
        let mut kept = Self::default();
        for segment in &stored.segments {
            kept.push(segment.name, segment.len, SegmentEnd::Wall(segment.written));
        }
        kept
    }

    /// A segment of `len` bytes that ends at `end` is complete.
    pub fn add(&mut self, name: SegmentName, len: u64, end: Timestamp) {
        self.push(name, len, SegmentEnd::Known(millis(end)));
    }

    fn push(&mut self, name: SegmentName, len: u64, end: SegmentEnd) {
        let segment = KeptSegment { name, room: room_of(len), end };
        self.bytes = self.bytes.saturating_add(segment.room);
        self.segments.push_back(segment);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.segments.len()
    }

    /// When the last one ended before this recorder was started.
    pub fn last_written(&self) -> Option<WallTime> {
        match self.segments.back()?.end {
            SegmentEnd::Wall(wall) => Some(wall),
            SegmentEnd::Known(_) => None,
        }
    }

    /// From now on the ages of what was there at the start are counted by the clock of the recording, which nobody sets: it
    /// is `at` while the time of day is `wall`. A time of day in the future counts as now.
    pub fn count_by_clock(&mut self, at: Timestamp, wall: WallTime) {
        if self.last_written().is_none() {
            return;
        }
        for segment in &mut self.segments {
            if let SegmentEnd::Wall(written) = segment.end {
                segment.end = SegmentEnd::Known(millis(at) - wall.0.saturating_sub(written.0).max(0));
            }
        }
    }

    /// What all of it takes beside a segment of `open` bytes that is being written.
    pub fn room_with(&self, open: u64) -> u64 {
        let entries = ENTRY * (self.segments.len() as u64 + 1);
        DIRECTORY.saturating_add(entries).saturating_add(self.bytes).saturating_add(room_of(open))
    }

    /// Removes what ended more than `keep` before `now`. What cannot be removed is tried again with the next sample.
    pub fn remove_older(
        &mut self,
        keep: Duration,
        now: Timestamp,
        storage: &mut impl SegmentStorage,
    ) -> io::Result<()> {
        let oldest = millis(now).saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        while let Some(KeptSegment { end: SegmentEnd::Known(end), .. }) = self.segments.front().copied() {
            if end >= oldest {
                break;
            }
            self.remove_oldest(storage)?;
        }
        Ok(())
    }

    /// Removes the oldest until all of it takes at most `most` bytes beside a segment of `open` bytes; whether it does then.
    pub fn make_room(&mut self, most: u64, open: u64, storage: &mut impl SegmentStorage) -> io::Result<bool> {
        while self.room_with(open) > most || self.segments.len() >= SEGMENTS_MAX {
            if self.remove_oldest(storage)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the oldest; what room that gives, 0 where there is none.
    pub fn remove_oldest(&mut self, storage: &mut impl SegmentStorage) -> io::Result<u64> {
        let Some(oldest) = self.segments.front() else { return Ok(0) };
        storage.remove(oldest.name)?;
        let room = oldest.room;
        self.bytes = self.bytes.saturating_sub(room);
        self.segments.pop_front();
        // Every segment gives some, so that 0 means that there was none.
        Ok(room.max(1))
    }
}

/// Milliseconds since boot.
fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
