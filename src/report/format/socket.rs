//! A socket as one object of a document: the columns of the connection table that JSON has, and who holds it.
//!
//! `conntop list` can have millions of them and writes the same bytes by [`SocketWriter`]; a test compares both.
//!
//! [`SocketWriter`]: crate::report::format::json::SocketWriter

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::process::{Holders, Process};
use crate::model::tcp_state::STATES;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::{Column, ValueKind};
use crate::table::connections::COLUMNS;

/// A socket with all that is known of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "socket")]
pub struct SocketObject<'a> {
    #[serde(flatten)]
    host: SocketHost<'a>,
    #[serde(flatten)]
    fields: SocketFields<'a>,
}

/// Where a socket of a document is.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct SocketHost<'a> {
    /// The host that it is on; only where several are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
}

/// The same beside something that tells the host.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct SocketFields<'a> {
    #[serde(flatten)]
    columns: SocketColumns<'a>,
    #[serde(flatten)]
    holders: SocketHolders<'a>,
}

impl<'a> SocketObject<'a> {
    /// That of `row`.
    pub fn of(row: &'a SocketRow, store: &'a Store) -> Self {
        let host = store.has_hosts().then(|| store.host_of(row.connection.socket.id.netns()).as_str());
        Self { host: SocketHost { host }, fields: SocketFields::of(row, store) }
    }
}

impl<'a> SocketFields<'a> {
    /// Those of `row`.
    pub fn of(row: &'a SocketRow, store: &'a Store) -> Self {
        let owners = row.connection.socket.owner.holders().map(|holders| HolderObject::all(holders));
        Self { columns: SocketColumns { row, store }, holders: SocketHolders { owners, waiter: None } }
    }
}

/// What a socket has beside its columns.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SocketHolders<'a> {
    /// Every process that holds it, each with pid and process, and thread where the descriptor is that of one thread alone.
    owners: Option<Vec<HolderObject<'a>>>,
    /// What waits for the socket: epoll, thread or none; null, as that is not asked for.
    waiter: Option<Waiter>,
}

/// What waits for a socket.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(dead_code, reason = "the contract names what is not asked for yet")]
enum Waiter {
    Epoll,
    Thread,
    None,
}

/// A process that holds a socket.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct HolderObject<'a> {
    /// The process id.
    pid: u32,
    /// Its name.
    process: &'a str,
    /// The name of the thread, where the descriptor is that of one thread alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<&'a str>,
}

impl<'a> HolderObject<'a> {
    /// Each of `holders`.
    fn all(holders: &'a Holders) -> Vec<Self> {
        let thread = |process: &'a Process| process.thread.as_ref().map(|thread| thread.name.as_str());
        let one = |process: &'a Process| Self { thread: thread(process), ..Self::process(process) };
        holders.all().iter().map(|process| one(process)).collect()
    }

    /// `process` without its thread.
    pub fn process(process: &'a Process) -> Self {
        Self { pid: process.id.pid, process: process.name.as_str(), thread: None }
    }
}

/// The columns that JSON has, under their names.
#[derive(Clone, Copy, Debug)]
struct SocketColumns<'a> {
    row: &'a SocketRow,
    store: &'a Store,
}

impl Serialize for SocketColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for column in COLUMNS.iter().filter(|column| column.in_json) {
            map.serialize_entry(column.json, &(column.value)(self.row, self.store))?;
        }
        map.end()
    }
}

impl JsonSchema for SocketColumns<'_> {
    fn schema_name() -> Cow<'static, str> {
        "columns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        columns_schema(COLUMNS.iter().filter(|column| column.in_json))
    }
}

/// The schema of an object that has all of `columns`.
pub fn columns_schema<'c, R: 'static>(columns: impl Iterator<Item = &'c Column<R>>) -> Schema {
    let properties: Map<String, Value> =
        columns.map(|column| (column.json.to_owned(), column_schema(column).to_value())).collect();
    let required: Vec<String> = properties.keys().cloned().collect();
    json_schema!({ "type": "object", "properties": properties, "required": required })
}

/// The schema of the column that JSON calls `name`, for an object that has it beside other things.
pub fn schema_of(name: &str) -> Schema {
    COLUMNS.iter().find(|column| column.json == name).map_or_else(Schema::default, column_schema)
}

/// The schema of a cell of `column`, which may be unknown.
pub fn column_schema<R>(column: &Column<R>) -> Schema {
    let words = |words: Vec<&'static str>| {
        let words: Vec<Value> = words.into_iter().map(Value::from).chain([Value::Null]).collect();
        json_schema!({ "enum": words })
    };
    let mut schema = match column.kind {
        ValueKind::Text | ValueKind::Address | ValueKind::Endpoint => {
            json_schema!({ "type": ["string", "null"], "minLength": 1 })
        }
        ValueKind::Word(labels) => words(labels.to_vec()),
        ValueKind::State => words(STATES.iter().map(|row| row.name).collect()),
        ValueKind::Port | ValueKind::Count | ValueKind::Number | ValueKind::Bytes => {
            json_schema!({ "type": ["integer", "null"], "minimum": 0 })
        }
        ValueKind::Flag => json_schema!({ "type": ["boolean", "null"] }),
        ValueKind::Rate | ValueKind::Span | ValueKind::Share => {
            json_schema!({ "type": ["number", "null"], "minimum": 0 })
        }
    };
    schema.insert("description".to_owned(), column.about.into());
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::findings::testing::store;
    use crate::report::format::json::SocketWriter;

    #[test]
    fn it_is_what_the_writer_of_long_lists_writes() {
        let store = store();
        let columns: Vec<usize> = (0..COLUMNS.len()).filter(|&index| COLUMNS[index].in_json).collect();
        for (_, row) in store.rows().iter() {
            let mut written = Vec::new();
            SocketWriter::new(&columns, true).append(&mut written, row, &store);
            let object = serde_json::to_string(&SocketObject::of(row, &store)).expect("JSON");
            assert_eq!(String::from_utf8(written).expect("text"), object);
        }
    }
}
