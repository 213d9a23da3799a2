//! `conntop record`: writes a sample each interval. Every sample is whole in the file before the next is taken, so that
//! whatever ends the program leaves a recording that can be played.

use std::process::ExitCode;
use std::time::Instant;

use crate::cli::args::RecordArguments;
use crate::cli::samples::Interrupt;
use crate::cli::settings::Settings;
use crate::cli::taker::SampleTaker;
use crate::cli::{Failure, say};
use crate::model::units;
use crate::source::Source;
use crate::source::record::Recorder;
use crate::source::retries::RetryLimit;

/// Records until the time or the count is reached, the source ends, or Ctrl-C.
pub(super) fn run(
    mut source: Box<dyn Source>,
    options: &RecordArguments,
    settings: &Settings,
) -> Result<ExitCode, Failure> {
    let mut recorder = Recorder::create(&options.file, source.info())?;
    let ended = Interrupt::run(async |interrupt| {
        source.listen(settings.trace);
        let mut taker = SampleTaker::new(source, RetryLimit::Follow, settings.interval);
        taker.for_time(options.time);
        take(taker, &mut recorder, options, settings, interrupt).await
    });
    let samples = recorder.samples();
    recorder.finish()?;
    ended?;
    let samples = units::counted(samples.into(), "sample");
    say(&format!("{samples} recorded; play with conntop replay {}", options.file.display()));
    Ok(ExitCode::SUCCESS)
}

/// A failure that passes leaves a gap: the next sample says that what happened since the last one was not seen.
async fn take(
    mut taker: SampleTaker,
    recorder: &mut Recorder,
    options: &RecordArguments,
    settings: &Settings,
    mut interrupt: Interrupt,
) -> Result<(), Failure> {
    let needs = settings.needs();
    let begun = Instant::now();
    loop {
        let is_taken = taker.take(|source, snapshot| source.sample(&needs, snapshot))?.is_some();
        if is_taken {
            recorder.write(&taker.snapshot)?;
        }
        let Some(due) = taker.due() else { return Ok(()) };
        let is_enough = options.count.is_some_and(|count| recorder.samples() >= count)
            || options.time.is_some_and(|time| due.saturating_duration_since(begun) > time);
        if (is_enough && is_taken) || interrupt.comes_before(due).await {
            return Ok(());
        }
    }
}
