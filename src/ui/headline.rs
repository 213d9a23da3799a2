//! The second line: what is wrong.

use ratatui::layout::Rect;

use crate::app::headline::Severity;
use crate::app::{App, Supply};
use crate::table::fit::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    let room = area.width.saturating_sub(2);
    let problems = &app.headline.problems;
    let Some(worst) = problems.first() else {
        let text = match (&app.supply, app.store.at().0) {
            (Supply::Failed(_), 0) => "no sample could be taken yet; conntop goes on trying",
            (_, 0) => "taking the first sample…",
            _ => "nothing wrong found",
        };
        painter.put(1, area.y, text, room, Role::Dim);
        return;
    };
    let rest = problems.len() - 1;
    let more = if rest > 0 { format!("+{rest} more") } else { String::new() };
    let mut x = painter.put(1, area.y, "▲ ", room, Role::Alarm);
    x = painter.put(x, area.y, &worst.text, room.saturating_sub(2), alarm(worst.severity));
    for (at, problem) in problems.iter().enumerate().skip(1) {
        let text = format!(" · {}", problem.text);
        let left = usize::from(area.width.saturating_sub(x + 1));
        if cells(&text) + if at < rest { cells(&more) + 3 } else { 0 } > left {
            let text = format!(" · +{} more", rest + 1 - at);
            painter.put(x, area.y, &text, area.width.saturating_sub(x), Role::Dim);
            return;
        }
        x = painter.put(x, area.y, &text, area.width, alarm(problem.severity));
    }
}

const fn alarm(severity: Severity) -> Role {
    match severity {
        Severity::Warning | Severity::Critical => Role::Alarm,
    }
}
