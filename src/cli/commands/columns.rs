//! `conntop columns`: what each column is called and shows.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Failure;
use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::FormatOption;
use crate::cli::output::print;
use crate::report;
use crate::report::format::DocumentFormat;

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct ColumnsCommand {
    #[command(flatten)]
    output: FormatOption<DocumentFormat>,
}

impl CliCommand for ColumnsCommand {
    const NAME: &'static str = "columns";
    const ABOUT: &'static str = "Print what each column is called and shows";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop columns", "what each column is called and shows"),
            example("conntop columns --format json", "for scripts"),
            example("conntop explain recvq", "more on one of them"),
        ],
        paragraphs: &["\
KEY is the name in filters, --columns and --sort. JSON is the name in JSON and
CSV, with the unit. NEEDS says what costs more than the lists of the kernel:
processes is a look at their open files, tcp_info makes each answer of the
kernel three times as long."],
        exits: EXITS,
    };

    fn run(&self, _: &GlobalOptions) -> Result<ExitCode, Failure> {
        let format = self.output.format;
        print(format, |out| report::columns::write(format, out))
    }
}
