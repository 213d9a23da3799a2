//! The last line: a notice, else the keys that matter here. Above it, while it is typed, the filter.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::input::InputLine;
use crate::app::layout::Layout;
use crate::app::mode::{FilterEdit, Mode};
use crate::app::notice::NoticeLevel;
use crate::model::text::floor_char_boundary;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

const PROMPT: &str = " / ";
const PROMPT_WIDTH: u16 = 3;

/// Draws the notice or the keys.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    let area = layout.footer;
    if let Some((notice, behind)) = app.notices.latest() {
        let role = match notice.level {
            NoticeLevel::Plain => Role::Strong,
            NoticeLevel::Good => Role::Good,
            NoticeLevel::Bad => Role::Error,
        };
        let more = if behind > 0 { format!("  (+{behind})") } else { String::new() };
        painter.put(1, area.y, &format!("{}{more}", notice.text), area.width.saturating_sub(2), role);
        return;
    }
    if let Mode::Filter(FilterEdit { error: Some(error), line, .. }) = &app.mode {
        draw_error(painter, layout, line.text(), error.at, &error.message);
        return;
    }
    draw_title(painter, area, app);
    draw_keys(painter, area, app);
}

/// Where there is no line of tabs, the tab and its title stand at the right end.
fn draw_title(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if let Some(title) = app.footer_title() {
        let width = app.footer_title_width();
        painter.put(area.width - width, area.y, &title, width, Role::Strong);
    }
}

fn draw_keys(painter: &mut Painter<'_>, area: Rect, app: &App) {
    for hint in app.footer_hints() {
        let x = painter.put(hint.x, area.y, &hint.key, hint.width, Role::Accent) + 1;
        painter.put(x, area.y, hint.binding.name, hint.width, Role::Dim);
    }
}

/// Draws the filter line.
pub fn draw_filter(painter: &mut Painter<'_>, layout: &Layout, edit: &FilterEdit) {
    let area = layout.filter;
    painter.clear(area);
    let start = painter.put(0, area.y, PROMPT, area.width, Role::Accent);
    let (text, _) = window(&edit.line, area.width);
    painter.put(start, area.y, &text, area.width, Role::Strong);
}

/// The cell of the text cursor in the filter line.
pub fn filter_cursor(layout: &Layout, edit: &FilterEdit) -> (u16, u16) {
    let area = layout.filter;
    let (_, cursor) = window(&edit.line, area.width);
    ((PROMPT_WIDTH + cursor).min(area.width.saturating_sub(1)), area.y)
}

/// The part of the line that fits behind the prompt, with the cursor in it, and the cell of the cursor in that part.
fn window(line: &InputLine, width: u16) -> (String, u16) {
    let width = width.saturating_sub(PROMPT_WIDTH + 1);
    let (before, after) = line.text().split_at(line.cursor());
    let mut start = 0;
    for character in before.chars() {
        if cells(&before[start..]) <= usize::from(width) {
            break;
        }
        start += character.len_utf8();
    }
    let shown = &before[start..];
    (format!("{shown}{after}"), u16::try_from(cells(shown)).unwrap_or(width))
}

/// The sentence, with a mark under the place where the trouble starts if there is room for both.
fn draw_error(painter: &mut Painter<'_>, layout: &Layout, text: &str, at: usize, message: &str) {
    let area = layout.footer;
    let before = cells(&text[..floor_char_boundary(text, at)]) + usize::from(PROMPT_WIDTH);
    let column = u16::try_from(before).unwrap_or(u16::MAX);
    let needed = u16::try_from(cells(message)).unwrap_or(u16::MAX);
    let x = if column.saturating_add(2).saturating_add(needed) < area.width {
        painter.put(column, area.y, "▲ ", 2, Role::Error)
    } else {
        1
    };
    painter.put(x, area.y, message, area.width.saturating_sub(x + 1), Role::Error);
}
