//! What is asked for beside the sockets: only what the screen shows, and only told when it changes.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::mode::Page;
use crate::app::notice::NoticeLevel;
use crate::model::process::Owner;
use crate::model::snapshot::Needs;
use crate::model::socket::Socket;

impl App {
    /// The request for what the screen needs now, if it differs from the last one.
    pub(super) fn collect(&mut self) -> Option<Effect> {
        let needs = self.needs();
        if needs == self.asked {
            return None;
        }
        self.asked = needs.clone();
        Some(Effect::Collect(needs))
    }

    /// All network namespaces, or conntop's own only; `collect` tells the source.
    pub(super) fn toggle_namespaces(&mut self) -> Vec<Effect> {
        if !self.config.source.kind.sees_namespaces() {
            return self
                .say(NoticeLevel::Plain, "this source has no other network namespaces; --source linux shows them");
        }
        self.config.settings.all_namespaces = !self.config.settings.all_namespaces;
        let text = if self.config.settings.all_namespaces {
            "all network namespaces that you may enter; ‹namespaces› goes back to one"
        } else {
            "only the network namespace that conntop runs in; ‹namespaces› shows all"
        };
        self.say(NoticeLevel::Plain, text);
        // After the request for what is needed, so that the sample has it.
        let collect = self.collect();
        collect.into_iter().chain([Effect::Sample]).collect()
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs { all_namespaces: self.config.settings.all_namespaces, ..Needs::default() };
        match &self.page {
            Page::Detail(detail) => {
                let open = detail.row.as_ref().filter(|row| !row.is_closed());
                if let Some(socket) = open.map(|row| &row.connection.socket) {
                    self.add_needs_of(socket, &mut needs);
                }
            }
            Page::Tab => self.panel().add_needs(&mut needs, &self.panel_context()),
        }
        needs.by_name = self.panels.connections.view.filter().asked_by_name();
        // Rows that change places ask for nothing new.
        needs.visible.sort_unstable_by_key(|reference| reference.id);
        needs.usage.sort_unstable();
        needs.usage.dedup();
        needs
    }

    /// What the details of `socket` need.
    fn add_needs_of(&self, socket: &Socket, needs: &mut Needs) {
        if self.store.sample_intervals().full_every.is_some() {
            needs.visible.push(socket.reference());
        }
        needs.details.push(socket.reference());
        if let Owner::Live(holders) = &socket.owner {
            needs.usage.extend(holders.all().iter().map(|process| process.id));
        }
    }
}
