//! The help that is open: which part of it is on the screen, and what is typed to find lines.

use crate::app::scroll::Scroll;

/// The longest text that may be typed to find lines, in bytes.
const SEARCH_LEN_MAX: usize = 32;

/// The help that is open.
#[derive(Debug, Default)]
pub struct HelpPage {
    /// Which part of it is on the screen.
    pub scroll: Scroll,
    /// What is typed to find lines.
    pub search: String,
    /// Whether it is being typed.
    pub is_typing: bool,
}

impl HelpPage {
    /// Adds to what is typed to find lines.
    pub(super) fn type_text(&mut self, text: &str) {
        for character in text.chars().filter(|character| !character.is_control()) {
            if self.search.len() + character.len_utf8() <= SEARCH_LEN_MAX {
                self.search.push(character);
            }
        }
        self.scroll = Scroll::default();
    }

    /// Takes the last letter of what is typed away.
    pub(super) fn erase(&mut self) {
        self.search.pop();
        self.scroll = Scroll::default();
    }
}
