//! The tabs Processes, Remotes, Listeners and Ports.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::panels::Panel;
use crate::app::panels::findings::mark;
use crate::app::panels::groups::GroupPanel;
use crate::app::tags::Tag;
use crate::store::Store;
use crate::store::groups::Group;
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::summary;
use crate::ui::table::{ShownColumns, TableRow, draw_cells, draw_chosen_cell, draw_empty, draw_headings, draw_tag};
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &GroupPanel) {
    summary::draw(painter, layout.summary, app);
    let body = layout.body;
    let places = panel.columns.shown(body.width);
    let shown = ShownColumns { columns: &panel.columns, places: &places };
    draw_headings(painter, layout.columns, &shown, panel.view.sort());
    for ((line, group), y) in panel.window(usize::from(body.height)).zip(body.y..) {
        if let Some(severity) = app.panels.findings.of_group(group.key, &app.store) {
            painter.put(0, y, mark(severity), 1, Role::of(severity));
        }
        draw_cells(painter, y, &shown, group, &app.store, app.panels.findings.about_group(group.key));
        let is_tagged = app.tags.contains(Tag::Group(group.key));
        draw_tag(painter, (1, y), is_tagged);
        if panel.cursor.line() == Some(line) {
            painter.cursor(Rect { y, height: 1, ..body }, u16::from(!is_tagged), panel.cursor.is_picked());
            if panel.cursor.is_picked() {
                draw_chosen_cell(painter, y, &shown);
            }
        }
    }
    scrollbar::draw(painter, body, panel.position(&app.panel_context()));
    if panel.view.is_empty() {
        draw_empty(painter, body, app, panel.view.is_busy());
    }
}

impl TableRow for Group {
    fn is_closed(&self) -> bool {
        false
    }

    fn is_too_young(&self, _store: &Store) -> bool {
        false
    }
}
