//! How help is laid out: `-h` is short, `--help` has the examples first. Every command gets this from its
//! [`CommandNotes`].

use std::fmt::Write;

use clap::builder::styling::Style;
use clap::builder::{Resettable, StyledStr};
use clap::{Arg, ArgAction, ColorChoice, Command};

use crate::cli::command::{CommandExample, CommandNotes};

/// What stands over the examples of a command.
const HEADING: &str = "Examples:";
/// Examples come before everything but the sentence that says what the command is for.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";
/// The length of a line that is not wrapped by clap.
const WIDTH: usize = 80;
/// The end of the program's short help, before the names of the options.
const FILTER: &str = "Filter: state:close-wait rport:443 process:nginx 'age>60s'; see conntop columns";
/// The short help of the program names so many options: one line of them, because the commands need the rest of the screen.
const OPTIONS_SHOWN: usize = 4;

/// A command line longer than this has its explanation right behind it, not in the column of the others.
const EXAMPLE_LEN_MAX: usize = 49;
/// The blanks between a command line and what it is for.
const GAP: &str = "   ";

/// `program` with its help; `notes` are those of the program and, by name, of its commands. `words` are the arguments,
/// which may choose the colours of the help.
pub(in crate::cli) fn dressed(
    program: Command,
    notes: impl Fn(&str) -> CommandNotes,
    words: &[std::ffi::OsString],
) -> Command {
    let header = *program.get_styles().get_header();
    let names: Vec<String> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let options = options_of_every_command(&program);
    let own = notes(program.get_name());
    let mut dressed = with_program_help(program, own, &options, header);
    for name in names {
        let own = notes(&name);
        dressed = dressed.mut_subcommand(name, |command| with_help(command, own, header));
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

fn with_program_help(command: Command, notes: CommandNotes, options: &[String], header: Style) -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let more = "and what conntop --help lists".split(' ').map(str::to_owned);
    let options: Vec<String> = options.iter().take(OPTIONS_SHOWN).cloned().chain(more).collect();
    let tail = format!("{FILTER}\n{}", filled("Options:", &options, 2));
    // Those of the program stand in no list of the short help: it has to fit on one screen.
    let is_long_only = |arg: &Arg| arg.is_positional() || arg.is_global_set() || arg.get_id() == "help";
    with_help(command, notes, header)
        .after_help(tail)
        .disable_version_flag(true)
        .arg(version.help("Print the version").help_heading(Resettable::Reset).hide_short_help(true))
        .mut_args(|arg| if is_long_only(&arg) { arg.hide_short_help(true) } else { arg })
}

fn with_help(command: Command, notes: CommandNotes, header: Style) -> Command {
    let mut before = StyledStr::new();
    let _ = write!(before, "{header}{HEADING}{header:#}\n{}", examples(notes.examples));
    let name = command.get_name().to_owned();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    command
        .help_template(TEMPLATE)
        .before_long_help(before)
        .after_help(format!("conntop {name} --help has examples and the options of every command."))
        .after_long_help(after(notes))
        // Our own, because clap says where there is more only of its own texts.
        .disable_help_flag(true)
        .arg(help.help("Print help: -h in short, --help with examples").help_heading(Resettable::Reset))
}

/// One example a line, with what each is for in a column of its own.
fn examples(examples: &[CommandExample]) -> String {
    let explained = examples.iter().filter(|example| !example.about.is_empty()).map(|example| example.line.len());
    let width = explained.filter(|len| *len <= EXAMPLE_LEN_MAX).max().unwrap_or_default();
    let line = |CommandExample { line, about }: &CommandExample| {
        if about.is_empty() { format!("  {line}") } else { format!("  {line:width$}{GAP}{about}") }
    };
    examples.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What stands behind the arguments.
fn after(notes: CommandNotes) -> String {
    let mut exits = "Exit codes:".to_owned();
    for exit in notes.exits {
        let words: Vec<String> = exit.meaning.split(' ').map(str::to_owned).collect();
        let _ = write!(exits, "\n{}", filled(&format!("  {} ", exit.code), &words, 5));
    }
    notes.paragraphs.iter().copied().chain([exits.as_str()]).collect::<Vec<_>>().join("\n\n")
}

/// The names of the options that every command has.
fn options_of_every_command(program: &Command) -> Vec<String> {
    let global = program.get_arguments().filter(|arg| arg.is_global_set() && !arg.is_hide_set());
    global.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()
}

/// `words` after `first`, in lines of [`WIDTH`]; those after the first begin with `indent` blanks.
fn filled(first: &str, words: &[String], indent: usize) -> String {
    let (mut text, mut length) = (first.to_owned(), first.len());
    for word in words {
        let is_full = length + 1 + word.len() > WIDTH;
        let blanks = if is_full { indent } else { 1 };
        if is_full {
            text.push('\n');
        }
        length = if is_full { 0 } else { length } + blanks + word.len();
        text.extend(std::iter::repeat_n(' ', blanks));
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::args::{self, parse};
    use crate::cli::command::example;
    use crate::cli::commands::COMMANDS;
    use crate::cli::parse_filter;

    /// The words of a line for a shell, from `conntop` to the end of that command; `<(...)` is the name of a pipe.
    fn words(line: &str) -> Vec<OsString> {
        let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
        for letter in line.chars() {
            match letter {
                '\'' => is_quoted = !is_quoted,
                '(' if word == "<" => is_quoted = true,
                ')' if word.starts_with("<(") => {
                    word = "/dev/fd/63".to_owned();
                    is_quoted = false;
                    continue;
                }
                _ => {}
            }
            match letter {
                '\'' => {}
                ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
                letter => word.push(letter),
            }
        }
        words.push(word);
        let from = words.iter().skip_while(|word| !word.ends_with("conntop"));
        let command = from.take_while(|word| !["|", ">", ">>", "&&"].contains(&word.as_str()));
        command.map(|word| OsString::from(word.trim_end_matches(')'))).collect()
    }

    #[test]
    fn every_example_is_right() {
        let of_commands = COMMANDS.iter().flat_map(|row| row.notes.examples);
        for CommandExample { line, .. } in args::NOTES.examples.iter().chain(of_commands) {
            let words = words(line);
            let parsed = parse(&words);
            assert!(parsed.is_ok(), "{line}: {words:?}");
            // Options as topics are not clap's.
            let Ok(matches) = args::definition(&[]).try_get_matches_from(&words) else { continue };
            let matches = matches.subcommand().map_or(&matches, |(_, matches)| matches);
            if let Ok(Some(filter)) = matches.try_get_many::<String>("filter") {
                let filter: Vec<&str> = filter.map(String::as_str).collect();
                assert!(parse_filter(&filter.join(" ")).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn examples_and_exit_codes_fit_a_narrow_screen() {
        for notes in COMMANDS.iter().map(|row| row.notes).chain([args::NOTES]) {
            let text = format!("{}\n{}", examples(notes.examples), after(notes));
            let long: Vec<_> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
            assert!(long.is_empty(), "{long:#?}");
        }
    }

    #[test]
    fn what_examples_are_for_stands_in_one_column() {
        let long = "x with more arguments than fit into the column of the others";
        let rows =
            [example("x a", "b"), example("x cd", "e"), example("x f", ""), CommandExample { line: long, about: "g" }];
        assert_eq!(examples(&rows), format!("  x a    b\n  x cd   e\n  x f\n  {long}   g"));
    }
}
