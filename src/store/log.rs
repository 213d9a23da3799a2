//! The transition log: the last transitions, in the order in which they were found.

use std::collections::VecDeque;

use crate::model::delta::{EventSource, Gap, Transition};
use crate::model::memory::TableSize;

/// How many transitions are kept.
pub const LOG_LEN_MAX: usize = 10_000;

/// How many gaps are kept.
pub const GAPS_MAX: usize = 1_000;

/// The last transitions, and where some may be missing.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Transition>,
    total: u64,
    gaps: VecDeque<Gap>,
    /// Ends and steps.
    lost: [u64; 2],
}

impl Log {
    /// The entries, oldest first.
    pub fn entries(&self) -> &VecDeque<Transition> {
        &self.entries
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        [TableSize::by("transition log", &self.entries), TableSize::by("gaps", &self.gaps)]
    }

    /// How many transitions there were in all; those that [`entries`](Self::entries) lacks were dropped as the oldest.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The last gaps, oldest first.
    pub const fn gaps(&self) -> &VecDeque<Gap> {
        &self.gaps
    }

    /// How many events of `of` were lost so far; a loss of unknown size counts as one.
    pub const fn lost(&self, of: EventSource) -> u64 {
        match of {
            EventSource::Samples => 0,
            EventSource::DestroyEvent => self.lost[0],
            EventSource::Tracepoint => self.lost[1],
        }
    }

    pub(super) fn note_gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps {
            let lost = match gap.of {
                // No event was lost: nobody looked.
                EventSource::Samples => None,
                EventSource::DestroyEvent => self.lost.first_mut(),
                EventSource::Tracepoint => self.lost.last_mut(),
            };
            if let Some(lost) = lost {
                *lost = lost.saturating_add(gap.lost.unwrap_or(1).max(1));
            }
            if self.gaps.len() >= GAPS_MAX {
                self.gaps.pop_front();
            }
            self.gaps.push_back(gap);
        }
    }

    /// Counts transitions that are not kept, older than those that come next.
    pub(super) const fn skip(&mut self, count: u64) {
        self.total += count;
    }

    pub(super) fn extend(&mut self, transitions: Vec<Transition>) {
        self.total += transitions.len() as u64;
        let skipped = transitions.len().saturating_sub(LOG_LEN_MAX);
        let kept = transitions.len() - skipped;
        let excess = (self.entries.len() + kept).saturating_sub(LOG_LEN_MAX);
        self.entries.drain(..excess);
        // All its room at once: a ring that doubles ends with more than it may use, and moves as it grows.
        self.entries.reserve_exact(LOG_LEN_MAX - self.entries.len());
        self.entries.extend(transitions.into_iter().skip(skipped));
    }
}
