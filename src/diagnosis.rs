//! Findings: what leaks, since when, why, and what will break next. A table of rules, one file a rule.
//!
//! [`Diagnosis`] looks at the store after each delta, in slices, and keeps one [`Finding`] per cause: the same cause is
//! one finding that updates, not one a second. Reads no clock: "now" is the moment of the last sample.
//!
//! `evaluation` gathers rows into groups (`group`), asks the rule of each (`rule`, `rules`) for its judgement (`case`), and
//! remembers the past of groups for slopes and steadiness (`memory`, `track`).

pub mod by_host;
mod case;
mod causes;
mod connect_attempts;
mod connects;
mod definition;
mod destinations;
mod dns_lookups;
mod dropped_syns;
mod evaluation;
mod evaluator;
pub mod finding;
mod group;
mod group_history;
mod group_processes;
pub mod ignore;
mod kernel_timers;
mod listener_text;
mod memory;
mod one_cause;
mod other_end;
mod queue_progress;
mod reader_progress;
pub mod rule;
mod rules;
mod settle;
mod side;
mod stalled;
mod subject;
pub mod thresholds;
mod wording;

use crate::diagnosis::destinations::Destinations;
use crate::diagnosis::evaluation::Evaluation;
use crate::diagnosis::evaluator::GroupEvaluator;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::ignore::{IGNORES_MAX, Ignore};
use crate::diagnosis::memory::Memory;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::memory::TableSize;
use crate::store::Store;

pub use crate::diagnosis::group::EXAMPLES_MAX;
pub use crate::diagnosis::settle::FINDINGS_MAX;

/// Looks at the store after each delta and remembers what slopes need.
#[derive(Debug, Default)]
pub struct Diagnosis {
    thresholds: Thresholds,
    memory: Memory,
    destinations: Destinations,
    evaluation: Option<Evaluation>,
    findings: Vec<Finding>,
    left_out: usize,
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

    /// One with the same settings that has seen nothing yet.
    #[must_use]
    pub fn forgetful(&self) -> Self {
        Self { thresholds: self.thresholds.clone(), ignores: self.ignores.clone(), ..Self::default() }
    }

    /// Begins an evaluation at `store`, after each delta that it took in. An evaluation that was not finished is dropped.
    pub fn begin(&mut self, store: &Store) {
        if store.deltas() == 0 {
            return;
        }
        if store.at() < self.memory.at {
            self.destinations = Destinations::default();
        }
        self.memory.begin(store);
        self.evaluation = Some(Evaluation::new());
    }

    /// Goes on with the evaluation as far as `steps` allows (one step is about one row); answers whether it is finished, so
    /// that [`findings`](Self::findings) are those of now. The store must not change during an evaluation.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let Self { thresholds, memory, destinations, ignores, evaluation, .. } = self;
        let Some(running) = evaluation else { return true };
        if !running.advance(&mut GroupEvaluator { store, thresholds, memory, destinations, ignores }, steps) {
            return false;
        }
        if let Some(evaluation) = evaluation.take() {
            self.ignored = evaluation.findings.ignored();
            (self.findings, self.left_out) = evaluation.findings.into_sorted();
        }
        true
    }

    /// The whole evaluation at once.
    pub fn observe(&mut self, store: &Store) {
        self.begin(store);
        while !self.advance(store, &mut usize::MAX.clone()) {}
    }

    /// What is wrong, the worst first; at most [`FINDINGS_MAX`]. The order changes only with severity and size.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many more there are, each smaller than those.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// How many findings there are that the user has acknowledged: they are not among the others.
    pub const fn ignored(&self) -> usize {
        self.ignored
    }

    /// What its tables hold: they are bounded by named limits.
    pub fn table_sizes(&self) -> Vec<TableSize> {
        self.memory.table_sizes().into_iter().chain([self.destinations.table_sizes()]).collect()
    }

    /// The limits that the rules compare with.
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }
}

#[cfg(test)]
mod tests;
