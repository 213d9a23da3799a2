//! What is asked for beside the sockets: only what the screen shows, and only told when it changes.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::mode::Page;
use crate::app::notice::Tone;
use crate::app::tab::Tab;
use crate::model::process::Owner;
use crate::model::snapshot::Needs;
use crate::model::socket::SocketRef;
use crate::store::groups::GroupKey;
use crate::store::rows::Row;

/// The most rows of a screen that are looked up between full samples: 3 ms.
const VISIBLE_MAX: usize = 1_000;

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
            return self.say(Tone::Plain, "this source has no other network namespaces; --source linux shows them");
        }
        self.config.all_namespaces = !self.config.all_namespaces;
        let text = if self.config.all_namespaces {
            "all network namespaces that you may enter; N goes back to one"
        } else {
            "only the network namespace that conntop runs in; N shows all"
        };
        self.notices.push(Tone::Plain, text);
        // After the request for what is needed, so that the sample has it.
        let collect = self.collect();
        collect.into_iter().chain([Effect::Sample]).collect()
    }

    fn needs(&self) -> Needs {
        let mut needs =
            Needs { visible: self.visible(), all_namespaces: self.config.all_namespaces, ..Needs::default() };
        match &self.page {
            Page::Detail(detail) => {
                let open = detail.row.as_ref().filter(|row| !row.is_closed());
                if let Some(socket) = open.map(|row| &row.connection.socket) {
                    needs.details.push(socket.reference());
                    if let Owner::Live(holders) = &socket.owner {
                        needs.usage.extend(holders.all().iter().map(|process| process.id));
                    }
                }
            }
            Page::Tab if self.tab == Tab::Processes => {
                let table = self.tables.group(self.tab);
                let visible = table.into_iter().flat_map(|table| table.window(self.body_height()));
                needs.usage.extend(visible.filter_map(|(_, group)| match group.key {
                    GroupKey::Process(id) => Some(id),
                    _ => None,
                }));
            }
            Page::Tab => {}
        }
        // Rows that change places ask for nothing new.
        needs.usage.sort_unstable();
        needs.usage.dedup();
        needs
    }

    /// The connections on the screen; none where every sample shows all of them anyway.
    fn visible(&self) -> Vec<SocketRef> {
        if self.store.rhythm().full_every.is_none() {
            return Vec::new();
        }
        let row = |row: &Row| (!row.is_closed()).then(|| row.connection.socket.reference());
        let mut visible: Vec<_> = match &self.page {
            Page::Detail(detail) => detail.row.as_ref().and_then(row).into_iter().collect(),
            Page::Tab if self.tab == Tab::Connections => {
                let window = self.tables.connections.window(&self.store, self.body_height());
                window.filter_map(|(_, shown)| row(shown)).take(VISIBLE_MAX).collect()
            }
            Page::Tab => Vec::new(),
        };
        visible.sort_unstable_by_key(|reference| reference.id);
        visible
    }
}
