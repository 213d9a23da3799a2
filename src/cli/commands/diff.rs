//! `conntop diff`: what differs between two moments of recordings.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::moments::NamedMoment;
use crate::cli::options::{FilterArguments, FormatOption};
use crate::cli::output::print;
use crate::cli::{Failure, say, values};
use crate::report::diff::{DiffFormat, DiffOptions};

/// How many sockets are listed unless somebody says another number.
const SOCKETS: &str = "20";

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct DiffCommand {
    /// The first moment: a recording with or without @TIME, or now
    before: PathBuf,
    /// The second moment
    after: PathBuf,
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    output: FormatOption<DiffFormat>,
    /// List at most this many sockets; 0 for none
    #[arg(long, value_name = "N", value_parser = values::amount::<usize>, default_value = SOCKETS, allow_hyphen_values = true)]
    limit: usize,
}

impl CliCommand for DiffCommand {
    const NAME: &'static str = "diff";
    const ABOUT: &'static str = "Print what differs between two moments of recordings";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop diff leak.conntop@+0 leak.conntop", "its begin and its end"),
            example("conntop diff recorder@14:00 recorder@14:05", "these five minutes"),
            example("conntop diff recorder@-1h now state:close-wait", "an hour ago and now"),
            example("conntop diff --limit 0 recorder@-10m recorder", "no single sockets"),
        ],
        paragraphs: &[
            "\
First come the groups of sockets of one process with one peer in one state of
which there are more or fewer, the largest change first; then the sockets that
are new, in another state, or gone. A program that was started again is the same
program. FILTER is applied at each moment by itself. CSV has the groups only.",
            "\
TIME is 14:05, 14:05:30, '2026-01-31 14:05', -5m (before the end) or +90s (after
the begin), in local time; without it the end of the recording is meant. What
stands before the last @ with a time behind it is the path. Recordings of two
hosts are compared by process name, peer and state.",
        ],
        exits: EXITS,
    };

    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let options = DiffOptions { filter: self.filter.parse()?, limit: Some(self.limit), format: self.output.format };
        let (settings, live) = (global.settings()?, global.choice()?);
        let look = |path| NamedMoment::parse(path).look(&live, settings);
        let (before, after) = (look(&self.before)?, look(&self.after)?);
        let difference = options.compare(&before, &after);
        difference.remarks().iter().for_each(|remark| say(remark));
        print(options.format, |out| {
            difference.write(options.format, out)?;
            out.flush()
        })
    }
}
