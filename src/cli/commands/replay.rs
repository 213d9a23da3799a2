//! `conntop replay`: a recording on the screen.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::FilterArguments;
use crate::cli::{Failure, screen};
use crate::source::Choice;

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct ReplayCommand {
    /// A file that conntop record wrote
    file: PathBuf,
    #[command(flatten)]
    filter: FilterArguments,
}

impl CliCommand for ReplayCommand {
    const NAME: &'static str = "replay";
    const ABOUT: &'static str = "Show a recording";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop replay leak.conntop", "on the screen, as it was"),
            example("conntop replay leak.conntop state:close-wait", "only what matches"),
            example("conntop list --source replay:leak.conntop", "its end, printed"),
            example("conntop watch --source replay:leak.conntop", "all changes in it"),
            example("conntop check --source replay:leak.conntop", "what was wrong at its end"),
        ],
        paragraphs: &["\
Where stdout is no terminal, the end of the recording is printed, as conntop
list does."],
        exits: EXITS,
    };

    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        screen::show(global.settings()?, &Choice::Replay { path: self.file.clone() }, &self.filter)
    }
}
