//! `--fields`: what each field of JSON, NDJSON and CSV is called, of which column it is, its type, unit and meaning.
//! Columns are described by their table, the rest by the schemas of what is printed.

use std::borrow::Cow;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::tcp_state::STATES;
use crate::report::format::DocumentFormat;
use crate::report::format::json::{self, LineHead, SCHEMA};
use crate::report::format::schema;
use crate::report::format::socket::{SocketHolders, SocketHost};
use crate::report::format::text::{self, TextHeading};
use crate::report::list::GroupBy;
use crate::report::schemas::list::{GroupsDocument, ListDocument};
use crate::report::watch::{FindingEvent, GapEvent, SocketChange};
use crate::table::column::{Align, Column, ValueKind};
use crate::table::connections::COLUMNS;
use crate::table::sums::SUMS;

/// One field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "field")]
pub struct Field {
    /// What it is a field of: list, line (one that stands alone), socket, group, change, gap or finding.
    #[schemars(extend("enum" = ["list", "line", "socket", "group", "change", "gap", "finding"]))]
    pub of: &'static str,
    /// Its name.
    #[schemars(length(min = 1))]
    pub field: String,
    /// The column of which it is, as --columns and filters call it; null for what is no column.
    #[schemars(length(min = 1))]
    pub column: Option<&'static str>,
    /// Its type in JSON, where it is not null.
    #[schemars(extend("enum" = ["string", "integer", "number", "boolean", "array", "object"]))]
    pub r#type: String,
    /// What it counts, for numbers that count something.
    #[schemars(length(min = 1))]
    pub unit: Option<String>,
    /// The words it can be; null for any.
    pub values: Option<Vec<&'static str>>,
    /// One sentence.
    #[schemars(length(min = 1))]
    pub meaning: String,
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
        Self {
            of,
            field: column.json.to_owned(),
            column: Some(column.key),
            r#type: r#type.to_owned(),
            unit: unit.map(str::to_owned),
            values,
            meaning: column.about.to_owned(),
        }
    }

    /// The fields of `T`, in their order: what its schema says of them.
    fn of_type<T: JsonSchema>(of: &'static str) -> Vec<Self> {
        let schema = schema::of::<T>();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        properties.into_iter().map(|(name, rule)| Self::of_property(of, name, &rule)).collect()
    }

    fn of_property(of: &'static str, field: String, rule: &Value) -> Self {
        let text = |key: &str| rule[key].as_str().map(str::to_owned);
        let types = rule["type"].as_array();
        let first = types.and_then(|types| types.iter().find(|one| **one != "null")).or(rule.get("type"));
        Self {
            of,
            field,
            column: None,
            r#type: first.and_then(Value::as_str).unwrap_or("object").to_owned(),
            unit: text("unit"),
            values: None,
            meaning: text("description").unwrap_or_default(),
        }
    }
}

/// The fields of a list of sockets.
pub fn of_list() -> Vec<Field> {
    let around = [Field::of_type::<ListDocument<'_>>("list"), Field::of_type::<LineHead<'_>>("line")].concat();
    [around, Field::of_type::<SocketHost<'_>>("socket"), of_sockets("socket")].concat()
}

/// The fields of a list of groups.
pub fn of_groups(groups: &GroupBy) -> Vec<Field> {
    let keys = groups.keys().iter().map(|&index| Field::of_column("group", &COLUMNS[index]));
    let sums = SUMS.iter().map(|column| Field::of_column("group", column));
    let around = [Field::of_type::<GroupsDocument<'_>>("list"), Field::of_type::<LineHead<'_>>("line")].concat();
    [around, keys.chain(sums).collect()].concat()
}

/// The fields of the lines of `conntop watch`.
pub fn of_events() -> Vec<Field> {
    let changes = [Field::of_type::<SocketChange<'_>>("change"), of_sockets("change")].concat();
    [changes, Field::of_type::<GapEvent<'_>>("gap"), Field::of_type::<FindingEvent<'_>>("finding")].concat()
}

fn of_sockets(of: &'static str) -> Vec<Field> {
    let columns = COLUMNS.iter().filter(|column| column.in_json).map(|column| Field::of_column(of, column));
    columns.chain(Field::of_type::<SocketHolders<'_>>(of)).collect()
}

/// What `--fields --format json` prints.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct FieldsDocument<'a> {
    /// Changes when a name or a meaning does.
    #[schemars(extend("const" = SCHEMA))]
    schema: u32,
    /// The fields.
    fields: &'a [Field],
}

/// Writes `fields`, as text or JSON.
pub fn write(fields: &[Field], format: DocumentFormat, out: &mut impl Write) -> io::Result<()> {
    match format {
        DocumentFormat::Json => json::write_document(out, &FieldsDocument { schema: SCHEMA, fields }),
        DocumentFormat::Text => {
            let headings = ["OF", "FIELD", "COLUMN", "TYPE", "UNIT", "MEANING"]
                .map(|title| TextHeading { title, align: Align::Left });
            text::write(out, &headings, &fields.iter().map(text_row).collect::<Vec<Vec<_>>>())
        }
    }
}

fn text_row(field: &Field) -> Vec<Cow<'_, str>> {
    let values = field.values.as_ref().map(|values| format!(" One of {}.", values.join(", ")));
    let meaning = Cow::Owned(format!("{}{}", field.meaning, values.unwrap_or_default()));
    let unit = field.unit.as_deref().unwrap_or("");
    let cells = [field.of, &field.field, field.column.unwrap_or(""), &field.r#type, unit];
    cells.map(Cow::Borrowed).into_iter().chain([meaning]).collect()
}
