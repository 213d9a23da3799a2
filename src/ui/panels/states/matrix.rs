//! Which state followed which, per second over the last minute: as a table, or as a list of what happens most.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::states::{BY_LIFE, StateChange, busiest, is_possible};
use crate::model::tcp_state::TcpState;
use crate::store::history::transition_rates::TransitionRates;
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of the name at the left of a row, and of each column.
const NAME_WIDTH: u16 = 13;
const CELL_WIDTH: u16 = 6;
/// Cells of a line of the list: two names with an arrow between, a rate, and a gap.
const EDGE_WIDTH: u16 = 27;

const TITLE: &str = "Transitions per second, last minute";

fn places() -> impl Iterator<Item = Option<TcpState>> {
    BY_LIFE.iter().map(|state| Some(*state)).chain([None])
}

fn rate(edges: &TransitionRates, from: Option<TcpState>, to: Option<TcpState>) -> String {
    units::per_second(f64::from(edges.of(from, to)))
}

/// Draws the table: from the state at the left to the one on top.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let edges = app.store.history().transition_rates();
    let skipped = edges.as_ref().is_some_and(|edges| busiest(edges).iter().any(|change| !is_possible(*change)));
    let note = if skipped { " · * states in between were not seen" } else { "" };
    painter.rule(Rect { height: 1, ..area }, &format!("{TITLE} · from the left to the top{note}"));
    for (column, to) in (0_u16..).zip(places()) {
        let name = to.map_or("gone", |to| to.row().short);
        painter.right(cell_x(area, column), area.y + 1, name, CELL_WIDTH - 1, Role::Heading);
    }
    // What is opened comes first, what is gone last: rows and columns read as a life.
    let rows = [None].into_iter().chain(BY_LIFE.iter().map(|state| Some(*state)));
    for (from, y) in rows.zip(area.y + 2..area.bottom()) {
        let name = from.map_or("opened", TcpState::name);
        let role = from.map_or(Role::Text, |from| Role::of_phase(from.phase()));
        painter.put(area.x + 1, y, name, NAME_WIDTH, role);
        for (column, to) in (0_u16..).zip(places()) {
            draw_cell(painter, (cell_x(area, column), y), edges.as_ref(), StateChange { from, to });
        }
    }
}

fn cell_x(area: Rect, column: u16) -> u16 {
    area.x + 1 + NAME_WIDTH + column * CELL_WIDTH
}

fn draw_cell(painter: &mut Painter<'_>, (x, y): (u16, u16), edges: Option<&TransitionRates>, change: StateChange) {
    let (possible, StateChange { from, to }) = (is_possible(change), change);
    match edges.filter(|edges| edges.count(from, to) > 0) {
        Some(edges) => {
            painter.right(x, y, &rate(edges, from, to), CELL_WIDTH - 1, Role::Strong);
            let mark = if possible { "" } else { "*" };
            painter.put(x + CELL_WIDTH - 1, y, mark, 1, Role::Dim);
        }
        None => painter.right(x, y, if possible { "0" } else { "." }, CELL_WIDTH - 1, Role::Dim),
    }
}

/// Draws the busiest transitions, in as many columns as there is room for.
pub fn draw_busiest(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    painter.rule(Rect { height: 1, ..area }, TITLE);
    let Some(edges) = app.store.history().transition_rates() else { return };
    let columns = (area.width / EDGE_WIDTH).max(1);
    let width = (area.width / columns).min(EDGE_WIDTH + 6);
    let places = (0..columns).flat_map(|column| (area.y + 1..area.bottom()).map(move |y| (area.x + column * width, y)));
    for (StateChange { from, to }, (x, y)) in busiest(&edges).into_iter().zip(places) {
        let (before, after) = (from.map_or("opened", TcpState::name), to.map_or("gone", TcpState::name));
        let rate = rate(&edges, from, to);
        let room = (EDGE_WIDTH - 1).saturating_sub(u16::try_from(cells(&rate)).unwrap_or(0));
        painter.put(x, y, &format!("{before}→{after}"), room, Role::Text);
        painter.right(x, y, &rate, EDGE_WIDTH - 1, Role::Strong);
    }
}
