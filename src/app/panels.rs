//! The panels of the tabs.

use crate::app::App;
use crate::app::mode::Page;
use crate::app::selection::Selected;
use crate::app::tab::Tab;
use crate::model::socket::SocketId;
use crate::store::rows::Row;

/// What is said instead of acting on a row that nobody picked.
const NOT_PICKED: &str = "no row is picked: pick one first, with j, k, the arrows or a click";

impl App {
    /// What is selected on the screen.
    pub fn selection(&self) -> Selected {
        match &self.page {
            Page::Detail(detail) => Selected::Socket(detail.id),
            Page::Tab => self.tab_selection(),
        }
    }

    fn tab_selection(&self) -> Selected {
        match self.tab {
            Tab::Connections => self.tables.connections.cursor.key().map_or(Selected::None, Selected::Socket),
            Tab::Processes | Tab::Remotes | Tab::Listeners | Tab::Ports => {
                let key = self.tables.group(self.tab).and_then(|table| table.cursor.key());
                key.map_or(Selected::None, Selected::Group)
            }
            Tab::States => Selected::State(self.states.selected()),
            Tab::Findings => self.findings.cursor.key().map_or(Selected::None, Selected::Finding),
            Tab::Log => self.log.key().map_or(Selected::None, Selected::LogLine),
        }
    }

    fn is_picked(&self) -> bool {
        match (&self.page, self.tab) {
            (Page::Detail(_), _) | (Page::Tab, Tab::States) => true,
            (Page::Tab, Tab::Connections) => self.tables.connections.cursor.is_picked(),
            (Page::Tab, Tab::Log) => self.log.is_picked(),
            (Page::Tab, Tab::Findings) => self.findings.cursor.is_picked(),
            (Page::Tab, tab) => self.tables.group(tab).is_some_and(|table| table.cursor.is_picked()),
        }
    }

    /// The selection, if the user picked it: nothing is done to a row that nobody picked.
    pub(super) fn picked(&self) -> Result<Selected, String> {
        if self.is_picked() { Ok(self.selection()) } else { Err(NOT_PICKED.to_owned()) }
    }

    /// The socket `id` as last seen: that of the open details stays when the store forgets it.
    pub(super) fn seen_row(&self, id: SocketId) -> Option<&Row> {
        let known = self.store.rows().find(id).and_then(|index| self.store.rows().get(index));
        known.or(match &self.page {
            Page::Detail(detail) if detail.id == id => detail.row.as_ref(),
            Page::Detail(_) | Page::Tab => None,
        })
    }
}
