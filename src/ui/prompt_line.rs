//! The line in which a name of a file or a time is typed, with what is asked for at its left.

use crate::app::input::InputLine;
use crate::app::layout::Layout;
use crate::table::cut::cells;
use crate::ui::filter_line::window;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// What is asked for where the name of a file is typed.
pub const FILE_PROMPT: &str = " new file: ";
/// The same where a time is typed.
pub const TIME_PROMPT: &str = " go to: ";
/// What a time looks like, where nothing is typed yet.
pub const TIME_HINT: &str = "14:05, 14:05:30, 2026-01-31 14:05, -5m, +90s";

/// Draws the line, with `hint` where nothing is typed.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, (prompt, hint): (&str, &str), line: &InputLine) {
    let area = layout.filter;
    painter.clear(area);
    let start = painter.put(0, area.y, prompt, area.width, Role::Accent);
    let shown = window(line, area.width.saturating_sub(start + 1));
    painter.put(start, area.y, shown.text, area.width, Role::Strong);
    if line.text().is_empty() {
        painter.put(start, area.y, hint, area.width.saturating_sub(start + 1), Role::Dim);
    }
}

/// The cell of the text cursor.
pub fn cursor(layout: &Layout, prompt: &str, line: &InputLine) -> (u16, u16) {
    let area = layout.filter;
    let start = u16::try_from(cells(prompt)).unwrap_or(0);
    let shown = window(line, area.width.saturating_sub(start + 1));
    ((start + shown.cursor).min(area.width.saturating_sub(1)), area.y)
}
