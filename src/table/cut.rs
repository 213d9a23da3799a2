//! How a text is cut to the cells of a terminal.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::model::text::floor_char_boundary;

/// The mark of a text that was cut.
const CUT_MARK: &str = "…";

/// Cells that `text` takes on a terminal.
pub fn cells(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// `text` in at most `width` cells, cut at a grapheme and marked with `…`.
pub fn cut(text: &str, width: u16) -> Cow<'_, str> {
    let width = usize::from(width);
    if cells(text) <= width {
        return Cow::Borrowed(text);
    }
    if width == 0 {
        return Cow::Borrowed("");
    }
    let mut short = head(text, width - 1).to_owned();
    short.push_str(CUT_MARK);
    Cow::Owned(short)
}

/// `text` in at most `width` cells, with all from byte `end_at` on kept if there is room for it: an address may lose
/// its middle, its port may not.
pub fn cut_keeping_end(text: &str, end_at: usize, width: u16) -> String {
    let (start, end) = text.split_at(floor_char_boundary(text, end_at));
    let room = usize::from(width).saturating_sub(cells(end));
    if room < 2 {
        return cut(text, width).into_owned();
    }
    format!("{}{end}", cut(start, u16::try_from(room).unwrap_or(width)))
}

fn head(text: &str, width: usize) -> &str {
    let (mut used, mut end) = (0, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        used += cells(grapheme);
        if used > width {
            break;
        }
        end = at + grapheme.len();
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_by_cells_at_graphemes() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut_keeping_end("[2001:db8::1234]:443", 16, 12), "[2001:d…:443");
        assert_eq!(cut_keeping_end("[2001:db8::1234]:443", 16, 3), "[2…");
    }

    proptest! {
        #[test]
        fn cut_texts_always_fit(text: String, width in 0u16..40) {
            prop_assert!(cells(&cut(&text, width)) <= usize::from(width));
            prop_assert!(cells(&cut_keeping_end(&text, text.len() / 2, width)) <= usize::from(width));
        }
    }
}
