//! A key: as the terminal reports it, as the help writes it, and as the configuration names it.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyStroke {
    code: KeyCode,
    control: bool,
}

/// A key that is not a character.
struct NamedKey {
    code: KeyCode,
    /// As the help writes it.
    label: &'static str,
    /// As the configuration writes it, in lower case.
    name: &'static str,
}

#[rustfmt::skip]
const NAMED_KEYS: [NamedKey; 15] = [
    NamedKey { code: KeyCode::Char(' '), label: "Space", name: "space" },
    NamedKey { code: KeyCode::Up,        label: "↑",     name: "up" },
    NamedKey { code: KeyCode::Down,      label: "↓",     name: "down" },
    NamedKey { code: KeyCode::Left,      label: "←",     name: "left" },
    NamedKey { code: KeyCode::Right,     label: "→",     name: "right" },
    NamedKey { code: KeyCode::PageUp,    label: "PgUp",  name: "pgup" },
    NamedKey { code: KeyCode::PageDown,  label: "PgDn",  name: "pgdn" },
    NamedKey { code: KeyCode::Home,      label: "Home",  name: "home" },
    NamedKey { code: KeyCode::End,       label: "End",   name: "end" },
    NamedKey { code: KeyCode::Enter,     label: "Enter", name: "enter" },
    NamedKey { code: KeyCode::Esc,       label: "Esc",   name: "esc" },
    NamedKey { code: KeyCode::Tab,       label: "Tab",   name: "tab" },
    NamedKey { code: KeyCode::BackTab,   label: "S-Tab", name: "s-tab" },
    NamedKey { code: KeyCode::Backspace, label: "Bksp",  name: "bksp" },
    NamedKey { code: KeyCode::Delete,    label: "Del",   name: "del" },
];

pub(super) const UP: KeyStroke = KeyStroke::code(KeyCode::Up);
pub(super) const DOWN: KeyStroke = KeyStroke::code(KeyCode::Down);
pub(super) const LEFT: KeyStroke = KeyStroke::code(KeyCode::Left);
pub(super) const RIGHT: KeyStroke = KeyStroke::code(KeyCode::Right);
pub(super) const PAGE_UP: KeyStroke = KeyStroke::code(KeyCode::PageUp);
pub(super) const PAGE_DOWN: KeyStroke = KeyStroke::code(KeyCode::PageDown);
pub(super) const HOME: KeyStroke = KeyStroke::code(KeyCode::Home);
pub(super) const END: KeyStroke = KeyStroke::code(KeyCode::End);
pub(super) const ENTER: KeyStroke = KeyStroke::code(KeyCode::Enter);
pub(super) const ESC: KeyStroke = KeyStroke::code(KeyCode::Esc);
pub(super) const TAB: KeyStroke = KeyStroke::code(KeyCode::Tab);
pub(super) const BACK_TAB: KeyStroke = KeyStroke::code(KeyCode::BackTab);
pub(super) const CONTROL_LEFT: KeyStroke = KeyStroke { code: KeyCode::Left, control: true };
pub(super) const CONTROL_RIGHT: KeyStroke = KeyStroke { code: KeyCode::Right, control: true };
pub(super) const BACKSPACE: KeyStroke = KeyStroke::code(KeyCode::Backspace);
pub(super) const DELETE: KeyStroke = KeyStroke::code(KeyCode::Delete);

/// The keys with Ctrl that terminals tell from those without it, beside the letters.
const ARROWS: [(&str, KeyStroke); 2] = [("left", CONTROL_LEFT), ("right", CONTROL_RIGHT)];

/// The key of this character; an upper-case letter is the letter with Shift.
pub(crate) const fn char(character: char) -> KeyStroke {
    KeyStroke::code(KeyCode::Char(character))
}

/// The key of this character with Ctrl.
pub(super) const fn ctrl(character: char) -> KeyStroke {
    KeyStroke { code: KeyCode::Char(character), control: true }
}

/// The function key of this number.
pub(super) const fn function(number: u8) -> KeyStroke {
    KeyStroke::code(KeyCode::F(number))
}

impl KeyStroke {
    const fn code(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    /// The key that was pressed; `None` with Alt or Super held, which nothing is bound to.
    pub fn pressed(event: KeyEvent) -> Option<Self> {
        let modifiers = event.modifiers - KeyModifiers::SHIFT;
        let control = modifiers.contains(KeyModifiers::CONTROL);
        (modifiers - KeyModifiers::CONTROL).is_empty().then_some(Self { code: event.code, control })
    }

    /// What the terminal reports when it is pressed.
    #[cfg(test)]
    pub(crate) const fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE })
    }

    /// The character that the key types into a line of text.
    pub const fn typed(self) -> Option<char> {
        match self {
            Self { code: KeyCode::Char(character), control: false } => Some(character),
            _ => None,
        }
    }
}

/// The key as the help writes it: `q`, `^C`, `F9`, `Enter`.
impl fmt::Display for KeyStroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(named) = NAMED_KEYS.iter().find(|named| named.code == self.code) {
            let control = if self.control { "^" } else { "" };
            return write!(f, "{control}{}", named.label);
        }
        match self.code {
            KeyCode::Char(character) if self.control => write!(f, "^{}", character.to_ascii_uppercase()),
            KeyCode::Char(character) => write!(f, "{character}"),
            KeyCode::F(number) => write!(f, "F{number}"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// The key that the configuration names: one character, `^x` or `ctrl-x`, `f1` to `f12`, or a name such as `enter`.
impl FromStr for KeyStroke {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        if let Some(character) = only_char(text).filter(|character| !character.is_control() && *character != ' ') {
            return Ok(char(character));
        }
        let lower = text.to_ascii_lowercase();
        if let Some(named) = NAMED_KEYS.iter().find(|named| named.name == lower) {
            return Ok(Self::code(named.code));
        }
        let control = lower.strip_prefix('^').or_else(|| lower.strip_prefix("ctrl-"));
        if let Some(character) = control.and_then(only_char).filter(char::is_ascii_lowercase) {
            return Ok(ctrl(character));
        }
        if let Some(arrow) = control.and_then(|name| ARROWS.iter().find(|arrow| arrow.0 == name)) {
            return Ok(arrow.1);
        }
        let number = lower.strip_prefix('f').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        match number.and_then(|digits| digits.parse().ok()) {
            Some(number @ 1..=12) => Ok(function(number)),
            _ => Err(UnknownKey(text.to_owned())),
        }
    }
}

/// The configuration names a key that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key '{}'; write a character, such as K, or ctrl-k, f9, enter, tab, pgup", .0.escape_default())]
pub struct UnknownKey(String);

fn only_char(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_letter_is_its_capital() {
        let event = KeyEvent::new(KeyCode::Char('K'), KeyModifiers::SHIFT);
        assert_eq!(KeyStroke::pressed(event), Some(char('K')));
        assert_eq!(KeyStroke::pressed(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT)), None);
        assert_eq!((ctrl('c').to_string(), CONTROL_LEFT.to_string()), ("^C".to_owned(), "^←".to_owned()));
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        for (text, key) in [
            ("K", char('K')),
            ("f9", function(9)),
            ("F12", function(12)),
            ("ctrl-k", ctrl('k')),
            ("^K", ctrl('k')),
            ("^", char('^')),
            ("enter", ENTER),
            ("PgUp", PAGE_UP),
            ("space", char(' ')),
            ("ctrl-left", CONTROL_LEFT),
            ("^right", CONTROL_RIGHT),
        ] {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
        for text in ["", " ", "f0", "f13", "f+9", "ctrl-", "ctrl-kk", "ctrl-é", "escape", "\u{1b}", "\u{7f}"] {
            assert_eq!(text.parse::<KeyStroke>(), Err(UnknownKey(text.to_owned())), "{text}");
        }
        for named in &NAMED_KEYS {
            assert_eq!(named.name.parse(), Ok(KeyStroke::code(named.code)));
            assert_eq!(KeyStroke::code(named.code).to_string(), named.label);
        }
    }
}
