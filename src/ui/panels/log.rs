//! The transition log: a panel below the table, or a tab of its own. Newest first.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::panels::Panel;
use crate::app::panels::findings::mark;
use crate::app::panels::log::{LogPanel, below_table, change_text, lasted_text, owner_text};
use crate::app::panels::table::MARGIN_LEFT;
use crate::model::delta::Transition;
use crate::model::process::Names;
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

const TIME_WIDTH: u16 = 12;
const CHANGE_WIDTH: u16 = 26;
const LASTED_WIDTH: u16 = 8;
const OWNER_WIDTH: u16 = 21;
/// Most IPv4 endpoints in full.
const END_WIDTH_MIN: u16 = 17;
/// An IPv6 endpoint in full.
const END_WIDTH_MAX: u16 = 47;

/// Where the parts of a line stand: the same for every line.
struct LogPlaces {
    end_width: u16,
    lasted: bool,
    owner: bool,
}

impl LogPlaces {
    /// Parts go when the screen is narrow: first the owner, then how long the state lasted; the ends share the rest.
    fn of(width: u16, most: u16) -> Self {
        let room = width.saturating_sub(MARGIN_LEFT + TIME_WIDTH + 2 + CHANGE_WIDTH + 2 + 3);
        let lasted = room >= 2 * END_WIDTH_MIN + LASTED_WIDTH;
        let left = room.saturating_sub(if lasted { LASTED_WIDTH } else { 0 });
        let owner = left >= 2 * END_WIDTH_MIN + OWNER_WIDTH;
        let left = left.saturating_sub(if owner { OWNER_WIDTH } else { 0 });
        Self { end_width: (left / 2).min(most), lasted, owner }
    }
}

/// Draws the newest entries below a table.
pub fn draw_below_table(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height == 0 {
        return;
    }
    let total = units::count(app.store.log().total());
    painter.rule(area, &format!("Log · {total} changes · ends of TIME_WAIT only in 8 Log"));
    let lines: Vec<&Transition> = below_table(&app.store, usize::from(area.height - 1)).collect();
    if lines.is_empty() {
        painter.put(MARGIN_LEFT, area.y + 1, "no change of state yet", area.width, Role::Dim);
    }
    let places = LogPlaces::of(area.width, widest(&lines, app.store.names()));
    for (entry, y) in lines.into_iter().zip(area.y + 1..area.bottom()) {
        draw_entry(painter, (area.width, y), app, entry, &places);
    }
}

/// Draws the tab.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &LogPanel) {
    let body = layout.body;
    let entries: Vec<_> = panel.window(&app.store, usize::from(body.height)).collect();
    let lines: Vec<&Transition> = entries.iter().map(|(_, entry)| *entry).collect();
    let places = LogPlaces::of(body.width, widest(&lines, app.store.names()));
    draw_headings(painter, layout.columns, &places);
    if entries.is_empty() {
        painter.put(MARGIN_LEFT, body.y, "no change of state yet", body.width, Role::Dim);
    }
    for ((line, entry), y) in entries.into_iter().zip(body.y..) {
        draw_entry(painter, (body.width, y), app, entry, &places);
        if panel.cursor.line() == Some(line) {
            painter.cursor(Rect { y, height: 1, ..body }, 1, panel.cursor.is_picked());
        }
    }
    scrollbar::draw(painter, body, panel.position(&app.panel_context()));
}

/// Cells of the widest end, in steps so that the columns seldom move.
fn widest(entries: &[&Transition], names: &Names) -> u16 {
    let ends = entries.iter().flat_map(|entry| [Some(entry.local_text(names)), entry.remote_text(names)]);
    let widest = ends.flatten().map(|end| end.len()).max().unwrap_or(0);
    if widest <= 21 { 21 } else { END_WIDTH_MAX }
}

fn draw_headings(painter: &mut Painter<'_>, area: Rect, places: &LogPlaces) {
    let mut x = MARGIN_LEFT;
    for (title, width) in columns(places) {
        painter.put(x, area.y, title, width, Role::Heading);
        x += width;
    }
}

/// The columns that are shown: the title of each and its width.
fn columns(places: &LogPlaces) -> impl Iterator<Item = (&'static str, u16)> {
    let always = [
        ("TIME ▾", TIME_WIDTH + 2),
        ("LOCAL", places.end_width + 3),
        ("REMOTE", places.end_width + 2),
        ("CHANGE", CHANGE_WIDTH),
    ];
    let lasted = places.lasted.then_some(("LASTED", LASTED_WIDTH));
    let owner = places.owner.then_some(("PROCESS", OWNER_WIDTH));
    always.into_iter().chain(lasted).chain(owner)
}

fn draw_entry(painter: &mut Painter<'_>, (width, y): (u16, u16), app: &App, entry: &Transition, places: &LogPlaces) {
    let mark = match (app.panels.findings.of_entry(entry, &app.store), entry.from, entry.to) {
        (Some(severity), ..) => (mark(severity), Role::of(severity)),
        (None, _, None) => ("-", Role::Closed),
        (None, None, _) => ("+", Role::New),
        _ => ("~", Role::Changed),
    };
    painter.put(0, y, mark.0, 1, mark.1);
    let mut x = MARGIN_LEFT;
    painter.put(x, y, &app.time_of_day(entry.at), TIME_WIDTH, Role::Dim);
    x += TIME_WIDTH + 2;
    let names = app.store.names();
    painter.put(x, y, &end_text(entry.local_text(names), places.end_width), places.end_width, Role::Text);
    x += places.end_width + 3;
    if let Some(remote) = entry.remote_text(names) {
        painter.put(x - 2, y, "→", 1, Role::Dim);
        painter.put(x, y, &end_text(remote, places.end_width), places.end_width, Role::Text);
    }
    x += places.end_width + 2;
    let phase = entry.to.or(entry.from).map_or(Role::Text, |state| Role::of_phase(state.phase()));
    painter.put(x, y, &change_text(entry), CHANGE_WIDTH.saturating_sub(1), phase);
    x += CHANGE_WIDTH;
    if places.lasted {
        painter.put(x, y, &lasted_text(entry), LASTED_WIDTH, Role::Dim);
        x += LASTED_WIDTH;
    }
    if places.owner {
        painter.put(x, y, &owner_text(entry), width.saturating_sub(x + 1).min(OWNER_WIDTH), Role::Text);
    }
}

fn end_text(text: String, width: u16) -> String {
    if cells(&text) <= usize::from(width) {
        return text;
    }
    crate::table::cut::cut_address(&text, text.rfind(':'), width).into_owned()
}
