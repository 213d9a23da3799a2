//! The arguments, and how a wrong one is answered: in one sentence.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::cli::netstat::NetstatArguments;
use crate::cli::ports::PortsArguments;
use crate::cli::{Failure, parse_filter};
use crate::model::snapshot::Needs;
use crate::report::format::Format;
use crate::report::list::List;
use crate::source::{self, Choice, Source};
use crate::table::column;
use crate::table::connections::COLUMNS;
use crate::table::sort::SortKey;
use crate::table::suggest;

/// The shortest and the longest time between samples.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_mins(1);

const EXAMPLES: &str = "\
Examples:
  conntop                                    watch all connections
  conntop state:close-wait                   only those that were not closed
  conntop list rport:443 'age>60s'           print them once
  conntop list --format json state:listen    for scripts
  conntop --demo                             a made-up server with a leak

Filters:
  state:close-wait rport:443 process:nginx raddr:10.0.0.0/8 'age>60s'
  '!state:listen' /regex/ word; with and, or, not and parentheses.
  The keys are those of conntop columns.";

/// See every TCP and UDP socket of this machine live, who leaks, and act on it safely.
#[derive(Debug, Parser)]
#[command(name = "conntop", version, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 120)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Show only what matches, e.g. state:close-wait
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
}

/// What holds for every command.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(super) struct Global {
    /// Where to look: auto, linux, procfs, portable, or synthetic[:SEED]
    #[arg(long, global = true, value_name = "SOURCE", default_value = "auto")]
    source: String,
    /// Show a made-up server; the same as --source synthetic
    #[arg(long, global = true)]
    demo: bool,
    /// The time between samples, from 0.1 to 60
    #[arg(long, global = true, value_name = "SECONDS", default_value = "1", value_parser = interval, allow_hyphen_values = true)]
    pub(super) interval: Duration,
    /// Show the sockets of every network namespace you may enter, not only of this one
    #[arg(long, global = true)]
    pub(super) all_netns: bool,
    /// Never send a signal
    #[arg(long, global = true)]
    pub(super) read_only: bool,
    /// Leave the mouse to the terminal
    #[arg(long, global = true)]
    pub(super) no_mouse: bool,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub(super) ascii: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
}

impl Global {
    /// What a sample is to hold beside the sockets of this namespace.
    pub(super) fn needs(&self) -> Needs {
        Needs { all_namespaces: self.all_netns, ..Needs::default() }
    }

    /// Opens the source of `choice`, if it can do what is asked for.
    pub(super) fn open(&self, choice: &Choice) -> Result<Box<dyn Source>, Failure> {
        let source = source::open(choice)?;
        let kind = source.info().kind;
        if self.all_netns && !kind.sees_namespaces() {
            let sentence = format!(
                "--all-netns needs --source linux or procfs; the source {} has no other network namespaces",
                kind.name()
            );
            return Err(Failure::Usage(sentence));
        }
        Ok(source)
    }

    /// The source that was asked for.
    pub(super) fn choice(&self) -> Result<Choice, Failure> {
        match (self.demo, self.source.as_str()) {
            (true, "auto") => Ok(Choice::parse("synthetic")?),
            (true, source) if !source.starts_with("synthetic") => {
                Err(Failure::Usage(format!("--demo is a source of its own; leave out --source {source}")))
            }
            (_, source) => Ok(Choice::parse(source)?),
        }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether to use them. `auto`: on a terminal that is not `dumb`, unless `NO_COLOR` is set and not empty.
    pub(super) fn is_on(self, is_terminal: bool) -> bool {
        let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Auto => is_terminal && !is_unwanted() && !is_dumb(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the sockets of this moment
    List(ListArguments),
    /// What netstat users type: -ano, -e, -s, -r, and an interval
    Netstat(NetstatArguments),
    /// Print who listens on which port, what that usually is, who can reach it, and what that invites
    Ports(PortsArguments),
    /// Write samples to a new file, until --for, --count or Ctrl-C
    Record(RecordArguments),
    /// Show a recording
    Replay {
        /// A file that conntop record wrote
        file: PathBuf,
        /// Show only what matches
        #[arg(value_name = "FILTER")]
        filter: Vec<String>,
    },
    /// Print what each column is called and shows
    Columns,
    /// Print what each key of the screen does
    Keys,
}

#[derive(Args, Debug)]
pub(super) struct ListArguments {
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
    pub(super) fn parse(&self) -> Result<List, Failure> {
        let named = |names: &Vec<String>| names.iter().map(|name| column::find(COLUMNS, name.trim())).collect();
        let columns: Option<Vec<usize>> = self.columns.as_ref().map(named).transpose().map_err(Failure::Usage)?;
        let sort = self.sort.as_ref().map(|text| SortKey::parse(COLUMNS, text)).transpose().map_err(Failure::Usage)?;
        Ok(List {
            filter: parse_filter(&self.filter.join(" "))?,
            format: Format::parse(&self.format).map_err(Failure::Usage)?,
            columns,
            sort,
            limit: self.limit,
        })
    }
}

#[derive(Args, Debug)]
pub(super) struct RecordArguments {
    /// The file to write; it must not exist yet
    pub(super) file: PathBuf,
    /// Stop after this time
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub(super) time: Option<Duration>,
    /// Stop after this many samples
    #[arg(long, value_name = "N", value_parser = amount::<u32>, allow_hyphen_values = true)]
    pub(super) count: Option<u32>,
}

fn amount<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number, such as 100".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "write a number of seconds, such as 30 or 0.5".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let asked = seconds(text).ok().filter(|asked| (INTERVAL_MIN..=INTERVAL_MAX).contains(asked));
    asked.ok_or_else(|| "write a number of seconds from 0.1 to 60, such as 2 or 0.5".to_owned())
}

/// Commands that are planned; until then they are no words to look for.
const PLANNED: [&str; 7] = ["watch", "check", "explain", "kill", "close", "man", "completions"];

fn refuse_planned(word: &str) -> Option<String> {
    let name = PLANNED.iter().find(|name| **name == word)?;
    Some(format!(
        "conntop has no command '{name}' yet; see conntop --help for those it has, or write conntop -- {name} to look for that word"
    ))
}

/// Why there is nothing to run.
pub(super) enum Ended {
    /// Help or version was asked for and printed.
    Printed,
    /// What was asked makes no sense; a sentence.
    Wrong(String),
}

/// Reads the arguments, the name of the program first.
pub(super) fn parse(arguments: &[OsString]) -> Result<Arguments, Ended> {
    // Before its options are read: those of a command that is not there are unknown.
    let first = arguments.get(1).and_then(|first| first.to_str());
    if let Some(sentence) = first.and_then(refuse_planned) {
        return Err(Ended::Wrong(sentence));
    }
    let parsed = Arguments::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Ended::Printed
        }
        _ => Ended::Wrong(sentence(&error)),
    })?;
    let is_forced = arguments.iter().any(|argument| argument == "--");
    let refused = if is_forced { None } else { refuse_misplaced(&parsed) };
    refused.map_or(Ok(parsed), |sentence| Err(Ended::Wrong(sentence)))
}

/// A command after a filter, or a lone word one edit away from a command, was most likely meant to be it.
fn refuse_misplaced(parsed: &Arguments) -> Option<String> {
    let definition = Arguments::command();
    let mut commands = definition.get_subcommands().map(clap::Command::get_name);
    let words = &parsed.filter;
    let (first, rest) = words.split_first().filter(|_| parsed.command.is_none())?;
    if let Some(sentence) = refuse_planned(first) {
        return Some(sentence);
    }
    if rest.is_empty() {
        let near = commands.find(|name| suggest::distance(first, name) == 1)?;
        return Some(format!(
            "there is no command '{first}'; did you mean '{near}'? To look for that word, write conntop -- {first}"
        ));
    }
    let command = commands.find(|name| rest.iter().any(|word| word == name))?;
    let all = words.join(" ");
    Some(format!(
        "write '{command}' first, as in conntop {command} {first}; to look for that word, write conntop -- {all}"
    ))
}

/// What clap says over several lines, as one sentence with its hint.
fn sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if what.ends_with(':') {
        what = format!("{what} {}", lines.next().unwrap_or_default());
    }
    let what = what.replace("a value is required for", "a value is missing for");
    let hint = lines.find_map(|line| {
        // "to pass '--x' as a value" is no help to somebody who meant an option.
        let tip = line.strip_prefix("tip: ").filter(|tip| !tip.starts_with("to pass"));
        tip.map(str::to_owned).or_else(|| {
            let values = line.strip_prefix("[possible values: ")?.strip_suffix(']')?;
            Some(format!("there are {values}"))
        })
    });
    let hint = hint.unwrap_or_else(|| "see conntop --help".to_owned());
    format!("{what}; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Result<Arguments, String> {
        let words: Vec<OsString> =
            std::iter::once("conntop").chain(words.iter().copied()).map(OsString::from).collect();
        parse(&words).map_err(|ended| match ended {
            Ended::Printed => "printed".to_owned(),
            Ended::Wrong(sentence) => sentence,
        })
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn bare_words_are_a_filter() {
        let parsed = arguments(&["state:listen", "or", "udp"]).expect("valid");
        assert!(parsed.command.is_none());
        assert_eq!(parsed.filter, ["state:listen", "or", "udp"]);
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for words in [["--source", "procfs", "list"], ["list", "--source", "procfs"]] {
            let parsed = arguments(&words).expect("valid");
            assert!(matches!(parsed.command, Some(Command::List(_))));
            assert!(matches!(parsed.global.choice(), Ok(Choice::Procfs)));
        }
    }

    #[test]
    fn the_interval_has_bounds_and_decimals() {
        let interval = |text: &str| arguments(&["--interval", text]).map(|parsed| parsed.global.interval);
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(interval("60"), Ok(Duration::from_mins(1)));
        for text in ["0", "0.05", "61", "NaN", "inf", "1e400", "", "soon"] {
            let sentence = interval(text).expect_err(text);
            assert!(sentence.contains("from 0.1 to 60") || text.is_empty(), "{sentence}");
        }
    }

    #[test]
    fn a_typo_of_a_command_is_answered_with_the_command() {
        for (word, meant) in [("lits", "list"), ("listt", "list"), ("recrod", "record"), ("column", "columns")] {
            let sentence = arguments(&[word]).expect_err(word);
            assert!(sentence.contains(&format!("did you mean '{meant}'?")), "{sentence}");
        }
        for words in [&["--", "lits"][..], &["--", "nginx", "list"], &["nginx"], &["lits", "udp"], &["state:listen"]] {
            assert!(arguments(words).is_ok(), "{words:?}");
        }
    }

    #[test]
    fn a_planned_command_is_no_word_to_look_for() {
        for words in [&["watch"][..], &["--demo", "check"], &["kill", "--yes", "process:nginx"]] {
            let sentence = arguments(words).expect_err("not there yet");
            assert!(sentence.starts_with("conntop has no command '") && !sentence.contains('\n'), "{sentence}");
        }
        assert!(arguments(&["--", "watch"]).is_ok());
    }

    #[test]
    fn wrong_use_is_one_sentence_with_a_way_out() {
        for (words, expected) in [
            (
                &["nginx", "list"][..],
                "write 'list' first, as in conntop list nginx; to look for that word, write conntop -- nginx list",
            ),
            (&["--colour", "never"], "unexpected argument '--colour' found; a similar argument exists: '--color'"),
            (&["--color", "red"], "invalid value 'red' for '--color <WHEN>'; there are auto, always, never"),
            (&["record"], "the following required arguments were not provided: <FILE>; see conntop --help"),
            (
                &["list", "--limit", "many"],
                "invalid value 'many' for '--limit <N>': write a whole number, such as 100; see conntop --help",
            ),
        ] {
            assert_eq!(arguments(words).expect_err("wrong"), expected);
        }
    }
}
