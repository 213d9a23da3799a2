//! Where the things are that have an identity: a table of slots, found by the [`SocketId`] of what is in them, which the
//! table does not repeat.

use crate::model::pair_table::PairTable;
use crate::model::socket::SocketId;

/// Slots by identity. Two slots never have the same one: the owner of the slots sees to that.
#[derive(Clone, Debug, Default)]
pub struct SlotIndex {
    /// Slots by a hash of their identity.
    table: PairTable,
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn hash(id: SocketId) -> u32 {
    let hash = id.hash_code();
    (hash ^ hash >> 32) as u32
}

impl SlotIndex {
    /// The slot of `id`; `is_its` says whether what is in a slot has that identity.
    pub fn find(&self, id: SocketId, is_its: impl Fn(u32) -> bool) -> Option<u32> {
        self.table.find(hash(id), is_its)
    }

    /// Takes in that `id`, which is not in the table, is in `slot`.
    pub fn insert(&mut self, id: SocketId, slot: u32) {
        self.table.insert(hash(id), slot);
    }

    /// Forgets that `id` is in `slot`.
    pub fn remove(&mut self, id: SocketId, slot: u32) {
        self.table.remove(hash(id), slot);
    }

    /// Makes room for `added` more at once, if they are many beside those that are there.
    pub fn reserve(&mut self, added: usize) {
        self.table.reserve(added);
    }

    /// How many identities it has.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::socket::NetnsId;

    fn id(cookie: u64) -> SocketId {
        SocketId::from_cookie(cookie, NetnsId(0))
    }

    proptest! {
        #[test]
        fn it_finds_what_is_there(changes in proptest::collection::vec((0u64..60, any::<bool>()), 0..300)) {
            let (mut places, mut model) = (SlotIndex::default(), BTreeMap::new());
            let mut slots: Vec<Option<u64>> = Vec::new();
            for (cookie, comes) in changes {
                match model.get(&cookie).copied() {
                    None if comes => {
                        let slot = u32::try_from(slots.len()).expect("small");
                        slots.push(Some(cookie));
                        places.insert(id(cookie), slot);
                        model.insert(cookie, slot);
                    }
                    Some(slot) if !comes => {
                        places.remove(id(cookie), slot);
                        slots[slot as usize] = None;
                        model.remove(&cookie);
                    }
                    _ => {}
                }
                for cookie in 0..60 {
                    let found = places.find(id(cookie), |slot| slots[slot as usize] == Some(cookie));
                    prop_assert_eq!(found, model.get(&cookie).copied());
                }
            }
            prop_assert_eq!(places.len(), model.len());
        }
    }
}
