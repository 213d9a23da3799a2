//! When the notice on the screen has been read: its time runs from the first frame that shows it.

use std::time::Instant;

use crate::app::notice::Notice;

/// Which notice is on the screen, and until when.
#[derive(Debug, Default)]
pub struct NoticeTimer {
    shown: Option<(u64, Instant)>,
}

impl NoticeTimer {
    /// A frame with this notice, if any, is on the screen since `now`.
    pub fn frame_drawn(&mut self, notice: Option<&Notice>, now: Instant) {
        let number = notice.map(|notice| notice.number);
        if self.shown.map(|(shown, _)| shown) != number {
            self.shown = notice.map(|notice| (notice.number, now + notice.reading_time()));
        }
    }

    /// The number of the notice on the screen, and when it has been read.
    pub const fn due(&self) -> Option<(u64, Instant)> {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::notice::{NoticeLevel, Notices};

    #[test]
    fn the_time_of_a_notice_runs_from_its_first_frame() {
        let (mut timer, mut notices, begun) = (NoticeTimer::default(), Notices::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        timer.frame_drawn(None, begun);
        assert_eq!(timer.due(), None);
        notices.push(NoticeLevel::Plain, "first");
        let first = notices.latest().expect("pushed").0.clone();
        timer.frame_drawn(Some(&first), at(1));
        timer.frame_drawn(Some(&first), at(2));
        assert_eq!(timer.due(), Some((first.number, at(1) + first.reading_time())));
        notices.push(NoticeLevel::Plain, "second");
        let second = notices.latest().expect("pushed").0.clone();
        timer.frame_drawn(Some(&second), at(3));
        assert_eq!(timer.due(), Some((second.number, at(3) + second.reading_time())));
        // The first was hidden by it: it is to be read anew.
        timer.frame_drawn(Some(&first), at(9));
        assert_eq!(timer.due(), Some((first.number, at(9) + first.reading_time())));
    }
}
