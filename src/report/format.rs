//! The formats of printed tables: aligned text, one JSON object, NDJSON, CSV.

pub mod csv;
pub mod json;
pub mod text;

use crate::table::suggest;

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
}

/// The name of each format on the command line.
pub const FORMATS: [(&str, Format); 4] =
    [("text", Format::Text), ("json", Format::Json), ("ndjson", Format::Ndjson), ("csv", Format::Csv)];

impl Format {
    /// The format called `name`; an unknown name is answered by a sentence.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = FORMATS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format);
        found.ok_or_else(|| {
            let names = FORMATS.iter().map(|(name, _)| *name);
            format!("unknown format '{name}'; {}", suggest::hint(name, names, "there are text, json, ndjson and csv"))
        })
    }
}
