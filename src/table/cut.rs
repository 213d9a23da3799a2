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

/// An address, with its port at `port_at` if it has one, in at most `width` cells: what is left out is left out at the start, in
/// whole groups, because ends tell addresses apart. Neither a port nor a group is broken; where not even the port has room,
/// there is a mark alone.
pub fn cut_address(text: &str, port_at: Option<usize>, width: u16) -> Cow<'_, str> {
    if cells(text) <= usize::from(width) {
        return Cow::Borrowed(text);
    }
    let room = usize::from(width).saturating_sub(cells(CUT_MARK));
    let end_of_groups = port_at.unwrap_or(text.len());
    // A tail begins behind the separator before a group; a port keeps its own.
    let separators = text.char_indices().filter(|(at, letter)| *at <= end_of_groups && matches!(letter, '.' | ':'));
    let starts = separators.map(|(at, _)| if at < end_of_groups { at + 1 } else { at });
    let tail = starts.map(|start| &text[start..]).find(|tail| cells(tail) <= room && !tail.is_empty());
    match tail {
        Some(tail) => Cow::Owned(format!("{CUT_MARK}{tail}")),
        None if width > 0 => Cow::Borrowed(CUT_MARK),
        None => Cow::Borrowed(""),
    }
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

    #[test]
    fn an_address_keeps_its_end_in_whole_groups_and_its_port() {
        let at = |text: &'static str, width| cut_address(text, text.rfind(':'), width);
        assert_eq!(at("10.0.0.20:5432", 14), "10.0.0.20:5432");
        assert_eq!(at("10.0.0.20:5432", 13), "…0.0.20:5432");
        assert_eq!(at("10.0.0.20:5432", 10), "…0.20:5432");
        assert_eq!(at("10.0.0.20:5432", 6), "…:5432");
        assert_eq!(at("10.0.0.20:5432", 5), "…");
        assert_eq!(at("[2001:db8:85a3::370:7348]:36522", 18), "…:370:7348]:36522");
        assert_eq!(at("[2001:db8::1]:443", 12), "…db8::1]:443");
        assert_eq!(cut_address("2001:db8:85a3::370:7348", None, 10), "…:370:7348");
        assert_eq!(cut_address("2001:db8::1", None, 0), "");
    }

    proptest! {
        #[test]
        fn no_group_and_no_port_is_broken(groups: [u16; 8], port: u16, width in 0u16..50) {
            let text = std::net::SocketAddr::from((groups, port)).to_string();
            let short = cut_address(&text, text.rfind(':'), width);
            prop_assert!(cells(&short) <= usize::from(width));
            if let Some(tail) = short.strip_prefix('…').filter(|tail| !tail.is_empty()) {
                let before = text.strip_suffix(tail).expect("it is the end of the text");
                prop_assert!(tail.starts_with(':') || before.ends_with(':') || before.ends_with('['), "{before}|{tail}");
                let end = format!(":{port}");
                prop_assert!(tail.ends_with(&end), "{}", tail);
            }
        }

        #[test]
        fn cut_texts_always_fit(text: String, width in 0u16..40) {
            prop_assert!(cells(&cut(&text, width)) <= usize::from(width));
            prop_assert!(cells(&cut_keeping_end(&text, text.len() / 2, width)) <= usize::from(width));
        }
    }
}
