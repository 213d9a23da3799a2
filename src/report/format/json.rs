//! JSON: one object for a whole list, or one a line.

use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::model::coverage::Coverage;
use crate::model::process::Process;
use crate::model::time::WallTime;
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::connections::COLUMNS;

/// The version of the JSON that is printed; it changes when a name or a meaning does.
pub const SCHEMA: u32 = 1;

/// One socket, as the chosen columns have it.
pub struct SocketJson<'a> {
    /// The row.
    pub row: &'a Row,
    /// Where it lives.
    pub store: &'a Store,
    /// Indices of the columns.
    pub columns: &'a [usize],
    /// Whether every process that holds the socket is listed under `owners`.
    pub with_owners: bool,
}

impl Serialize for SocketJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len() + usize::from(self.with_owners)))?;
        for &index in self.columns {
            let column = &COLUMNS[index];
            map.serialize_entry(column.json, &(column.value)(self.row, self.store))?;
        }
        if self.with_owners {
            let holders = self.row.connection.socket.owner.holders();
            let owners = holders
                .map(|holders| holders.all().iter().map(|process| OwnerJson::from(&**process)).collect::<Vec<_>>());
            map.serialize_entry("owners", &owners)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct OwnerJson<'a> {
    pid: u32,
    process: &'a str,
}

impl<'a> From<&'a Process> for OwnerJson<'a> {
    fn from(process: &'a Process) -> Self {
        Self { pid: process.id.pid, process: process.name.as_str() }
    }
}

/// What stands before the sockets of a list.
#[derive(Serialize)]
struct Head<'a> {
    schema: u32,
    at: String,
    host: &'a str,
    source: &'static str,
    coverage: &'a Coverage,
}

/// Writes one object: what, when and where from, and the `sockets`, each on a line of its own.
pub fn write_list<'a>(
    out: &mut impl Write,
    store: &Store,
    sockets: impl Iterator<Item = SocketJson<'a>>,
) -> io::Result<()> {
    let head = Head {
        schema: SCHEMA,
        at: rfc3339(store.wall()),
        host: store.source().host.as_str(),
        source: store.source().kind.name(),
        coverage: store.coverage(),
    };
    let head = serde_json::to_string(&head)?;
    let open = head.strip_suffix('}').unwrap_or(&head);
    write!(out, "{open},\"sockets\":[")?;
    for (at, socket) in sockets.enumerate() {
        out.write_all(if at == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &socket)?;
    }
    writeln!(out, "\n]}}")
}

/// Writes one object a line.
pub fn write_lines<'a>(out: &mut impl Write, sockets: impl Iterator<Item = SocketJson<'a>>) -> io::Result<()> {
    for socket in sockets {
        serde_json::to_writer(&mut *out, &socket)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// `wall` as RFC 3339 in UTC with milliseconds: `2026-01-01T00:01:30.000Z`.
pub fn rfc3339(wall: WallTime) -> String {
    let moment = jiff::Timestamp::from_millisecond(wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{moment:.3}")
}
