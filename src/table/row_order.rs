//! Which rows pass and which of two stands first: what a view and the work under way for it share.

use std::cmp::Ordering;

use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row::RowIndex;
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::order::Order;
use crate::table::sort::SortKey;
use crate::table::value::Value;

/// A filter and what the rows that pass it are sorted by.
#[derive(Debug)]
pub(super) struct RowOrder {
    pub(super) filter: Filter,
    pub(super) sort: SortKey,
}

/// A row with all that decides where it stands; a total order, so that a row never moves without a reason.
pub(super) struct OrderedRow<'s> {
    value: Value<'s>,
    first_seen: Timestamp,
    pub(super) index: RowIndex,
}

impl Default for RowOrder {
    fn default() -> Self {
        Self { filter: Filter::default(), sort: SortKey { column: 0, order: Order::Ascending } }
    }
}

impl RowOrder {
    /// All that decides where the row at `index` stands; `None` if there is no such row.
    pub(super) fn of<'s>(&self, index: RowIndex, store: &'s Store) -> Option<OrderedRow<'s>> {
        let row = store.rows().get(index)?;
        let value = (COLUMNS[self.sort.column].value)(row, store);
        Some(OrderedRow { value, first_seen: row.connection.first_seen, index })
    }

    /// Which of two rows stands first.
    pub(super) fn compare(&self, a: &OrderedRow<'_>, b: &OrderedRow<'_>) -> Ordering {
        a.value.compare(&b.value, self.sort.order).then(a.first_seen.cmp(&b.first_seen)).then(a.index.cmp(&b.index))
    }

    /// Whether the row at `index` stands before `other`; not if there is no such row.
    pub(super) fn is_before(&self, index: RowIndex, other: &OrderedRow<'_>, store: &Store) -> bool {
        self.of(index, store).is_some_and(|row| self.compare(&row, other) == Ordering::Less)
    }
}
