//! `conntop man`: the manual pages, made from the definition of the command line.

mod page;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};

use crate::cli::args::{Arguments, ManArguments};
use crate::cli::man::page::{MARK, ManPage};
use crate::cli::output::{self, print};
use crate::cli::{Failure, say};
use crate::report::format::Format;
use crate::source::guarded;
use crate::table::suggest;

/// Prints a page, or writes all of them.
pub(super) fn run(options: &ManArguments) -> Result<ExitCode, Failure> {
    let mut command = Arguments::command();
    command.build();
    if let Some(dir) = &options.dir {
        return write_all(&command, dir);
    }
    let page = match &options.command {
        None => ManPage::of_program(&command),
        Some(name) => ManPage::of_command(&command, find(&command, name)?),
    };
    if output::is_terminal() {
        say("this is the source of the page; to read it: conntop man | man -l -");
    }
    print(Format::Text, |out| out.write_all(&page.text()))
}

fn find<'c>(program: &'c Command, name: &str) -> Result<&'c Command, Failure> {
    program.find_subcommand(name).ok_or_else(|| {
        let names = program.get_subcommands().map(Command::get_name);
        let hint = suggest::hint(name, names, "conntop -h lists the commands");
        Failure::Usage(format!("there is no command '{name}'; {hint}"))
    })
}

/// Writes the pages of all commands. What stands there already is replaced only if conntop has made it.
fn write_all(program: &Command, dir: &Path) -> Result<ExitCode, Failure> {
    if !dir.is_dir() {
        let dir = dir.display();
        return Err(Failure::Failed(format!("there is no folder {dir}; make it first: mkdir -p {dir}")));
    }
    let commands = program.get_subcommands().map(|command| ManPage::of_command(program, command));
    let pages: Vec<ManPage> = std::iter::once(ManPage::of_program(program)).chain(commands).collect();
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
