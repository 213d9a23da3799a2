//! JSON: one object for a whole list, or one a line.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::model::coverage::Coverage;
use crate::model::process::Holders;
use crate::model::snapshot::SourceKind;
use crate::model::time::WallTime;
use crate::report::format::label::Label;
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
    /// What stands before each value: `"proto":`.
    keys: Vec<String>,
    /// What stands before the list of all processes that hold the socket, if it is wanted.
    owners: Option<&'static str>,
    /// What stands after the host of a line that stands alone: `,"at":"..."`.
    head: Option<String>,
}

impl<'c> SocketWriter<'c> {
    /// A writer of these `columns`; `with_owners` adds every process that holds the socket under `owners`.
    pub fn new(columns: &'c [usize], with_owners: bool) -> Self {
        // Names of columns are lower-case letters and underscores.
        let key = |column: &usize| format!("\"{}\":", COLUMNS[*column].json);
        let owners = with_owners.then_some("\"owners\":");
        Self { columns, keys: columns.iter().map(key).collect(), owners, head: None }
    }

    /// The same objects, each for a line of its own if there is a `head`: it begins with the host of the socket, and with the time.
    #[must_use]
    pub fn beginning_with(self, head: Option<&LineHead<'_>>) -> Self {
        Self { head: head.map(|head| format!(",\"at\":\"{}\"", head.at)), ..self }
    }

    /// Appends the host, where the line stands alone or there are several.
    fn append_host(&self, out: &mut Vec<u8>, row: &SocketRow, store: &Store) -> bool {
        let is_wanted = self.head.is_some() || self.owners.is_some() && store.has_hosts();
        if is_wanted {
            out.extend_from_slice(b"{\"host\":");
            Json::text(out, store.host_of(row.connection.socket.id.netns()).as_str());
            out.extend_from_slice(self.head.as_deref().unwrap_or_default().as_bytes());
        }
        is_wanted
    }

    /// Appends the object of `row`.
    pub fn append(&self, out: &mut Vec<u8>, row: &SocketRow, store: &Store) {
        let mut is_open = self.append_host(out, row, store);
        for (column, key) in self.columns.iter().zip(&self.keys) {
            out.extend_from_slice(if is_open { b"," } else { b"{" });
            is_open = true;
            out.extend_from_slice(key.as_bytes());
            plain::write::<Json>(out, &(COLUMNS[*column].value)(row, store));
        }
        if let Some(key) = self.owners {
            out.extend_from_slice(if is_open { b"," } else { b"{" });
            is_open = true;
            out.extend_from_slice(key.as_bytes());
            match row.connection.socket.owner.holders() {
                Some(holders) => append_owners(out, holders),
                None => Json::null(out),
            }
            // What waits for the socket is not asked for.
            out.extend_from_slice(b",\"waiter\":null");
        }
        out.extend_from_slice(if is_open { b"}" } else { b"{}" });
    }
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

/// What the documents of every command with a sample begin with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DocumentOrigin<'a> {
    /// Changes when a name or a meaning does.
    #[schemars(extend("const" = SCHEMA))]
    schema: u32,
    /// The time of the last sample, RFC 3339, UTC.
    at: String,
    /// The host that it shows.
    host: &'a str,
    /// Where it is from: linux, procfs, portable, replay or synthetic.
    source: Label<SourceKind>,
}

impl<'a> DocumentOrigin<'a> {
    /// That of the source of `store`, at `wall`.
    pub fn of(store: &'a Store, wall: WallTime) -> Self {
        let source = store.source();
        Self { schema: SCHEMA, at: rfc3339(wall), host: source.host.as_str(), source: Label(source.kind) }
    }
}

/// What every document about the sockets of a sample begins with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DocumentHead<'a> {
    #[serde(flatten)]
    head: DocumentOrigin<'a>,
    /// How many sockets the sample has, and what could not be seen.
    coverage: &'a Coverage,
}

impl<'a> DocumentHead<'a> {
    /// That of `store`.
    pub fn of(store: &'a Store) -> Self {
        Self { head: DocumentOrigin::of(store, store.wall()), coverage: store.coverage() }
    }
}

/// What a line that stands alone begins with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineHead<'a> {
    /// The host that it shows; with ndjson and csv, unless --columns names others.
    host: &'a str,
    /// The time of the sample, RFC 3339, UTC; with ndjson and csv, unless --columns names others.
    at: String,
}

impl<'a> LineHead<'a> {
    /// That of `store`.
    pub fn of(store: &'a Store) -> Self {
        Self { host: store.source().host.as_str(), at: rfc3339(store.wall()) }
    }

    /// Its names, for the line that names the columns of CSV.
    pub const NAMES: [&'static str; 2] = ["host", "at"];

    /// The host, or all that are shown.
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// Its values for what is on `host`, in the order of [`Self::NAMES`].
    pub fn values<'v>(&'v self, host: &'v str) -> [Value<'v>; 2] {
        [Value::Text(host), Value::Text(&self.at)]
    }

    /// It as an object that is not closed, for what is on `host`: more members follow.
    pub(crate) fn opening(&self, host: &str) -> String {
        let mut object = Vec::new();
        write_open(&mut object, &LineHead { host, at: self.at.clone() }).expect("a vector takes all");
        String::from_utf8(object).expect("JSON is text")
    }
}

/// Writes `head` as an object that is not closed: more members follow, which are too many to be in memory at once.
pub fn write_open(out: &mut impl Write, head: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, OpenObject::default());
    Ok(head.serialize(&mut serializer)?)
}

/// Leaves the outermost object open.
#[derive(Default)]
struct OpenObject {
    depth: usize,
}

impl Formatter for OpenObject {
    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth == 0 { Ok(()) } else { writer.write_all(b"}") }
    }
}

/// Writes `document` on one line.
pub fn write_document(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    writeln!(out)
}

/// Writes `document` with each element of its own lists on a line of its own, so that it can be read and compared.
pub fn write_listing(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut buffer, ElementLines::default());
    document.serialize(&mut serializer)?;
    buffer.push(b'\n');
    out.write_all(&buffer)
}

/// Puts each element of a list of the outermost object on a line of its own.
#[derive(Default)]
struct ElementLines {
    /// In how many objects and lists the next value stands.
    depth: usize,
}

impl ElementLines {
    /// How deep the elements of a list of the outermost object are.
    const ELEMENT_DEPTH: usize = 2;

    fn break_line<W: Write + ?Sized>(&self, writer: &mut W) -> io::Result<()> {
        if self.depth == Self::ELEMENT_DEPTH { writer.write_all(b"\n") } else { Ok(()) }
    }
}

impl Formatter for ElementLines {
    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.break_line(writer)?;
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        if !is_first {
            writer.write_all(b",")?;
        }
        self.break_line(writer)
    }
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
