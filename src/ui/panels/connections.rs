//! The tab Connections. Only the rows on the screen are looked at.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::panels::connections::ConnectionsPanel;
use crate::app::panels::findings::mark;
use crate::app::young::is_too_young;
use crate::diagnosis::finding::Severity;
use crate::store::Store;
use crate::store::row::{Mark, SocketRow};
use crate::ui::painter::Painter;
use crate::ui::table::{ShownColumns, TableRow, draw_cells, draw_empty, draw_headings};
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &ConnectionsPanel) {
    let body = layout.body;
    let places = panel.columns.shown(body.width);
    let shown = ShownColumns { columns: &panel.columns, places: &places };
    draw_headings(painter, layout.columns, &shown, panel.view.sort());
    for ((line, row), y) in panel.window(&app.store, usize::from(body.height)).zip(body.y..) {
        let severity = app.panels.findings.about(row, &app.store).map(|finding| finding.severity);
        draw_mark(painter, y, row, severity);
        draw_cells(painter, y, &shown, row, &app.store, severity);
        if panel.cursor.line() == Some(line) {
            painter.cursor(Rect { y, height: 1, ..body }, 1, panel.cursor.is_picked());
        }
    }
    if panel.view.order().is_empty() {
        draw_empty(painter, body, app, app.store.deltas() == 0 || panel.view.is_arranging());
    }
}

/// What just happened to the row; else how bad the finding that it is part of is.
fn draw_mark(painter: &mut Painter<'_>, y: u16, row: &SocketRow, severity: Option<Severity>) {
    let (mark, role) = match (row.mark, severity) {
        (Some(Mark::New(_)), _) => ("+", Role::New),
        (Some(Mark::Changed(_)), _) => ("~", Role::Changed),
        (Some(Mark::Closed(_) | Mark::StateUnknown { .. }), _) => ("-", Role::Closed),
        (None, Some(severity)) => (mark(severity), Role::of(severity)),
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
