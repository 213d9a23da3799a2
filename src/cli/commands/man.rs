//! `conntop man`: the manual pages, made from the definition of the command line.

mod page;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};

use crate::cli::args::{self, Arguments};
use crate::cli::command::{CliCommand, CommandNotes, CommandRow, EXITS, example};
use crate::cli::commands::man::page::{MARK, ManPage};
use crate::cli::commands::{COMMANDS, named};
use crate::cli::global::GlobalOptions;
use crate::cli::output::{self, print};
use crate::cli::values::{NameError, NameParser};
use crate::cli::{Failure, say};
use crate::report::format::Format;
use crate::source::guarded;

/// A subcommand, by its name.
const COMMAND: NameParser<&'static CommandRow> = NameParser {
    names: || COMMANDS.iter().map(|row| row.name.to_owned()).collect(),
    parse: |name| named(name).ok_or(NameError::Unknown),
    listed: Some("conntop -h lists the commands"),
};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct ManCommand {
    /// The command to print the page of; without it conntop(1)
    #[arg(value_name = "COMMAND", value_parser = COMMAND, hide_possible_values = true)]
    command: Option<&'static CommandRow>,
    /// Write the pages of all commands into this folder: conntop.1, conntop-list.1, and so on
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

impl CliCommand for ManCommand {
    const NAME: &'static str = "man";
    const ABOUT: &'static str = "Print the manual page of conntop, or of one of its commands";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop man | man -l -", "read conntop(1)"),
            example("conntop man list | man -l -", "read conntop-list(1)"),
            example("conntop man --dir ~/.local/share/man/man1", "install all of them"),
            example("sudo conntop man --dir /usr/local/share/man/man1", "for everybody"),
        ],
        paragraphs: &["\
The folder must exist. Pages that conntop has made are replaced, so the same
command can be run again after an update. A file of that name that conntop has
not made is left alone."],
        exits: EXITS,
    };

    /// Prints a page, or writes all of them.
    fn run(&self, _: &GlobalOptions) -> Result<ExitCode, Failure> {
        let mut program = Arguments::command();
        program.build();
        if let Some(dir) = &self.dir {
            return write_all(&program, dir);
        }
        let page = match self.command {
            None => ManPage::of_program(&program, args::NOTES),
            Some(row) => ManPage::of_command(&program, row),
        };
        if output::is_terminal() {
            say("this is the source of the page; to read it: conntop man | man -l -");
        }
        print(Format::Text, |out| out.write_all(&page.text()))
    }
}

/// Writes the pages of all commands. What stands there already is replaced only if conntop has made it.
fn write_all(program: &Command, dir: &Path) -> Result<ExitCode, Failure> {
    if !dir.is_dir() {
        let dir = dir.display();
        return Err(Failure::Failed(format!("there is no folder {dir}; make it first: mkdir -p {dir}")));
    }
    let commands = COMMANDS.iter().map(|row| ManPage::of_command(program, row));
    let pages: Vec<ManPage> = std::iter::once(ManPage::of_program(program, args::NOTES)).chain(commands).collect();
    if let Some(path) = pages.iter().map(|page| dir.join(page.file())).find(|path| !may_be_replaced(path)) {
        return Err(Failure::Failed(format!("{0} is not made by conntop; move it away first", path.display())));
    }
    for page in &pages {
        let path = dir.join(page.file());
        replace(&path, &page.text()).map_err(|error| {
            Failure::Failed(format!("cannot write {}: {error}; choose another folder", path.display()))
        })?;
    }
    say(&format!("{} manual pages written to {}", pages.len(), dir.display()));
    Ok(ExitCode::SUCCESS)
}

/// Whether there is nothing, or a page of an earlier conntop.
fn may_be_replaced(path: &Path) -> bool {
    let Ok(facts) = fs::symlink_metadata(path) else { return true };
    let mut start = vec![0; MARK.len()];
    facts.is_file()
        && guarded::open(path).is_ok_and(|(mut file, _)| file.read_exact(&mut start).is_ok())
        && start == MARK.as_bytes()
}

/// Whoever reads `path` meanwhile sees the old page or the new one, whole.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("1.{}", std::process::id()));
    let written =
        File::create_new(&new).and_then(|mut file| file.write_all(text)).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
