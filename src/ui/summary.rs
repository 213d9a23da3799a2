//! The line above a table: what is true of all of it.

use ratatui::layout::Rect;

use crate::app::App;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

const GAP: &str = " · ";

/// Draws as many parts as there is room for; the first one in any case.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height == 0 {
        return;
    }
    let mut x = area.x + 2;
    for (at, part) in app.summary().iter().enumerate() {
        let gap = if at == 0 { "" } else { GAP };
        let room = area.right().saturating_sub(x);
        if at > 0 && cells(gap) + cells(&part.text) > usize::from(room) {
            break;
        }
        x = painter.put(x, area.y, gap, room, Role::Dim);
        let role = if part.is_alarm { Role::Alarm } else { Role::Text };
        x = painter.put(x, area.y, &part.text, area.right().saturating_sub(x), role);
    }
}
