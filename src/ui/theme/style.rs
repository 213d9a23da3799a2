//! A look as the file of a theme writes it: `bold #ff7b72 on #14171c`.

use std::fmt;

use ratatui::style::{Color, Modifier, Style};

use crate::table::suggest;

/// The names of the colours that the terminal chooses: its own, and the sixteen of ECMA-48 and its bright twins.
#[rustfmt::skip]
const NAMED: [(&str, Color); 17] = [
    ("default",        Color::Reset),
    ("black",          Color::Black),       ("bright-black",   Color::DarkGray),
    ("red",            Color::Red),         ("bright-red",     Color::LightRed),
    ("green",          Color::Green),       ("bright-green",   Color::LightGreen),
    ("yellow",         Color::Yellow),      ("bright-yellow",  Color::LightYellow),
    ("blue",           Color::Blue),        ("bright-blue",    Color::LightBlue),
    ("magenta",        Color::Magenta),     ("bright-magenta", Color::LightMagenta),
    ("cyan",           Color::Cyan),        ("bright-cyan",    Color::LightCyan),
    ("white",          Color::Gray),        ("bright-white",   Color::White),
];

/// What a look may have beside its colours: what every terminal and multiplexer can do.
const MODIFIERS: [(&str, Modifier); 4] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
];

/// Why a text is no look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StyleError {
    /// A word that means nothing.
    UnknownWord(String),
    /// A second colour for the text, or for what is behind it.
    TwoColors(String),
    /// Nothing follows `on`.
    NothingBehind,
}

impl fmt::Display for StyleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord(word) => {
                let known = NAMED.iter().map(|(name, _)| *name).chain(MODIFIERS.iter().map(|(name, _)| *name));
                let otherwise = "write a colour such as #ff7b72 or bright-red, on and a second one for the background, \
                                 bold, dim, underline or reverse";
                write!(f, "unknown colour '{}'; {}", word.escape_debug(), suggest::hint(word, known, otherwise))
            }
            Self::TwoColors(word) => {
                write!(f, "a second colour '{}'; write on before the colour of the background", word.escape_debug())
            }
            Self::NothingBehind => f.write_str("no colour follows on; write one, such as on #14171c"),
        }
    }
}

/// The look that `text` writes.
pub(super) fn parse(text: &str) -> Result<Style, StyleError> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*modifier);
            continue;
        }
        let (place, word) = match word {
            "on" => (&mut style.bg, words.next().ok_or(StyleError::NothingBehind)?),
            word => (&mut style.fg, word),
        };
        let color = color(word).ok_or_else(|| StyleError::UnknownWord(word.to_owned()))?;
        if place.replace(color).is_some() {
            return Err(StyleError::TwoColors(word.to_owned()));
        }
    }
    Ok(style)
}

fn color(word: &str) -> Option<Color> {
    let Some(digits) = word.strip_prefix('#') else {
        return NAMED.iter().find(|(name, _)| *name == word).map(|(_, color)| *color);
    };
    let is_color = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_color)?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some(Color::Rgb(red, green, blue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read_as_it_is_written() {
        for (text, style) in [
            ("", Style::new()),
            ("default", Style::new().fg(Color::Reset)),
            ("bold #ff7b72 on #14171C", Style::new().fg(Color::Rgb(255, 123, 114)).bg(Color::Rgb(20, 23, 28)).bold()),
            ("on bright-black dim", Style::new().bg(Color::DarkGray).dim()),
            ("reverse underline white", Style::new().fg(Color::Gray).reversed().underlined()),
        ] {
            assert_eq!(parse(text), Ok(style), "{text}");
        }
    }

    #[test]
    fn what_is_no_look_is_said_with_what_to_write() {
        for (text, sentence) in [
            ("gren", "unknown colour 'gren'; did you mean 'green'?"),
            ("#12345", "unknown colour '#12345'; write a colour such as #ff7b72 or bright-red"),
            ("#+12345", "unknown colour '#+12345'; write a colour"),
            ("\u{1b}[31m", "unknown colour '\\u{1b}[31m'; write a colour"),
            ("red blue", "a second colour 'blue'; write on before the colour of the background"),
            ("red on", "no colour follows on; write one"),
            ("red on bold", "unknown colour 'bold'; "),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(sentence), "{error}");
        }
    }
}
