//! The log as a list: the newest entry is line 0. An entry is known by its number since the start.

use crate::app::App;
use crate::app::cursor::{Cursor, Lines};
use crate::model::delta::Transition;

impl App {
    /// The entries on a screen with `height` lines for them, newest first, with the line of each.
    pub fn log_window(&self, height: usize) -> impl Iterator<Item = (usize, &Transition)> {
        self.store.log().entries().iter().rev().enumerate().skip(self.log.offset()).take(height)
    }

    /// The selected entry.
    pub fn log_selected(&self) -> Option<&Transition> {
        self.store.log().entries().iter().rev().nth(self.log.line()?)
    }

    /// The line of the entry with number `key`, while the log keeps it.
    pub(super) fn log_line(&self, key: u64) -> Option<usize> {
        let line = usize::try_from(self.log_total.checked_sub(key + 1)?).ok()?;
        (line < self.store.log().entries().len()).then_some(line)
    }

    pub(super) fn with_log_lines(&mut self, change: impl FnOnce(&mut Cursor<u64>, &Lines<'_, u64>)) {
        let (len, height, total) = (self.store.log().entries().len(), self.body_height(), self.log_total);
        let key_at = move |line: usize| if line < len { total.checked_sub(line as u64 + 1) } else { None };
        change(&mut self.log, &Lines { len, height, key_at: &key_at });
    }
}
