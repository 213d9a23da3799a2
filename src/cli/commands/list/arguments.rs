//! The arguments of `conntop list`, and what they ask for.

use std::time::Duration;

use clap::Args;

use crate::cli::options::{CountLimit, FilterArguments, FormatOption, TimeLimit};
use crate::cli::recorded_moment::MomentOption;
use crate::cli::values::{self, amount, span};
use crate::cli::{Failure, parse_filter};
use crate::report::fields::{self, Field};
use crate::report::format::{DocumentFormat, Format};
use crate::report::list::{GroupBy, List};
use crate::table::column;
use crate::table::connections::COLUMNS;
use crate::table::order::Order;
use crate::table::sort::SortKey;

const WHEN: &str = "When to print";
const TIME_HELP: &str = "With --on-change, stop after this time; a recording counts its own time. With --group-by, watch for this time, count \
                         attempts to connect, then print";
const COUNT_HELP: &str = "With --on-change, stop after printing this many times";

/// The arguments.
#[derive(Args, Debug)]
#[command(mut_arg("time", |arg| arg.help(TIME_HELP).help_heading(WHEN)))]
#[command(mut_arg("count", |arg| arg.help(COUNT_HELP).help_heading(WHEN).requires("on_change")))]
pub(super) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    output: FormatOption<Format>,
    /// Print these columns, separated by commas; see conntop columns
    #[arg(long, value_name = "COL,COL", value_delimiter = ',', value_parser = values::COLUMN, hide_possible_values = true)]
    columns: Option<Vec<String>>,
    /// Sort by this column; with a - before it, the largest first
    #[arg(long, value_name = "[-]COL", value_parser = values::SORT, allow_hyphen_values = true, hide_possible_values = true)]
    sort: Option<String>,
    /// Print at most this many sockets, or groups
    #[arg(long, value_name = "N", value_parser = amount::<usize>, allow_hyphen_values = true)]
    limit: Option<usize>,
    /// Print the N largest by --sort, or the N largest groups
    #[arg(long, value_name = "N", value_parser = amount::<usize>, allow_hyphen_values = true, conflicts_with = "limit")]
    top: Option<usize>,
    /// Print a line per group of sockets that have these columns in common: how many they are and what they add up to
    #[arg(long, value_name = "COL,COL", value_delimiter = ',', value_parser = values::GROUP_BY, hide_possible_values = true)]
    group_by: Option<Vec<String>>,
    /// Print only the number of sockets; with --group-by, of groups
    #[arg(long, conflicts_with_all = ["columns", "sort", "limit", "top"])]
    count_only: bool,
    /// Wait until a socket matches this filter, then print those that do; exit code 1 if none has by --timeout
    #[arg(long, value_name = "FILTER", conflicts_with = "until_none", help_heading = WHEN)]
    wait_for: Option<String>,
    /// Wait until no socket matches this filter any more, print nothing; exit code 1 if some still do by --timeout
    #[arg(long, value_name = "FILTER", help_heading = WHEN)]
    until_none: Option<String>,
    /// Wait no longer than this; without it until Ctrl-C. 0 looks once
    #[arg(long, value_name = "SECONDS", value_parser = span, allow_hyphen_values = true, help_heading = WHEN)]
    timeout: Option<Duration>,
    /// Print again whenever a socket that matches comes, goes or changes its state, at most once a sample
    #[arg(long, conflicts_with_all = ["wait_for", "until_none", "timeout"], help_heading = WHEN)]
    on_change: bool,
    #[command(flatten)]
    pub(super) moment: MomentOption,
    #[command(flatten)]
    time: TimeLimit,
    #[command(flatten)]
    count: CountLimit,
    /// Print what each field of the output is called, its type, unit and meaning; with --group-by those of groups
    #[arg(long)]
    fields: bool,
}

/// What was asked for.
#[derive(Debug)]
pub(super) enum ListRequest {
    /// The names of what would be printed.
    Fields(Vec<Field>, DocumentFormat),
    /// One list.
    Now(List),
    /// One list, when it is time.
    When(WaitCondition, List),
    /// One list, after so long, with what was tried in that time.
    After(Duration, List),
    /// A list each time it changes.
    OnChange(ChangeLimits, List),
}

/// What to wait for.
#[derive(Debug)]
pub(super) struct WaitCondition {
    /// What was asked for, for the sentence that it did not happen.
    pub(super) text: String,
    /// Until no socket matches, instead of one.
    pub(super) until_none: bool,
    /// How long.
    pub(super) timeout: Option<Duration>,
}

/// When to stop looking for changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangeLimits {
    pub(super) time: Option<Duration>,
    pub(super) count: Option<u64>,
}

impl ListArguments {
    /// What was asked for.
    pub(super) fn parse(&self) -> Result<ListRequest, Failure> {
        if self.fields {
            let format = of_fields(self.output.format)?;
            let fields = match &self.group_by {
                Some(names) => fields::of_groups(&group_by(names)?),
                None => fields::of_list(),
            };
            return Ok(ListRequest::Fields(fields, format));
        }
        let list = self.list()?;
        if self.timeout.is_some() && self.wait_for.is_none() && self.until_none.is_none() {
            let sentence = "--timeout says how long to wait; say for what with --wait-for or --until-none";
            return Err(Failure::Usage(sentence.to_owned()));
        }
        let waits = self.wait_for.is_some() || self.until_none.is_some();
        if self.time.time.is_some() && (waits || !self.on_change && self.group_by.is_none()) {
            let sentence = "--for goes with --on-change, to stop after that time, or with --group-by, to count attempts to connect; to wait, write --timeout";
            return Err(Failure::Usage(sentence.to_owned()));
        }
        if self.on_change {
            match self.output.format {
                Format::Text | Format::Json => {}
                Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => {
                    let sentence =
                        "--on-change prints whole lists; write --format json, which has one a line, or leave it out";
                    return Err(Failure::Usage(sentence.to_owned()));
                }
            }
            return Ok(ListRequest::OnChange(ChangeLimits { time: self.time.time, count: self.count.limit() }, list));
        }
        match (&self.wait_for, &self.until_none) {
            (Some(text), _) => self.when("--wait-for", text, list),
            (None, Some(text)) => self.when("--until-none", text, list),
            (None, None) => Ok(match self.time.time {
                Some(time) => ListRequest::After(time, list),
                None => ListRequest::Now(list),
            }),
        }
    }

    fn list(&self) -> Result<List, Failure> {
        let columns = self.columns.as_ref().map(|names| names.iter().map(|name| name.trim()));
        let (limit, count_only) = (self.limit.or(self.top), self.count_only);
        let (filter, format) = (self.filter.parse()?, self.output.format);
        let list = List { filter, format, limit, count_only, ..List::default() };
        if let Some(names) = &self.group_by {
            let mut groups = group_by(names)?;
            if let Some(columns) = columns {
                groups = groups.with_columns(columns).map_err(Failure::Usage)?;
            }
            if let Some(text) = &self.sort {
                groups = groups.sorted(text, self.top.is_some()).map_err(Failure::Usage)?;
            }
            return Ok(List { groups: Some(groups), ..list });
        }
        let columns = columns.map(|names| column::find_all(COLUMNS, names));
        let sort = self.sort.as_ref().map(|text| SortKey::parse(COLUMNS, text));
        let sort = sort.transpose().map_err(Failure::Usage)?;
        let sort = match (self.top, sort) {
            (Some(_), None) => {
                let sentence = "--top needs to know by what: add --sort, as in --sort recvq, or --group-by";
                return Err(Failure::Usage(sentence.to_owned()));
            }
            (Some(_), Some(sort)) => Some(SortKey { order: Order::Descending, ..sort }),
            (None, sort) => sort,
        };
        Ok(List { columns: columns.transpose().map_err(Failure::Usage)?, sort, ..list })
    }

    /// `list` of what matches `text` too, when it is time.
    fn when(&self, option: &str, text: &str, list: List) -> Result<ListRequest, Failure> {
        if parse_filter(text)?.is_empty() {
            return Err(Failure::Usage(format!("{option} needs a filter, as in {option} 'lport:8080 state:listen'")));
        }
        let text = match list.filter.text().trim() {
            "" => text.to_owned(),
            others => format!("({others}) ({text})"),
        };
        let filter = parse_filter(&text)?;
        let wait = WaitCondition { text, until_none: self.until_none.is_some(), timeout: self.timeout };
        Ok(ListRequest::When(wait, List { filter, ..list }))
    }
}

/// The same format for the list of fields, which has two.
fn of_fields(format: Format) -> Result<DocumentFormat, Failure> {
    match format {
        Format::Text => Ok(DocumentFormat::Text),
        Format::Json => Ok(DocumentFormat::Json),
        Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => {
            Err(Failure::Usage("--fields has no such format; there are text and json".to_owned()))
        }
    }
}

fn group_by(names: &[String]) -> Result<GroupBy, Failure> {
    GroupBy::by(names.iter().map(|name| name.trim())).map_err(Failure::Usage)
}
