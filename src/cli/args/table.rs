//! The arguments of `conntop columns` and `conntop keys`.

use clap::Args;

use crate::cli::Failure;
use crate::report::format::Format;

pub(in crate::cli::args) const COLUMNS_EXAMPLES: &str = "\
Examples:
  conntop columns                   what each column is called and shows
  conntop columns --format json     for scripts
  conntop explain recvq             more on one of them

KEY is the name in filters, --columns and --sort; JSON is the name in JSON and CSV, with the unit.";

pub(in crate::cli::args) const KEYS_EXAMPLES: &str = "\
Examples:
  conntop keys                      what each key of the screen does
  conntop keys --format json        for scripts

On the screen ? shows the same.";

#[derive(Args, Debug)]
pub(in crate::cli) struct TableArguments {
    /// text, or json (one object)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: String,
}

impl TableArguments {
    /// The format that was asked for.
    pub(in crate::cli) fn format(&self) -> Result<Format, Failure> {
        Format::parse_among(&self.format, &[Format::Text, Format::Json]).map_err(Failure::Usage)
    }
}
