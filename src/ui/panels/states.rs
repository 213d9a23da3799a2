//! The states tab: every state with its trend, a chart of the selected one and what it means, and which state followed
//! which.

mod chart;
mod matrix;

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::panels::Panel;
use crate::app::panels::states::StatesPanel;
use crate::app::states::{
    BY_INTEREST, FLOWS_WIDTH, NUMBERS_WIDTH, StateTextLine, StatesLayout, states_layout, text_lines,
};
use crate::ui::bars::chart;
use crate::ui::histogram::{draw_flow, draw_name_and_count, role};
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

/// What stands in the last line for a text that has more of them.
const MORE: &str = "… ▾ e says all of it";

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, body: Rect, app: &App, panel: &StatesPanel) {
    let areas = states_layout(body);
    draw_list(painter, &areas, app, panel);
    draw_text(painter, areas.text, panel);
    chart::draw(painter, areas.chart, app, panel);
    matrix::draw_busiest(painter, areas.edges, app);
    matrix::draw(painter, areas.matrix, app);
}

fn draw_list(painter: &mut Painter<'_>, areas: &StatesLayout, app: &App, panel: &StatesPanel) {
    let (list, trend_width) = (areas.list, areas.trend_width);
    for ((at, line), y) in BY_INTEREST.iter().enumerate().skip(panel.scroll.first()).zip(list.y..list.bottom()) {
        draw_name_and_count(painter, (list.x + 1, y), app, *line);
        if trend_width > 0 {
            let x = list.x + 1 + NUMBERS_WIDTH;
            let values = app.store.history().trend(panel.span, usize::from(trend_width), |counts| line.count(counts));
            let trend = chart(&values, 1).pop().unwrap_or_default();
            painter.graph(x, y, &trend, trend_width, role(*line));
            draw_flow(painter, (x + trend_width + 1, y), app, *line);
            debug_assert!(x + trend_width + 1 + FLOWS_WIDTH <= list.right());
        }
        if at == panel.line {
            painter.restyle(Rect { y, height: 1, ..list }, painter.style(Role::Selected));
        }
    }
    scrollbar::draw(painter, list, panel.position(&app.panel_context()));
}

fn draw_text(painter: &mut Painter<'_>, area: Rect, panel: &StatesPanel) {
    let lines = text_lines(panel.state(), area.width);
    let is_cut = lines.len() > usize::from(area.height);
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        if is_cut && y + 1 == area.bottom() {
            painter.put(area.x + 1, y, MORE, area.width.saturating_sub(1), Role::Dim);
            return;
        }
        let (text, role) = match line {
            StateTextLine::Meaning(text) => (text, Role::Text),
            StateTextLine::Advice(text) => (text, Role::Dim),
        };
        painter.put(area.x + 1, y, text, area.width.saturating_sub(1), role);
    }
}
