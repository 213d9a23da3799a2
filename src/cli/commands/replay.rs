//! `conntop replay`: a recording on the screen.

use std::fs;
use std::path::{Path, PathBuf};
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
    /// A file that conntop record wrote, the directory of a flight recorder, a pipe, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// More of them, which are shown together; then a filter, e.g. state:close-wait
    #[arg(value_name = "FILE|FILTER")]
    rest: Vec<String>,
    /// Begin at this time: 14:05, 14:05:30, 2026-01-31 14:05, RFC 3339, -5m before the end, +90s after the begin
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// How fast the clock runs, from 0.25 to 64 times
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: PlaySpeed,
}

impl ReplayCommand {
    /// Every file, and the filter that follows them.
    fn files_and_filter(&self) -> (Vec<PathBuf>, FilterArguments) {
        let more = self.rest.iter().take_while(|word| is_file(word)).count();
        let (files, filter) = self.rest.split_at(more);
        let files = std::iter::once(self.file.clone()).chain(files.iter().map(PathBuf::from)).collect();
        (files, FilterArguments { filter: filter.to_vec() })
    }
}

/// Whether a word names a file, and is no part of a filter: it is there, or ends as recordings do.
fn is_file(word: &str) -> bool {
    let path = Path::new(word);
    let is_named = word == "-" || path.extension().is_some_and(|extension| extension == "conntop");
    is_named || fs::symlink_metadata(path).is_ok()
}

impl CliCommand for ReplayCommand {
    const NAME: &'static str = "replay";
    const ABOUT: &'static str = "Show a recording";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop replay leak.conntop", "on the screen, as it was"),
            example("conntop replay leak.conntop state:close-wait", "only what matches"),
            example("conntop replay leak.conntop --at 14:05", "from five past two on"),
            example("ssh -n web-7 conntop record - | conntop replay -", "another machine, live"),
            example("conntop replay <(ssh -n a conntop record -) <(ssh -n b conntop record -)", ""),
            example("conntop replay a.conntop b.conntop host:web-7", "together, one of them"),
            example("conntop list --source replay:leak.conntop", "its end, printed"),
            example("conntop watch --source replay:leak.conntop", "all changes in it"),
            example("conntop check --source replay:leak.conntop", "what was wrong at its end"),
        ],
        paragraphs: &[
            "\
Several recordings are shown together, on one time by their clocks, up to 64:
column, filter and --group-by host tell the hosts apart. A pipe is read as it
comes. A host whose stream ends stays on the screen as it was, and the header
says so. ssh needs -n: without it ssh takes the keys that are typed. Nothing
in a recording can be acted on.",
            "\
Words after the first FILE are files as long as they exist, end in .conntop or
are -; the first that is none begins the filter. Where stdout is no terminal,
the end of the recording is printed, as conntop list does.",
        ],
        exits: EXITS,
    };

    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let clock = ClockChoice { at: self.at.clone(), speed: self.speed };
        let (mut paths, filter) = self.files_and_filter();
        let choice = match (paths.len(), paths.pop()) {
            (1, Some(path)) => Choice::Replay { path },
            (_, last) => Choice::Replays { paths: paths.into_iter().chain(last).collect() },
        };
        screen::show(global.settings()?, &choice, &filter, &clock)
    }
}

fn speed(text: &str) -> Result<PlaySpeed, String> {
    let times = text.trim_start_matches('x').parse().ok().and_then(PlaySpeed::nearest);
    times.ok_or_else(|| "write how many times as fast, such as 4 or 0.5".to_owned())
}
