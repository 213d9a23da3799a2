//! Which theme the screen has: the user chooses it from a menu, which shows each one while the cursor is on it.
//!
//! What a theme looks like is drawing's business. Here it has a name and a place in the list.

use crate::app::App;
use crate::app::menu::{Menu, MenuChoice, MenuLine};
use crate::app::mode::Mode;
use crate::model::text::DisplayText;

/// A theme as the menu lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeName {
    /// Its name, as the config file writes it.
    pub name: DisplayText,
    /// What it is for.
    pub about: DisplayText,
}

/// The themes to choose from, and the one that the screen starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThemeList {
    /// Every theme; who draws has them in the same order.
    pub themes: Vec<ThemeName>,
    /// The place of the one to start with.
    pub first: usize,
}

impl App {
    /// The place of the theme to draw in: the one under the cursor of the menu while that is open, else the chosen one.
    pub fn theme(&self) -> usize {
        match &self.mode {
            Mode::Menu(Menu { choice: MenuChoice::Theme, line, .. }) => *line,
            _ => self.theme,
        }
    }

    /// The theme that was chosen on the screen, where it is another than the one that the screen began with: what a saved
    /// configuration would have to say.
    pub fn changed_theme(&self) -> Option<&ThemeName> {
        let list = &self.config.themes;
        list.themes.get(self.theme).filter(|_| self.theme != list.first)
    }

    /// The place of the chosen theme.
    pub(in crate::app) const fn chosen_theme(&self) -> usize {
        self.theme
    }

    /// Opens the menu of the themes.
    pub(in crate::app) fn open_theme_menu(&mut self) {
        self.open_menu(MenuChoice::Theme, self.theme);
    }

    /// Draws in the theme at `place` from now on.
    pub(in crate::app) fn choose_theme(&mut self, place: usize) {
        if place < self.config.themes.themes.len() {
            self.theme = place;
        }
    }

    pub(in crate::app) fn theme_lines(&self) -> Vec<MenuLine> {
        let line = |(place, theme): (usize, &ThemeName)| {
            let mark = if place == self.theme { '✓' } else { ' ' };
            MenuLine { label: format!("{mark} {}", theme.name), about: theme.about.to_string(), ..MenuLine::default() }
        };
        self.config.themes.themes.iter().enumerate().map(line).collect()
    }
}
