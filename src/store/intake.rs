//! A delta on its way into the store: row by row, in as many slices as the caller likes.

use std::vec::IntoIter;

use rustc_hash::FxHashSet;

use crate::model::delta::{Connection, Delta, Removed};
use crate::model::endpoint::Protocol;
use crate::store::Store;
use crate::store::alike_keys;
use crate::store::merged_deltas::{MergedDeltas, MergedHistories, PendingRow};
use crate::store::pressure::PRESSURE_WINDOW;
use crate::store::row::RowIndex;
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
    /// Those of deltas that were merged, and how far they are taken in.
    merged: Option<MergedRows>,
    first: bool,
    touched: Touched,
    /// How far the rows that it touches are put into the sets of those that are alike; `None` before all rows are in.
    placing: Option<Placing>,
}

/// Rows on their way into the sets of those that are alike.
#[derive(Debug)]
struct Placing {
    /// The next of those that the delta touches.
    next: usize,
    /// Ports at which listeners have changed, and the next row that may be a connection there.
    ports: FxHashSet<(Protocol, u16)>,
    next_at_ports: RowIndex,
}

/// The rows of merged deltas. Those that would have left the screen by now come first, so that marks end in order.
#[derive(Debug)]
struct MergedRows {
    deltas: u64,
    slots: Vec<Option<PendingRow>>,
    /// The next slot, in the first or the second pass.
    next: usize,
    is_second_pass: bool,
    dropped: u64,
    past: MergedHistories,
}

impl Store {
    /// Begins to take `delta` in.
    pub fn begin(&mut self, mut delta: Delta) -> Intake {
        let added = std::mem::take(&mut delta.added);
        let changed = std::mem::take(&mut delta.changed);
        let removed = std::mem::take(&mut delta.removed);
        self.rows.reserve(added.len());
        self.rows.alike_mut().begin(delta.at);
        let touched = Touched {
            added: Vec::with_capacity(added.len()),
            changed: Vec::with_capacity(changed.len()),
            renewed: Vec::with_capacity(changed.len()),
            purged: Vec::new(),
        };
        Intake {
            rows: added.into_iter().chain(changed),
            removed: removed.into_iter(),
            first: self.history.samples().is_empty(),
            merged: None,
            touched,
            placing: None,
            delta,
        }
    }

    /// Begins to take in deltas that were merged.
    pub fn begin_merged(&mut self, merged: MergedDeltas) -> Intake {
        let (delta, deltas, slots, dropped, past) = merged.into_parts();
        self.rows.reserve(slots.len());
        let rows = MergedRows { deltas, slots, next: 0, is_second_pass: false, dropped, past };
        Intake { merged: Some(rows), ..self.begin(delta) }
    }

    /// Takes in as many rows as `steps` allows, each for some steps; answers whether all are in.
    pub fn advance(&mut self, intake: &mut Intake, steps: &mut usize) -> bool {
        let at = intake.delta.at;
        if intake.placing.is_some() {
            return self.advance_placing(intake, steps);
        }
        while *steps > 0 {
            *steps = steps.saturating_sub(STEPS_A_ROW);
            if let Some(connection) = intake.rows.next() {
                self.attempt_history.see(&connection.socket);
                self.rows.put(connection, at, intake.first, &mut intake.touched);
            } else if let Some(removed) = intake.removed.next() {
                self.rows.close(removed, at, &mut intake.touched);
            } else if !self.advance_merged(intake) {
                return self.advance_placing(intake, steps);
            }
        }
        false
    }

    /// Puts the rows that the delta touches into the sets of those that are alike, then those at ports whose listeners have
    /// changed; answers whether all are there.
    fn advance_placing(&mut self, intake: &mut Intake, steps: &mut usize) -> bool {
        let mut placing = intake.placing.take().unwrap_or_else(|| {
            self.renew_listeners();
            let ports = self.rows.alike_mut().take_changed_ports();
            Placing { next: 0, ports, next_at_ports: RowIndex(0) }
        });
        let touched = [&intake.touched.added, &intake.touched.renewed];
        let is_done = loop {
            if *steps == 0 {
                break false;
            }
            *steps -= 1;
            let next = placing
                .next
                .checked_sub(touched[0].len())
                .map_or_else(|| touched[0].get(placing.next), |next| touched[1].get(next));
            if let Some(index) = next {
                placing.next += 1;
                self.place_alike(*index);
            } else if !self.place_at_changed_port(&mut placing) {
                *steps = steps.saturating_sub(STEPS_BASE);
                break true;
            }
        };
        intake.placing = Some(placing);
        is_done
    }

    /// Looks at one more row, whether it is a connection at a port whose listeners have changed; answers whether there was one.
    fn place_at_changed_port(&mut self, placing: &mut Placing) -> bool {
        if placing.ports.is_empty() {
            return false;
        }
        let Some((index, row)) = self.rows.first_from(placing.next_at_ports) else { return false };
        placing.next_at_ports = RowIndex(index.0 + 1);
        let socket = &row.connection.socket;
        if placing.ports.contains(&(socket.protocol, socket.local.port)) {
            self.place_alike(index);
        }
        true
    }

    fn place_alike(&mut self, index: RowIndex) {
        self.listeners();
        let Self { rows, listeners, .. } = self;
        if let Some(listeners) = listeners.get() {
            rows.place_alike(index, |alike, row| alike_keys::place(alike, listeners, index, row));
        }
    }

    /// Takes in one row of merged deltas, if there is one left.
    fn advance_merged(&mut self, intake: &mut Intake) -> bool {
        let (now, first) = (intake.delta.at, intake.first);
        let Some(merged) = &mut intake.merged else { return false };
        let Some(slot) = merged.slots.get_mut(merged.next) else {
            merged.next = 0;
            return !std::mem::replace(&mut merged.is_second_pass, true);
        };
        merged.next += 1;
        let is_due = |pending: &PendingRow| merged.is_second_pass || pending.is_past(now);
        let Some(pending) = slot.take_if(|pending| is_due(pending)) else { return true };
        if pending.came_and_left(now) {
            return true;
        }
        let at = pending.removed.map_or(now, |(_, at)| at);
        if let Some(connection) = pending.connection {
            self.rows.put(connection, at, first, &mut intake.touched);
        }
        if let Some((removed, at)) = pending.removed {
            self.rows.close(removed, at, &mut intake.touched);
        }
        true
    }

    /// The rest of a delta whose rows are all in; says which rows it touched.
    pub fn finish(&mut self, intake: Intake) -> Touched {
        let Intake { delta, mut touched, merged, .. } = intake;
        let Delta { at, wall, took, transitions, coverage, names, facts, usage, descriptors, details, .. } = delta;
        (self.sample_intervals, self.event_status, self.as_of) =
            (delta.sample_intervals, delta.event_status, delta.as_of);
        let first_at = *self.first_at.get_or_insert(at);
        // Before the rows of what ended leave.
        let before_wait = self.rows.take_before_wait();
        self.closed.take(&transitions, &self.rows, &before_wait, first_at);
        self.rows.finish(at, &mut touched);
        self.paths.extend(&transitions, |id| self.rows.find(id).is_some());
        if let Some(merged) = merged {
            (self.history, self.counters) = (merged.past.history, merged.past.counters);
            (self.port_churn, self.attempt_history) = (merged.past.port_churn, merged.past.attempt_history);
            self.log.skip(merged.dropped);
            self.deltas += merged.deltas.saturating_sub(1);
        } else {
            self.history.push(at, *self.rows.counts(), &transitions, delta.traffic);
            self.port_churn.push(at, &transitions, &facts, &self.rows);
            self.counters.push(at, facts.counters.as_ref());
            self.attempt_history.push(at, &transitions, &facts);
        }
        self.pressure.update(at, self.counters.growth(PRESSURE_WINDOW).as_ref(), &facts, &self.rows);
        self.network.push(at, delta.network);
        self.log.extend(transitions);
        self.log.note_gaps(delta.gaps);
        (self.at, self.wall, self.took) = (at, wall, took);
        if delta.is_overtaken {
            self.overtaken_at = at;
        }
        (self.coverage, self.names, self.facts) = (coverage, names, facts);
        // Only what was asked for comes, so the tables are as small as the screen.
        self.usage = usage.into_iter().collect();
        self.descriptors = descriptors;
        self.details = details.into_iter().collect();
        self.host_statuses = delta.host_statuses;
        self.deltas += 1;
        self.unlisted.clear();
        self.unlisted.extend(&delta.unlisted);
        self.attempt_history.note_under_way(&self.rows, |id| self.unlisted.contains(&id));
        touched
    }
}
