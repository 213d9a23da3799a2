//! A set of rows, as bits: rows have small indices, and a set is asked about all of them.

use crate::store::row::RowIndex;

/// Some of the rows.
#[derive(Clone, Debug, Default)]
pub struct RowSet {
    words: Vec<u64>,
}

impl RowSet {
    /// The set of `rows`.
    pub fn of(rows: &[RowIndex]) -> Self {
        let len = rows.iter().max().map_or(0, |last| place(*last).0 + 1);
        let mut words = vec![0; len];
        for row in rows {
            let (word, bit) = place(*row);
            words[word] |= bit;
        }
        Self { words }
    }

    /// Takes `row` in; answers whether it was not there before.
    pub fn insert(&mut self, row: RowIndex) -> bool {
        let (word, bit) = place(row);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Takes `row` out; answers whether it was there.
    pub fn remove(&mut self, row: RowIndex) -> bool {
        let (word, bit) = place(row);
        let Some(word) = self.words.get_mut(word) else { return false };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    /// Whether `row` is in it.
    pub fn contains(&self, row: RowIndex) -> bool {
        let (word, bit) = place(row);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The first row of the set that is `from` or comes after it.
    pub fn first_from(&self, from: RowIndex) -> Option<RowIndex> {
        let (first, bit) = place(from);
        let mut rest = *self.words.get(first)? & !(bit - 1);
        for word in first..self.words.len() {
            rest = if word == first { rest } else { self.words[word] };
            if rest != 0 {
                return u32::try_from(word * 64).ok().map(|base| RowIndex(base + rest.trailing_zeros()));
            }
        }
        None
    }

    /// Its rows, by index.
    pub fn iter(&self) -> impl Iterator<Item = RowIndex> {
        let next = |row: &RowIndex| self.first_from(RowIndex(row.0 + 1));
        std::iter::successors(self.first_from(RowIndex(0)), next)
    }
}

fn place(row: RowIndex) -> (usize, u64) {
    (row.0 as usize / 64, 1 << (row.0 % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(changes in proptest::collection::vec((0u32..300, any::<bool>()), 0..200), from in 0u32..400) {
            let (mut set, mut model) = (RowSet::default(), BTreeSet::new());
            for (row, inserted) in changes {
                let row = RowIndex(row);
                if inserted {
                    prop_assert_eq!(set.insert(row), model.insert(row));
                } else {
                    prop_assert_eq!(set.remove(row), model.remove(&row));
                }
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            let again = RowSet::of(&model.iter().copied().collect::<Vec<_>>());
            prop_assert!(again.iter().eq(model.iter().copied()));
            prop_assert_eq!(set.first_from(RowIndex(from)), model.range(RowIndex(from)..).next().copied());
            prop_assert!(model.iter().all(|row| set.contains(*row)));
        }
    }
}
