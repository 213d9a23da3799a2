//! The help, as `app::help` lists it.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::help::{HelpLine, columns};
use crate::app::help_page::HelpPage;
use crate::app::layout::Layout;
use crate::app::scroll::ScrollPosition;
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

/// Draws it over the whole screen but the footer.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, page: &HelpPage) {
    let area = painter.area();
    let area = Rect { height: layout.footer.y.min(layout.filter.y), ..area };
    painter.clear(area);
    painter.rule(Rect { height: 1, ..area }, &title(app, page));
    let lines = app.help_lines(page);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let columns = columns(&lines, area.width);
    let longest = columns.iter().map(|column| column.len()).max().unwrap_or(0);
    let width = area.width / u16::try_from(columns.len()).unwrap_or(1).max(1);
    for (column, x) in columns.iter().zip((0..).step_by(usize::from(width))) {
        for (line, y) in column.iter().skip(page.scroll.first()).zip(body.y..body.bottom()) {
            draw_line(painter, Rect { x, y, width, height: 1 }, line);
        }
    }
    let position = ScrollPosition::new(page.scroll, longest, usize::from(body.height));
    scrollbar::draw(painter, body, position);
    let position = if lines.is_empty() { Some("nothing has it".to_owned()) } else { position.text() };
    if let Some(position) = position {
        painter.right(area.x, area.y, &format!(" {position} "), area.width.saturating_sub(1), Role::Dim);
    }
}

fn title(app: &App, page: &HelpPage) -> String {
    let keymap = &app.config.settings.keymap;
    match (page.is_typing, page.search.as_str()) {
        (true, search) => format!("Help · lines with: {search}_"),
        (false, "") => keymap.fill("Help · ‹help-search› finds · ‹help› or ‹back› goes back"),
        (false, search) => format!("Help · lines with: {search}") + &keymap.fill(" · ‹back› shows all"),
    }
}

fn draw_line(painter: &mut Painter<'_>, area: Rect, line: &HelpLine) {
    match line {
        HelpLine::Blank => {}
        HelpLine::Title(title) => drop(painter.put(area.x + 1, area.y, title, area.width, Role::Accent)),
        HelpLine::Entry { label, about, label_width } => {
            painter.put(area.x + 2, area.y, label, (*label_width).min(area.width), Role::Strong);
            let room = area.width.saturating_sub(3 + label_width);
            painter.put(area.x + 2 + label_width, area.y, about, room, Role::Text);
        }
    }
}
