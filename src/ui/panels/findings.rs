//! The findings tab: the list, and below it what there is to say about the selected one. Where nothing is wrong: who
//! looked, and at what.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::panels::Panel;
use crate::app::panels::findings::{FindingLine, FindingsPanel, columns, findings_layout, lines, mark, title};
use crate::app::prose::{ProseColumn, ProseLine};
use crate::app::scroll::Scroll;
use crate::diagnosis::rule::Rule;
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::painter::Painter;
use crate::ui::prose;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

/// Cells of the columns of the list; the sentence takes the rest.
const MARK_WIDTH: u16 = 2;
const SEVERITY_WIDTH: u16 = 9;
/// As wide as the longest name of a rule.
const TITLE_WIDTH: u16 = 32;
/// Cells between the name of the rule and the sentence.
const GAP: u16 = 2;
const SINCE_WIDTH: u16 = 7;
const SLOPE_WIDTH: u16 = 11;
/// From these widths on the list names the rules, and how fast they grow (the sentence says it where it matters).
const TITLE_WIDTH_MIN: u16 = 150;
const SLOPE_WIDTH_MIN: u16 = 100;

/// Where the columns of the list stand.
struct ListPlaces {
    title: Option<u16>,
    sentence: u16,
    since: u16,
    slope: u16,
}

impl ListPlaces {
    const fn of(width: u16) -> Self {
        let first = 1 + MARK_WIDTH + SEVERITY_WIDTH + 1;
        let width_left = width.saturating_sub(1);
        let slope = width_left.saturating_sub(if width < SLOPE_WIDTH_MIN { 0 } else { SLOPE_WIDTH + 1 });
        let with_title = width >= TITLE_WIDTH_MIN;
        Self {
            title: if with_title { Some(first) } else { None },
            sentence: if with_title { first + TITLE_WIDTH + GAP } else { first },
            since: slope.saturating_sub(SINCE_WIDTH + 1),
            slope,
        }
    }
}

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &FindingsPanel) {
    if panel.is_empty() {
        return draw_empty(painter, layout.body, app, panel);
    }
    let (body, places) = (layout.body, ListPlaces::of(layout.body.width));
    draw_headings(painter, layout.columns, &places);
    let areas = findings_layout(body, panel.len());
    for (line, y) in lines(panel, app.store.at(), usize::from(areas.list.height)).zip(areas.list.y..) {
        draw_line(painter, Rect { y, height: 1, ..body }, &places, &line);
    }
    scrollbar::draw(painter, areas.list, panel.position(&app.panel_context()));
    draw_text(painter, areas.rule, areas.text, app, panel);
}

fn draw_headings(painter: &mut Painter<'_>, area: Rect, places: &ListPlaces) {
    if area.height == 0 {
        return;
    }
    painter.put(1 + MARK_WIDTH, area.y, "SEVERITY", SEVERITY_WIDTH, Role::Heading);
    if let Some(x) = places.title {
        painter.put(x, area.y, "RULE", TITLE_WIDTH, Role::Heading);
    }
    painter.put(places.sentence, area.y, "WHAT", 4, Role::Heading);
    painter.right(places.since, area.y, "SINCE", SINCE_WIDTH, Role::Heading);
    if area.width >= SLOPE_WIDTH_MIN {
        painter.right(places.slope, area.y, "GROWTH", SLOPE_WIDTH, Role::Heading);
    }
}

fn draw_line(painter: &mut Painter<'_>, area: Rect, places: &ListPlaces, line: &FindingLine<'_>) {
    let (y, role) = (area.y, Role::of(line.severity));
    painter.put(1, y, mark(line.severity), MARK_WIDTH, role);
    painter.put(1 + MARK_WIDTH, y, line.severity.label(), SEVERITY_WIDTH, role);
    if let Some(x) = places.title {
        painter.put(x, y, line.title, TITLE_WIDTH, Role::Strong);
    }
    let room = places.since.saturating_sub(places.sentence + 1);
    painter.put(places.sentence, y, line.sentence, room, Role::Text);
    painter.right(places.since, y, &line.since, SINCE_WIDTH, Role::Text);
    if area.width >= SLOPE_WIDTH_MIN {
        painter.right(places.slope, y, &line.slope, SLOPE_WIDTH, Role::Text);
    }
    if let Some(is_picked) = line.cursor {
        painter.cursor(area, 0, is_picked);
    }
}

/// The text, with a word at the end of the line above it if it goes on below the screen.
fn draw_text(painter: &mut Painter<'_>, rule: Rect, area: Rect, app: &App, panel: &FindingsPanel) {
    let Some(finding) = panel.selected_finding() else { return };
    let columns = columns(finding, &app.panel_context(), area.width);
    if rule.height > 0 {
        painter.rule(rule, title(finding.rule()));
        let lines = columns.iter().map(|column| column.lines.len()).max().unwrap_or(0);
        let below = lines.saturating_sub(panel.scroll.first() + usize::from(area.height));
        let more = if below > 0 { format!(" {below} more lines: PgDn ") } else { String::new() };
        painter.right(rule.x, rule.y, &more, rule.width.saturating_sub(2), Role::Dim);
    }
    prose::draw(painter, area, &columns, panel.scroll, None);
}

/// Nothing is wrong, or nothing is known yet.
fn draw_empty(painter: &mut Painter<'_>, body: Rect, app: &App, panel: &FindingsPanel) {
    if !panel.has_looked() {
        let text = "looking…";
        return center(painter, body, body.y + body.height / 3, text, Role::Dim);
    }
    let top = body.y + (body.height / 5).min(3);
    center(painter, body, top, "nothing wrong found", Role::Good);
    let sockets = units::count(u64::from(panel.sockets()));
    let looked = format!("{} rules looked at {sockets} sockets", Rule::ALL.len());
    center(painter, body, top + 1, &looked, Role::Dim);
    let ignored = panel.ignored();
    if ignored > 0 {
        let text = format!("{ignored} ignored, by [[ignore]] in the config file or --ignore");
        center(painter, body, top + 3, &text, Role::Dim);
    }
    let hidden = app.store.coverage().owners_hidden;
    if hidden > 0 {
        let text = format!(
            "{} owners are hidden: need root; what they leak is judged without a name",
            units::count(hidden.into())
        );
        center(painter, body, top + 2, &text, Role::Dim);
    }
    let rules = top + if ignored > 0 { 5 } else { 4 };
    draw_rules(painter, Rect { y: rules, height: body.bottom().saturating_sub(rules), ..body });
}

/// What was looked for, in as many columns as there is room for.
fn draw_rules(painter: &mut Painter<'_>, area: Rect) {
    let titles: Vec<&str> = Rule::ALL.iter().map(|rule| title(*rule)).collect();
    let count = usize::from((area.width / 30).clamp(1, 3));
    let width = area.width.saturating_sub(4) / u16::try_from(count).unwrap_or(1);
    let lines = titles.len().div_ceil(count);
    let height = usize::from(area.height);
    // What does not fit is told in the last line.
    let shown = if lines > height { height.saturating_sub(1) } else { lines };
    let listed: usize = titles.chunks(lines).map(|titles| titles.len().min(shown)).sum();
    let columns: Vec<ProseColumn> = titles
        .chunks(lines)
        .zip(0..)
        .map(|(titles, at)| ProseColumn {
            x: 2 + at * width,
            width: width.saturating_sub(1),
            lines: titles
                .iter()
                .take(shown)
                .map(|title| ProseLine::Item("✓".to_owned(), (*title).to_owned()))
                .collect(),
        })
        .collect();
    prose::draw(painter, area, &columns, Scroll::default(), None);
    if listed < titles.len() && area.height > 0 {
        let more = format!("and {} more rules", titles.len() - listed);
        painter.put(area.x + 2, area.bottom() - 1, &more, area.width.saturating_sub(3), Role::Dim);
    }
}

fn center(painter: &mut Painter<'_>, body: Rect, y: u16, text: &str, role: Role) {
    if y < body.bottom() {
        let width = u16::try_from(cells(text)).unwrap_or(u16::MAX).min(body.width);
        painter.put(body.x + (body.width - width) / 2, y, text, width, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_every_rule_has_room() {
        for rule in Rule::ALL.iter().copied() {
            assert!(cells(title(rule)) <= usize::from(TITLE_WIDTH), "{}", title(rule));
        }
    }
}
