//! `conntop keys`: the key table of the screen, as the help shows it.

use std::io::{self, Write};

use crate::app::keymap::{SECTIONS, section};
use crate::report::format::text::{self, Heading};
use crate::table::column::Align;

/// Writes every key once, under where it works.
pub(super) fn write(out: &mut impl Write) -> io::Result<()> {
    let headings = ["WHERE", "KEYS", "NAME", "HELP"].map(|title| Heading { title, align: Align::Left });
    let mut rows = Vec::new();
    for (index, (title, _)) in SECTIONS.iter().enumerate() {
        for binding in section(index) {
            let keys: Vec<_> = binding.keys.iter().map(ToString::to_string).collect();
            rows.push(vec![(*title).into(), keys.join(" ").into(), binding.name.into(), binding.help.into()]);
        }
    }
    text::write(out, &headings, &rows)
}
