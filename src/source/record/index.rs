//! The index of a recording: where its groups begin, and what a person may want to go to. It stands at the end of a finished
//! recording; of another one it is made by reading the heads of its frames.

use crate::model::recorded::{RecordedMark, RecordedMoment};
use crate::model::time::{Timestamp, WallTime};
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::{GROUPS_MAX, MARKS_MAX, RecordingFault};
use crate::source::record::frame::{FrameHead, put_marks, take_marks};

/// Where things are in a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// The groups, in their order.
    pub groups: Vec<GroupPlace>,
    /// The last sample.
    pub last: RecordedMoment,
    /// How many samples there are.
    pub samples: u64,
    /// What a person may want to go to, in the order of the samples.
    pub marks: Vec<RecordedMark>,
    /// The number of the last sample in its run.
    pub last_sequence: u64,
}

/// What an index has, so that what comes later can be taken off again.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexSize {
    groups: usize,
    marks: usize,
    last: RecordedMoment,
    samples: u64,
    last_sequence: u64,
}

/// Where a group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupPlace {
    /// The place of its key frame: in a file in bytes from its begin.
    pub place: u64,
    /// The sample of the key frame.
    pub first: RecordedMoment,
}

impl Index {
    /// Takes in a frame with this head.
    pub fn add(&mut self, head: &FrameHead, is_key: bool, place: u64) {
        let moment = RecordedMoment { at: head.at, wall: head.wall };
        if is_key && self.groups.len() < GROUPS_MAX as usize {
            self.groups.push(GroupPlace { place, first: moment });
        }
        self.last = moment;
        self.last_sequence = head.sequence;
        self.samples += 1;
        let room = (MARKS_MAX as usize).saturating_sub(self.marks.len());
        self.marks.extend(head.marks.iter().take(room).cloned());
    }

    /// What it has now.
    pub const fn size(&self) -> IndexSize {
        let Self { groups, last, samples, marks, last_sequence } = self;
        let (groups, marks) = (groups.len(), marks.len());
        IndexSize { groups, marks, last: *last, samples: *samples, last_sequence: *last_sequence }
    }

    /// Takes off what came after `size`.
    pub fn truncate(&mut self, size: &IndexSize) {
        self.groups.truncate(size.groups);
        self.marks.truncate(size.marks);
        (self.last, self.samples, self.last_sequence) = (size.last, size.samples, size.last_sequence);
    }

    /// The last group that begins at or before `at`; the first one if none does.
    pub fn group_at(&self, at: Timestamp) -> Option<(usize, &GroupPlace)> {
        let after = self.groups.partition_point(|group| group.first.at <= at);
        let nth = after.saturating_sub(1);
        Some((nth, self.groups.get(nth)?))
    }

    /// Writes it.
    pub fn put(&self, out: &mut BytesOut) {
        out.at = self.last.at;
        out.structure(|fields| {
            fields.put(0, &self.last.at.0, &0);
            fields.put(1, &self.last.wall, &WallTime::default());
            fields.put(2, &self.samples, &0);
            fields.put(3, &self.last_sequence, &0);
            fields.always(4, |out| {
                out.count(self.groups.len());
                let mut before = GroupPlace::default();
                for group in &self.groups {
                    out.structure(|fields| {
                        fields.put(0, &group.place, &before.place);
                        fields.put(1, &group.first.at.0, &before.first.at.0);
                        fields.put(2, &group.first.wall, &before.first.wall);
                    });
                    before = *group;
                }
            });
            fields.always(5, |out| put_marks(&self.marks, MARKS_MAX, out));
        });
    }

    /// Reads it. Moments have to ascend, and places, below `end`.
    pub fn take(bytes: &mut BytesIn<'_>, end: u64) -> Result<Self, RecordingFault> {
        let mut fields = bytes.structure()?;
        let at = Timestamp(fields.take(0, &0)?);
        let last = RecordedMoment { at, wall: fields.take(1, &WallTime::default())? };
        let (samples, last_sequence) = (fields.take(2, &0)?, fields.take(3, &0)?);
        let bytes = fields.bytes();
        bytes.at = at;
        let count = bytes.count((GROUPS_MAX, "groups"))?;
        let (mut groups, mut before) = (Vec::new(), GroupPlace::default());
        for nth in 0..count {
            let mut fields = bytes.structure()?;
            let place = fields.take(0, &before.place)?;
            let first = Timestamp(fields.take(1, &before.first.at.0)?);
            let group =
                GroupPlace { place, first: RecordedMoment { at: first, wall: fields.take(2, &before.first.wall)? } };
            let ascends = nth == 0 || (before.place < place && before.first.at <= first);
            if !ascends || place >= end || first > at {
                return Err(RecordingFault::Nonsense("its index is out of order"));
            }
            groups.push(group);
            before = group;
        }
        let marks = take_marks(MARKS_MAX, bytes)?;
        if samples < groups.len() as u64 || groups.is_empty() != (samples == 0) {
            return Err(RecordingFault::Nonsense("its index has more groups than samples"));
        }
        Ok(Self { groups, last, samples, marks, last_sequence })
    }
}
