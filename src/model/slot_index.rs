//! Where the things are that have an identity: a table of slots, found by the [`SocketId`] of what is in them, which the
//! table does not repeat.

use hashbrown::HashTable;

use crate::model::socket::SocketId;

/// When the table is full of gaps that removals left, it is made anew with room for this share of its slots more.
const SPARE_DIVISOR: usize = 16;

/// Slots by identity. Two slots never have the same one: the owner of the slots sees to that.
///
/// Removals leave gaps behind that only a rebuilt table gets rid of. That happens here as long as it pays, so that a table
/// of which things come and go for hours stays as large as what is in it needs, and looks at nothing but the table.
#[derive(Clone, Debug, Default)]
pub struct SlotIndex {
    table: HashTable<IndexedSlot>,
}

#[derive(Clone, Copy, Debug)]
struct IndexedSlot {
    slot: u32,
    hash: u32,
}

impl IndexedSlot {
    /// The hash that the table works with; it takes its upper and its lower bits.
    fn spread(self) -> u64 {
        spread(self.hash)
    }
}

fn spread(hash: u32) -> u64 {
    // An odd number whose bits look random (the golden ratio).
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn short(id: SocketId) -> u32 {
    let hash = id.hash_code();
    (hash ^ hash >> 32) as u32
}

impl SlotIndex {
    /// The slot of `id`; `is_its` says whether what is in a slot has that identity.
    pub fn find(&self, id: SocketId, is_its: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = short(id);
        self.table.find(spread(hash), |place| place.hash == hash && is_its(place.slot)).map(|place| place.slot)
    }

    /// Takes in that `id`, which is not in the table, is in `slot`.
    pub fn insert(&mut self, id: SocketId, slot: u32) {
        self.reserve(1);
        let place = IndexedSlot { slot, hash: short(id) };
        self.table.insert_unique(place.spread(), place, |place| place.spread());
    }

    /// Forgets that `id` is in `slot`.
    pub fn remove(&mut self, id: SocketId, slot: u32) {
        if let Ok(place) = self.table.find_entry(spread(short(id)), |place| place.slot == slot) {
            place.remove();
        }
    }

    /// Makes room for `added` more.
    pub fn reserve(&mut self, added: usize) {
        if self.table.capacity() - self.table.len() >= added {
            return;
        }
        let len = self.table.len() + added;
        let mut table = HashTable::with_capacity(len + len / SPARE_DIVISOR);
        for place in &self.table {
            table.insert_unique(place.spread(), *place, |place| place.spread());
        }
        self.table = table;
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
        self.table.allocation_size()
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

    #[test]
    fn what_comes_and_goes_for_hours_takes_no_more_room_than_at_first() {
        const LIVE: u64 = 14_000;
        let mut places = SlotIndex::default();
        let slot = |cookie: u64| u32::try_from(cookie % LIVE).expect("small");
        (0..LIVE).for_each(|cookie| places.insert(id(cookie), slot(cookie)));
        let bytes = places.bytes();
        for cookie in LIVE..100 * LIVE {
            places.remove(id(cookie - LIVE), slot(cookie));
            places.insert(id(cookie), slot(cookie));
            assert!(places.bytes() <= 2 * bytes, "{} bytes at first, {} after {cookie}", bytes, places.bytes());
        }
        assert_eq!(places.len(), usize::try_from(LIVE).expect("small"));
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
