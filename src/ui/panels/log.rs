//! The transition log: a panel below the table, or a tab of its own, which shows the connections that have ended, too. Newest
//! first.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::panels::Panel;
use crate::app::panels::findings::mark;
use crate::app::panels::log::list::{LogLine, LogView};
use crate::app::panels::log::{
    LogPanel, below_table, change_text, counter_texts, lasted_text, lifetime_text, owner_text, short_change_text,
};
use crate::app::panels::table::{MARGIN_LEFT, MARGIN_RIGHT};
use crate::model::delta::Transition;
use crate::model::process::Names;
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

/// From this width on times have milliseconds and states their full names.
const FULL_WIDTH_MIN: u16 = 90;
/// From this width on both ends are shown; below it the other one, or ours where there is no other.
const BOTH_ENDS_WIDTH_MIN: u16 = 64;
const TIME_WIDTH: u16 = 12;
const SHORT_TIME_WIDTH: u16 = 8;
const CHANGE_WIDTH: u16 = 26;
const SHORT_CHANGE_WIDTH: u16 = 14;
const REASON_WIDTH: u16 = 20;
const SHORT_REASON_WIDTH: u16 = 14;
const LASTED_WIDTH: u16 = 8;
const BYTES_WIDTH: u16 = 9;
const AGAIN_WIDTH: u16 = 8;
const OWNER_WIDTH: u16 = 21;
const HOST_WIDTH_MAX: u16 = 16;
/// Most IPv4 endpoints in full.
const END_WIDTH_MIN: u16 = 17;
/// IPv4 endpoints in full.
const END_WIDTH_FULL: u16 = 21;
/// An IPv6 endpoint in full.
const END_WIDTH_MAX: u16 = 47;

/// Where the parts of a line stand: the same for every line.
#[expect(clippy::struct_excessive_bools, reason = "each is a part of a line of its own")]
struct LogPlaces {
    view: LogView,
    is_full: bool,
    has_both_ends: bool,
    end_width: u16,
    has_lasted: bool,
    has_counters: bool,
    has_owner: bool,
    /// Cells of the host; 0 where there is only one.
    host_width: u16,
}

impl LogPlaces {
    /// Where the screen is narrow, parts go: the counters first, then the owner, then how long it lasted; the ends share the rest,
    /// of which they need no more than `most`.
    fn of(view: LogView, width: u16, (most, host_width): (u16, u16)) -> Self {
        let is_full = width >= FULL_WIDTH_MIN;
        let has_both_ends = width >= BOTH_ENDS_WIDTH_MIN;
        let ends = if has_both_ends { 2 } else { 1 };
        let gaps = 2 * ends + u16::from(has_both_ends);
        let fixed = MARGIN_LEFT + time_width(is_full) + 1 + u16::from(is_full) + gaps + what_width(view, is_full);
        let mut left = width.saturating_sub(fixed + MARGIN_RIGHT + gap_after(host_width));
        let mut take = |wanted: u16, end_width: u16| {
            let has_room = left >= ends * end_width + wanted;
            left -= if has_room { wanted } else { 0 };
            has_room
        };
        let has_lasted = take(LASTED_WIDTH, END_WIDTH_MIN);
        let has_owner = take(OWNER_WIDTH, END_WIDTH_MIN);
        let has_counters = view == LogView::Closed && take(2 * BYTES_WIDTH + AGAIN_WIDTH, END_WIDTH_MIN);
        Self {
            view,
            is_full,
            has_both_ends,
            end_width: (left / ends).min(most),
            has_lasted,
            has_counters,
            has_owner,
            host_width,
        }
    }

    /// The columns that are shown: the title of each, and its width with the gap after it.
    fn columns(&self) -> Vec<(&'static str, u16)> {
        let time = time_width(self.is_full) + 1 + u16::from(self.is_full);
        let what = if self.view == LogView::Closed { "REASON" } else { "CHANGE" };
        let mut columns = vec![("TIME ▾", time)];
        columns.extend((self.host_width > 0).then_some(("HOST", gap_after(self.host_width))));
        columns.extend(self.has_both_ends.then_some(("LOCAL", self.end_width + 3)));
        columns.push(("REMOTE", self.end_width + 2));
        columns.push((what, what_width(self.view, self.is_full)));
        columns.extend(self.has_lasted.then_some(("LASTED", LASTED_WIDTH)));
        columns.extend(self.has_owner.then_some(("PROCESS", OWNER_WIDTH)));
        if self.has_counters {
            columns.extend([("RECEIVED", BYTES_WIDTH), ("SENT", BYTES_WIDTH), ("RETRANS", AGAIN_WIDTH)]);
        }
        columns
    }
}

const fn time_width(is_full: bool) -> u16 {
    if is_full { TIME_WIDTH } else { SHORT_TIME_WIDTH }
}

const fn what_width(view: LogView, is_full: bool) -> u16 {
    match (view, is_full) {
        (LogView::Changes, true) => CHANGE_WIDTH,
        (LogView::Changes, false) => SHORT_CHANGE_WIDTH,
        (LogView::Closed, true) => REASON_WIDTH,
        (LogView::Closed, false) => SHORT_REASON_WIDTH,
    }
}

/// Draws the newest entries below a table.
pub fn draw_below_table(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height == 0 {
        return;
    }
    let total = units::count(app.store.log().total());
    painter.rule(area, &format!("Log · {total} changes · ends of TIME_WAIT only in 8 Log"));
    let lines: Vec<LogLine<'_>> = below_table(&app.store, usize::from(area.height - 1)).map(LogLine::Change).collect();
    if lines.is_empty() {
        painter.put(MARGIN_LEFT, area.y + 1, "no change of state yet", area.width, Role::Dim);
    }
    let places = LogPlaces::of(LogView::Changes, area.width, widths(&lines, app));
    for (line, y) in lines.into_iter().zip(area.y + 1..area.bottom()) {
        draw_line(painter, (area.width, y), app, line, &places);
    }
}

/// Draws the tab.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &LogPanel) {
    let body = layout.body;
    let lines: Vec<_> = panel.window(&app.store, usize::from(body.height)).collect();
    let shown: Vec<LogLine<'_>> = lines.iter().map(|(_, line)| *line).collect();
    let places = LogPlaces::of(panel.view(), body.width, widths(&shown, app));
    draw_headings(painter, layout.columns, &places);
    if lines.is_empty() {
        painter.put(MARGIN_LEFT, body.y, &nothing(panel), body.width, Role::Dim);
    }
    for ((line, content), y) in lines.into_iter().zip(body.y..) {
        draw_line(painter, (body.width, y), app, content, &places);
        if panel.cursor.line() == Some(line) {
            painter.cursor(Rect { y, height: 1, ..body }, 1, panel.cursor.is_picked());
        }
    }
    scrollbar::draw(painter, body, panel.position(&app.panel_context()));
}

/// What stands where no line does.
fn nothing(panel: &LogPanel) -> String {
    let filter = panel.own_filter().map_or("", |filter| filter.text().trim());
    match (filter, panel.view()) {
        ("", LogView::Changes) => "no change of state yet".to_owned(),
        ("", LogView::Closed) => "no connection has ended yet · H shows every change".to_owned(),
        (filter, _) => format!("nothing in the log matches {filter} · Esc clears the filter"),
    }
}

/// The width of what is `width` cells wide, and of the gap after it.
const fn gap_after(width: u16) -> u16 {
    if width == 0 { 0 } else { width + 2 }
}

/// Cells of the widest end, and of the widest name of a host where there are several.
fn widths(lines: &[LogLine<'_>], app: &App) -> (u16, u16) {
    let names = app.store.names();
    let host = names.hosts.0.iter().map(|host| cells(host.name.as_str())).max().unwrap_or(0);
    (widest(lines, names), u16::try_from(host).unwrap_or(u16::MAX).min(HOST_WIDTH_MAX))
}

/// Cells of the widest end, in steps so that the columns seldom move.
fn widest(lines: &[LogLine<'_>], names: &Names) -> u16 {
    let ends = |line: &LogLine<'_>| {
        let entry = line.transition();
        [Some(entry.local_text(names)), entry.remote_text(names)]
    };
    let widest = lines.iter().flat_map(ends).flatten().map(|end| end.len()).max().unwrap_or(0);
    if widest <= usize::from(END_WIDTH_FULL) { END_WIDTH_FULL } else { END_WIDTH_MAX }
}

fn draw_headings(painter: &mut Painter<'_>, area: Rect, places: &LogPlaces) {
    let mut x = MARGIN_LEFT;
    for (title, width) in places.columns() {
        if is_number(title) {
            painter.right(x, area.y, title, width - 1, Role::Heading);
        } else {
            painter.put(x, area.y, title, width, Role::Heading);
        }
        x += width;
    }
}

/// Whether the column holds numbers, which stand at its right end.
fn is_number(title: &str) -> bool {
    matches!(title, "RECEIVED" | "SENT" | "RETRANS")
}

fn draw_line(painter: &mut Painter<'_>, (width, y): (u16, u16), app: &App, line: LogLine<'_>, places: &LogPlaces) {
    let entry = line.transition();
    let (sign, role) = sign(app, line);
    painter.put(0, y, sign, 1, role);
    let counters = match line {
        LogLine::Closed(closed) => counter_texts(closed),
        LogLine::Change(_) => Default::default(),
    };
    let mut x = MARGIN_LEFT;
    for (title, column) in places.columns() {
        let room = (column - 1).min(width.saturating_sub(x + MARGIN_RIGHT));
        match title {
            "LOCAL" => {
                let local = end_text(entry.local_text(app.store.names()), places.end_width);
                painter.put(x, y, &local, places.end_width, Role::Text);
                painter.put(
                    x + places.end_width + 1,
                    y,
                    "→",
                    u16::from(entry.remote_text(app.store.names()).is_some()),
                    Role::Dim,
                );
            }
            "HOST" => drop(painter.put(x, y, app.store.host_of(entry.id.netns()).as_str(), room - 1, Role::Text)),
            "REMOTE" => {
                let local = || (!places.has_both_ends).then(|| entry.local_text(app.store.names()));
                if let Some(end) = entry.remote_text(app.store.names()).or_else(local) {
                    painter.put(x, y, &end_text(end, places.end_width), places.end_width, Role::Text);
                }
            }
            "CHANGE" => {
                let phase = entry.to.or(entry.from).map_or(Role::Text, |state| Role::of_phase(state.phase()));
                let text = if places.is_full { change_text(entry) } else { short_change_text(entry) };
                painter.put(x, y, &text, room, phase);
            }
            "REASON" => drop(painter.put(x, y, &reason_text(line), room, Role::Text)),
            "LASTED" => drop(painter.put(x, y, &lasted(line), room, Role::Dim)),
            "PROCESS" => drop(painter.put(x, y, &owner_text(entry), room, Role::Text)),
            "RECEIVED" => painter.right(x, y, &counters[0], room, Role::Text),
            "SENT" => painter.right(x, y, &counters[1], room, Role::Text),
            "RETRANS" => painter.right(x, y, &counters[2], room, Role::Text),
            _ => {
                let time = app.time_of_day(entry.at);
                // `12:01:03.214`, or without the milliseconds.
                let shown = if places.is_full { &*time } else { time.split('.').next().unwrap_or(&time) };
                painter.put(x, y, shown, time_width(places.is_full), Role::Dim);
            }
        }
        x += column;
    }
}

/// How bad the finding is that the line belongs to, else what happened.
fn sign(app: &App, line: LogLine<'_>) -> (&'static str, Role) {
    let entry: &Transition = line.transition();
    match (app.panels.findings.of_entry(entry, &app.store), line, entry.from, entry.to) {
        (Some(severity), ..) => (mark(severity), Role::of(severity)),
        (None, LogLine::Closed(_), ..) | (None, _, _, None) => ("-", Role::Closed),
        (None, _, None, _) => ("+", Role::New),
        _ => ("~", Role::Changed),
    }
}

fn reason_text(line: LogLine<'_>) -> String {
    match line {
        LogLine::Closed(closed) => closed.reason().words().to_owned(),
        LogLine::Change(_) => String::new(),
    }
}

/// How long the state before lasted; of a connection that has ended, how long it was there.
fn lasted(line: LogLine<'_>) -> String {
    match line {
        LogLine::Change(entry) => lasted_text(entry),
        LogLine::Closed(closed) => lifetime_text(closed),
    }
}

fn end_text(text: String, width: u16) -> String {
    if cells(&text) <= usize::from(width) {
        return text;
    }
    crate::table::cut::cut_address(&text, text.rfind(':'), width).into_owned()
}
