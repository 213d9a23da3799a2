//! `conntop watch`: takes samples and prints what changes until --for, --count, the end of a recording or Ctrl-C.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::names::{HostNameLookup, PATIENCE_A_SAMPLE};
use crate::cli::options::{CountLimit, FilterArguments, FormatOption, TimeLimit};
use crate::cli::output::{self, cannot_write, print};
use crate::cli::pending_lines::PendingLines;
use crate::cli::recorded_moment::MomentOption;
use crate::cli::samples::{Interrupt, Samples, Warnings, shortcomings};
use crate::cli::settings::Settings;
use crate::model::time::Timestamp;
use crate::report::fields;
use crate::report::format::{DocumentFormat, EventFormat};
use crate::report::hosts;
use crate::report::watch::{EventStream, SampleEvents, WatchOptions};
use crate::runtime;
use crate::source::Pace;
use crate::source::retries::RetryLimit;
use crate::store::Store;

/// The command with its arguments.
#[derive(Args, Debug)]
#[command(mut_arg("filter", |arg| arg.help(FILTER_HELP)), mut_arg("count", |arg| arg.help(COUNT_HELP)))]
pub(super) struct WatchCommand {
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    output: FormatOption<WatchFormat>,
    /// One sentence per event, without signs and columns: for screen readers
    #[arg(long, conflicts_with = "format")]
    plain: bool,
    #[command(flatten)]
    time: TimeLimit,
    #[command(flatten)]
    count: CountLimit,
    /// Print what each field of an event is called, its type, unit and meaning
    #[arg(long)]
    fields: bool,
    #[command(flatten)]
    of_list: ListOptionHints,
    #[command(flatten)]
    moment: MomentOption,
}

const FILTER_HELP: &str = "Only sockets that match before or after the change";
const COUNT_HELP: &str = "Stop after this many lines";

impl CliCommand for WatchCommand {
    const NAME: &'static str = "watch";
    const ABOUT: &'static str = "Print a line per change: opened, closed, new state, finding";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop watch state:close-wait", "what enters or leaves CLOSE_WAIT"),
            example("conntop watch --format ndjson process:nginx", "for scripts"),
            example("conntop watch --plain state:close-wait", "for a screen reader"),
            example("conntop watch --for 60 --count 100", "until one of them is reached"),
            example("conntop watch --count 1 state:close-wait", "wait for the first"),
            example("conntop watch --source replay:leak.conntop", "what a recording holds, at once"),
            example("conntop watch --fields", "what the NDJSON means"),
        ],
        paragraphs: &["\
Events are: opened; transition; closed, when the socket is gone from the kernel
(TIME_WAIT included); gap, when events of the kernel were lost; finding (found,
changed, ended). Times are in UTC. FILTER applies to findings as in conntop
check, and does not apply to gaps. Every line is flushed. Where a
reader is too slow the oldest lines are dropped, and a gap says how many. Ctrl-C
ends the command with exit code 0, as does a closed pipe."],
        exits: EXITS,
    };

    /// Prints until there is a reason to end; a reader that has seen enough is one.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        if self.fields {
            let format = self.output.format.of_fields();
            return print(format, |out| fields::write(&fields::of_events(), format, out));
        }
        self.of_list.refuse()?;
        let format = if self.plain { EventFormat::Plain } else { self.output.format.of_events()? };
        let watch = WatchOptions { filter: self.filter.parse()?, format, count: self.count.limit() };
        let (source, from) = self.moment.open_from(global)?;
        let settings = &global.settings()?.asking(watch.filter.asked_by_name());
        Interrupt::run(async |interrupt| {
            let samples = Samples::new(source, settings, RetryLimit::Follow, true).for_time(self.time.time);
            Box::pin(follow(samples, settings, (from, self.time.time), &watch, interrupt)).await
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The formats of `conntop watch`: those of events, and those of the list of fields.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum WatchFormat {
    /// One line of text per event
    #[default]
    Text,
    /// One JSON object a line, one per event
    Ndjson,
    /// One JSON object; only with --fields
    #[value(hide = true)]
    Json,
}

impl WatchFormat {
    fn of_events(self) -> Result<EventFormat, Failure> {
        match self {
            Self::Text => Ok(EventFormat::Text),
            Self::Ndjson => Ok(EventFormat::Ndjson),
            Self::Json => Err(Failure::Usage("--format json is only for --fields; did you mean 'ndjson'?".to_owned())),
        }
    }

    const fn of_fields(self) -> DocumentFormat {
        match self {
            Self::Text => DocumentFormat::Text,
            Self::Ndjson | Self::Json => DocumentFormat::Json,
        }
    }
}

/// What `conntop list` has and means something here, said otherwise.
#[derive(Args, Debug)]
struct ListOptionHints {
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    on_change: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    wait_for: Option<String>,
}

impl ListOptionHints {
    fn refuse(&self) -> Result<(), Failure> {
        let habits = [
            (
                &self.on_change,
                "--on-change",
                "a line per change is what watch prints; for the whole list anew write conntop list --on-change",
            ),
            (
                &self.wait_for,
                "--wait-for",
                "write conntop list --wait-for FILTER, or for one event conntop watch --count 1 FILTER",
            ),
        ];
        match habits.into_iter().find(|(given, ..)| given.is_some()) {
            Some((_, option, way)) => Err(Failure::Usage(format!("{option} is of conntop list; {way}"))),
            None => Ok(()),
        }
    }
}

async fn follow(
    mut samples: Samples,
    settings: &Settings,
    (from, time): (Option<Timestamp>, Option<Duration>),
    watch: &WatchOptions,
    mut interrupt: Interrupt,
) -> Result<(), Failure> {
    let mut names = HostNameLookup::new(settings, samples.store().source().kind, PATIENCE_A_SAMPLE);
    let mut said = Warnings::default();
    let mut output = EventOutput::new(watch, samples.is_live());
    // From the first line on Ctrl-C ends it in good order.
    if interrupt.comes_before(Instant::now()).await {
        return Ok(());
    }
    loop {
        let Some(taken) = samples.take()? else {
            let due = samples.due().unwrap_or_else(Instant::now);
            if output.ends_before(due, samples.store(), &mut interrupt).await? {
                return Ok(());
            }
            continue;
        };
        // What led to the moment that was asked for is known, and not told.
        if from.is_some_and(|from| samples.store().at() < from) && taken.pace != Pace::Last {
            continue;
        }
        if names.is_on() {
            let peers = output.stream.peers(samples.store(), &taken.transitions);
            names.learn(samples.store_mut(), &peers);
        }
        let store = samples.store();
        said.say(shortcomings(store, &taken.event_status));
        said.say(&hosts::sentences(store));
        let events = SampleEvents {
            transitions: &taken.transitions,
            gaps: &taken.gaps,
            findings: samples.findings(),
            left_out: samples.left_out(),
        };
        if !output.add(store, events)? {
            return Ok(());
        }
        let is_enough = output.stream.is_full() || time.is_some_and(|time| samples.watched() >= time);
        let Some(due) = samples.due().filter(|_| !is_enough) else {
            return output.finish(samples.store(), &mut interrupt).await;
        };
        if output.ends_before(due, samples.store(), &mut interrupt).await? {
            return Ok(());
        }
    }
}

/// So often it is looked whether a slow reader takes more.
const READER_LOOK: Duration = Duration::from_millis(10);
/// So long, for each sample, a reader is waited for before lines are dropped: one that reads steadily gets a burst whole.
const READER_WAIT_MAX: Duration = Duration::from_secs(1);

/// The lines of all events, and those that their reader has not taken yet.
struct EventOutput<'w> {
    stream: EventStream<'w>,
    format: EventFormat,
    pending: PendingLines,
    /// Whether the samples wait for a slow reader. Those of a live source cannot, so its oldest lines are dropped.
    waits: bool,
}

impl<'w> EventOutput<'w> {
    fn new(watch: &'w WatchOptions, is_live: bool) -> Self {
        let (stream, pending) = (EventStream::new(watch), PendingLines::default());
        Self { stream, format: watch.format, pending, waits: !is_live }
    }

    /// Adds what a sample brought and writes what the reader takes; whether there is still one.
    fn add(&mut self, store: &Store, events: SampleEvents<'_>) -> Result<bool, Failure> {
        let Self { stream, format, pending, waits } = self;
        if *waits {
            let mut out = output::stdout(*format);
            return is_read(stream.write(store, events, &mut out).and_then(|()| out.flush()));
        }
        let until = Instant::now() + READER_WAIT_MAX;
        let mut lines = PendingWriter { store, format: *format, pending, until };
        match stream.write(store, events, &mut lines) {
            Ok(()) => self.write(store),
            failed => is_read(failed),
        }
    }

    /// Writes what the reader takes now; whether there is still one.
    fn write(&mut self, store: &Store) -> Result<bool, Failure> {
        is_read(write_pending(&mut self.pending, store, self.format))
    }

    /// Waits until `due`, and writes meanwhile what the reader takes; whether the command is to end before. A reader that is gone
    /// is noticed also while there is nothing to write.
    async fn ends_before(&mut self, due: Instant, store: &Store, interrupt: &mut Interrupt) -> Result<bool, Failure> {
        loop {
            let until = if self.pending.is_empty() { due } else { due.min(Instant::now() + READER_LOOK) };
            if interrupt.comes_before(until).await || runtime::reader_is_gone() || !self.write(store)? {
                return Ok(true);
            }
            if until == due {
                return Ok(false);
            }
        }
    }

    /// Waits until all is written, the reader is gone, or Ctrl-C.
    async fn finish(&mut self, store: &Store, interrupt: &mut Interrupt) -> Result<(), Failure> {
        while !self.pending.is_empty() {
            if self.ends_before(Instant::now() + READER_LOOK, store, interrupt).await? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether there is still a reader.
fn is_read(written: io::Result<()>) -> Result<bool, Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).map_err(|error| cannot_write(&error)),
    }
}

fn write_pending(pending: &mut PendingLines, store: &Store, format: EventFormat) -> io::Result<()> {
    let takes_more = || runtime::reader_takes_more(Duration::ZERO);
    pending.write(&mut output::stdout_of_encoded(), takes_more, |lost| lost.line(store, format))
}

/// Takes each line of a sample as one write.
struct PendingWriter<'a> {
    store: &'a Store,
    format: EventFormat,
    pending: &'a mut PendingLines,
    /// Until then the reader is waited for where there is no room.
    until: Instant,
}

impl Write for PendingWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = output::encoded(self.format, line)?;
        while !self.pending.has_room(text.len()) {
            let left = self.until.saturating_duration_since(Instant::now());
            if !runtime::reader_takes_more(left) {
                break;
            }
            write_pending(self.pending, self.store, self.format)?;
        }
        self.pending.push(self.store.at(), text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
