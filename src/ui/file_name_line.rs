//! The line in which the name of a file is typed.

use crate::app::layout::Layout;
use crate::app::mode::ExportEdit;
use crate::ui::filter_line::window;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

const PROMPT: &str = " new file: ";
const PROMPT_WIDTH: u16 = 11;

/// Draws the line.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, edit: &ExportEdit) {
    let area = layout.filter;
    painter.clear(area);
    let start = painter.put(0, area.y, PROMPT, area.width, Role::Accent);
    let shown = window(&edit.line, area.width.saturating_sub(PROMPT_WIDTH + 1));
    painter.put(start, area.y, shown.text, area.width, Role::Strong);
}

/// The cell of the text cursor.
pub fn cursor(layout: &Layout, edit: &ExportEdit) -> (u16, u16) {
    let area = layout.filter;
    let shown = window(&edit.line, area.width.saturating_sub(PROMPT_WIDTH + 1));
    ((PROMPT_WIDTH + shown.cursor).min(area.width.saturating_sub(1)), area.y)
}
