//! Which part of something longer than its window is on the screen: one rule for lists, pages, details and dialogs.

use std::ops::Range;

use crate::app::action::Motion;
use crate::table::units;

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

/// Where a window is in what it shows a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrollPosition {
    /// The first line on the screen.
    pub first: usize,
    /// The lengths of content and window.
    pub extent: ScrollExtent,
}

impl ScrollPosition {
    /// The window that `scroll` has over `len` lines, `height` of them on the screen.
    pub const fn new(scroll: Scroll, len: usize, height: usize) -> Self {
        Self { first: scroll.first(), extent: ScrollExtent { len, height } }
    }

    /// Whether all of the content is on the screen.
    pub const fn is_whole(self) -> bool {
        self.extent.len <= self.extent.height
    }

    /// `1-26 of 4,012`; `None` where all is on the screen.
    pub fn text(self) -> Option<String> {
        let ScrollExtent { len, height } = self.extent;
        let last = (self.first + height).min(len);
        let count = |lines: usize| units::count(lines as u64);
        (!self.is_whole()).then(|| format!("{}-{} of {}", count(self.first + 1), count(last), count(len)))
    }

    /// The cells of the thumb in a scrollbar of `height` cells. It touches an end of the bar only where the window is at that end of
    /// the content, as far as there are cells for that; none where all is on the screen.
    pub fn thumb(self, height: u16) -> Range<u16> {
        let ScrollExtent { len, height: window } = self.extent;
        if self.is_whole() || height == 0 {
            return 0..0;
        }
        let bar = usize::from(height);
        let size = (bar * window / len).clamp(1, bar.saturating_sub(1).max(1));
        let (free, last) = (bar - size, len - window);
        let first = self.first.min(last);
        let start = match first {
            0 => 0,
            _ if first == last => free,
            // One cell from both ends, where there are three places.
            _ => (free * first / last).clamp(1.min(free), free.saturating_sub(1).max(1.min(free))),
        };
        let cell = |at: usize| u16::try_from(at).unwrap_or(height);
        cell(start)..cell(start + size)
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_position_is_told_where_something_goes_on_and_nowhere_else() {
        let position = |first, len, height| ScrollPosition { first, extent: ScrollExtent { len, height } };
        assert_eq!(position(0, 4_012, 26).text().as_deref(), Some("1-26 of 4,012"));
        assert_eq!(position(3_990, 4_012, 26).text().as_deref(), Some("3,991-4,012 of 4,012"));
        assert_eq!(position(0, 26, 26).text(), None);
        assert_eq!((position(0, 26, 26).thumb(26), position(0, 100, 10).thumb(10)), (0..0, 0..1));
        assert_eq!((position(90, 100, 10).thumb(10), position(1, 100, 10).thumb(10)), (9..10, 1..2));
    }

    proptest! {
        #[test]
        fn the_thumb_says_whether_something_is_above_or_below(len in 0..5_000_usize, window in 1..80_usize, first in 0..5_000_usize, bar in 1..80_u16) {
            let first = first.min(len.saturating_sub(window));
            let position = ScrollPosition { first, extent: ScrollExtent { len, height: window } };
            let thumb = position.thumb(bar);
            prop_assert_eq!(thumb.is_empty(), position.is_whole());
            prop_assert!(thumb.end <= bar);
            if !position.is_whole() && bar >= 3 {
                prop_assert_eq!(thumb.start == 0, first == 0, "{:?} of {}", thumb, bar);
                let is_room = usize::from(bar) - thumb.len() >= 2;
                prop_assert!(!is_room || (thumb.end == bar) == (first + window == len), "{:?} of {}", thumb, bar);
            }
        }
    }

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
