//! A map that forgets what was not used for long: bounded, and cheap to keep so.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations: what is used moves to the young one; when that is full it becomes the old one, and what was still
/// in there is forgotten. So the last half of the limit that was used is always there.
///
/// Keys may come from strangers (addresses of peers), so it hashes with a secret (`SipHash`).
#[derive(Clone, Debug)]
pub struct Recent<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// An empty one that holds at most `most` (at least 2).
    pub fn new(most: usize) -> Self {
        Self { half: (most / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    /// What is known of `key`; does not count as a use.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Remembers `value`; answers what was known before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value).or(before)
    }

    /// Keeps what is known of `key` as if it were new.
    pub fn touch(&mut self, key: &K) {
        if let Some(value) = self.old.remove(key) {
            self.insert(*key, value);
        }
    }

    /// Forgets `key`; answers what was known.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_grows_beyond_its_limit_and_keeps_what_was_used_last() {
        let mut recent = Recent::new(100);
        for key in 0..10_000u32 {
            recent.insert(key, key);
            recent.touch(&0);
            assert!(recent.len() <= 100);
            assert_eq!(recent.get(&0), Some(&0), "what is used stays");
            assert!(key < 49 || (key - 49..=key).skip(1).all(|key| recent.get(&key).is_some()), "{key}");
        }
        assert_eq!(recent.get(&1), None);
    }

    #[test]
    fn a_key_is_known_once_in_whichever_generation() {
        let mut recent = Recent::new(4);
        assert!(recent.is_empty());
        for key in 0..3 {
            assert_eq!(recent.insert(key, "first"), None);
        }
        assert_eq!(recent.insert(0, "second"), Some("first"));
        assert_eq!((recent.len(), recent.get(&0)), (3, Some(&"second")));
        assert_eq!((recent.remove(&0), recent.remove(&0), recent.len()), (Some("second"), None, 2));
    }
}
