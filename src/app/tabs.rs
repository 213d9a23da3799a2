//! The tabs: everything that is said of one stands in its row.

use crate::app::Config;
use crate::app::binding::{Binding, KeyContext, KeyScope, MAIN, PanelAbility, Run, on};
use crate::app::keymap::key::char;
use crate::app::keymap::remap::Keymap;
use crate::app::panels::connections::ConnectionsPanel;
use crate::app::panels::findings::FindingsPanel;
use crate::app::panels::folded::marks;
use crate::app::panels::groups::GroupPanel;
use crate::app::panels::log::LogPanel;
use crate::app::panels::network::NetworkPanel;
use crate::app::panels::states::StatesPanel;
use crate::app::panels::table::SortedTable;
use crate::app::panels::{Panel, PanelContext, PanelParts, findings, log, network, states};
use crate::app::screen_setup::ScreenSetup;
use crate::app::selection::SelectionKind;
use crate::store::Store;
use crate::store::groups::{GroupKey, Grouping};
use crate::table::view::View;

use PanelAbility::{Cell, Fold, Follow, Sort, Span, Tag};
use SelectionKind::{Finding, Group, LogLine, Socket, State};

const TABLE: PanelParts = PanelParts { columns: true, summary: false, states: true, log: true };
const SUMMED: PanelParts = PanelParts { summary: true, ..TABLE };

/// One row of the table of tabs.
pub struct TabRow {
    /// The tab; rows stand in the order of the enum.
    pub tab: Tab,
    /// The keys that show it; the first is its number.
    pub binding: Binding,
    /// Its name.
    pub title: &'static str,
    /// The same where there is little room.
    pub short: &'static str,
    /// What is around its panel.
    pub parts: PanelParts,
    /// What can be selected on it.
    pub selects: SelectionKind,
    /// What it can do beside.
    pub abilities: &'static [PanelAbility],
    panel: fn(&Panels) -> &dyn Panel,
    panel_mut: fn(&mut Panels) -> &mut dyn Panel,
}

/// Makes of each row a variant of [`Tab`] and of [`PanelFace`], a field of [`Panels`] and a row of [`TABS`]: plain Rust would
/// need four lists for that, and a tab that is in one of them only would be a mistake.
macro_rules! tabs {
    ($(
        $(#[$doc:meta])*
        $tab:ident($field:ident: $panel:ty = $new:expr) {
            keys: $keys:expr, action: $action:literal, name: $name:literal, help: $help:literal,
            title: $title:literal, short: $short:literal, parts: $parts:expr,
            selects: $selects:expr, abilities: $abilities:expr
        }
    )*) => {
        /// What the main part of the screen shows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Tab {
            $($(#[$doc])* $tab,)*
        }

        /// The panel of a tab, for the one who draws it.
        #[derive(Clone, Copy)]
        pub enum PanelFace<'a> {
            $($(#[$doc])* $tab(&'a $panel),)*
        }

        /// The panels of all tabs.
        #[derive(Debug)]
        pub struct Panels {
            $($(#[$doc])* pub $field: $panel,)*
        }

        impl Panels {
            /// Panels with nothing on them yet; the filter of `config` must parse.
            pub(in crate::app) fn new(config: &Config, store: &Store) -> Self {
                $(let $field: fn(&Config, &Store) -> $panel = $new;)*
                Self { $($field: $field(config, store),)* }
            }

            /// The panel of `tab`, for the one who draws it.
            pub const fn face(&self, tab: Tab) -> PanelFace<'_> {
                match tab {
                    $(Tab::$tab => PanelFace::$tab(&self.$field),)*
                }
            }
        }

        /// Every tab, in the order on the screen.
        pub const TABS: &[TabRow] = &[$(TabRow {
            tab: Tab::$tab,
            binding: Binding {
                action: $action,
                keys: $keys,
                name: $name,
                help: $help,
                on: on(MAIN),
                run: Run::Change(|app| app.show(Tab::$tab)),
                footer: 0,
            },
            title: $title,
            short: $short,
            parts: $parts,
            selects: $selects,
            abilities: $abilities,
            panel: |panels| &panels.$field,
            panel_mut: |panels| &mut panels.$field,
        },)*];
    };
}

tabs! {
    /// One line a cause, or one line a socket. Its filter is the one in force everywhere.
    Connections(connections: ConnectionsPanel = |config, store| ConnectionsPanel::new(&config.filter, store)) {
        keys: &[char('1')], action: "tab-connections", name: "sockets", help: "tab Connections: what is alike, folded",
        title: "Connections", short: "Conn", parts: TABLE,
        selects: Socket, abilities: &[Sort, Follow, Fold, Cell, Tag]
    }
    /// One line a process.
    Processes(processes: GroupPanel = |_, _| GroupPanel::new(Grouping::Process)) {
        keys: &[char('2')], action: "tab-processes", name: "processes", help: "tab Processes: who holds how many",
        title: "Processes", short: "Proc", parts: TABLE,
        selects: Group, abilities: &[Sort, Follow, Cell, Tag]
    }
    /// One line a remote address and port.
    Remotes(remotes: GroupPanel = |_, _| GroupPanel::new(Grouping::Remote)) {
        keys: &[char('3')], action: "tab-remotes", name: "remotes", help: "tab Remotes: the other ends",
        title: "Remotes", short: "Peer", parts: SUMMED,
        selects: Group, abilities: &[Sort, Follow, Cell, Tag]
    }
    /// One line a listener.
    Listeners(listeners: GroupPanel = |_, _| GroupPanel::new(Grouping::Listener)) {
        keys: &[char('4')], action: "tab-listeners", name: "listeners", help: "tab Listeners: accept queues",
        title: "Listeners", short: "Listen", parts: SUMMED,
        selects: Group, abilities: &[Sort, Follow, Cell, Tag]
    }
    /// Counts per state over time, and what each state means.
    States(states: StatesPanel = |_, _| StatesPanel::default()) {
        keys: &[char('5')], action: "tab-states", name: "states", help: "tab States: history and meaning",
        title: "States", short: "Stat", parts: states::PARTS,
        selects: State, abilities: &[Span]
    }
    /// What is wrong, why, and what to do.
    Findings(findings: FindingsPanel = |config, _| FindingsPanel::new(config.settings.thresholds.clone(), config.settings.ignore.clone())) {
        keys: &[char('6')], action: "tab-findings", name: "findings", help: "tab Findings: what is wrong, and why",
        title: "Findings", short: "Find", parts: findings::PARTS,
        selects: Finding, abilities: &[]
    }
    /// One line a route: who uses up ephemeral ports.
    Ports(ports: GroupPanel = |_, _| GroupPanel::new(Grouping::PortPool)) {
        keys: &[char('7')], action: "tab-ports", name: "ports", help: "tab Ports: ephemeral ports in use",
        title: "Ports", short: "Port", parts: SUMMED,
        selects: Group, abilities: &[Sort, Follow, Cell, Tag]
    }
    /// What happened, newest first.
    Log(log: LogPanel = |_, _| LogPanel::default()) {
        keys: &[char('8')], action: "tab-log", name: "log", help: "tab Log: what happened, newest first",
        title: "Log", short: "Log", parts: log::PARTS,
        selects: LogLine, abilities: &[]
    }
    /// Interfaces, the kernel's counters and routes.
    Network(network: NetworkPanel = |_, _| NetworkPanel::default()) {
        keys: &[char('9')], action: "tab-network", name: "network", help: "tab Network: interfaces, counters, routes",
        title: "Network", short: "Net", parts: network::PARTS,
        selects: SelectionKind::Network, abilities: &[]
    }
}

impl TabRow {
    /// The character of its first key, by which it is known on the screen.
    pub const fn number(&self) -> char {
        match self.binding.keys[0].typed() {
            Some(number) => number,
            None => ' ',
        }
    }

    /// The character by which `keymap` shows it; a blank where no character does.
    pub fn key_in(&self, keymap: &Keymap) -> char {
        keymap.keys(&self.binding).iter().find_map(|key| key.typed()).unwrap_or(' ')
    }

    /// What decides on this tab whether a binding acts, `scope` having the keyboard; a row is picked.
    pub(in crate::app) const fn key_context(&self, scope: KeyScope, is_read_only: bool) -> KeyContext {
        KeyContext {
            scope,
            abilities: self.abilities,
            selects: self.selects,
            is_picked: true,
            is_read_only,
            is_past: false,
        }
    }
}

impl Default for Tab {
    /// The first.
    fn default() -> Self {
        TABS[0].tab
    }
}

impl Tab {
    /// The tab whose rows are single sockets: filters speak of them, and groups open into them.
    pub(in crate::app) const SOCKETS: Self = Self::Connections;
    /// The tab that the lines about what is wrong lead to.
    pub(in crate::app) const PROBLEMS: Self = Self::Findings;
    /// The tab that has all of the log.
    pub(in crate::app) const CHANGES: Self = Self::Log;

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

impl Panels {
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
            GroupKey::Process(_) | GroupKey::NoProcess(..) => &self.processes,
            GroupKey::Remote { .. } => &self.remotes,
            GroupKey::Listener { .. } | GroupKey::OneOfListeners(_) => &self.listeners,
            GroupKey::PortPool(_) => &self.ports,
        }
    }

    /// Brings the panel of `tab`, the one on the screen, up to date.
    pub(in crate::app) fn refresh(&mut self, tab: Tab, context: &PanelContext<'_>) {
        let in_force = self.connections.view.filter();
        if self.of(tab).filter().is_some_and(|filter| filter.text() != in_force.text()) {
            let filter = in_force.clone();
            self.of_mut(tab).set_filter(filter);
        }
        if tab == Tab::Connections && self.connections.is_folded() {
            let Self { connections, findings, .. } = self;
            let make = || marks::marks(findings, context.store);
            connections.folded.mark(findings.number(), context.store, make);
        }
        self.of_mut(tab).refresh(context);
    }

    /// The store is another one: what was known of the rows of the old one is forgotten. Rows are found again by their identity, in
    /// the order of `view`; the order of before is returned.
    pub(in crate::app) fn show_other_store(&mut self, view: View) -> View {
        self.connections.folded.forget_store();
        self.log.forget_store();
        for panel in [&mut self.processes, &mut self.remotes, &mut self.listeners, &mut self.ports] {
            panel.forget_store();
        }
        std::mem::replace(&mut self.connections.view, view)
    }

    /// Tells all panels but that of `tab` that they are not on the screen.
    pub(in crate::app) fn leave_all_but(&mut self, tab: Tab) {
        for row in TABS.iter().filter(|row| row.tab != tab) {
            self.of_mut(row.tab).leave();
        }
    }

    /// Does `change` to every table.
    pub(in crate::app) fn change_tables(&mut self, mut change: impl FnMut(&mut dyn SortedTable)) {
        self.connections.change_tables(&mut change);
        for row in TABS.iter().filter(|row| row.tab != Tab::Connections) {
            if let Some(table) = self.of_mut(row.tab).table_mut() {
                change(table);
            }
        }
    }

    /// Looks at every table.
    pub(in crate::app) fn each_table(&self, mut look: impl FnMut(&dyn SortedTable)) {
        look(&self.connections.folded);
        look(&self.connections);
        let others = TABS.iter().filter(|row| row.tab != Tab::Connections);
        others.filter_map(|row| self.of(row.tab).table()).for_each(look);
    }

    /// Starts as the configuration says.
    pub(in crate::app) fn set_up(&mut self, setup: &ScreenSetup) {
        self.connections.fold_by(setup.group.0);
        self.states.span = setup.span.0;
        self.change_tables(|table| {
            if let Some(columns) = setup.columns.0.get(table.name()) {
                table.columns_mut().choose(Some(columns.clone()));
            }
            if let Some(sort) = setup.sort.0.get(table.name()) {
                table.start_sort(*sort);
            }
        });
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub fn is_busy(&self) -> bool {
        let is_busy = |row: &TabRow| self.of(row.tab).table().is_some_and(SortedTable::is_busy);
        self.connections.is_busy()
            || self.log.is_busy()
            || TABS.iter().filter(|row| row.tab != Tab::Connections).any(is_busy)
    }

    /// Goes on with what was started, as far as `steps` allows; answers whether a table is new and is to be refreshed.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let mut done = false;
        self.change_tables(|table| done |= table.advance(store, steps));
        done | self.log.advance(store, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_stand_in_the_order_of_the_enum_and_numbers_are_unique() {
        for (index, row) in TABS.iter().enumerate() {
            assert_eq!(row.tab as usize, index);
            assert_eq!(TABS.iter().filter(|other| other.number() == row.number()).count(), 1);
        }
    }

    #[test]
    fn stepping_goes_round() {
        let (first, second, last) = (TABS[0].tab, TABS[1].tab, TABS[TABS.len() - 1].tab);
        assert_eq!(first.step(-1), last);
        assert_eq!(last.step(1), first);
        assert_eq!(first.step(1), second);
    }
}
