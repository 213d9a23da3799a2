//! The lines below the first: what is wrong, the worst first.

use ratatui::layout::Rect;

use crate::app::panels::findings::{mark, since_text, title};
use crate::app::{App, SourceStatus};
use crate::diagnosis::finding::Finding;
use crate::table::cut::cells;
use crate::table::folded::columns::trend_text;
use crate::table::folded::view::short_cause;
use crate::table::units;
use crate::ui::bars::bar;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Below this width the sentence needs the room of what else is told, and only the number of problems stands beside the mark.
const MORE_WIDTH_MIN: u16 = 60;
/// From this width on there is room for a bar or a trend, and for how long it lasts.
const MEASURES_WIDTH_MIN: u16 = 120;
/// Cells of a bar or a trend.
const BAR_WIDTH: u16 = 10;
/// Cells of how long it lasts: `since ≥1h14m`.
const SINCE_WIDTH: u16 = 13;
/// So many programs are named at least, the last of them by a word.
const NAMED: usize = 3;

/// Draws it: a line for each program, with its worst finding, as far as there is room; the last line names those that have none.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    let findings = &app.panels.findings;
    if findings.is_empty() {
        let (text, role) = calm(app);
        painter.put(1, area.y, &text, area.width.saturating_sub(2), role);
        return;
    }
    let told = findings.by_culprit(usize::from(area.height));
    for (at, finding) in told.iter().enumerate() {
        let line = Rect { y: area.y + u16::try_from(at).unwrap_or(u16::MAX), height: 1, ..area };
        let more = if at + 1 == told.len() { More::of(app, &told) } else { More::default() };
        draw_finding(painter, line, app, finding, &more);
    }
}

/// What stands after the last line: who else is in trouble, and how many more problems there are.
#[derive(Default)]
struct More<'a> {
    named: Vec<&'a Finding>,
    /// Problems that have no line of their own, those that are named among them.
    count: usize,
    total: usize,
}

impl<'a> More<'a> {
    fn of(app: &'a App, told: &[&Finding]) -> Self {
        let findings = &app.panels.findings;
        let named = findings.by_culprit(NAMED).into_iter().skip(told.len()).collect();
        Self { named, count: findings.total() - told.len(), total: findings.total() }
    }

    /// ` · △ log-shipper not reading · 6: 4 more`, with as many names as fit into `room` cells.
    fn text(&self, room: usize) -> String {
        let tail = |count: usize| if count == 0 { String::new() } else { format!(" · 6: {count} more") };
        let mut text = String::new();
        let mut left = self.count;
        for finding in &self.named {
            let name = format!(" · {} {}", mark(finding.severity), in_short(finding));
            if cells(&text) + cells(&name) + cells(&tail(left - 1)) > room {
                break;
            }
            text.push_str(&name);
            left -= 1;
        }
        text + &tail(left)
    }
}

/// Who and why, in a few words.
fn in_short(finding: &Finding) -> String {
    let cause = short_cause(finding.why, title(finding.rule()));
    finding.program.as_ref().map_or_else(|| cause.to_string(), |program| format!("{program} {cause}"))
}

fn draw_finding(painter: &mut Painter<'_>, line: Rect, app: &App, finding: &Finding, more: &More<'_>) {
    let role = Role::of(finding.severity);
    let mut x = painter.put(1, line.y, mark(finding.severity), line.width, role);
    let right = if line.width >= MEASURES_WIDTH_MIN {
        draw_measures(painter, line, app, finding);
        line.width - (BAR_WIDTH + 2 + SINCE_WIDTH + 2)
    } else {
        line.width
    };
    let is_narrow = line.width < MORE_WIDTH_MIN;
    if is_narrow && more.total > 1 {
        x = painter.put(x, line.y, &units::count(more.total as u64), line.width, role);
    }
    x += 1;
    let room = usize::from(right.saturating_sub(x));
    let first = cells(first_clause(&finding.sentence)).min(room);
    let more = if is_narrow { String::new() } else { more.text(room - first) };
    let more_width = u16::try_from(cells(&more)).unwrap_or(0);
    let room = right.saturating_sub(x + more_width);
    let clauses = whole_clauses(&finding.sentence, room);
    let text = if is_narrow { whole_words(clauses, room) } else { clauses };
    let x = painter.put(x, line.y, text, room, role);
    painter.put(x, line.y, &more, more_width, Role::Dim);
}

/// How full it is as a bar, else how many sockets there were as a trend; and at the right end for how long it lasts.
fn draw_measures(painter: &mut Painter<'_>, line: Rect, app: &App, finding: &Finding) {
    let role = Role::of(finding.severity);
    let x = line.width - (BAR_WIDTH + 2 + SINCE_WIDTH + 1);
    match (app.share_of(finding), app.trend_of(finding)) {
        (Some((part, whole)), _) => {
            painter.put(x, line.y, &bar(part.min(whole), whole, BAR_WIDTH), BAR_WIDTH, role);
        }
        (None, Some(trend)) if painter.has_graphs() => painter.right(x, line.y, &trend_text(&trend), BAR_WIDTH, role),
        (None, _) => {}
    }
    let since = since_text(finding, app.store.at());
    if !since.is_empty() {
        painter.right(x + BAR_WIDTH + 2, line.y, &format!("since {since}"), SINCE_WIDTH, Role::Dim);
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

/// As many words of `text` as fit, if those are most of what would fit.
fn whole_words(text: &str, width: u16) -> &str {
    let mut kept = text;
    while cells(kept) > usize::from(width) {
        let Some((shorter, _)) = kept.rsplit_once(' ') else { return text };
        kept = shorter;
    }
    if cells(kept) * 4 < usize::from(width) * 3 { text } else { kept }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_line_ends_with_a_word_and_a_wide_one_with_a_clause() {
        assert_eq!(
            whole_words("jdbc-pool[4121] leaks 120 CLOSE_WAIT to 10.0.0.20:5432", 36),
            "jdbc-pool[4121] leaks 120 CLOSE_WAIT"
        );
        assert_eq!(whole_words("a verylongwordwithoutanend", 12), "a verylongwordwithoutanend", "cut by the painter");
        assert_eq!(whole_clauses("a leaks to b, +4/min, oldest 3m", 21), "a leaks to b, +4/min");
    }
}
