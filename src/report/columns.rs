//! `conntop columns`: what each column is called and shows.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::report::format::text::{self, Heading};
use crate::table::column::Align;
use crate::table::connections::COLUMNS;

/// Writes the columns of the connection table.
pub fn write(out: &mut impl Write) -> io::Result<()> {
    let headings = ["KEY", "TITLE", "JSON", "ABOUT"].map(|title| Heading { title, align: Align::Left });
    let rows: Vec<_> = COLUMNS
        .iter()
        .map(|column| [column.key, column.title, column.json, column.about].map(Cow::Borrowed).to_vec())
        .collect();
    text::write(out, &headings, &rows)
}
