//! Text in sections, laid out for a width: the detail view, the text of a finding, explanations.

use unicode_segmentation::UnicodeSegmentation;

use crate::diagnosis::finding::Severity;
use crate::model::tcp_state::TcpState;
use crate::table::cut::{cells, cut};

/// Cells of a label.
pub const LABEL_WIDTH: usize = 14;
/// Cells of the mark before an item, with the gap after it.
pub const ITEM_WIDTH: usize = 3;

/// A line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProseLine {
    /// Nothing.
    Blank,
    /// The heading of a section.
    Title(&'static str),
    /// Text over the whole width.
    Text(String),
    /// The same, for what comes first.
    Lead(String),
    /// The same, for what matters less.
    Dim(String),
    /// A mark or number (empty on the lines after the first) and text.
    Item(String, String),
    /// The same for what is so now.
    Here(String, String),
    /// A label (empty on the lines after the first) and text.
    Fact(&'static str, String),
    /// A label and text that comes first.
    Strong(&'static str, String),
    /// A finding: its mark (empty on the lines after the first) and text.
    Finding(Severity, String, String),
    /// A label and what a finding rests on.
    Alarm(Severity, &'static str, String),
    /// The state, in the colour of its phase.
    State(&'static str, TcpState),
    /// A time of day and what happened then.
    Event(String, String),
    /// A label, and what holds of one end and of the other.
    Ends(BothEnds),
    /// One line of the diagram of states: `diagram` draws it.
    Diagram(u16),
}

/// What holds of both ends of a connection, side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BothEnds {
    /// What it is about; empty in the line of headings.
    pub label: &'static str,
    /// What holds of this end.
    pub this: String,
    /// What holds of the other end.
    pub other: String,
}

/// A section: a title and what it says.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) lines: Vec<ProseLine>,
}

impl Section {
    pub(super) const fn new(title: &'static str) -> Self {
        Self { title, lines: Vec::new() }
    }

    pub(super) fn fact(&mut self, label: &'static str, text: impl Into<String>) {
        self.lines.push(ProseLine::Fact(label, text.into()));
    }

    /// Adds the fact if it is known.
    pub(super) fn known(&mut self, label: &'static str, text: Option<String>) {
        if let Some(text) = text {
            self.fact(label, text);
        }
    }

    /// Adds a numbered list.
    pub(super) fn numbered(&mut self, items: &[String]) {
        let item = |(at, text): (usize, &String)| ProseLine::Item(format!("{}.", at + 1), text.clone());
        self.lines.extend(items.iter().enumerate().map(item));
    }

    /// Adds a list without an order.
    pub(super) fn listed(&mut self, items: &[String]) {
        self.lines.extend(items.iter().map(|text| ProseLine::Item("•".to_owned(), text.clone())));
    }

    pub(super) fn says_something(&self) -> bool {
        !self.lines.is_empty()
    }
}

/// Cells between two columns.
const COLUMN_GAP: u16 = 3;

/// Text beside other text.
#[derive(Clone, Debug)]
pub struct ProseColumn {
    /// Where it begins.
    pub x: u16,
    /// How wide it is.
    pub width: u16,
    /// What stands in it.
    pub lines: Vec<ProseLine>,
}

/// How wide each of `count` columns is on a screen of `width`, and where it begins.
pub(super) fn places(width: u16, count: u16) -> impl Iterator<Item = (u16, u16)> {
    let count = count.max(1);
    let room = width.saturating_sub(2 + (count - 1) * COLUMN_GAP);
    let wide = room / count;
    // What is left over goes to the last one.
    (0..count).map(move |at| {
        let width = if at + 1 == count { room - wide * (count - 1) } else { wide };
        (1 + at * (wide + COLUMN_GAP), width)
    })
}

/// Each part in a column of its own, side by side on a screen of `width`.
pub(super) fn side_by_side(width: u16, parts: Vec<Vec<Section>>) -> Vec<ProseColumn> {
    let count = u16::try_from(parts.len()).unwrap_or(1);
    let columns = places(width, count).zip(parts);
    columns.map(|((x, width), sections)| ProseColumn { x, width, lines: laid_out(sections, width) }).collect()
}

/// How many lines the longest of `columns` has.
pub fn longest(columns: &[ProseColumn]) -> usize {
    columns.iter().map(|column| column.lines.len()).max().unwrap_or(0)
}

/// The lines of `sections` for a width of `width` cells.
fn laid_out(sections: impl IntoIterator<Item = Section>, width: u16) -> Vec<ProseLine> {
    let mut lines = Vec::new();
    for section in sections.into_iter().filter(Section::says_something) {
        if !lines.is_empty() {
            lines.push(ProseLine::Blank);
        }
        if !section.title.is_empty() {
            lines.push(ProseLine::Title(section.title));
        }
        section.lines.into_iter().for_each(|line| push_wrapped(&mut lines, line, usize::from(width)));
    }
    lines
}

fn push_wrapped(lines: &mut Vec<ProseLine>, line: ProseLine, width: usize) {
    let room = width.saturating_sub(LABEL_WIDTH).max(8);
    let item_room = width.saturating_sub(ITEM_WIDTH).max(8);
    match line {
        ProseLine::Text(text) => lines.extend(wrap(&text, width.max(8)).into_iter().map(ProseLine::Text)),
        ProseLine::Dim(text) => lines.extend(wrap(&text, width.max(8)).into_iter().map(ProseLine::Dim)),
        ProseLine::Lead(text) => lines.extend(wrap(&text, width.max(8)).into_iter().map(ProseLine::Lead)),
        ProseLine::Fact(label, text) => labelled(lines, &text, room, label, ProseLine::Fact),
        ProseLine::Strong(label, text) => labelled(lines, &text, room, label, ProseLine::Strong),
        ProseLine::Finding(severity, mark, text) => {
            labelled(lines, &text, item_room, mark, |mark, text| ProseLine::Finding(severity, mark, text));
        }
        ProseLine::Alarm(severity, label, text) => {
            labelled(lines, &text, room, label, |label, text| ProseLine::Alarm(severity, label, text));
        }
        ProseLine::Event(time, text) => labelled(lines, &text, room, time, ProseLine::Event),
        ProseLine::Item(mark, text) => labelled(lines, &text, item_room, mark, ProseLine::Item),
        ProseLine::Here(mark, text) => labelled(lines, &text, item_room, mark, ProseLine::Here),
        ProseLine::Ends(BothEnds { label, this, other }) => {
            let half = u16::try_from((room / 2).saturating_sub(1)).unwrap_or(u16::MAX);
            let cut = |text: &str| cut(text, half).into_owned();
            lines.push(ProseLine::Ends(BothEnds { label, this: cut(&this), other: cut(&other) }));
        }
        other => lines.push(other),
    }
}

/// The label stands on the first line only.
fn labelled<L: Default>(
    lines: &mut Vec<ProseLine>,
    text: &str,
    room: usize,
    label: L,
    make: impl Fn(L, String) -> ProseLine,
) {
    let mut label = Some(label);
    lines.extend(wrap(text, room).into_iter().map(|part| make(label.take().unwrap_or_default(), part)));
}

/// `text` in lines of at most `width` cells, broken at spaces; a word longer than a line is broken where it must be.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let fits = cells(&line) + usize::from(!line.is_empty()) + cells(word) <= width;
        if !fits && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        push_broken(&mut lines, &mut line, word, width);
    }
    lines.push(line);
    lines
}

/// Adds `word` to `line`; where it is longer than a line, what is full goes to `lines`.
fn push_broken(lines: &mut Vec<String>, line: &mut String, word: &str, width: usize) {
    for grapheme in word.graphemes(true) {
        if !line.is_empty() && cells(line) + cells(grapheme) > width {
            lines.push(std::mem::take(line));
        }
        line.push_str(grapheme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_spaces_and_long_words_are_broken() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("a/very/long/path x", 6), ["a/very", "/long/", "path x"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn a_label_stands_on_the_first_line_only() {
        let mut section = Section::new("");
        section.numbered(&["one two three four".to_owned()]);
        let item = |mark: &str, text: &str| ProseLine::Item(mark.to_owned(), text.to_owned());
        assert_eq!(laid_out([section], 11), [item("1.", "one two"), item("", "three"), item("", "four")]);
    }
}
