//! The chart of one state: its scale at the left, the time below. Where there were no samples it is blank, and so is the
//! line of the time.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::panels::states::StatesPanel;
use crate::store::history::trend::ChartSpan;
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::bars::{Scale, chart_on};
use crate::ui::histogram::role;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of the numbers at the left.
const SCALE_WIDTH: u16 = 8;
/// Lines of title, time and its labels.
const FRAME_HEIGHT: u16 = 3;

/// Draws the chart of the selected state.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App, panel: &StatesPanel) {
    if area.height <= FRAME_HEIGHT || area.width <= SCALE_WIDTH {
        return;
    }
    if !painter.has_graphs() {
        painter.put(area.x + 1, area.y, "no graphs with --low-bandwidth", area.width.saturating_sub(1), Role::Dim);
        return;
    }
    let line = panel.state();
    let inside = Rect {
        x: area.x + SCALE_WIDTH,
        y: area.y + 1,
        width: area.width - SCALE_WIDTH,
        height: area.height - FRAME_HEIGHT,
    };
    let span = panel.span;
    let values = app.store.history().trend(span, usize::from(inside.width), |counts| line.count(counts));
    // The parts show the highest of each, of which even the lowest can be above what is now.
    let lowest = app.store.history().lowest(span, usize::from(inside.width), |counts| line.count(counts));
    let scale = lowest.map_or(Scale::of(&values), |lowest| Scale::of(&values).down_to(lowest));
    let shown = lowest.zip(values.iter().flatten().copied().max());
    match app.counted_from() {
        None => draw_title(painter, area, panel, shown, ""),
        Some(from) => {
            let bounds = app.store.history().bounds_since(from, span, |counts| line.count(counts));
            let since = app.counted_from_text().map_or_else(String::new, |time| format!(" since {time}"));
            draw_title(painter, area, panel, bounds, &since);
        }
    }
    for (row, y) in chart_on(scale, &values, usize::from(inside.height)).iter().zip(inside.y..) {
        painter.put(inside.x, y, row, inside.width, role(line));
    }
    draw_scale(painter, area.x, inside.y, scale.highest());
    if inside.height > 1 {
        draw_scale(painter, area.x, inside.bottom() - 1, scale.lowest);
    }
    let time: String = values.iter().map(|value| if value.is_some() { '─' } else { ' ' }).collect();
    painter.put(inside.x, inside.bottom(), &time, inside.width, Role::Dim);
    draw_times(painter, Rect { y: inside.bottom() + 1, height: 1, ..inside }, span);
}

/// `since` is said behind the bounds: from when on they count, where that is not the whole span.
fn draw_title(painter: &mut Painter<'_>, area: Rect, panel: &StatesPanel, bounds: Option<(u32, u32)>, since: &str) {
    let line = panel.state();
    let x = painter.put(area.x + SCALE_WIDTH, area.y, line.name(), area.width - SCALE_WIDTH, Role::Strong);
    let Some((lowest, highest)) = bounds else { return };
    let count = |number: u32| units::count(u64::from(number));
    let text = format!("  {} · lowest {}, highest {}{since}", panel.span.label(), count(lowest), count(highest));
    painter.put(x, area.y, &text, area.right().saturating_sub(x), Role::Dim);
}

fn draw_scale(painter: &mut Painter<'_>, x: u16, y: u16, value: u32) {
    painter.right(x, y, &units::count(u64::from(value)), SCALE_WIDTH - 1, Role::Dim);
}

/// When the left end was, a quarter, half and three quarters of the way, and now.
fn draw_times(painter: &mut Painter<'_>, area: Rect, span: ChartSpan) {
    let labels: [&str; 5] = match span {
        ChartSpan::Short => ["2 min ago", "90 s", "1 min", "30 s", "now"],
        ChartSpan::Middle => ["15 min ago", "11 min", "7 min", "4 min", "now"],
        ChartSpan::Long => ["24 h ago", "18 h", "12 h", "6 h", "now"],
    };
    let mut free = area.x;
    for (at, label) in (0_u16..).zip(labels) {
        let width = u16::try_from(cells(label)).unwrap_or(0);
        let mark = area.x + area.width * at / 4;
        let x = if at == 0 { mark } else { mark.saturating_sub(if at == 4 { width } else { width / 2 }) };
        if x >= free && x + width <= area.right() {
            free = painter.put(x, area.y, label, width, Role::Dim) + 2;
        }
    }
}
