//! Names of hosts: while the user wants them, those of the addresses on the screen are asked for, and of no others.

use std::net::IpAddr;

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::mode::Page;
use crate::app::notice::NoticeLevel;
use crate::model::host_name::{Lookups, Named};

impl App {
    /// The request for the names of what the screen shows now, if it differs from the last one.
    pub(super) fn look_up(&mut self) -> Option<Effect> {
        let wanted = if self.config.settings.lookups == Lookups::On { self.visible_peers() } else { Vec::new() };
        if wanted == self.names_asked {
            return None;
        }
        self.names_asked.clone_from(&wanted);
        Some(Effect::LookUp(wanted))
    }

    /// Switches names of hosts on or off; the names that are known are forgotten when they are switched off.
    pub(super) fn toggle_lookups(&mut self) -> Vec<Effect> {
        let (lookups, text) = match self.config.settings.lookups {
            Lookups::Forbidden => {
                return self.say(
                    NoticeLevel::Plain,
                    "names are switched off by --no-dns: start conntop without it to ask for them",
                );
            }
            Lookups::Off if self.config.settings.private_names => {
                (Lookups::On, "asking name servers for all addresses on the screen, private ones too; ‹names› stops")
            }
            Lookups::Off => {
                (Lookups::On, "asking name servers for public addresses only (--dns-private: all); ‹names› stops")
            }
            Lookups::On => (Lookups::Off, "names are off: name servers are not asked any more"),
        };
        self.config.settings.lookups = lookups;
        self.store.host_names_mut().clear();
        self.panels.change_tables(|table| table.columns_mut().show_peer_names(lookups == Lookups::On));
        self.refresh_panel();
        self.say(NoticeLevel::Plain, text)
    }

    /// Somebody has answered; only a name that can be seen is worth a frame.
    pub(super) fn on_host_names(&mut self, names: Vec<Named>) -> Vec<Effect> {
        if self.config.settings.lookups == Lookups::On {
            for (addr, name) in names {
                let is_news = self.store.host_names_mut().learn(addr, name);
                self.dirty |= is_news && self.names_asked.contains(&addr);
            }
        }
        Vec::new()
    }

    /// The peers on the screen, those at the top first; none where no name would be shown.
    fn visible_peers(&self) -> Vec<IpAddr> {
        let shown = match &self.page {
            Page::Detail(detail) => detail.row.iter().map(|row| row.connection.socket.remote.addr).collect(),
            Page::Tab
                if self.panel().table().is_some_and(|table| table.columns().shows_peer_names(self.table_width())) =>
            {
                self.panel().peers(&self.panel_context())
            }
            Page::Tab => Vec::new(),
        };
        let mut peers = Vec::new();
        for addr in shown.iter().map(IpAddr::to_canonical) {
            if !addr.is_unspecified() && !peers.contains(&addr) {
                peers.push(addr);
            }
        }
        peers
    }
}
