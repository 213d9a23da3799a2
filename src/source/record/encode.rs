//! Turns deltas into the content of frames, and remembers what the group has said already: rows, processes, names.

use std::hash::BuildHasherDefault;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHasher};

use crate::model::delta::{Delta, Transition};
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::source::record::bytes::BytesOut;
use crate::source::record::bytes::Relative;
use crate::source::record::context::SaidBefore;
use crate::source::record::format::{CONTENT_BYTES_MAX, RecordingFault, SOCKETS_MAX, TRANSITIONS_MAX, section};
use crate::source::record::holders::WrittenHolders;
use crate::source::record::row::{self, OwnedRow};
use crate::source::record::rows::RowTable;
use crate::source::record::transition::{self, StateBefore, TransitionBase};

/// Encodes one delta after the other.
#[derive(Debug, Default)]
pub struct Encoder {
    rows: RowTable<BuildHasherDefault<FxHasher>>,
    holders: WrittenHolders,
    context: SaidBefore,
    content: BytesOut,
    before: Timestamp,
}

/// Where the rows of a delta are, as both sides know.
#[derive(Default)]
struct Places {
    added: Vec<u32>,
    /// Slot, and what was in it.
    changed: Vec<(u32, OwnedRow)>,
    removed: Vec<u32>,
}

impl Encoder {
    /// Whether the next frame should begin a group, because the tables of this one are large.
    pub fn is_large(&self) -> bool {
        self.holders.are_large()
    }

    /// The content of the frame of `delta`: of a key frame if `is_key`. Also after a fault it knows the rows as they are now, but
    /// then the next frame has to be a key frame.
    pub fn encode(&mut self, delta: &Delta, is_key: bool) -> Result<&[u8], RecordingFault> {
        let over = delta.at.since(self.before);
        self.before = delta.at;
        self.content.begin(delta.at);
        if is_key {
            self.holders = WrittenHolders::default();
            self.context = SaidBefore::default();
        }
        let places = self.take_in(delta);
        let result = if is_key { self.put_key(delta, &places) } else { self.put_delta(delta, &places, over) };
        if !is_key {
            for slot in &places.removed {
                self.rows.remove(*slot);
            }
        }
        result?;
        let length = self.content.bytes.len();
        let is_long = length > CONTENT_BYTES_MAX as usize;
        if is_long { Err(RecordingFault::TooLong(length as u64)) } else { Ok(&self.content.bytes) }
    }

    /// Takes in a delta that is not written: the next frame has to be a key frame.
    pub fn take_in_only(&mut self, delta: &Delta) {
        let places = self.take_in(delta);
        for slot in &places.removed {
            self.rows.remove(*slot);
        }
    }

    /// Brings the rows to the moment of `delta`, but for those that are gone: transitions still name them.
    fn take_in(&mut self, delta: &Delta) -> Places {
        let mut places = Places::default();
        for connection in delta.added.iter().chain(&delta.changed) {
            let row = OwnedRow { row: connection.clone(), owner: 0 };
            match self.rows.slot(connection.socket.id) {
                Some(slot) => places.changed.extend(self.rows.replace(slot, row).map(|before| (slot, before))),
                None => places.added.push(self.rows.add(row)),
            }
        }
        places.removed = delta.removed.iter().filter_map(|removed| self.rows.slot(removed.id)).collect();
        places
    }

    fn put_key(&mut self, delta: &Delta, places: &Places) -> Result<(), RecordingFault> {
        // What the transitions of those gone are relative to is not in the frame.
        for slot in &places.removed {
            self.rows.remove(*slot);
        }
        self.rows.compact();
        if self.rows.len() > SOCKETS_MAX as usize {
            return Err(RecordingFault::TooMany("sockets"));
        }
        for slot in (0..).take(self.rows.len()) {
            self.own(slot)?;
        }
        let owners = self.owners(&delta.transitions)?;
        self.put_holders()?;
        self.context.put(delta, &mut self.content)?;
        let rows = &self.rows;
        self.content.section(section::ROWS, |out| {
            let blank = row::blank(out.at);
            let mut before = &blank;
            for row in rows.all() {
                row::put(row, before, Duration::ZERO, out);
                before = row;
            }
        })?;
        self.content.section(section::REMOVED_IDS, |out| {
            let mut before = SocketId::default();
            for removed in &delta.removed {
                out.structure(|fields| {
                    fields.put(0, &removed.id, &before);
                    fields.put(1, &removed.at, &delta.at);
                });
                before = removed.id;
            }
        })?;
        self.put_end(delta, &owners, &FxHashMap::default())
    }

    fn put_delta(&mut self, delta: &Delta, places: &Places, over: Duration) -> Result<(), RecordingFault> {
        if self.rows.len() > SOCKETS_MAX as usize {
            return Err(RecordingFault::TooMany("sockets"));
        }
        for slot in places.added.iter().copied().chain(places.changed.iter().map(|(slot, _)| *slot)) {
            self.own(slot)?;
        }
        let owners = self.owners(&delta.transitions)?;
        self.put_holders()?;
        self.context.put(delta, &mut self.content)?;
        let rows = &self.rows;
        self.content.section(section::ROWS, |out| {
            let blank = row::blank(out.at);
            let mut before = &blank;
            for row in places.added.iter().filter_map(|slot| rows.get(*slot)) {
                row::put(row, before, over, out);
                before = row;
            }
        })?;
        self.content.section(section::CHANGED, |out| {
            let mut slots = SlotsOut::default();
            for (slot, before) in &places.changed {
                slots.put(*slot, out);
                if let Some(row) = rows.get(*slot) {
                    row::put(row, before, over, out);
                }
            }
        })?;
        self.content.section(section::REMOVED, |out| {
            let mut slots = SlotsOut::default();
            for (slot, removed) in places.removed.iter().zip(&delta.removed) {
                slots.put(*slot, out);
                out.structure(|fields| fields.put(0, &removed.at, &delta.at));
            }
        })?;
        let added = places.added.iter().map(|slot| (*slot, StateBefore::NEW));
        let changed = places.changed.iter().map(|(slot, before)| (*slot, StateBefore::of(before)));
        self.put_end(delta, &owners, &added.chain(changed).collect())
    }

    /// Gives the row in `slot` the number of its owner.
    fn own(&mut self, slot: u32) -> Result<(), RecordingFault> {
        let Some(row) = self.rows.get_mut(slot) else { return Ok(()) };
        row.owner = self.holders.code(&row.row.socket.owner)?;
        Ok(())
    }

    fn owners(&mut self, transitions: &[Transition]) -> Result<Vec<u64>, RecordingFault> {
        if transitions.len() > TRANSITIONS_MAX as usize {
            return Err(RecordingFault::TooMany("transitions"));
        }
        transitions.iter().map(|transition| self.holders.code(&transition.owner)).collect()
    }

    fn put_holders(&mut self) -> Result<(), RecordingFault> {
        let Self { holders, content, .. } = self;
        content.section(section::PROCESSES, |out| holders.put_processes(out))?;
        content.section(section::HOLDERS, |out| holders.put_holders(out))
    }

    /// What a key frame has as well.
    fn put_end(
        &mut self,
        delta: &Delta,
        owners: &[u64],
        before_sample: &FxHashMap<u32, StateBefore>,
    ) -> Result<(), RecordingFault> {
        let Self { rows, content, .. } = self;
        content.section(section::UNLISTED, |out| {
            let mut slots = SlotsOut::default();
            for slot in delta.unlisted.iter().filter_map(|id| rows.slot(*id)) {
                slots.put(slot, out);
            }
        })?;
        content.section(section::TRANSITIONS, |out| {
            let mut before = transition::blank(delta.at);
            for (transition, owner) in delta.transitions.iter().zip(owners) {
                let slot = rows.slot(transition.id);
                let of_row = slot.and_then(|slot| {
                    let row = rows.get(slot)?;
                    Some(TransitionBase::of_row(row, before_sample.get(&slot).copied(), delta.at))
                });
                transition::put(transition, *owner, slot, of_row.as_ref().unwrap_or(&before), out);
                before = TransitionBase::of(transition, *owner, delta.at);
            }
        })?;
        content.section(section::GAPS, |out| {
            for gap in &delta.gaps {
                transition::put_gap(gap, out);
            }
        })
    }
}

/// Slots, each as its distance from the one before.
#[derive(Default)]
struct SlotsOut(u32);

impl SlotsOut {
    fn put(&mut self, slot: u32, out: &mut BytesOut) {
        slot.put(&self.0, out);
        self.0 = slot;
    }
}
