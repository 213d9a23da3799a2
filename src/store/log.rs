//! The transition log: the last transitions, in the order in which they were found.

use std::collections::VecDeque;

use crate::model::delta::{Gap, ToldBy, Transition};
use crate::model::memory::Held;

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
    pub(super) fn held(&self) -> [Held; 2] {
        [Held::by("transition log", &self.entries), Held::by("gaps", &self.gaps)]
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
    pub const fn lost(&self, of: ToldBy) -> u64 {
        match of {
            ToldBy::Samples => 0,
            ToldBy::DestroyEvent => self.lost[0],
            ToldBy::Tracepoint => self.lost[1],
        }
    }

    pub(super) fn note_gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps {
            let lost = match gap.of {
                // No event was lost: nobody looked.
                ToldBy::Samples => None,
                ToldBy::DestroyEvent => self.lost.first_mut(),
                ToldBy::Tracepoint => self.lost.last_mut(),
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
