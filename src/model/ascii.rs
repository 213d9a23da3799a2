//! What stands for a character where only ASCII may be written: `--ascii`, or a locale that is not UTF-8.

use unicode_width::UnicodeWidthChar;

/// What stands for `character` in ASCII mode: one cell for one cell, so that nothing moves.
pub fn glyph(character: char) -> char {
    match character {
        ' '..='~' => character,
        '─' | '╴' | '╶' | '•' | '−' | '–' | '—' | '▃' | '▄' => '-',
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
        '⠀'..='⣿' => braille(character),
        _ => '?',
    }
}

/// What stands for a character of braille that is part of a chart: the higher its dots, the higher the character.
fn braille(character: char) -> char {
    const ROWS: [(u32, char); 4] = [(0o11, '#'), (0o22, '='), (0o44, '-'), (0o300, '_')];
    let dots = u32::from(character) - 0x2800;
    ROWS.iter().find(|(row, _)| dots & row != 0).map_or(' ', |(_, plain)| *plain)
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
    fn a_chart_in_braille_keeps_its_shape() {
        assert_eq!(text("⣀⣠⣤⣴⣶⣾⣿⢀⡇"), "_--==##_#");
        assert_eq!(text("▸▾"), ">v");
    }

    #[test]
    fn ascii_keeps_the_width() {
        for original in ["a→b", "漢字", "e\u{301}x", "▁▂█", "…"] {
            let plain = text(original);
            assert!(plain.is_ascii(), "{plain}");
            assert_eq!(plain.width(), original.width(), "{original}");
        }
    }
}
