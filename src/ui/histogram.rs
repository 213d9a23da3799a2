//! The shape of the states: name, count, bar, trend and flow of each; on small screens two lines of words.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::flows::Rate;
use crate::app::layout::{Layout, StatesForm};
use crate::app::panels::findings::mark;
use crate::app::states::{STATE_LINES, StateLine, largest};
use crate::diagnosis::finding::Severity;
use crate::model::tcp_state::{Phase, TcpState};
use crate::store::history::trend::ChartSpan;
use crate::table::units;
use crate::ui::bars::{bar, chart};
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of name, count and one flow.
const NAME_WIDTH: u16 = 11;
const COUNT_WIDTH: u16 = 8;
const FLOW_WIDTH: u16 = 8;
/// From this width on two lines of words have room for every name in full.
const WORDS_WIDTH_MIN: u16 = 110;

/// Draws it in the form that the layout chose.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    let area = layout.states;
    match layout.states_form {
        StatesForm::Hidden => {}
        StatesForm::Words => draw_words(painter, area, app),
        StatesForm::OneColumn => {
            painter.rule(area, "States · trend over 2 minutes · entering and leaving");
            draw_lines(painter, Rect { y: area.y + 1, height: area.height - 1, ..area }, app, &STATE_LINES);
        }
        StatesForm::TwoColumns => {
            painter.rule(area, "States · trend over 2 minutes · entering and leaving");
            let (left, right) = STATE_LINES.split_at(STATE_LINES.len() / 2);
            let half = area.width / 2;
            let inside = Rect { y: area.y + 1, height: area.height - 1, width: half, ..area };
            draw_lines(painter, inside, app, left);
            draw_lines(painter, Rect { x: half, width: area.width - half, ..inside }, app, right);
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

fn draw_lines(painter: &mut Painter<'_>, area: Rect, app: &App, lines: &[StateLine]) {
    let counts = app.store.rows().counts();
    let largest = largest(counts);
    let fixed = 1 + NAME_WIDTH + COUNT_WIDTH + 3 + 1 + 1 + 2 * (FLOW_WIDTH + 1);
    let free = area.width.saturating_sub(fixed);
    let (bar_width, trend_width) = (free.div_ceil(2).min(60), (free / 2).min(60));
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        let x = area.x + 1;
        draw_name_and_count(painter, (x, y), app, *line);
        let x = x + NAME_WIDTH + COUNT_WIDTH + 3;
        painter.put(x, y, &bar(line.count(counts), largest, bar_width), bar_width, role(*line));
        let x = x + bar_width + 1;
        painter.put(x, y, &trend(app, *line, usize::from(trend_width)), trend_width, role(*line));
        draw_flow(painter, (x + trend_width + 1, y), app, *line);
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

fn trend(app: &App, line: StateLine, width: usize) -> String {
    let values = app.store.history().trend(ChartSpan::Short, width, |counts| line.count(counts));
    chart(&values, 1).pop().unwrap_or_default()
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

/// `LISTEN 42 · ESTABLISHED 2,310` over `FW2 31 · CLOSE_WAIT 312▲ · TIME_WAIT 1,204`, always in the same order.
fn draw_words(painter: &mut Painter<'_>, area: Rect, app: &App) {
    let (open, ending) = STATE_LINES.split_at(STATE_LINES.len() / 2);
    for (lines, y) in [open, ending].into_iter().zip(area.y..area.bottom()) {
        draw_word_line(painter, Rect { y, height: 1, ..area }, app, lines);
    }
}

fn draw_word_line(painter: &mut Painter<'_>, area: Rect, app: &App, lines: &[StateLine]) {
    let counts = app.store.rows().counts();
    let mut x = area.x + 1;
    for (at, line) in lines.iter().enumerate() {
        let count = line.count(counts);
        let alarm = alarm(app, *line);
        let (name_role, count_role) = match (count, alarm) {
            (0, _) => (Role::Dim, Role::Dim),
            (_, Some(severity)) => (Role::of(severity), Role::of(severity)),
            (_, None) => (role(*line), Role::Strong),
        };
        x = if at > 0 { painter.put(x, area.y, " · ", area.width, Role::Dim) } else { x };
        x = painter.put(x, area.y, word(*line, area.width), NAME_WIDTH, name_role) + 1;
        x = painter.put(x, area.y, &units::count(u64::from(count)), COUNT_WIDTH, count_role);
        if let Some(severity) = alarm {
            x = painter.put(x, area.y, mark(severity), 1, Role::of(severity));
        }
    }
}

/// The name in full where it is one of the four that matter most or where all have room, else its short form. Does not
/// depend on the counts, so that nothing moves to and fro.
const fn word(line: StateLine, width: u16) -> &'static str {
    match line {
        StateLine::Tcp(TcpState::Listen | TcpState::Established | TcpState::CloseWait | TcpState::TimeWait) => {
            line.name()
        }
        StateLine::Tcp(state) if width < WORDS_WIDTH_MIN => state.row().short,
        _ => line.name(),
    }
}
