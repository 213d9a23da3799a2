//! `conntop close` and `conntop kill`: what a filter means for them, and what came of it, as text and JSON. Nothing is
//! done here.

pub mod close;
pub mod kill;

use std::borrow::Cow;
use std::io::{self, Write};

use crate::report::format::json::{DocumentHead, write_open};
use crate::report::format::text::{self, TextHeading};
use crate::report::format::{TargetFormat, write_all};
use crate::store::Store;
use crate::store::row::{RowIndex, SocketRow};
use crate::table::filter::Filter;

/// How a plan is written.
#[derive(Clone, Copy, Debug)]
pub struct PlanStyle {
    /// As what.
    pub format: TargetFormat,
    /// Whether command lines are shown: they may hold secrets.
    pub commands: bool,
}

/// What a target of a plan is called that was not acted on.
pub const PLANNED: &str = "planned";

/// The live sockets of `store` that pass `filter`, in the order in which the source lists them.
fn matching<'s>(store: &'s Store, filter: &'s Filter) -> impl Iterator<Item = (RowIndex, &'s SocketRow)> {
    store.rows().iter().filter(|(_, row)| !row.is_closed() && filter.matches(row, store))
}

/// What is written of a plan, carried out or not.
struct PlanTable<'a> {
    /// The columns of text.
    headings: Vec<TextHeading>,
    /// The lines of text.
    cells: Vec<Vec<Cow<'a, str>>>,
    /// The targets as JSON objects.
    objects: Vec<Vec<u8>>,
    /// More members of the one JSON object, beginning with a comma.
    members: String,
}

impl PlanTable<'_> {
    fn write(&self, store: &Store, format: TargetFormat, out: &mut impl Write) -> io::Result<()> {
        match format {
            TargetFormat::Json => {
                write_open(out, &DocumentHead::of(store))?;
                write!(out, "{},\"targets\":[", self.members)?;
                write_all(out, self.objects.iter().enumerate(), |buffer, (at, object)| {
                    buffer.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
                    buffer.extend_from_slice(object);
                })?;
                writeln!(out, "\n]}}")
            }
            TargetFormat::Ndjson => write_all(out, self.objects.iter(), |buffer, object| {
                buffer.extend_from_slice(object);
                buffer.push(b'\n');
            }),
            TargetFormat::Text => text::write(out, &self.headings, &self.cells),
        }
    }
}
