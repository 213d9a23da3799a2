//! Which part of something longer than its window is on the screen: one rule for lists, pages, details and dialogs.

use crate::app::action::Motion;

/// The first line in a window. It never leaves a gap below the last line, except while nothing has clamped it since the
/// content became shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    first: usize,
}

/// How much there is to scroll over, in lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrollExtent {
    /// Of the content.
    pub len: usize,
    /// Of the window.
    pub height: usize,
}

impl ScrollExtent {
    /// The first line when the window is at the end.
    const fn last(self) -> usize {
        self.len.saturating_sub(self.height)
    }
}

/// How far a page goes in a window of `height` lines: one line of the page before stays on the screen.
pub const fn page_lines(height: usize) -> usize {
    if height > 2 { height - 1 } else { 1 }
}

impl Scroll {
    /// The first line on the screen.
    pub const fn first(self) -> usize {
        self.first
    }

    /// Moves the window; a page has `page` lines.
    pub fn go(&mut self, motion: Motion, page: usize, extent: ScrollExtent) {
        self.first = match motion {
            Motion::Up => self.first.saturating_sub(1),
            Motion::Down => self.first + 1,
            Motion::PageUp => self.first.saturating_sub(page),
            Motion::PageDown => self.first + page,
            Motion::First => 0,
            Motion::Last => extent.last(),
        };
        self.clamp(extent);
    }

    /// Moves the window by so many lines.
    pub fn by(&mut self, lines: isize, extent: ScrollExtent) {
        self.first = self.first.saturating_add_signed(lines);
        self.clamp(extent);
    }

    /// Keeps the window within the content.
    pub fn clamp(&mut self, extent: ScrollExtent) {
        self.first = self.first.min(extent.last());
    }

    /// Moves the window as little as is needed to have `line` in it.
    pub fn reveal(&mut self, line: usize, extent: ScrollExtent) {
        if line < self.first {
            self.first = line;
        } else if line >= self.first + extent.height {
            self.first = (line + 1).saturating_sub(extent.height);
        }
    }

    /// The content grew by so many lines above the window, or shrank: what is on the screen stays there.
    pub const fn shift(&mut self, lines: isize) {
        self.first = self.first.saturating_add_signed(lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_stays_within_its_content() {
        let extent = ScrollExtent { len: 10, height: 4 };
        let mut scroll = Scroll::default();
        for (motion, first) in [
            (Motion::Up, 0),
            (Motion::Down, 1),
            (Motion::PageDown, 4),
            (Motion::PageDown, 6),
            (Motion::Down, 6),
            (Motion::PageUp, 3),
            (Motion::First, 0),
            (Motion::Last, 6),
        ] {
            scroll.go(motion, page_lines(extent.height), extent);
            assert_eq!(scroll.first(), first, "{motion:?}");
        }
        scroll.by(-99, extent);
        assert_eq!(scroll.first(), 0);
        scroll.reveal(7, extent);
        assert_eq!(scroll.first(), 4);
        scroll.clamp(ScrollExtent { len: 2, height: 4 });
        assert_eq!(scroll.first(), 0);
    }
}
