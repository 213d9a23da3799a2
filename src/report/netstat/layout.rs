//! netstat's layout: a title, a blank line, a heading and rows with two blanks before them.

use std::io::{self, Write};

use crate::table::column::Align;
use crate::table::cut::cells;

/// What stands for a value that is not known, so that every line has the same number of fields.
const MISSING: &str = "-";
/// Blanks before each line, and between two columns.
const GAP: usize = 2;

/// The heading of a column: its words, its alignment, and its least width.
#[derive(Clone, Copy, Debug)]
pub struct NetstatHeading {
    title: &'static str,
    align: Align,
    least: usize,
}

/// A column of words.
pub const fn left(title: &'static str, least: usize) -> NetstatHeading {
    NetstatHeading { title, align: Align::Left, least }
}

/// A column of numbers.
pub const fn right(title: &'static str, least: usize) -> NetstatHeading {
    NetstatHeading { title, align: Align::Right, least }
}

/// How wide each column has been so far: columns never become narrower, so that rounds stand below each other.
#[derive(Debug, Default)]
pub struct ColumnWidths(Vec<usize>);

/// Writes a title.
pub fn title(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}\n")
}

/// Writes `rows` under `headings`; every row has as many cells as there are headings. Text is never cut.
pub fn table(
    out: &mut impl Write,
    headings: &[NetstatHeading],
    rows: &[Vec<String>],
    widths: &mut ColumnWidths,
) -> io::Result<()> {
    grow(headings, rows, widths);
    let widths = &widths.0;
    line(out, headings, widths, headings.iter().map(|heading| heading.title))?;
    for row in rows {
        line(out, headings, widths, row.iter().map(String::as_str))?;
    }
    Ok(())
}

/// Makes every column wide enough for `rows`.
pub fn grow(headings: &[NetstatHeading], rows: &[Vec<String>], widths: &mut ColumnWidths) {
    widths.0.resize(headings.len(), 0);
    for (width, heading) in widths.0.iter_mut().zip(headings) {
        *width = cells(heading.title).max(heading.least).max(*width);
    }
    for row in rows {
        for (width, cell) in widths.0.iter_mut().zip(row) {
            *width = cells(cell).max(*width);
        }
    }
}

fn line<'c>(
    out: &mut impl Write,
    headings: &[NetstatHeading],
    widths: &[usize],
    cells_of_line: impl Iterator<Item = &'c str>,
) -> io::Result<()> {
    // Blanks are owed, not written, until something follows them.
    let mut owed = GAP;
    for ((heading, width), cell) in headings.iter().zip(widths).zip(cells_of_line) {
        let cell = if cell.is_empty() { MISSING } else { cell };
        let pad = width.saturating_sub(cells(cell));
        let (before, after) = if heading.align == Align::Right { (pad, 0) } else { (0, pad) };
        write!(out, "{:blanks$}{cell}", "", blanks = owed + before)?;
        owed = after + GAP;
    }
    writeln!(out)
}
