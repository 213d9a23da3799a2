//! `conntop list`: takes what the source has and prints it: now, when it is time, or each time it changes.

mod after;
pub(in crate::cli) mod arguments;
mod change;
mod sampler;
mod wait;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::list::arguments::ListRequest;
use crate::cli::list::sampler::ListSampler;
use crate::cli::names::{HostNameLookup, PATIENCE};
use crate::cli::settings::Settings;
use crate::cli::taker::SampleTaker;
use crate::cli::{Failure, print, say};
use crate::model::endpoint::Protocol;
use crate::model::host_name::Lookups;
use crate::report::fields;
use crate::report::list::{LeftOut, List, Selection};
use crate::source::retries::RetryLimit;
use crate::source::{Pace, Source};
use crate::store::Store;
use crate::table::units;
use crate::tracker::{self, Tracker};

/// Does what was asked for; `open` the source only if that takes one. `interval` is the one of the command line.
pub(super) fn run(
    plan: &ListRequest,
    interval: Option<Duration>,
    open: impl FnOnce() -> Result<(Box<dyn Source>, Settings), Failure>,
) -> Result<ExitCode, Failure> {
    let open_for = |list: &List| open().map(|(source, settings)| (source, settings.asking(list.asked_by_name())));
    match plan {
        ListRequest::Fields(fields, format) => print(*format, |out| fields::write(fields, *format, out)),
        ListRequest::Now(list) => {
            let (source, settings) = open_for(list)?;
            now(source, &settings, list)
        }
        ListRequest::When(wait, list) => {
            let (source, settings) = open_for(list)?;
            let interval = interval.unwrap_or(wait::INTERVAL);
            wait::run(ListSampler::new(source, &settings, interval), wait, &named(list, &settings))
        }
        ListRequest::After(time, list) => {
            let (source, settings) = open_for(list)?;
            after::run(ListSampler::listening(source, &settings), *time, &named(list, &settings))
        }
        ListRequest::OnChange(changes, list) => {
            let (source, settings) = open_for(list)?;
            change::run(ListSampler::new(source, &settings, settings.interval), *changes, &named(list, &settings))
        }
    }
}

/// Prints one sample of a live source, or the end of a recording.
pub(super) fn now(source: Box<dyn Source>, settings: &Settings, list: &List) -> Result<ExitCode, Failure> {
    let mut store = look(source, settings)?;
    let list = named(list, settings);
    let peers = list.peers(&store);
    HostNameLookup::new(settings, store.source().kind, PATIENCE).learn(&mut store, &peers);
    for sentence in &store.coverage().degraded {
        say(sentence.as_str());
    }
    if let Some(sentence) = counted_twice(&list, &store) {
        say(&sentence);
    }
    write(&list.select(&store))
}

/// That a count has MPTCP connections and also the TCP sockets that carry them.
fn counted_twice(list: &List, store: &Store) -> Option<String> {
    let counts = list.count_only || list.groups.is_some();
    if !counts || store.rows().counts().subflows == 0 {
        return None;
    }
    let rows = store.rows().iter().map(|(_, row)| row).filter(|row| list.filter.matches(row, store));
    let (mut mptcp, mut subflows) = (0, 0u64);
    for row in rows {
        mptcp += u64::from(row.connection.socket.protocol == Protocol::Mptcp);
        subflows += u64::from(row.connection.socket.is_subflow);
    }
    (mptcp > 0 && subflows > 0).then(|| {
        let subflows = units::count(subflows);
        format!("{subflows} of these are subflows, TCP sockets that carry MPTCP ones; !subflow:yes counts each once")
    })
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
    let mut taker = SampleTaker::new(source, RetryLimit::Look, settings.interval);
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
