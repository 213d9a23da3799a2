//! `conntop record`: writes a sample each interval. Every sample is whole in the file before the next is taken, so that
//! whatever ends the program leaves a recording that can be played.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use crate::cli::args::RecordArguments;
use crate::cli::config::Settings;
use crate::cli::samples::Interrupt;
use crate::cli::{Failure, say};
use crate::model::snapshot::Snapshot;
use crate::source::record::Recorder;
use crate::source::{Pace, Source};

/// Records until the time or the count is reached, the source ends, or Ctrl-C.
pub(super) fn run(
    mut source: Box<dyn Source>,
    options: &RecordArguments,
    settings: &Settings,
) -> Result<ExitCode, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot wait for Ctrl-C")?;
    let mut recorder = Recorder::create(&options.file, source.info())?;
    let ended = runtime.block_on(take(&mut *source, &mut recorder, options, settings));
    let samples = recorder.samples();
    recorder.finish()?;
    ended?;
    say(&format!("{samples} samples recorded; play them with conntop replay {}", options.file.display()));
    Ok(ExitCode::SUCCESS)
}

async fn take(
    source: &mut dyn Source,
    recorder: &mut Recorder,
    options: &RecordArguments,
    settings: &Settings,
) -> Result<(), Failure> {
    let needs = settings.needs();
    source.listen(settings.trace);
    let begun = Instant::now();
    let mut snapshot = Snapshot::default();
    let mut interrupt = Interrupt::new();
    loop {
        let due = Instant::now();
        let pace = source.sample(&needs, &mut snapshot)?;
        recorder.write(&snapshot)?;
        let pause = match pace {
            Pace::Interval => settings.interval,
            Pace::After(pause) => pause,
            Pace::Last => return Ok(()),
        };
        let is_enough = options.count.is_some_and(|count| recorder.samples() >= count)
            || options.time.is_some_and(|time| begun.elapsed() + pause > time);
        if is_enough || interrupt.comes_before(due + pause).await {
            return Ok(());
        }
    }
}
