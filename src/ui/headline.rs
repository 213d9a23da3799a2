//! The lines below the first: what is wrong, the worst first.

use ratatui::layout::Rect;

use crate::app::panels::findings::mark;
use crate::app::{App, SourceStatus};
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Below this width the sentence needs the room that "+2 more" takes.
const MORE_WIDTH_MIN: u16 = 60;

/// Draws it: as many processes as there are lines, each with its worst finding; the last line tells how many more there are.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    let findings = &app.panels.findings;
    if findings.is_empty() {
        let (text, role) = calm(app);
        painter.put(1, area.y, &text, area.width.saturating_sub(2), role);
        return;
    }
    let told = findings.by_culprit(usize::from(area.height));
    let hidden = findings.total() - told.len();
    for ((at, finding), y) in told.iter().enumerate().zip(area.y..) {
        let with_more = at + 1 == told.len() && hidden > 0 && area.width >= MORE_WIDTH_MIN;
        let more = if with_more { format!(" +{hidden} more (6)") } else { String::new() };
        let more_width = u16::try_from(cells(&more)).unwrap_or(0);
        let role = Role::of(finding.severity);
        let mut x = painter.put(1, y, mark(finding.severity), area.width, role) + 1;
        let count = format!("{}: ", units::counted(findings.total() as u64, "problem"));
        let room = area.width.saturating_sub(x + more_width);
        if at == 0 && cells(&count) + cells(first_clause(&finding.sentence)) <= usize::from(room) {
            x = painter.put(x, y, &count, room, role);
        }
        let room = area.width.saturating_sub(x + more_width);
        let x = painter.put(x, y, whole_clauses(&finding.sentence, room), room, role);
        painter.put(x, y, &more, more_width, Role::Dim);
    }
}

/// Who, what and where: what is to be read before anything else.
fn first_clause(sentence: &str) -> &str {
    sentence.split(", ").next().unwrap_or(sentence)
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

fn calm(app: &App) -> (String, Role) {
    let (text, role) = match (&app.source_status, app.store.at().0) {
        (SourceStatus::Failed(_), 0) => ("no sample could be taken yet; conntop goes on trying", Role::Dim),
        (_, 0) => ("taking the first sample…", Role::Dim),
        _ if !app.panels.findings.has_looked() => ("looking…", Role::Dim),
        _ if app.panels.findings.ignored() > 0 => return (ignored(app.panels.findings.ignored()), Role::Good),
        _ => ("nothing wrong found", Role::Good),
    };
    (text.to_owned(), role)
}

/// What stands where nothing else is wrong than what the user has acknowledged.
fn ignored(count: usize) -> String {
    format!("nothing else wrong found; {count} ignored by config or --ignore")
}
