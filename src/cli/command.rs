//! What a subcommand is. Each has one file, which implements [`CliCommand`], and one row of the table
//! [`COMMANDS`](crate::cli::commands::COMMANDS). Arguments, help, manual page, completions, the check of `--read-only` and
//! exit codes follow from these.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, Args};

use crate::cli::global::GlobalOptions;
use crate::cli::{Failure, wrong};

/// A subcommand; its fields are its arguments.
pub(in crate::cli) trait CliCommand: Args {
    /// The word on the command line.
    const NAME: &'static str;
    /// What it does, in one line of the list of commands.
    const ABOUT: &'static str;
    /// What its help says beside the arguments.
    const NOTES: CommandNotes;
    /// How it ends when it fails; `None` as the other commands do.
    const ON_FAILURE: Option<FailureExit> = None;
    /// Rewrites the arguments of the process before clap reads them; `None` for none.
    const REWRITE: Option<ArgumentRewriter> = None;

    /// Whether it signals processes or closes sockets, which `--read-only` forbids.
    fn changes_machine(&self) -> bool {
        false
    }

    /// Does it.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure>;
}

/// Reports the sentence of a failure beyond stderr, and gives the exit code. The second parameter is the arguments of the
/// process.
pub(in crate::cli) type FailureExit = fn(&str, &[OsString]) -> ExitCode;

/// Gives the arguments of the process in another form. The second parameter says whether an option of every command takes
/// a value.
pub(in crate::cli) type ArgumentRewriter = fn(&[OsString], &dyn Fn(&str) -> bool) -> Vec<OsString>;

/// What help and manual page of a command say beside its arguments.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct CommandNotes {
    /// Command lines to copy.
    pub(in crate::cli) examples: &'static [CommandExample],
    /// What else there is to know. A line that is indented is printed as it is.
    pub(in crate::cli) paragraphs: &'static [&'static str],
    /// What each exit code means.
    pub(in crate::cli) exits: &'static [ExitMeaning],
}

/// A command line to copy.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct CommandExample {
    /// The command line, for a shell.
    pub(in crate::cli) line: &'static str,
    /// What it is for; may be empty.
    pub(in crate::cli) about: &'static str,
}

/// A row of the examples of a command.
pub(in crate::cli) const fn example(line: &'static str, about: &'static str) -> CommandExample {
    CommandExample { line, about }
}

/// What an exit code means.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct ExitMeaning {
    /// The exit code.
    pub(in crate::cli) code: u8,
    /// When the command ends with it.
    pub(in crate::cli) meaning: &'static str,
}

/// A row of the exit codes of a command.
pub(in crate::cli) const fn exit(code: u8, meaning: &'static str) -> ExitMeaning {
    ExitMeaning { code, meaning }
}

/// The exit codes of most commands.
pub(in crate::cli) const EXITS: &[ExitMeaning] = &[
    exit(0, "done"),
    exit(1, "failed; a sentence on stderr says why and what to do next"),
    exit(2, "wrong use; a sentence on stderr says what to write instead"),
];

/// One subcommand.
#[derive(Debug)]
pub(in crate::cli) struct CommandRow {
    /// The word on the command line.
    pub(in crate::cli) name: &'static str,
    /// What help and manual page say of it.
    pub(in crate::cli) notes: CommandNotes,
    /// How it ends when it fails, if not as the others do.
    pub(in crate::cli) on_failure: Option<FailureExit>,
    /// How the arguments are changed before they are read.
    pub(in crate::cli) rewrite: Option<ArgumentRewriter>,
    about: &'static str,
    augment: fn(clap::Command) -> clap::Command,
    run: fn(&ArgMatches, &GlobalOptions) -> Result<ExitCode, Failure>,
}

impl CommandRow {
    /// The row of the command `C`.
    pub(in crate::cli) const fn of<C: CliCommand>() -> Self {
        Self {
            name: C::NAME,
            notes: C::NOTES,
            on_failure: C::ON_FAILURE,
            rewrite: C::REWRITE,
            about: C::ABOUT,
            augment: C::augment_args,
            run: run::<C>,
        }
    }

    /// The command as clap knows it.
    pub(in crate::cli) fn definition(&self) -> clap::Command {
        (self.augment)(clap::Command::new(self.name)).about(self.about)
    }

    /// Does what `matches` ask for.
    pub(in crate::cli) fn run(&self, matches: &ArgMatches, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        (self.run)(matches, global)
    }
}

fn run<C: CliCommand>(matches: &ArgMatches, global: &GlobalOptions) -> Result<ExitCode, Failure> {
    let command = C::from_arg_matches(matches).map_err(|error| Failure::Usage(wrong::sentence(&error)))?;
    if command.changes_machine() && global.settings()?.shared.read_only {
        return Err(Failure::Usage(format!(
            "--read-only forbids conntop {}; leave it out, or add --dry-run to see what would be done",
            C::NAME
        )));
    }
    command.run(global)
}
