//! The palette: everything that can be done now, found by typing a part of its name. What cannot be done is listed, too, with
//! the reason.

use std::collections::VecDeque;

use crate::app::App;
use crate::app::binding::{Binding, KeyContext};
use crate::app::columns::ColumnChange;
use crate::app::effect::Effect;
use crate::app::fuzzy;
use crate::app::keymap::remap::Keymap;
use crate::app::keymap::{PALETTE, bindings};
use crate::app::menu::MenuLine;
use crate::app::mode::{Mode, Page};
use crate::app::panels::table::ColumnHead;

/// So many commands that were run last stand first.
const RECENT_MAX: usize = 6;

/// Something that the palette does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PaletteCommand {
    /// The action of a key.
    Action(&'static str),
    /// Sorts by the column of this keyword.
    Sort(&'static str),
    /// Shows or hides the column of this keyword.
    Column(&'static str),
    /// Shows the screen in the theme of this name.
    Theme(String),
    /// Puts the saved filter of this name in force.
    Filter(String),
}

/// A line of the palette.
pub(super) struct PaletteLine {
    command: PaletteCommand,
    /// Its keys, as they are written.
    keys: String,
    /// What it does.
    title: String,
    /// Why it cannot be done now.
    refusal: Option<&'static str>,
}

/// The commands that were run from the palette, the last one first.
#[derive(Debug, Default)]
pub(super) struct RecentCommands(VecDeque<PaletteCommand>);

impl RecentCommands {
    fn push(&mut self, command: PaletteCommand) {
        self.0.retain(|old| *old != command);
        self.0.push_front(command);
        self.0.truncate(RECENT_MAX);
    }

    /// Its place among them; the last place of all where it is none of them.
    fn place(&self, command: &PaletteCommand) -> usize {
        self.0.iter().position(|recent| recent == command).unwrap_or(RECENT_MAX)
    }
}

impl PaletteLine {
    /// What it is found by.
    fn texts(&self) -> Vec<&str> {
        let action = if let PaletteCommand::Action(action) = &self.command { *action } else { "" };
        vec![&self.title, action]
    }

    fn menu_line(&self, keymap: &Keymap) -> MenuLine {
        let about = match self.refusal {
            Some(why) => format!("{} · {}", self.title, keymap.fill(why)),
            None => self.title.clone(),
        };
        MenuLine { label: self.keys.clone(), about, is_refused: self.refusal.is_some() }
    }
}

impl App {
    /// The lines of the palette for what is typed, as a menu shows them.
    pub(super) fn palette_menu_lines(&self, typed: &str) -> Vec<MenuLine> {
        let keymap = &self.config.settings.keymap;
        self.palette_lines(typed).iter().map(|line| line.menu_line(keymap)).collect()
    }

    /// What fits `typed`, best first. With nothing typed: what was run last, then what can be done, then the rest.
    fn palette_lines(&self, typed: &str) -> Vec<PaletteLine> {
        let mut lines = fuzzy::ranked(typed, self.all_palette_lines(), PaletteLine::texts);
        if typed.is_empty() {
            lines.sort_by_key(|line| (self.recent.place(&line.command), line.refusal.is_some()));
        }
        lines
    }

    fn all_palette_lines(&self) -> Vec<PaletteLine> {
        let line = |command, title| PaletteLine { command, keys: String::new(), title, refusal: None };
        let mut lines = self.palette_actions();
        let (heads, sorted) = match (self.panel().table(), &self.page) {
            (Some(table), Page::Tab) => (table.columns().heads(), Some(table.sort().column)),
            _ => (Vec::new(), None),
        };
        let sort = |(index, head): (usize, &ColumnHead)| {
            let again = if sorted == Some(index) { " the other way round" } else { "" };
            line(PaletteCommand::Sort(head.key), format!("sort by {}{again}", head.key))
        };
        lines.extend(heads.iter().enumerate().filter(|(_, head)| !head.is_hint).map(sort));
        let chosen = self.panel().table().map(|table| table.columns().chosen()).unwrap_or_default();
        let column = |(index, head): (usize, &ColumnHead)| {
            let verb = if chosen.iter().any(|column| column.index == index) { "hide" } else { "show" };
            line(PaletteCommand::Column(head.key), format!("{verb} column {}", head.key))
        };
        lines.extend(heads.iter().enumerate().filter(|(_, head)| !head.is_hint).map(column));
        let themes = self.config.themes.themes.iter();
        lines.extend(
            themes.map(|theme| line(PaletteCommand::Theme(theme.name.to_string()), format!("theme {}", theme.name))),
        );
        let filters = self.config.settings.filters.iter();
        lines.extend(
            filters
                .map(|(name, text)| line(PaletteCommand::Filter(name.to_owned()), format!("filter @{name}: {text}"))),
        );
        lines
    }

    /// The actions of the page.
    fn palette_actions(&self) -> Vec<PaletteLine> {
        let context = KeyContext { scope: Mode::Normal.scope(&self.page), ..self.key_context() };
        let picked = KeyContext { is_picked: true, ..context };
        let keymap = &self.config.settings.keymap;
        let line = |binding: &'static Binding| PaletteLine {
            command: PaletteCommand::Action(binding.action),
            keys: keymap.keys(binding).iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            title: binding.help.to_owned(),
            refusal: binding.on.refusal(&picked),
        };
        let works = |binding: &&Binding| binding.action != PALETTE && binding.on.scopes.contains(&context.scope);
        bindings().filter(works).map(line).collect()
    }

    /// Does what line `line` of the palette says.
    pub(super) fn run_palette_line(&mut self, typed: &str, line: usize) -> Vec<Effect> {
        let Some(line) = self.palette_lines(typed).into_iter().nth(line) else { return Vec::new() };
        if line.refusal.is_none() {
            self.recent.push(line.command.clone());
        }
        match line.command {
            PaletteCommand::Action(action) => {
                let binding = bindings().find(|binding| binding.action == action);
                return binding.map_or_else(Vec::new, |binding| self.run(binding, None));
            }
            PaletteCommand::Sort(key) => {
                if let Some(index) = self.column_called(key) {
                    self.sort_by_or_invert(index);
                }
            }
            PaletteCommand::Column(key) => {
                if let Some(index) = self.column_called(key) {
                    self.change_columns(index, ColumnChange::ShowOrHide);
                }
            }
            PaletteCommand::Theme(name) => {
                let place = self.config.themes.themes.iter().position(|theme| theme.name.as_str() == name);
                self.choose_theme(place.unwrap_or(usize::MAX));
            }
            PaletteCommand::Filter(name) => {
                if let Some(text) = self.config.settings.filters.get(&name).map(str::to_owned) {
                    self.filter_by(&text);
                }
            }
        }
        Vec::new()
    }

    /// The place of the column of this keyword in the table on the screen.
    fn column_called(&self, key: &str) -> Option<usize> {
        self.panel().table()?.columns().heads().iter().position(|head| head.key == key)
    }
}
