//! Aligned text: as wide as its content, never cut, no blanks at the end of a line.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::table::column::Align;
use crate::table::cut::cells;

/// What stands for a value that is not known, so that every line has the same number of fields.
const MISSING: &str = "-";

/// Blanks between two columns.
const GAP: usize = 2;

/// The heading and alignment of a printed column.
#[derive(Clone, Copy, Debug)]
pub struct TextHeading {
    /// Its title.
    pub title: &'static str,
    /// Where its cells are aligned.
    pub align: Align,
}

/// Writes `rows` under `headings`; every row has as many cells as there are headings.
pub fn write(out: &mut impl Write, headings: &[TextHeading], rows: &[Vec<Cow<'_, str>>]) -> io::Result<()> {
    let mut widths: Vec<_> = headings.iter().map(|heading| cells(heading.title)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cells(shown(cell)).max(*width);
        }
    }
    write_line(out, headings, &widths, headings.iter().map(|heading| heading.title))?;
    for row in rows {
        write_line(out, headings, &widths, row.iter().map(|cell| shown(cell)))?;
    }
    Ok(())
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { MISSING } else { cell }
}

fn write_line<'c>(
    out: &mut impl Write,
    headings: &[TextHeading],
    widths: &[usize],
    line: impl Iterator<Item = &'c str>,
) -> io::Result<()> {
    // Blanks are owed, not written, until something follows them.
    let mut owed = 0;
    for ((heading, width), cell) in headings.iter().zip(widths).zip(line) {
        let pad = width.saturating_sub(cells(cell));
        let (before, after) = if heading.align == Align::Right { (pad, 0) } else { (0, pad) };
        write!(out, "{:blanks$}{cell}", "", blanks = owed + before)?;
        owed = after + GAP;
    }
    writeln!(out)
}
