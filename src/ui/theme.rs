//! What things look like: a theme gives each [`Role`] a style. Those of conntop are the files of `assets/themes`.
//!
//! No colour carries meaning alone: beside each stands a word, a mark or a place.

pub mod built_in;
pub mod depth;
mod file;
pub mod role;
mod style;

use std::sync::Arc;

use ratatui::style::{Color, Style};

pub use crate::ui::theme::depth::ColorDepth;
pub use crate::ui::theme::file::ThemeError;
pub use crate::ui::theme::role::Role;

use crate::ui::theme::role::ROLES;

/// The name of the theme that holds unless the user says otherwise.
pub const DEFAULT: &str = "default";
/// The name of the theme without colours.
const MONO: &str = "mono";

/// How the screen is drawn. A clone shares the styles.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    looks: Arc<Looks>,
    is_ascii: bool,
    /// Trends and graphs are left out.
    is_still: bool,
}

/// What a theme says.
#[derive(Debug, PartialEq)]
struct Looks {
    name: String,
    about: String,
    /// The theme that stands for it where there are sixteen colours.
    sixteen: Option<String>,
    /// One for each of [`ROLES`], in their order.
    styles: Vec<Style>,
}

impl Default for Theme {
    /// The theme that holds unless the user says otherwise: the sixteen colours of the terminal.
    fn default() -> Self {
        built_in::themes()[0].clone()
    }
}

impl Theme {
    /// A theme of one style for each role.
    fn new(name: &str, about: String, sixteen: Option<String>, styles: Vec<Style>) -> Self {
        debug_assert_eq!(styles.len(), ROLES.len());
        Self {
            looks: Arc::new(Looks { name: name.to_owned(), about, sixteen, styles }),
            is_ascii: false,
            is_still: false,
        }
    }

    /// The theme of conntop that has this name.
    pub fn built_in(name: &str) -> Option<Self> {
        built_in::themes().iter().find(|theme| theme.name() == name).cloned()
    }

    /// The theme without colours, for `NO_COLOR` and `--color never`.
    pub fn mono() -> Self {
        built_in::themes().iter().find(|theme| theme.name() == MONO).cloned().unwrap_or_default()
    }

    /// The theme `name` that `text` is the file of. It may build upon a theme of conntop.
    pub fn read(name: &str, text: &str) -> Result<Self, ThemeError> {
        file::read(name, text, built_in::themes())
    }

    /// Its name, as the user writes it.
    pub fn name(&self) -> &str {
        &self.looks.name
    }

    /// What it is for, as a clause.
    pub fn about(&self) -> &str {
        &self.looks.about
    }

    /// The same look under another name.
    #[must_use]
    pub fn called(&self, name: &str, about: &str) -> Self {
        let Looks { sixteen, styles, .. } = &*self.looks;
        Self {
            is_ascii: self.is_ascii,
            is_still: self.is_still,
            ..Self::new(name, about.to_owned(), sixteen.clone(), styles.clone())
        }
    }

    /// What `role` looks like.
    pub fn style(&self, role: Role) -> Style {
        self.looks.styles[role as usize]
    }

    /// The same, drawn with ASCII characters only or not.
    #[must_use]
    pub fn with_ascii(self, is_ascii: bool) -> Self {
        Self { is_ascii, ..self }
    }

    /// The same without trends and graphs, or with them: they move with every sample, and what moves is sent.
    #[must_use]
    pub fn with_still(self, is_still: bool) -> Self {
        Self { is_still, ..self }
    }

    /// Whether trends and graphs are left out.
    pub const fn is_still(&self) -> bool {
        self.is_still
    }

    /// Whether only ASCII may be drawn.
    pub const fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// The same for a terminal of this depth: the nearest colours of xterm, or the styles of the theme that stands for it
    /// where there are sixteen.
    #[must_use]
    pub fn at(&self, depth: ColorDepth) -> Self {
        let styles = match depth {
            ColorDepth::Sixteen if self.chooses_colors() => {
                Self::built_in(self.sixteen()).unwrap_or_default().looks.styles.clone()
            }
            ColorDepth::Indexed => self.looks.styles.iter().map(|style| depth::to_indexed(*style)).collect(),
            ColorDepth::Sixteen | ColorDepth::Rgb => return self.clone(),
        };
        let Looks { name, about, sixteen, styles: _ } = &*self.looks;
        Self {
            is_ascii: self.is_ascii,
            is_still: self.is_still,
            ..Self::new(name, about.clone(), sixteen.clone(), styles)
        }
    }

    /// The name of the theme that stands for it where there are sixteen colours.
    fn sixteen(&self) -> &str {
        self.looks.sixteen.as_deref().unwrap_or(DEFAULT)
    }

    /// Whether it, and not the terminal, says what some of its colours are.
    fn chooses_colors(&self) -> bool {
        let is_chosen = |color: Option<Color>| color.is_some_and(|color| depth::rgb(color).is_some());
        self.looks.styles.iter().any(|style| is_chosen(style.fg) || is_chosen(style.bg))
    }
}

#[cfg(test)]
mod tests;
