//! Sockets that are alike, added up: those of one process, with one peer, in one state. Where a machine is in trouble
//! many are alike, and the tables that show causes are made of these sums.
//!
//! Sums are kept as rows come, change and go, so that no sample is added up anew. Beside the sums a row costs four bytes
//! here: the number of the set that it is in. Which set that is, is decided when all rows of a delta are in
//! (`alike_keys`), because it depends on who listens. The oldest of a set is searched again only
//! when somebody asks and the one that was known has left.

pub mod history;
pub mod key;

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::model::delta::{Connection, Since, Traffic};
use crate::model::endpoint::Protocol;
use crate::model::memory::TableSize;
use crate::model::process::Process;
use crate::model::socket::{CloseWaitVerdict, Socket};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::store::alike::history::{AlikeHistory, Trend, TrendSlot};
#[cfg(doc)]
use crate::store::alike::key::AlikeOwner;
use crate::store::alike::key::{AlikeKey, AlikePeer, NameId};
use crate::store::row::RowIndex;

/// From so many sets on, remote ends that are new share one ([`AlikePeer::Others`]) for each owner and state: a set takes
/// some 500 bytes, and all of them are added up to lines after each sample that changes one.
pub const ALIKE_MAX: usize = 4_096;
/// So many of them have a history.
const HISTORIES_MAX: usize = 4_096;
/// How long a set without a socket is remembered, with its history.
const EMPTY_KEPT: Duration = Duration::from_secs(128);
/// So many sets without a socket are remembered at most.
const EMPTY_MAX: usize = 1_024;
/// The number of no set.
const NO_SET: u32 = u32::MAX;
/// Every verdict, in the order of the counts of [`AlikeSums`].
const VERDICTS: [CloseWaitVerdict; 4] = [
    CloseWaitVerdict::MissingClose,
    CloseWaitVerdict::NotReading,
    CloseWaitVerdict::StuckReader,
    CloseWaitVerdict::NotAccepted,
];

/// What sockets add up to. Queues and rates are as old as the last sample that listed their sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlikeSums {
    /// How many.
    pub sockets: u32,
    /// Bytes received and not read, listeners aside.
    pub receive_queue_bytes: u64,
    /// Bytes sent and not acknowledged, listeners aside.
    pub send_queue_bytes: u64,
    /// Connections that wait to be accepted, of listeners.
    pub backlog: u64,
    /// How many may wait, of listeners.
    pub backlog_limit: u64,
    /// Payload received, in bytes per second, whole ones: so that what is taken away is what was added.
    pub received_per_second: u64,
    /// Payload sent, likewise.
    pub sent_per_second: u64,
    /// How many have rates.
    with_rates: u32,
    /// How many have each verdict, in the order of [`VERDICTS`].
    verdicts: [u32; VERDICTS.len()],
}

impl AlikeSums {
    /// What one socket comes to.
    pub fn of(connection: &Connection) -> Self {
        let socket: &Socket = &connection.socket;
        let mut sums = Self { sockets: 1, ..Self::default() };
        let queues = socket.queues.unwrap_or_default();
        let (receive, send) = (u64::from(queues.receive), queues.send.map_or(0, u64::from));
        if socket.is_listener() {
            (sums.backlog, sums.backlog_limit) = (receive, send);
        } else {
            (sums.receive_queue_bytes, sums.send_queue_bytes) = (receive, send);
        }
        if let Some(rates) = connection.rates() {
            let Traffic { received, sent } = rates.whole();
            (sums.received_per_second, sums.sent_per_second) = (received, sent);
            sums.with_rates = 1;
        }
        if let Some(place) = socket.verdict().and_then(|verdict| VERDICTS.iter().position(|other| *other == verdict)) {
            sums.verdicts[place] = 1;
        }
        sums
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_add, u32::wrapping_add);
    }

    /// Takes `other`, which was added before, away.
    fn subtract(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_sub, u32::wrapping_sub);
    }

    fn combine(&mut self, other: &Self, long: fn(u64, u64) -> u64, short: fn(u32, u32) -> u32) {
        self.sockets = short(self.sockets, other.sockets);
        self.receive_queue_bytes = long(self.receive_queue_bytes, other.receive_queue_bytes);
        self.send_queue_bytes = long(self.send_queue_bytes, other.send_queue_bytes);
        self.backlog = long(self.backlog, other.backlog);
        self.backlog_limit = long(self.backlog_limit, other.backlog_limit);
        self.received_per_second = long(self.received_per_second, other.received_per_second);
        self.sent_per_second = long(self.sent_per_second, other.sent_per_second);
        self.with_rates = short(self.with_rates, other.with_rates);
        for (sum, more) in self.verdicts.iter_mut().zip(other.verdicts) {
            *sum = short(*sum, more);
        }
    }

    /// Whether any has rates.
    pub const fn has_rates(&self) -> bool {
        self.with_rates > 0
    }

    /// The verdict that most have, and how many that are; `None` where none has one.
    pub fn verdict(&self) -> Option<(CloseWaitVerdict, u32)> {
        let most = (0..VERDICTS.len()).rev().max_by_key(|place| self.verdicts[*place])?;
        (self.verdicts[most] > 0).then_some((VERDICTS[most], self.verdicts[most]))
    }
}

/// The sockets with one [`AlikeKey`].
#[derive(Debug)]
pub struct AlikeSockets {
    /// What they have in common.
    pub key: AlikeKey,
    /// The process of the key; of [`AlikeOwner::Remembered`], the last that was seen.
    pub process: Option<Arc<Process>>,
    /// The number of that process's name.
    pub name: Option<NameId>,
    /// What they add up to.
    pub sums: AlikeSums,
    oldest: OldestSocket,
    /// The one that came last, if it is still there.
    latest: RowIndex,
    history: Option<Box<AlikeHistory>>,
    /// Since when there is none of them.
    empty_since: Option<Timestamp>,
}

/// The socket of a set that has been in its state longest.
#[derive(Clone, Copy, Debug, Default)]
struct OldestSocket {
    found: Option<(Since, RowIndex)>,
    /// It has left, and the next one is not known.
    is_stale: bool,
}

impl OldestSocket {
    /// Takes note of one more.
    fn note(&mut self, since: Option<Since>, index: RowIndex) {
        let Some(since) = since else { return };
        if self.found.is_none_or(|(oldest, row)| (since.at, index) < (oldest.at, row)) {
            self.found = Some((since, index));
        }
    }
}

impl AlikeSockets {
    /// Since when the oldest is in its state; `None` where nothing tells. Until the oldest is searched again
    /// ([`AlikeTable::is_stale`]) it is the oldest of those that came meanwhile.
    pub fn oldest(&self) -> Option<Since> {
        self.oldest.found.map(|(since, _)| since)
    }
}

/// All sets of sockets that are alike.
#[derive(Debug, Default)]
pub struct AlikeTable {
    /// The set that each row is in.
    of_row: Vec<u32>,
    sets: Vec<Option<AlikeSockets>>,
    free: Vec<u32>,
    /// Sets by what their sockets have in common.
    places: HashTable<u32>,
    names: FxHashMap<DisplayText, NameUse>,
    /// The last number that was given to a name.
    last_name: u32,
    histories: usize,
    /// Sets that had no socket left then.
    empty: VecDeque<(Timestamp, u32)>,
    /// How many connections there are at each port of ours.
    at_port: FxHashMap<(Protocol, u16), u32>,
    /// Ports at which listeners came, went or changed hands: what came in there may be in another set now.
    changed_ports: FxHashSet<(Protocol, u16)>,
    /// Whether the oldest socket of a set may have to be searched again.
    is_stale: bool,
    search: Option<OldestSearch>,
    now: Timestamp,
    /// When the first delta came.
    begun: Option<Timestamp>,
    version: u64,
}

/// The number of a name, and how many sets have it.
#[derive(Debug)]
struct NameUse {
    id: NameId,
    sets: u32,
}

/// A search for the oldest sockets of the sets that have lost theirs.
#[derive(Debug, Default)]
struct OldestSearch {
    next: usize,
    found: FxHashMap<u32, OldestSocket>,
}

fn hash(key: &AlikeKey) -> u64 {
    FxBuildHasher.hash_one(key)
}

impl AlikeTable {
    /// Every set that has a socket, with its number, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &AlikeSockets)> {
        let numbered = self.sets.iter().enumerate();
        let found = numbered.filter_map(|(number, set)| Some((u32::try_from(number).ok()?, set.as_ref()?)));
        found.filter(|(_, set)| set.sums.sockets > 0)
    }

    /// The set `number`.
    pub fn get(&self, number: u32) -> Option<&AlikeSockets> {
        self.sets.get(number as usize)?.as_ref()
    }

    /// The set that the row at `index` is in; `None` for a closed one.
    pub fn set_of(&self, index: RowIndex) -> Option<u32> {
        self.of_row.get(index.0 as usize).copied().filter(|set| *set != NO_SET)
    }

    /// A number above that of every set.
    pub const fn end(&self) -> usize {
        self.sets.len()
    }

    /// One of the rows of the set `number`: the oldest, else the one that came last, while either is there.
    pub fn example(&self, number: u32) -> Option<RowIndex> {
        let set = self.get(number)?;
        let oldest = set.oldest.found.map(|(_, row)| row);
        oldest.into_iter().chain([set.latest]).find(|row| self.set_of(*row) == Some(number))
    }

    /// How many sockets the set `number` had over the last two minutes; `None` where too many sets have a history.
    pub fn trend(&self, number: u32) -> Option<Trend> {
        let history = self.get(number)?.history.as_ref()?;
        Some(history.trend(self.slot(), TrendSlot::of(self.begun?)))
    }

    /// How many sockets came into the set `number` per second, over the last minute at most.
    pub fn opened_per_second(&self, number: u32) -> Option<f64> {
        self.get(number)?.history.as_ref()?.opened_per_second(self.slot(), TrendSlot::of(self.begun?))
    }

    /// Another number after everything that changes what it tells, the passing of time aside.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The part of time that is under way: trends move with it.
    pub fn slot(&self) -> TrendSlot {
        TrendSlot::of(self.now)
    }

    /// When the first delta came.
    pub fn begun(&self) -> Timestamp {
        self.begun.unwrap_or(self.now)
    }

    /// Whether the oldest socket of a set may have to be searched again.
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 3] {
        let bytes = self.sets.capacity() * size_of::<Option<AlikeSockets>>()
            + self.histories * size_of::<AlikeHistory>()
            + self.places.capacity() * size_of::<u32>();
        [
            TableSize::by("sets of rows", &self.of_row),
            TableSize { what: "sockets alike", len: self.sets.len() - self.free.len(), bytes },
            TableSize::by("connections at ports", &self.at_port),
        ]
    }

    /// A delta of `now` begins.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.search = None;
        self.now = now;
        self.begun.get_or_insert(now);
        while let Some(&(since, number)) = self.empty.front()
            && (now.since(since) >= EMPTY_KEPT || self.empty.len() > EMPTY_MAX)
        {
            self.empty.pop_front();
            if self.get(number).is_some_and(|set| set.empty_since == Some(since)) {
                self.remove(number);
            }
        }
    }

    /// A row exists from now on; which set it is in is decided later.
    pub(super) fn enter(&mut self, index: RowIndex, socket: &Socket) {
        if self.of_row.len() <= index.0 as usize {
            self.of_row.resize(index.0 as usize + 1, NO_SET);
        }
        if let Some(port) = port_of_connection(socket) {
            *self.at_port.entry(port).or_default() += 1;
        }
    }

    /// Makes room for `rows` more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.of_row.reserve(rows);
    }

    /// What is in the row at `index` was `old` and is `new`.
    pub(super) fn change(&mut self, index: RowIndex, old: &Connection, new: &Connection) {
        let (from, to) = (port_of_connection(&old.socket), port_of_connection(&new.socket));
        if from != to {
            self.leave_port(from);
            if let Some(port) = to {
                *self.at_port.entry(port).or_default() += 1;
            }
        }
        let Some(number) = self.set_of(index) else { return };
        let Some(set) = self.sets[number as usize].as_mut() else { return };
        set.sums.subtract(&AlikeSums::of(old));
        set.sums.add(&AlikeSums::of(new));
        self.version += 1;
    }

    /// The row at `index`, which was `connection`, is closed.
    pub(super) fn leave(&mut self, index: RowIndex, connection: &Connection) {
        self.leave_port(port_of_connection(&connection.socket));
        self.leave_set(index, connection);
    }

    fn leave_port(&mut self, port: Option<(Protocol, u16)>) {
        let Some(port) = port else { return };
        if let Some(count) = self.at_port.get_mut(&port) {
            *count -= 1;
            if *count == 0 {
                self.at_port.remove(&port);
            }
        }
    }

    /// A listener at `port` came, went or changed hands.
    pub(super) fn note_listener(&mut self, port: (Protocol, u16)) {
        self.changed_ports.insert(port);
    }

    /// The ports at which listeners have changed and there are connections; there are none from now on.
    pub(super) fn take_changed_ports(&mut self) -> FxHashSet<(Protocol, u16)> {
        let mut ports = std::mem::take(&mut self.changed_ports);
        // Of the first delta every row is put into its set anyway.
        let has_rows = !self.places.is_empty();
        ports.retain(|port| has_rows && self.at_port.contains_key(port));
        ports
    }

    /// The number of `name`, if a set has it.
    pub(super) fn name(&mut self, name: &DisplayText) -> NameId {
        if let Some(known) = self.names.get(name) {
            return known.id;
        }
        self.last_name += 1;
        let id = NameId(self.last_name);
        self.names.insert(name.clone(), NameUse { id, sets: 0 });
        id
    }

    /// Puts the row at `index`, which is live, into the set of `key`, if it is not there already.
    pub(super) fn place(&mut self, index: RowIndex, row: &Connection, key: AlikeKey, process: Option<&Arc<Process>>) {
        let number = match self.set_of(index) {
            Some(number) if self.has(number, key) => {
                self.renew_process(number, process);
                return self.note_age(number, index, row);
            }
            Some(_) => {
                self.leave_set(index, row);
                self.set_for(key, process)
            }
            None => self.set_for(key, process),
        };
        self.of_row[index.0 as usize] = number;
        let slot = self.slot();
        // What is there at the first look did not come just now.
        let opened = u32::from(self.begun.is_some_and(|begun| begun < self.now));
        let Some(set) = self.sets[number as usize].as_mut() else { return };
        set.sums.add(&AlikeSums::of(row));
        set.oldest.note(row.state_since, index);
        (set.latest, set.empty_since) = (index, None);
        if let Some(history) = &mut set.history {
            history.note(slot, set.sums.sockets, opened);
        }
        self.version += 1;
    }

    /// Whether the set `number` has the rows of `key`, by itself or for want of room.
    fn has(&self, number: u32, key: AlikeKey) -> bool {
        let is_one_of_others = matches!(key.peer, AlikePeer::Remote { .. });
        let shared = AlikeKey { peer: AlikePeer::Others, ..key };
        self.get(number).is_some_and(|set| set.key == key || (is_one_of_others && set.key == shared))
    }

    /// `process` is what is known of the process of the set `number` now: its name may have changed.
    fn renew_process(&mut self, number: u32, process: Option<&Arc<Process>>) {
        let Some(set) = self.sets[number as usize].as_ref() else { return };
        if set.process.as_ref().map(Arc::as_ptr) == process.map(Arc::as_ptr) {
            return;
        }
        let name = process.map(|process| self.use_name(&process.name));
        let Some(set) = self.sets[number as usize].as_mut() else { return };
        set.name = name;
        if let Some(before) = std::mem::replace(&mut set.process, process.cloned()) {
            self.release_name(&before.name);
        }
        self.version += 1;
    }

    /// One more set has `name`.
    fn use_name(&mut self, name: &DisplayText) -> NameId {
        let id = self.name(name);
        if let Some(known) = self.names.get_mut(name) {
            known.sets += 1;
        }
        id
    }

    /// One set less has `name`.
    fn release_name(&mut self, name: &DisplayText) {
        if let Some(known) = self.names.get_mut(name) {
            known.sets -= 1;
            if known.sets == 0 {
                self.names.remove(name);
            }
        }
    }

    fn note_age(&mut self, number: u32, index: RowIndex, row: &Connection) {
        let Some(set) = self.sets[number as usize].as_mut() else { return };
        match set.oldest.found {
            Some((since, oldest)) if oldest == index && row.state_since != Some(since) => {
                (set.oldest.found, set.oldest.is_stale) = (None, set.sums.sockets > 1);
                self.is_stale |= set.oldest.is_stale;
                set.oldest.note(row.state_since, index);
            }
            _ => set.oldest.note(row.state_since, index),
        }
    }

    fn leave_set(&mut self, index: RowIndex, row: &Connection) {
        let Some(number) = self.set_of(index) else { return };
        self.of_row[index.0 as usize] = NO_SET;
        let (now, slot) = (self.now, self.slot());
        let Some(set) = self.sets[number as usize].as_mut() else { return };
        set.sums.subtract(&AlikeSums::of(row));
        if set.oldest.found.is_some_and(|(_, oldest)| oldest == index) {
            set.oldest = OldestSocket { found: None, is_stale: true };
            self.is_stale = true;
        }
        if let Some(history) = &mut set.history {
            history.note(slot, set.sums.sockets, 0);
        }
        if set.sums.sockets == 0 {
            set.oldest = OldestSocket::default();
            set.empty_since = Some(now);
            self.empty.push_back((now, number));
        }
        self.version += 1;
    }

    /// The number of the set of `key`, which is made if there is none and there is room.
    fn set_for(&mut self, key: AlikeKey, process: Option<&Arc<Process>>) -> u32 {
        if let Some(number) = self.find(&key) {
            self.renew_process(number, process);
            return number;
        }
        if self.places.len() >= ALIKE_MAX && matches!(key.peer, AlikePeer::Remote { .. }) {
            return self.set_for(AlikeKey { peer: AlikePeer::Others, ..key }, process);
        }
        let name = process.map(|process| self.use_name(&process.name));
        let history = (self.histories < HISTORIES_MAX).then(|| Box::new(AlikeHistory::new(self.slot())));
        self.histories += usize::from(history.is_some());
        let set = AlikeSockets {
            key,
            process: process.cloned(),
            name,
            sums: AlikeSums::default(),
            oldest: OldestSocket::default(),
            latest: RowIndex(0),
            history,
            empty_since: None,
        };
        let number = self.free.pop().unwrap_or_else(|| {
            self.sets.push(None);
            u32::try_from(self.sets.len() - 1).unwrap_or(NO_SET)
        });
        self.sets[number as usize] = Some(set);
        let sets = &self.sets;
        let hash_of = |number: &u32| sets[*number as usize].as_ref().map_or(0, |set| hash(&set.key));
        self.places.insert_unique(hash(&key), number, hash_of);
        number
    }

    fn find(&self, key: &AlikeKey) -> Option<u32> {
        self.places.find(hash(key), |number| self.get(*number).is_some_and(|set| set.key == *key)).copied()
    }

    /// Forgets the set `number`, which has no socket.
    fn remove(&mut self, number: u32) {
        let Some(set) = self.sets[number as usize].take() else { return };
        if let Ok(place) = self.places.find_entry(hash(&set.key), |other| *other == number) {
            place.remove();
        }
        self.histories -= usize::from(set.history.is_some());
        self.free.push(number);
        if let Some(process) = set.process {
            self.release_name(&process.name);
        }
    }

    /// Goes on with the search for the oldest sockets of the sets that have lost theirs, as far as `steps` allows (one a
    /// row of such a set, and one for 64 rows of others); answers whether it is finished. `row_at` gives the row at an
    /// index. A search begins anew with each delta.
    pub(super) fn renew_oldest<'a>(
        &mut self,
        row_at: impl Fn(RowIndex) -> Option<&'a Connection>,
        steps: &mut usize,
    ) -> bool {
        const ROWS_A_STEP: usize = 64;
        let mut search = self.search.take().unwrap_or_default();
        while search.next < self.of_row.len() {
            if *steps == 0 {
                self.search = Some(search);
                return false;
            }
            *steps -= 1;
            let end = self.of_row.len().min(search.next + ROWS_A_STEP);
            for place in search.next..end {
                let number = self.of_row[place];
                let is_stale = self.get(number).is_some_and(|set| set.oldest.is_stale);
                let index = RowIndex(u32::try_from(place).unwrap_or(NO_SET));
                if let Some(row) = row_at(index).filter(|_| is_stale) {
                    *steps = steps.saturating_sub(1);
                    search.found.entry(number).or_default().note(row.state_since, index);
                }
            }
            search.next = end;
        }
        for (number, set) in self.sets.iter_mut().enumerate() {
            if let Some(set) = set.as_mut().filter(|set| set.oldest.is_stale) {
                let number = u32::try_from(number).unwrap_or(NO_SET);
                set.oldest = search.found.get(&number).copied().unwrap_or_default();
            }
        }
        self.is_stale = false;
        self.version += 1;
        true
    }
}

/// The port of ours that a connection is at; `None` for what has no peer.
fn port_of_connection(socket: &Socket) -> Option<(Protocol, u16)> {
    (!socket.remote.is_unset()).then_some((socket.protocol, socket.local.port))
}

#[cfg(test)]
mod tests;
