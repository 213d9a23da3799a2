//! `conntop keys`: the key table of the screen, as the help shows it.

use std::io::{self, Write};

use serde::Serialize;

use crate::app::keymap::remap::Keymap;
use crate::app::keymap::{SECTIONS, section};
use crate::report::format::DocumentFormat;
use crate::report::format::json::SCHEMA;
use crate::report::format::text::{self, TextHeading};
use crate::table::column::Align;

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
pub(super) fn write(format: DocumentFormat, keymap: &Keymap, out: &mut impl Write) -> io::Result<()> {
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
