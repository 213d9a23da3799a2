//! The line editor behind the filter: text, cursor, history. It knows nothing of filters.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::app::action::Edit;

/// The longest line, in bytes; what is typed or pasted beyond it is refused.
pub const INPUT_LEN_MAX: usize = 1024;
/// How many lines the history keeps.
pub const INPUT_HISTORY_LEN_MAX: usize = 50;

/// Lines that were accepted, oldest first.
#[derive(Clone, Debug, Default)]
pub struct InputHistory(VecDeque<String>);

impl InputHistory {
    /// Keeps `line` as the newest; a line that is there already moves.
    pub fn push(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        self.0.retain(|old| old != line);
        if self.0.len() == INPUT_HISTORY_LEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
    }
}

/// A line being edited.
#[derive(Clone, Debug, Default)]
pub struct InputLine {
    text: String,
    /// A byte of `text`, at a character boundary.
    cursor: usize,
    /// How far back in the history; 0 is the line itself.
    back: usize,
    /// The line as it was before going back.
    draft: String,
}

impl InputLine {
    /// `text` with the cursor at its end.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len(), ..Self::default() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, in bytes from the start.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Inserts `text` at the cursor: control characters become spaces, so a pasted line break cannot accept anything.
    pub fn insert(&mut self, text: &str) {
        for character in text.trim_end_matches(['\n', '\r']).chars() {
            let character = if character.is_control() { ' ' } else { character };
            if self.text.len() + character.len_utf8() > INPUT_LEN_MAX {
                return;
            }
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Puts `text` in place of `range`, the cursor behind it; answers whether there was room for it.
    pub fn replace(&mut self, range: Range<usize>, text: &str) -> bool {
        let has_room = self.text.len() - range.len() + text.len() <= INPUT_LEN_MAX;
        if has_room {
            self.cursor = range.start + text.len();
            self.text.replace_range(range, text);
        }
        has_room
    }

    /// Applies `edit`; `history` is what `Older` and `Newer` walk.
    pub(crate) fn edit(&mut self, edit: Edit, history: &InputHistory) {
        match edit {
            Edit::Left => self.cursor = self.before(),
            Edit::Right => self.cursor = self.after(),
            Edit::Start => self.cursor = 0,
            Edit::End => self.cursor = self.text.len(),
            Edit::Backspace => self.cut(self.before(), self.cursor),
            Edit::Delete => self.cut(self.cursor, self.after()),
            Edit::DeleteWord => self.cut(self.word_start(), self.cursor),
            Edit::DeleteToStart => self.cut(0, self.cursor),
            Edit::Older => self.recall(self.back + 1, history),
            Edit::Newer => self.recall(self.back.saturating_sub(1), history),
        }
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |next| self.cursor + next.len())
    }

    fn word_start(&self) -> usize {
        let before = self.text[..self.cursor].trim_end();
        before
            .char_indices()
            .rfind(|(_, character)| character.is_whitespace())
            .map_or(0, |(at, space)| at + space.len_utf8())
    }

    fn recall(&mut self, back: usize, history: &InputHistory) {
        if back > history.0.len() || back == self.back {
            return;
        }
        if self.back == 0 {
            self.draft = std::mem::take(&mut self.text);
        }
        self.text = match back {
            0 => std::mem::take(&mut self.draft),
            back => history.0[history.0.len() - back].clone(),
        };
        self.back = back;
        self.cursor = self.text.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edited(text: &str, edits: &[Edit]) -> (String, usize) {
        let mut line = InputLine::new(text);
        for edit in edits {
            line.edit(*edit, &InputHistory::default());
        }
        (line.text().to_owned(), line.cursor())
    }

    #[test]
    fn words_and_lines_are_deleted_as_in_a_shell() {
        assert_eq!(edited("state:listen nginx ", &[Edit::DeleteWord]), ("state:listen ".into(), 13));
        assert_eq!(edited("a bc", &[Edit::Left, Edit::DeleteToStart]), ("c".into(), 0));
        assert_eq!(edited("abc", &[Edit::Start, Edit::Delete, Edit::End, Edit::Backspace]), ("b".into(), 1));
    }

    #[test]
    fn the_cursor_moves_by_what_is_seen_as_one_character() {
        assert_eq!(edited("e\u{301}x", &[Edit::Left, Edit::Backspace]), ("x".into(), 0));
    }

    #[test]
    fn the_history_is_walked_and_the_draft_comes_back() {
        let mut history = InputHistory::default();
        for line in ["one", "two", "one"] {
            history.push(line);
        }
        let mut line = InputLine::new("draft");
        line.edit(Edit::Older, &history);
        assert_eq!(line.text(), "one");
        line.edit(Edit::Older, &history);
        line.edit(Edit::Older, &history);
        assert_eq!(line.text(), "two");
        line.edit(Edit::Newer, &history);
        line.edit(Edit::Newer, &history);
        assert_eq!(line.text(), "draft");
    }

    #[test]
    fn a_pasted_line_break_accepts_nothing() {
        let mut line = InputLine::default();
        line.insert("state:listen\nq\n");
        assert_eq!(line.text(), "state:listen q");
    }

    proptest! {
        #[test]
        fn the_cursor_stays_on_a_character(text: String, steps in prop::collection::vec(0..10u8, 0..40)) {
            let mut line = InputLine::default();
            line.insert(&text);
            for step in steps {
                let edit = [Edit::Left, Edit::Right, Edit::Start, Edit::End, Edit::Backspace, Edit::Delete,
                    Edit::DeleteWord, Edit::DeleteToStart, Edit::Older, Edit::Newer][usize::from(step)];
                line.edit(edit, &InputHistory::default());
                prop_assert!(line.text().is_char_boundary(line.cursor()));
                line.insert("é");
            }
            prop_assert!(line.text().len() <= INPUT_LEN_MAX);
        }
    }
}
