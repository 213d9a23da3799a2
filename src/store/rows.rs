//! The rows: live connections and those closed a moment ago, under indices that stay valid for the life of a row.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::delta::{Connection, Removed};
use crate::model::memory::TableSize;
use crate::model::process::{Process, ProcessId};
use crate::model::slot_index::SlotIndex;
use crate::model::socket::{Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::store::alike::AlikeTable;
use crate::store::losses::Losses;
use crate::store::port_bounds::PortBounds;
use crate::store::row::{Mark, RowIndex, SocketRow};
use crate::store::row_set::RowSet;
use crate::store::socket_counts::SocketCounts;
use crate::store::tally::{Tally, is_listening};

/// How long a row stays marked as new or changed.
pub const MARK_TIME: Duration = Duration::from_secs(4);
/// How long a closed row stays: for one sample a second. Where much comes and goes, those that are gone would else hide the
/// others.
pub(super) const CLOSED_TIME: Duration = Duration::from_millis(900);

/// Which rows a delta touched, for views that keep an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Rows that did not exist before.
    pub added: Vec<RowIndex>,
    /// Rows whose content or mark differs.
    pub changed: Vec<RowIndex>,
    /// Those of `changed` whose content differs: only they can pass another filter or have another place.
    pub renewed: Vec<RowIndex>,
    /// Rows that no longer exist; their indices may be reused by the next delta, not by this one.
    pub purged: Vec<RowIndex>,
}

/// The rows.
#[derive(Debug, Default)]
pub struct Rows {
    slots: Vec<Option<SocketRow>>,
    free: Vec<RowIndex>,
    /// Rows by the identity of their socket, which they have themselves.
    places: SlotIndex,
    /// As of the last whole delta.
    counts: SocketCounts,
    tally: Tally,
    alike: AlikeTable,
    /// When the last whole delta was taken.
    seen: Timestamp,
    losses: Losses,
    /// Rows whose socket is gone.
    closed: RowSet,
    /// When the marks end, soonest first. An entry whose row has another mark by then is out of date and is skipped.
    marks: VecDeque<MarkEnd>,
    /// The same of closed rows, which leave with their mark.
    leaving: Vec<MarkEnd>,
    /// What came into `TIME_WAIT` since the last whole delta, as it was before: the kernel forgets the counters of a connection then.
    before_wait: Vec<Connection>,
}

#[derive(Clone, Copy, Debug)]
struct MarkEnd {
    at: Timestamp,
    index: RowIndex,
    mark: Mark,
}

impl Rows {
    /// The row at `index`, while it exists.
    pub fn get(&self, index: RowIndex) -> Option<&SocketRow> {
        self.slots.get(index.0 as usize)?.as_ref()
    }

    /// Where the row of `id` is.
    pub fn find(&self, id: SocketId) -> Option<RowIndex> {
        let is_its = |index: u32| self.get(RowIndex(index)).is_some_and(|row| row.connection.socket.id == id);
        self.places.find(id, is_its).map(RowIndex)
    }

    /// The row of `id`, unless its socket is gone.
    pub fn live(&self, id: SocketId) -> Option<&SocketRow> {
        self.get(self.find(id)?).filter(|row| !row.is_closed())
    }

    /// Every row, closed ones too, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (RowIndex, &SocketRow)> {
        self.slots.iter().enumerate().filter_map(|(at, row)| Some((RowIndex(u32::try_from(at).ok()?), row.as_ref()?)))
    }

    /// The row at `index` or the first one after it: for passes that go on where they stopped.
    pub fn first_from(&self, index: RowIndex) -> Option<(RowIndex, &SocketRow)> {
        let rest = self.slots.get(index.0 as usize..)?;
        let (skipped, row) = rest.iter().enumerate().find_map(|(at, row)| Some((at, row.as_ref()?)))?;
        Some((RowIndex(index.0 + u32::try_from(skipped).ok()?), row))
    }

    /// Rows whose socket is gone and that are still shown.
    pub const fn closed(&self) -> &RowSet {
        &self.closed
    }

    /// Live rows in `CLOSE_WAIT`.
    pub const fn close_wait(&self) -> &RowSet {
        &self.tally.close_wait
    }

    /// Live rows in `CLOSE` that a process holds and no table of the kernel lists.
    pub const fn held_closed(&self) -> &RowSet {
        &self.tally.held_closed
    }

    /// Live rows that peers can reach without having been asked: TCP listeners, bound UDP sockets.
    pub const fn listening(&self) -> &RowSet {
        &self.tally.listening
    }

    /// Live rows in `TIME_WAIT`.
    pub const fn time_wait(&self) -> &RowSet {
        &self.tally.time_wait
    }

    /// Live TCP rows with which something may be wrong that does not show in their state alone: for `diagnosis`.
    pub const fn suspects(&self) -> &RowSet {
        &self.tally.suspects
    }

    /// What sockets lost of late.
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Live rows of connections with much in a queue: data that their process has not read, or that the peer has not taken.
    pub const fn queued(&self) -> &RowSet {
        &self.tally.queued
    }

    /// Live UDP sockets that are connected to the DNS port of some server.
    pub const fn lookups(&self) -> &RowSet {
        &self.tally.lookups
    }

    /// The live rows that are alike, added up.
    pub const fn alike(&self) -> &AlikeTable {
        &self.alike
    }

    /// The same, to put rows into their sets.
    pub(super) const fn alike_mut(&mut self) -> &mut AlikeTable {
        &mut self.alike
    }

    /// Calls `place` with the sets of rows that are alike and the row at `index`, if there is one.
    pub(super) fn place_alike(&mut self, index: RowIndex, place: impl FnOnce(&mut AlikeTable, &SocketRow)) {
        if let Some(row) = self.slots.get(index.0 as usize).and_then(Option::as_ref) {
            place(&mut self.alike, row);
        }
    }

    /// Goes on with the search for the oldest rows of sets that have lost theirs; answers whether it is finished.
    pub(super) fn renew_oldest(&mut self, steps: &mut usize) -> bool {
        let slots = &self.slots;
        let row_at = |index: RowIndex| slots.get(index.0 as usize)?.as_ref().map(|row| &row.connection);
        self.alike.renew_oldest(row_at, steps)
    }

    /// The row of the other end of `socket`: see [`Store::peer`](crate::store::Store::peer).
    pub(super) fn peer(&self, socket: &Socket) -> Option<&SocketRow> {
        self.tally.peers.of(socket, |index| self.get(index))
    }

    /// What the table holds that finds the other end of a connection.
    pub(super) fn held_by_peers(&self) -> TableSize {
        self.tally.peers.table_sizes()
    }

    /// How many live rows can share one way to a destination.
    pub const fn port_bounds(&self) -> &PortBounds {
        &self.tally.port_bounds
    }

    /// Every process that holds a socket now, and how many, in no order that means anything.
    pub fn holders(&self) -> impl Iterator<Item = (ProcessId, u32)> {
        self.tally.holders()
    }

    /// How many processes hold a socket now.
    pub fn processes(&self) -> usize {
        self.tally.processes()
    }

    /// The process `id`, if it holds a socket now.
    pub fn process(&self, id: ProcessId) -> Option<&Arc<Process>> {
        self.tally.process(id)
    }

    /// Live sockets by state.
    pub const fn counts(&self) -> &SocketCounts {
        &self.counts
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 10] {
        let [drops, resent] = self.losses.table_sizes();
        let [sets, alike, ports] = self.alike.table_sizes();
        [
            drops,
            resent,
            sets,
            alike,
            ports,
            TableSize::by("rows", &self.slots),
            TableSize::by("free rows", &self.free),
            TableSize::by("places of rows", &self.places),
            TableSize::by("marks", &self.marks),
            TableSize::by("leaving", &self.leaving),
        ]
    }

    /// Makes room for `added` rows more.
    pub(super) fn reserve(&mut self, added: usize) {
        self.slots.reserve(added.saturating_sub(self.free.len()));
        self.places.reserve(added);
        self.alike.reserve(added.saturating_sub(self.free.len()));
    }

    /// What came into `TIME_WAIT` since the last whole delta, as it was before.
    pub(super) fn take_before_wait(&mut self) -> Vec<Connection> {
        std::mem::take(&mut self.before_wait)
    }

    /// Ends the delta taken at `at`, whose rows are all in.
    pub(super) fn finish(&mut self, at: Timestamp, touched: &mut Touched) {
        self.end_marks(at, touched);
        self.seen = at;
        self.counts = self.tally.counts;
    }

    /// A socket that is not known gets a row; a known one's row is renewed. A closed one that is back (a tuple used
    /// again, or a dump that missed it twice) takes over its own row as new: one identity never has two rows.
    /// `first` ones get no mark: nothing is known to be new.
    pub(super) fn put(&mut self, connection: Connection, at: Timestamp, first: bool, touched: &mut Touched) {
        let Some(index) = self.find(connection.socket.id) else {
            let index = self.insert(connection);
            if !first {
                self.mark(index, Mark::New(at.into()), at);
            }
            touched.added.push(index);
            return;
        };
        let Some(row) = self.slots[index.0 as usize].as_mut() else { return };
        let mark = if row.is_closed() || row.connection.first_seen != connection.first_seen {
            Some(Mark::New(at.into()))
        } else if row.connection.socket.state != connection.socket.state {
            Some(Mark::Changed(at.into()))
        } else {
            None
        };
        if row.is_closed() {
            self.closed.remove(index);
            note_listener(&mut self.alike, None, Some(&connection.socket));
            self.alike.enter(index, &connection.socket);
        } else {
            self.losses.note(&row.connection.socket, &connection.socket, self.seen, at);
            if connection.socket.state == TcpState::TimeWait && row.connection.socket.state != TcpState::TimeWait {
                self.before_wait.push(row.connection.clone());
            }
            self.tally.leave(index, &row.connection.socket);
            note_listener(&mut self.alike, Some(&row.connection.socket), Some(&connection.socket));
            self.alike.change(index, &row.connection, &connection);
        }
        self.tally.enter(index, &connection.socket);
        row.connection = connection;
        if let Some(mark) = mark {
            self.mark(index, mark, at);
        }
        touched.changed.push(index);
        touched.renewed.push(index);
    }

    fn insert(&mut self, connection: Connection) -> RowIndex {
        let end = || RowIndex(u32::try_from(self.slots.len()).expect("rows of 2^32 sockets do not fit into memory"));
        let index = self.free.pop().unwrap_or_else(end);
        self.tally.enter(index, &connection.socket);
        note_listener(&mut self.alike, None, Some(&connection.socket));
        self.alike.enter(index, &connection.socket);
        self.places.insert(connection.socket.id, index.0);
        let row = Some(SocketRow { connection, mark: None });
        match self.slots.get_mut(index.0 as usize) {
            Some(slot) => *slot = row,
            None => self.slots.push(row),
        }
        index
    }

    pub(super) fn close(&mut self, removed: Removed, at: Timestamp, touched: &mut Touched) {
        let Some(index) = self.find(removed.id) else { return };
        let Some(row) = self.slots[index.0 as usize].as_mut() else { return };
        if row.is_closed() {
            return;
        }
        self.tally.leave(index, &row.connection.socket);
        note_listener(&mut self.alike, Some(&row.connection.socket), None);
        self.alike.leave(index, &row.connection);
        self.closed.insert(index);
        let mark = Mark::Closed(removed.at.into());
        row.mark = Some(mark);
        // Counted from this sample, not from when the socket was first missing: it is to be seen that long.
        self.leaving.push(MarkEnd { at: at.after(CLOSED_TIME), index, mark });
        touched.changed.push(index);
    }

    fn mark(&mut self, index: RowIndex, mark: Mark, at: Timestamp) {
        if let Some(row) = self.slots[index.0 as usize].as_mut() {
            row.mark = Some(mark);
            self.marks.push_back(MarkEnd { at: at.after(MARK_TIME), index, mark });
        }
    }

    /// Takes off the marks whose time is over and drops closed rows with theirs. Freed indices come last, so that
    /// no row of this delta can have got one.
    fn end_marks(&mut self, now: Timestamp, touched: &mut Touched) {
        let before = touched.changed.len();
        while let Some(end) = self.marks.front().copied().filter(|end| end.at <= now) {
            self.marks.pop_front();
            self.end_mark(end, touched);
        }
        // Of merged deltas they do not come in the order of their times.
        for end in self.leaving.extract_if(.., |end| end.at <= now).collect::<Vec<_>>() {
            self.end_mark(end, touched);
        }
        if touched.changed.len() > before {
            touched.changed.sort_unstable();
            touched.changed.dedup();
        }
    }

    fn end_mark(&mut self, end: MarkEnd, touched: &mut Touched) {
        let slot = &mut self.slots[end.index.0 as usize];
        let Some(row) = slot.as_mut().filter(|row| row.mark == Some(end.mark)) else { return };
        if row.is_closed() {
            self.places.remove(row.connection.socket.id, end.index.0);
            *slot = None;
            self.closed.remove(end.index);
            self.free.push(end.index);
            touched.purged.push(end.index);
        } else {
            row.mark = None;
            touched.changed.push(end.index);
        }
    }
}

/// What came in by a listener is alike as long as the listener is there and is held by the same: takes note of one that came
/// (`new`), went (`old`) or changed.
fn note_listener(alike: &mut AlikeTable, old: Option<&Socket>, new: Option<&Socket>) {
    let listens = |socket: &&Socket| is_listening(socket);
    let (old, new) = (old.filter(listens), new.filter(listens));
    let is_same = old.zip(new).is_some_and(|(old, new)| {
        let is_there = (old.place(), old.v6only, old.id.netns()) == (new.place(), new.v6only, new.id.netns());
        let holder = |socket: &Socket| socket.owner.process().map(|process| (process.id, process.name.clone()));
        is_there && holder(old) == holder(new)
    });
    if !is_same {
        for socket in [old, new].into_iter().flatten() {
            alike.note_listener((socket.protocol, socket.local.port));
        }
    }
}
