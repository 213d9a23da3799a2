//! Which connections are shown and in what order. Knows nothing of the screen; the cursor is the app's.
//!
//! A sample costs time in proportion to what it touched: touched rows are taken out and put back by binary search. Only
//! where values change by themselves (a filter on ages, a sort by timers) every row is looked at, and even then the
//! order is mended, not made anew.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;

use crate::model::process::Names;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::rows::{Row, RowIndex, Touched};
use crate::table::column::{Drift, Order};
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::sort::SortKey;
use crate::table::value::Value;

/// The filtered, sorted order of the connection table.
#[derive(Debug)]
pub struct View {
    filter: Filter,
    sort: SortKey,
    order: Vec<RowIndex>,
    names: Names,
}

impl Default for View {
    fn default() -> Self {
        let sort = SortKey { column: 0, order: Order::Ascending };
        Self { filter: Filter::default(), sort, order: Vec::new(), names: Names::default() }
    }
}

/// A row with all that decides its place; a total order, so that a row never moves without a reason.
struct Placed<'s> {
    value: Value<'s>,
    first_seen: Timestamp,
    index: RowIndex,
}

impl Placed<'_> {
    fn compare(&self, other: &Self, order: Order) -> Ordering {
        self.value
            .compare(&other.value, order)
            .then(self.first_seen.cmp(&other.first_seen))
            .then(self.index.cmp(&other.index))
    }
}

impl View {
    /// Takes in what a delta touched.
    pub fn apply(&mut self, touched: &Touched, store: &Store) {
        let names_changed = self.names != *store.names();
        if names_changed {
            self.names.clone_from(store.names());
        }
        let mut moved: FxHashSet<RowIndex> = touched.added.iter().chain(&touched.changed).copied().collect();
        if self.filter.depends_on_time() || (names_changed && self.filter.depends_on_names()) {
            moved.extend(self.strangers(store));
        }
        moved.extend(&touched.purged);
        if !moved.is_empty() {
            self.order.retain(|index| !moved.contains(index));
        }
        match COLUMNS[self.sort.column].drift {
            Drift::Free => self.mend(store),
            Drift::Names if names_changed => self.mend(store),
            _ => {}
        }
        self.insert(moved, store);
    }

    /// Shows only what `filter` passes.
    pub fn set_filter(&mut self, filter: Filter, store: &Store) {
        self.filter = filter;
        self.rebuild(store);
    }

    /// Sorts by `sort`.
    pub fn set_sort(&mut self, sort: SortKey, store: &Store) {
        self.sort = sort;
        self.mend(store);
    }

    /// The filter.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What it is sorted by.
    pub const fn sort(&self) -> SortKey {
        self.sort
    }

    /// The rows that are shown, first to last.
    pub fn order(&self) -> &[RowIndex] {
        &self.order
    }

    /// Where the row at `index` is shown; `None` if it is not.
    pub fn position(&self, index: RowIndex) -> Option<usize> {
        self.order.iter().position(|shown| *shown == index)
    }

    /// Makes filter and order anew from every row.
    pub fn rebuild(&mut self, store: &Store) {
        self.names.clone_from(store.names());
        self.order =
            store.rows().iter().filter(|(_, row)| self.filter.matches(row, store)).map(|(index, _)| index).collect();
        self.mend(store);
    }

    /// Rows about which the filter has changed its mind.
    fn strangers(&self, store: &Store) -> Vec<RowIndex> {
        let shown: FxHashSet<RowIndex> = self.order.iter().copied().collect();
        let is_stranger = |index: RowIndex, row: &Row| self.filter.matches(row, store) != shown.contains(&index);
        store.rows().iter().filter(|(index, row)| is_stranger(*index, row)).map(|(index, _)| index).collect()
    }

    /// Sorts the rows that are shown; nearly sorted ones cost little more than a look at each.
    fn mend(&mut self, store: &Store) {
        let mut placed: Vec<_> = self.order.iter().filter_map(|index| self.place(*index, store)).collect();
        placed.sort_by(|a, b| a.compare(b, self.sort.order));
        let order = placed.iter().map(|placed| placed.index).collect();
        self.order = order;
    }

    /// Merges those of `moved` that pass the filter into the order.
    fn insert(&mut self, moved: FxHashSet<RowIndex>, store: &Store) {
        let passes = |index: &RowIndex| store.rows().get(*index).is_some_and(|row| self.filter.matches(row, store));
        let mut placed: Vec<_> =
            moved.into_iter().filter(passes).filter_map(|index| self.place(index, store)).collect();
        if placed.is_empty() {
            return;
        }
        placed.sort_by(|a, b| a.compare(b, self.sort.order));
        let mut merged = Vec::with_capacity(self.order.len() + placed.len());
        let mut rest = &self.order[..];
        for new in &placed {
            let is_before = |index: &RowIndex| {
                self.place(*index, store).is_some_and(|old| old.compare(new, self.sort.order) == Ordering::Less)
            };
            let (before, after) = rest.split_at(rest.partition_point(is_before));
            merged.extend_from_slice(before);
            merged.push(new.index);
            rest = after;
        }
        merged.extend_from_slice(rest);
        self.order = merged;
    }

    fn place<'s>(&self, index: RowIndex, store: &'s Store) -> Option<Placed<'s>> {
        let row = store.rows().get(index)?;
        let value = (COLUMNS[self.sort.column].value)(row, store);
        Some(Placed { value, first_seen: row.connection.first_seen, index })
    }
}
