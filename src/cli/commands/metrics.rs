//! `conntop metrics`: prints metrics once, or writes them again and again for a monitoring system to read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::{CountLimit, TimeLimit};
use crate::cli::output;
use crate::cli::recorded_moment::MomentOption;
use crate::cli::replaced_file::ReplacedFile;
use crate::cli::samples::{Interrupt, Samples, Warnings, shortcomings};
use crate::cli::settings::Settings;
use crate::cli::{Failure, say, values};
use crate::model::event::EventStatus;
use crate::model::time::Timestamp;
use crate::report::metrics::{MetricsCollector, MetricsFormat};
use crate::runtime;
use crate::source::retries::RetryLimit;
use crate::source::{Pace, Source};

/// Samples are at most so far apart, however seldom metrics are written: what the kernel tells between two of them is kept in a
/// bounded queue, and without the tracepoint what comes and goes between two is not seen.
const SAMPLES_APART_MAX: Duration = Duration::from_secs(5);

/// The command with its arguments.
#[derive(Args, Debug)]
#[command(mut_arg("count", |arg| arg.help(COUNT_HELP).requires("every")), mut_arg("time", |arg| arg.requires("every")))]
pub(super) struct MetricsCommand {
    // No FormatOption: clap's derive keeps one default for all types of a generic struct, which is that of the other commands.
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    format: MetricsFormat,
    /// Write to this file, which a new one replaces each time; everybody may read it
    #[arg(long = "output", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write again each so many seconds until Ctrl-C or SIGTERM, with counters
    #[arg(long, value_name = "SECONDS", value_parser = every, allow_hyphen_values = true)]
    every: Option<Duration>,
    #[command(flatten)]
    moment: MomentOption,
    #[command(flatten)]
    time: TimeLimit,
    #[command(flatten)]
    count: CountLimit,
}

const COUNT_HELP: &str = "Stop after writing this many times";

impl CliCommand for MetricsCommand {
    const NAME: &'static str = "metrics";
    const ABOUT: &'static str = "Print metrics for Prometheus and OpenTelemetry";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop metrics", "once"),
            example("conntop metrics --every 15 --output conntop.prom", "for node_exporter"),
            example("conntop metrics --format otlp-json", "for OpenTelemetry"),
            example("conntop metrics --source replay:leak.conntop", "what a recording came to"),
        ],
        paragraphs: &["\
Counters are there with --every and for a recording: they begin at 0 when
conntop starts, and count what happens between two writes as well. Samples are
taken at most 5 s apart, or as --interval says. The number of series is
bounded: the 20 process names with most sockets, the rest as process=\"other\",
never a pid. A file that cannot be written is said once and tried again; the
old one stays. docs/metrics.md lists the metrics and has alert rules and units
for systemd."],
        exits: EXITS,
    };

    /// Writes until there is a reason to end.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let file = self.file.as_deref().map(ReplacedFile::at).transpose().map_err(Failure::Usage)?;
        let target = MetricsTarget { format: self.format, path: self.file.as_deref(), file };
        global.expect_one_host()?;
        let source = self.moment.open_with_lead_in(global)?;
        let settings = global.settings()?;
        let Some(every) = self.every else {
            once(source, settings, &target)?;
            return Ok(ExitCode::SUCCESS);
        };
        let apart = global.asked_interval().unwrap_or_else(|| samples_apart(every));
        let settings = settings.with_interval(apart);
        let samples = Samples::new(source, &settings, RetryLimit::Follow, true).for_time(self.time.time);
        let writer = MetricsWriter {
            samples,
            collector: MetricsCollector::new(true),
            target,
            said: Warnings::default(),
            every,
            // A sample that comes a little early is that of its turn.
            slack: apart / 10,
            written_at: None,
            written: 0,
            is_failing: false,
        };
        Interrupt::run_service(async |interrupt| {
            Box::pin(writer.run(self.time.time, self.count.limit(), interrupt)).await
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The value of `--every`.
fn every(text: &str) -> Result<Duration, String> {
    const EVERY: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3_600);
    let asked = values::span(text).ok().filter(|asked| EVERY.contains(asked));
    asked.ok_or_else(|| "write a time from 0.1 to 3600 seconds, such as 15, 0.5 or 1m".to_owned())
}

/// The time between samples where metrics are written each `every`: a whole part of it.
fn samples_apart(every: Duration) -> Duration {
    let parts = every.as_millis().div_ceil(SAMPLES_APART_MAX.as_millis()).max(1);
    every / u32::try_from(parts).unwrap_or(u32::MAX)
}

/// Where metrics go.
struct MetricsTarget<'a> {
    format: MetricsFormat,
    path: Option<&'a Path>,
    file: Option<ReplacedFile>,
}

impl MetricsTarget<'_> {
    /// Writes what is known now; whether there is still somebody to read it. An error of a file may pass.
    fn write(&self, samples: &Samples, collector: &mut MetricsCollector) -> Result<bool, Failure> {
        let sample = collector.sample(samples.store(), samples.findings());
        let text = self.format.text(&sample);
        let Some(file) = &self.file else { return output::print_utf8(&text) };
        match file.write(text.as_bytes()) {
            Ok(()) => Ok(true),
            Err(error) => Err(Failure::Failed(format!(
                "cannot write {}: {error}; what was there before stays; make room or choose another place for it",
                self.path.unwrap_or(Path::new("")).display()
            ))),
        }
    }
}

/// One sample of a live source; a recording is read to its end, so that its counters are those of all of it.
fn once(source: Box<dyn Source>, settings: &Settings, target: &MetricsTarget<'_>) -> Result<(), Failure> {
    let mut samples = Samples::new(source, settings, RetryLimit::Look, false);
    let mut collector = None;
    loop {
        if let Some(taken) = samples.take()? {
            let collector = collector.get_or_insert_with(|| MetricsCollector::new(taken.pace != Pace::Interval));
            collector.note(samples.store(), &taken.transitions, &taken.all_gaps());
            if !matches!(taken.pace, Pace::After(_)) {
                // Nobody has listened for events, so nothing is said of them.
                let nobody = EventStatus::default();
                Warnings::default().say(shortcomings(samples.store(), &nobody));
                return target.write(&samples, collector).map(drop);
            }
        }
        if let Some(due) = samples.due() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// Writes again and again.
struct MetricsWriter<'a> {
    samples: Samples,
    collector: MetricsCollector,
    target: MetricsTarget<'a>,
    said: Warnings,
    every: Duration,
    slack: Duration,
    written_at: Option<Timestamp>,
    written: u64,
    is_failing: bool,
}

impl MetricsWriter<'_> {
    async fn run(
        mut self,
        time: Option<Duration>,
        count: Option<u64>,
        mut interrupt: Interrupt,
    ) -> Result<(), Failure> {
        // From the first sample on a signal ends it in good order.
        if interrupt.comes_before(Instant::now()).await {
            return Ok(());
        }
        loop {
            let mut is_over = false;
            if let Some(taken) = self.samples.take()? {
                self.said.say(shortcomings(self.samples.store(), &taken.event_status));
                self.collector.note(self.samples.store(), &taken.transitions, &taken.all_gaps());
                if self.is_due() && !self.write()? {
                    return Ok(());
                }
                is_over = count.is_some_and(|count| self.written >= count)
                    || time.is_some_and(|time| self.samples.watched() >= time);
            }
            let Some(due) = self.samples.due().filter(|_| !is_over) else { return self.end() };
            if interrupt.comes_before(due).await || (self.target.file.is_none() && runtime::reader_is_gone()) {
                return Ok(());
            }
        }
    }

    /// Whether it is time to write; in a recording, by its own time.
    fn is_due(&self) -> bool {
        let passed = |at| self.samples.store().at().since(at) + self.slack >= self.every;
        self.written_at.is_none_or(passed)
    }

    /// Writes; whether there is still somebody to read it. A file that cannot be written now is said once, and tried again.
    fn write(&mut self) -> Result<bool, Failure> {
        self.written_at = Some(self.samples.store().at());
        match self.target.write(&self.samples, &mut self.collector) {
            Ok(is_read) => {
                if std::mem::take(&mut self.is_failing) {
                    say("the file can be written again");
                }
                self.written += 1;
                Ok(is_read)
            }
            Err(Failure::Failed(sentence)) if self.target.file.is_some() => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    say(&format!("{sentence}; trying again"));
                }
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// A run that never could write, or could not in the end, has failed.
    fn end(self) -> Result<(), Failure> {
        if self.is_failing {
            return Err(Failure::Failed("the file could not be written until the end".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_a_whole_part_of_the_time_between_writes_apart() {
        for (every, apart) in [(0.1, 0.1), (1.0, 1.0), (5.0, 5.0), (15.0, 5.0), (16.0, 4.0), (3600.0, 5.0)] {
            assert_eq!(samples_apart(Duration::from_secs_f64(every)), Duration::from_secs_f64(apart), "{every}");
        }
    }
}
