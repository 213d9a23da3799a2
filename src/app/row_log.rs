//! What keys do with the log: the log of the selected row, the connections that have ended, and the filter that is edited.

use crate::app::App;
use crate::app::mode::{Page, ReturnPoint};
use crate::app::notice::NoticeLevel;
use crate::app::panels::OpenTarget;
use crate::app::panels::log::list::LogView;
use crate::app::tabs::Tab;
use crate::model::address_text::{local_end, remote_end};
use crate::model::endpoint::Endpoint;
use crate::model::socket::SocketId;
use crate::table::filter::Filter;

impl App {
    /// Shows the connections that have ended; where they are shown, every change again.
    pub(super) fn show_closed(&mut self) {
        let is_shown = self.tab == Tab::CHANGES && self.panels.log.view() == LogView::Closed;
        self.panels.log.set_view(if is_shown { LogView::Changes } else { LogView::Closed });
        self.show(Tab::CHANGES);
    }

    /// Shows what the log has of the selected row. Esc leads back.
    pub(super) fn show_log_of_row(&mut self) {
        let target = match &self.page {
            Page::Detail(detail) => OpenTarget::Details(detail.id),
            Page::Tab => self.panel().open(&self.panel_context()),
        };
        let filter = match target {
            OpenTarget::Details(id) => self.filter_of_ends(id),
            OpenTarget::Filtered(filter) => Some(filter),
            OpenTarget::Nothing => None,
            OpenTarget::Refused(why) => return drop(self.say(NoticeLevel::Plain, why)),
        };
        let Some(filter) = filter else {
            return drop(self.say(NoticeLevel::Plain, "there is no row whose log could be shown"));
        };
        let from = self.return_point();
        self.panels.log.set_view(LogView::Changes);
        self.show(Tab::CHANGES);
        self.put_edited_filter(&filter);
        self.entered_from = Some(from);
    }

    /// The filter that is passed by what happens between the ends of a socket; of a listener, by all at its port.
    fn filter_of_ends(&self, id: SocketId) -> Option<String> {
        let words = |local: String, remote: Option<String>, port: u16| match remote {
            Some(remote) => format!("local:{local} remote:{remote}"),
            None => format!("lport:{port}"),
        };
        let names = self.store.names();
        if let Some(row) = self.seen_row(id) {
            let socket = &row.connection.socket;
            let remote = (!socket.remote.is_unset()).then(|| remote_end(socket, names));
            return Some(words(local_end(socket, names), remote, socket.local.port));
        }
        let closed = self.store.closed().find(id).map(|closed| &closed.end);
        let entry = closed.or_else(|| self.store.log().entries().iter().rev().find(|entry| entry.id == id))?;
        let is_known = |end: Endpoint| !end.is_unset();
        let remote = entry.remote_text(names).filter(|_| is_known(entry.remote));
        Some(words(entry.local_text(names), remote, entry.local.port))
    }

    /// The filter that the filter line changes on this tab: that of the log on its tab, else the one in force on all others.
    pub(super) fn edited_filter(&self) -> &Filter {
        self.panel().own_filter().unwrap_or_else(|| self.panels.connections.view.filter())
    }

    /// Puts the filter `text`, which must parse, in force where [`edited_filter`](Self::edited_filter) is.
    pub(super) fn put_edited_filter(&mut self, text: &str) {
        if self.panel().own_filter().is_none() {
            return self.apply_filter(text);
        }
        match Filter::parse(text) {
            Ok(filter) => self.start_edited_filter(filter),
            Err(error) => drop(self.say(NoticeLevel::Bad, error.message.as_str())),
        }
    }

    /// The same with a filter that is parsed; one that is in force already stays.
    pub(super) fn start_edited_filter(&mut self, filter: Filter) {
        if filter.text() == self.edited_filter().text() {
            return;
        }
        if self.panel().own_filter().is_some() {
            self.change_panel(|panel, _| panel.set_own_filter(filter));
        } else {
            self.panels.connections.view.start_filter(filter);
        }
        self.refresh_panel();
    }

    /// Clears the filter of the tab, where it has one of its own that is not empty; answers whether it had. From the log of a row it
    /// leads back to that row.
    pub(super) fn clear_own_filter(&mut self) -> bool {
        if self.panel().own_filter().is_none_or(Filter::is_empty) {
            return false;
        }
        self.start_edited_filter(Filter::default());
        if let Some(ReturnPoint { tab, .. }) = self.entered_from.take() {
            self.show(tab);
        }
        true
    }
}
