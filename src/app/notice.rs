//! Short messages to the user: a few, each for a few samples or until the next key.

use std::collections::VecDeque;

use crate::model::text::DisplayText;

/// How many notices wait at most; the oldest goes first.
pub const NOTICES_LEN_MAX: usize = 8;
/// For how many samples a notice stays.
const SAMPLES_SHOWN: u8 = 8;

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
    samples_left: u8,
}

/// The messages that are on the screen or wait to be.
#[derive(Clone, Debug, Default)]
pub struct Notices(VecDeque<Notice>);

impl Notices {
    /// Adds a message; the same one twice is kept once, as the newest.
    pub fn push(&mut self, level: NoticeLevel, text: impl Into<DisplayText>) {
        let text = text.into();
        self.0.retain(|old| old.text != text);
        if self.0.len() == NOTICES_LEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Notice { text, level, samples_left: SAMPLES_SHOWN });
    }

    /// The newest message, and how many stand behind it.
    pub fn latest(&self) -> Option<(&Notice, usize)> {
        Some((self.0.back()?, self.0.len() - 1))
    }

    /// A sample came: messages grow old.
    pub fn age(&mut self) {
        self.0.iter_mut().for_each(|notice| notice.samples_left = notice.samples_left.saturating_sub(1));
        self.0.retain(|notice| notice.samples_left > 0);
    }

    /// A key was pressed: what was on the screen has been read. Answers whether anything was.
    pub fn dismiss(&mut self) -> bool {
        let shown = !self.0.is_empty();
        self.0.clear();
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_few_grow_old_and_go_with_a_key() {
        let mut notices = Notices::default();
        (0..20).for_each(|number| notices.push(NoticeLevel::Plain, format!("notice {number}").as_str()));
        let (latest, behind) = notices.latest().expect("some");
        assert_eq!((latest.text.as_str(), behind), ("notice 19", NOTICES_LEN_MAX - 1));
        (0..SAMPLES_SHOWN).for_each(|_| notices.age());
        assert!(notices.latest().is_none());
        notices.push(NoticeLevel::Bad, "again");
        assert!(notices.dismiss() && !notices.dismiss());
    }
}
