//! Snapshots in, deltas out: identity, transitions, clocks of states, the remembered owner.
//!
//! Reads no clock: all times come from the snapshots, so that a recording tracks exactly as it did live.

pub mod clocks;
pub mod identity;
pub mod owner_memory;

use crate::model::delta::Delta;
use crate::model::snapshot::Snapshot;

/// Remembers the last sample and says what the next one changes.
#[derive(Debug, Default)]
pub struct Tracker {}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `snapshot` changes. The first one only adds: nothing is reported as opened.
    pub fn update(&mut self, snapshot: &Snapshot) -> Delta {
        Delta { at: snapshot.at, wall: snapshot.wall, took: snapshot.took, ..Delta::default() }
    }
}
