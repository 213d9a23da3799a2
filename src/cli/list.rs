//! `conntop list`: takes what the source has and prints it: now, when it is time, or each time it changes.

mod change;
mod looker;
mod wait;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::args::ListPlan;
use crate::cli::config::Settings;
use crate::cli::list::looker::Looker;
use crate::cli::names::{Names, PATIENCE};
use crate::cli::taker::Taker;
use crate::cli::{Failure, print, say};
use crate::model::host_name::Lookups;
use crate::report::fields;
use crate::report::list::{LeftOut, List, Selection};
use crate::source::retries::Patience;
use crate::source::{Pace, Source};
use crate::store::Store;
use crate::tracker::{self, Tracker};

/// Does what was asked for; `open` the source only if that takes one. `interval` is the one of the command line.
pub(super) fn run(
    plan: &ListPlan,
    interval: Option<Duration>,
    open: impl FnOnce() -> Result<(Box<dyn Source>, Settings), Failure>,
) -> Result<ExitCode, Failure> {
    match plan {
        ListPlan::Fields(fields, format) => print(*format, |out| fields::write(fields, *format, out)),
        ListPlan::Now(list) => {
            let (source, settings) = open()?;
            now(source, &settings, list)
        }
        ListPlan::When(wait, list) => {
            let (source, settings) = open()?;
            let interval = interval.unwrap_or(wait::INTERVAL);
            wait::run(Looker::new(source, &settings, interval), wait, &named(list, &settings))
        }
        ListPlan::OnChange(changes, list) => {
            let (source, settings) = open()?;
            change::run(Looker::new(source, &settings, settings.interval), *changes, &named(list, &settings))
        }
    }
}

/// Prints one sample of a live source, or the end of a recording.
pub(super) fn now(source: Box<dyn Source>, settings: &Settings, list: &List) -> Result<ExitCode, Failure> {
    let mut store = look(source, settings)?;
    let list = named(list, settings);
    let peers = list.peers(&store);
    Names::new(settings, store.source().kind, PATIENCE).learn(&mut store, &peers);
    for sentence in &store.coverage().degraded {
        say(sentence.as_str());
    }
    write(&list.select(&store))
}

/// `list` with names of hosts, if they are asked for.
fn named(list: &List, settings: &Settings) -> List {
    List { names: settings.lookups() == Lookups::On, ..list.clone() }
}

fn write(selection: &Selection<'_>) -> Result<ExitCode, Failure> {
    let mut left_out = None;
    let printed = print(selection.format(), |out| {
        left_out = selection.write(out)?;
        out.flush()
    })?;
    if let Some(sentence) = left_out.and_then(LeftOut::sentence) {
        say(&format!("{sentence} left out"));
    }
    Ok(printed)
}

/// A recording is read to its end, so that ages and owners are those that were known then; it takes no time.
pub(super) fn look(source: Box<dyn Source>, settings: &Settings) -> Result<Store, Failure> {
    let (mut store, mut tracker) = (Store::new(source.info().clone()), Tracker::new());
    let needs = settings.needs();
    let mut taker = Taker::new(source, Patience::Look, settings.interval);
    loop {
        let pace = taker.take_at_last(|source, snapshot| source.sample(&needs, snapshot))?;
        if pace == Pace::Interval {
            // A live source: one sample is enough, and there will be none to compare it with.
            store.apply(tracker::once(taker.snapshot));
            return Ok(store);
        }
        store.apply(tracker.update(&taker.snapshot));
        if !matches!(pace, Pace::After(_)) {
            return Ok(store);
        }
    }
}
