//! One manual page: what clap knows of a command, and the sections that man-pages(7) asks for beside it.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::command::{CommandExample, CommandNotes, CommandRow};

/// The first line of every page: who made it.
pub(super) const MARK: &str = ".\\\" Made by conntop man: a newer conntop replaces it.\n";

/// How a signal ends every command.
const SIGNAL_EXIT: &str =
    "A signal of number n ended it: 130 after Ctrl-C, 143 after SIGTERM, where the command does not say otherwise.";
const ENVIRONMENT: [(&str, &str); 6] = [
    ("NO_COLOR", "If it is set and not empty, no colours are used unless --color always asks for them."),
    (
        "TERM",
        "If it is dumb, no colours are used unless --color always asks for them, and the list stands for the screen.",
    ),
    (
        "COLORTERM",
        "If it is truecolor or 24bit, themes have their own colours; else the nearest of 256, or the terminal's sixteen, as TERM has.",
    ),
    ("LC_ALL, LC_CTYPE, LANG", "If the first that is set is not of UTF-8, the screen is drawn with ASCII only."),
    ("XDG_CONFIG_HOME, HOME", "Where the config file is looked for; a relative path counts as none."),
    ("COLUMNS", "The width of help that is not printed on a terminal."),
];
const FILES: [(&str, &str); 3] = [
    (
        "$XDG_CONFIG_HOME/conntop/config.toml, ~/.config/conntop/config.toml",
        "Settings, read if the file exists; --config names another one. conntop explain config shows all of them.",
    ),
    (
        "$XDG_CONFIG_HOME/conntop/themes/NAME.toml, ~/.config/conntop/themes/NAME.toml",
        "Themes of your own; --theme NAME takes one. conntop explain themes says what goes in.",
    ),
    ("/etc/services", "Names of services beyond those that conntop knows by itself."),
];
/// Programs that show parts of the same.
const SEE_ALSO: [&str; 4] = ["ss(8)", "ip(8)", "lsof(8)", "netstat(8)"];

/// One page.
pub(super) struct ManPage {
    name: String,
    command: Command,
    notes: CommandNotes,
    /// The other pages.
    others: Vec<String>,
}

impl ManPage {
    /// conntop(1); `program` is built.
    pub(super) fn of_program(program: &Command, notes: CommandNotes) -> Self {
        let others = program.get_subcommands().map(|command| page_name(command.get_name())).collect();
        Self { name: program.get_name().to_owned(), command: program.clone(), notes, others }
    }

    /// The page of one of its commands.
    pub(super) fn of_command(program: &Command, row: &CommandRow) -> Self {
        let siblings = program.get_subcommands().map(Command::get_name).filter(|name| *name != row.name);
        let others = std::iter::once(program.get_name().to_owned()).chain(siblings.map(page_name)).collect();
        let command = program.find_subcommand(row.name).cloned().unwrap_or_else(|| row.definition());
        // The options that every command has are in conntop(1).
        let own = command.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
        Self { name: page_name(row.name), command: own, notes: row.notes, others }
    }

    /// The name of its file.
    pub(super) fn file(&self) -> String {
        format!("{}.1", self.name)
    }

    /// Its source.
    pub(super) fn text(&self) -> Vec<u8> {
        let source = concat!("conntop ", env!("CARGO_PKG_VERSION"));
        // A day would change with every build; an empty one would be dropped, and the rest take its place.
        let man =
            Man::new(self.command.clone()).title(self.name.to_uppercase()).date(" ").source(source).manual("conntop");
        let mut text = MARK.as_bytes().to_vec();
        let preamble = Roff::new().render();
        let mut add = |part: &dyn Fn(&mut dyn std::io::Write) -> std::io::Result<()>| {
            let mut rendered = Vec::new();
            part(&mut rendered).expect("a vector takes all");
            // It says once what an apostrophe is.
            let is_first = text.len() == MARK.len();
            text.extend_from_slice(if is_first { &rendered } else { &rendered[preamble.len()..] });
        };
        add(&|out| man.render_title(out));
        add(&|out| man.render_name_section(out));
        add(&|out| self.synopsis().to_writer(out));
        add(&|out| man.render_description_section(out));
        if self.command.has_subcommands() {
            add(&|out| self.commands().to_writer(out));
        }
        add(&|out| man.render_options_section(out));
        add(&|out| self.rest().to_writer(out));
        text
    }

    fn synopsis(&self) -> Roff {
        let usage = self.command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let name = self.command.get_bin_name().unwrap_or(&self.name);
        let mut roff = Roff::new();
        roff.control("SH", ["SYNOPSIS"]);
        roff.text([bold(name), roman(usage.strip_prefix(name).unwrap_or(usage))]);
        roff
    }

    fn commands(&self) -> Roff {
        let mut roff = Roff::new();
        roff.control("SH", ["COMMANDS"]);
        for command in self.command.get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            entry(&mut roff, &format!("{}(1)", page_name(command.get_name())), &about);
        }
        roff
    }

    /// The sections after the options, in the order of man-pages(7).
    fn rest(&self) -> Roff {
        let mut roff = Roff::new();
        if !self.command.has_subcommands() {
            paragraph(&mut roff, "The options of every command are in conntop(1).");
        }
        roff.control("SH", ["EXIT STATUS"]);
        for exit in self.notes.exits {
            entry(&mut roff, &exit.code.to_string(), &sentence(exit.meaning));
        }
        entry(&mut roff, "128+n", SIGNAL_EXIT);
        for (title, table) in [("ENVIRONMENT", &ENVIRONMENT[..]), ("FILES", &FILES)] {
            roff.control("SH", [title]);
            for (name, about) in table {
                entry(&mut roff, name, about);
            }
        }
        if !self.notes.paragraphs.is_empty() {
            roff.control("SH", ["NOTES"]);
            for text in self.notes.paragraphs {
                paragraph(&mut roff, text);
            }
        }
        roff.control("SH", ["EXAMPLES"]);
        for example in self.notes.examples {
            example_entry(&mut roff, example);
        }
        roff.control("SH", ["SEE ALSO"]);
        let pages: Vec<String> = self.others.iter().map(|name| format!("{name}(1)")).collect();
        let others = SEE_ALSO.iter().map(|name| (*name).to_owned());
        roff.text([roman(pages.into_iter().chain(others).collect::<Vec<_>>().join(", "))]);
        roff
    }
}

fn page_name(command: &str) -> String {
    format!("conntop-{command}")
}

/// `clause` with a capital and a full stop.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    format!("{}{}.", first.map(String::from).unwrap_or_default(), letters.as_str())
}

fn entry(roff: &mut Roff, name: &str, about: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(about)]);
}

/// A command line, and what it is for.
fn example_entry(roff: &mut Roff, example: &CommandExample) {
    let CommandExample { line, about } = *example;
    // A tag without a body would be joined with the next one.
    roff.control(if about.is_empty() { "PP" } else { "TP" }, []);
    roff.text([bold(line)]);
    if !about.is_empty() {
        roff.text([roman(about)]);
    }
}

/// Text that is filled; lines that are indented stay as they are.
fn paragraph(roff: &mut Roff, text: &str) {
    roff.control("PP", []);
    let mut is_literal = false;
    for line in text.lines() {
        let is_indented = line.starts_with("  ");
        if is_indented != is_literal {
            roff.control(if is_indented { "nf" } else { "fi" }, []);
        }
        is_literal = is_indented;
        roff.text([roman(line)]);
    }
    if is_literal {
        roff.control("fi", []);
    }
}
