//! The filter line while it is typed, what is wrong in it, and above it what can stand at its cursor.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::filter_edit::{FilterEdit, FilterNote, LinePurpose};
use crate::app::input::InputLine;
use crate::app::layout::Layout;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

const PROMPT: &str = " / ";
const NAME_PROMPT: &str = " save as @";
/// Most lines of the list of completions.
const ITEMS_HEIGHT_MAX: u16 = 8;
/// Cells between a completion and what it means.
const GAP: u16 = 2;
/// Lines of the table that stay in sight above the list.
const ROWS_ABOVE: u16 = 1;

const fn prompt(edit: &FilterEdit) -> &'static str {
    match edit.purpose {
        LinePurpose::Filter => PROMPT,
        LinePurpose::Name { .. } => NAME_PROMPT,
    }
}

fn prompt_width(edit: &FilterEdit) -> u16 {
    u16::try_from(prompt(edit).len()).unwrap_or(u16::MAX)
}

/// Draws the line, the line below it and the list above it.
pub fn draw(painter: &mut Painter<'_>, app: &App, layout: &Layout, edit: &FilterEdit) {
    let area = layout.filter;
    painter.clear(area);
    let start = painter.put(0, area.y, prompt(edit), area.width, Role::Accent);
    let shown = window(&edit.line, area.width.saturating_sub(prompt_width(edit) + 1));
    painter.put(start, area.y, shown.text, area.width, Role::Strong);
    let note_width = if area.height > 1 { area.width } else { 0 };
    match edit.note() {
        Some(FilterNote::Wrong(place)) => {
            let text = edit.line.text();
            let before = u16::try_from(cells(&text[shown.start.min(place.start)..place.start])).unwrap_or(u16::MAX);
            let width = u16::try_from(cells(&text[place])).unwrap_or(u16::MAX).max(1);
            let x = start.saturating_add(before);
            painter.restyle(Rect { x, y: area.y, width, height: 1 }.intersection(area), painter.style(Role::Error));
            // Where there is no line below, its look has to do.
            painter.put(x, area.y + 1, &"^".repeat(usize::from(width.min(area.width))), note_width, Role::Error);
        }
        Some(FilterNote::Remark(remark)) => {
            painter.put(start, area.y + 1, &remark, note_width.saturating_sub(start + 1), Role::Dim);
        }
        None => {}
    }
    draw_items(painter, app, layout, edit, &shown);
}

fn draw_items(painter: &mut Painter<'_>, app: &App, layout: &Layout, edit: &FilterEdit, shown: &ShownLine<'_>) {
    let items = &edit.completion.items;
    let room = layout.filter.y.saturating_sub(layout.body.y + ROWS_ABOVE);
    let height = u16::try_from(items.len()).unwrap_or(u16::MAX).min(ITEMS_HEIGHT_MAX).min(room);
    if height == 0 {
        return;
    }
    let widest = |part: fn(&crate::table::filter::complete::CompletionItem) -> &str| {
        u16::try_from(items.iter().map(|item| cells(part(item))).max().unwrap_or(0)).unwrap_or(u16::MAX)
    };
    let screen = app.config.size.0;
    let label = widest(|item| &item.text).min(screen / 2);
    let width = label.saturating_add(GAP).saturating_add(widest(|item| &item.about)).saturating_add(2).min(screen);
    let from = edit.completion.range.start.max(shown.start);
    let before = u16::try_from(cells(&edit.line.text()[shown.start..from])).unwrap_or(0);
    let x = (prompt_width(edit) + before).saturating_sub(1).min(screen - width);
    let selected = edit.selected.unwrap_or(0);
    let first = (selected + 1).saturating_sub(usize::from(height));
    let area = Rect { x, y: layout.filter.y - height, width, height };
    painter.clear(area);
    for ((index, item), y) in items.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        painter.put(x, y, "│", 1, Role::Accent);
        painter.put(area.right() - 1, y, "│", 1, Role::Accent);
        painter.put(x + 1, y, &item.text, label, Role::Strong);
        let about_x = x + 1 + label + GAP;
        painter.put(about_x, y, &item.about, area.right().saturating_sub(about_x + 1), Role::Dim);
        if edit.selected == Some(index) {
            painter.restyle(
                Rect { x: x + 1, y, width: width.saturating_sub(2), height: 1 },
                painter.style(Role::Selected),
            );
        }
    }
    let more = items.len() - first - usize::from(height);
    if more > 0 {
        painter.right(x, area.bottom() - 1, &format!(" {more} more"), width.saturating_sub(1), Role::Dim);
    }
}

/// The cell of the text cursor.
pub fn cursor(layout: &Layout, edit: &FilterEdit) -> (u16, u16) {
    let area = layout.filter;
    let shown = window(&edit.line, area.width.saturating_sub(prompt_width(edit) + 1));
    ((prompt_width(edit) + shown.cursor).min(area.width.saturating_sub(1)), area.y)
}

/// The part of a line that is on the screen.
pub(in crate::ui) struct ShownLine<'t> {
    pub(in crate::ui) text: &'t str,
    /// Its first byte in the whole line.
    start: usize,
    /// The cell of the cursor in it.
    pub(in crate::ui) cursor: u16,
}

/// The part of the line that fits into `width` cells, with the cursor in it.
pub(in crate::ui) fn window(line: &InputLine, width: u16) -> ShownLine<'_> {
    let before = &line.text()[..line.cursor()];
    let mut start = 0;
    for character in before.chars() {
        if cells(&before[start..]) <= usize::from(width) {
            break;
        }
        start += character.len_utf8();
    }
    let cursor = u16::try_from(cells(&before[start..])).unwrap_or(width);
    ShownLine { text: &line.text()[start..], start, cursor }
}
