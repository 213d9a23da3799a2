//! The formats of printed tables: aligned text, one JSON object, NDJSON, CSV, bare values.

pub mod csv;
pub mod json;
pub mod label;
pub mod plain;
pub mod schema;
pub mod socket;
pub mod text;

use std::io::{self, Write};

use clap::ValueEnum;

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

/// How a table of sockets or groups is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    #[default]
    Text,
    /// One JSON object
    Json,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values as in RFC 4180
    Csv,
    /// CSV for spreadsheets: no value is taken for a formula
    CsvSafe,
    /// Values alone, with tabs between and no heading: for $(...) and pipes
    Plain,
}

/// How a command prints that has one document to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DocumentFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// How events are printed as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// One line of text per event
    #[default]
    Text,
    /// One sentence per event, without signs
    Plain,
    /// One JSON object a line, one per event
    Ndjson,
}

/// How the targets of `conntop kill` and `conntop close` are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TargetFormat {
    /// Aligned columns
    #[default]
    Text,
    /// One JSON object
    Json,
    /// One JSON object a line, one per target
    Ndjson,
}

impl From<DocumentFormat> for Format {
    fn from(format: DocumentFormat) -> Self {
        match format {
            DocumentFormat::Text => Self::Text,
            DocumentFormat::Json => Self::Json,
        }
    }
}

impl From<EventFormat> for Format {
    fn from(format: EventFormat) -> Self {
        match format {
            EventFormat::Text | EventFormat::Plain => Self::Text,
            EventFormat::Ndjson => Self::Ndjson,
        }
    }
}

impl From<TargetFormat> for Format {
    fn from(format: TargetFormat) -> Self {
        match format {
            TargetFormat::Text => Self::Text,
            TargetFormat::Json => Self::Json,
            TargetFormat::Ndjson => Self::Ndjson,
        }
    }
}
