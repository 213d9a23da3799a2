//! Where there is no `openat`(2) and no `flock`(2) a flight recorder has no directory.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::flight_recorder::segment_name::SegmentName;
use crate::source::flight_recorder::storage::{SegmentFile, SegmentStorage, StoredSegments};

/// The directory that cannot be.
#[derive(Debug)]
pub struct NoDirectory(Infallible);

impl NoDirectory {
    /// Says that there is none.
    pub fn open(_: &Path) -> Result<(Self, StoredSegments), SourceError> {
        let sentence = "--keep and --max-size take a Unix system; leave them out and record to a new file";
        Err(SourceError::Usage(DisplayText::new(sentence)))
    }
}

impl SegmentStorage for NoDirectory {
    type File = Self;

    fn shown(&self) -> &DisplayText {
        match self.0 {}
    }

    fn create(&mut self, _: SegmentName) -> io::Result<Self> {
        match self.0 {}
    }

    fn remove(&mut self, _: SegmentName) -> io::Result<()> {
        match self.0 {}
    }
}

impl SegmentFile for NoDirectory {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        match self.0 {}
    }
}
