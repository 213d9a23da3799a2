//! The arguments of `conntop check`.

use std::time::Duration;

use clap::Args;

use crate::cli::values::span;
use crate::cli::{Failure, parse_filter};
use crate::report::check::{Check, CheckFailOn};
use crate::report::format::DocumentFormat;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  conntop check                                   one look of about a second
  conntop check --for 60                          watch what grows for a minute
  conntop check process:java                      only what concerns its sockets
  conntop check --fail-on close-wait-leak,critical
  conntop check --format json --source replay:leak.conntop

The first line is that of a monitoring plugin, with performance data.
conntop explain RULE says what a finding means.

Exit codes: 0 nothing wrong, 1 warning, 2 critical, 3 could not look (wrong use, too).
What may not be seen for want of permission is said, and is no failure.";

#[derive(Args, Debug)]
pub(in crate::cli) struct CheckArguments {
    /// Only findings about a socket that matches: one of those that the finding's own filter shows, or, for a finding
    /// about a whole process, any that it holds
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Watch this long, so that it is seen what grows; otherwise two samples are taken
    #[arg(long = "for", value_name = "SECONDS", value_parser = span, allow_hyphen_values = true)]
    pub(in crate::cli) time: Option<Duration>,
    /// Fail only for these rules, or from this severity on (warning, critical); the others are still printed
    #[arg(long, value_name = "RULE|SEVERITY", value_delimiter = ',')]
    fail_on: Vec<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    format: DocumentFormat,
}

impl CheckArguments {
    /// The check that was asked for.
    pub(in crate::cli) fn parse(&self) -> Result<Check, Failure> {
        let fail_on = CheckFailOn::parse(self.fail_on.iter().map(String::as_str)).map_err(Failure::Usage)?;
        Ok(Check { filter: parse_filter(&self.filter.join(" "))?, fail_on, format: self.format })
    }
}
