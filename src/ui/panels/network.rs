//! The tab Network: interfaces with what flows through them, counters with what they mean, routes.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::network_line::NetworkLine;
use crate::app::panels::Panel;
use crate::app::panels::findings::mark;
use crate::app::panels::network::{
    NetworkPanel, counter_line, interface, missing_words, more_words, quiet_words, route,
};
use crate::app::panels::table::{MARGIN_LEFT, MARGIN_RIGHT};
use crate::diagnosis::rule::Rule;
use crate::model::network::LinkState;
use crate::store::network::InterfaceRates;
use crate::table::units;
use crate::ui::bars::graph;
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

const NAME_WIDTH: u16 = 13;
const STATE_WIDTH: u16 = 12;
const SPEED_WIDTH: u16 = 10;
const MTU_WIDTH: u16 = 7;
const RATE_WIDTH: u16 = 9;
const PACKETS_WIDTH: u16 = 8;
/// A graph is no wider: two samples a cell, two minutes at one a second.
const GRAPH_WIDTH_MAX: u16 = 60;
const GRAPH_WIDTH_MIN: u16 = 8;
const COUNTER_WIDTH: u16 = 24;
const COUNTER_RATE_WIDTH: u16 = 8;
const DESTINATION_WIDTH: u16 = 22;
const GATEWAY_WIDTH: u16 = 18;
const SOURCE_WIDTH: u16 = 18;
const METRIC_WIDTH: u16 = 8;

/// One of the rates of an interface.
type RateOf = fn(&InterfaceRates) -> f64;

/// Which parts of the line of an interface have room.
#[expect(clippy::struct_excessive_bools, reason = "each is a part of a line of its own")]
struct InterfacePlaces {
    has_state: bool,
    has_losses: bool,
    has_packets: bool,
    has_speed: bool,
    graph_width: u16,
}

impl InterfacePlaces {
    fn of(width: u16) -> Self {
        let mut left = width.saturating_sub(MARGIN_LEFT + NAME_WIDTH + 2 * RATE_WIDTH + MARGIN_RIGHT);
        let mut take = |wanted: u16| {
            let has_room = left >= wanted;
            left -= if has_room { wanted } else { 0 };
            has_room
        };
        let (has_state, has_losses) = (take(STATE_WIDTH), take(2 * PACKETS_WIDTH));
        let (has_speed, has_packets) = (take(SPEED_WIDTH + MTU_WIDTH), take(2 * PACKETS_WIDTH));
        let graph_width = (left / 2).saturating_sub(1).min(GRAPH_WIDTH_MAX);
        let graph_width = if graph_width < GRAPH_WIDTH_MIN { 0 } else { graph_width };
        Self { has_state, has_losses, has_packets, has_speed, graph_width }
    }
}

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, panel: &NetworkPanel) {
    let body = layout.body;
    let places = InterfacePlaces::of(body.width);
    draw_title(painter, layout.columns, panel.first_title(), &places);
    for ((line, content), y) in panel.window(usize::from(body.height)).zip(body.y..) {
        let area = Rect { y, height: 1, ..body };
        draw_line(painter, area, app, content, &places);
        if panel.cursor.line() == Some(line) {
            painter.cursor(area, 1, panel.cursor.is_picked());
        }
    }
    scrollbar::draw(painter, body, panel.position(&app.panel_context()));
}

fn draw_line(painter: &mut Painter<'_>, area: Rect, app: &App, line: NetworkLine, places: &InterfacePlaces) {
    let room = area.width.saturating_sub(MARGIN_LEFT + MARGIN_RIGHT);
    let mut sentence = |text: &str| {
        painter.put(MARGIN_LEFT, area.y, text, room, Role::Dim);
    };
    match line {
        NetworkLine::Missing(nth) => sentence(&missing_words(&app.store, nth)),
        NetworkLine::QuietCounters => sentence(&quiet_words(&app.store)),
        NetworkLine::MoreRoutes => sentence(&more_words(&app.store)),
        NetworkLine::CounterTitle | NetworkLine::RouteTitle => draw_title(painter, area, Some(line), places),
        NetworkLine::Interface(index) => draw_interface(painter, area, app, index, places),
        NetworkLine::Counter(nth) => draw_counter(painter, area, app, nth),
        NetworkLine::Route(key) => {
            if let Some((route, hop)) = route(&app.store, key) {
                let gateway = hop
                    .and_then(|hop| hop.gateway)
                    .map_or_else(|| nowhere(route.kind_name().as_ref()), |ip| ip.to_string());
                let interface =
                    hop.and_then(|hop| hop.interface.as_ref()).map_or_else(String::new, ToString::to_string);
                let source = route.source.map_or_else(String::new, |source| source.to_string());
                let metric = route.metric.map_or_else(String::new, |metric| metric.to_string());
                let cells =
                    [route.destination_text(), gateway, interface, source, metric, route.protocol_name().into_owned()];
                draw_route(painter, area, &cells, Role::Text);
            }
        }
    }
}

/// What stands where there is no router: nothing for a network on the link, else what becomes of packets.
fn nowhere(kind: &str) -> String {
    if kind == "unicast" { "on the link".to_owned() } else { kind.to_owned() }
}

/// The heading of a part of the list; without one, that of the interfaces.
fn draw_title(painter: &mut Painter<'_>, area: Rect, title: Option<NetworkLine>, places: &InterfacePlaces) {
    match title {
        Some(NetworkLine::CounterTitle) => {
            painter.put(MARGIN_LEFT, area.y, "COUNTER", COUNTER_WIDTH, Role::Heading);
            painter.right(MARGIN_LEFT + COUNTER_WIDTH, area.y, "PER S", COUNTER_RATE_WIDTH, Role::Heading);
            let x = MARGIN_LEFT + COUNTER_WIDTH + COUNTER_RATE_WIDTH + 2;
            painter.put(x, area.y, "WHAT IT COUNTS", area.width.saturating_sub(x), Role::Heading);
        }
        Some(NetworkLine::RouteTitle) => {
            let titles = ["DESTINATION", "GATEWAY", "INTERFACE", "SOURCE", "METRIC", "MADE BY"].map(str::to_owned);
            draw_route(painter, area, &titles, Role::Heading);
        }
        _ => draw_interface_title(painter, area, places),
    }
}

fn draw_interface_title(painter: &mut Painter<'_>, area: Rect, places: &InterfacePlaces) {
    let y = area.y;
    let mut x = painter_name(painter, y, "INTERFACE", Role::Heading);
    if places.has_state {
        painter.put(x, y, "STATE", STATE_WIDTH - 1, Role::Heading);
        x += STATE_WIDTH;
    }
    for (wanted, title, width) in [
        (places.has_speed, "SPEED", SPEED_WIDTH),
        (places.has_speed, "MTU", MTU_WIDTH),
        (true, "IN B/s", RATE_WIDTH),
        (places.graph_width > 0, "", places.graph_width + 1),
        (true, "OUT B/s", RATE_WIDTH),
        (places.graph_width > 0, "", places.graph_width + 1),
        (places.has_packets, "IN p/s", PACKETS_WIDTH),
        (places.has_packets, "OUT p/s", PACKETS_WIDTH),
        (places.has_losses, "DROPS/s", PACKETS_WIDTH),
        (places.has_losses, "ERRS/s", PACKETS_WIDTH),
    ] {
        if wanted {
            painter.right(x, y, title, width, Role::Heading);
            x += width;
        }
    }
}

fn painter_name(painter: &mut Painter<'_>, y: u16, name: &str, role: Role) -> u16 {
    painter.put(MARGIN_LEFT, y, name, NAME_WIDTH - 1, role);
    MARGIN_LEFT + NAME_WIDTH
}

fn draw_interface(painter: &mut Painter<'_>, area: Rect, app: &App, index: u32, places: &InterfacePlaces) {
    let Some(shown) = interface(&app.store, index) else { return };
    let (y, is_down) =
        (area.y, matches!(shown.state, LinkState::Down | LinkState::NotPresent | LinkState::LowerLayerDown));
    let role = if is_down { Role::Dim } else { Role::Text };
    let mut x = painter_name(painter, y, shown.counted.name.as_str(), role);
    if places.has_state {
        painter.put(x, y, shown.state.label(), STATE_WIDTH - 1, role);
        x += STATE_WIDTH;
    }
    if places.has_speed {
        painter.right(x, y, &shown.speed_megabits.map_or_else(|| "-".to_owned(), speed), SPEED_WIDTH, Role::Dim);
        let mtu = shown.mtu_bytes.map_or_else(|| "-".to_owned(), |mtu| mtu.to_string());
        painter.right(x + SPEED_WIDTH, y, &mtu, MTU_WIDTH, Role::Dim);
        x += SPEED_WIDTH + MTU_WIDTH;
    }
    let rates = app.store.network().rates(index);
    let flows: [RateOf; 2] = [|rates| rates.received_bytes, |rates| rates.sent_bytes];
    for flow in flows {
        number(painter, (x, y), RATE_WIDTH, rates.as_ref().map(|rates| (flow(rates), units::rate(flow(rates)))));
        x += RATE_WIDTH;
        if places.graph_width > 0 {
            let values = app.store.network().trend(index, 2 * usize::from(places.graph_width), flow);
            let trend = graph(&values, 1).pop().unwrap_or_default();
            painter.graph(x + 1, y, &trend, places.graph_width, Role::Accent);
            x += places.graph_width + 1;
        }
    }
    let packets: [RateOf; 2] = [|rates| rates.received_packets, |rates| rates.sent_packets];
    let losses: [RateOf; 2] = [|rates| rates.dropped, |rates| rates.errors];
    let counted = [(places.has_packets, packets), (places.has_losses, losses)];
    for rate in counted.into_iter().filter(|(wanted, _)| *wanted).flat_map(|(_, rates)| rates) {
        number(
            painter,
            (x, y),
            PACKETS_WIDTH,
            rates.as_ref().map(|rates| (rate(rates), units::per_second(rate(rates)))),
        );
        x += PACKETS_WIDTH;
    }
}

/// A rate and its text; what is zero or not known yet steps back.
fn number(painter: &mut Painter<'_>, (x, y): (u16, u16), width: u16, rate: Option<(f64, String)>) {
    match rate {
        Some((rate, text)) => painter.right(x, y, &text, width, if rate > 0.0 { Role::Text } else { Role::Dim }),
        None => painter.right(x, y, "-", width, Role::Dim),
    }
}

/// `10 Gb/s`, `100 Mb/s`.
fn speed(megabits: u32) -> String {
    match megabits {
        ..1_000 => format!("{megabits} Mb/s"),
        _ if megabits.is_multiple_of(1_000) => format!("{} Gb/s", megabits / 1_000),
        _ => format!("{}.{} Gb/s", megabits / 1_000, megabits % 1_000 / 100),
    }
}

fn draw_counter(painter: &mut Painter<'_>, area: Rect, app: &App, nth: usize) {
    let Some(line) = counter_line(nth, &app.store) else { return };
    let rules = line.rule.and_then(Rule::named);
    let severity = rules.and_then(|rule| app.panels.findings.by_rule(&[rule]));
    if let Some(severity) = severity {
        painter.put(0, area.y, mark(severity), 1, Role::of(severity));
    }
    painter.put(MARGIN_LEFT, area.y, &line.name, COUNTER_WIDTH - 1, severity.map_or(Role::Text, Role::of));
    let role = if line.rate == "0" { Role::Dim } else { Role::Strong };
    painter.right(MARGIN_LEFT + COUNTER_WIDTH, area.y, &line.rate, COUNTER_RATE_WIDTH, role);
    let x = MARGIN_LEFT + COUNTER_WIDTH + COUNTER_RATE_WIDTH + 2;
    painter.put(x, area.y, line.about, area.width.saturating_sub(x + MARGIN_RIGHT), Role::Dim);
}

/// Destination, gateway, interface, source, metric, maker: as many as there is room for.
fn draw_route(painter: &mut Painter<'_>, area: Rect, cells: &[String; 6], role: Role) {
    let [destination, gateway, interface, source, metric, maker] = cells;
    let mut x = MARGIN_LEFT;
    let end = area.width.saturating_sub(MARGIN_RIGHT);
    // On a wide screen an IPv6 prefix has room.
    let wide = if area.width >= 150 { 14 } else { 0 };
    let narrow = if area.width < 60 { 6 } else { 0 };
    for (text, width) in [
        (destination, DESTINATION_WIDTH + wide - narrow),
        (gateway, GATEWAY_WIDTH + wide - narrow),
        (interface, NAME_WIDTH),
        (source, SOURCE_WIDTH + wide),
        (metric, METRIC_WIDTH),
        (maker, METRIC_WIDTH),
    ] {
        if x >= end {
            return;
        }
        painter.put(x, area.y, text, (width - 1).min(end - x), role);
        x += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_written_in_the_unit_in_which_it_is_sold() {
        let said = [10, 100, 1_000, 2_500, 100_000].map(speed);
        assert_eq!(said, ["10 Mb/s", "100 Mb/s", "1 Gb/s", "2.5 Gb/s", "100 Gb/s"]);
    }
}
