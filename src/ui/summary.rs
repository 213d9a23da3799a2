//! The line above a table: what is true of all of it.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::click::ClickTarget;
use crate::app::summary::SummaryPart;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// What is said of a part that no finding can be about.
const FACT: &str = "this is true of the whole table below, whichever rows are shown";
const GAP: &str = " · ";

/// The colour of the finding that says the same; what no finding speaks of has none.
fn role(app: &App, part: &SummaryPart) -> Role {
    let plain = if part.rules.is_empty() { Role::Text } else { Role::Strong };
    app.panels.findings.by_rule(part.rules).map_or(plain, Role::of)
}

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
        let role = role(app, part);
        let start = x;
        x = painter.put(x, area.y, &part.text, area.right().saturating_sub(x), role);
        let target = if part.rules.is_empty() { ClickTarget::Says(FACT) } else { ClickTarget::Rules(part.rules) };
        painter.clickable(Rect { x: start, width: x - start, ..area }, target);
    }
}
