//! What stands for a character where only ASCII may be written: `--ascii`, or a locale that is not UTF-8.

use unicode_width::UnicodeWidthChar;

/// What stands for `character` in ASCII mode: one cell for one cell, so that nothing moves.
pub fn glyph(character: char) -> char {
    match character {
        ' '..='~' => character,
        '─' | '╴' | '╶' | '•' | '−' | '—' | '▃' | '▄' => '-',
        '│' | '╵' | '╷' | '▏' | '·' => '|',
        '→' | '▌' | '≥' | '►' | '▸' => '>',
        '⇢' | '…' | '±' => '~',
        '▲' => '!',
        '△' => '*',
        '✓' => 'x',
        '▴' | '↑' => '^',
        '▾' | '↓' | '▼' => 'v',
        '←' | '◄' => '<',
        '▁' | '▂' => '_',
        '▍' | '▎' => ':',
        '╭' | '╮' | '╰' | '╯' | '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' => '+',
        '▅' | '▆' | '━' | '╸' | '╺' | '╾' | '╼' => '=',
        // Bars; the other lines are thick ones.
        '▇' | '█' | '▉' | '▊' | '▋' | '┍'..='╿' => '#',
        _ => '?',
    }
}

/// `text` with one ASCII character for each terminal cell, so that columns stay aligned.
pub fn text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        push(&mut plain, character);
    }
    plain
}

/// Appends to `plain` what stands for `character`; nothing for a character without a cell.
pub fn push(plain: &mut String, character: char) {
    let width = character.width().unwrap_or(0);
    plain.extend(std::iter::repeat_n(glyph(character), width));
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn ascii_keeps_the_width() {
        for original in ["a→b", "漢字", "e\u{301}x", "▁▂█", "…"] {
            let plain = text(original);
            assert!(plain.is_ascii(), "{plain}");
            assert_eq!(plain.width(), original.width(), "{original}");
        }
    }
}
