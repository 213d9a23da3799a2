//! The formats of printed tables: aligned text, one JSON object, NDJSON, CSV, bare values.

pub mod csv;
pub mod json;
pub mod plain;
pub mod text;

use std::io::{self, Write};

use crate::table::suggest;

/// Output goes out in pieces of about this length.
const PIECE_LEN: usize = 64 * 1024;

/// Appends every item to one buffer, which goes out whenever it is full.
pub fn write_all<T>(
    out: &mut impl Write,
    items: impl Iterator<Item = T>,
    mut append: impl FnMut(&mut Vec<u8>, T),
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(2 * PIECE_LEN);
    for item in items {
        append(&mut buffer, item);
        if buffer.len() >= PIECE_LEN {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values as in RFC 4180.
    Csv,
    /// The same, such that a spreadsheet takes no value for a formula.
    CsvSafe,
    /// Bare values, a line per socket or group: for `$(...)` and pipes.
    Plain,
}

/// The name of each format on the command line.
pub const FORMATS: [(&str, Format); 6] = [
    ("text", Format::Text),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("csv", Format::Csv),
    ("csv-safe", Format::CsvSafe),
    ("plain", Format::Plain),
];

impl Format {
    /// One JSON object, or text.
    pub const fn json_or_text(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// The format called `name`; an unknown name is answered by a sentence.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::parse_among(name, &FORMATS.map(|(_, format)| format))
    }

    /// As [`Self::parse`], for a command that has only these `formats`.
    pub fn parse_among(name: &str, formats: &[Self]) -> Result<Self, String> {
        let known = || FORMATS.iter().filter(|(_, format)| formats.contains(format));
        let found = known().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format);
        found.ok_or_else(|| {
            let names: Vec<_> = known().map(|(name, _)| *name).collect();
            let (last, others) = names.split_last().unwrap_or((&"", &[]));
            let all = format!("there are {} and {last}", others.join(", "));
            format!("unknown format '{name}'; {}", suggest::hint(name, names.iter().copied(), &all))
        })
    }
}
