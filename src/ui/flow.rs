//! Graphs of what moves: payload received and sent, sockets opened and closed, each from zero to the highest that it shows.
//!
//! A column stands for a part of the time that is shown, and is as high as the highest sample of it. Parts begin at multiples of
//! their length, so between two parts only the newest column changes: a quiet screen writes a few cells a second, and all of a
//! graph moves once in some seconds.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::click::ClickTarget;
use crate::model::event::EventSourceStatus;
use crate::store::history::flow::{EVENT_PARTS, FlowMeasure};
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::bars::graph;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of what stands left of a graph.
const LABEL_WIDTH: u16 = 22;

/// One graph.
struct FlowGraph {
    measure: FlowMeasure,
    /// What it shows, in the room of the graph while nothing is known yet.
    about: &'static str,
    role: Role,
}

const GRAPHS: [FlowGraph; 4] = [
    FlowGraph { measure: FlowMeasure::Received, about: "payload received by all connections", role: Role::Accent },
    FlowGraph { measure: FlowMeasure::Sent, about: "payload sent by all connections", role: Role::Accent },
    FlowGraph { measure: FlowMeasure::Opened, about: "sockets opened, TCP and UDP", role: Role::New },
    FlowGraph { measure: FlowMeasure::Closed, about: "sockets closed, TCP and UDP", role: Role::Changed },
];

/// What is said where its title is clicked.
const FLOW: &str =
    "what moves on the whole machine, one column a sample, the newest at the right; tab 5 has the states";

/// Draws them.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height == 0 {
        return;
    }
    painter.rule(area, &format!("Flow · {}{}", app.graph_span().label(), reset_text(app)));
    painter.clickable(Rect { height: 1, ..area }, ClickTarget::Says(FLOW));
    let mut y = area.y + 1;
    for (graph, height) in GRAPHS.iter().zip(heights(area.height - 1)) {
        if y + height > area.bottom() {
            break;
        }
        draw_graph(painter, Rect { y, height, ..area }, app, graph);
        y += height;
    }
}

/// The heights of the graphs in `rows` lines: those of payload are higher.
fn heights(rows: u16) -> [u16; 4] {
    let events = (rows / 6).max(1);
    let payload = (rows.saturating_sub(2 * events) / 2).max(1);
    [payload, payload, events, events]
}

/// How many connections are reset, where the kernel tells how they end.
fn reset_text(app: &App) -> String {
    let is_told = app.store.event_status().trace == EventSourceStatus::On || app.flows.reset() > 0.0;
    if is_told { format!(" · reset {}/s", units::per_second(app.flows.reset())) } else { String::new() }
}

fn draw_graph(painter: &mut Painter<'_>, area: Rect, app: &App, of: &FlowGraph) {
    let width = area.width.saturating_sub(LABEL_WIDTH + 2);
    let values = app.store.history().flow(app.graph_span(), 2 * usize::from(width), of.measure);
    let most = values.iter().flatten().copied().max();
    draw_label(painter, area, app, (of, most));
    let x = area.x + 1 + LABEL_WIDTH;
    for (row, y) in graph(&values, usize::from(area.height)).iter().zip(area.y..area.bottom()) {
        painter.graph(x, y, row, width, of.role);
    }
    let blank = values.iter().take_while(|value| value.is_none()).count() / 2;
    if blank > cells(of.about) || !painter.has_graphs() {
        painter.put(x, area.y, of.about, width, Role::Dim);
    }
}

/// What it is now and what it was at most; in one line where the graph is one line high.
fn draw_label(painter: &mut Painter<'_>, area: Rect, app: &App, (of, most): (&FlowGraph, Option<u64>)) {
    let most = most.map(|most| most_text(of.measure, most));
    let x = painter.put(area.x + 1, area.y, &now_text(app, of.measure), LABEL_WIDTH, Role::Text);
    let Some(most) = most else { return };
    if area.height > 1 {
        painter.put(area.x + 1, area.y + 1, &most, LABEL_WIDTH, Role::Dim);
    } else if usize::from(x - area.x) + 3 + cells(&most) <= usize::from(LABEL_WIDTH) + 1 {
        let x = painter.put(x, area.y, " · ", 3, Role::Dim);
        painter.put(x, area.y, &most, LABEL_WIDTH, Role::Dim);
    }
}

fn now_text(app: &App, measure: FlowMeasure) -> String {
    let traffic = || {
        app.store.history().latest_flow(measure).map_or_else(
            || "not counted".to_owned(),
            |(rate, age)| {
                let age = if age.is_zero() { String::new() } else { format!(" {} ago", units::age(age)) };
                format!("{}{age}", units::bytes_per_second(rate))
            },
        )
    };
    match measure {
        FlowMeasure::Received => format!("↓ {}", traffic()),
        FlowMeasure::Sent => format!("↑ {}", traffic()),
        FlowMeasure::Opened => format!("opened {}/s", units::per_second(app.flows.opened())),
        FlowMeasure::Closed => format!("closed {}/s", units::per_second(app.flows.closed())),
        FlowMeasure::Reset => format!("reset {}/s", units::per_second(app.flows.reset())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no rate needs 53 bits")]
fn most_text(measure: FlowMeasure, most: u64) -> String {
    match measure {
        FlowMeasure::Received | FlowMeasure::Sent => format!("most {}", units::bytes_per_second(most)),
        _ => format!("most {}", units::per_second(most as f64 / EVENT_PARTS as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_share_the_lines_that_there_are() {
        assert_eq!(heights(6), [2, 2, 1, 1]);
        assert_eq!(heights(8), [3, 3, 1, 1]);
        assert_eq!(heights(12), [4, 4, 2, 2]);
        for rows in 4..40 {
            assert!(heights(rows).iter().sum::<u16>() <= rows, "{rows}");
        }
    }
}
