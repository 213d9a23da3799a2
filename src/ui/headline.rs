//! The second line: what is wrong.

use ratatui::layout::Rect;

use crate::app::headline::Severity;
use crate::app::{App, Supply};
use crate::table::fit::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Below this width the sentence needs the room that "+2 more" takes.
const MORE_WIDTH_MIN: u16 = 60;

/// Draws it: as many problems as there are lines, the worst first; the last line tells how many more there are.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    let problems = &app.headline.problems;
    if problems.is_empty() {
        painter.put(1, area.y, calm(app), area.width.saturating_sub(2), Role::Dim);
        return;
    }
    let lines = usize::from(area.height);
    let hidden = problems.len().saturating_sub(lines) + app.headline.untold;
    for ((at, problem), y) in problems.iter().enumerate().take(lines).zip(area.y..) {
        let more = if at + 1 == lines && hidden > 0 && area.width >= MORE_WIDTH_MIN {
            format!(" +{hidden} more")
        } else {
            String::new()
        };
        let more_width = u16::try_from(cells(&more)).unwrap_or(0);
        let x = painter.put(1, y, "▲ ", area.width, Role::Alarm);
        let room = area.width.saturating_sub(x + more_width);
        let x = painter.put(x, y, whole_clauses(&problem.text, room), room, alarm(problem.severity));
        painter.put(x, y, &more, more_width, Role::Dim);
    }
}

/// As many clauses of `text` as fit: one left out reads better than one cut in two.
fn whole_clauses(text: &str, width: u16) -> &str {
    let mut kept = text;
    while cells(kept) > usize::from(width) {
        let Some((shorter, _)) = kept.rsplit_once(", ") else { return kept };
        kept = shorter;
    }
    kept
}

fn calm(app: &App) -> &'static str {
    match (&app.supply, app.store.at().0) {
        (Supply::Failed(_), 0) => "no sample could be taken yet; conntop goes on trying",
        (_, 0) => "taking the first sample…",
        _ => "nothing wrong found",
    }
}

const fn alarm(severity: Severity) -> Role {
    match severity {
        Severity::Warning | Severity::Critical => Role::Alarm,
    }
}
