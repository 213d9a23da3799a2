//! Where snapshots come from: one trait, several implementations, chosen once when the program starts.
//!
//! A source takes one sample at a time, on the thread that calls it, into memory that it is lent. A missing permission
//! or a vanished process is data ([`Coverage`](crate::model::coverage::Coverage)), not an error; an error means that
//! no sample could be taken at all.

pub mod clock;
pub mod portable;
pub mod record;
pub mod replay;
pub mod synthetic;

#[cfg(target_os = "linux")]
pub mod linux;

use std::path::PathBuf;
use std::time::Duration;

use crate::model::snapshot::{Needs, Snapshot, SourceInfo};
use crate::model::text::DisplayText;

/// Takes samples.
pub trait Source: Send {
    /// What this source is; the same for its whole life.
    fn info(&self) -> &SourceInfo;

    /// Fills `snapshot` (cleared first, its memory reused) with the state of now.
    ///
    /// After an error `snapshot` holds nothing of use, and the next call may succeed.
    fn sample(&mut self, needs: &Needs, snapshot: &mut Snapshot) -> Result<Pace, SourceError>;
}

/// When the next sample is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After the interval the user chose.
    Interval,
    /// After this time: a recording keeps its own.
    After(Duration),
    /// Never: that was the last one of a recording.
    Last,
}

/// Why no sample could be taken, as one sentence that says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The user asked for something that does not exist; exit code 2.
    #[error("{0}")]
    Usage(DisplayText),
    /// The system refused or the data is bad; exit code 1.
    #[error("{0}")]
    Failed(DisplayText),
}

/// Which source the user wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The best this system has; falls back, and says so in the coverage.
    #[default]
    Auto,
    /// sock_diag, or an error.
    Linux,
    /// `/proc/net`, or an error.
    Procfs,
    /// netstat2 and sysinfo.
    Portable,
    /// Made up from this seed.
    Synthetic {
        /// The same seed gives the same life.
        seed: u64,
    },
    /// A recording.
    Replay {
        /// The file.
        path: PathBuf,
    },
}
