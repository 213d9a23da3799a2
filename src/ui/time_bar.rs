//! The bar of the whole time of a recording, or of the past that is kept: where in it the screen is, and what is marked.
//!
//! What is behind is a thick line, what is ahead a thin one, so that no colour is needed. A click goes there, and so does the mouse
//! while its button is held.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::clock::date_and_seconds;
use crate::app::layout::Layout;
use crate::app::panels::findings::mark;
use crate::app::timeline::BarMark;
use crate::model::recorded::{RecordedMoment, RecordedSpan};
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    let area = layout.time_bar;
    let Some(span) = app.time_span().filter(|_| area.height > 0) else { return };
    let bar = app.time_bar_cells(layout);
    let has_ends = layout.header.height > 0;
    if has_ends && bar.x > area.x + 1 {
        let text = |moment: RecordedMoment| {
            let text = date_and_seconds(moment.wall, app.config.utc_offset_seconds);
            text.split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
        };
        painter.put(area.x + 1, area.y, &text(span.first), bar.x, Role::Dim);
        painter.put(bar.right() + 1, area.y, &text(span.last), area.width, Role::Dim);
    } else if let Some(clock) = app.clock_text(usize::from(bar.x.saturating_sub(2))) {
        painter.put(area.x + 1, area.y, &clock, bar.x, Role::Accent);
    }
    draw_bar(painter, bar, app, &span);
}

fn draw_bar(painter: &mut Painter<'_>, bar: Rect, app: &App, span: &RecordedSpan) {
    let here = App::bar_cell(span, bar.width, app.store.at());
    for cell in 0..bar.width {
        let (text, role) = match cell.cmp(&here) {
            std::cmp::Ordering::Less => ("━", Role::Accent),
            std::cmp::Ordering::Equal => ("█", Role::Strong),
            std::cmp::Ordering::Greater => ("─", Role::Dim),
        };
        painter.put(bar.x + cell, bar.y, text, 1, role);
    }
    for (cell, of) in App::bar_marks(span, bar.width).into_iter().filter(|(cell, _)| *cell != here) {
        match of {
            BarMark::Finding(severity) => painter.put(bar.x + cell, bar.y, mark(severity), 1, Role::of(severity)),
            BarMark::Gap => painter.put(bar.x + cell, bar.y, "·", 1, Role::Dim),
        };
    }
}
