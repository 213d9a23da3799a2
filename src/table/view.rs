//! (skeleton) Which connections are shown and in what order.

use crate::store::Store;
use crate::store::rows::{RowIndex, Touched};
use crate::table::column::Order;
use crate::table::filter::Filter;
use crate::table::sort::SortKey;

/// The filtered, sorted order of the connection table. Knows nothing of the screen; the cursor is the app's.
#[derive(Debug)]
pub struct View {
    filter: Filter,
    sort: SortKey,
    order: Vec<RowIndex>,
}

impl Default for View {
    fn default() -> Self {
        Self { filter: Filter::default(), sort: SortKey { column: 0, order: Order::Ascending }, order: Vec::new() }
    }
}

impl View {
    /// Takes in what a delta touched.
    pub fn apply(&mut self, touched: &Touched, store: &Store) {
        let _ = touched;
        self.rebuild(store);
    }

    /// Shows only what `filter` passes.
    pub fn set_filter(&mut self, filter: Filter, store: &Store) {
        self.filter = filter;
        self.rebuild(store);
    }

    /// Sorts by `sort`.
    pub fn set_sort(&mut self, sort: SortKey, store: &Store) {
        self.sort = sort;
        self.rebuild(store);
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What it is sorted by.
    pub fn sort(&self) -> SortKey {
        self.sort
    }

    /// The rows that are shown, first to last.
    pub fn order(&self) -> &[RowIndex] {
        &self.order
    }

    fn rebuild(&mut self, store: &Store) {
        self.order =
            store.rows().iter().filter(|(_, row)| self.filter.matches(row, store)).map(|(index, _)| index).collect();
    }
}
