//! The rows of a recording at one moment, in slots: writer and reader give the same slot to the same row, so that a change names
//! its row by a small number.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::model::socket::SocketId;
use crate::source::record::row::OwnedRow;

/// The rows, by slot and by identity. A reader hashes with keys of its own, so that no file can be made whose rows all fall
/// into one bucket.
#[derive(Debug, Default)]
pub struct RowTable<S> {
    rows: Vec<Option<OwnedRow>>,
    /// Slots without a row, the one to be given out next at the end.
    free: Vec<u32>,
    places: HashTable<u32>,
    hasher: S,
}

impl<S: BuildHasher + Default> RowTable<S> {
    /// The slot of `id`.
    pub fn slot(&self, id: SocketId) -> Option<u32> {
        self.places.find(self.hasher.hash_one(id), |slot| is_of(&self.rows, *slot, id)).copied()
    }

    /// The row in `slot`.
    pub fn get(&self, slot: u32) -> Option<&OwnedRow> {
        self.rows.get(slot as usize)?.as_ref()
    }

    /// The same, to write to all of it but its identity.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut OwnedRow> {
        self.rows.get_mut(slot as usize)?.as_mut()
    }

    /// Puts a row, whose identity is not here, into a free slot.
    pub fn add(&mut self, row: OwnedRow) -> u32 {
        let id = row.row.socket.id;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
        });
        self.rows[slot as usize] = Some(row);
        let (hasher, rows) = (&self.hasher, &self.rows);
        let hash = |slot: &u32| hash_of(hasher, rows.get(*slot as usize).and_then(Option::as_ref).map(id_of));
        self.places.insert_unique(hash_of(hasher, Some(id)), slot, hash);
        slot
    }

    /// Puts a row of the same identity into `slot`, and gives what was there.
    pub fn replace(&mut self, slot: u32, row: OwnedRow) -> Option<OwnedRow> {
        self.rows.get_mut(slot as usize)?.replace(row)
    }

    /// The row in `slot` is gone; the slot may be given out again.
    pub fn remove(&mut self, slot: u32) -> Option<OwnedRow> {
        let id = id_of(self.get(slot)?);
        if let Ok(place) = self.places.find_entry(self.hasher.hash_one(id), |its| *its == slot) {
            place.remove();
        }
        self.free.push(slot);
        self.rows.get_mut(slot as usize)?.take()
    }

    /// Every row, by ascending slot.
    pub fn all(&self) -> impl Iterator<Item = &OwnedRow> {
        self.rows.iter().flatten()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Moves the rows into the lowest slots, in their order, as a key frame lists them.
    pub fn compact(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        *self = Self { hasher: std::mem::take(&mut self.hasher), ..Self::default() };
        self.reserve(rows.len());
        for row in rows.into_iter().flatten() {
            self.add(row);
        }
    }

    /// Makes room for so many rows more.
    pub fn reserve(&mut self, more: usize) {
        self.rows.reserve(more);
        let (hasher, rows) = (&self.hasher, &self.rows);
        let hash = |slot: &u32| hash_of(hasher, rows.get(*slot as usize).and_then(Option::as_ref).map(id_of));
        self.places.reserve(more, hash);
    }
}

fn is_of(rows: &[Option<OwnedRow>], slot: u32, id: SocketId) -> bool {
    rows.get(slot as usize).and_then(Option::as_ref).is_some_and(|row| id_of(row) == id)
}

fn id_of(row: &OwnedRow) -> SocketId {
    row.row.socket.id
}

fn hash_of(hasher: &impl BuildHasher, id: Option<impl Hash>) -> u64 {
    id.map_or(0, |id| hasher.hash_one(id))
}
