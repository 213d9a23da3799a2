//! `conntop replay`: a recording on the screen.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::moment::PlaySpeed;
use crate::cli::Failure;
use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::FilterArguments;
use crate::cli::screen::{self, ClockChoice};
use crate::source::Choice;

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct ReplayCommand {
    /// A file that conntop record wrote
    file: PathBuf,
    /// Begin at this time: 14:05, 14:05:30, 2026-01-31 14:05, RFC 3339, -5m before the end, +90s after the begin
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// How fast the clock runs, from 0.25 to 64 times
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: PlaySpeed,
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
            example("conntop replay leak.conntop --at 14:05 --speed 4", "from five past two on, four times as fast"),
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
        let clock = ClockChoice { at: self.at.clone(), speed: self.speed };
        screen::show(global.settings()?, &Choice::Replay { path: self.file.clone() }, &self.filter, &clock)
    }
}

fn speed(text: &str) -> Result<PlaySpeed, String> {
    let times = text.trim_start_matches('x').parse().ok().and_then(PlaySpeed::nearest);
    times.ok_or_else(|| "write how many times as fast, such as 4 or 0.5".to_owned())
}
