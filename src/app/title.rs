//! The title of what is on the screen: how much of how much, which filter, which order.

use crate::app::App;
use crate::app::mode::Page;
use crate::app::tab::Tab;
use crate::table::column::Order;
use crate::table::fit::cells;
use crate::table::units;

impl App {
    /// The title beside the tabs: `312 of 4,012 · state:close-wait · age ▼`.
    pub fn title(&self) -> String {
        match (&self.page, self.tab) {
            (Page::Detail(_), _) => "Esc back".to_owned(),
            (Page::Tab, Tab::Connections) => self.connections_title(),
            (Page::Tab, Tab::States) => "the last 15 minutes".to_owned(),
            (Page::Tab, Tab::Log) => self.log_title(),
            (Page::Tab, tab) => {
                let count = self.tables.group(tab).map_or(0, |table| table.view.groups().len());
                format!("{}{}", units::count(count as u64), self.sort_title())
            }
        }
    }

    pub(super) fn title_width(&self) -> u16 {
        u16::try_from(cells(&self.title())).unwrap_or(u16::MAX)
    }

    fn connections_title(&self) -> String {
        let view = &self.tables.connections.view;
        let (shown, all) = (view.order().len(), self.store.rows().iter().count());
        let count = if view.filter().is_empty() {
            units::count(all as u64)
        } else {
            format!("{} of {} · {}", units::count(shown as u64), units::count(all as u64), view.filter().text().trim())
        };
        format!("{count}{}", self.sort_title())
    }

    fn sort_title(&self) -> String {
        let sort = self.tables.sort(self.tab);
        sort.and_then(|sort| Some((self.tables.heads(self.tab).get(sort.column)?.key, sort.order)))
            .map_or_else(String::new, |(key, order)| format!(" · {key} {}", arrow(order)))
    }

    fn log_title(&self) -> String {
        let log = self.store.log();
        let (kept, total) = (log.entries().len() as u64, log.total());
        let of = if kept < total { format!(" of {}", units::count(total)) } else { String::new() };
        format!("{}{of} · newest first", units::count(kept))
    }
}

/// The direction of a sort as one character.
pub const fn arrow(order: Order) -> char {
    match order {
        Order::Ascending => '▲',
        Order::Descending => '▼',
    }
}
