//! The arguments, and how a wrong one is answered: in one sentence. Each command has its own in its file.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::command::{CommandNotes, CommandRow, EXITS, example};
use crate::cli::commands::{self, COMMANDS};
use crate::cli::global::GlobalOptions;
use crate::cli::options::FilterArguments;
use crate::cli::{help, wrong};
use crate::table::suggest;

/// What the help of the program says beside its arguments.
pub(in crate::cli) const NOTES: CommandNotes = CommandNotes {
    examples: &[
        example("conntop", "watch all connections"),
        example("conntop state:close-wait", "only those that were not closed"),
        example("conntop list rport:443 'age>60s'", "print them once"),
        example("conntop list --format json state:listen", "for scripts"),
        example("conntop check", "what is wrong, for monitoring"),
        example("conntop watch state:close-wait", "a line per change"),
        example("conntop explain time-wait", "what it means and what helps"),
        example("conntop --demo", "a made-up server with a leak"),
    ],
    paragraphs: &["\
Filters:
  state:close-wait rport:443 process:nginx raddr:10.0.0.0/8 'age>60s'
  '!state:listen' /regex/ word; with and, or, not and parentheses.
  The keys are those of conntop columns."],
    exits: EXITS,
};

/// See every TCP and UDP socket of this machine live, who leaks, and act safely.
#[derive(Debug, Parser)]
#[command(name = "conntop", version, disable_help_subcommand = true, max_term_width = 120)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArguments,
    #[command(subcommand)]
    pub(in crate::cli) command: Option<GivenCommand>,
    // Last: its heading holds for all that follows.
    #[command(flatten)]
    pub(in crate::cli) global: GlobalOptions,
}

/// A subcommand of the command line with its arguments.
#[derive(Debug)]
pub(in crate::cli) struct GivenCommand {
    /// Which it is.
    pub(in crate::cli) row: &'static CommandRow,
    /// What stands after its name.
    pub(in crate::cli) matches: ArgMatches,
}

impl FromArgMatches for GivenCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.subcommand().and_then(|(name, matches)| Some((commands::named(name)?, matches)));
        let (row, matches) = given.ok_or_else(|| clap::Error::new(ErrorKind::MissingSubcommand))?;
        Ok(Self { row, matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for GivenCommand {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        command.subcommands(COMMANDS.iter().map(CommandRow::definition))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        commands::named(name).is_some()
    }
}

/// Why there is nothing to run.
pub(in crate::cli) enum NotRun {
    /// Help or version was asked for: what prints it.
    Help(Box<clap::Error>),
    /// What was asked makes no sense; a sentence.
    Wrong(String),
}

/// The command line with its help; the arguments of the process may choose the colours of the help.
pub(in crate::cli) fn definition(arguments: &[OsString]) -> clap::Command {
    let notes = |name: &str| commands::named(name).map_or(NOTES, |row| row.notes);
    help::dressed(Arguments::command(), notes, arguments)
}

/// Reads the arguments, the name of the program first.
pub(in crate::cli) fn parse(arguments: &[OsString]) -> Result<Arguments, NotRun> {
    let rewrite = commands::named_in(arguments).and_then(|row| row.rewrite);
    let rewritten = rewrite.map(|rewrite| rewrite(arguments, &takes_value));
    let arguments = rewritten.as_deref().unwrap_or(arguments);
    let matches = definition(arguments).try_get_matches_from(arguments);
    let parsed =
        matches.and_then(|matches| Arguments::from_arg_matches(&matches)).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => NotRun::Help(Box::new(error)),
            _ => NotRun::Wrong(wrong::sentence(&error)),
        })?;
    let is_forced = arguments.iter().any(|argument| argument == "--");
    let refused = if is_forced { None } else { refuse_misplaced(&parsed) };
    refused.map_or(Ok(parsed), |sentence| Err(NotRun::Wrong(sentence)))
}

/// A command after a filter, or a lone word one edit away from a command, was most likely meant to be it.
fn refuse_misplaced(parsed: &Arguments) -> Option<String> {
    let mut commands = COMMANDS.iter().map(|row| row.name);
    let words = &parsed.filter.filter;
    let (first, rest) = words.split_first().filter(|_| parsed.command.is_none())?;
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
        assert_eq!(parsed.filter.filter, ["state:listen", "or", "udp"]);
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for words in [["--source", "procfs", "list"], ["list", "--source", "procfs"]] {
            let parsed = arguments(&words).expect("valid");
            assert_eq!(parsed.command.map(|command| command.row.name), Some("list"));
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
