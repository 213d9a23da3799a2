//! The log as a list: the newest entry is line 0. An entry is known by its number since the start.

use crate::app::App;
use crate::app::clock::time_of_day;
use crate::app::cursor::{Cursor, Lines};
use crate::model::delta::{AgeBasis, Transition};
use crate::model::endpoint::Protocol;
use crate::model::time::Timestamp;
use crate::table::units;

impl App {
    /// The entries on a screen with `height` lines for them, newest first, with the line of each.
    pub fn log_window(&self, height: usize) -> impl Iterator<Item = (usize, &Transition)> {
        self.store.log().entries().iter().rev().enumerate().skip(self.log.offset()).take(height)
    }

    /// The entry with number `key`, while the log keeps it.
    pub fn log_entry(&self, key: u64) -> Option<&Transition> {
        self.store.log().entries().iter().rev().nth(self.log_line(key)?)
    }

    /// When `entry` was seen, as a local time of day.
    pub fn log_time(&self, entry: &Transition) -> String {
        self.time_of_day(entry.at)
    }

    /// The local time of day of `at`.
    pub fn time_of_day(&self, at: Timestamp) -> String {
        time_of_day(self.store.wall_of(at), self.config.utc_offset_seconds)
    }

    /// `entry` as one line of plain text.
    pub fn log_text(&self, entry: &Transition) -> String {
        let who = owner_text(entry);
        let lasted = match lasted_text(entry) {
            lasted if lasted.is_empty() => lasted,
            lasted => format!("after {lasted}"),
        };
        let names = self.store.names();
        let (local, remote) = (entry.local_text(names), entry.remote_text(names));
        let ends = remote.map_or_else(|| local.clone(), |remote| format!("{local} → {remote}"));
        let parts = [self.log_time(entry), ends, change_text(entry), lasted, who];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }

    /// The line of the entry with number `key`, while the log keeps it.
    pub(super) fn log_line(&self, key: u64) -> Option<usize> {
        let line = usize::try_from(self.store.log().total().checked_sub(key + 1)?).ok()?;
        (line < self.store.log().entries().len()).then_some(line)
    }

    pub(super) fn with_log_lines(&mut self, change: impl FnOnce(&mut Cursor<u64>, &Lines<'_, u64>)) {
        let log = self.store.log();
        let (len, height, total) = (log.entries().len(), self.body_height(), log.total());
        let key_at = move |line: usize| if line < len { total.checked_sub(line as u64 + 1) } else { None };
        change(&mut self.log, &Lines { len, height, key_at: &key_at });
    }
}

/// `ESTABLISHED → CLOSE_WAIT`, `opened ESTABLISHED`, `TIME_WAIT → closed`; `⇢` where states in between were missed.
pub fn change_text(entry: &Transition) -> String {
    let arrow = if entry.skipped { "⇢" } else { "→" };
    match (entry.protocol, entry.from, entry.to) {
        (Protocol::Udp, _, None) => "UDP closed".to_owned(),
        (Protocol::Udp, None, _) => "opened UDP".to_owned(),
        (_, None, Some(to)) => format!("opened {to}"),
        (_, Some(from), Some(to)) => format!("{from} {arrow} {to}"),
        (_, Some(from), None) => format!("{from} {arrow} closed"),
        (_, None, None) => format!("? {arrow} closed"),
    }
}

/// `4m12s`, `≥52m`; empty where nothing is known.
pub fn lasted_text(entry: &Transition) -> String {
    match entry.lasted {
        Some((lasted, AgeBasis::AtLeast)) => format!("≥{}", units::lasted(lasted)),
        Some((lasted, _)) => units::lasted(lasted),
        None => String::new(),
    }
}

/// `jdbc-pool[4121]`; empty where no process is known.
pub fn owner_text(entry: &Transition) -> String {
    entry.owner.process().map_or_else(String::new, |process| format!("{}[{}]", process.name, process.id.pid))
}
