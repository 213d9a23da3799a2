//! The time in which nothing can be recorded, and what is given up of the past to end it.

use std::time::Duration;

use crate::model::delta::{EventSource, Gap};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::source::RecordedMark;

/// The wait after the first sample that could not be written; it doubles from one to the next, up to the longest.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Samples cannot be written.
#[derive(Clone, Debug)]
pub struct Interruption {
    /// The last sample that was recorded; the first one that was not, where there was none before.
    pub since: Timestamp,
    /// Why, as a clause.
    pub reason: String,
    /// When it is tried again.
    pub retry_at: Timestamp,
    wait: Duration,
}

impl Interruption {
    /// The sample of `at` is the first that could not be written, for `reason`; the one of `since` was the last that could.
    pub fn new(since: Timestamp, at: Timestamp, reason: String) -> Self {
        Self { since, reason, retry_at: at.after(WAIT_FIRST), wait: WAIT_FIRST }
    }

    /// Nor could the one of `at`, for `reason`.
    #[must_use]
    pub fn going_on(self, at: Timestamp, reason: String) -> Self {
        let wait = self.wait.saturating_mul(2).min(WAIT_MAX);
        Self { reason, retry_at: at.after(wait), wait, ..self }
    }

    /// What the first sample after it tells, which is of `at`.
    pub fn gap(&self, at: Timestamp) -> (Gap, RecordedMark) {
        let lasted = units::age(at.since(self.since));
        let sentence = format!("nothing was recorded for {lasted} before: {}", self.reason);
        let gap = Gap { from: self.since, to: at, lost: None, of: EventSource::Samples };
        (gap, RecordedMark { at, severity: None, sentence: DisplayText::new(&sentence) })
    }
}

/// What is given up of the past while the disk is full: no more than about what is recorded instead, as others may take the
/// room as soon as it is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct FullDisk {
    /// What the last segments removed for it gave, and what was written since.
    freed: u64,
    written: u64,
    is_said: bool,
}

impl FullDisk {
    /// Whether what was freed before was of use, so that more may be.
    pub const fn may_free(self) -> bool {
        self.freed == 0 || self.written >= self.freed / 2
    }

    /// So much was freed; whether that is to be said.
    pub const fn has_freed(&mut self, room: u64) -> bool {
        let is_news = room > 0 && !self.is_said;
        *self = Self { freed: room, written: 0, is_said: self.is_said || is_news };
        is_news
    }

    /// So much was written.
    pub const fn has_written(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
    }

    /// A segment is complete: if as much was written as was freed, that is over.
    pub fn begin_segment(&mut self) {
        if self.written >= self.freed {
            *self = Self::default();
        }
    }
}
