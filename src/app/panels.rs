//! The panels: one for each tab. [`TABS`] is the one table of them; everything else asks the [`Panel`].

pub mod connections;
pub mod findings;
pub mod groups;
pub mod log;
pub mod states;
pub mod table;

use std::net::IpAddr;

use ratatui::layout::{Position, Rect};

use crate::app::Config;
use crate::app::action::Motion;
use crate::app::clock::time_of_day;
use crate::app::panels::connections::ConnectionsPanel;
use crate::app::panels::findings::Findings;
use crate::app::panels::groups::GroupPanel;
use crate::app::panels::log::LogPanel;
use crate::app::panels::states::StatesPanel;
use crate::app::panels::table::SortedTable;
use crate::app::selection::Selected;
use crate::app::summary::Piece;
use crate::app::tab::Tab;
use crate::diagnosis::finding::Severity;
use crate::model::snapshot::Needs;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::groups::{GroupKey, Grouping};
use crate::table::filter::Filter;

/// What fills the main part of the screen: its state, and how it answers.
pub trait Panel {
    /// What it shows, for the one who draws it.
    fn face(&self) -> PanelFace<'_>;

    /// How much of how much is shown, which filter, which order.
    fn title(&self, context: &PanelContext<'_>) -> String;

    /// What is under the cursor.
    fn selected(&self) -> Selected;

    /// Whether the user picked what is under the cursor. Only what was picked may be acted on.
    fn is_picked(&self) -> bool;

    /// Stays with what is under the cursor from now on.
    fn pick(&mut self);

    /// Moves the cursor.
    fn go(&mut self, motion: Motion, context: &PanelContext<'_>);

    /// Moves what is on the screen by so many lines; nothing is picked by that.
    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        let motion = if lines > 0 { Motion::Down } else { Motion::Up };
        (0..lines.abs()).for_each(|_| self.go(motion, context));
    }

    /// `at`, a cell of the body, was clicked; answers whether what is there was picked before, so that it is to be opened.
    fn click(&mut self, _at: Position, _context: &PanelContext<'_>) -> bool {
        false
    }

    /// What Enter leads to.
    fn open(&self, context: &PanelContext<'_>) -> Opened;

    /// Brings rows, cursor and widths up to date with the store and the size of the screen.
    fn refresh(&mut self, context: &PanelContext<'_>);

    /// Switches following on or off; answers what it is now. `None`: rows do not change places here.
    fn toggle_follow(&mut self) -> Option<bool> {
        None
    }

    /// The filter that its rows have passed; `None` where none is heeded.
    fn filter(&self) -> Option<&Filter> {
        None
    }

    /// Another filter is in force.
    fn set_filter(&mut self, _filter: Filter) {}

    /// Its table, if it is one with columns.
    fn table(&self) -> Option<&dyn SortedTable> {
        None
    }

    /// Its table, to change.
    fn table_mut(&mut self) -> Option<&mut dyn SortedTable> {
        None
    }

    /// What it needs beside the sockets, added to `needs`.
    fn add_needs(&self, _needs: &mut Needs, _context: &PanelContext<'_>) {}

    /// The addresses on the screen that could have a name, from top to bottom.
    fn peers(&self, _context: &PanelContext<'_>) -> Vec<IpAddr> {
        Vec::new()
    }

    /// What is true of the whole table, for the line above it.
    fn summary(&self, _store: &Store) -> Vec<Piece> {
        Vec::new()
    }

    /// How bad the worst of what it lists is: it colours the name of the tab.
    fn severity(&self) -> Option<Severity> {
        None
    }

    /// Shows another span of time.
    fn next_span(&mut self) {}

    /// Another tab is shown: what is large and can be made anew may go.
    fn leave(&mut self) {}
}

/// What a panel shows.
#[derive(Clone, Copy)]
pub enum PanelFace<'a> {
    /// A line a socket.
    Connections(&'a ConnectionsPanel),
    /// A line a group of sockets.
    Groups(&'a GroupPanel),
    /// The states.
    States(&'a StatesPanel),
    /// The findings.
    Findings(&'a Findings),
    /// The log.
    Log(&'a LogPanel),
}

/// Where Enter leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nowhere.
    Nothing,
    /// To the details of a socket.
    Details(SocketId),
    /// To the connections that pass this filter.
    Filtered(String),
    /// Nowhere, for this reason.
    Refused(&'static str),
}

/// What a panel looks at.
#[derive(Clone, Copy)]
pub struct PanelContext<'a> {
    /// The data.
    pub store: &'a Store,
    /// The size of the screen, the local time.
    pub config: &'a Config,
    /// Where the panel is; `None` on a screen that is too small.
    pub body: Option<Rect>,
}

impl PanelContext<'_> {
    /// How many lines the panel has on the screen.
    pub fn height(&self) -> usize {
        self.body.map_or(1, |body| usize::from(body.height))
    }

    /// The line of the panel that `at` is in.
    pub fn row_of(&self, at: Position) -> Option<usize> {
        self.body.filter(|body| body.contains(at)).map(|body| usize::from(at.y - body.y))
    }

    /// The local time of day of `at`.
    pub fn time_of_day(&self, at: Timestamp) -> String {
        time_of_day(self.store.wall_of(at), self.config.utc_offset_seconds)
    }
}

/// What a tab has around its panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of the screen of its own")]
pub struct PanelParts {
    /// Headings of columns.
    pub columns: bool,
    /// A line that is true of the whole table.
    pub summary: bool,
    /// The counts of the states, where there is room.
    pub states: bool,
    /// The log, where there is room.
    pub log: bool,
}

const TABLE: PanelParts = PanelParts { columns: true, summary: false, states: true, log: true };
const SUMMED: PanelParts = PanelParts { summary: true, ..TABLE };

/// Something that a key can do on some tabs only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelAbility {
    /// Rows are sorted by a column.
    Sort,
    /// Rows have an owner that can be sent a signal.
    Kill,
    /// A row is one socket that can be closed.
    Close,
    /// There is a next grouping of the same rows.
    Group,
    /// Charts go back over a span of time.
    Span,
}

use PanelAbility::{Close, Group, Kill, Sort, Span};

/// One row of the table of tabs.
pub struct TabRow {
    /// The tab; rows stand in the order of the enum.
    pub tab: Tab,
    /// The key that shows it. 9 is kept for network.
    pub number: char,
    /// Its name.
    pub title: &'static str,
    /// The same where there is little room.
    pub short: &'static str,
    /// What is around its panel.
    pub parts: PanelParts,
    /// What its footer offers.
    pub abilities: &'static [PanelAbility],
    /// The tab that groups the same sockets otherwise.
    pub next_grouping: Tab,
    panel: fn(&Panels) -> &dyn Panel,
    panel_mut: fn(&mut Panels) -> &mut dyn Panel,
}

/// Every tab, in the order on the screen.
#[rustfmt::skip]
pub const TABS: [TabRow; 8] = [
    TabRow { tab: Tab::Connections, number: '1', title: "Connections", short: "Conn",   parts: TABLE,            abilities: &[Sort, Kill, Close, Group], next_grouping: Tab::Processes,   panel: |panels| &panels.connections, panel_mut: |panels| &mut panels.connections },
    TabRow { tab: Tab::Processes,   number: '2', title: "Processes",   short: "Proc",   parts: TABLE,            abilities: &[Sort, Kill, Group],        next_grouping: Tab::Remotes,     panel: |panels| &panels.processes,   panel_mut: |panels| &mut panels.processes },
    TabRow { tab: Tab::Remotes,     number: '3', title: "Remotes",     short: "Remote", parts: SUMMED,           abilities: &[Sort, Kill, Group],        next_grouping: Tab::Listeners,   panel: |panels| &panels.remotes,     panel_mut: |panels| &mut panels.remotes },
    TabRow { tab: Tab::Listeners,   number: '4', title: "Listeners",   short: "Listen", parts: SUMMED,           abilities: &[Sort, Kill, Group],        next_grouping: Tab::Connections, panel: |panels| &panels.listeners,   panel_mut: |panels| &mut panels.listeners },
    TabRow { tab: Tab::States,      number: '5', title: "States",      short: "State",  parts: states::PARTS,    abilities: &[Group, Span],              next_grouping: Tab::Connections, panel: |panels| &panels.states,      panel_mut: |panels| &mut panels.states },
    TabRow { tab: Tab::Findings,    number: '6', title: "Findings",    short: "Find",   parts: findings::PARTS,  abilities: &[Kill],                     next_grouping: Tab::Connections, panel: |panels| &panels.findings,    panel_mut: |panels| &mut panels.findings },
    TabRow { tab: Tab::Ports,       number: '7', title: "Ports",       short: "Port",   parts: SUMMED,           abilities: &[Sort, Kill, Group],        next_grouping: Tab::Connections, panel: |panels| &panels.ports,       panel_mut: |panels| &mut panels.ports },
    TabRow { tab: Tab::Log,         number: '8', title: "Log",         short: "Log",    parts: log::PARTS,       abilities: &[Close, Group],             next_grouping: Tab::Connections, panel: |panels| &panels.log,         panel_mut: |panels| &mut panels.log },
];

impl Tab {
    /// The tab's row in the table.
    pub const fn row(self) -> &'static TabRow {
        &TABS[self as usize]
    }

    /// The tab `steps` to the right; past the last one comes the first.
    #[must_use]
    pub fn step(self, steps: isize) -> Self {
        let count = TABS.len();
        let at = (self as usize).checked_add_signed(steps.rem_euclid(count.cast_signed())).unwrap_or(0) % count;
        TABS[at].tab
    }
}

/// The panels of all tabs.
#[derive(Debug)]
pub struct Panels {
    /// One line a socket. Its filter is the one in force everywhere.
    pub connections: ConnectionsPanel,
    /// One line a process.
    pub processes: GroupPanel,
    /// One line a remote address and port.
    pub remotes: GroupPanel,
    /// One line a listener.
    pub listeners: GroupPanel,
    /// One line a route.
    pub ports: GroupPanel,
    /// The states.
    pub states: StatesPanel,
    /// What is wrong.
    pub findings: Findings,
    /// The log.
    pub log: LogPanel,
}

impl Panels {
    /// Panels with nothing on them yet; the filter of `config` must parse.
    pub(super) fn new(config: &Config, store: &Store) -> Self {
        Self {
            connections: ConnectionsPanel::new(&config.filter, store),
            processes: GroupPanel::new(Grouping::Process),
            remotes: GroupPanel::new(Grouping::Remote),
            listeners: GroupPanel::new(Grouping::Listener),
            ports: GroupPanel::new(Grouping::Route),
            states: StatesPanel::default(),
            findings: Findings::new(config.thresholds.clone(), config.ignore.clone()),
            log: LogPanel::default(),
        }
    }

    /// The panel of `tab`.
    pub fn of(&self, tab: Tab) -> &dyn Panel {
        (tab.row().panel)(self)
    }

    /// The panel of `tab`, to change.
    pub fn of_mut(&mut self, tab: Tab) -> &mut dyn Panel {
        (tab.row().panel_mut)(self)
    }

    /// The panel that lists the group `key`.
    pub const fn of_group(&self, key: GroupKey) -> &GroupPanel {
        match key {
            GroupKey::Process(_) | GroupKey::NoProcess(_) => &self.processes,
            GroupKey::Remote { .. } => &self.remotes,
            GroupKey::Listener { .. } | GroupKey::OneOfListeners(_) => &self.listeners,
            GroupKey::Route(_) => &self.ports,
        }
    }

    /// Brings the panel of `tab`, the one on the screen, up to date.
    pub(super) fn refresh(&mut self, tab: Tab, context: &PanelContext<'_>) {
        let in_force = self.connections.view.filter();
        if self.of(tab).filter().is_some_and(|filter| filter.text() != in_force.text()) {
            let filter = in_force.clone();
            self.of_mut(tab).set_filter(filter);
        }
        self.of_mut(tab).refresh(context);
    }

    /// Tells all panels but that of `tab` that they are not on the screen.
    pub(super) fn leave_all_but(&mut self, tab: Tab) {
        for row in TABS.iter().filter(|row| row.tab != tab) {
            self.of_mut(row.tab).leave();
        }
    }

    /// Does `change` to every table.
    pub(super) fn change_tables(&mut self, mut change: impl FnMut(&mut dyn SortedTable)) {
        for row in &TABS {
            if let Some(table) = self.of_mut(row.tab).table_mut() {
                change(table);
            }
        }
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub fn is_busy(&self) -> bool {
        TABS.iter().any(|row| self.of(row.tab).table().is_some_and(SortedTable::is_busy))
    }

    /// Goes on with what was started, as far as `steps` allows; answers whether a table is new and is to be refreshed.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let mut done = false;
        self.change_tables(|table| done |= table.advance(store, steps));
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_stand_in_the_order_of_the_enum_and_numbers_are_unique() {
        for (index, row) in TABS.iter().enumerate() {
            assert_eq!(row.tab as usize, index);
            assert_eq!(TABS.iter().filter(|other| other.number == row.number).count(), 1);
        }
    }

    #[test]
    fn stepping_goes_round() {
        assert_eq!(Tab::Connections.step(-1), Tab::Log);
        assert_eq!(Tab::Log.step(1), Tab::Connections);
        assert_eq!(Tab::Connections.step(1), Tab::Processes);
    }
}
