//! Counts per state over the last minutes, in rings of fixed length.

use crate::store::rows::Counts;

/// How many samples are kept: fifteen minutes at one a second.
pub const HISTORY_LEN_MAX: usize = 900;

/// Counts of the last samples.
#[derive(Debug, Default)]
pub struct History {
    counts: std::collections::VecDeque<Counts>,
}

impl History {
    /// The counts of the last `len` samples, oldest first; fewer if fewer exist.
    pub fn last(&self, len: usize) -> impl Iterator<Item = &Counts> {
        self.counts.iter().skip(self.counts.len().saturating_sub(len))
    }
}
