//! The states tab: the large histogram, the last quarter of an hour of each state, and what it means.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::states::{BY_INTEREST, CHART_HEIGHT, Part, StateLine, largest, parts, widths};
use crate::store::history::HISTORY_LEN_MAX;
use crate::ui::bars::{bar, chart, squeeze};
use crate::ui::histogram::{draw_flow, draw_name_and_count, role};
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of name, count and mark.
const NUMBERS_WIDTH: u16 = 23;
/// Cells of the two flows.
const FLOWS_WIDTH: u16 = 18;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, body: Rect, app: &App) {
    let lines = BY_INTEREST.iter().flat_map(|line| {
        let parts = parts(*line, body.width).into_iter().enumerate();
        parts.map(|(at, part)| (*line, at, part))
    });
    for ((line, at, part), y) in lines.skip(app.states_scroll).zip(body.y..body.bottom()) {
        let area = Rect { y, height: 1, ..body };
        let (chart_width, room, is_wide) = widths(body.width);
        if is_wide && at < CHART_HEIGHT {
            draw_chart(painter, area, app, line, (at, chart_width));
        }
        match part {
            Part::Numbers => draw_numbers(painter, area, app, line),
            Part::Meaning(text) => drop(painter.put(3, y, &text, room, Role::Text)),
            Part::Advice(text) => drop(painter.put(3, y, &text, room, Role::Dim)),
            Part::Blank => {}
        }
    }
}

fn draw_numbers(painter: &mut Painter<'_>, area: Rect, app: &App, line: StateLine) {
    draw_name_and_count(painter, (1, area.y), app, line);
    let (chart_width, _, is_wide) = widths(area.width);
    let width = area.width.saturating_sub(chart_width + 3);
    let counts = app.store.rows().counts();
    let bar_width = width.saturating_sub(1 + NUMBERS_WIDTH + FLOWS_WIDTH).min(60);
    painter.put(1 + NUMBERS_WIDTH, area.y, &bar(line.count(counts), largest(counts), bar_width), bar_width, role(line));
    draw_flow(painter, (width.saturating_sub(FLOWS_WIDTH), area.y), app, line);
    if !is_wide {
        draw_chart(painter, area, app, line, (CHART_HEIGHT, chart_width));
    }
}

/// One line of the chart: `part` of [`CHART_HEIGHT`], or all of it in one line.
fn draw_chart(painter: &mut Painter<'_>, area: Rect, app: &App, line: StateLine, (part, width): (usize, u16)) {
    let values: Vec<u32> = app.store.history().last(HISTORY_LEN_MAX).map(|counts| line.count(counts)).collect();
    let samples = values.len().max(usize::from(width));
    let squeezed = squeeze(&values, samples, usize::from(width));
    let rows = if part < CHART_HEIGHT { chart(&squeezed, CHART_HEIGHT) } else { chart(&squeezed, 1) };
    let row = rows.get(part % CHART_HEIGHT).map_or("", String::as_str);
    painter.right(area.width.saturating_sub(width + 1), area.y, row, width, role(line));
}
