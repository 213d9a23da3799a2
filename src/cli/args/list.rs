//! The arguments of `conntop list`.

use clap::Args;

use crate::cli::args::values::amount;
use crate::cli::{Failure, parse_filter};
use crate::report::format::Format;
use crate::report::list::List;
use crate::table::column;
use crate::table::connections::COLUMNS;
use crate::table::sort::SortKey;

#[derive(Args, Debug)]
pub(in crate::cli) struct ListArguments {
    /// Print only what matches, e.g. state:close-wait
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// text, json (one object), ndjson (one socket a line), or csv
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: String,
    /// Print these columns, separated by commas; see conntop columns
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Sort by this column; with a - before it, the largest first
    #[arg(long, value_name = "[-]COL", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Print at most this many sockets
    #[arg(long, value_name = "N", value_parser = amount::<usize>, allow_hyphen_values = true)]
    limit: Option<usize>,
}

impl ListArguments {
    /// The list that was asked for.
    pub(in crate::cli) fn parse(&self) -> Result<List, Failure> {
        let named = |names: &Vec<String>| names.iter().map(|name| column::find(COLUMNS, name.trim())).collect();
        let columns: Option<Vec<usize>> = self.columns.as_ref().map(named).transpose().map_err(Failure::Usage)?;
        let sort = self.sort.as_ref().map(|text| SortKey::parse(COLUMNS, text)).transpose().map_err(Failure::Usage)?;
        Ok(List {
            filter: parse_filter(&self.filter.join(" "))?,
            format: Format::parse(&self.format).map_err(Failure::Usage)?,
            columns,
            sort,
            limit: self.limit,
            names: false,
        })
    }
}

pub(in crate::cli::args) const EXAMPLES: &str = "\
Examples:
  conntop list state:close-wait
  conntop list --format json rport:443 'age>60s'
  conntop list --columns process,lport --sort -age --limit 10
  conntop list --source replay:leak.conntop    the end of a recording";
