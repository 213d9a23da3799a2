//! What the bindings of the key table do to the app.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::App;
use crate::app::action::Motion;
use crate::app::detail;
use crate::app::detail::page::DetailPage;
use crate::app::effect::Effect;
use crate::app::group_filter;
use crate::app::keymap::key::Key;
use crate::app::keymap::{self, Binding, Scope};
use crate::app::mode::{Confirm, ConfirmClose, Mode, Page};
use crate::app::msg::Haste;
use crate::app::notice::Tone;
use crate::app::scroll::{Scroll, ScrollExtent, page_lines};
use crate::app::states::StateLine;
use crate::app::tab::Tab;
use crate::model::socket::SocketId;
use crate::store::groups::GroupKey;
use crate::store::listeners::ListenPlace;
use crate::store::routes::Route;
use crate::table::connections::has_namespaces;

/// The intervals that `+` and `-` step through.
const INTERVALS_MS: [u64; 10] = [100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000];

impl App {
    pub(super) fn on_key(&mut self, event: KeyEvent, haste: Option<Haste>) -> Vec<Effect> {
        // What stood in the footer has been read; the key still does what it does.
        let dismissed = self.notices.dismiss();
        self.dirty |= dismissed;
        let scope = self.mode.scope(&self.page);
        let Some(key) = Key::pressed(event) else { return Vec::new() };
        if let Some(binding) = self.config.keymap.binding(scope, key) {
            self.dirty = true;
            if binding.leads_back() && dismissed && matches!(self.mode, Mode::Normal) {
                return Vec::new();
            }
            return if self.refuses(binding, haste) { Vec::new() } else { binding.run(self) };
        }
        match event.code {
            KeyCode::Char(character) if scope == Scope::Filter && !event.modifiers.contains(KeyModifiers::CONTROL) => {
                self.type_into_filter(character.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Char(character) if scope == Scope::ConfirmWord && haste != Some(Haste::Unread) => {
                self.type_word(character);
            }
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn on_paste(&mut self, text: &str) -> Vec<Effect> {
        // Pasted text is only ever text: it can neither choose nor confirm anything.
        self.type_into_filter(text);
        Vec::new()
    }

    /// The bindings of the footer: those of them that do something on what is shown.
    pub fn footer(&self) -> Vec<&'static Binding> {
        keymap::footer(self.mode.scope(&self.page), self.tab)
    }

    /// Whether a yes is not taken: it came before its question could be read.
    fn refuses(&mut self, binding: &Binding, haste: Option<Haste>) -> bool {
        // A word is typed fast.
        let waits_for_word = self.mode.word_mut().is_some();
        let too_soon =
            binding.confirms() && if waits_for_word { haste == Some(Haste::Unread) } else { haste.is_some() };
        if let Mode::Confirm(Confirm { again, .. }) | Mode::ConfirmClose(ConfirmClose { again, .. }) = &mut self.mode {
            *again = too_soon;
        }
        too_soon
    }

    pub(super) fn toggle_help(&mut self) {
        self.mode = match self.mode {
            Mode::Help { .. } => Mode::Normal,
            _ => Mode::Help { scroll: Scroll::default() },
        };
    }

    pub(super) fn toggle_explanation(&mut self) {
        match self.mode {
            Mode::Explain { .. } => self.mode = Mode::Normal,
            _ => match self.explained(self.selection()) {
                Some(explained) => self.mode = Mode::Explain { explained, scroll: Scroll::default() },
                None => {
                    self.say(
                        Tone::Plain,
                        "there is nothing to explain here; e explains a connection, a listener, a state or a finding",
                    );
                }
            },
        }
    }

    pub(super) fn back(&mut self) {
        match (std::mem::take(&mut self.mode), &self.page) {
            (Mode::Filter(edit), _) => self.cancel_filter(&edit.before),
            (Mode::Normal, Page::Detail(_)) => self.close_detail(),
            (Mode::Normal, Page::Tab) => self.clear_filter(),
            // Menus, dialogs and the help are closed by taking the mode.
            _ => {}
        }
    }

    /// From the connections of a group the way back is to the groups. The cursor stays on its row.
    fn clear_filter(&mut self) {
        let is_filtered = self.tab == Tab::Connections || self.tables.group(self.tab).is_some();
        if is_filtered && !self.tables.connections.view.filter().is_empty() {
            let Some((tab, filter)) = self.entered.take() else {
                return self.apply_filter("");
            };
            self.apply_filter(&filter);
            self.show(tab);
        }
    }

    fn close_detail(&mut self) {
        self.page = Page::Tab;
        self.refresh_tables();
    }

    pub(super) fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.page = Page::Tab;
        self.entered = None;
        self.tables.forget_hidden(tab);
        self.refresh_tables();
    }

    pub(super) fn go(&mut self, motion: Motion) {
        let page = page_lines(self.body_height());
        match &mut self.mode {
            Mode::Help { scroll } => {
                // Title line and footer are not the help's.
                let height = usize::from(self.config.size.1).saturating_sub(2);
                scroll.go(motion, page, ScrollExtent { len: keymap::help_len(self.config.size.0), height });
            }
            Mode::Explain { explained, scroll } => {
                let height = usize::from(self.config.size.1).saturating_sub(2);
                let len = crate::app::explain::len(explained, self.config.size.0);
                scroll.go(motion, page, ScrollExtent { len, height });
            }
            Mode::SortMenu { .. } | Mode::OwnerMenu { .. } | Mode::SocketMenu { .. } | Mode::SignalMenu { .. } => {
                self.move_in_menu(motion);
            }
            _ => self.go_in_page(motion, page),
        }
    }

    fn go_in_page(&mut self, motion: Motion, page: usize) {
        let len = match self.page {
            Page::Detail(_) => Some(detail::len(self)),
            Page::Tab => None,
        };
        let height = self.body_height();
        match (&mut self.page, len) {
            (Page::Detail(detail), Some(len)) => {
                detail.scroll.go(motion, page, ScrollExtent { len, height });
            }
            _ if self.tab == Tab::States => self.states.go(motion),
            _ if self.tab == Tab::Findings => self.go_in_findings(motion),
            _ if self.tab == Tab::Log => self.with_log_lines(|cursor, lines| cursor.go(motion, lines)),
            _ => match self.tables.group_mut(self.tab) {
                Some(table) => table.with_lines(height, |cursor, lines| cursor.go(motion, lines)),
                None => {
                    self.tables.connections.with_lines(&self.store, height, |cursor, lines| cursor.go(motion, lines));
                }
            },
        }
    }

    /// Opens the details of a connection, or the connections of a group.
    pub(super) fn open(&mut self) {
        match self.tab {
            Tab::Connections => {
                self.choose_selected();
                if let Some(id) = self.tables.connections.cursor.key() {
                    self.open_detail(id);
                }
            }
            Tab::Log => {
                self.choose_selected();
                if let Some(id) = self.log.key().and_then(|key| self.log_entry(key)).map(|entry| entry.id) {
                    self.open_detail(id);
                }
            }
            Tab::Findings => self.open_finding(),
            Tab::States => self.open_state(),
            Tab::Processes | Tab::Remotes | Tab::Listeners | Tab::Ports => self.open_group(),
        }
    }

    pub(crate) fn open_detail(&mut self, id: SocketId) {
        self.page = Page::Detail(Box::new(DetailPage::new(id, &self.store)));
    }

    fn open_group(&mut self) {
        self.choose_selected();
        let Some(key) = self.tables.group(self.tab).and_then(|table| table.cursor.key()) else { return };
        let mut filter = group_filter::of(key, &self.store);
        // What was added up: the sockets of the group that pass the filter.
        if let Some(before) = Some(self.tables.connections.view.filter().text().trim()).filter(|text| !text.is_empty())
        {
            filter = format!("({before}) {filter}");
        }
        if let (GroupKey::Route(_), Some(range)) = (key, self.store.facts().ephemeral_ports) {
            filter = format!("{filter} lport:{}-{}", range.first, range.last);
        }
        if let GroupKey::Listener { place: ListenPlace { netns, .. }, .. }
        | GroupKey::OneOfListeners(ListenPlace { netns, .. })
        | GroupKey::Route(Route { netns, .. }) = key
            && has_namespaces(&self.store)
        {
            filter = format!("{filter} netns:{}", netns.0);
        }
        self.enter(&filter, self.way_back());
    }

    fn open_state(&mut self) {
        let filter = match self.states.selected() {
            StateLine::Tcp(state) => format!("proto:tcp state:{}", state.row().label),
            StateLine::Udp => "proto:udp".to_owned(),
        };
        self.enter(&filter, self.way_back());
    }

    /// The tab and the filter of now.
    pub(super) fn way_back(&self) -> (Tab, String) {
        (self.tab, self.tables.connections.view.filter().text().to_owned())
    }

    /// Shows the connections that pass `filter`; Esc leads back.
    pub(super) fn enter(&mut self, filter: &str, back: (Tab, String)) {
        self.apply_filter(filter);
        self.tables.connections.cursor.release();
        self.show(Tab::Connections);
        self.entered = Some(back);
    }

    pub(super) fn next_span(&mut self) {
        if self.tab == Tab::States {
            self.states.span = self.states.span.next();
        }
    }

    /// A key that acts on the row under the cursor stays with it.
    pub(super) fn choose_selected(&mut self) {
        match self.tables.group_mut(self.tab) {
            Some(table) => table.cursor.pick(),
            None if self.tab == Tab::Log => self.log.pick(),
            None if self.tab == Tab::Findings => self.findings.cursor.pick(),
            None => self.tables.connections.cursor.pick(),
        }
    }

    /// The views that group the same sockets, one after the other.
    pub(super) fn group(&mut self) {
        self.show(match self.tab {
            Tab::Connections => Tab::Processes,
            Tab::Processes => Tab::Remotes,
            Tab::Remotes => Tab::Listeners,
            Tab::Listeners | Tab::States | Tab::Findings | Tab::Ports | Tab::Log => Tab::Connections,
        });
    }

    pub(super) fn follow(&mut self) {
        let follows = match self.tables.group_mut(self.tab) {
            Some(table) => table.cursor.toggle_follow(),
            None if self.tab == Tab::Connections => self.tables.connections.cursor.toggle_follow(),
            None => return,
        };
        let text = if follows {
            "following: the selected row keeps its line on the screen"
        } else {
            "not following: the selected row moves with the order"
        };
        self.say(Tone::Plain, text);
    }

    pub(super) fn step_interval(&mut self, slower: bool) -> Vec<Effect> {
        let now = self.config.interval;
        let mut steps = INTERVALS_MS.iter().map(|&ms| Duration::from_millis(ms));
        let next = if slower { steps.find(|step| *step > now) } else { steps.rfind(|step| *step < now) };
        let Some(next) = next else { return Vec::new() };
        self.config.interval = next;
        vec![Effect::Interval(next)]
    }
}
