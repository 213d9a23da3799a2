//! Columns, typed values, the filter language, sorting and the order of rows.
//!
//! A column is one row of a static table: everything else (cells, JSON, filters, sort menu, help) is derived from it.

pub mod braille;
pub mod cell_term;
pub mod column;
pub mod connections;
pub mod cut;
pub mod filter;
pub mod fit;
pub mod folded;
pub mod groups;
pub mod order;
pub mod query;
mod reinsertion;
mod row_order;
mod sliced_sort;
pub mod sort;
pub mod suggest;
pub mod sums;
pub mod units;
pub mod value;
pub mod view;
