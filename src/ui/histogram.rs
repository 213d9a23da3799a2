//! The shape of the states: name, count, bar, trend and flow of each; on small screens one line of words and small trends.
//! Lines stand in a fixed order, and those without room are one line together, so that nothing moves to and fro.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::click::ClickTarget;
use crate::app::flows::Rate;
use crate::app::layout::{Layout, StatesForm};
use crate::app::panels::findings::mark;
use crate::app::states::{BY_INTEREST, StateLine, largest};
use crate::app::tabs::Tab;
use crate::diagnosis::finding::Severity;
use crate::model::tcp_state::{Phase, TcpState};
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::bars::{bar, small_trend};
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of name, count and one flow.
const NAME_WIDTH: u16 = 11;
const COUNT_WIDTH: u16 = 8;
const FLOW_WIDTH: u16 = 8;
/// From this width on one line of words has room for names in full.
const NAMES_WIDTH_MIN: u16 = 60;
/// From this width on it has room for small trends of its first three states.
const TRENDS_WIDTH_MIN: u16 = 76;
/// Cells of such a trend.
const SMALL_TREND_WIDTH: u16 = 5;
/// Cells of a bar and of a trend at most.
const BAR_WIDTH_MAX: u16 = 60;

/// Draws it in the form that the layout chose.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    let area = layout.states;
    match layout.states_form {
        StatesForm::Hidden => {}
        StatesForm::Line => draw_line_of_words(painter, area, app),
        StatesForm::Panel => {
            painter.rule(area, &format!("States · {} · entering and leaving", app.graph_span().label()));
            painter.clickable(Rect { height: 1, ..area }, ClickTarget::Tab(Tab::States));
            draw_lines(painter, Rect { y: area.y + 1, height: area.height - 1, ..area }, app);
        }
    }
}

/// The colour of a line: that of its phase.
pub fn role(line: StateLine) -> Role {
    match line {
        StateLine::Tcp(state) => Role::of_phase(state.phase()),
        StateLine::Udp => Role::of_phase(Phase::Idle),
    }
}

/// How bad the worst finding about the state is.
pub fn alarm(app: &App, line: StateLine) -> Option<Severity> {
    match line {
        StateLine::Tcp(state) => app.panels.findings.concerns(state),
        StateLine::Udp => None,
    }
}

/// A line for each state, the last one for all that have none of their own.
fn draw_lines(painter: &mut Painter<'_>, area: Rect, app: &App) {
    let counts = app.store.rows().counts();
    let largest = largest(counts);
    let fixed = 1 + NAME_WIDTH + COUNT_WIDTH + 3 + 1 + 1 + 2 * (FLOW_WIDTH + 1);
    let free = area.width.saturating_sub(fixed);
    let trend_width = if app.has_trends() { free / 2 } else { 0 };
    let (trend_width, bar_width) = (trend_width.min(BAR_WIDTH_MAX), (free - trend_width).min(BAR_WIDTH_MAX));
    let height = usize::from(area.height);
    let own = if height >= BY_INTEREST.len() { BY_INTEREST.len() } else { height.saturating_sub(1) };
    for (line, y) in BY_INTEREST[..own].iter().zip(area.y..area.bottom()) {
        let x = area.x + 1;
        painter.clickable(Rect { y, height: 1, ..area }, ClickTarget::State(*line));
        draw_name_and_count(painter, (x, y), app, *line);
        let x = x + NAME_WIDTH + COUNT_WIDTH + 3;
        painter.put(x, y, &bar(line.count(counts), largest, bar_width), bar_width, role(*line));
        let x = x + bar_width + 1;
        painter.graph(x, y, &trend(app, *line, trend_width), trend_width, role(*line));
        draw_flow(painter, (x + trend_width + 1, y), app, *line);
    }
    if own < BY_INTEREST.len() && height > 0 {
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        draw_words(painter, line, app, &BY_INTEREST[own..], NAMES_WIDTH_MIN);
    }
}

/// Name and count, and a mark if the headline speaks of it.
pub fn draw_name_and_count(painter: &mut Painter<'_>, (x, y): (u16, u16), app: &App, line: StateLine) {
    let count = line.count(app.store.rows().counts());
    let alarm = alarm(app, line);
    let name = match (count, alarm) {
        (0, _) => Role::Dim,
        (_, Some(severity)) => Role::of(severity),
        (_, None) => role(line),
    };
    painter.put(x, y, line.name(), NAME_WIDTH, name);
    let number = if count == 0 { Role::Dim } else { Role::Strong };
    painter.right(x + NAME_WIDTH, y, &units::count(u64::from(count)), COUNT_WIDTH, number);
    if let Some(severity) = alarm {
        painter.put(x + NAME_WIDTH + COUNT_WIDTH + 1, y, mark(severity), 1, Role::of(severity));
    }
}

fn trend(app: &App, line: StateLine, width: u16) -> String {
    let parts = 2 * usize::from(width);
    small_trend(&app.store.history().trend(app.graph_span(), parts, |counts| line.count(counts)))
}

/// What enters and leaves the state.
pub fn draw_flow(painter: &mut Painter<'_>, (x, y): (u16, u16), app: &App, line: StateLine) {
    let StateLine::Tcp(state) = line else { return };
    let (into, out) = (app.flows.entering(state), app.flows.leaving(state));
    painter.right(x, y, &flow_text('+', into), FLOW_WIDTH, Role::Text);
    painter.right(x + FLOW_WIDTH + 1, y, &flow_text('−', out), FLOW_WIDTH, Role::Dim);
}

fn flow_text(sign: char, rate: Rate) -> String {
    match rate {
        Rate::Still => String::new(),
        Rate::PerSecond(count) => format!("{sign}{}/s", units::count(u64::from(count))),
        Rate::PerMinute(count) => format!("{sign}{}/min", units::count(u64::from(count))),
    }
}

/// `EST 461 ⣀⣠⣤⣴⣶ · CLOSE_WAIT 314△⣀⣀⣠⣤⣶ · TIME_WAIT 1,187 ⣤⣤⣶⣶ · LISTEN 20▲ · 5 others 32`.
fn draw_line_of_words(painter: &mut Painter<'_>, area: Rect, app: &App) {
    draw_words(painter, area, app, &BY_INTEREST, area.width);
}

/// As many of `lines` as there is room for that have a socket or a finding, and at the end how many others there are with how
/// many sockets. `screen_width` decides how their names are written.
fn draw_words(painter: &mut Painter<'_>, area: Rect, app: &App, lines: &[StateLine], screen_width: u16) {
    let counts = app.store.rows().counts();
    let is_shown = |line: &&StateLine| line.count(counts) > 0 || alarm(app, **line).is_some();
    let words: Vec<StateWord> =
        lines.iter().filter(is_shown).map(|line| StateWord::of(app, *line, screen_width)).collect();
    let total: u64 = lines.iter().map(|line| u64::from(line.count(counts))).sum();
    let (mut x, mut shown, mut told) = (area.x + 1, 0, 0);
    let gap_text = if screen_width < NAMES_WIDTH_MIN { " " } else { GAP };
    for word in &words {
        let others = others_text(lines.len() - shown - 1, total - told - word.count);
        let gap = if shown > 0 { gap_text } else { "" };
        let needed = cells(gap) + word.width() + if others.is_empty() { 0 } else { cells(gap_text) + cells(&others) };
        if x + u16::try_from(needed).unwrap_or(u16::MAX) > area.right() {
            break;
        }
        x = painter.put(x, area.y, gap, area.width, Role::Dim);
        x = word.draw(painter, (x, area.y), app);
        (shown, told) = (shown + 1, told + word.count);
    }
    let others = others_text(lines.len() - shown, total - told);
    let gap = if shown > 0 && !others.is_empty() { gap_text } else { "" };
    x = painter.put(x, area.y, gap, area.width, Role::Dim);
    let end = painter.put(x, area.y, &others, area.right().saturating_sub(x), Role::Dim);
    painter.clickable(Rect { x, width: end - x, height: 1, ..area }, ClickTarget::Tab(Tab::States));
}

const GAP: &str = " · ";

/// `5 others 32`: so many states with so many sockets.
fn others_text(states: usize, sockets: u64) -> String {
    match states {
        0 => String::new(),
        1 => format!("1 other {}", units::count(sockets)),
        _ => format!("{states} others {}", units::count(sockets)),
    }
}

/// A state in a line of words.
struct StateWord {
    line: StateLine,
    name: &'static str,
    count: u64,
    alarm: Option<Severity>,
    trend_width: u16,
}

impl StateWord {
    fn of(app: &App, line: StateLine, screen_width: u16) -> Self {
        use TcpState::{CloseWait, Established, TimeWait};
        let name = match line {
            StateLine::Tcp(state) if state == Established || screen_width < NAMES_WIDTH_MIN => state.row().short,
            _ => line.name(),
        };
        let has_trend = matches!(line, StateLine::Tcp(Established | CloseWait | TimeWait));
        let has_room = screen_width >= TRENDS_WIDTH_MIN && app.has_trends();
        let trend_width = if has_trend && has_room { SMALL_TREND_WIDTH } else { 0 };
        let count = u64::from(line.count(app.store.rows().counts()));
        Self { line, name, count, alarm: alarm(app, line), trend_width }
    }

    fn width(&self) -> usize {
        let trend = if self.trend_width > 0 { 1 + usize::from(self.trend_width) } else { 0 };
        cells(self.name) + 1 + cells(&units::count(self.count)) + usize::from(self.alarm.is_some()) + trend
    }

    fn draw(&self, painter: &mut Painter<'_>, (x, y): (u16, u16), app: &App) -> u16 {
        let (name_role, count_role) = match (self.count, self.alarm) {
            (0, None) => (Role::Dim, Role::Dim),
            (_, Some(severity)) => (Role::of(severity), Role::of(severity)),
            (_, None) => (role(self.line), Role::Strong),
        };
        let start = x;
        let x = painter.put(x, y, self.name, NAME_WIDTH, name_role) + 1;
        let mut x = painter.put(x, y, &units::count(self.count), COUNT_WIDTH, count_role);
        if let Some(severity) = self.alarm {
            x = painter.put(x, y, mark(severity), 1, Role::of(severity));
        }
        if self.trend_width > 0 {
            painter.graph(x + 1, y, &trend(app, self.line, self.trend_width), self.trend_width, role(self.line));
            x += 1 + self.trend_width;
        }
        painter.clickable(Rect::new(start, y, x - start, 1), ClickTarget::State(self.line));
        x
    }
}
