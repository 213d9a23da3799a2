//! The detail view as text: everything known of one connection, in words, laid out in one or two columns.

mod facts;
mod kernel;

use unicode_segmentation::UnicodeSegmentation;

use crate::app::App;
use crate::app::mode::{Detail, Page};
use crate::model::tcp_state::TcpState;
use crate::table::fit::cells;
use crate::table::units;

/// From this width on there are two columns.
const TWO_COLUMNS_WIDTH_MIN: u16 = 110;
/// Cells of a label.
pub const LABEL_WIDTH: usize = 14;
/// Cells between two columns.
const COLUMN_GAP: u16 = 3;

/// A line of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nothing.
    Blank,
    /// The heading of a section.
    Title(&'static str),
    /// A label (empty on the lines after the first) and text.
    Fact(&'static str, String),
    /// A label and text that comes first.
    Strong(&'static str, String),
    /// Something that is wrong.
    Alarm(&'static str, String),
    /// The state, in the colour of its phase.
    State(&'static str, TcpState),
    /// A time of day and what happened then.
    Event(String, String),
}

/// A section: a title and what it says.
#[derive(Debug)]
struct Section {
    title: &'static str,
    lines: Vec<Line>,
}

impl Section {
    const fn new(title: &'static str) -> Self {
        Self { title, lines: Vec::new() }
    }

    fn fact(&mut self, label: &'static str, text: impl Into<String>) {
        self.lines.push(Line::Fact(label, text.into()));
    }

    /// Adds the fact if it is known.
    fn known(&mut self, label: &'static str, text: Option<String>) {
        if let Some(text) = text {
            self.fact(label, text);
        }
    }
}

/// The view of what is open on a screen of `width`: one column or two, each with its lines.
pub fn columns(app: &App, width: u16) -> Vec<(u16, Vec<Line>)> {
    let Page::Detail(detail) = &app.page else { return Vec::new() };
    let (left, right) = sections(app, detail);
    if width < TWO_COLUMNS_WIDTH_MIN {
        let room = width.saturating_sub(2);
        return vec![(room, laid_out(left.into_iter().chain(right), room))];
    }
    let left_width = (width - 2 - COLUMN_GAP) / 2;
    let right_width = width - 2 - COLUMN_GAP - left_width;
    vec![(left_width, laid_out(left, left_width)), (right_width, laid_out(right, right_width))]
}

/// Where column `index` of `columns` begins.
pub fn column_x(columns: &[(u16, Vec<Line>)], index: usize) -> u16 {
    1 + columns[..index].iter().map(|(width, _)| width + COLUMN_GAP).sum::<u16>()
}

/// How many lines the longest column has.
pub(super) fn len(app: &App) -> usize {
    columns(app, app.config.size.0).iter().map(|(_, lines)| lines.len()).max().unwrap_or(0)
}

/// Left: what it is, whose, and how it got there. Right: what that means, and what the kernel measured.
fn sections(app: &App, detail: &Detail) -> (Vec<Section>, Vec<Section>) {
    let Some(row) = &detail.row else {
        return (vec![facts::forgotten()], vec![facts::history(app, detail)]);
    };
    let said = |section: &Section| !section.lines.is_empty();
    let left = vec![
        facts::connection(app, row),
        facts::owner(app, row),
        facts::other_end(app, row),
        facts::neighbours(app, row),
        facts::history(app, detail),
    ];
    let right = vec![facts::meaning(row), kernel::queues(app, row), kernel::measured(app, row)];
    (left.into_iter().filter(said).collect(), right.into_iter().filter(said).collect())
}

fn laid_out(sections: impl IntoIterator<Item = Section>, width: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for section in sections {
        if !lines.is_empty() {
            lines.push(Line::Blank);
        }
        lines.push(Line::Title(section.title));
        section.lines.into_iter().for_each(|line| push_wrapped(&mut lines, line, usize::from(width)));
    }
    lines
}

fn push_wrapped(lines: &mut Vec<Line>, line: Line, width: usize) {
    let room = width.saturating_sub(LABEL_WIDTH).max(8);
    match line {
        Line::Fact(label, text) => {
            for (at, part) in wrap(&text, room).into_iter().enumerate() {
                lines.push(Line::Fact(if at == 0 { label } else { "" }, part));
            }
        }
        Line::Strong(label, text) => {
            for (at, part) in wrap(&text, room).into_iter().enumerate() {
                lines.push(Line::Strong(if at == 0 { label } else { "" }, part));
            }
        }
        Line::Alarm(label, text) => {
            for (at, part) in wrap(&text, room).into_iter().enumerate() {
                lines.push(Line::Alarm(if at == 0 { label } else { "" }, part));
            }
        }
        Line::Event(time, text) => {
            for (at, part) in wrap(&text, room).into_iter().enumerate() {
                lines.push(Line::Event(if at == 0 { time.clone() } else { String::new() }, part));
            }
        }
        other => lines.push(other),
    }
}

/// `bytes` in words: `512 bytes`, `12.1 kB`.
fn byte_words(bytes: u64) -> String {
    let text = units::bytes(bytes);
    match text.strip_suffix(|unit: char| unit.is_ascii_alphabetic()) {
        Some(number) => format!("{number} {}B", &text[number.len()..]),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{text} bytes"),
    }
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
}
