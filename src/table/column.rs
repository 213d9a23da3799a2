//! What a column is.

use crate::store::Store;
use crate::table::value::Value;

/// The direction of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where cells are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One column of a table of `R`: all that is known of it, said once.
pub struct Column<R: 'static> {
    /// The keyword in filters, `--columns`, `--sort`.
    pub key: &'static str,
    /// The heading on the screen and in text output.
    pub title: &'static str,
    /// One sentence: what it shows, with its unit.
    pub about: &'static str,
    /// Width in cells at least and at most.
    pub width: (u16, u16),
    /// Which columns go first when the screen is narrow: the highest rank; rank 0 stays always.
    /// `None`: only shown when asked for.
    pub rank: Option<u8>,
    /// The alignment.
    pub align: Align,
    /// The direction of the first sort by it.
    pub first_order: Order,
    /// Its name in JSON and CSV, with its unit.
    pub json: &'static str,
    /// Whether JSON and CSV have it without being asked.
    pub in_json: bool,
    /// The cell of a row.
    pub value: for<'a> fn(&'a R, &'a Store) -> Value<'a>,
}
