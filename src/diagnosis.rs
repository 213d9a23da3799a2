//! Findings: what leaks, since when, why, and what will break next. A table of rules, one file a rule.
//!
//! [`Diagnosis`] looks at the store after each delta, in slices, and keeps one [`Finding`] per cause: the same cause is
//! one finding that updates, not one a second. Reads no clock: "now" is the moment of the last sample.

pub mod finding;
pub mod rule;
pub mod thresholds;

use crate::diagnosis::finding::Finding;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::process::ProcessId;
use crate::store::Store;

/// The most findings that are kept in full; the worst ones. See [`Diagnosis::untold`].
pub const FINDINGS_MAX: usize = 64;
/// The most processes whose descriptors are asked for.
pub const DESCRIPTORS_ASKED_MAX: usize = 64;

/// Looks at the store after each delta and remembers what slopes need.
#[derive(Debug, Default)]
pub struct Diagnosis {
    thresholds: Thresholds,
    findings: Vec<Finding>,
    untold: usize,
}

impl Diagnosis {
    /// One that has seen nothing yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// Begins a look at `store`, after each delta that it took in. A look that was not finished is dropped.
    pub fn begin(&mut self, _store: &Store) {}

    /// Goes on with the look as far as `steps` allows (one step is about one row); answers whether it is finished, so
    /// that [`findings`](Self::findings) are those of now. The store must not change during a look.
    pub fn advance(&mut self, _store: &Store, _steps: &mut usize) -> bool {
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
    /// [`DESCRIPTORS_ASKED_MAX`]: those that hold the most sockets, so that there is no reading of all of /proc.
    pub fn wants_usage(&self, _store: &Store) -> Vec<ProcessId> {
        Vec::new()
    }

    /// The limits that the rules compare with.
    pub const fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }
}
