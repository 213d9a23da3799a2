//! The tab Network: interfaces, the kernel's counters as rates with what they mean, and routes, in one list.
//!
//! Counters are sampled always, because rules judge by them; interfaces and routes only while the tab is shown.

use std::time::Duration;

use ratatui::layout::Position;

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::menu::MenuLine;
use crate::app::network_line::{NetworkLine, RouteKey};
use crate::app::panels::{OpenTarget, Panel, PanelContext, PanelParts};
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::knowledge::counters::{self, CounterLoss, CounterText};
use crate::model::counters::COUNTERS;
use crate::model::network::{Network, NetworkInterface};
use crate::model::route::{Hop, Route};
use crate::model::snapshot::{Needs, SourceKind};
use crate::store::Store;
use crate::store::counters::COUNTERS_TIME;
use crate::table::units;

/// What the tab has around its panel.
pub const PARTS: PanelParts = PanelParts { columns: true, summary: false, states: false, log: false };
/// Rates of counters are told over this time.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// So many routes are listed.
const ROUTES_SHOWN_MAX: usize = 256;

/// The list, and the cursor on it.
#[derive(Debug, Default)]
pub struct NetworkPanel {
    /// The selection.
    pub cursor: Cursor<NetworkLine>,
    lines: Vec<NetworkLine>,
}

impl NetworkPanel {
    /// The lines on a screen with `height` of them, each with its place in the list.
    pub fn window(&self, height: usize) -> impl Iterator<Item = (usize, NetworkLine)> {
        self.lines.iter().copied().enumerate().skip(self.cursor.offset()).take(height)
    }

    /// The heading of the part of the list that the first line on the screen belongs to.
    pub fn first_title(&self) -> Option<NetworkLine> {
        let before = self.lines.iter().take(self.cursor.offset() + 1);
        before.rev().find(|line| line.is_title()).copied()
    }

    /// What can be copied of a line; `None` of a heading.
    pub(in crate::app) fn copies(line: NetworkLine, store: &Store) -> Option<MenuLine> {
        let (label, about) = match line {
            NetworkLine::Interface(index) => ("interface", interface(store, index)?.counted.name.to_string()),
            NetworkLine::Counter(nth) => ("counter", counter_line(nth, store)?.name),
            NetworkLine::Route(key) => {
                let (route, hop) = route(store, key)?;
                let gateway = hop.and_then(|hop| hop.gateway).map(|gateway| format!(" via {gateway}"));
                let interface = hop.and_then(|hop| hop.interface.as_ref()).map(|name| format!(" dev {name}"));
                (
                    "route",
                    format!(
                        "{}{}{}",
                        route.destination_text(),
                        gateway.unwrap_or_default(),
                        interface.unwrap_or_default()
                    ),
                )
            }
            _ => return None,
        };
        Some(MenuLine { label: label.to_owned(), about, ..MenuLine::default() })
    }

    fn with_lines<T>(
        &mut self,
        context: &PanelContext<'_>,
        change: impl FnOnce(&mut Cursor<NetworkLine>, &Lines<'_, NetworkLine>) -> T,
    ) -> T {
        let lines = &self.lines;
        let key_at = |line: usize| lines.get(line).copied();
        change(&mut self.cursor, &Lines { len: lines.len(), height: context.height(), key_at: &key_at })
    }
}

impl Panel for NetworkPanel {
    fn title(&self, context: &PanelContext<'_>) -> String {
        match context.store.network().latest() {
            Some(network) => units::counted(network.interfaces.len() as u64, "interface"),
            None => String::new(),
        }
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        self.cursor.position(self.lines.len(), context.height())
    }

    fn cursor_line(&self) -> Option<usize> {
        self.cursor.line()
    }

    fn selected(&self) -> Selected {
        self.cursor.key().map_or(Selected::None, Selected::Network)
    }

    fn is_picked(&self) -> bool {
        self.cursor.is_picked()
    }

    fn pick(&mut self) {
        self.cursor.pick();
    }

    fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        self.with_lines(context, |cursor, lines| cursor.go(motion, lines));
        if self.cursor.key().is_some_and(NetworkLine::is_title) {
            let is_up = matches!(motion, Motion::Up | Motion::PageUp | Motion::First) && self.cursor.line() != Some(0);
            let motion = if is_up { Motion::Up } else { Motion::Down };
            self.with_lines(context, |cursor, lines| cursor.go(motion, lines));
        }
    }

    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        self.with_lines(context, |cursor, list| cursor.scroll(lines, list));
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let Some(row) = context.row_of(at) else { return false };
        if self.lines.get(self.cursor.offset() + row).copied().is_none_or(NetworkLine::is_title) {
            return false;
        }
        self.with_lines(context, |cursor, lines| cursor.click(row, lines))
    }

    /// Of a route the connections over it, of a counter what it means in full.
    fn open(&self, _context: &PanelContext<'_>) -> OpenTarget {
        match self.cursor.key() {
            Some(NetworkLine::Route(key)) => match key.filter() {
                Some(filter) => OpenTarget::Filtered(filter),
                None => OpenTarget::Refused("whatever no other route is for goes this way"),
            },
            Some(NetworkLine::Counter(nth)) => {
                counter_text(nth).map_or(OpenTarget::Nothing, |text| OpenTarget::Refused(&text.about))
            }
            Some(NetworkLine::Interface(_)) => OpenTarget::Refused(
                "the kernel does not tell which connections go over an interface; a route below may",
            ),
            _ => OpenTarget::Nothing,
        }
    }

    fn refresh(&mut self, context: &PanelContext<'_>) {
        self.lines = lines(context.store);
        let found = self.cursor.sought().and_then(|key| self.lines.iter().position(|line| *line == key));
        self.with_lines(context, |cursor, lines| cursor.refresh(found, lines));
    }

    fn add_needs(&self, needs: &mut Needs, _context: &PanelContext<'_>) {
        needs.network = true;
    }
}

/// Every line of the list.
fn lines(store: &Store) -> Vec<NetworkLine> {
    let mut lines = Vec::new();
    let network = store.network().latest();
    let missing = network.map_or(1, |network| network.degraded.len());
    lines.extend((0..missing).map(NetworkLine::Missing));
    lines.extend(
        network
            .into_iter()
            .flat_map(|network| &network.interfaces)
            .map(|interface| NetworkLine::Interface(interface.index)),
    );
    if store.facts().counters.is_some() {
        let moving = moving_counters(store);
        lines.push(NetworkLine::CounterTitle);
        lines.extend(moving.iter().map(|nth| NetworkLine::Counter(*nth)));
        lines.extend((moving.len() < COUNTERS.len()).then_some(NetworkLine::QuietCounters));
    }
    if let Some(network) = network {
        let routes = listed_routes(network);
        lines.extend((!routes.is_empty()).then_some(NetworkLine::RouteTitle));
        lines.extend(routes.iter().take(ROUTES_SHOWN_MAX).map(|(key, ..)| NetworkLine::Route(*key)));
        lines.extend((routes.len() > ROUTES_SHOWN_MAX || network.is_cut).then_some(NetworkLine::MoreRoutes));
    }
    lines
}

/// The counters that grew in the last minute, by their places among [`COUNTERS`]: those that mean loss first.
fn moving_counters(store: &Store) -> Vec<usize> {
    let Some(growth) = store.counters().growth(COUNTERS_TIME) else { return Vec::new() };
    let mut moving: Vec<usize> = (0..COUNTERS.len()).filter(|nth| (COUNTERS[*nth].get)(&growth.by) > 0).collect();
    moving.sort_by_key(|nth| counter_text(*nth).is_none_or(|text| text.loss().is_none()));
    moving
}

/// What is written of the counter at this place.
fn counter_text(nth: usize) -> Option<&'static CounterText> {
    let (group, name) = COUNTERS.get(nth)?.told_as.first()?;
    counters::text(group, name)
}

/// A counter as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterLine {
    /// As `nstat` calls it.
    pub name: String,
    /// How much it grew per second, over the last ten seconds.
    pub rate: String,
    /// What it counts.
    pub about: &'static str,
    /// The rule that judges by it, if it means loss.
    pub rule: Option<&'static str>,
}

/// The counter at this place among [`COUNTERS`].
pub fn counter_line(nth: usize, store: &Store) -> Option<CounterLine> {
    let row = COUNTERS.get(nth)?;
    let (group, name) = row.told_as.first()?;
    let growth = store.counters().growth(RATE_WINDOW);
    let rate =
        growth.map_or_else(|| "-".to_owned(), |growth| units::per_second(growth.per_second((row.get)(&growth.by))));
    let text = counter_text(nth);
    let rule = text.and_then(|text| match text.loss()? {
        CounterLoss::Rule(id) => Some(id),
        CounterLoss::NoRule(_) => None,
    });
    Some(CounterLine { name: format!("{group}{name}"), rate, about: text.map_or("", |text| &text.about), rule })
}

/// `31 others 0/s`.
pub fn quiet_words(store: &Store) -> String {
    let quiet = COUNTERS.len() - moving_counters(store).len();
    match store.counters().growth(COUNTERS_TIME) {
        None => "counting…".to_owned(),
        Some(_) => format!("{} that did not grow in the last minute", units::counted(quiet as u64, "counter")),
    }
}

/// The next hops of all routes, the default routes first.
fn listed_routes(network: &Network) -> Vec<(RouteKey, &Route, Option<&Hop>)> {
    let mut routes: Vec<&Route> = network.routes.iter().collect();
    routes.sort_by_key(|route| route.prefix_len > 0);
    let hops = |route: &&Route| route.hops.len().max(1);
    let keyed = routes
        .into_iter()
        .flat_map(|route| (0..hops(&route)).map(move |hop| (RouteKey::of(route, hop), route, route.hops.get(hop))));
    keyed.collect()
}

/// The route that `wanted` is a next hop of, and that hop; `None` for the hop where packets go nowhere.
pub fn route(store: &Store, wanted: RouteKey) -> Option<(&Route, Option<&Hop>)> {
    let network = store.network().latest()?;
    let is_it = |route: &&Route| RouteKey::of(route, wanted.hop()) == wanted;
    network.routes.iter().find(is_it).map(|route| (route, route.hops.get(wanted.hop())))
}

/// The interface with this number.
pub fn interface(store: &Store, index: u32) -> Option<&NetworkInterface> {
    store.network().latest()?.interfaces.iter().find(|interface| interface.index == index)
}

/// Why something is missing: the sentence of this number.
pub fn missing_words(store: &Store, nth: usize) -> String {
    match store.network().latest() {
        Some(network) => network.degraded.get(nth).map_or_else(String::new, ToString::to_string),
        None => match store.source().kind {
            SourceKind::Replay => "a recording has no interfaces and no routes".to_owned(),
            SourceKind::Portable => "this source tells no interfaces and no routes; --source linux does".to_owned(),
            _ => "reading the interfaces…".to_owned(),
        },
    }
}

/// How many routes are not listed; `None` where nobody counted them.
pub fn more_words(store: &Store) -> String {
    let Some(network) = store.network().latest() else { return String::new() };
    let more = listed_routes(network).len().saturating_sub(ROUTES_SHOWN_MAX);
    let count = if network.is_cut { "more".to_owned() } else { format!("{} more", units::count(more as u64)) };
    format!("{count} · ip route lists all")
}
