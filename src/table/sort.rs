//! (skeleton) What a table is sorted by.

use crate::table::column::Order;

/// A column and a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Index into the table's columns.
    pub column: usize,
    /// The direction.
    pub order: Order,
}
