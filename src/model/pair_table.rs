//! A hash table of pairs of 32-bit numbers, found by the first: the place of a socket by a hash of its identity, the
//! holders of a socket by its inode.
//!
//! Open addressing with linear probing and Robin Hood hashing (Celis, 1986). A pair takes eight bytes and a table of pairs is
//! up to seven eighths full: nine to ten bytes a pair, where a table that doubles takes 9 to 18, and 36 for an inode beside a
//! pointer. A large table is split into shards by the upper bits of the hash, each of which grows by itself, so that no single
//! insertion moves more than some 10,000s of pairs. Removal leaves no gap behind.

/// The number of shards of a large table is two to the power of this.
const SHARD_BITS: u32 = 8;
/// A table of more pairs is large. A smaller one is one shard: few pairs are not spread evenly over many shards, and each
/// would keep room for the most that it has ever had.
const ONE_SHARD_MAX: usize = 32_768;
/// No pair has this second number.
const VACANT: u32 = u32::MAX;
/// At most this share of the places of a shard is taken, in eighths.
const FULL_EIGHTHS: usize = 7;
/// A shard that grows gets this share of its pairs as vacant places: it is four fifths full then.
const SPARE_DIVISOR: usize = 4;
/// Pairs are not spread evenly: room for many is room for this share more in each shard.
const UNEVEN_DIVISOR: usize = 16;
/// A shard of which less than this share is taken gives its memory back, unless it is small.
const USED_DIVISOR: usize = 4;
/// A shard of so many places is small.
const SMALL: usize = 64;

/// A table of pairs. Several pairs may have the same first number, but none is in it twice.
#[derive(Clone, Debug, Default)]
pub struct PairTable {
    /// None until there is a pair; then one, or two to the power of [`SHARD_BITS`].
    shards: Box<[Shard]>,
    len: usize,
}

#[derive(Clone, Debug, Default)]
struct Shard {
    /// Pairs and vacant places. A pair stands at the place that its hash points to, or after it, with no vacant place and
    /// no pair between that stands nearer to its own: the first place follows the last.
    places: Box<[Pair]>,
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    key: u32,
    value: u32,
}

impl PairTable {
    /// The second number of the first pair with this `key` that `is_it`.
    pub fn find(&self, key: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let shard = self.shards.get(self.shard_of(key))?;
        shard.find(key, is_it).map(|place| shard.places[place].value)
    }

    /// Takes in a pair that is not in the table. `value` is less than `u32::MAX`.
    pub fn insert(&mut self, key: u32, value: u32) {
        debug_assert_ne!(value, VACANT);
        if self.shards.is_empty() || self.len == ONE_SHARD_MAX {
            self.split(self.len + 1);
        }
        self.put(Pair { key, value });
    }

    /// Takes out the pair with this `key` and `value`; answers whether it was there.
    pub fn remove(&mut self, key: u32, value: u32) -> bool {
        let at = self.shard_of(key);
        let Some(shard) = self.shards.get_mut(at) else { return false };
        let Some(place) = shard.find(key, |other| other == value) else { return false };
        shard.remove(place);
        if shard.places.len() > SMALL && shard.taken < shard.places.len() / USED_DIVISOR {
            shard.rebuild(shard.taken);
        }
        self.len -= 1;
        true
    }

    /// Makes room for `added` pairs more at once, if they are many beside those that are there.
    pub fn reserve(&mut self, added: usize) {
        if added <= self.len / 2 {
            return;
        }
        self.split(self.len + added);
        let in_each = (self.len + added).div_ceil(self.shards.len());
        let in_each = in_each + in_each / UNEVEN_DIVISOR;
        for shard in self.shards.iter_mut().filter(|shard| room(shard.places.len()) < in_each) {
            shard.resize(in_each * 8 / FULL_EIGHTHS + 1);
        }
    }

    /// Makes the shards that so many pairs need, unless they are there.
    fn split(&mut self, pairs: usize) {
        let wanted = if pairs > ONE_SHARD_MAX { 1 << SHARD_BITS } else { 1 };
        if wanted <= self.shards.len() {
            return;
        }
        let shards = vec![Shard::default(); wanted].into_boxed_slice();
        let before = std::mem::replace(&mut self.shards, shards);
        self.len = 0;
        let pairs = before.iter().flat_map(|shard| &shard.places).filter(|pair| pair.value != VACANT);
        pairs.for_each(|pair| self.put(*pair));
    }

    fn put(&mut self, pair: Pair) {
        let at = self.shard_of(pair.key);
        let shard = &mut self.shards[at];
        if shard.taken >= room(shard.places.len()) {
            shard.rebuild(shard.taken + 1);
        }
        shard.insert(pair);
        self.len += 1;
    }

    fn shard_of(&self, key: u32) -> usize {
        if self.shards.len() == 1 { 0 } else { shard_of(key) }
    }

    /// How many pairs there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no pair.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let places: usize = self.shards.iter().map(|shard| shard.places.len()).sum();
        places * size_of::<Pair>() + self.shards.len() * size_of::<Shard>()
    }
}

impl Shard {
    /// The place of a pair with this key whose value `is_it`.
    fn find(&self, key: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        if self.taken == 0 {
            return None;
        }
        let (mut place, mut distance) = (home(key, self.places.len()), 0);
        loop {
            let pair = self.places[place];
            if pair.value == VACANT {
                return None;
            }
            if pair.key == key {
                if is_it(pair.value) {
                    return Some(place);
                }
            } else if self.distance(pair, place) < distance {
                return None;
            }
            (place, distance) = (self.after(place), distance + 1);
        }
    }

    /// There is a vacant place.
    fn insert(&mut self, mut pair: Pair) {
        let (mut place, mut distance) = (home(pair.key, self.places.len()), 0);
        while self.places[place].value != VACANT {
            let stands = self.distance(self.places[place], place);
            if stands < distance {
                std::mem::swap(&mut self.places[place], &mut pair);
                distance = stands;
            }
            (place, distance) = (self.after(place), distance + 1);
        }
        self.places[place] = pair;
        self.taken += 1;
    }

    /// Those that stand after it move up, as far as that brings them nearer to their own place.
    fn remove(&mut self, mut place: usize) {
        loop {
            let next = self.after(place);
            let pair = self.places[next];
            if pair.value == VACANT || self.distance(pair, next) == 0 {
                break;
            }
            self.places[place] = pair;
            place = next;
        }
        self.places[place].value = VACANT;
        self.taken -= 1;
    }

    /// Makes it as large as `taken` pairs need, with some to spare.
    fn rebuild(&mut self, taken: usize) {
        self.resize(taken + taken / SPARE_DIVISOR + 2);
    }

    fn resize(&mut self, places: usize) {
        let vacant = vec![Pair { key: 0, value: VACANT }; places].into_boxed_slice();
        let pairs = std::mem::replace(&mut self.places, vacant);
        self.taken = 0;
        for pair in pairs.iter().filter(|pair| pair.value != VACANT) {
            self.insert(*pair);
        }
    }

    /// How many places a pair stands after its own.
    fn distance(&self, pair: Pair, place: usize) -> usize {
        let home = home(pair.key, self.places.len());
        if place >= home { place - home } else { place + self.places.len() - home }
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 == self.places.len() { 0 } else { place + 1 }
    }
}

/// How many of so many places may be taken; fewer than all.
const fn room(places: usize) -> usize {
    places * FULL_EIGHTHS / 8
}

/// The product with an odd number whose bits look random (the golden ratio): its upper bits depend on all bits of `key`.
const fn spread(key: u32) -> u64 {
    (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The shard of a large table.
fn shard_of(key: u32) -> usize {
    usize::try_from(spread(key) >> (u64::BITS - SHARD_BITS)).unwrap_or_default()
}

/// The place that a pair with this key would have if it were alone among so many: the next bits of the hash, as a part of all.
fn home(key: u32, places: usize) -> usize {
    let hash = (spread(key) << SHARD_BITS) >> 32;
    usize::try_from((hash * places as u64) >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pair_takes_eight_bytes_and_a_full_table_about_ten() {
        const PAIRS: u32 = 200_000;
        assert_eq!(size_of::<Pair>(), 8);
        for reserved in [0, PAIRS as usize] {
            let mut table = PairTable::default();
            table.reserve(reserved);
            (0..PAIRS).for_each(|number| table.insert(number.wrapping_mul(7), number));
            let each = table.bytes() / PAIRS as usize;
            assert!((9..=10).contains(&each), "{each} bytes, {reserved} reserved");
            assert!((0..PAIRS).all(|number| table.find(number.wrapping_mul(7), |_| true) == Some(number)));
        }
    }

    #[test]
    fn what_comes_and_goes_for_hours_takes_no_more_room_and_what_a_burst_took_is_given_back() {
        const LIVE: u32 = 14_000;
        let mut table = PairTable::default();
        (0..LIVE).for_each(|number| table.insert(number, number));
        let bytes = table.bytes();
        for number in LIVE..100 * LIVE {
            assert!(table.remove(number - LIVE, number - LIVE));
            table.insert(number, number);
            assert!(table.bytes() <= bytes * 5 / 4, "{bytes} bytes at first, {} after {number}", table.bytes());
        }
        for number in 99 * LIVE..100 * LIVE - 100 {
            assert!(table.remove(number, number));
        }
        assert_eq!(table.len(), 100);
        assert!(table.bytes() < bytes / 2, "{bytes} before, {} after", table.bytes());
    }

    #[test]
    fn in_a_large_table_no_insertion_moves_more_than_one_shard() {
        let mut table = PairTable::default();
        let pairs = u32::try_from(2 * ONE_SHARD_MAX).expect("small");
        for number in 0..pairs {
            let before: Vec<usize> = table.shards.iter().map(|shard| shard.places.len()).collect();
            table.insert(number, number);
            if before.len() == table.shards.len() {
                let grown = table.shards.iter().zip(&before).filter(|(shard, before)| shard.places.len() != **before);
                assert!(grown.count() <= 1);
            }
        }
        assert_eq!(table.shards.len(), 1 << SHARD_BITS);
        assert!((0..pairs).all(|number| table.find(number, |_| true) == Some(number)));
    }

    proptest! {
        #[test]
        fn it_has_the_pairs_that_were_put_in(
            changes in proptest::collection::vec((0u32..40, 0u32..4, any::<bool>()), 0..400),
            reserved in proptest::collection::vec(0usize..400, 0..3),
        ) {
            let (mut table, mut model) = (PairTable::default(), BTreeSet::new());
            let mut reserved = reserved.into_iter();
            for (at, (key, value, comes)) in changes.into_iter().enumerate() {
                // Keys that share a shard and their place in it, others that do not.
                let key = if key < 20 { key } else { key << 20 };
                if comes && model.insert((key, value)) {
                    table.insert(key, value);
                } else if !comes {
                    prop_assert_eq!(table.remove(key, value), model.remove(&(key, value)));
                }
                if at % 50 == 49 {
                    table.reserve(reserved.next().unwrap_or_default());
                }
                for key in (0..20).chain((20..40).map(|key| key << 20)) {
                    for value in 0..4 {
                        let found = table.find(key, |other| other == value);
                        prop_assert_eq!(found.is_some(), model.contains(&(key, value)));
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
        }

        #[test]
        fn a_crowded_shard_keeps_its_order(steps in proptest::collection::vec((0u32..200, any::<bool>()), 0..500)) {
            // All in one shard of a fixed size that the test fills.
            let (mut shard, mut model) = (Shard::default(), BTreeSet::new());
            shard.resize(64);
            for (number, comes) in steps {
                let key = number / 2;
                if comes && model.len() < room(64) && model.insert((key, number)) {
                    shard.insert(Pair { key, value: number });
                } else if !comes && model.remove(&(key, number)) {
                    let place = shard.find(key, |value| value == number);
                    prop_assert!(place.is_some());
                    shard.remove(place.unwrap_or_default());
                }
                for number in 0..200 {
                    let found = shard.find(number / 2, |value| value == number).is_some();
                    prop_assert_eq!(found, model.contains(&(number / 2, number)), "{}", number);
                }
            }
        }
    }
}
