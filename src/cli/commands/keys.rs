//! `conntop keys`: the key table of the screen, as the help shows it.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::app::keymap::remap::Keymap;
use crate::app::keymap::{SECTIONS, section};
use crate::cli::Failure;
use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::FormatOption;
use crate::cli::output::print;
use crate::report::format::DocumentFormat;
use crate::report::format::json::SCHEMA;
use crate::report::format::text::{self, TextHeading};
use crate::table::column::Align;

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct KeysCommand {
    #[command(flatten)]
    output: FormatOption<DocumentFormat>,
}

impl CliCommand for KeysCommand {
    const NAME: &'static str = "keys";
    const ABOUT: &'static str = "Print what each key of the screen does";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop keys", "what each key of the screen does"),
            example("conntop keys --format json", "for scripts, with the names for [keys]"),
        ],
        paragraphs: &["\
On the screen ? shows the same. Section [keys] of the configuration changes
keys; conntop explain config shows how."],
        exits: EXITS,
    };

    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let (format, settings) = (self.output.format, global.settings()?);
        print(format, |out| write(format, &settings.shared.keymap, out))
    }
}

#[derive(Serialize)]
struct KeyTable {
    schema: u32,
    keys: Vec<KeyRow>,
}

#[derive(Serialize)]
struct KeyRow {
    r#where: &'static str,
    keys: Vec<String>,
    action: &'static str,
    name: &'static str,
    help: &'static str,
}

/// Writes every key once, under where it works; as text or as one JSON object.
fn write(format: DocumentFormat, keymap: &Keymap, out: &mut impl Write) -> io::Result<()> {
    let bindings = SECTIONS.iter().enumerate().flat_map(|(index, (title, _))| {
        section(index).map(|binding| KeyRow {
            r#where: title,
            keys: keymap.keys(binding).iter().map(ToString::to_string).collect(),
            action: binding.action,
            name: binding.name,
            help: binding.help,
        })
    });
    match format {
        DocumentFormat::Json => {
            serde_json::to_writer(&mut *out, &KeyTable { schema: SCHEMA, keys: bindings.collect() })?;
            writeln!(out)
        }
        DocumentFormat::Text => {
            let headings = ["WHERE", "KEYS", "NAME", "HELP"].map(|title| TextHeading { title, align: Align::Left });
            let cells =
                |row: KeyRow| vec![row.r#where.into(), row.keys.join(" ").into(), row.name.into(), row.help.into()];
            text::write(out, &headings, &bindings.map(cells).collect::<Vec<_>>())
        }
    }
}
