//! Lines of text, as `app::prose` laid them out, with a scrollbar where they go on.

use ratatui::layout::Rect;

use crate::app::prose::{BothEnds, ITEM_WIDTH, LABEL_WIDTH, ProseColumn, ProseLine, longest};
use crate::app::scroll::{Scroll, ScrollPosition};
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::state_diagram::Picture;
use crate::ui::theme::Role;

/// Draws `columns` into `area`, from the line on that `scroll` has come to; `picture` stands for their lines of diagram.
pub fn draw(
    painter: &mut Painter<'_>,
    area: Rect,
    columns: &[ProseColumn],
    scroll: Scroll,
    picture: Option<&Picture<'_>>,
) {
    scrollbar::draw(painter, area, ScrollPosition::new(scroll, longest(columns), usize::from(area.height)));
    for column in columns {
        for (line, y) in column.lines.iter().skip(scroll.first()).zip(area.y..area.bottom()) {
            match (line, picture) {
                (ProseLine::Diagram(row), Some(picture)) => {
                    let indent = column.width.saturating_sub(picture.width()) / 2;
                    picture.draw(painter, (area.x + column.x + indent, y), *row);
                }
                (line, _) => draw_line(painter, (area.x + column.x, y), column.width, line),
            }
        }
    }
}

fn draw_line(painter: &mut Painter<'_>, (x, y): (u16, u16), width: u16, line: &ProseLine) {
    let label_width = u16::try_from(LABEL_WIDTH).unwrap_or(width);
    let item_width = u16::try_from(ITEM_WIDTH).unwrap_or(width);
    let (label, label_role, indent, text, role) = match line {
        ProseLine::Blank | ProseLine::Diagram(_) => return,
        ProseLine::Title(title) => return painter.rule(Rect::new(x, y, width, 1), title),
        ProseLine::Ends(ends) => return draw_ends(painter, Rect::new(x, y, width, 1), ends),
        ProseLine::Text(text) => ("", Role::Dim, 0, text.as_str(), Role::Text),
        ProseLine::Lead(text) => ("", Role::Dim, 0, text.as_str(), Role::Strong),
        ProseLine::Dim(text) => ("", Role::Dim, 0, text.as_str(), Role::Dim),
        ProseLine::Item(mark, text) => (mark.as_str(), Role::Accent, item_width, text.as_str(), Role::Text),
        ProseLine::Here(mark, text) => (mark.as_str(), Role::Accent, item_width, text.as_str(), Role::Strong),
        ProseLine::Finding(severity, mark, text) => {
            (mark.as_str(), Role::of(*severity), item_width, text.as_str(), Role::Strong)
        }
        ProseLine::Fact(label, text) => (*label, Role::Dim, label_width, text.as_str(), Role::Text),
        ProseLine::Strong(label, text) => (*label, Role::Dim, label_width, text.as_str(), Role::Strong),
        ProseLine::Alarm(severity, label, text) => (*label, Role::Dim, label_width, text.as_str(), Role::of(*severity)),
        ProseLine::State(label, state) => (*label, Role::Dim, label_width, state.name(), Role::of_phase(state.phase())),
        ProseLine::Event(time, text) => (time.as_str(), Role::Dim, label_width, text.as_str(), Role::Text),
    };
    painter.put(x, y, label, indent, label_role);
    painter.put(x + indent, y, text, width.saturating_sub(indent), role);
}

/// What holds of one end, and of the other.
fn draw_ends(painter: &mut Painter<'_>, line: Rect, ends: &BothEnds) {
    let Rect { x, y, width, .. } = line;
    let label_width = u16::try_from(LABEL_WIDTH).unwrap_or(width);
    let half = width.saturating_sub(label_width) / 2;
    let role = if ends.label.is_empty() { Role::Dim } else { Role::Text };
    painter.put(x, y, ends.label, label_width, Role::Dim);
    painter.put(x + label_width, y, &ends.this, half.saturating_sub(1), role);
    painter.put(x + label_width + half, y, &ends.other, half, role);
}
