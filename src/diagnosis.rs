//! Findings: what leaks, since when, why, and what will break next. A table of rules, one file a rule.
//!
//! [`Diagnosis`] looks at the store after each delta, in slices, and keeps one [`Finding`] per cause: the same cause is
//! one finding that updates, not one a second. Reads no clock: "now" is the moment of the last sample.
//!
//! `look` gathers rows into groups (`group`), asks the rule of each (`rule`, `rules`) for its judgement (`case`), and
//! remembers the past of groups for slopes and steadiness (`memory`, `track`).

mod case;
mod destinations;
pub mod finding;
mod group;
mod look;
mod memory;
mod one_cause;
pub mod rule;
mod rules;
mod settle;
mod sharers;
mod side;
mod subject;
pub mod thresholds;
mod track;
mod wording;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::diagnosis::destinations::Destinations;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::look::{Desk, Look};
use crate::diagnosis::memory::Memory;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::memory::Held;
use crate::model::process::ProcessId;
use crate::store::Store;

pub use crate::diagnosis::group::EXAMPLES_MAX;

/// The most findings that are kept in full; the worst ones. See [`Diagnosis::untold`].
pub const FINDINGS_MAX: usize = 64;
/// The most processes whose descriptors are asked for.
pub const DESCRIPTORS_ASKED_MAX: usize = 64;
/// A process with fewer sockets than this is not asked for its descriptors, unless something is wrong with it.
const DESCRIPTORS_ASKED_FROM: u32 = 16;

/// Looks at the store after each delta and remembers what slopes need.
#[derive(Debug, Default)]
pub struct Diagnosis {
    thresholds: Thresholds,
    memory: Memory,
    destinations: Destinations,
    look: Option<Look>,
    findings: Vec<Finding>,
    untold: usize,
}

impl Diagnosis {
    /// One that has seen nothing yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
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
        let Self { thresholds, memory, destinations, look, .. } = self;
        let Some(running) = look else { return true };
        if !running.advance(&mut Desk { store, thresholds, memory, destinations }, steps) {
            return false;
        }
        if let Some(look) = look.take() {
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

    /// The processes whose descriptors the rules want to know: to be added to `Needs::usage`. Ascending, at most
    /// [`DESCRIPTORS_ASKED_MAX`]: those of findings, and those that hold the most sockets, so that there is no reading
    /// of all of /proc.
    pub fn wants_usage(&self, store: &Store) -> Vec<ProcessId> {
        let found = self.findings.iter().flat_map(|finding| &finding.sharers).map(|sharer| sharer.process.id);
        let mut wanted: BTreeSet<ProcessId> =
            found.filter(|process| store.rows().process(*process).is_some()).take(DESCRIPTORS_ASKED_MAX).collect();
        let mut holders: Vec<_> =
            store.rows().holders().filter(|(_, sockets)| *sockets >= DESCRIPTORS_ASKED_FROM).collect();
        // By powers of two, so that those asked for seldom change: a slope needs a past.
        let by_size = |(process, sockets): &(ProcessId, u32)| (Reverse(sockets.ilog2()), *process);
        if holders.len() > DESCRIPTORS_ASKED_MAX {
            holders.select_nth_unstable_by_key(DESCRIPTORS_ASKED_MAX, by_size);
            holders.truncate(DESCRIPTORS_ASKED_MAX);
        }
        holders.sort_unstable_by_key(by_size);
        for (process, _) in holders {
            if wanted.len() == DESCRIPTORS_ASKED_MAX {
                break;
            }
            wanted.insert(process);
        }
        wanted.into_iter().collect()
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
