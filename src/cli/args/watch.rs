//! The arguments of `conntop watch`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::values::{amount, span};
use crate::cli::{Failure, parse_filter};
use crate::report::fields::{self, Field};
use crate::report::format::{DocumentFormat, EventFormat};
use crate::report::watch::WatchOptions;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  conntop watch state:close-wait                  what comes into CLOSE_WAIT or leaves it
  conntop watch --format ndjson process:nginx     for scripts
  conntop watch --for 60 --count 100              until one of them is reached
  conntop watch --count 1 state:close-wait        wait for the first
  conntop watch --source replay:leak.conntop      what a recording holds, without waiting
  conntop watch --fields                          what the NDJSON means

Events: opened; transition; closed, when the last trace is gone (TIME_WAIT included); gap,
when events of the kernel were lost; finding (found, changed, ended). Times are in UTC.
Every line is flushed. Ctrl-C ends it with exit code 0, as does a closed pipe.";

#[derive(Args, Debug)]
pub(in crate::cli) struct WatchArguments {
    /// Only sockets that match before or after the change: state:close-wait passes what comes into it and what leaves
    /// it. Findings pass as in conntop check; gaps always do
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    format: WatchFormat,
    /// Stop after this time (recordings: recorded time)
    #[arg(long = "for", value_name = "SECONDS", value_parser = span, allow_hyphen_values = true)]
    pub(in crate::cli) time: Option<Duration>,
    /// Stop after this many lines
    #[arg(long, value_name = "N", value_parser = amount::<u64>, allow_hyphen_values = true)]
    count: Option<u64>,
    /// Print what each field of an event is called, its type, unit and meaning
    #[arg(long)]
    fields: bool,
    #[command(flatten)]
    of_list: ListOptionHints,
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

impl WatchArguments {
    /// The fields of the events and how to print them, if that is asked for.
    pub(in crate::cli) fn fields(&self) -> Option<(Vec<Field>, DocumentFormat)> {
        self.fields.then(|| (fields::of_events(), self.format.of_fields()))
    }

    /// What is to be printed.
    pub(in crate::cli) fn parse(&self) -> Result<WatchOptions, Failure> {
        self.of_list.refuse()?;
        let format = self.format.of_events()?;
        Ok(WatchOptions { filter: parse_filter(&self.filter.join(" "))?, format, count: self.count })
    }
}
