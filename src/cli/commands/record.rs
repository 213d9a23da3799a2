//! `conntop record`: writes what changes, sample by sample. Every sample is whole in the recording before the next is taken, so
//! that whatever ends the program leaves a recording that can be played.

mod destination;
mod marks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::commands::record::destination::{Recording, RecordingDestination};
use crate::cli::commands::record::marks::Marks;
use crate::cli::global::GlobalOptions;
use crate::cli::options::{CountLimit, TimeLimit};
use crate::cli::samples::{Interrupt, Samples};
use crate::cli::settings::Settings;
use crate::cli::{Failure, say, values};
use crate::model::units;
use crate::runtime;
use crate::source::retries::RetryLimit;

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct RecordCommand {
    /// A new file, - for standard output, or with --max-size a directory
    file: PathBuf,
    /// Remove what is older than this from the directory
    #[arg(long, value_name = "AGE", value_parser = values::span, allow_hyphen_values = true)]
    keep: Option<Duration>,
    /// Record into a directory that never takes more than this; the oldest is removed first
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    max_size: Option<u64>,
    #[command(flatten)]
    time: TimeLimit,
    #[command(flatten)]
    count: CountLimit,
}

impl CliCommand for RecordCommand {
    const NAME: &'static str = "record";
    const ABOUT: &'static str = "Record what changes, to a file or into a directory of fixed size";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop record leak.conntop", "until Ctrl-C"),
            example("conntop record --for 3600 leak.conntop", "for an hour"),
            example("conntop record --count 10 leak.conntop", "ten samples"),
            example("conntop record --keep 24h --max-size 1G recorder", "always the last day"),
            example("conntop record - > leak.conntop", "through a pipe"),
        ],
        paragraphs: &[
            "\
--count counts samples. Every sample is whole in the recording before the next
is taken, so whatever ends the command leaves a recording that can be played.
The file must not exist. Only you may read it, for it holds addresses and names
of processes. Ctrl-C and SIGTERM end the recording in good order.",
            "\
With --max-size it is a flight recorder, which runs for weeks. FILE is then a
directory that is new, empty or a recorder's, and yours alone. It holds
segments, each a recording of its own, whose names sort in the order of time.
Together they never take more than SIZE; what is older than AGE is removed, a
segment at a time. The next start goes on there. A disk that is full or cannot
be written to does not end it: it says so once, goes on when that works again,
and marks the gap.",
        ],
        exits: EXITS,
    };

    /// Records until the time or the count is reached, the source ends, or somebody asks it to end.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let destination = RecordingDestination::parse(&self.file, self.keep, self.max_size)?;
        let source = global.open_one_host()?;
        let settings = global.settings()?;
        let mut recording = Recording::begin(&destination, source.info())?;
        let patience = if destination.is_flight_recorder() { RetryLimit::FlightRecorder } else { RetryLimit::Follow };
        let ended = Interrupt::run_service(async |interrupt| {
            let samples = Samples::new(source, settings, patience, true).keeping_deltas().for_time(self.time.time);
            Box::pin(self.record(samples, settings, &mut recording, interrupt)).await
        });
        let samples = recording.samples();
        recording.finish()?;
        ended?;
        if destination != RecordingDestination::Stdout {
            let samples = units::counted(samples, "sample");
            say(&format!("{samples} recorded; play with conntop replay {}", self.file.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl RecordCommand {
    /// A failure that passes leaves a gap: the next sample says that what happened since the last one was not seen.
    async fn record(
        &self,
        mut samples: Samples,
        settings: &Settings,
        recording: &mut Recording,
        mut interrupt: Interrupt,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut marks = Marks::new(settings.shared.interval);
        // From the first sample on it ends in good order.
        if interrupt.comes_before(begun).await {
            return Ok(());
        }
        loop {
            let delta = samples.take()?.and_then(|taken| taken.delta);
            let is_taken = delta.is_some();
            if let Some(mut delta) = delta {
                let marks = marks.of(&mut delta, samples.diagnosis());
                if !recording.write(&delta, &marks)? {
                    return Ok(());
                }
            }
            let Some(due) = samples.next_due() else { return Ok(()) };
            let is_enough = self.count.limit().is_some_and(|count| recording.samples() >= count)
                || self.time.time.is_some_and(|time| due.saturating_duration_since(begun) > time);
            if (is_enough && is_taken) || interrupt.comes_before(due).await || reader_is_gone(recording) {
                return Ok(());
            }
        }
    }
}

/// Whether nobody reads what is written to standard output any more.
fn reader_is_gone(recording: &Recording) -> bool {
    matches!(recording, Recording::Stdout(..)) && runtime::reader_is_gone()
}
