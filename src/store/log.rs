//! The transition log: the last transitions, in the order in which they were found.

use std::collections::VecDeque;

use crate::model::delta::Transition;

/// How many transitions are kept.
pub const LOG_LEN_MAX: usize = 10_000;

/// The last transitions.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Transition>,
    total: u64,
}

impl Log {
    /// The entries, oldest first.
    pub fn entries(&self) -> &VecDeque<Transition> {
        &self.entries
    }

    /// How many transitions there were in all; those that [`entries`](Self::entries) lacks were dropped as the oldest.
    pub const fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn extend(&mut self, transitions: Vec<Transition>) {
        self.total += transitions.len() as u64;
        let skipped = transitions.len().saturating_sub(LOG_LEN_MAX);
        let kept = transitions.len() - skipped;
        let excess = (self.entries.len() + kept).saturating_sub(LOG_LEN_MAX);
        self.entries.drain(..excess);
        self.entries.extend(transitions.into_iter().skip(skipped));
    }
}
