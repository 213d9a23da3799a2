//! The arguments of `conntop list`, and what they ask for.

use std::time::Duration;

use clap::Args;

use crate::cli::values::{amount, span};
use crate::cli::{Failure, parse_filter};
use crate::report::fields::{self, Field};
use crate::report::format::{DocumentFormat, Format};
use crate::report::list::{Groups, List};
use crate::table::column::{self, Order};
use crate::table::connections::COLUMNS;
use crate::table::sort::SortKey;

const WHEN: &str = "When to print";

#[derive(Args, Debug)]
pub(in crate::cli) struct ListArguments {
    /// Print only what matches, e.g. state:close-wait
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    format: Format,
    /// Print these columns, separated by commas; see conntop columns
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Sort by this column; with a - before it, the largest first
    #[arg(long, value_name = "[-]COL", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Print at most this many sockets, or groups
    #[arg(long, value_name = "N", value_parser = amount::<usize>, allow_hyphen_values = true)]
    limit: Option<usize>,
    /// Print the N largest by --sort, or the N largest groups
    #[arg(long, value_name = "N", value_parser = amount::<usize>, allow_hyphen_values = true, conflicts_with = "limit")]
    top: Option<usize>,
    /// Print a line per group of sockets that have these columns in common: how many they are and what they add up to
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
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
    /// With --on-change: stop after this time (recordings: recorded time); with --group-by: watch for this time, count attempts to connect, then print
    #[arg(long = "for", value_name = "SECONDS", value_parser = span, allow_hyphen_values = true, help_heading = WHEN)]
    time: Option<Duration>,
    /// With --on-change: stop when it was printed this many times
    #[arg(long, value_name = "N", value_parser = amount::<u64>, allow_hyphen_values = true, requires = "on_change", help_heading = WHEN)]
    count: Option<u64>,
    /// Print what each field of the output is called, its type, unit and meaning; with --group-by those of groups
    #[arg(long)]
    fields: bool,
}

/// What was asked for.
#[derive(Debug)]
pub(in crate::cli) enum ListRequest {
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
pub(in crate::cli) struct WaitCondition {
    /// What was asked for, for the sentence that it did not happen.
    pub(in crate::cli) text: String,
    /// Until no socket matches, instead of one.
    pub(in crate::cli) until_none: bool,
    /// How long.
    pub(in crate::cli) timeout: Option<Duration>,
}

/// When to stop looking for changes.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct ChangeLimits {
    pub(in crate::cli) time: Option<Duration>,
    pub(in crate::cli) count: Option<u64>,
}

impl ListArguments {
    /// What was asked for.
    pub(in crate::cli) fn parse(&self) -> Result<ListRequest, Failure> {
        if self.fields {
            let format = of_fields(self.format)?;
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
        if self.time.is_some() && (waits || !self.on_change && self.group_by.is_none()) {
            let sentence = "--for goes with --on-change, to stop after that time, or with --group-by, to count attempts to connect; to wait, write --timeout";
            return Err(Failure::Usage(sentence.to_owned()));
        }
        if self.on_change {
            match self.format {
                Format::Text | Format::Json => {}
                Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => {
                    let sentence =
                        "--on-change prints whole lists; write --format json, which has one a line, or leave it out";
                    return Err(Failure::Usage(sentence.to_owned()));
                }
            }
            return Ok(ListRequest::OnChange(ChangeLimits { time: self.time, count: self.count }, list));
        }
        match (&self.wait_for, &self.until_none) {
            (Some(text), _) => self.when("--wait-for", text, list),
            (None, Some(text)) => self.when("--until-none", text, list),
            (None, None) => Ok(match self.time {
                Some(time) => ListRequest::After(time, list),
                None => ListRequest::Now(list),
            }),
        }
    }

    fn list(&self) -> Result<List, Failure> {
        let columns = self.columns.as_ref().map(|names| names.iter().map(|name| name.trim()));
        let (limit, count_only) = (self.limit.or(self.top), self.count_only);
        let (filter, format) = (parse_filter(&self.filter.join(" "))?, self.format);
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

fn group_by(names: &[String]) -> Result<Groups, Failure> {
    Groups::by(names.iter().map(|name| name.trim())).map_err(Failure::Usage)
}

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  conntop list state:close-wait
  conntop list --format json rport:443 'age>60s'
  conntop list --columns process,lport --sort -age --limit 10
  conntop list --top 5 --sort recvq            the fullest receive queues
  conntop list --group-by state                how many in each state
  conntop list --group-by process,state --top 10
  conntop list --group-by process,remote --for 10    with attempts to connect
  conntop list --count-only state:time-wait    a number
  kill $(conntop list --format plain --columns pid lport:8080 state:listen)
  conntop list --wait-for 'lport:8080 state:listen' --timeout 30 && deploy
  conntop list --until-none 'lport:8080 state:established' --timeout 60
  conntop list --on-change state:listen        again whenever it changes
  conntop list --source replay:leak.conntop    the end of a recording
  conntop list --fields                        what the JSON means

--group-by counts a socket once: one that several processes share, for the
first of them. Sums leave out listeners, whose queues are connections, and
what is not known. Groups come largest first; --columns and --sort take those
grouped by and the sums. What --limit or --top leave out is said: in the last
line of text, in left_out of JSON, else on stderr. --top always means the
largest first.

With --for, attempts to connect are counted, too, for groups by process, remote,
raddr, rport, proto and netns, also those of which no socket is left. The trace
tells of them (root or CAP_PERFMON); what nobody watched is null.

--wait-for and --until-none look every 0.2 s unless --interval says otherwise,
and only at what FILTER passes, too. --on-change has text and json, one list a
line. CSV is that of RFC 4180 with the values of JSON. A spreadsheet takes one
that begins with =, +, - or @ for a formula: csv-safe puts a ' before it and all
words in quotes. plain prints values alone, with tabs between and no heading.

Exit codes: 0 done, or what was waited for came; 1 it did not, or failed;
2 wrong use. Ctrl-C ends --on-change with 0 and a wait as the signal does.";
