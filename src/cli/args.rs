//! The arguments, and how a wrong one is answered: in one sentence. One file a command.

mod check;
mod completions;
mod explain;
pub(in crate::cli) mod help;
mod man;
mod record;
mod table;
mod watch;
mod wrong;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(in crate::cli) use check::CheckArguments;
pub(in crate::cli) use completions::{CompletionsArguments, SHELLS};
pub(in crate::cli) use explain::ExplainArguments;
pub(in crate::cli) use man::ManArguments;
pub(in crate::cli) use record::RecordArguments;
pub(in crate::cli) use table::TableArguments;
pub(in crate::cli) use watch::WatchArguments;

use crate::cli::close::CloseArguments;
use crate::cli::global::GlobalOptions;
use crate::cli::kill::KillArguments;
use crate::cli::list::arguments::{self as list, ListArguments};
use crate::cli::netstat::NetstatArguments;
use crate::cli::ports::PortsArguments;

const EXAMPLES: &str = "\
Examples:
  conntop                                    watch all connections
  conntop state:close-wait                   only those that were not closed
  conntop list rport:443 'age>60s'           print them once
  conntop list --format json state:listen    for scripts
  conntop check                              what is wrong, for monitoring
  conntop watch state:close-wait             a line per change
  conntop explain time-wait                  what it means, what to do, what not
  conntop --demo                             a made-up server with a leak

Filters:
  state:close-wait rport:443 process:nginx raddr:10.0.0.0/8 'age>60s'
  '!state:listen' /regex/ word; with and, or, not and parentheses.
  The keys are those of conntop columns.";

/// See every TCP and UDP socket of this machine live, who leaks, and act safely.
#[derive(Debug, Parser)]
#[command(name = "conntop", version, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 120)]
pub(in crate::cli) struct Arguments {
    /// Show only what matches, e.g. state:close-wait
    #[arg(value_name = "FILTER")]
    pub(in crate::cli) filter: Vec<String>,
    #[command(subcommand)]
    pub(in crate::cli) command: Option<Command>,
    // Last: its heading holds for all that follows.
    #[command(flatten)]
    pub(in crate::cli) global: GlobalOptions,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Print the sockets of this moment
    #[command(after_help = list::EXAMPLES)]
    List(ListArguments),
    /// Print a line per change: opened, closed, new state, finding
    #[command(after_help = watch::EXAMPLES)]
    Watch(WatchArguments),
    /// Say what is wrong, for monitoring: exit code 0, 1, 2 or 3
    #[command(after_help = check::EXAMPLES)]
    Check(CheckArguments),
    /// Explain a state, port, range, finding, column, option, topic
    #[command(after_help = explain::EXAMPLES)]
    Explain(ExplainArguments),
    /// What netstat users type: -ano, -e, -s, -r, and an interval
    Netstat(NetstatArguments),
    /// Print who listens, who can reach it, and what that invites
    Ports(PortsArguments),
    /// Signal the processes behind the sockets that match
    Kill(KillArguments),
    /// Close the sockets that match; their processes go on
    Close(CloseArguments),
    /// Write samples to a new file
    #[command(after_help = record::EXAMPLES)]
    Record(RecordArguments),
    /// Show a recording
    #[command(after_help = record::REPLAY_EXAMPLES)]
    Replay {
        /// A file that conntop record wrote
        file: PathBuf,
        /// Show only what matches
        #[arg(value_name = "FILTER")]
        filter: Vec<String>,
    },
    /// Print what each column is called and shows
    #[command(after_help = table::COLUMNS_EXAMPLES)]
    Columns(TableArguments),
    /// Print what each key of the screen does
    #[command(after_help = table::KEYS_EXAMPLES)]
    Keys(TableArguments),
    /// Print the manual page of conntop, or of one of its commands
    #[command(after_help = man::EXAMPLES)]
    Man(ManArguments),
    /// Print the completions for a shell
    #[command(after_help = completions::EXAMPLES)]
    Completions(CompletionsArguments),
}

/// Why there is nothing to run.
pub(in crate::cli) enum NotRun {
    /// Help or version was asked for: what prints it.
    Help(Box<clap::Error>),
    /// What was asked makes no sense; a sentence.
    Wrong(String),
}

/// Reads the arguments, the name of the program first.
pub(in crate::cli) fn parse(arguments: &[OsString]) -> Result<Arguments, NotRun> {
    let is_explain = command_name(arguments).is_some_and(|name| name == "explain");
    let moved = is_explain.then(|| explain::with_options_as_topics(arguments, takes_value));
    let arguments = moved.as_deref().unwrap_or(arguments);
    let matches = help::definition(arguments).try_get_matches_from(arguments);
    let parsed =
        matches.and_then(|matches| Arguments::from_arg_matches(&matches)).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => NotRun::Help(Box::new(error)),
            _ => NotRun::Wrong(wrong::sentence(&error)),
        })?;
    let is_forced = arguments.iter().any(|argument| argument == "--");
    let refused = if is_forced { None } else { wrong::refuse_misplaced(&parsed) };
    refused.map_or(Ok(parsed), |sentence| Err(NotRun::Wrong(sentence)))
}

/// The name of the command that `arguments` begin with, right or wrong.
pub(in crate::cli) fn command_name(arguments: &[OsString]) -> Option<String> {
    let definition = Arguments::command();
    let words = arguments.iter().skip(1).take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let is_command = |word: &&str| definition.get_subcommands().any(|command| command.get_name() == *word);
    words.into_iter().find(is_command).map(str::to_owned)
}

/// Whether an option that every command has takes a value.
fn takes_value(name: &str) -> bool {
    let definition = Arguments::command();
    definition.get_arguments().any(|argument| argument.get_long() == Some(name) && argument.get_action().takes_values())
}

/// Every option that conntop itself has, as `--name`, where, and what it does.
pub(in crate::cli) fn options() -> Vec<crate::report::explain::OptionText> {
    let definition = Arguments::command();
    let of = |command: &clap::Command, place: &str| -> Vec<_> {
        let text = |arg: &clap::Arg| {
            Some(crate::report::explain::OptionText {
                name: format!("--{}", arg.get_long()?),
                place: place.to_owned(),
                about: arg.get_help()?.to_string(),
            })
        };
        command.get_arguments().filter_map(text).collect()
    };
    let mut all = of(&definition, "conntop");
    for command in definition.get_subcommands() {
        all.extend(of(command, &format!("conntop {}", command.get_name())));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::Choice;

    fn arguments(words: &[&str]) -> Result<Arguments, String> {
        let words: Vec<OsString> =
            std::iter::once("conntop").chain(words.iter().copied()).map(OsString::from).collect();
        parse(&words).map_err(|ended| match ended {
            NotRun::Help(_) => "printed".to_owned(),
            NotRun::Wrong(sentence) => sentence,
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
        let interval = |text: &str| arguments(&["--interval", text]).map(|parsed| parsed.global.asked_interval());
        assert_eq!(interval("0.5"), Ok(Some(Duration::from_millis(500))));
        assert_eq!(interval("60"), Ok(Some(Duration::from_secs(60))));
        for text in ["0", "0.05", "61", "NaN", "inf", "1e400", "soon"] {
            let sentence = interval(text).expect_err(text);
            assert!(sentence.contains("from 0.1 to 60"), "{sentence}");
        }
        assert!(interval("").is_err());
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
    fn wrong_use_is_one_sentence_with_a_way_out() {
        for (words, expected) in [
            (
                &["nginx", "list"][..],
                "write 'list' first, as in conntop list nginx; to look for that word, write conntop -- nginx list",
            ),
            (&["--colour", "never"], "unexpected argument '--colour' found; did you mean '--color'?"),
            (&["--color", "red"], "invalid value 'red' for '--color <WHEN>'; there are auto, always and never"),
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
