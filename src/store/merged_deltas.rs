//! Many deltas as one, for a screen that is held still: the newest state of each socket, so that what waits is bounded by
//! the sockets there are, not by how long the screen is held.
//!
//! Taking the merged one in leaves what taking in each of them would have left: rows, counts, owners, ages, the log,
//! histories of counts and counters (a property test holds it). Merging a delta costs time in proportion to what changed
//! in it, in slices.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::model::delta::{Connection, Delta, EventSource, Gap, ObservedSocket, Removed, Transition};
use crate::model::memory::{TableSize, close_gaps};
use crate::model::socket::{Socket, SocketId};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::attempt_history::AttemptHistory;
use crate::store::counters::CounterHistory;
use crate::store::history::History;
use crate::store::log::{GAPS_MAX, LOG_LEN_MAX};
use crate::store::port_churn::PortChurn;
use crate::store::rows::{CLOSED_TIME, MARK_TIME, Rows};
use crate::store::socket_counts::SocketCounts;

/// Deltas that were merged into one. The store must not change between the first of them and the taking in.
#[derive(Debug)]
pub struct MergedDeltas {
    /// All of the newest but its rows, transitions and gaps.
    newest: Delta,
    /// How many there were.
    deltas: u64,
    slots: Vec<Option<PendingRow>>,
    free: Vec<u32>,
    places: FxHashMap<SocketId, u32>,
    /// Sockets that came and went while the screen was held, in the order of their ends: their rows are forgotten once
    /// they would be on the screen no more.
    gone: VecDeque<(Timestamp, SocketId)>,
    /// The last ones.
    transitions: VecDeque<Transition>,
    /// How many there were in all.
    transitions_total: u64,
    gaps: Vec<Gap>,
    pub(super) past: MergedHistories,
}

/// What goes on, sample by sample, while the rows wait.
#[derive(Debug)]
pub(super) struct MergedHistories {
    counts: SocketCounts,
    pub(super) history: History,
    pub(super) counters: CounterHistory,
    pub(super) port_churn: PortChurn,
    pub(super) attempt_history: AttemptHistory,
}

/// What waits for one socket.
#[derive(Debug)]
pub(super) struct PendingRow {
    /// As last seen; `None` if only its end was told.
    pub(super) connection: Option<Connection>,
    /// Its end, and when the delta that told of it was taken.
    pub(super) removed: Option<(Removed, Timestamp)>,
    /// Whether it has no row yet.
    is_new: bool,
}

impl PendingRow {
    /// Whether its marks are over by `now`, and its row has left the screen.
    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        self.removed.is_some_and(|(_, at)| at.after(MARK_TIME) <= now)
    }

    /// Whether it came and left the screen while the rows waited.
    pub(super) fn came_and_left(&self, now: Timestamp) -> bool {
        self.is_new && self.removed.is_some_and(|(_, at)| at.after(CLOSED_TIME) <= now)
    }
}

impl MergedDeltas {
    /// Nothing is merged yet into what waits for `store`.
    pub fn new(store: &Store) -> Self {
        let past = MergedHistories {
            counts: *store.rows.counts(),
            history: store.history.clone(),
            counters: store.counters.clone(),
            port_churn: store.port_churn.clone(),
            attempt_history: store.attempt_history.clone(),
        };
        Self {
            newest: Delta::default(),
            deltas: 0,
            slots: Vec::new(),
            free: Vec::new(),
            places: FxHashMap::default(),
            gone: VecDeque::new(),
            transitions: VecDeque::new(),
            transitions_total: 0,
            gaps: Vec::new(),
            past,
        }
    }

    /// How many deltas are in it.
    pub const fn deltas(&self) -> u64 {
        self.deltas
    }

    /// When the newest of them was taken.
    pub const fn at(&self) -> Timestamp {
        self.newest.at
    }

    /// How many transitions its deltas told of; it keeps the last ones, as the log does.
    pub const fn transitions_total(&self) -> u64 {
        self.transitions_total
    }

    /// What it holds, with what its rows point to.
    pub fn table_sizes(&self) -> Vec<TableSize> {
        let mut slots = TableSize::by("held rows", &self.slots);
        slots.bytes += self.places.len() * size_of::<ObservedSocket>();
        let others = [TableSize::by("held places", &self.places), TableSize::by("held transitions", &self.transitions)];
        [slots].into_iter().chain(others).chain(self.past.history.table_sizes()).collect()
    }

    /// Its memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.table_sizes().iter().map(|held| held.bytes).sum()
    }

    /// Merges rows of `delta` as far as `steps` allows, and at last the rest of it; answers whether that was all. What is
    /// merged is gone from `delta`.
    pub fn take(&mut self, delta: &mut Delta, store: &Store, steps: &mut usize) -> bool {
        let at = delta.at;
        while *steps > 0 {
            *steps -= 1;
            if let Some(connection) = delta.added.pop() {
                self.put(connection, true, &store.rows);
            } else if let Some(connection) = delta.changed.pop() {
                self.put(connection, false, &store.rows);
            } else if let Some(removed) = delta.removed.pop() {
                self.remove(removed, at, &store.rows);
            } else {
                self.finish(std::mem::take(delta), &store.rows);
                return true;
            }
        }
        false
    }

    fn put(&mut self, connection: Connection, is_added: bool, rows: &Rows) {
        let id = connection.socket.id;
        self.count_out(id, rows);
        self.past.counts.add(&connection.socket);
        self.past.attempt_history.see(&connection.socket);
        if let Some(pending) = self.place(id) {
            (pending.connection, pending.removed) = (Some(connection), None);
            return;
        }
        let is_new = is_added && rows.find(id).is_none();
        self.insert(id, PendingRow { connection: Some(connection), removed: None, is_new });
    }

    fn remove(&mut self, removed: Removed, at: Timestamp, rows: &Rows) {
        let id = removed.id;
        if self.count_out(id, rows) {
            match self.place(id) {
                Some(pending) => pending.removed = Some((removed, at)),
                None => self.insert(id, PendingRow { connection: None, removed: Some((removed, at)), is_new: false }),
            }
            self.gone.push_back((at, id));
        }
    }

    /// Counts the socket `id` out as it was before, if it was live.
    fn count_out(&mut self, id: SocketId, rows: &Rows) -> bool {
        let in_store = || rows.find(id).and_then(|index| rows.get(index)).filter(|row| !row.is_closed());
        let pending = self.places.get(&id).and_then(|slot| self.slots[*slot as usize].as_ref());
        let before: Option<&Socket> = match pending {
            Some(pending) if pending.removed.is_some() => None,
            Some(PendingRow { connection: Some(connection), .. }) => Some(&connection.socket),
            _ => in_store().map(|row| &row.connection.socket),
        };
        if let Some(socket) = before {
            self.past.counts.subtract(socket);
        }
        before.is_some()
    }

    fn place(&mut self, id: SocketId) -> Option<&mut PendingRow> {
        let slot = *self.places.get(&id)?;
        self.slots[slot as usize].as_mut()
    }

    fn insert(&mut self, id: SocketId, pending: PendingRow) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("2^32 sockets do not fit into memory")
        });
        self.slots[slot as usize] = Some(pending);
        close_gaps(&mut self.places);
        self.places.insert(id, slot);
    }

    /// Takes in what `delta` has beside its rows.
    fn finish(&mut self, mut delta: Delta, rows: &Rows) {
        let (now, transitions) = (delta.at, std::mem::take(&mut delta.transitions));
        self.past.history.push(now, self.past.counts, &transitions, delta.traffic);
        self.past.counters.push(now, delta.facts.counters.as_ref());
        self.past.port_churn.push(now, &transitions, &delta.facts, rows);
        self.past.attempt_history.push(now, &transitions, &delta.facts);
        self.transitions_total += transitions.len() as u64;
        self.transitions.extend(transitions);
        let excess = self.transitions.len().saturating_sub(LOG_LEN_MAX);
        self.transitions.drain(..excess);
        self.gaps.append(&mut delta.gaps);
        join_gaps(&mut self.gaps);
        self.forget_gone(now);
        self.deltas += 1;
        self.newest = delta;
    }

    /// Forgets the rows of sockets that came and went while the screen was held, once they would have left it.
    fn forget_gone(&mut self, now: Timestamp) {
        while let Some(&(at, id)) = self.gone.front()
            && at.after(MARK_TIME) <= now
        {
            self.gone.pop_front();
            let is_past = self.place(id).is_some_and(|pending| pending.is_new && pending.is_past(now));
            if is_past && let Some(slot) = self.places.remove(&id) {
                self.slots[slot as usize] = None;
                self.free.push(slot);
            }
        }
    }

    /// What the store takes in.
    pub(super) fn into_parts(self) -> (Delta, u64, Vec<Option<PendingRow>>, u64, MergedHistories) {
        let dropped = self.transitions_total - self.transitions.len() as u64;
        let delta = Delta { transitions: self.transitions.into(), gaps: self.gaps, ..self.newest };
        (delta, self.deltas, self.slots, dropped, self.past)
    }
}

/// The oldest gaps of the same events become one where there are too many: what was lost stays counted.
fn join_gaps(gaps: &mut Vec<Gap>) {
    while gaps.len() > GAPS_MAX {
        let oldest = gaps.remove(0);
        let lost = |gap: &Gap| gap.lost.unwrap_or(1).max(1);
        let of: EventSource = oldest.of;
        match gaps.iter_mut().find(|gap| gap.of == of) {
            Some(next) => {
                next.lost = Some(lost(&oldest).saturating_add(lost(next)));
                next.from = next.from.min(oldest.from);
            }
            None => return gaps.insert(0, oldest),
        }
    }
}

#[cfg(test)]
mod tests;
