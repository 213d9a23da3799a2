//! `conntop columns`: what each column is called and shows.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::report::format::DocumentFormat;
use crate::report::format::json::SCHEMA;
use crate::report::format::text::{self, TextHeading};
use crate::table::column::Align;
use crate::table::connections::COLUMNS;

#[derive(Serialize)]
struct ColumnsDocument {
    schema: u32,
    columns: Vec<ColumnDescription>,
}

/// A column; what it is called in JSON stands under `field`, and whether it is there without being asked for.
#[derive(Serialize)]
struct ColumnDescription {
    column: &'static str,
    title: &'static str,
    field: &'static str,
    in_json: bool,
    /// What has to be looked at beside the lists of the kernel.
    needs: Vec<&'static str>,
    meaning: &'static str,
}

/// Writes the columns of the connection table, as text or as one JSON object.
pub fn write(format: DocumentFormat, out: &mut impl Write) -> io::Result<()> {
    let rows = COLUMNS.iter().map(|column| ColumnDescription {
        column: column.key,
        title: column.title,
        field: column.json,
        in_json: column.in_json,
        needs: column.reads.costly().collect(),
        meaning: column.about,
    });
    match format {
        DocumentFormat::Json => {
            serde_json::to_writer(&mut *out, &ColumnsDocument { schema: SCHEMA, columns: rows.collect() })?;
            writeln!(out)
        }
        DocumentFormat::Text => {
            let headings =
                ["KEY", "TITLE", "JSON", "NEEDS", "ABOUT"].map(|title| TextHeading { title, align: Align::Left });
            let cells = |row: ColumnDescription| -> Vec<Cow<'static, str>> {
                let needs = row.needs.join(", ");
                vec![row.column.into(), row.title.into(), row.field.into(), needs.into(), row.meaning.into()]
            };
            let rows: Vec<_> = rows.map(cells).collect();
            text::write(out, &headings, &rows)
        }
    }
}
