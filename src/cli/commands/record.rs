//! `conntop record`: writes a sample each interval. Every sample is whole in the file before the next is taken, so that
//! whatever ends the program leaves a recording that can be played.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::{CountLimit, TimeLimit};
use crate::cli::samples::Interrupt;
use crate::cli::taker::SampleTaker;
use crate::cli::{Failure, say};
use crate::model::snapshot::Needs;
use crate::model::units;
use crate::source::record::Recorder;
use crate::source::retries::RetryLimit;
use crate::tracker::{Tracker, Tracking};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct RecordCommand {
    /// The file to write; it must not exist yet
    file: PathBuf,
    #[command(flatten)]
    time: TimeLimit,
    #[command(flatten)]
    count: CountLimit,
}

impl CliCommand for RecordCommand {
    const NAME: &'static str = "record";
    const ABOUT: &'static str = "Write samples to a new file";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop record leak.conntop", "until Ctrl-C"),
            example("conntop record --for 3600 leak.conntop", "for an hour"),
            example("conntop record --count 10 --interval 5 leak.conntop", "ten samples"),
        ],
        paragraphs: &["\
--count counts samples. Every sample is whole in the file before the next is
taken, so whatever ends the command leaves a recording that can be played. The
file must not exist. Only you may read it, for it holds addresses and names of
processes."],
        exits: EXITS,
    };

    /// Records until the time or the count is reached, the source ends, or Ctrl-C.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let mut source = global.open()?;
        let settings = global.settings()?;
        let mut recorder = Recorder::create(&self.file, source.info())?;
        let ended = Interrupt::run(async |interrupt| {
            source.listen(settings.trace);
            let mut taker = SampleTaker::new(source, RetryLimit::Follow, settings.shared.interval);
            taker.for_time(self.time.time);
            self.record(taker, &mut recorder, &settings.needs(), interrupt).await
        });
        let samples = recorder.samples();
        recorder.finish()?;
        ended?;
        let samples = units::counted(samples, "sample");
        say(&format!("{samples} recorded; play with conntop replay {}", self.file.display()));
        Ok(ExitCode::SUCCESS)
    }
}

impl RecordCommand {
    /// A failure that passes leaves a gap: the next sample says that what happened since the last one was not seen.
    async fn record(
        &self,
        mut taker: SampleTaker,
        recorder: &mut Recorder,
        needs: &Needs,
        mut interrupt: Interrupt,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut tracker = Tracker::new();
        loop {
            let is_taken = taker.take(|source, snapshot| {
                let mut sink = Tracking { tracker: &mut tracker, snapshot };
                source.sample(needs, &mut sink)
            });
            let is_taken = is_taken?.is_some();
            if is_taken {
                // The first delta adds every socket; later ones cost what changes.
                recorder.write(&tracker.finish(&mut taker.snapshot), &[])?;
                taker.snapshot.sockets.clear();
            }
            let Some(due) = taker.due() else { return Ok(()) };
            let is_enough = self.count.limit().is_some_and(|count| recorder.samples() >= count)
                || self.time.time.is_some_and(|time| due.saturating_duration_since(begun) > time);
            if (is_enough && is_taken) || interrupt.comes_before(due).await {
                return Ok(());
            }
        }
    }
}
