//! What was sought and not found is sought again ever less often.

use std::hash::Hash;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::time::Timestamp;

/// What was not found, and when to seek it again.
#[derive(Debug)]
pub struct Backoff<K> {
    first: Duration,
    max: Duration,
    waiting: FxHashMap<K, Retry>,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    /// When to seek it again.
    at: Timestamp,
    wait: Duration,
    /// When it was last wanted.
    wanted_at: Timestamp,
}

impl<K: Copy + Eq + Hash> Backoff<K> {
    /// Waits for `first` after the first search that found nothing, twice as long after each next one, and at most `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, waiting: FxHashMap::default() }
    }

    /// Whether `key`, which is wanted, is to be sought now.
    pub fn is_due(&mut self, key: K, now: Timestamp) -> bool {
        self.waiting.get_mut(&key).is_none_or(|retry| {
            retry.wanted_at = now;
            retry.at <= now
        })
    }

    /// Whether `key` was sought before and not found.
    pub fn is_waiting(&self, key: K) -> bool {
        self.waiting.contains_key(&key)
    }

    /// `key` was sought and not found.
    pub fn put_off(&mut self, key: K, now: Timestamp) {
        let wait = self.waiting.get(&key).map_or(self.first, |retry| (retry.wait * 2).min(self.max));
        self.waiting.insert(key, Retry { at: now.after(wait), wait, wanted_at: now });
    }

    /// `key` was found.
    pub fn forget(&mut self, key: K) {
        self.waiting.remove(&key);
    }

    /// Forgets what was not wanted since `then`.
    pub fn forget_unwanted(&mut self, then: Timestamp) {
        self.waiting.retain(|_, retry| retry.wanted_at >= then);
    }

    /// Whether nothing is put off.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_without_a_result_the_wait_is_twice_as_long_up_to_a_limit() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
        let mut sought = Vec::new();
        for second in 0..20 {
            if backoff.is_due('x', at(second)) {
                sought.push(second);
                backoff.put_off('x', at(second));
            }
        }
        assert_eq!(sought, [0, 1, 3, 7, 11, 15, 19]);
        backoff.forget_unwanted(at(19));
        assert!(!backoff.is_due('x', at(19)) && backoff.is_due('y', at(19)));
        backoff.forget('x');
        assert!(backoff.is_due('x', at(19)) && backoff.is_empty());
        backoff.put_off('x', at(19));
        backoff.forget_unwanted(at(20));
        assert!(backoff.is_empty());
    }
}
