//! Memory that tables hold: giving back what a burst took, staying dense while things come and go, and telling how much
//! it is. Nothing here looks at what is in a table.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

use crate::model::slot_index::SlotIndex;

/// A list keeps up to this much memory, in bytes, whatever it was used for.
const KEPT_BYTES: usize = 256 * 1024;
/// A list that was used for less than this share of its memory gives some of it back.
const USED_DIVISOR: usize = 4;
/// A list that gives memory back keeps room for this many times what it was used for.
const ROOM: usize = 2;
/// A table that is made anew gets room for this share more than is in it.
const SPARE_DIVISOR: usize = 16;

/// Gives back what a burst took: `list`, which is filled anew with each sample, held `used` things this time.
pub fn give_back<T>(list: &mut Vec<T>, used: usize) {
    let kept = KEPT_BYTES / size_of::<T>().max(1);
    if list.capacity() > kept.max(used.saturating_mul(USED_DIVISOR)) {
        list.shrink_to(kept.max(used.saturating_mul(ROOM)));
    }
}

/// To be called before something is inserted. Removals leave gaps behind, and a table that is full of them doubles as if
/// it were full of entries: here it is made anew instead, as large as what is in it needs.
pub fn close_gaps<K: Eq + Hash, V, S: BuildHasher + Clone>(table: &mut HashMap<K, V, S>) {
    let len = table.len();
    if len == table.capacity() && len > 0 {
        let dense = HashMap::with_capacity_and_hasher(len + len / SPARE_DIVISOR + 1, table.hasher().clone());
        let old = std::mem::replace(table, dense);
        table.extend(old);
    }
}

/// Like [`close_gaps`], for a set.
pub fn close_gaps_of<T: Eq + Hash, S: BuildHasher + Clone>(set: &mut HashSet<T, S>) {
    let len = set.len();
    if len == set.capacity() && len > 0 {
        let dense = HashSet::with_capacity_and_hasher(len + len / SPARE_DIVISOR + 1, set.hasher().clone());
        let old = std::mem::replace(set, dense);
        set.extend(old);
    }
}

/// How much a table holds, and the memory that it reserves for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table, in a word or two.
    pub what: &'static str,
    /// How many things are in it.
    pub len: usize,
    /// The memory that is reserved for them, in bytes, without what they point to; at the least, where the table does not
    /// tell.
    pub bytes: usize,
}

impl TableSize {
    /// What `table`, called `what`, holds.
    pub fn by(what: &'static str, table: &impl MeasuredTable) -> Self {
        Self { what, len: table.entries(), bytes: table.bytes() }
    }
}

/// A collection that grows, and tells its size.
pub trait MeasuredTable {
    /// How many things are in it.
    fn entries(&self) -> usize;
    /// See [`TableSize::bytes`].
    fn bytes(&self) -> usize;
}

impl<T> MeasuredTable for Vec<T> {
    fn entries(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

impl<T> MeasuredTable for VecDeque<T> {
    fn entries(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

impl<K, V, S> MeasuredTable for HashMap<K, V, S> {
    fn entries(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        hashed(self.capacity(), size_of::<(K, V)>())
    }
}

impl<T, S> MeasuredTable for HashSet<T, S> {
    fn entries(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        hashed(self.capacity(), size_of::<T>())
    }
}

impl MeasuredTable for SlotIndex {
    fn entries(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

/// A table with room for `capacity` entries: a power of two of buckets, an eighth of them free, one byte of each for the
/// hash. Gaps count as room that is used up, so that the capacity tells the least.
fn hashed(capacity: usize, entry: usize) -> usize {
    if capacity == 0 { 0 } else { (capacity * 8 / 7).next_power_of_two() * (entry + 1) }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashMap;

    use super::*;

    #[test]
    fn a_burst_is_given_back_and_steady_use_is_not_disturbed() {
        let mut list: Vec<u64> = Vec::with_capacity(1_000_000);
        give_back(&mut list, 300_000);
        assert!(list.capacity() >= 1_000_000, "more than a quarter was used");
        give_back(&mut list, 40_000);
        assert!((80_000..1_000_000).contains(&list.capacity()));
        give_back(&mut list, 0);
        assert!(list.capacity() * size_of::<u64>() >= KEPT_BYTES);
        let before = list.capacity();
        give_back(&mut list, 0);
        assert_eq!(list.capacity(), before);
    }

    #[test]
    fn a_table_in_which_things_come_and_go_stays_as_large_as_it_is() {
        const LIVE: u64 = 12_000;
        let mut table: FxHashMap<u64, u64> = (0..LIVE).map(|key| (key, key)).collect();
        let bytes = table.bytes();
        for key in LIVE..50 * LIVE {
            table.remove(&(key - LIVE));
            close_gaps(&mut table);
            table.insert(key, key);
            assert!(table.bytes() <= bytes, "{} after {key}", table.bytes());
        }
        assert!((49 * LIVE..50 * LIVE).all(|key| table.get(&key) == Some(&key)));
    }
}
