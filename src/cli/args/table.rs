//! The arguments of `conntop columns` and `conntop keys`.

use clap::Args;

use crate::report::format::DocumentFormat;

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
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    pub(in crate::cli) format: DocumentFormat,
}
