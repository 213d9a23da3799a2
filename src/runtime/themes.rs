//! The themes of the screen, as its terminal can show them, and the one that follows the background.

use crate::app::themes::{ThemeList, ThemeName};
use crate::model::text::DisplayText;
use crate::ui::theme::Theme;
use crate::ui::theme::depth::{Rgb, is_light};

/// The themes to choose from.
#[derive(Clone, Debug)]
pub struct ScreenThemes {
    /// Every theme, in the order of the menu.
    pub themes: Vec<Theme>,
    /// The place of the one to start with.
    pub first: usize,
    /// The one that follows the background of the terminal; `None`: none does, and the terminal is not asked.
    pub auto: Option<AutoTheme>,
}

/// A theme that is another on a dark and on a light background.
#[derive(Clone, Debug)]
pub struct AutoTheme {
    /// Its place. Until the terminal has answered it looks as it does there.
    pub place: usize,
    /// What it looks like on a dark background.
    pub dark: Theme,
    /// What it looks like on a light background.
    pub light: Theme,
}

impl ScreenThemes {
    /// Their names, for the menu.
    pub fn list(&self) -> ThemeList {
        let text = |text: &str| DisplayText::new(text);
        let name = |theme: &Theme| ThemeName { name: text(theme.name()), about: text(theme.about()) };
        ThemeList { themes: self.themes.iter().map(name).collect(), first: self.first }
    }

    /// The theme at `place`; the first where there is none.
    pub fn at(&self, place: usize) -> &Theme {
        &self.themes[if place < self.themes.len() { place } else { 0 }]
    }

    /// The background of the terminal is `background`: the theme that follows it looks accordingly from now on.
    pub fn take_background(&mut self, background: Rgb) {
        let Some(AutoTheme { place, dark, light }) = &self.auto else { return };
        let fits = if is_light(background) { light } else { dark };
        if let Some(theme) = self.themes.get_mut(*place) {
            *theme = fits.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Role;

    #[test]
    fn the_theme_that_follows_the_background_changes_and_no_other() {
        let named = |name| Theme::built_in(name).expect("a theme of conntop");
        let auto = AutoTheme { place: 0, dark: named("dark"), light: named("light") };
        let themes = vec![Theme::default(), named("mono")];
        let mut themes = ScreenThemes { themes, first: 0, auto: Some(auto) };
        assert_eq!(themes.at(0).style(Role::Text), Theme::default().style(Role::Text), "nothing is known yet");
        themes.take_background([0xfd, 0xf6, 0xe3]);
        assert_eq!(themes.at(0).style(Role::Text), named("light").style(Role::Text));
        themes.take_background([0x00, 0x2b, 0x36]);
        assert_eq!(themes.at(0).style(Role::Text), named("dark").style(Role::Text));
        assert_eq!(themes.at(1), &named("mono"));
        assert_eq!(themes.at(7), themes.at(0));
        let mut fixed = ScreenThemes { auto: None, ..themes.clone() };
        fixed.take_background([0xff; 3]);
        assert_eq!(fixed.at(0), themes.at(0));
    }
}
