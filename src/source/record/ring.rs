//! The last minutes in memory: the groups of a recording, of which the oldest is forgotten where they take too many bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::delta::{Connection, Delta};
use crate::model::recorded::{RecordedMark, RecordedMoment};
use crate::model::snapshot::SourceKind;
use crate::source::record::format::RecordingFault;
use crate::source::record::frame::FrameHead;
use crate::source::record::header::Header;
use crate::source::record::sample_writer::SampleWriter;

/// What frames of memory cost beside their bytes, about.
const FRAME_COST: usize = 160;

/// Records into memory. One thread writes; what [`Self::memory`] gives can be read by others.
#[derive(Debug)]
pub struct GroupRing {
    writer: SampleWriter,
    frame: Vec<u8>,
    groups: RingMemory,
}

/// The groups that a [`GroupRing`] holds. A copy shows the same ring.
#[derive(Clone, Debug)]
pub struct RingMemory {
    header: Arc<Header>,
    groups: Arc<Mutex<Groups>>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Groups {
    groups: VecDeque<Vec<RingFrame>>,
    bytes: usize,
}

/// A frame in memory.
#[derive(Clone, Debug)]
pub struct RingFrame {
    /// Its bytes, from its length on.
    pub bytes: Arc<[u8]>,
    /// Its head.
    pub head: Arc<FrameHead>,
    /// It begins a group.
    pub is_key: bool,
}

impl GroupRing {
    /// An empty one for at most so many bytes, of what `header` describes.
    pub fn new(header: Header, bytes_max: usize) -> Result<Self, RecordingFault> {
        let mut writer = SampleWriter::new(header.clone())?;
        // What a file begins with is not needed.
        writer.begin(&mut Vec::new())?;
        let groups = RingMemory { header: Arc::new(header), groups: Arc::default(), bytes_max };
        Ok(Self { writer, frame: Vec::new(), groups })
    }

    /// Takes in one sample; the first one has to add every row. Where it alone takes more bytes than there may be, all is forgotten.
    pub fn write(&mut self, delta: &Delta, marks: &[RecordedMark]) -> Result<(), RecordingFault> {
        self.frame.clear();
        self.writer.sample(delta, marks, &mut self.frame)?;
        let is_key = self.writer.has_begun_group();
        let head = Arc::new(self.writer.head().clone());
        let frame = RingFrame { bytes: Arc::from(self.frame.as_slice()), head, is_key };
        if !self.groups.push(frame) {
            self.writer.take_back();
        }
        // An index would grow for ever; the frames have what is in it.
        self.writer.forget_index();
        Ok(())
    }

    /// Samples were left out: `rows` are all that there are now.
    pub fn resume(&mut self, rows: impl IntoIterator<Item = Connection>) {
        self.writer.resume(rows);
    }

    /// What it holds, for other threads.
    pub fn memory(&self) -> RingMemory {
        self.groups.clone()
    }
}

impl RingMemory {
    /// Takes in a frame; false if there is no room for its group.
    fn push(&self, frame: RingFrame) -> bool {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.bytes += cost(&frame);
        if frame.is_key || groups.groups.is_empty() {
            groups.groups.push_back(Vec::new());
        }
        if let Some(group) = groups.groups.back_mut() {
            group.push(frame);
        }
        while groups.bytes > self.bytes_max {
            let Some(group) = groups.groups.pop_front() else { break };
            groups.bytes -= group.iter().map(cost).sum::<usize>();
        }
        !groups.groups.is_empty()
    }

    /// Who recorded, and what.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The source that it is recorded from.
    pub fn kind(&self) -> SourceKind {
        self.header.kind
    }

    /// The frames that it holds now, oldest first; the first one is a key frame.
    pub fn frames(&self) -> Vec<RingFrame> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.groups.iter().flatten().cloned().collect()
    }

    /// From when to when it goes; `None` while it is empty.
    pub fn covers(&self) -> Option<(RecordedMoment, RecordedMoment)> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = |frame: &RingFrame| RecordedMoment { at: frame.head.at, wall: frame.head.wall };
        let first = groups.groups.front()?.first()?;
        let last = groups.groups.back()?.last()?;
        Some((moment(first), moment(last)))
    }

    /// How many bytes it takes, about.
    pub fn bytes(&self) -> usize {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// The most bytes that it takes.
    pub const fn bytes_max(&self) -> usize {
        self.bytes_max
    }
}

fn cost(frame: &RingFrame) -> usize {
    frame.bytes.len() + FRAME_COST
}
