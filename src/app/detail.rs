//! The detail view as text: everything known of one connection, in words and as the path it took, laid out in one, two or
//! three columns.

mod course;
mod ends;
mod facts;
mod handshake;
mod in_state;
mod kernel;
mod limits;
pub mod page;

use crate::app::App;
use crate::app::detail::page::DetailPage;
use crate::app::diagram::{Drawing, drawing};
use crate::app::mode::Page;
use crate::app::path::{StatePath, opening, path};
use crate::app::prose::{ProseColumn, ProseLine, Section, longest, places, side_by_side};
use crate::store::row::SocketRow;
use crate::table::units;

pub use crate::app::prose::wrap;
pub(in crate::app) use in_state::verdict_words;

/// From this width on there are two columns.
const TWO_COLUMNS_WIDTH_MIN: u16 = 110;
/// From this width on there are three columns.
const THREE_COLUMNS_WIDTH_MIN: u16 = 166;

/// The view of what is open on a screen of `width`: one column to three, each with its lines.
pub fn columns(app: &App, width: u16) -> Vec<ProseColumn> {
    let Page::Detail(detail) = &app.page else { return Vec::new() };
    let Some(row) = &detail.row else {
        return side_by_side(width, vec![vec![facts::forgotten(), course::history(app, detail)]]);
    };
    let path = path(app, row, &detail.related);
    let picture = picture(app, width).zip(path.as_ref());
    // One line of words stands in for the picture.
    let words = path.as_ref().filter(|_| picture.is_none());
    let left = identity(app, row, detail, words);
    let (means, measured) = (meaning(app, row, detail, path.as_ref()), measured(app, row));
    let course = vec![course::history(app, detail), course::neighbours(app, row, &detail.related)];
    let Some((drawing, path)) = picture else {
        return match column_count(width) {
            // What it waits for stands on the first page.
            1 => {
                let (connection, ends) = split_first(left);
                side_by_side(width, vec![joined([connection, measured, ends, means, course])])
            }
            _ => side_by_side(width, vec![joined([left, course]), joined([means, measured])]),
        };
    };
    let diagram = vec![diagram(drawing, path)];
    if column_count(width) == 3 {
        return side_by_side(width, vec![joined([left, course]), diagram, joined([means, measured])]);
    }
    side_by_side(width, vec![joined([left, course]), joined([diagram, means, measured])])
}

/// The first section, and the others.
fn split_first(mut sections: Vec<Section>) -> (Vec<Section>, Vec<Section>) {
    let others = sections.split_off(sections.len().min(1));
    (sections, others)
}

fn joined<const N: usize>(parts: [Vec<Section>; N]) -> Vec<Section> {
    parts.into_iter().flatten().collect()
}

const fn column_count(width: u16) -> u16 {
    match width {
        0..TWO_COLUMNS_WIDTH_MIN => 1,
        TWO_COLUMNS_WIDTH_MIN..THREE_COLUMNS_WIDTH_MIN => 2,
        _ => 3,
    }
}

/// The drawing of the states that fits on a screen of `width`; `None` where a line of words is to do.
pub fn picture(app: &App, width: u16) -> Option<&'static Drawing> {
    let count = column_count(width);
    let (_, column) = places(width, count).last()?;
    let height = u16::try_from(app.body_height()).unwrap_or(u16::MAX);
    drawing(column, height).filter(|_| count > 1)
}

/// The path of the connection that is open.
pub fn open_path(app: &App) -> Option<StatePath> {
    let Page::Detail(detail) = &app.page else { return None };
    path(app, detail.row.as_ref()?, &detail.related)
}

/// How many lines the longest column has.
pub(super) fn len(app: &App) -> usize {
    longest(&columns(app, app.config.size.0))
}

/// What it is, whose, and what is at its other end.
fn identity(app: &App, row: &SocketRow, detail: &DetailPage, path: Option<&StatePath>) -> Vec<Section> {
    vec![
        facts::connection(app, row, path),
        ends::both(app, row, &detail.related),
        facts::owner(app, row, &detail.related),
    ]
}

/// What its state means, what is wrong with it, and how far a handshake got.
fn meaning(app: &App, row: &SocketRow, detail: &DetailPage, path: Option<&StatePath>) -> Vec<Section> {
    let related = &detail.related;
    let handshake = path.and_then(|path| handshake::section(app, row, related, opening(&path.steps, row, related)));
    let mut sections: Vec<Section> = handshake.into_iter().collect();
    sections.extend(facts::finding(app, row));
    sections.push(facts::meaning(row));
    sections
}

fn measured(app: &App, row: &SocketRow) -> Vec<Section> {
    vec![kernel::queues(app, row), limits::section(app, row), kernel::measured(app, row)]
}

/// The lines of the diagram, and how to read it.
fn diagram(drawing: &Drawing, path: &StatePath) -> Section {
    let mut section = Section::new("States it passed (RFC 9293)");
    section.lines.extend((0..drawing.height).map(ProseLine::Diagram));
    if path.steps.iter().any(|step| !step.seen) {
        let text = "Bold: states this connection passed. No time: before conntop started; the usual path is drawn.";
        section.lines.push(ProseLine::Blank);
        section.lines.push(ProseLine::Dim(text.to_owned()));
    }
    section
}

/// `bytes` in words: `512 bytes`, `12.1 kB`.
pub(super) fn byte_words(bytes: u64) -> String {
    let text = units::bytes(bytes);
    match text.strip_suffix(|unit: char| unit.is_ascii_alphabetic()) {
        Some(number) => format!("{number} {}B", &text[number.len()..]),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{text} bytes"),
    }
}

/// Whether the socket is gone: its counters and timers stand still then.
pub(super) fn is_gone(app: &App, row: &SocketRow) -> bool {
    row.is_closed() || app.store.rows().find(row.connection.socket.id).is_none()
}
