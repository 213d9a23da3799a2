//! What the bindings of the key table do to the app.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::App;
use crate::app::action::Motion;
use crate::app::binding::{Binding, KeyContext, KeyScope};
use crate::app::detail;
use crate::app::detail::page::DetailPage;
use crate::app::effect::Effect;
use crate::app::explain;
use crate::app::help::{self, HelpLine};
use crate::app::help_page::HelpPage;
use crate::app::keymap::QUIT;
use crate::app::keymap::key::KeyStroke;
use crate::app::menu::{FOLDINGS, MenuChoice};
use crate::app::mode::{Confirm, ConfirmAll, ConfirmClose, Mode, Page, ReturnPoint};
use crate::app::msg::EarlyKey;
use crate::app::notice::NoticeLevel;
use crate::app::panels::OpenTarget;
use crate::app::scroll::{Scroll, ScrollExtent, page_lines};
use crate::app::tabs::Tab;
use crate::model::snapshot::SourceKind;
use crate::model::socket::SocketId;
use crate::store::folding::Folding;
use crate::table::units;

/// So many keys are told that they do nothing; who presses more of them is not helped by more words.
const IDLE_KEYS_MAX: usize = 32;
/// For longer than this `q` asks before what was seen is lost.
const LOST_HISTORY_MIN: Duration = Duration::from_secs(10 * 60);

/// The intervals that `+` and `-` step through.
const INTERVALS_MS: [u64; 10] = [100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000];

/// What the keys before this one left behind.
#[derive(Debug, Default)]
pub(super) struct KeyHistory {
    /// The last key was to be pressed once more to end the program.
    is_quit_asked: bool,
    /// The keys of which it was said that they do nothing; [`IDLE_KEYS_MAX`] at the most.
    pub(super) idle: Vec<KeyStroke>,
}

impl App {
    pub(super) fn on_key(&mut self, event: KeyEvent, early: Option<EarlyKey>) -> Vec<Effect> {
        // What stood in the footer has been read; the key still does what it does.
        let dismissed = self.notices.dismiss();
        self.dirty |= dismissed;
        let scope = self.mode.scope(&self.page);
        let Some(key) = KeyStroke::pressed(event) else { return Vec::new() };
        let was_asked = std::mem::take(&mut self.key_history.is_quit_asked);
        if let Some(binding) = self.config.settings.keymap.binding(scope, key) {
            self.dirty = true;
            // The second `q` is the next key.
            self.key_history.is_quit_asked = was_asked && binding.action == QUIT;
            if binding.leads_back() && dismissed && matches!(self.mode, Mode::Normal) {
                return Vec::new();
            }
            return self.run(binding, early);
        }
        match event.code {
            KeyCode::Char(character)
                if scope == KeyScope::Filter && !event.modifiers.contains(KeyModifiers::CONTROL) =>
            {
                self.type_into_filter(character.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Char(character) if scope == KeyScope::FileName && key.typed().is_some() => {
                self.type_into_path(character.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Char(character) if scope == KeyScope::Time && key.typed().is_some() => {
                self.type_into_time(character.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Char(character) if scope == KeyScope::Palette && key.typed().is_some() => {
                self.type_into_palette(character.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Char(character) if scope == KeyScope::HelpSearch && key.typed().is_some() => {
                if let Mode::Help(page) = &mut self.mode {
                    page.type_text(character.encode_utf8(&mut [0; 4]));
                    self.dirty = true;
                }
            }
            KeyCode::Char(character) if scope == KeyScope::ConfirmWord && early != Some(EarlyKey::QuestionUnread) => {
                self.type_word(character);
            }
            _ if matches!(scope, KeyScope::Table | KeyScope::Detail) => self.say_that_it_does_nothing(key),
            _ => {}
        }
        Vec::new()
    }

    /// Says of `key` that it does nothing here, once: who presses it again knows.
    fn say_that_it_does_nothing(&mut self, key: KeyStroke) {
        if self.key_history.idle.len() < IDLE_KEYS_MAX && !self.key_history.idle.contains(&key) {
            self.key_history.idle.push(key);
            self.say(NoticeLevel::Plain, format!("{key} does nothing here; ‹help› shows the keys").as_str());
        }
    }

    pub(super) fn on_paste(&mut self, text: &str) -> Vec<Effect> {
        // Pasted text is only ever text: it can neither choose nor confirm anything.
        self.type_into_filter(text);
        self.type_into_path(text);
        self.type_into_time(text);
        Vec::new()
    }

    /// Runs `binding`, by whichever key, click or menu it was called, or says why it does not act here.
    pub(super) fn run(&mut self, binding: &Binding, early: Option<EarlyKey>) -> Vec<Effect> {
        self.dirty = true;
        let context = self.key_context();
        if let Some(run) = binding.on.instead(&context) {
            run(self);
            return Vec::new();
        }
        if let Some(why) = binding.on.refusal(&context) {
            return self.say(NoticeLevel::Bad, why);
        }
        if self.refuses(binding, early) { Vec::new() } else { binding.run(self) }
    }

    /// Whether a yes is not taken: it came before its question could be read.
    fn refuses(&mut self, binding: &Binding, early: Option<EarlyKey>) -> bool {
        // The letters of a word come fast, one after the other.
        let waits_for_word = self.mode.word_mut().is_some();
        let too_soon = binding.confirms()
            && if waits_for_word { early == Some(EarlyKey::QuestionUnread) } else { early.is_some() };
        if let Mode::Confirm(Confirm { again, .. })
        | Mode::ConfirmClose(ConfirmClose { again, .. })
        | Mode::ConfirmAll(ConfirmAll { again, .. }) = &mut self.mode
        {
            *again = too_soon;
        }
        too_soon
    }

    pub(super) fn toggle_help(&mut self) {
        self.mode = match self.mode {
            Mode::Help(_) => Mode::Normal,
            _ => Mode::Help(HelpPage::default()),
        };
    }

    /// The lines of the help `page`.
    pub fn help_lines(&self, page: &HelpPage) -> Vec<HelpLine> {
        let scope = Mode::Normal.scope(&self.page);
        let context = KeyContext { scope, is_picked: true, ..self.key_context() };
        let title = match self.page {
            Page::Tab => self.tab.row().title,
            Page::Detail(_) => "Details",
        };
        let settings = &self.config.settings;
        help::lines(title, &context, &settings.keymap, &settings.filters, &page.search)
    }

    pub(super) fn search_help(&mut self) {
        self.mode = Mode::Help(HelpPage { is_typing: true, ..HelpPage::default() });
    }

    pub(super) fn keep_help_search(&mut self) {
        if let Mode::Help(page) = &mut self.mode {
            page.is_typing = false;
        }
    }

    pub(super) fn erase_help_search(&mut self) {
        if let Mode::Help(page) = &mut self.mode {
            page.erase();
        }
    }

    pub(super) fn toggle_explanation(&mut self) {
        match self.mode {
            Mode::Explain { .. } => self.mode = Mode::Normal,
            _ => match self.explained(self.selected()) {
                Some(explained) => self.mode = Mode::Explain { explained, scroll: Scroll::default() },
                None => {
                    self.say(
                        NoticeLevel::Plain,
                        "there is nothing to explain here; ‹explain› explains a connection, a listener, a state or a finding",
                    );
                }
            },
        }
    }

    pub(super) fn back(&mut self) {
        match (std::mem::take(&mut self.mode), &self.page) {
            (Mode::Filter(edit), _) => self.cancel_filter(&edit),
            // What was typed to find lines goes first.
            (Mode::Help(page), _) if page.is_typing || !page.search.is_empty() => {
                self.mode = Mode::Help(HelpPage::default());
            }
            // The line of its name goes.
            (Mode::Export(_) | Mode::GoTo(_), _) => self.refresh_panel(),
            (Mode::Normal, Page::Detail(_)) => self.close_detail(),
            (Mode::Normal, Page::Tab) => self.clear_filter(),
            // Menus, dialogs and the help are closed by taking the mode.
            _ => {}
        }
    }

    /// Leaves the connections of a group for the groups; else the program. Where that loses minutes of history that no file has,
    /// it has to be asked for twice.
    pub(super) fn quit(&mut self) -> Vec<Effect> {
        if self.entered_from.is_some() && !self.edited_filter().is_empty() {
            self.clear_filter();
            return Vec::new();
        }
        let observed = self.observed();
        if observed < LOST_HISTORY_MIN || std::mem::replace(&mut self.key_history.is_quit_asked, true) {
            return vec![Effect::Quit];
        }
        let text = format!(
            "‹quit› again ends conntop and loses the history of {}; conntop record keeps one",
            units::lasted(observed)
        );
        self.say(NoticeLevel::Plain, text.as_str())
    }

    /// How long this machine has been watched; nothing for what comes from a file or is made up.
    fn observed(&self) -> Duration {
        let is_live = !matches!(self.config.source.kind, SourceKind::Replay | SourceKind::Synthetic);
        let first = self.first_sample.filter(|_| is_live);
        first.map_or(Duration::ZERO, |first| self.store_of_now().at().since(first))
    }

    /// Clears the filter; from the connections of a group it goes back to the groups. The cursor stays on its row.
    fn clear_filter(&mut self) {
        if self.clear_own_filter() {
            return;
        }
        if self.panel().filter().is_some() && !self.panels.connections.view.filter().is_empty() {
            let Some(ReturnPoint { tab, filter }) = self.entered_from.take() else {
                self.panels.connections.set_opened(false);
                return self.apply_filter("");
            };
            self.apply_filter(&filter);
            self.show(tab);
        }
    }

    fn close_detail(&mut self) {
        self.page = Page::Tab;
        self.refresh_panel();
    }

    pub(super) fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.page = Page::Tab;
        self.panels.connections.set_opened(false);
        self.entered_from = None;
        self.panels.leave_all_but(tab);
        self.refresh_panel();
    }

    pub(super) fn go(&mut self, motion: Motion) {
        if matches!(self.mode, Mode::Menu(_)) {
            return self.move_in_menu(motion);
        }
        // Rows that nobody has seen yet are not picked.
        if self.is_overtaken {
            return;
        }
        if matches!(self.mode, Mode::ConfirmAll(_)) {
            return self.move_in_dialog(motion);
        }
        let page = page_lines(self.body_height());
        let Some(extent) = self.scroll_extent() else {
            return self.change_panel(|panel, context| panel.go(motion, context));
        };
        if let Some(scroll) = self.scroll_mut() {
            scroll.go(motion, page, extent);
        }
    }

    /// How long the page is that is read by scrolling, and its window; `None` where a panel has the keys.
    pub(super) fn scroll_extent(&self) -> Option<ScrollExtent> {
        let (width, height) = self.config.size;
        // Title line and footer are not the page's.
        let over_screen = usize::from(height).saturating_sub(2);
        match (&self.mode, &self.page) {
            (Mode::Help(page), _) => {
                let lines = self.help_lines(page);
                let len = help::columns(&lines, width).iter().map(|column| column.len()).max().unwrap_or(0);
                Some(ScrollExtent { len, height: over_screen })
            }
            (Mode::SaveConfig(save), _) => Some(self.save_config_extent(save)),
            (Mode::Explain { explained, .. }, _) => {
                Some(ScrollExtent { len: explain::len(explained, width), height: over_screen })
            }
            (_, Page::Detail(_)) => Some(ScrollExtent { len: detail::len(self), height: self.body_height() }),
            (_, Page::Tab) => None,
        }
    }

    /// Which part of the page that is read by scrolling is on the screen; `None` where a panel has the keys.
    pub(super) fn scroll(&self) -> Option<Scroll> {
        match (&self.mode, &self.page) {
            (Mode::Help(HelpPage { scroll, .. }) | Mode::Explain { scroll, .. }, _) => Some(*scroll),
            (_, Page::Detail(detail)) => Some(detail.scroll),
            (_, Page::Tab) => None,
        }
    }

    pub(super) fn scroll_mut(&mut self) -> Option<&mut Scroll> {
        match (&mut self.mode, &mut self.page) {
            (Mode::Help(HelpPage { scroll, .. }) | Mode::Explain { scroll, .. }, _) => Some(scroll),
            (Mode::SaveConfig(save), _) => Some(&mut save.scroll),
            (_, Page::Detail(detail)) => Some(&mut detail.scroll),
            (_, Page::Tab) => None,
        }
    }

    /// Keeps the page that is read by scrolling within its length, after that or the size of the screen has changed.
    pub(super) fn clamp_scroll(&mut self) {
        let Some(extent) = self.scroll_extent() else { return };
        if let Some(scroll) = self.scroll_mut() {
            scroll.clamp(extent);
        }
    }

    /// Opens what is selected: the details of a connection, or the connections of a group.
    pub(super) fn open(&mut self) {
        // A key that acts on the row under the cursor stays with it.
        let target = self.change_panel(|panel, context| {
            panel.pick();
            panel.open(context)
        });
        self.open_target(target);
    }

    fn open_target(&mut self, target: OpenTarget) {
        match target {
            OpenTarget::Nothing => {}
            OpenTarget::Details(id) => self.open_detail(id),
            OpenTarget::Filtered(filter) => self.enter(&filter, self.return_point()),
            OpenTarget::Refused(why) => drop(self.say(NoticeLevel::Plain, why)),
        }
    }

    pub(crate) fn open_detail(&mut self, id: SocketId) {
        self.page = Page::Detail(Box::new(DetailPage::new(id, &self.store)));
    }

    /// The tab and the filter of now.
    pub(super) fn return_point(&self) -> ReturnPoint {
        ReturnPoint { tab: self.tab, filter: self.panels.connections.view.filter().text().to_owned() }
    }

    /// Shows the connections that pass `filter`; Esc leads back.
    pub(super) fn enter(&mut self, filter: &str, from: ReturnPoint) {
        self.apply_filter(filter);
        self.panels.connections.cursor.release();
        self.show(Tab::SOCKETS);
        self.panels.connections.set_opened(true);
        self.refresh_panel();
        self.entered_from = Some(from);
    }

    pub(super) fn next_span(&mut self) {
        self.change_panel(|panel, _| panel.next_span());
    }

    /// Asks what the lines of the tab Connections shall have in common.
    pub(super) fn open_folding_menu(&mut self) {
        let folding = self.panels.connections.folding();
        let line = FOLDINGS.iter().position(|row| row.folding == folding).unwrap_or(0);
        self.open_menu(MenuChoice::Folding, line);
    }

    /// Shows the tab Connections folded by `folding`, or each socket by itself.
    pub(super) fn fold_by(&mut self, folding: Option<Folding>) {
        self.panels.connections.fold_by(folding);
        self.show(Tab::SOCKETS);
    }

    pub(super) fn unfold(&mut self) {
        match self.change_panel(|panel, context| panel.unfold(context)) {
            // Each socket has a line of its own.
            None => self.step_cell(1),
            Some(target) => self.open_target(target),
        }
    }

    pub(super) fn fold(&mut self) {
        if !self.change_panel(|panel, context| panel.fold(context)) {
            self.step_cell(-1);
        }
    }

    pub(super) fn follow(&mut self) {
        match self.change_panel(|panel, _| panel.toggle_follow()) {
            None => {}
            Some(true) => {
                drop(self.say(NoticeLevel::Plain, "following: the selected row keeps its line on the screen"));
            }
            Some(false) => drop(self.say(NoticeLevel::Plain, "not following: the selected row moves with the order")),
        }
    }

    pub(super) fn step_interval(&mut self, slower: bool) -> Vec<Effect> {
        let now = self.config.settings.interval;
        let mut steps = INTERVALS_MS.iter().map(|&ms| Duration::from_millis(ms));
        let next = if slower { steps.find(|step| *step > now) } else { steps.rfind(|step| *step < now) };
        let Some(next) = next else { return Vec::new() };
        self.config.settings.interval = next;
        vec![Effect::Interval(next)]
    }
}
