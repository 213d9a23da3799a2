//! The last line of the screen: which keys it shows, and where. Drawing and clicks read the same.

use ratatui::layout::Position;

use crate::app::App;
use crate::app::binding::{Binding, KeyContext, MAIN};
use crate::app::filter_edit::FilterEdit;
use crate::app::keymap;
use crate::app::mode::{ExportEdit, Mode, Page, TimeEdit};
use crate::app::selection::SelectionKind;
use crate::table::cut::cells;

/// The keys that the footer shows where the screen has a clock of its own.
const CLOCK_KEYS: [&str; 5] = ["sample-back", "sample-on", "go-to", "freeze", "end"];
/// A title that is longer than this leaves no room for the name of the tab, in bytes.
const NAMED_TITLE_LEN_MAX: usize = 12;

/// A key in the footer.
pub struct FooterHint {
    /// What it runs.
    pub binding: &'static Binding,
    /// The key, as it is written.
    pub key: String,
    /// The first column of the key.
    pub x: u16,
    /// Cells of the key, a blank and the name.
    pub width: u16,
}

impl App {
    /// What decides whether a binding acts now.
    pub(super) fn key_context(&self) -> KeyContext {
        let scope = self.mode.scope(&self.page);
        let context = self.tab.row().key_context(scope, self.config.settings.read_only);
        let context = KeyContext { is_past: self.is_in_past(), ..context };
        match self.page {
            Page::Tab => KeyContext { is_picked: self.panel().is_picked(), ..context },
            Page::Detail(_) => KeyContext { selects: SelectionKind::Socket, ..context },
        }
    }

    /// The key of `action`, as it is written; `None` where it has none.
    pub(super) fn key_of(&self, action: &str) -> Option<String> {
        let binding = keymap::named(action)?;
        self.config.settings.keymap.keys(binding).first().map(ToString::to_string)
    }

    /// The bindings of the footer: those of them that do something on what is shown.
    pub fn footer(&self) -> Vec<&'static Binding> {
        let context = self.key_context();
        let mut rows = keymap::footer(&context);
        if self.has_clock() && MAIN.contains(&context.scope) {
            // After the key of the help.
            let place = rows.len().min(1);
            rows.splice(place..place, CLOCK_KEYS.iter().filter_map(|action| keymap::named(action)));
        }
        rows
    }

    /// What stands at the right end of the footer: the tab and its title, where there is no line of tabs, and which part of what is
    /// longer than the screen is on it.
    pub fn footer_title(&self) -> Option<String> {
        let layout = self.layout()?;
        let title = (layout.tabs.height == 0).then(|| {
            let (row, title) = (self.tab.row(), self.title());
            let name = if title.len() > NAMED_TITLE_LEN_MAX { "" } else { row.title };
            format!("{} {name} {title}", row.key_in(&self.config.settings.keymap))
        });
        let width = |text: &str| u16::try_from(cells(text)).unwrap_or(u16::MAX);
        let free = layout.footer.width / 2 - title.as_deref().map_or(0, width).min(layout.footer.width / 2);
        let position = self.position().text().filter(|position| width(position) + 2 <= free);
        match (title, position) {
            (Some(title), Some(position)) => Some(format!("{title} · {position}")),
            (title, position) => title.or(position.map(|position| format!("{position} "))),
        }
    }

    /// How many cells of the footer that title may take.
    pub fn footer_title_width(&self) -> u16 {
        let width = self.footer_title().map_or(0, |title| u16::try_from(cells(&title)).unwrap_or(u16::MAX));
        width.min(self.config.size.0 * 2 / 3)
    }

    /// The keys in the footer, as many as have room; none where it says something else.
    pub fn footer_hints(&self) -> Vec<FooterHint> {
        let says_else = matches!(
            &self.mode,
            Mode::Filter(FilterEdit { error: Some(_), .. })
                | Mode::Export(ExportEdit { error: Some(_), .. })
                | Mode::GoTo(TimeEdit { error: Some(_), .. })
        );
        if says_else || self.notices.latest().is_some() {
            return Vec::new();
        }
        let title_width = self.footer_title_width();
        let end = self.config.size.0.saturating_sub(if title_width > 0 { title_width + 1 } else { 0 });
        let mut hints = Vec::new();
        let mut x = 1;
        for binding in self.footer() {
            let Some(key) = self.config.settings.keymap.keys(binding).first() else { continue };
            let key = key.to_string();
            let width = u16::try_from(cells(&key) + 1 + cells(binding.name)).unwrap_or(u16::MAX);
            if width >= end.saturating_sub(x) {
                break;
            }
            hints.push(FooterHint { binding, key, x, width });
            x += width + 2;
        }
        hints
    }

    /// The binding whose key stands at `at` in the footer.
    pub(super) fn footer_binding_at(&self, at: Position) -> Option<&'static Binding> {
        self.layout().filter(|layout| layout.footer.contains(at))?;
        let hints = self.footer_hints();
        hints.iter().find(|hint| (hint.x..hint.x + hint.width).contains(&at.x)).map(|hint| hint.binding)
    }
}
