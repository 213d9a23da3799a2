//! The tab Connections. Only the rows on the screen are looked at.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::panels::Panel;
use crate::app::panels::connections::ConnectionsPanel;
use crate::app::panels::findings::mark;
use crate::app::panels::folded::FoldedPanel;
use crate::app::panels::folded::marks::severity_of;
use crate::app::tags::Tag;
use crate::app::young::is_too_young;
use crate::diagnosis::finding::Severity;
use crate::store::Store;
use crate::store::row::{Mark, SocketRow};
use crate::table::folded::FoldedLine;
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::table::{ShownColumns, TableRow, draw_cells, draw_chosen_cell, draw_empty, draw_headings, draw_tag};
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &ConnectionsPanel) {
    if panel.is_folded() {
        return draw_folded(painter, layout, app, &panel.folded);
    }
    let body = layout.body;
    let places = panel.columns.shown(body.width);
    let shown = ShownColumns { columns: &panel.columns, places: &places };
    draw_headings(painter, layout.columns, &shown, panel.view.sort());
    for ((line, row), y) in panel.window(&app.store, usize::from(body.height)).zip(body.y..) {
        let severity = app.panels.findings.about(row, &app.store).map(|finding| finding.severity);
        draw_mark(painter, y, app, row, severity);
        draw_cells(painter, y, &shown, row, &app.store, severity);
        let is_tagged = app.tags.contains(Tag::Socket(row.connection.socket.id));
        draw_tag(painter, (1, y), is_tagged);
        if panel.cursor.line() == Some(line) {
            painter.cursor(Rect { y, height: 1, ..body }, u16::from(!is_tagged), panel.cursor.is_picked());
            if panel.cursor.is_picked() {
                draw_chosen_cell(painter, y, &shown);
            }
        }
    }
    scrollbar::draw(painter, body, panel.position(&app.panel_context()));
    if panel.view.order().is_empty() {
        draw_empty(painter, body, app, app.store.deltas() == 0 || panel.view.is_arranging());
    }
}

fn draw_folded(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &FoldedPanel) {
    let body = layout.body;
    let places = panel.columns.shown(body.width);
    let shown = ShownColumns { columns: &panel.columns, places: &places };
    draw_headings(painter, layout.columns, &shown, panel.view.sort());
    for ((line, content), y) in panel.window(&app.store, usize::from(body.height)).zip(body.y..) {
        let severity = severity(&content);
        draw_sign(painter, y, app, &content, severity);
        draw_cells(painter, y, &shown, &content, &app.store, severity);
        let is_tagged = tag_of(&content).is_some_and(|tag| app.tags.contains(tag));
        draw_tag(painter, (2, y), is_tagged);
        if panel.cursor.line() == Some(line) {
            if panel.cursor.is_picked() {
                painter.cursor(Rect { y, height: 1, ..body }, 0, true);
                draw_chosen_cell(painter, y, &shown);
            } else {
                painter.put(if is_tagged { 0 } else { 2 }, y, "▌", 1, Role::Accent);
            }
        }
    }
    scrollbar::draw(painter, body, panel.position(&app.panel_context()));
    if panel.view.is_empty() {
        draw_empty(painter, body, app, app.store.deltas() == 0 || panel.view.is_busy());
    }
}

/// What tags the line.
fn tag_of(line: &FoldedLine) -> Option<Tag> {
    match line {
        FoldedLine::Row(row) => Some(Tag::Fold(row.key)),
        FoldedLine::Socket(row) => Some(Tag::Socket(row.connection.socket.id)),
        FoldedLine::More(..) => None,
    }
}

/// How bad the finding about the line is. What is found about a single socket stands at the line that it is below.
fn severity(line: &FoldedLine) -> Option<Severity> {
    match line {
        FoldedLine::Row(row) => row.mark.as_ref().map(|mark| severity_of(mark.badness)),
        FoldedLine::Socket(_) | FoldedLine::More(..) => None,
    }
}

/// How bad the finding about the line is, and whether it can be unfolded.
fn draw_sign(painter: &mut Painter<'_>, y: u16, app: &App, line: &FoldedLine, severity: Option<Severity>) {
    match line {
        FoldedLine::Row(row) => {
            if let Some(severity) = severity {
                painter.put(0, y, mark(severity), 1, Role::of(severity));
            }
            painter.put(1, y, if row.is_unfolded { "▾" } else { "▸" }, 1, Role::Dim);
        }
        FoldedLine::Socket(row) => {
            draw_mark(painter, y, app, row, severity);
            painter.put(1, y, "│", 1, Role::Dim);
        }
        FoldedLine::More(..) => drop(painter.put(1, y, "▸", 1, Role::Dim)),
    }
}

impl TableRow for FoldedLine {
    fn is_closed(&self) -> bool {
        matches!(self, Self::Socket(row) if row.is_closed())
    }

    fn is_too_young(&self, store: &Store) -> bool {
        matches!(self, Self::Socket(row) if is_too_young(row, store))
    }
}

/// How bad the finding is that the row is part of; else what just happened to it.
fn draw_mark(painter: &mut Painter<'_>, y: u16, app: &App, row: &SocketRow, severity: Option<Severity>) {
    let (mark, role) = match (row.mark.filter(|mark| app.is_mark_fresh(*mark)), severity) {
        (Some(Mark::Closed(_) | Mark::StateUnknown { .. }), _) => ("-", Role::Closed),
        (_, Some(severity)) => (mark(severity), Role::of(severity)),
        (Some(Mark::New(_)), None) => ("+", Role::New),
        (Some(Mark::Changed(_)), None) => ("~", Role::Changed),
        (None, None) => return,
    };
    painter.put(0, y, mark, 1, role);
}

impl TableRow for SocketRow {
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn is_too_young(&self, store: &Store) -> bool {
        is_too_young(self, store)
    }
}
