//! The line of tabs, with the title of what is below at its right end.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::click::ClickTarget;
use crate::app::layout::tab_places;
use crate::app::mode::Page;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height == 0 {
        return;
    }
    painter.line(area, "─");
    let title = format!(" {} ", app.title());
    let title_width = u16::try_from(cells(&title)).unwrap_or(u16::MAX);
    let places = tab_places(area.width, title_width, app.tab);
    let mut end = 0;
    for place in &places {
        let row = place.tab.row();
        let active = place.tab == app.tab && matches!(app.page, Page::Tab);
        let (number, name) = if let Some(severity) = app.panels.of(place.tab).severity() {
            (Role::of(severity), Role::of(severity))
        } else if active {
            (Role::Accent, Role::Accent)
        } else {
            (Role::Text, Role::Dim)
        };
        let x = painter.put(place.x - 1, area.y, " ", 1, Role::Dim);
        let x = painter.put(x, area.y, &row.key_in(&app.config.settings.keymap).to_string(), 1, number);
        let is_named = !place.title.is_empty();
        end = if is_named { painter.put(x + 1, area.y, place.title, place.width, name) } else { x };
        painter.put(x, area.y, " ", u16::from(is_named), Role::Dim);
        end = painter.put(end, area.y, " ", 1, Role::Dim);
    }
    let room = area.width.saturating_sub(end + 1);
    painter.right(end, area.y, &title, room, Role::Strong);
    let width = title_width.min(room);
    painter.clickable(Rect { x: end + room - width, width, ..area }, ClickTarget::Title);
}
