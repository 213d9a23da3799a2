//! `conntop completions`: what a shell may offer after `conntop`. The values of an option are those that its parser knows,
//! so that an option of tomorrow is completed as well.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, Args, Command, CommandFactory, ValueHint};
use clap_complete::{Generator, Shell};

use crate::cli::Failure;
use crate::cli::args::Arguments;
use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::output::{cannot_write, print};
use crate::cli::values::{NameError, NameParser};
use crate::report::format::Format;

const PROGRAM: &str = "conntop";

/// The shells there are completions for. Those for other shells that `clap_complete` knows were never tried.
const SHELLS: [ShellRow; 4] = [
    ShellRow { name: "bash", shell: Shell::Bash },
    ShellRow { name: "zsh", shell: Shell::Zsh },
    ShellRow { name: "fish", shell: Shell::Fish },
    ShellRow { name: "powershell", shell: Shell::PowerShell },
];

/// A shell, as it is called on the command line.
struct ShellRow {
    name: &'static str,
    shell: Shell,
}

/// A shell, by its name in any case.
const SHELL: NameParser<Shell> = NameParser {
    names: || SHELLS.iter().map(|row| row.name.to_owned()).collect(),
    parse: |name| {
        let row = SHELLS.iter().find(|row| row.name.eq_ignore_ascii_case(name));
        row.map(|row| row.shell).ok_or(NameError::Unknown)
    },
    listed: None,
};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct CompletionsCommand {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = SHELL)]
    shell: Shell,
}

impl CliCommand for CompletionsCommand {
    const NAME: &'static str = "completions";
    const ABOUT: &'static str = "Print the completions for a shell";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("source <(conntop completions bash)", "for this bash"),
            example("conntop completions bash > ~/.local/share/bash-completion/completions/conntop", ""),
            example("conntop completions zsh > ~/.zfunc/_conntop", ""),
            example("conntop completions fish > ~/.config/fish/completions/conntop.fish", ""),
            example("conntop completions powershell >> $PROFILE", ""),
        ],
        paragraphs: &["\
The first example, written into ~/.bashrc, is for every bash. zsh needs the
folder in its fpath before compinit: fpath+=~/.zfunc. After an update of conntop
write the files again."],
        exits: EXITS,
    };

    fn run(&self, _: &GlobalOptions) -> Result<ExitCode, Failure> {
        let script = script(self.shell).map_err(|error| cannot_write(&error))?;
        print(Format::Text, |out| out.write_all(&script))
    }
}

fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let mut command = definition();
    command.set_bin_name(PROGRAM);
    command.build();
    let mut script = Vec::new();
    shell.try_generate(&command, &mut script)?;
    Ok(if shell == Shell::Bash { with_lists(&script, &command) } else { script })
}

/// The command line as a shell is to know it: without what is hidden.
fn definition() -> Command {
    let plain = Arguments::command();
    let commands = plain.get_subcommands().map(shown);
    shown(&plain).version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true).subcommands(commands)
}

fn shown(command: &Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    Command::new(command.get_name().to_owned()).about(about).args(args.map(|arg| with_hint(arg.clone())))
}

/// A shell offers files for what it knows nothing of: only a path gets them.
fn with_hint(arg: Arg) -> Arg {
    let takes_path = arg.get_value_parser().type_id() == clap::builder::ValueParser::path_buf().type_id();
    let takes_folder = arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "DIR"));
    match (takes_path, takes_folder) {
        (true, true) => arg.value_hint(ValueHint::DirPath),
        (true, false) => arg.value_hint(ValueHint::FilePath),
        (false, _) if arg.get_possible_values().is_empty() => arg.value_hint(ValueHint::Other),
        (false, _) => arg,
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
                let is_free = arg.get_value_hint() != ValueHint::Unknown;
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
