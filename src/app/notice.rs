//! Short messages to the user: a few, each on the screen for as long as it takes to read it, or until the next key.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::text::DisplayText;
use crate::table::cut::cells;

/// How many notices wait at most; the oldest goes first.
pub const NOTICES_LEN_MAX: usize = 8;
/// How long it takes to notice that there is a message.
const NOTICED_AFTER: Duration = Duration::from_secs(3);
/// How long it takes to read one cell of it: 17 characters a second is a slow reader.
const READ_CELL: Duration = Duration::from_millis(60);
/// No message needs longer.
const READ_MAX: Duration = Duration::from_secs(15);

/// Whether a notice tells of a success, of a failure, or of neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Something happened.
    Plain,
    /// Something that was asked for worked.
    Good,
    /// Something was refused or failed.
    Bad,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it says, a sentence.
    pub text: DisplayText,
    /// Whether it tells of a success, of a failure, or of neither.
    pub level: NoticeLevel,
    /// How many were given before it: tells one from another.
    pub number: u64,
}

impl Notice {
    /// How long it stays on the screen. The time runs from the first frame that shows it, whatever the interval of samples.
    pub fn reading_time(&self) -> Duration {
        let cells = u32::try_from(cells(self.text.as_str())).unwrap_or(u32::MAX);
        NOTICED_AFTER.saturating_add(READ_CELL.saturating_mul(cells)).min(READ_MAX)
    }
}

/// The messages that are on the screen or wait to be.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    waiting: VecDeque<Notice>,
    given: u64,
}

impl Notices {
    /// Adds a message; the same one twice is kept once, as the newest.
    pub fn push(&mut self, level: NoticeLevel, text: impl Into<DisplayText>) {
        let text = text.into();
        self.waiting.retain(|old| old.text != text);
        if self.waiting.len() == NOTICES_LEN_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Notice { text, level, number: self.given });
        self.given += 1;
    }

    /// The newest message, and how many stand behind it.
    pub fn latest(&self) -> Option<(&Notice, usize)> {
        Some((self.waiting.back()?, self.waiting.len() - 1))
    }

    /// The message `number` was on the screen for its time: the one behind it comes. Answers whether it was there.
    pub fn remove(&mut self, number: u64) -> bool {
        let len = self.waiting.len();
        self.waiting.retain(|notice| notice.number != number);
        self.waiting.len() < len
    }

    /// A key was pressed: what was on the screen has been read. Answers whether anything was.
    pub fn dismiss(&mut self) -> bool {
        let shown = !self.waiting.is_empty();
        self.waiting.clear();
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_few_and_go_one_by_one_or_all_with_a_key() {
        let mut notices = Notices::default();
        (0..20).for_each(|number| notices.push(NoticeLevel::Plain, format!("notice {number}").as_str()));
        let number = |notices: &Notices| notices.latest().map(|(notice, behind)| (notice.number, behind));
        assert_eq!(number(&notices), Some((19, NOTICES_LEN_MAX - 1)));
        assert!(notices.remove(19) && !notices.remove(19));
        assert_eq!(number(&notices), Some((18, NOTICES_LEN_MAX - 2)));
        assert!(notices.dismiss() && !notices.dismiss());
        notices.push(NoticeLevel::Bad, "again");
        assert_eq!(number(&notices), Some((20, 0)), "never the number of another");
    }

    #[test]
    fn a_long_message_stays_longer_and_none_for_ever() {
        let time = |len: usize| {
            let mut notices = Notices::default();
            notices.push(NoticeLevel::Plain, "x".repeat(len).as_str());
            notices.latest().expect("pushed").0.reading_time()
        };
        assert!(time(6) >= NOTICED_AFTER && time(80) > time(6));
        assert_eq!(time(400), READ_MAX);
    }
}
