//! `conntop record`: writes a sample each interval. Every sample is whole in the file before the next is taken, so that
//! whatever ends the program leaves a recording that can be played.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use crate::cli::args::{Global, RecordArguments};
use crate::cli::{Failure, say};
use crate::model::snapshot::Snapshot;
use crate::source::record::Recorder;
use crate::source::{Pace, Source};

/// Records until the time or the count is reached, the source ends, or Ctrl-C.
pub(super) fn run(
    mut source: Box<dyn Source>,
    options: &RecordArguments,
    global: &Global,
) -> Result<ExitCode, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot wait for Ctrl-C")?;
    let mut recorder = Recorder::create(&options.file, source.info())?;
    let ended = runtime.block_on(take(&mut *source, &mut recorder, options, global));
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
    global: &Global,
) -> Result<(), Failure> {
    let needs = global.needs();
    let begun = Instant::now();
    let mut snapshot = Snapshot::default();
    loop {
        let due = Instant::now();
        let pace = source.sample(&needs, &mut snapshot)?;
        recorder.write(&snapshot)?;
        let pause = match pace {
            Pace::Interval => global.interval,
            Pace::After(pause) => pause,
            Pace::Last => return Ok(()),
        };
        let is_enough = options.count.is_some_and(|count| recorder.samples() >= count)
            || options.time.is_some_and(|time| begun.elapsed() + pause > time);
        if is_enough || interrupted_before(due + pause).await {
            return Ok(());
        }
    }
}

/// Waits until `due`; whether Ctrl-C came first.
async fn interrupted_before(due: Instant) -> bool {
    tokio::select! {
        () = tokio::time::sleep_until(due.into()) => false,
        // Without a handler Ctrl-C ends the program at once, which leaves a good recording, too.
        pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
    }
}
