//! The selection and the window over a list. The selection is the identity of a row, never its position.

use crate::app::action::Motion;

/// What is selected in a list of things known by `K`, and which part of the list is on the screen.
#[derive(Clone, Debug)]
pub struct Cursor<K> {
    /// The identity of the selected row and where it was last; `None` in an empty list.
    selected: Option<(K, usize)>,
    /// Whether the user chose the row. Until then the first row is selected, whichever it is.
    chosen: bool,
    offset: usize,
    follow: bool,
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

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { selected: None, chosen: false, offset: 0, follow: false }
    }
}

impl<K: Copy + PartialEq> Cursor<K> {
    /// The identity of the selected row.
    pub fn key(&self) -> Option<K> {
        self.selected.map(|(key, _)| key)
    }

    /// The line of the selected row.
    pub fn line(&self) -> Option<usize> {
        self.selected.map(|(_, line)| line)
    }

    /// The first line on the screen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the selected row keeps its line of the screen when the order changes.
    pub fn follows(&self) -> bool {
        self.follow
    }

    /// Switches following on or off; answers what it is now.
    pub fn toggle_follow(&mut self) -> bool {
        self.follow = !self.follow;
        self.chosen |= self.follow;
        self.follow
    }

    /// Lets the row go and goes to the top, to stay there. The list is to be refreshed afterwards.
    pub fn release(&mut self) {
        self.chosen = false;
        self.offset = 0;
    }

    /// Stays with the selected row from now on: the user acts on it.
    pub fn choose(&mut self) {
        self.chosen = self.selected.is_some();
    }

    /// Selects line `line`.
    pub fn select(&mut self, line: usize, lines: &Lines<'_, K>) {
        let line = line.min(lines.len.saturating_sub(1));
        self.selected = (lines.key_at)(line).map(|key| (key, line));
        self.chosen = self.selected.is_some();
        self.keep_visible(lines);
    }

    /// Moves the selection.
    pub(crate) fn go(&mut self, motion: Motion, lines: &Lines<'_, K>) {
        let page = lines.height.saturating_sub(1).max(1);
        let line = match (motion, self.line()) {
            (Motion::First, _) => 0,
            (Motion::Last, _) => lines.len.saturating_sub(1),
            (_, None) => self.offset,
            (Motion::Up, Some(line)) => line.saturating_sub(1),
            (Motion::Down, Some(line)) => line + 1,
            (Motion::PageUp, Some(line)) => line.saturating_sub(page),
            (Motion::PageDown, Some(line)) => line + page,
        };
        self.select(line, lines);
    }

    /// Moves the window, and the selection with it if it would leave the window.
    pub fn scroll(&mut self, by: isize, lines: &Lines<'_, K>) {
        let last = lines.len.saturating_sub(lines.height);
        self.offset = self.offset.saturating_add_signed(by).min(last);
        if let Some(line) = self.line() {
            let bottom = (self.offset + lines.height).saturating_sub(1);
            self.select(line.clamp(self.offset, bottom), lines);
        }
    }

    /// Row `row` of the window was clicked: selects it; answers whether it was selected before.
    pub fn click(&mut self, row: usize, lines: &Lines<'_, K>) -> bool {
        let line = self.offset + row;
        let again = self.chosen && self.line() == Some(line);
        if line < lines.len {
            self.select(line, lines);
        }
        again
    }

    /// The list has changed; the selected row is at `found` now, or gone: then the row in its place is selected.
    pub fn refresh(&mut self, found: Option<usize>, lines: &Lines<'_, K>) {
        if !self.chosen {
            self.selected = (lines.key_at)(0).map(|key| (key, 0));
        } else if let Some((_, before)) = self.selected {
            let line = found.unwrap_or(before).min(lines.len.saturating_sub(1));
            if self.follow {
                self.offset = (self.offset + line).saturating_sub(before);
            }
            self.selected = (lines.key_at)(line).map(|key| (key, line));
            self.chosen = self.selected.is_some();
        }
        self.keep_visible(lines);
    }

    /// `count` lines came at the top of the list: a window that is not at the top keeps showing what it shows.
    pub fn grow_above(&mut self, count: usize) {
        if self.chosen {
            self.offset += count;
            self.selected = self.selected.map(|(key, line)| (key, line + count));
        }
    }

    fn keep_visible(&mut self, lines: &Lines<'_, K>) {
        self.offset = self.offset.min(lines.len.saturating_sub(lines.height));
        let Some(line) = self.line() else { return };
        if line < self.offset {
            self.offset = line;
        } else if line >= self.offset + lines.height {
            self.offset = (line + 1).saturating_sub(lines.height);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refresh(cursor: &mut Cursor<u32>, keys: &[u32], height: usize) {
        let found = cursor.key().and_then(|key| keys.iter().position(|other| *other == key));
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
        cursor.choose();
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
        cursor.choose();
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
    fn when_the_row_is_gone_its_place_is_selected() {
        let mut cursor = Cursor::default();
        go(&mut cursor, Motion::Last, &[1, 2, 3]);
        refresh(&mut cursor, &[1, 2], 3);
        assert_eq!(cursor.key(), Some(2));
        refresh(&mut cursor, &[], 3);
        assert_eq!((cursor.key(), cursor.offset()), (None, 0));
    }
}
