//! `conntop watch`: takes samples and prints what changes until --for, --count, the end of a recording or Ctrl-C.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use crate::cli::Failure;
use crate::cli::args::WatchArguments;
use crate::cli::names::{HostNameLookup, PATIENCE_A_SAMPLE};
use crate::cli::output::{self, cannot_write};
use crate::cli::samples::{Interrupt, Samples, Warnings};
use crate::cli::settings::Settings;
use crate::model::event::{Teller, Tellers};
use crate::model::text::DisplayText;
use crate::report::watch::{EventStream, SampleEvents, WatchOptions};
use crate::runtime;
use crate::source::Source;
use crate::source::retries::RetryLimit;
use crate::store::Store;

/// Prints until there is a reason to end; a reader that has seen enough is one.
pub(super) fn run(
    source: Box<dyn Source>,
    settings: &Settings,
    options: &WatchArguments,
    watch: &WatchOptions,
) -> Result<ExitCode, Failure> {
    Interrupt::run(async |interrupt| {
        let samples = Samples::new(source, settings, RetryLimit::Follow, true).for_time(options.time);
        follow(samples, settings, options, watch, interrupt).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Why less is seen than could be.
fn shortcomings<'a>(store: &'a Store, tellers: &'a Tellers) -> impl Iterator<Item = &'a DisplayText> {
    let refused = [&tellers.ends, &tellers.trace].into_iter().filter_map(|teller| match teller {
        Teller::Refused(sentence) => Some(sentence),
        Teller::Off | Teller::On => None,
    });
    store.coverage().degraded.iter().chain(refused)
}

async fn follow(
    mut samples: Samples,
    settings: &Settings,
    options: &WatchArguments,
    watch: &WatchOptions,
    mut interrupt: Interrupt,
) -> Result<(), Failure> {
    let mut stream = EventStream::new(watch);
    let mut names = HostNameLookup::new(settings, samples.store().source().kind, PATIENCE_A_SAMPLE);
    let mut said = Warnings::default();
    // From the first line on Ctrl-C ends it in good order.
    if interrupt.comes_before(Instant::now()).await {
        return Ok(());
    }
    loop {
        let Some(taken) = samples.take()? else {
            let due = samples.due().unwrap_or_else(Instant::now);
            if interrupt.comes_before(due).await || runtime::reader_is_gone() {
                return Ok(());
            }
            continue;
        };
        if names.is_on() {
            let peers = stream.peers(samples.store(), &taken.transitions);
            names.learn(samples.store_mut(), &peers);
        }
        let (store, diagnosis) = (samples.store(), samples.diagnosis());
        said.say(shortcomings(store, &taken.tellers));
        let news = SampleEvents {
            transitions: &taken.transitions,
            gaps: &taken.gaps,
            findings: diagnosis.findings(),
            untold: diagnosis.left_out(),
        };
        let mut out = output::stdout(watch.format);
        match stream.write(store, news, &mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| cannot_write(&error))?,
        }
        let is_enough = stream.is_full() || options.time.is_some_and(|time| samples.watched() >= time);
        let Some(due) = samples.due().filter(|_| !is_enough) else { return Ok(()) };
        // A reader that is gone is noticed also while there is nothing to write.
        if interrupt.comes_before(due).await || runtime::reader_is_gone() {
            return Ok(());
        }
    }
}
