//! What a table is sorted by, and how that is written: `age`, `-age`.

use crate::table::column::{Column, find, refuse_hint};
use crate::table::order::Order;

/// A column and a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Index into the table's columns.
    pub column: usize,
    /// The direction.
    pub order: Order,
}

impl SortKey {
    /// The key that `text` writes: a column's name sorts ascending, with a `-` before it descending.
    pub fn parse<R>(columns: &[Column<R>], text: &str) -> Result<Self, String> {
        let (name, order) = match text.strip_prefix('-') {
            Some(name) => (name, Order::Descending),
            None => (text, Order::Ascending),
        };
        let column = find(columns, name)?;
        refuse_hint(&columns[column])?;
        Ok(Self { column, order })
    }

    /// The first sort by `column`: the direction that shows what matters first.
    pub fn first<R>(columns: &[Column<R>], column: usize) -> Self {
        Self { column, order: columns[column].first_order }
    }
}
