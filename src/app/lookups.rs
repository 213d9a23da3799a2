//! Names of hosts: while the user wants them, those of the addresses on the screen are asked for, and of no others.

use std::net::IpAddr;

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::mode::Page;
use crate::app::notice::Tone;
use crate::app::tab::Tab;
use crate::model::host_name::{Lookups, Named};
use crate::model::socket::Socket;
use crate::table::column::HOST;

impl App {
    /// The request for the names of what the screen shows now, if it differs from the last one.
    pub(super) fn look_up(&mut self) -> Option<Effect> {
        let wanted = if self.config.lookups == Lookups::On { self.visible_peers() } else { Vec::new() };
        if wanted == self.names_asked {
            return None;
        }
        self.names_asked.clone_from(&wanted);
        Some(Effect::LookUp(wanted))
    }

    /// Names on or off; what is known is forgotten with the wish for it.
    pub(super) fn toggle_lookups(&mut self) -> Vec<Effect> {
        let (lookups, text) = match self.config.lookups {
            Lookups::Forbidden => {
                return self
                    .say(Tone::Plain, "names are switched off by --no-dns: start conntop without it to ask for them");
            }
            Lookups::Off if self.config.private_names => {
                (Lookups::On, "asking name servers what is on the screen, private addresses too; n stops")
            }
            Lookups::Off => {
                (Lookups::On, "asking name servers for public addresses only (--dns-private: all); n stops")
            }
            Lookups::On => (Lookups::Off, "no names: nothing is asked any more"),
        };
        self.config.lookups = lookups;
        self.store.host_names_mut().clear();
        self.tables.show_hosts(lookups == Lookups::On);
        self.refresh_tables();
        self.say(Tone::Plain, text)
    }

    /// Somebody has answered; only a name that can be seen is worth a frame.
    pub(super) fn on_host_names(&mut self, names: Vec<Named>) -> Vec<Effect> {
        if self.config.lookups == Lookups::On {
            for (addr, name) in names {
                let is_news = self.store.host_names_mut().learn(addr, name);
                self.dirty |= is_news && self.names_asked.contains(&addr);
            }
        }
        Vec::new()
    }

    /// The peers on the screen, those at the top first; none where no name would be shown.
    fn visible_peers(&self) -> Vec<IpAddr> {
        let mut peers = Vec::new();
        let mut push = |addr: IpAddr| {
            let addr = addr.to_canonical();
            if !addr.is_unspecified() && !peers.contains(&addr) {
                peers.push(addr);
            }
        };
        let height = self.body_height();
        match (&self.page, self.tables.group(self.tab)) {
            (Page::Detail(detail), _) => {
                detail.row.iter().for_each(|row| push(peer(&row.connection.socket)));
            }
            (Page::Tab, _) if !self.shows_hosts() => {}
            (Page::Tab, Some(table)) => {
                table
                    .window(height)
                    .filter_map(|(_, group)| group.key.remote_address())
                    .for_each(|address| push(address.ip()));
            }
            (Page::Tab, None) => {
                let rows = self.tables.connections.window(&self.store, height);
                rows.for_each(|(_, row)| push(peer(&row.connection.socket)));
            }
        }
        peers
    }

    /// Whether the table on the screen has room for names.
    fn shows_hosts(&self) -> bool {
        let tab = self.tab;
        let heads = self.tables.heads(tab);
        let is_table = tab == Tab::Connections || self.tables.group(tab).is_some();
        is_table && self.tables.shown(tab, self.config.size.0).iter().any(|place| heads[place.index].key == HOST)
    }
}

const fn peer(socket: &Socket) -> IpAddr {
    socket.remote.addr
}
