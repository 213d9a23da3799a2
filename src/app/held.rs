//! Deltas that wait: for the work on the one before, or, while the screen is frozen or a dialog is open, for the user:
//! nothing under the cursor may move.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delta::Delta;
use crate::model::time::Timestamp;

/// From how many waiting deltas on sampling is paused. The few that are on their way already are still kept: a lost
/// delta would make every later one wrong.
pub const FROZEN_DELTAS_MAX: usize = 300;

/// Deltas in the order in which they came.
#[derive(Debug, Default)]
pub struct Held {
    deltas: VecDeque<Delta>,
    paused: bool,
}

impl Held {
    /// Keeps `delta`; answers whether sampling is to be paused now.
    pub fn push(&mut self, delta: Delta) -> bool {
        self.deltas.push_back(delta);
        let pause = self.deltas.len() >= FROZEN_DELTAS_MAX && !self.paused;
        self.paused |= pause;
        pause
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.deltas.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty()
    }

    /// Whether sampling was paused because too many wait.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How much newer than `shown` the newest one is.
    pub fn behind(&self, shown: Timestamp) -> Duration {
        self.deltas.back().map_or(Duration::ZERO, |delta| delta.at.since(shown))
    }

    /// The oldest one.
    pub fn take(&mut self) -> Option<Delta> {
        self.deltas.pop_front()
    }

    /// Nothing holds the deltas any more; answers whether sampling was paused for them.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.paused)
    }
}
