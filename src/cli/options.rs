//! Arguments that several commands have, each in one place.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::{Failure, parse_filter, values};
use crate::table::filter::Filter;

/// What a command looks at.
#[derive(Args, Debug)]
pub(in crate::cli) struct FilterArguments {
    /// Only what matches, e.g. state:close-wait; conntop columns lists the keys
    #[arg(value_name = "FILTER")]
    pub(in crate::cli) filter: Vec<String>,
}

impl FilterArguments {
    /// The words as one text, as they were typed.
    pub(in crate::cli) fn text(&self) -> String {
        self.filter.join(" ")
    }

    /// The filter that the words write.
    pub(in crate::cli) fn parse(&self) -> Result<Filter, Failure> {
        parse_filter(&self.text())
    }
}

/// How a command prints; `F` are the formats it has.
#[derive(Args, Debug)]
pub(in crate::cli) struct FormatOption<F: ValueEnum + Default + Send + Sync + 'static> {
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    pub(in crate::cli) format: F,
}

/// When a command that takes samples ends by itself.
#[derive(Args, Debug)]
pub(in crate::cli) struct TimeLimit {
    /// Stop after this time; a recording counts its own time
    #[arg(long = "for", value_name = "SECONDS", value_parser = values::span, allow_hyphen_values = true)]
    pub(in crate::cli) time: Option<Duration>,
}

/// After how much a command that goes on ends by itself.
#[derive(Args, Debug)]
pub(in crate::cli) struct CountLimit {
    /// Stop after this many
    #[arg(long, value_name = "N", value_parser = values::at_least_one, allow_hyphen_values = true)]
    count: Option<NonZeroU64>,
}

impl CountLimit {
    /// The limit, if there is one.
    pub(in crate::cli) fn limit(&self) -> Option<u64> {
        self.count.map(NonZeroU64::get)
    }
}
