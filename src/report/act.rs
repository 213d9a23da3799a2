//! `conntop close` and `conntop kill`: what a filter means for them, and what came of it, as text and JSON. Nothing is
//! done here.

pub mod close;
pub mod kill;

use std::borrow::Cow;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::format::TargetFormat;
use crate::report::format::json::{self, DocumentHead, LineHead};
use crate::report::format::text::{self, TextHeading};
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

/// What is written of a plan, carried out or not: `T` is a target, `L` what is left out.
struct PlanTable<'a, T, L> {
    /// The columns of text.
    headings: Vec<TextHeading>,
    /// The lines of text.
    cells: Vec<Vec<Cow<'a, str>>>,
    /// Whether nothing was done.
    dry_run: bool,
    /// What matches and is left out.
    left_out: L,
    /// The targets.
    targets: Vec<T>,
}

/// What `conntop close` and `conntop kill` print with `--format json`.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct PlanDocument<'a, T, L> {
    #[serde(flatten)]
    head: DocumentHead<'a>,
    /// Whether nothing was done.
    dry_run: bool,
    /// What matches and is left out.
    left_out: &'a L,
    /// What is acted on.
    targets: &'a [T],
}

/// A line of `--format ndjson`, which stands alone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "line")]
pub(in crate::report) struct TargetLine<'a, T> {
    #[serde(flatten)]
    head: LineHead<'a>,
    #[serde(flatten)]
    target: &'a T,
}

impl<T: Serialize, L: Serialize> PlanTable<'_, T, L> {
    fn write(&self, store: &Store, format: TargetFormat, out: &mut impl Write) -> io::Result<()> {
        let Self { headings, cells, dry_run, left_out, targets } = self;
        match format {
            TargetFormat::Json => {
                let head = DocumentHead::of(store);
                json::write_listing(out, &PlanDocument { head, dry_run: *dry_run, left_out, targets })
            }
            TargetFormat::Ndjson => {
                let line = |target| TargetLine { head: LineHead::of(store), target };
                targets.iter().try_for_each(|target| json::write_document(out, &line(target)))
            }
            TargetFormat::Text => text::write(out, headings, cells),
        }
    }
}
