//! The selection and the window over a list. The selection is the identity of a row, never its position.

use crate::app::action::Motion;
use crate::app::scroll::{Scroll, ScrollExtent, ScrollPosition, page_lines};

/// Where the cursor is in a list of things known by `K`, whether the user picked the row under it, and which part of the
/// list is on the screen. Only a picked row may be acted on.
#[derive(Clone, Debug)]
pub struct Cursor<K> {
    /// The identity of the row under the cursor and where it was last; `None` in an empty list.
    under: Option<(K, usize)>,
    anchor: CursorAnchor<K>,
    scroll: Scroll,
    follow: bool,
}

/// What a cursor stays with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CursorAnchor<K> {
    /// The top of the list, whichever row is there: nothing was picked yet.
    Top,
    /// Its line, whichever row comes there: the row that was picked (`Some`) is gone or filtered out, and is picked
    /// again if it comes back, or the window was moved away from it (`None`).
    Line(Option<K>),
    /// The row that the user picked.
    Row,
}

/// The list a cursor moves over, and the height of its window.
pub struct Lines<'a, K> {
    /// How many lines there are.
    pub len: usize,
    /// How many of them are on the screen.
    pub height: usize,
    /// The identity of a line.
    pub key_at: &'a dyn Fn(usize) -> Option<K>,
}

impl<K> Lines<'_, K> {
    const fn extent(&self) -> ScrollExtent {
        ScrollExtent { len: self.len, height: self.height }
    }
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { under: None, anchor: CursorAnchor::Top, scroll: Scroll::default(), follow: false }
    }
}

impl<K: Copy + PartialEq> Cursor<K> {
    /// The identity of the row under the cursor.
    pub fn key(&self) -> Option<K> {
        self.under.map(|(key, _)| key)
    }

    /// The line of the row under the cursor.
    pub fn line(&self) -> Option<usize> {
        self.under.map(|(_, line)| line)
    }

    /// Whether the user picked the row under the cursor.
    pub fn is_picked(&self) -> bool {
        self.under.is_some() && self.anchor == CursorAnchor::Row
    }

    /// The row that [`refresh`](Self::refresh) is to be told the place of.
    pub fn sought(&self) -> Option<K> {
        match self.anchor {
            CursorAnchor::Top => None,
            CursorAnchor::Line(lost) => lost,
            CursorAnchor::Row => self.key(),
        }
    }

    /// The first line on the screen.
    pub fn offset(&self) -> usize {
        self.scroll.first()
    }

    /// Where the window is in a list of `len` lines, `height` of them on the screen.
    pub fn position(&self, len: usize, height: usize) -> ScrollPosition {
        ScrollPosition::new(self.scroll, len, height)
    }

    /// Whether the selected row keeps its line of the screen when the order changes.
    pub fn follows(&self) -> bool {
        self.follow
    }

    /// Switches following on or off; answers what it is now.
    pub fn toggle_follow(&mut self) -> bool {
        self.follow = !self.follow;
        if self.follow {
            self.pick();
        }
        self.follow
    }

    /// Lets the row go and goes to the top, to stay there. The list is to be refreshed afterwards.
    pub fn release(&mut self) {
        self.anchor = CursorAnchor::Top;
        self.scroll = Scroll::default();
    }

    /// Stays with the row under the cursor from now on: the user looks at it.
    pub fn pick(&mut self) {
        if self.under.is_some() {
            self.anchor = CursorAnchor::Row;
        }
    }

    /// Picks line `line`.
    pub fn select(&mut self, line: usize, lines: &Lines<'_, K>) {
        self.put(line, lines);
        self.pick();
        self.keep_visible(lines);
    }

    /// Puts the cursor on line `line`.
    fn put(&mut self, line: usize, lines: &Lines<'_, K>) {
        let line = line.min(lines.len.saturating_sub(1));
        self.under = (lines.key_at)(line).map(|key| (key, line));
    }

    /// Moves the cursor and picks where it comes to.
    pub fn go(&mut self, motion: Motion, lines: &Lines<'_, K>) {
        let page = page_lines(lines.height);
        let line = match (motion, self.line()) {
            (Motion::First, _) => 0,
            (Motion::Last, _) => lines.len.saturating_sub(1),
            (_, None) => self.offset(),
            (Motion::Up, Some(line)) => line.saturating_sub(1),
            (Motion::Down, Some(line)) => line + 1,
            (Motion::PageUp, Some(line)) => line.saturating_sub(page),
            (Motion::PageDown, Some(line)) => line + page,
        };
        self.select(line, lines);
    }

    /// Moves the window. A cursor that would leave it stays at its edge, on a row that is not picked.
    pub fn scroll(&mut self, by: isize, lines: &Lines<'_, K>) {
        self.scroll.by(by, lines.extent());
        if let Some(line) = self.line() {
            let top = self.offset();
            let within = line.clamp(top, (top + lines.height).saturating_sub(1).max(top));
            if within != line {
                self.put(within, lines);
                self.anchor = CursorAnchor::Line(None);
            }
        }
    }

    /// Row `row` of the window was clicked: picks it; answers whether it was picked before.
    pub fn click(&mut self, row: usize, lines: &Lines<'_, K>) -> bool {
        let line = self.offset() + row;
        let again = self.is_picked() && self.line() == Some(line);
        if line < lines.len {
            self.select(line, lines);
        }
        again
    }

    /// The list has changed; the row that is [sought](Self::sought) is at `found` now, or is not in it.
    pub fn refresh(&mut self, found: Option<usize>, lines: &Lines<'_, K>) {
        let before = self.line().unwrap_or(0);
        match (self.anchor, found) {
            (CursorAnchor::Top, _) => self.put(0, lines),
            (CursorAnchor::Row, Some(line)) => {
                if self.follow {
                    self.scroll.shift(line.cast_signed() - before.cast_signed());
                }
                self.put(line, lines);
            }
            (CursorAnchor::Line(Some(_)), Some(line)) => {
                self.put(line, lines);
                self.pick();
            }
            (CursorAnchor::Row, None) => {
                self.anchor = CursorAnchor::Line(self.key());
                self.put(before, lines);
            }
            (CursorAnchor::Line(_), _) => self.put(before, lines),
        }
        self.keep_visible(lines);
    }

    /// `count` lines came at the top of the list: a window that is not at the top keeps showing what it shows.
    pub fn grow_above(&mut self, count: usize) {
        if self.anchor != CursorAnchor::Top {
            self.scroll.shift(count.cast_signed());
            self.under = self.under.map(|(key, line)| (key, line + count));
        }
    }

    fn keep_visible(&mut self, lines: &Lines<'_, K>) {
        self.scroll.clamp(lines.extent());
        if let Some(line) = self.line() {
            self.scroll.reveal(line, lines.extent());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refresh(cursor: &mut Cursor<u32>, keys: &[u32], height: usize) {
        let found = cursor.sought().and_then(|key| keys.iter().position(|other| *other == key));
        cursor.refresh(found, &Lines { len: keys.len(), height, key_at: &|line| keys.get(line).copied() });
    }

    fn go(cursor: &mut Cursor<u32>, motion: Motion, keys: &[u32]) {
        cursor.go(motion, &Lines { len: keys.len(), height: 3, key_at: &|line| keys.get(line).copied() });
    }

    #[test]
    fn the_first_row_is_selected_whichever_it_is_until_the_user_chooses_one() {
        let mut cursor = Cursor::default();
        refresh(&mut cursor, &[1, 2, 3, 4, 5], 3);
        assert_eq!((cursor.key(), cursor.offset()), (Some(1), 0));
        refresh(&mut cursor, &[9, 1, 2, 3, 4, 5], 3);
        assert_eq!((cursor.key(), cursor.offset()), (Some(9), 0));
        go(&mut cursor, Motion::Down, &[9, 1, 2]);
        assert_eq!(cursor.key(), Some(1));
        refresh(&mut cursor, &[8, 9, 1, 2], 3);
        assert_eq!((cursor.key(), cursor.line()), (Some(1), Some(2)));
    }

    #[test]
    fn acting_on_the_first_row_chooses_it_and_letting_go_returns_to_the_top() {
        let mut cursor = Cursor::default();
        refresh(&mut cursor, &[1, 2, 3], 3);
        cursor.pick();
        refresh(&mut cursor, &[3, 2, 1], 3);
        assert_eq!(cursor.key(), Some(1));
        cursor.release();
        refresh(&mut cursor, &[3, 2, 1], 3);
        assert_eq!((cursor.key(), cursor.line()), (Some(3), Some(0)));
    }

    #[test]
    fn the_selection_follows_its_row_when_the_order_changes() {
        let mut cursor = Cursor::default();
        refresh(&mut cursor, &[1, 2, 3, 4, 5], 3);
        cursor.pick();
        refresh(&mut cursor, &[5, 4, 3, 2, 1], 3);
        assert_eq!((cursor.key(), cursor.line(), cursor.offset()), (Some(1), Some(4), 2));
    }

    #[test]
    fn the_window_stays_where_it_is_while_the_row_is_in_it() {
        let mut cursor = Cursor::default();
        let keys: Vec<u32> = (0..20).collect();
        refresh(&mut cursor, &keys, 3);
        (0..7).for_each(|_| go(&mut cursor, Motion::Down, &keys));
        let offset = cursor.offset();
        let mut swapped = keys.clone();
        swapped.swap(6, 7);
        refresh(&mut cursor, &swapped, 3);
        assert_eq!((cursor.key(), cursor.offset()), (Some(7), offset));
    }

    #[test]
    fn a_followed_row_keeps_its_line_of_the_screen() {
        let mut cursor = Cursor::default();
        let keys: Vec<u32> = (0..20).collect();
        refresh(&mut cursor, &keys, 3);
        (0..6).for_each(|_| go(&mut cursor, Motion::Down, &keys));
        cursor.toggle_follow();
        let line_on_screen = cursor.line().expect("selected") - cursor.offset();
        let more: Vec<u32> = (100..105).chain(0..20).collect();
        refresh(&mut cursor, &more, 3);
        assert_eq!(cursor.line().expect("selected") - cursor.offset(), line_on_screen);
    }

    #[test]
    fn when_the_row_is_gone_the_cursor_stays_at_its_place_on_a_row_that_is_not_picked() {
        let mut cursor = Cursor::default();
        go(&mut cursor, Motion::Last, &[1, 2, 3]);
        refresh(&mut cursor, &[1, 2], 3);
        assert_eq!((cursor.key(), cursor.is_picked()), (Some(2), false), "nobody picked that one");
        refresh(&mut cursor, &[], 3);
        assert_eq!((cursor.key(), cursor.offset()), (None, 0));
    }

    #[test]
    fn a_row_that_was_filtered_out_is_picked_again_when_it_comes_back() {
        let mut cursor = Cursor::default();
        let keys = [1, 2, 3, 4, 5];
        refresh(&mut cursor, &keys, 3);
        (0..2).for_each(|_| go(&mut cursor, Motion::Down, &keys));
        refresh(&mut cursor, &[1, 2, 4], 3);
        assert_eq!((cursor.key(), cursor.is_picked()), (Some(4), false));
        refresh(&mut cursor, &[], 3);
        assert!(!cursor.is_picked());
        refresh(&mut cursor, &[5, 4, 3, 2, 1], 3);
        assert_eq!((cursor.key(), cursor.is_picked()), (Some(3), true));
    }

    #[test]
    fn whatever_the_list_does_a_picked_row_is_one_that_the_user_picked() {
        let lines = |keys: &[u32]| keys.to_vec();
        for change in [lines(&[2, 1, 3]), lines(&[1, 3]), lines(&[]), lines(&[9, 1]), lines(&[2])] {
            let mut cursor = Cursor::default();
            refresh(&mut cursor, &[1, 2, 3], 2);
            assert!(!cursor.is_picked(), "nobody picked the first row");
            go(&mut cursor, Motion::Down, &[1, 2, 3]);
            assert_eq!((cursor.key(), cursor.is_picked()), (Some(2), true));
            refresh(&mut cursor, &change, 2);
            assert!(!cursor.is_picked() || cursor.key() == Some(2), "{change:?}");
        }
    }

    #[test]
    fn the_wheel_picks_nothing() {
        let keys: Vec<u32> = (0..20).collect();
        let lines = Lines { len: 20, height: 3, key_at: &|line| keys.get(line).copied() };
        let mut cursor = Cursor::default();
        refresh(&mut cursor, &keys, 3);
        cursor.scroll(5, &lines);
        assert_eq!((cursor.line(), cursor.offset(), cursor.is_picked()), (Some(5), 5, false));
        refresh(&mut cursor, &keys, 3);
        assert_eq!(cursor.offset(), 5, "the window stays where it was put");
        cursor.select(6, &lines);
        cursor.scroll(-1, &lines);
        assert_eq!((cursor.line(), cursor.is_picked()), (Some(6), true), "still on the screen");
        cursor.scroll(9, &lines);
        assert!(!cursor.is_picked());
    }
}
