//! `--fields`: what each field of JSON, NDJSON and CSV is called, of which column it is, its type, unit and meaning.
//! What is a column is told by its table; a test holds the rest against the schemas in `assets/schemas`.

mod names;

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::model::tcp_state::STATES;
use crate::report::format::DocumentFormat;
use crate::report::format::json::SCHEMA;
use crate::report::format::text::{self, TextHeading};
use crate::report::list::GroupBy;
use crate::table::column::{Align, Column, ValueKind};
use crate::table::connections::COLUMNS;
use crate::table::sums::SUMS;

/// One field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// What it is a field of: `list`, `line` (one that stands alone), `socket`, `group`, `change`, `gap` or `finding`.
    pub of: &'static str,
    /// Its name.
    pub field: &'static str,
    /// The column of which it is, as `--columns` and filters call it; `None` for what is no column.
    pub column: Option<&'static str>,
    /// Its type in JSON, where it is not `null`.
    pub r#type: &'static str,
    /// What it counts, for numbers that count something.
    pub unit: Option<&'static str>,
    /// The words it can be; `None` for any.
    pub values: Option<Vec<&'static str>>,
    /// One sentence.
    pub meaning: &'static str,
}

impl Field {
    fn of_column<R>(of: &'static str, column: &Column<R>) -> Self {
        let (r#type, unit) = match column.kind {
            ValueKind::Text | ValueKind::Word(_) | ValueKind::Address | ValueKind::Endpoint | ValueKind::State => {
                ("string", None)
            }
            ValueKind::Port | ValueKind::Count | ValueKind::Number => ("integer", None),
            ValueKind::Bytes => ("integer", Some("bytes")),
            ValueKind::Rate => ("number", Some("bytes per second")),
            ValueKind::Span => ("number", Some("seconds")),
            ValueKind::Flag => ("boolean", None),
            ValueKind::Share => ("number", Some("1 is all")),
        };
        let values = match column.kind {
            ValueKind::Word(labels) => Some(labels.to_vec()),
            ValueKind::State => Some(STATES.iter().map(|row| row.name).collect()),
            _ => None,
        };
        Self { of, field: column.json, column: Some(column.key), r#type, unit, values, meaning: column.about }
    }
}

/// The fields of a list of sockets.
pub fn of_list() -> Vec<Field> {
    let list = [names::of("list", names::HEAD), names::of("list", names::SOCKETS)].concat();
    [list, names::of("line", names::LINE), of_sockets("socket")].concat()
}

/// The fields of a list of groups.
pub fn of_groups(groups: &GroupBy) -> Vec<Field> {
    let keys = groups.keys().iter().map(|&index| Field::of_column("group", &COLUMNS[index]));
    let sums = SUMS.iter().map(|column| Field::of_column("group", column));
    let fields = keys.chain(sums).collect();
    let list = [names::of("list", names::HEAD), names::of("list", names::GROUPS)].concat();
    [list, names::of("line", names::LINE), fields].concat()
}

/// The fields of the lines of `conntop watch`.
pub fn of_events() -> Vec<Field> {
    let changes = [names::of("change", names::CHANGE), of_sockets("change")].concat();
    [changes, names::of("gap", names::GAP), names::of("finding", names::FINDING)].concat()
}

fn of_sockets(of: &'static str) -> Vec<Field> {
    let columns = COLUMNS.iter().filter(|column| column.in_json).map(|column| Field::of_column(of, column));
    columns.chain(names::of(of, names::OWNERS)).collect()
}

#[derive(Serialize)]
struct FieldsDocument<'a> {
    schema: u32,
    fields: &'a [Field],
}

/// Writes `fields`, as text or JSON.
pub fn write(fields: &[Field], format: DocumentFormat, out: &mut impl Write) -> io::Result<()> {
    match format {
        DocumentFormat::Json => {
            serde_json::to_writer(&mut *out, &FieldsDocument { schema: SCHEMA, fields })?;
            writeln!(out)
        }
        DocumentFormat::Text => {
            let headings = ["OF", "FIELD", "COLUMN", "TYPE", "UNIT", "MEANING"]
                .map(|title| TextHeading { title, align: Align::Left });
            let row = |field: &Field| {
                let values = field.values.as_ref().map(|values| format!(" One of {}.", values.join(", ")));
                let meaning = Cow::Owned(format!("{}{}", field.meaning, values.unwrap_or_default()));
                let cells = [field.of, field.field, field.column.unwrap_or(""), field.r#type, field.unit.unwrap_or("")];
                cells.map(Cow::Borrowed).into_iter().chain([meaning]).collect()
            };
            text::write(out, &headings, &fields.iter().map(row).collect::<Vec<Vec<_>>>())
        }
    }
}
