//! Why a sample is not recorded, and what to do about it.

use std::io;

use crate::model::units;
use crate::source::flight_recorder::limits::SegmentLimits;
use crate::source::record::format::RecordingFault;

/// Why a sample is not recorded.
#[derive(Debug)]
pub enum NotRecorded {
    /// It cannot be encoded.
    Fault(RecordingFault),
    /// The system refuses.
    Io(io::Error),
    /// So many bytes are more than may be kept at all.
    TooLarge(u64),
}

impl From<RecordingFault> for NotRecorded {
    fn from(fault: RecordingFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for NotRecorded {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl NotRecorded {
    /// The reason as a clause.
    pub fn reason(&self) -> String {
        match self {
            Self::Fault(fault) => fault.to_string(),
            Self::Io(error) if error.kind() == io::ErrorKind::Other => error.to_string(),
            Self::Io(error) => error.kind().to_string(),
            Self::TooLarge(len) => format!("a sample takes {}B", units::bytes(*len)),
        }
    }

    /// What to do next.
    pub fn advice(&self, limits: SegmentLimits) -> String {
        match self {
            Self::Fault(_) => "nothing is recorded until a sample can be; record with a longer interval".to_owned(),
            Self::Io(error) if is_full(error) => "nothing is recorded until there is room; make room".to_owned(),
            Self::Io(_) => "nothing is recorded until that works again".to_owned(),
            Self::TooLarge(len) => {
                let least = units::bytes(len.saturating_mul(4).max(limits.bytes));
                format!("start the recorder again with --max-size {least} or more")
            }
        }
    }
}

/// Whether room would help.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
