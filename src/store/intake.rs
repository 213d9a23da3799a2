//! A delta on its way into the store: row by row, in as many slices as the caller likes.

use std::vec::IntoIter;

use crate::model::delta::{Connection, Delta, Removed};
use crate::store::Store;
use crate::store::pressure::PRESSURE_WINDOW;
use crate::store::rows::Touched;

/// Taking one row in costs as much as looking at so many.
const STEPS_A_ROW: usize = 4;
/// Steps that a delta costs beside its rows.
const STEPS_BASE: usize = 16;

/// A delta of which some rows are in the store and some are not yet.
///
/// Until it is finished the store tells the time and the counts of the delta before; only rows may be newer.
#[derive(Debug)]
pub struct Intake {
    /// All but the rows.
    delta: Delta,
    rows: std::iter::Chain<IntoIter<Connection>, IntoIter<Connection>>,
    removed: IntoIter<Removed>,
    first: bool,
    touched: Touched,
}

impl Store {
    /// Begins to take `delta` in.
    pub fn begin(&mut self, mut delta: Delta) -> Intake {
        let added = std::mem::take(&mut delta.added);
        let changed = std::mem::take(&mut delta.changed);
        let removed = std::mem::take(&mut delta.removed);
        self.rows.reserve(added.len());
        Intake {
            rows: added.into_iter().chain(changed),
            removed: removed.into_iter(),
            first: self.history.samples().is_empty(),
            touched: Touched::default(),
            delta,
        }
    }

    /// Takes in as many rows as `steps` allows, each for some steps; answers whether all are in.
    pub fn advance(&mut self, intake: &mut Intake, steps: &mut usize) -> bool {
        let at = intake.delta.at;
        while *steps > 0 {
            *steps = steps.saturating_sub(STEPS_A_ROW);
            if let Some(connection) = intake.rows.next() {
                self.rows.put(connection, at, intake.first, &mut intake.touched);
            } else if let Some(removed) = intake.removed.next() {
                self.rows.close(removed, at, &mut intake.touched);
            } else {
                *steps = steps.saturating_sub(STEPS_BASE);
                return true;
            }
        }
        false
    }

    /// The rest of a delta whose rows are all in; says which rows it touched.
    pub fn finish(&mut self, intake: Intake) -> Touched {
        let Intake { delta, mut touched, .. } = intake;
        let Delta { at, wall, took, transitions, coverage, names, facts, usage, details, .. } = delta;
        (self.rhythm, self.tellers) = (delta.rhythm, delta.tellers);
        self.rows.finish(at, &mut touched);
        self.history.push(at, *self.rows.counts(), &transitions);
        self.paths.extend(&transitions, |id| self.rows.find(id).is_some());
        self.routes.push(at, &transitions, &facts, &self.rows);
        self.counters.push(at, facts.counters);
        self.pressure.update(at, self.counters.growth(PRESSURE_WINDOW), &facts, &self.rows);
        self.log.extend(transitions);
        self.log.note_gaps(delta.gaps);
        (self.at, self.wall, self.took) = (at, wall, took);
        (self.coverage, self.names, self.facts) = (coverage, names, facts);
        // Only what was asked for comes, so the tables are as small as the screen.
        self.usage = usage.into_iter().collect();
        self.details = details.into_iter().collect();
        self.deltas += 1;
        self.unlisted.clear();
        self.unlisted.extend(&delta.unlisted);
        touched
    }
}
