//! What each mark on the screen means. A test holds that every mark that is drawn is listed.

/// One or several marks, and what they mean.
pub struct MarkRow {
    /// The marks.
    pub marks: &'static str,
    /// Their meaning.
    pub about: &'static str,
}

/// Every mark.
pub const MARKS: &[MarkRow] = &[
    MarkRow { marks: "▲", about: "part of a critical finding" },
    MarkRow { marks: "△", about: "part of a finding that is a warning" },
    MarkRow { marks: "▌", about: "the cursor; nobody picked this row yet" },
    MarkRow { marks: "▸ ▾", about: "a folded line; an unfolded one" },
    MarkRow { marks: "▴ ▾", about: "sorted by this column, upwards or down" },
    MarkRow { marks: "✓", about: "chosen; or nothing wrong was found" },
    MarkRow { marks: "> ≥", about: "at least so long, or so many" },
    MarkRow { marks: "…", about: "something is cut, or still being counted" },
    MarkRow { marks: "→", about: "from one state to the next; to a peer" },
    MarkRow { marks: "⇢", about: "states in between were missed" },
    MarkRow { marks: "+ −", about: "came and went, per second" },
    MarkRow { marks: "– ?", about: "not known" },
    MarkRow { marks: "· • ±", about: "between parts; an item; may be off by so much" },
    MarkRow { marks: "← ↑ → ↓", about: "keys" },
    MarkRow { marks: "◄ ► ▲ ▼", about: "where a line between states leads" },
    MarkRow { marks: "▏▎▍▌▋▊▉█", about: "a bar: the longer, the more" },
    MarkRow { marks: "▁▂▃▄▅▆▇█", about: "a chart: the higher, the more" },
    MarkRow { marks: "⣀⣠⣤⣴⣶⣿", about: "a chart with two parts of time a cell" },
    MarkRow { marks: "─│╭╮╰╯┌┐└┘", about: "frames, and lines between states" },
    MarkRow { marks: "━┃┏┓┗┛", about: "thick: the way that the connection took" },
];

/// Whether the legend says what `character` means. Lines of all kinds count as the lines that are listed, and braille as one mark.
pub fn explains(character: char) -> bool {
    let is_line = ('\u{2500}'..='\u{257f}').contains(&character);
    let is_braille = ('\u{2800}'..='\u{28ff}').contains(&character);
    is_line || is_braille || MARKS.iter().any(|row| row.marks.contains(character))
}
