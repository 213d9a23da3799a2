//! How help is laid out: `-h` is short, `--help` has the examples first. Every command gets this from its one text,
//! `after_help`: the examples, an empty line, and what else there is to say.

use std::fmt::Write;

use clap::builder::styling::Style;
use clap::builder::{Resettable, StyledStr};
use clap::{Arg, ArgAction, ColorChoice, Command, CommandFactory};

use crate::cli::args::Arguments;

/// What stands over the examples of a command.
const HEADING: &str = "Examples:";
/// Examples come before everything but the sentence that says what the command is for.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";
/// The length of a line that is not wrapped by clap.
const WIDTH: usize = 80;
/// The end of the program's short help, before the names of the options.
const FILTER: &str = "Filter: state:close-wait rport:443 process:nginx 'age>60s'; see conntop columns";

/// What a command has to say beside its options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Notes {
    /// Lines, each a command and, after two spaces, what it is for.
    pub(in crate::cli) examples: Vec<String>,
    /// Paragraphs.
    pub(in crate::cli) others: Vec<String>,
}

impl Notes {
    /// The notes of a command of [`Arguments`].
    pub(in crate::cli) fn of(command: &Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut notes = Self::default();
        for paragraph in text.split("\n\n") {
            match paragraph.strip_prefix(HEADING) {
                Some(examples) => notes.examples.extend(examples.lines().skip(1).map(|line| line.trim().to_owned())),
                None if paragraph.trim().is_empty() => {}
                None => notes.others.push(paragraph.trim_end().to_owned()),
            }
        }
        notes
    }
}

/// The command line with its help; `words` are the arguments, which may choose the colours of the help.
pub(super) fn definition(words: &[std::ffi::OsString]) -> Command {
    let plain = Arguments::command();
    let header = *plain.get_styles().get_header();
    let names: Vec<String> = plain.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let options = options_of_every_command(&plain);
    let mut dressed = program(plain, &options, header);
    for name in names {
        dressed = dressed.mut_subcommand(name, |command| subcommand(command, header));
    }
    dressed.color(color(words))
}

/// `--color` counts for the help, too.
fn color(words: &[std::ffi::OsString]) -> ColorChoice {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let asked = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).copied(),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    match asked {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

fn program(command: Command, options: &[String], header: Style) -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let tail = format!(
        "{FILTER}\n{}\nconntop --help and conntop COMMAND --help have examples and the rest.",
        filled("Options:", options)
    );
    // Those of the program stand in no list of the short help: it has to fit on one screen.
    let is_long_only = |arg: &Arg| arg.is_positional() || arg.is_global_set() || arg.get_id() == "help";
    subcommand(command, header)
        .after_help(tail)
        .disable_version_flag(true)
        .arg(version.help("Print the version").help_heading(Resettable::Reset).hide_short_help(true))
        .mut_args(|arg| if is_long_only(&arg) { arg.hide_short_help(true) } else { arg })
}

fn subcommand(command: Command, header: Style) -> Command {
    let notes = Notes::of(&command);
    let mut examples = StyledStr::new();
    if !notes.examples.is_empty() {
        let _ = write!(examples, "{header}{HEADING}{header:#}\n  {}", notes.examples.join("\n  "));
    }
    let name = command.get_name().to_owned();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    command
        .help_template(TEMPLATE)
        .before_long_help(examples)
        .after_help(format!("conntop {name} --help has examples and the options of every command."))
        .after_long_help(notes.others.join("\n\n"))
        // Our own, because clap says where there is more only of its own texts.
        .disable_help_flag(true)
        .arg(help.help("Print help: -h in short, --help with examples").help_heading(Resettable::Reset))
}

/// The names of the options that every command has.
fn options_of_every_command(program: &Command) -> Vec<String> {
    let global = program.get_arguments().filter(|arg| arg.is_global_set() && !arg.is_hide_set());
    global.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()
}

/// `words` after `first`, in lines of [`WIDTH`].
fn filled(first: &str, words: &[String]) -> String {
    let (mut text, mut length) = (first.to_owned(), first.len());
    for word in words {
        let is_full = length + 1 + word.len() > WIDTH;
        text.push_str(if is_full { "\n  " } else { " " });
        length = if is_full { 2 } else { length + 1 } + word.len();
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::args::parse;
    use crate::cli::parse_filter;

    /// The words of a line for a shell, from `conntop` to the end of that command.
    fn words(line: &str) -> Vec<OsString> {
        let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
        for letter in line.chars() {
            match letter {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
                letter => word.push(letter),
            }
        }
        words.push(word);
        let from = words.iter().skip_while(|word| !word.ends_with("conntop"));
        let command = from.take_while(|word| !["|", ">", ">>", "&&"].contains(&word.as_str()));
        command.map(|word| OsString::from(word.trim_start_matches("<(").trim_end_matches(')'))).collect()
    }

    #[test]
    fn every_example_is_right() {
        let program = Arguments::command();
        for command in std::iter::once(&program).chain(program.get_subcommands()) {
            for line in Notes::of(command).examples {
                let words = words(line.split("  ").next().unwrap_or_default());
                let parsed = parse(&words);
                assert!(parsed.is_ok(), "{line}: {words:?}");
                // Options as topics are not clap's.
                let Ok(matches) = definition(&[]).try_get_matches_from(&words) else { continue };
                let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
                if let Ok(Some(filter)) = matches.try_get_many::<String>("filter") {
                    let filter: Vec<&str> = filter.map(String::as_str).collect();
                    assert!(parse_filter(&filter.join(" ")).is_ok(), "{line}");
                }
            }
        }
    }

    #[test]
    fn notes_are_examples_and_paragraphs() {
        let command = Command::new("x").after_help("Examples:\n  x a    b\n  x c\n\nOne\ntwo.\n\nThree:\n  four\n");
        let notes = Notes::of(&command);
        assert_eq!(notes.examples, ["x a    b", "x c"]);
        assert_eq!(notes.others, ["One\ntwo.", "Three:\n  four"]);
        assert_eq!(Notes::of(&Command::new("y")), Notes::default());
    }
}
