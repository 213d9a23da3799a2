//! The states tab: the large histogram, the last quarter of an hour of each state, and what it means.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::detail::wrap;
use crate::app::states::{BY_INTEREST, LINES_PER_STATE, StateLine, largest};
use crate::knowledge::states::text;
use crate::store::history::HISTORY_LEN_MAX;
use crate::ui::bars::{bar, chart, squeeze};
use crate::ui::histogram::{draw_flow, draw_name_and_count, role};
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Below this width the chart stands beside the numbers only.
const WIDE: u16 = 100;
/// Cells of name, count and mark.
const NUMBERS_WIDTH: u16 = 23;
/// Cells of the two flows.
const FLOWS_WIDTH: u16 = 18;
/// Lines of the chart.
const CHART_HEIGHT: usize = 3;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, body: Rect, app: &App) {
    let first = app.states_scroll;
    for (index, line) in BY_INTEREST.iter().enumerate() {
        for part in 0..LINES_PER_STATE {
            let at = index * LINES_PER_STATE + part;
            if let Some(row) = at.checked_sub(first).filter(|row| *row < usize::from(body.height)) {
                let y = body.y + u16::try_from(row).unwrap_or(0);
                draw_part(painter, Rect { y, height: 1, ..body }, app, *line, part);
            }
        }
    }
}

fn draw_part(painter: &mut Painter<'_>, area: Rect, app: &App, line: StateLine, part: usize) {
    let chart_width = if area.width >= WIDE { area.width / 5 } else { 16 };
    let text_width = area.width.saturating_sub(chart_width + 3);
    if area.width >= WIDE && part < CHART_HEIGHT {
        draw_chart(painter, area, app, line, (part, chart_width));
    }
    let (meaning, advice) = words(line);
    let room = wide_or(area, text_width);
    match part {
        0 => draw_numbers(painter, area, app, line, text_width),
        1 => drop(painter.put(3, area.y, meaning, room, Role::Text)),
        part if part + 1 < LINES_PER_STATE => {
            // The last line holds all that is left, and is cut with a mark if that is too much.
            let lines = wrap(advice, usize::from(room));
            let (skip, take) = if part + 2 == LINES_PER_STATE { (part - 2, lines.len()) } else { (part - 2, 1) };
            let text = lines.into_iter().skip(skip).take(take).collect::<Vec<_>>().join(" ");
            painter.put(3, area.y, &text, room, Role::Dim);
        }
        _ => {}
    }
}

const fn wide_or(area: Rect, text_width: u16) -> u16 {
    if area.width >= WIDE { text_width - 2 } else { area.width - 4 }
}

fn draw_numbers(painter: &mut Painter<'_>, area: Rect, app: &App, line: StateLine, width: u16) {
    draw_name_and_count(painter, (1, area.y), app, line);
    let counts = app.store.rows().counts();
    let bar_width = width.saturating_sub(1 + NUMBERS_WIDTH + FLOWS_WIDTH).min(60);
    painter.put(1 + NUMBERS_WIDTH, area.y, &bar(line.count(counts), largest(counts), bar_width), bar_width, role(line));
    draw_flow(painter, (width.saturating_sub(FLOWS_WIDTH), area.y), app, line);
    if area.width < WIDE {
        draw_chart(painter, area, app, line, (CHART_HEIGHT, 16));
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

fn words(line: StateLine) -> (&'static str, &'static str) {
    match line {
        StateLine::Tcp(state) => {
            let text = text(state);
            (text.meaning, text.advice)
        }
        StateLine::Udp => ("Datagram sockets; they have no connection and no states.", ""),
    }
}
