//! `conntop list --on-change`: prints the list, and again each time it changes, until --for, --count, the end of a
//! recording or Ctrl-C.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use crate::cli::Failure;
use crate::cli::commands::list::arguments::ChangeLimits;
use crate::cli::commands::list::sampler::{ListSample, ListSampler};
use crate::cli::output::print;
use crate::cli::samples::Interrupt;
use crate::model::time::WallTime;
use crate::report::format::Format;
use crate::report::format::json::rfc3339;
use crate::report::list::{List, Selection};
use crate::runtime;

/// Prints until there is a reason to end; a reader that has seen enough is one.
pub(super) fn run(sampler: ListSampler, changes: ChangeLimits, list: &List) -> Result<ExitCode, Failure> {
    Interrupt::run(async |interrupt| follow(sampler, changes, list, interrupt).await)
}

async fn follow(
    sampler: ListSampler,
    changes: ChangeLimits,
    list: &List,
    mut interrupt: Interrupt,
) -> Result<ExitCode, Failure> {
    let mut sampler = sampler.for_time(changes.time);
    let (mut shown, mut printed) = (None, 0);
    if interrupt.comes_before(Instant::now()).await {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let ListSample { is_fresh, next } = sampler.look()?;
        if is_fresh {
            sampler.learn(list);
        }
        let selection = list.select(sampler.store());
        let mark = selection.mark();
        if is_fresh && shown != Some(mark) {
            write(&selection, list, sampler.store().wall(), printed > 0)?;
            (shown, printed) = (Some(mark), printed + 1);
        }
        let is_enough = changes.count.is_some_and(|count| printed >= count)
            || is_fresh && changes.time.is_some_and(|time| sampler.has_passed(time));
        let Some(next) = next.filter(|_| !is_enough) else { return Ok(ExitCode::SUCCESS) };
        let deadline = changes.time.filter(|_| is_fresh).and_then(|time| sampler.deadline(time));
        let due = deadline.map_or(next, |deadline| next.min(deadline));
        if interrupt.comes_before(due).await || runtime::reader_is_gone() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// One list: text with the time before it, JSON on one line. A number is a line of its own.
fn write(selection: &Selection<'_>, list: &List, at: WallTime, follows: bool) -> Result<ExitCode, Failure> {
    print(list.format, |out| {
        match list.format {
            Format::Json => {
                selection.write(&mut OneLine(&mut *out))?;
                writeln!(out)
            }
            // The command line allows text and JSON only.
            Format::Text | Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => {
                if !list.count_only {
                    writeln!(out, "{}{}", if follows { "\n" } else { "" }, rfc3339(at))?;
                }
                selection.write(out).map(drop)
            }
        }
    })
}

/// Takes line ends out of JSON, in which they only separate.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split(|byte| *byte == b'\n') {
            self.0.write_all(piece)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
