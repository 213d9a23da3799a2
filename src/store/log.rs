//! The transition log: the last transitions, in the order in which they were found.

use std::collections::VecDeque;

use crate::model::delta::Transition;

/// How many transitions are kept.
pub const LOG_LEN_MAX: usize = 10_000;

/// The last transitions.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Transition>,
}

impl Log {
    /// The entries, oldest first.
    pub fn entries(&self) -> &VecDeque<Transition> {
        &self.entries
    }
}
