//! The command line: reads the arguments, opens the source and hands over to the report or the screen.
//!
//! stdout carries data only. Whatever goes wrong is one sentence on stderr that says what to do next, and an exit code:
//! 1 failed, 2 used wrongly; `check` alone says 3 for both, as monitoring plugins do.

mod act;
mod args;
mod check;
mod close;
mod completions;
mod config;
mod explain;
mod global;
mod keys;
mod kill;
mod list;
mod man;
mod names;
mod netstat;
mod output;
mod ports;
mod record;
mod samples;
mod settings;
mod taker;
mod terminal;
mod values;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::args::{Arguments, Command};
use crate::cli::output::{cannot_write, print};
use crate::cli::settings::Settings;
use crate::model::text::DisplayText;
use crate::report;
use crate::runtime::{self, ScreenOptions};
use crate::source::{Choice, SourceError};
use crate::table::filter::Filter;
use crate::ui::theme::Theme;

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
        Ok(parsed) => run_command(parsed),
        Err(args::NotRun::Help(help)) => print_help(&help),
        Err(args::NotRun::Wrong(sentence)) => Err(Failure::Usage(sentence)),
    };
    done.unwrap_or_else(|failure| {
        let (code, sentence) = match failure {
            Failure::Usage(sentence) => (2, sentence),
            Failure::Failed(sentence) => (1, sentence),
        };
        say(&sentence);
        if check::is_asked_for(&arguments) {
            check::say_unknown(&sentence, &arguments);
            return ExitCode::from(check::UNKNOWN);
        }
        ExitCode::from(code)
    })
}

/// Tells the user something that is not data. Nobody may listen.
fn say(sentence: &str) {
    // The sentence may quote arguments, file names and errors.
    let _ = writeln!(output::stderr(), "conntop: {}", DisplayText::new(sentence));
}

fn run_command(arguments: Arguments) -> Result<ExitCode, Failure> {
    runtime::refuse_setuid()?;
    let Arguments { global, command, filter } = arguments;
    output::set_only_ascii(global.only_ascii());
    // What a command was asked for is looked at before its source is opened: that may take time.
    let open = || -> Result<_, Failure> {
        let settings = global.settings()?;
        let source = settings.open(&global.choice()?)?;
        Ok((source, settings))
    };
    match command {
        None => show(&global.settings()?, &global.choice()?, &filter),
        Some(Command::Replay { file, filter }) => show(&global.settings()?, &Choice::Replay { path: file }, &filter),
        Some(Command::List(options)) => list::run(&options.parse()?, global.asked_interval(), open),
        Some(Command::Watch(options)) => {
            if let Some((fields, format)) = options.fields() {
                return print(format, |out| report::fields::write(&fields, format, out));
            }
            let watch = options.parse()?;
            let (source, settings) = open()?;
            watch::run(source, &settings.asking(watch.filter.asked_by_name()), &options, &watch)
        }
        Some(Command::Check(options)) => {
            let check = options.parse()?;
            let (source, settings) = open()?;
            check::run(source, &settings.asking(check.filter.asked_by_name()), &options, &check)
        }
        Some(Command::Netstat(options)) => netstat::run(&options, &global),
        Some(Command::Ports(options)) => ports::run(&options, &global),
        Some(Command::Explain(options)) => explain::run(&options),
        Some(Command::Record(options)) => {
            let (source, settings) = open()?;
            record::run(source, &options, &settings)
        }
        Some(Command::Kill(options)) => kill::run(&options, &global),
        Some(Command::Close(options)) => close::run(&options, &global),
        Some(Command::Columns(options)) => print(options.format, |out| report::columns::write(options.format, out)),
        Some(Command::Keys(options)) => {
            let settings = global.settings()?;
            print(options.format, |out| keys::write(options.format, &settings.keys, out))
        }
        Some(Command::Man(options)) => man::run(&options),
        Some(Command::Completions(options)) => completions::run(&options),
    }
}

/// The screen; the same as `list` where stdout is no terminal.
fn show(settings: &Settings, choice: &Choice, filter: &[String]) -> Result<ExitCode, Failure> {
    let text = filter.join(" ");
    let filter = parse_filter(&text)?;
    let is_terminal = output::is_terminal();
    let is_dumb = is_terminal && terminal::is_dumb();
    if is_dumb {
        say("this terminal is dumb, so this is the list; for the screen set TERM, as in TERM=xterm-256color conntop");
    }
    let mut source = settings.open(choice)?;
    if !is_terminal || is_dumb {
        return list::now(source, settings, &report::list::List { filter, ..Default::default() });
    }
    source.listen(settings.trace);
    let options = ScreenOptions {
        filter: text,
        interval: settings.interval,
        read_only: settings.read_only,
        all_namespaces: settings.all_netns,
        lookups: settings.lookups(),
        private_names: settings.dns_private,
        mouse: settings.mouse,
        theme: theme(settings, is_terminal),
        bell: settings.bell,
        keymap: settings.keys.clone(),
        thresholds: settings.thresholds.clone(),
        ignore: settings.ignore.clone(),
        remark: settings.remark.clone(),
    };
    Ok(runtime::run_screen(source, &options)?)
}

/// How the screen is drawn.
fn theme(settings: &Settings, is_terminal: bool) -> Theme {
    let theme = if settings.color.is_on(is_terminal) { Theme::DEFAULT } else { Theme::MONO };
    theme.with_ascii(settings.ascii)
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
