//! Which names have a series of their own. There is room for few, so that the number of series is bounded; and a name must not come
//! and go with each sample, because every change of the set leaves a gap in two series.

use std::hash::Hash;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::time::Timestamp;

/// The remembered amount of a name halves in this time, so that a short peak does not keep its place for ever.
const HALF_LIFE: Duration = Duration::from_secs(600);
/// A name that is gone for so long gives its place up.
const ABSENT_MAX: Duration = Duration::from_secs(600);
/// Another name takes a place where its amount is so many times what is remembered of the smallest that has one.
const LEAD: f64 = 1.25;

/// The names that have a place.
#[derive(Debug)]
pub(super) struct LabelSlots<K> {
    len_max: usize,
    slots: Vec<LabelSlot<K>>,
    at: Timestamp,
}

#[derive(Debug)]
struct LabelSlot<K> {
    name: K,
    /// The largest amount of late.
    remembered: f64,
    seen_at: Timestamp,
}

impl<K: Clone + Eq + Hash + Ord> LabelSlots<K> {
    /// Room for `len_max` names.
    pub(super) const fn new(len_max: usize) -> Self {
        Self { len_max, slots: Vec::new(), at: Timestamp(0) }
    }

    /// Whether `name` has a place.
    pub(super) fn has(&self, name: &K) -> bool {
        self.slots.iter().any(|slot| slot.name == *name)
    }

    /// Decides anew who has a place, from the amounts of the sample taken at `at`.
    pub(super) fn choose(&mut self, at: Timestamp, amounts: &FxHashMap<K, f64>) {
        let halved = at.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        let kept = 0.5_f64.powf(halved);
        self.at = at;
        self.slots.retain_mut(|slot| {
            slot.remembered *= kept;
            if let Some(amount) = amounts.get(&slot.name) {
                slot.remembered = slot.remembered.max(*amount);
                slot.seen_at = at;
            }
            at.since(slot.seen_at) < ABSENT_MAX
        });
        for (name, amount) in self.candidates(amounts) {
            let slot = LabelSlot { name: name.clone(), remembered: amount, seen_at: at };
            if self.slots.len() < self.len_max {
                self.slots.push(slot);
                continue;
            }
            let smallest = self.slots.iter_mut().min_by(|a, b| a.remembered.total_cmp(&b.remembered));
            match smallest.filter(|smallest| amount > smallest.remembered * LEAD) {
                Some(smallest) => *smallest = slot,
                None => return,
            }
        }
    }

    /// Those without a place, the largest first and by name among equals; no more than could take one.
    fn candidates<'a>(&self, amounts: &'a FxHashMap<K, f64>) -> Vec<(&'a K, f64)> {
        let without = amounts.iter().filter(|(name, _)| !self.has(name));
        let mut found: Vec<(&K, f64)> = without.map(|(name, amount)| (name, *amount)).collect();
        let order = |a: &(&K, f64), b: &(&K, f64)| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0));
        if found.len() > self.len_max {
            found.select_nth_unstable_by(self.len_max, order);
            found.truncate(self.len_max);
        }
        found.sort_unstable_by(order);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(slots: &mut LabelSlots<&'static str>, second: u64, amounts: &[(&'static str, f64)]) -> Vec<&'static str> {
        slots.choose(Timestamp::from_millis(second * 1_000), &amounts.iter().copied().collect());
        let mut names: Vec<_> = slots.slots.iter().map(|slot| slot.name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn two_names_that_take_turns_at_the_edge_do_not_change_places() {
        let mut slots = LabelSlots::new(2);
        assert_eq!(chosen(&mut slots, 0, &[("a", 100.0), ("b", 10.0), ("c", 9.0)]), ["a", "b"]);
        for second in 1..60 {
            let (b, c) = if second % 2 == 0 { (10.0, 9.0) } else { (9.0, 10.0) };
            assert_eq!(chosen(&mut slots, second, &[("a", 100.0), ("b", b), ("c", c)]), ["a", "b"]);
        }
        assert_eq!(
            chosen(&mut slots, 60, &[("a", 100.0), ("b", 10.0), ("c", 30.0)]),
            ["a", "c"],
            "a clear lead counts"
        );
    }

    #[test]
    fn a_name_that_is_gone_for_a_moment_keeps_its_place_and_loses_it_in_the_end() {
        let mut slots = LabelSlots::new(1);
        assert_eq!(chosen(&mut slots, 0, &[("a", 50.0), ("b", 3.0)]), ["a"]);
        assert_eq!(chosen(&mut slots, 15, &[("b", 3.0)]), ["a"]);
        assert_eq!(chosen(&mut slots, 700, &[("b", 3.0)]), ["b"]);
    }

    #[test]
    fn a_peak_of_long_ago_does_not_count() {
        let mut slots = LabelSlots::new(1);
        assert_eq!(chosen(&mut slots, 0, &[("a", 50.0)]), ["a"]);
        assert_eq!(chosen(&mut slots, 10, &[("a", 1.0), ("b", 20.0)]), ["a"]);
        assert_eq!(chosen(&mut slots, 1_210, &[("a", 1.0), ("b", 20.0)]), ["b"]);
    }

    #[test]
    fn names_with_nothing_fill_what_is_left_in_the_order_of_their_names() {
        let mut slots = LabelSlots::new(2);
        assert_eq!(chosen(&mut slots, 0, &[("c", 0.0), ("b", 0.0), ("a", 0.0)]), ["a", "b"]);
        assert_eq!(chosen(&mut slots, 1, &[("c", 0.0), ("b", 0.0), ("a", 0.0)]), ["a", "b"]);
        assert!(chosen(&mut slots, 2, &[("c", 0.1), ("b", 0.0), ("a", 0.0)]).contains(&"c"));
    }
}
