//! The detail view: the lines that `app::detail` made, in one column or two.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::detail::{LABEL_WIDTH, Line, column_x, columns};
use crate::app::mode::Detail;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, body: Rect, app: &App, detail: &Detail) {
    let columns = columns(app, body.width);
    for (index, (width, lines)) in columns.iter().enumerate() {
        let x = column_x(&columns, index);
        for (line, y) in lines.iter().skip(detail.scroll).zip(body.y..body.bottom()) {
            draw_line(painter, (x, y), *width, line);
        }
    }
}

fn draw_line(painter: &mut Painter<'_>, (x, y): (u16, u16), width: u16, line: &Line) {
    let label_width = u16::try_from(LABEL_WIDTH).unwrap_or(width);
    let (label, text, role) = match line {
        Line::Blank => return,
        Line::Title(title) => {
            painter.rule(Rect::new(x, y, width, 1), title);
            return;
        }
        Line::Fact(label, text) => (*label, text.as_str(), Role::Text),
        Line::Strong(label, text) => (*label, text.as_str(), Role::Strong),
        Line::Alarm(label, text) => (*label, text.as_str(), Role::Alarm),
        Line::State(label, state) => (*label, state.name(), Role::Phase(state.phase())),
        Line::Event(time, text) => (time.as_str(), text.as_str(), Role::Text),
    };
    painter.put(x, y, label, label_width, Role::Dim);
    painter.put(x + label_width, y, text, width.saturating_sub(label_width), role);
}
