//! JSON: one object for a whole list, or one a line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::coverage::Coverage;
use crate::model::process::Holders;
use crate::model::time::WallTime;
use crate::report::format::plain::{self, Notation, decimal};
use crate::report::format::write_all;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::connections::COLUMNS;
use crate::table::value::Value;

/// The version of the JSON that is printed; it changes when a name or a meaning does.
pub const SCHEMA: u32 = 2;

/// JSON's way to write values.
pub struct Json;

impl Notation for Json {
    fn null(out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }

    fn text(out: &mut Vec<u8>, text: &str) {
        let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_plain) {
            Self::bare_text(out, |out| out.extend_from_slice(text.as_bytes()));
        } else {
            serde_json::to_writer(out, text).expect("a vector takes all, and text is JSON");
        }
    }

    fn bare_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.push(b'"');
        write(out);
        out.push(b'"');
    }

    fn float(out: &mut Vec<u8>, number: f64) {
        serde_json::to_writer(out, &number).expect("a vector takes all, and numbers are JSON");
    }
}

/// Writes one socket after the other as objects with the same names.
pub struct SocketWriter<'c> {
    columns: &'c [usize],
    /// What stands before each value: `{"proto":`, `,"family":`.
    keys: Vec<String>,
    /// What stands before the list of all processes that hold the socket, if it is wanted.
    owners: Option<&'static str>,
}

impl<'c> SocketWriter<'c> {
    /// A writer of these `columns`; `with_owners` adds every process that holds the socket under `owners`.
    pub fn new(columns: &'c [usize], with_owners: bool) -> Self {
        let key = |(at, column): (usize, &usize)| {
            let open = if at == 0 { '{' } else { ',' };
            // Names of columns are lower-case letters and underscores.
            format!("{open}\"{}\":", COLUMNS[*column].json)
        };
        let open = if columns.is_empty() { "{\"owners\":" } else { ",\"owners\":" };
        Self { columns, keys: columns.iter().enumerate().map(key).collect(), owners: with_owners.then_some(open) }
    }

    /// The same objects, each for a line of its own: it begins with the fields of `head`.
    #[must_use]
    pub fn beginning_with(mut self, head: &LineHead<'_>) -> Self {
        if let Some(key) = self.keys.first_mut() {
            *key = format!("{}{}", head.opening(), key.replacen('{', ",", 1));
        }
        self
    }

    /// The object of `row`, for a list in another object.
    pub fn raw(&self, row: &SocketRow, store: &Store) -> Box<RawValue> {
        let mut object = Vec::new();
        self.append(&mut object, row, store);
        raw_value(object)
    }

    /// Appends the object of `row`.
    pub fn append(&self, out: &mut Vec<u8>, row: &SocketRow, store: &Store) {
        for (column, key) in self.columns.iter().zip(&self.keys) {
            out.extend_from_slice(key.as_bytes());
            plain::write::<Json>(out, &(COLUMNS[*column].value)(row, store));
        }
        if let Some(key) = self.owners {
            out.extend_from_slice(key.as_bytes());
            match row.connection.socket.owner.holders() {
                Some(holders) => append_owners(out, holders),
                None => Json::null(out),
            }
            // What waits for the socket is not asked for.
            out.extend_from_slice(b",\"waiter\":null");
        }
        out.extend_from_slice(if self.columns.is_empty() && self.owners.is_none() { b"{}" } else { b"}" });
    }
}

fn raw_value(object: Vec<u8>) -> Box<RawValue> {
    let object = String::from_utf8(object).expect("names and values are text");
    RawValue::from_string(object).expect("it was written as JSON")
}

fn append_owners(out: &mut Vec<u8>, holders: &Holders) {
    for (at, process) in holders.all().iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"[{\"pid\":" } else { b",{\"pid\":" });
        decimal(out, u64::from(process.id.pid));
        out.extend_from_slice(b",\"process\":");
        Json::text(out, process.name.as_str());
        if let Some(thread) = &process.thread {
            out.extend_from_slice(b",\"thread\":");
            Json::text(out, thread.name.as_str());
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// What every object begins with: what, when and where from.
#[derive(Serialize)]
pub struct DocumentHead<'a> {
    schema: u32,
    at: String,
    host: &'a str,
    source: &'static str,
    coverage: &'a Coverage,
}

impl<'a> DocumentHead<'a> {
    /// That of `store`.
    pub fn of(store: &'a Store) -> Self {
        Self {
            schema: SCHEMA,
            at: rfc3339(store.wall()),
            host: store.source().host.as_str(),
            source: store.source().kind.name(),
            coverage: store.coverage(),
        }
    }
}

/// What a line that stands alone begins with: of which host it is, and the time of the sample.
#[derive(Serialize)]
pub struct LineHead<'a> {
    host: &'a str,
    at: String,
}

impl<'a> LineHead<'a> {
    /// That of `store`.
    pub fn of(store: &'a Store) -> Self {
        Self { host: store.source().host.as_str(), at: rfc3339(store.wall()) }
    }

    /// Its names, for the line that names the columns of CSV.
    pub const NAMES: [&'static str; 2] = ["host", "at"];

    /// Its values, in the order of [`Self::NAMES`].
    pub fn values(&self) -> [Value<'_>; 2] {
        [Value::Text(self.host), Value::Text(&self.at)]
    }

    /// It as an object without its last brace.
    pub(crate) fn opening(&self) -> String {
        let mut object = serde_json::to_string(self).expect("text is JSON");
        object.pop();
        object
    }
}

/// Writes `head`, an object, without its last brace: a list follows.
pub fn write_open(out: &mut impl Write, head: &impl Serialize) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    out.write_all(head.strip_suffix(b"}").unwrap_or(&head))
}

/// Writes one object: what, when and where from, and the `sockets`, each on a line of its own.
pub fn write_list<'a>(
    out: &mut impl Write,
    store: &Store,
    objects: &SocketWriter<'_>,
    rows: impl Iterator<Item = &'a SocketRow>,
) -> io::Result<()> {
    write_open(out, &DocumentHead::of(store))?;
    write!(out, ",\"sockets\":[")?;
    write_all(out, rows.enumerate(), |buffer, (at, row)| {
        buffer.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
        objects.append(buffer, row, store);
    })?;
    writeln!(out, "\n]}}")
}

/// Writes one object a line.
pub fn write_lines<'a>(
    out: &mut impl Write,
    store: &Store,
    objects: &SocketWriter<'_>,
    rows: impl Iterator<Item = &'a SocketRow>,
) -> io::Result<()> {
    write_all(out, rows, |buffer, row| {
        objects.append(buffer, row, store);
        buffer.push(b'\n');
    })
}

/// `wall` as RFC 3339 in UTC with milliseconds: `2026-01-01T00:01:30.000Z`.
pub fn rfc3339(wall: WallTime) -> String {
    let moment = jiff::Timestamp::from_millisecond(wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{moment:.3}")
}
