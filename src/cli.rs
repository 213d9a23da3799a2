//! The command line: reads the arguments, opens the source and hands over to the report or the screen.
//!
//! stdout carries data only. Whatever goes wrong is one sentence on stderr that says what to do next, and an exit code:
//! 1 failed, 2 used wrongly; `check` alone says 3 for both, as monitoring plugins do.

mod act;
mod args;
mod command;
mod commands;
mod config;
mod export;
mod global;
mod help;
mod moments;
mod names;
mod options;
mod output;
mod pending_lines;
mod recorded_moment;
mod replaced_file;
mod samples;
mod screen;
mod settings;
mod taker;
mod terminal;
mod themes;
mod user_files;
mod values;
mod wrong;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::args::Arguments;
use crate::cli::output::cannot_write;
use crate::cli::screen::ClockChoice;
use crate::model::text::DisplayText;
use crate::runtime;
use crate::source::SourceError;
use crate::table::filter::Filter;

/// Why the program ends without having done what it was asked for.
#[derive(Debug)]
enum Failure {
    /// It was asked in a way that cannot work; exit code 2.
    Usage(String),
    /// It did not work; exit code 1.
    Failed(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Usage(sentence) | Self::Failed(sentence)) = self;
        f.write_str(sentence)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Usage(sentence) => Self::Usage(sentence.to_string()),
            SourceError::Failed(sentence) => Self::Failed(sentence.to_string()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let done = match args::parse(&arguments) {
        Ok(parsed) => run_command(&parsed),
        Err(args::NotRun::Help(help)) => print_help(&help),
        Err(args::NotRun::Wrong(sentence)) => Err(Failure::Usage(sentence)),
    };
    done.unwrap_or_else(|failure| fail(&failure, &arguments))
}

/// Says what went wrong; the exit code is the one of the command that `arguments` name.
fn fail(failure: &Failure, arguments: &[OsString]) -> ExitCode {
    let sentence = failure.to_string();
    say(&sentence);
    if let Some(exit) = commands::named_in(arguments).and_then(|row| row.on_failure) {
        return exit(&sentence, arguments);
    }
    ExitCode::from(match failure {
        Failure::Failed(_) => 1,
        Failure::Usage(_) => 2,
    })
}

/// Tells the user something that is not data. Nobody may listen.
fn say(sentence: &str) {
    // The sentence may quote arguments, file names and errors.
    let _ = writeln!(output::stderr(), "conntop: {}", DisplayText::new(sentence));
}

fn run_command(arguments: &Arguments) -> Result<ExitCode, Failure> {
    runtime::refuse_setuid()?;
    let Arguments { global, command, filter } = arguments;
    output::set_only_ascii(global.only_ascii());
    match command {
        None => screen::show(global.settings()?, &global.choice()?, filter, &ClockChoice::default()),
        Some(command) => command.row.run(&command.matches, global),
    }
}

fn parse_filter(text: &str) -> Result<Filter, Failure> {
    Filter::parse(text).map_err(|error| Failure::Usage(format!("{error} (at byte {} of the filter)", error.at)))
}

/// Prints the help or the version; clap knows whether in colours. Both are ASCII, held by a test.
fn print_help(help: &clap::Error) -> Result<ExitCode, Failure> {
    match help.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
