//! `conntop completions`: what a shell may offer after `conntop`. Which values an option takes follows from the name of
//! its value, so that an option of tomorrow is completed as well.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::{Generator, Shell};

use crate::cli::Failure;
use crate::cli::args::{Arguments, CompletionsArguments, SHELLS};
use crate::cli::global::SOURCES;
use crate::cli::output::{cannot_write, print};
use crate::diagnosis::rule::Rule;
use crate::knowledge::topics;
use crate::model::action::SIGNALS;
use crate::model::tcp_state::STATES;
use crate::report::format::Format;
use crate::report::netstat::protocol::PROTOCOLS;
use crate::report::ports::FAIL_ON;
use crate::table::connections::COLUMNS;

const NAME: &str = "conntop";

/// Prints the completions for a shell.
pub(super) fn run(options: &CompletionsArguments) -> Result<ExitCode, Failure> {
    let script = script(options.shell()?).map_err(|error| cannot_write(&error))?;
    print(Format::Text, |out| out.write_all(&script))
}

fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let mut command = definition();
    command.set_bin_name(NAME);
    command.build();
    let mut script = Vec::new();
    shell.try_generate(&command, &mut script)?;
    Ok(if shell == Shell::Bash { with_lists(&script, &command) } else { script })
}

/// The command line as a shell is to know it: with the values of options, without what is hidden.
fn definition() -> Command {
    let plain = Arguments::command();
    let names: Vec<&str> = plain.get_subcommands().map(Command::get_name).collect();
    let commands = plain.get_subcommands().map(|command| shown(command, &names));
    shown(&plain, &names).version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true).subcommands(commands)
}

fn shown(command: &Command, commands: &[&str]) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    Command::new(command.get_name().to_owned()).about(about).args(args.map(|arg| with_values(arg.clone(), commands)))
}

fn with_values(arg: Arg, commands: &[&str]) -> Arg {
    let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    match name.as_str() {
        "COMMAND" => arg.value_parser(PossibleValuesParser::new(commands.iter().map(|name| (*name).to_owned()))),
        "DIR" => arg.value_hint(ValueHint::DirPath),
        // A filter, a number, a time: there is nothing to offer, least of all files.
        "FILTER" | "N" | "SECONDS" => arg.value_hint(ValueHint::Other),
        name => match values(name) {
            values if values.is_empty() => arg,
            values => arg.value_parser(PossibleValuesParser::new(values)),
        },
    }
}

/// What can stand for a value of this name; nothing if nobody knows.
fn values(name: &str) -> Vec<String> {
    let own = |names: &mut dyn Iterator<Item = &'static str>| names.map(str::to_owned).collect();
    let rules = || Rule::ALL.iter().map(|rule| rule.id());
    match name {
        "A,B" | "COL,COL" | "COL" | "[-]COL" => own(&mut COLUMNS.iter().map(|column| column.key)),
        "PROTO" => own(&mut PROTOCOLS.iter().map(|row| row.name)),
        "RULE[:WHERE]" => own(&mut rules()),
        "RULE|SEVERITY" => own(&mut rules().chain(["warning", "critical"])),
        "SHELL" => own(&mut SHELLS.iter().map(|(name, _)| *name)),
        "SIGNAL" => own(&mut SIGNALS.iter().map(|row| row.name)),
        "SOURCE" => own(&mut SOURCES.iter().copied()),
        "TOPIC" => {
            let topics = topics::all().iter().map(|topic| topic.id.clone());
            let states = STATES.iter().map(|row| topics::normal(row.label));
            states.chain(rules().map(str::to_owned)).chain(topics).collect()
        }
        "WHAT" => own(&mut FAIL_ON.iter().map(|(name, _)| *name)),
        _ => Vec::new(),
    }
}

/// `script` for bash, in which the last word of a list with commas is completed, too.
fn with_lists(script: &[u8], command: &Command) -> Vec<u8> {
    let mut script = String::from_utf8_lossy(script).into_owned();
    let all = std::iter::once(command).chain(command.get_subcommands());
    for arg in all.flat_map(Command::get_arguments).filter(|arg| arg.get_value_delimiter() == Some(',')) {
        let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if let (Some(long), false) = (arg.get_long(), values.is_empty()) {
            let words = values.join(" ");
            let one = format!("--{long})\n                    COMPREPLY=($(compgen -W \"{words}\" -- \"${{cur}}\"))");
            let list = format!(
                "--{long})\n                    local head=\"\"\n                    \
                 [[ ${{cur}} == *,* ]] && head=\"${{cur%,*}},\"\n                    \
                 COMPREPLY=($(compgen -P \"${{head}}\" -W \"{words}\" -- \"${{cur##*,}}\"))"
            );
            script = script.replace(&one, &list);
        }
    }
    script.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_with_a_value_completes_it_or_says_why_not() {
        let definition = definition();
        for command in std::iter::once(&definition).chain(definition.get_subcommands()) {
            for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let is_free = arg.get_value_hint() != ValueHint::Unknown
                    || arg.get_value_names().is_some_and(|names| names[0] == "INTERVAL | FILTER");
                let offers = arg.get_possible_values().len();
                assert!(is_free || offers > 1, "{} {}: {:?}", command.get_name(), arg.get_id(), arg.get_value_names());
            }
        }
    }

    #[test]
    fn lists_are_completed_in_bash() {
        let script = String::from_utf8(script(Shell::Bash).expect("it is generated")).expect("UTF-8");
        let lists = definition()
            .get_subcommands()
            .flat_map(|command| command.get_arguments().cloned().collect::<Vec<_>>())
            .filter(|arg| arg.get_value_delimiter() == Some(','))
            .count();
        assert_eq!(script.matches("${cur##*,}").count(), lists, "clap_complete writes something else now");
        assert!(lists > 2);
    }
}
