//! The title of what is on the screen: how much of how much, which filter, which order.

use crate::app::App;
use crate::app::mode::Page;
use crate::app::tab::Tab;
use crate::diagnosis::finding::Severity;
use crate::model::address_text::both_ends;
use crate::table::column::Order;
use crate::table::fit::cells;
use crate::table::units;

impl App {
    /// The title beside the tabs: `312 of 4,012 · state:close-wait`.
    pub fn title(&self) -> String {
        match (&self.page, self.tab) {
            (Page::Detail(detail), _) => {
                let socket = detail.row.as_ref().map(|row| &row.connection.socket);
                socket.map_or_else(String::new, |socket| both_ends(socket, self.store.names()))
            }
            (Page::Tab, Tab::Connections) => self.connections_title(),
            (Page::Tab, Tab::Findings) => self.findings_title(),
            (Page::Tab, Tab::States) => self.states.span.label().to_owned(),
            (Page::Tab, Tab::Log) => self.log_title(),
            (Page::Tab, tab) => self.groups_title(tab),
        }
    }

    pub(super) fn title_width(&self) -> u16 {
        u16::try_from(cells(&self.title())).unwrap_or(u16::MAX)
    }

    fn connections_title(&self) -> String {
        let all = units::count(u64::from(self.store.rows().counts().total()));
        let view = &self.tables.connections.view;
        let filter = view.filter();
        let sorting = if view.is_arranging() { " · sorting…" } else { "" };
        let order = format!("{}{sorting}", self.hidden_order());
        if filter.is_empty() {
            return format!("{all}{order}");
        }
        let shown =
            if view.is_filtering() { "…".to_owned() } else { units::count(self.tables.connections.live as u64) };
        format!("{shown} of {all} · {}{order}", filter.text().trim())
    }

    /// How many groups there are; with a filter, of which sockets.
    fn groups_title(&self, tab: Tab) -> String {
        let Some(table) = self.tables.group(tab) else { return String::new() };
        let count = units::count(table.view.len() as u64);
        match table.view.filter().text().trim() {
            "" => count,
            filter => format!("{count} · {filter}"),
        }
    }

    /// What the table is sorted by, if no heading on the screen says so.
    fn hidden_order(&self) -> String {
        let Some(sort) = self.tables.sort(self.tab) else { return String::new() };
        let shown = self.tables.shown(self.tab, self.config.size.0);
        let heads = self.tables.heads(self.tab);
        match heads.get(sort.column).filter(|_| shown.iter().all(|place| place.index != sort.column)) {
            Some(head) => format!(" · by {} {}", head.key, arrow(sort.order)),
            None => String::new(),
        }
    }

    fn findings_title(&self) -> String {
        let critical = self.findings.iter().filter(|finding| finding.severity == Severity::Critical).count();
        let (listed, total) = (self.findings.len() as u64, self.findings.total() as u64);
        let of = if listed < total { format!(" of {}", units::count(total)) } else { String::new() };
        let critical = if critical > 0 { format!(" · {critical} critical") } else { String::new() };
        let ignored = match self.findings.ignored() {
            0 => String::new(),
            ignored => format!(" · {} ignored", units::count(ignored as u64)),
        };
        format!("{}{of}{critical}{ignored}", units::count(listed))
    }

    fn log_title(&self) -> String {
        let log = self.store.log();
        let (kept, total) = (log.entries().len() as u64, log.total());
        if kept < total { format!("{} of {}", units::count(kept), units::count(total)) } else { units::count(kept) }
    }
}

/// The direction of a sort as one character.
pub const fn arrow(order: Order) -> char {
    match order {
        Order::Ascending => '▴',
        Order::Descending => '▾',
    }
}
