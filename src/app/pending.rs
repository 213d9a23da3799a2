//! Deltas that wait to be taken in: for the work on the one before, or for the user while the screen is frozen or a dialog
//! is open, because nothing under the cursor may move then. What waits for the user is merged, so that it does not grow with time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delta::Delta;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::merged_deltas::MergedDeltas;

/// From how many bytes of merged deltas on sampling is paused: some 200,000 sockets that changed. The few that are on
/// their way already are still merged: a lost delta would make every later one wrong.
pub const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Deltas in the order in which they came.
#[derive(Debug, Default)]
pub struct PendingDeltas {
    /// The oldest ones, as one.
    merged: Option<Box<MergedDeltas>>,
    deltas: VecDeque<Delta>,
    paused: bool,
}

/// What is to be taken in next.
#[derive(Debug)]
pub enum PendingDelta {
    /// A delta.
    One(Box<Delta>),
    /// Several as one.
    Merged(Box<MergedDeltas>),
}

impl PendingDeltas {
    /// Keeps `delta`.
    pub fn push(&mut self, delta: Delta) {
        self.deltas.push_back(delta);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        let merged = self.merged.as_ref().map_or(0, |merged| usize::try_from(merged.deltas()).unwrap_or(usize::MAX));
        self.deltas.len().saturating_add(merged)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.merged.is_none() && self.deltas.is_empty()
    }

    /// The memory of what is merged, in bytes.
    pub fn bytes(&self) -> usize {
        self.merged.as_ref().map_or(0, |merged| merged.bytes())
    }

    /// Whether sampling was paused because too much waits.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How much newer than `shown` the newest one is.
    pub fn behind(&self, shown: Timestamp) -> Duration {
        let merged = self.merged.as_ref().map(|merged| merged.at());
        self.deltas.back().map(|delta| delta.at).or(merged).map_or(Duration::ZERO, |at| at.since(shown))
    }

    /// Whether [`merge`](Self::merge) has work to do; `still`: the screen stands still.
    pub fn is_merging(&self, still: bool) -> bool {
        !self.deltas.is_empty() && (still || self.merged.is_some())
    }

    /// Merges as many rows of what waits as `steps` allows; answers whether sampling is to be paused now.
    pub fn merge(&mut self, store: &Store, steps: &mut usize) -> bool {
        let Some(delta) = self.deltas.front_mut() else { return false };
        let merged = self.merged.get_or_insert_with(|| Box::new(MergedDeltas::new(store)));
        if !merged.take(delta, store, steps) {
            return false;
        }
        self.deltas.pop_front();
        let pause = merged.bytes() > PENDING_BYTES_MAX && !self.paused;
        self.paused |= pause;
        pause
    }

    /// The oldest, once nothing is being merged.
    pub fn take(&mut self) -> Option<PendingDelta> {
        let merged = self.merged.take().map(PendingDelta::Merged);
        merged.or_else(|| self.deltas.pop_front().map(|delta| PendingDelta::One(Box::new(delta))))
    }

    /// Drops what waits: it is of another moment than what comes next.
    pub fn clear(&mut self) {
        (self.merged, self.deltas) = (None, VecDeque::new());
    }

    /// Nothing holds the deltas any more; answers whether sampling was paused for them.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.paused)
    }
}
