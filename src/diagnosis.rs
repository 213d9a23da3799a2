//! Findings: what leaks, since when, why, and what will break next. A table of rules, one file a rule.
//!
//! [`Diagnosis`] looks at the store after each delta, in slices, and keeps one [`Finding`] per cause: the same cause is
//! one finding that updates, not one a second. Reads no clock: "now" is the moment of the last sample.
//!
//! `look` gathers rows into groups (`group`), asks the rule of each (`rule`, `rules`) for its judgement (`case`), and
//! remembers the past of groups for slopes and steadiness (`memory`, `track`).

mod attempts;
mod case;
mod causes;
mod connects;
mod definition;
mod desk;
mod destinations;
mod dropped_syns;
pub mod finding;
mod flow;
mod group;
pub mod ignore;
mod kernel_timers;
mod listener_text;
mod look;
mod lookups;
mod memory;
mod one_cause;
mod other_end;
mod reading;
pub mod rule;
mod rules;
mod settle;
mod sharers;
mod side;
mod stalled;
mod subject;
pub mod thresholds;
mod track;
mod wording;

use crate::diagnosis::desk::Desk;
use crate::diagnosis::destinations::Destinations;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::ignore::{IGNORES_MAX, Ignore};
use crate::diagnosis::look::Look;
use crate::diagnosis::memory::Memory;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::memory::Held;
use crate::store::Store;

pub use crate::diagnosis::group::EXAMPLES_MAX;
pub use crate::diagnosis::settle::FINDINGS_MAX;

/// Looks at the store after each delta and remembers what slopes need.
#[derive(Debug, Default)]
pub struct Diagnosis {
    thresholds: Thresholds,
    memory: Memory,
    destinations: Destinations,
    look: Option<Look>,
    findings: Vec<Finding>,
    untold: usize,
    ignores: Vec<Ignore>,
    ignored: usize,
}

impl Diagnosis {
    /// One that has seen nothing yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// The same, silent about what the user has acknowledged (the first [`IGNORES_MAX`] of it).
    #[must_use]
    pub fn ignoring(self, mut ignores: Vec<Ignore>) -> Self {
        ignores.truncate(IGNORES_MAX);
        Self { ignores, ..self }
    }

    /// Begins a look at `store`, after each delta that it took in. A look that was not finished is dropped.
    pub fn begin(&mut self, store: &Store) {
        if store.deltas() == 0 {
            return;
        }
        if store.at() < self.memory.at {
            self.destinations = Destinations::default();
        }
        self.memory.begin(store);
        self.look = Some(Look::new());
    }

    /// Goes on with the look as far as `steps` allows (one step is about one row); answers whether it is finished, so
    /// that [`findings`](Self::findings) are those of now. The store must not change during a look.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let Self { thresholds, memory, destinations, ignores, look, .. } = self;
        let Some(running) = look else { return true };
        if !running.advance(&mut Desk { store, thresholds, memory, destinations, ignores }, steps) {
            return false;
        }
        if let Some(look) = look.take() {
            self.ignored = look.findings.ignored();
            (self.findings, self.untold) = look.findings.into_sorted();
        }
        true
    }

    /// The whole look at once.
    pub fn observe(&mut self, store: &Store) {
        self.begin(store);
        while !self.advance(store, &mut usize::MAX.clone()) {}
    }

    /// What is wrong, the worst first; at most [`FINDINGS_MAX`]. The order changes only with severity and size.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many more there are, each smaller than those.
    pub const fn untold(&self) -> usize {
        self.untold
    }

    /// How many findings there are that the user has acknowledged: they are not among the others.
    pub const fn ignored(&self) -> usize {
        self.ignored
    }

    /// What its tables hold: they are bounded by named limits.
    pub fn held(&self) -> Vec<Held> {
        self.memory.held().into_iter().chain([self.destinations.held()]).collect()
    }

    /// The limits that the rules compare with.
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }
}

#[cfg(test)]
mod tests;
