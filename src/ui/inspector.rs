//! The inspector, at the right of the table.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::click::ClickTarget;
use crate::app::inspector::InspectorEmphasis;
use crate::app::prose::wrap;
use crate::app::tabs::Tab;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of the line at its left, with the gap after it.
const EDGE_WIDTH: u16 = 2;
/// Cells of a label.
const LABEL_WIDTH: u16 = 6;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height < 3 || area.width <= EDGE_WIDTH + LABEL_WIDTH {
        return;
    }
    for y in area.y..area.bottom() {
        painter.put(area.x, y, "│", 1, Role::Dim);
    }
    let inside = Rect { x: area.x + EDGE_WIDTH, width: area.width - EDGE_WIDTH, ..area };
    let inspector = app.inspector();
    painter.put(inside.x, inside.y, &inspector.title, inside.width, Role::Heading);
    let keys_y = inside.bottom() - 1;
    let mut y = inside.y + 1;
    for line in &inspector.lines {
        let role = match line.emphasis {
            InspectorEmphasis::Plain => Role::Text,
            InspectorEmphasis::Dim => Role::Dim,
            InspectorEmphasis::Finding(severity) => Role::of(severity),
        };
        for (at, text) in wrap(&line.text, usize::from(inside.width - LABEL_WIDTH)).iter().enumerate() {
            if y >= keys_y {
                break;
            }
            painter.put(inside.x, y, if at == 0 { line.label } else { "" }, LABEL_WIDTH, Role::Dim);
            painter.put(inside.x + LABEL_WIDTH, y, text, inside.width - LABEL_WIDTH, role);
            y += 1;
        }
    }
    if !inspector.log.is_empty() && y + 1 < keys_y {
        painter.rule(Rect { y, height: 1, ..inside }, "What happened here");
        painter.clickable(Rect { y, height: 1, ..inside }, ClickTarget::Tab(Tab::Log));
        for (text, y) in inspector.log.iter().zip(y + 1..keys_y) {
            painter.put(inside.x, y, text, inside.width, Role::Dim);
        }
    }
    draw_keys(painter, Rect { y: keys_y, height: 1, ..inside }, app);
}

fn draw_keys(painter: &mut Painter<'_>, line: Rect, app: &App) {
    let mut x = line.x;
    for (key, name) in app.inspector_keys() {
        let width = u16::try_from(cells(&key) + 1 + cells(name)).unwrap_or(u16::MAX);
        if width > line.right().saturating_sub(x) {
            break;
        }
        let after = painter.put(x, line.y, &key, width, Role::Accent) + 1;
        x = painter.put(after, line.y, name, width, Role::Dim) + 2;
    }
}
