//! `R`: what the screen remembers is counted from now on.

use crate::app::App;
use crate::app::notice::NoticeLevel;
use crate::model::time::Timestamp;
use crate::store::row::Mark;

impl App {
    /// Lowest and highest count from the last sample on, and marks of what was opened or changed before are taken off. What was
    /// sampled stays: charts, rates and the log show it as before, and tagged rows stay tagged.
    pub(super) fn reset_counters(&mut self) {
        let at = self.store.at();
        self.counted_from = Some(at);
        let text = format!(
            "lowest and highest (tab 5) count from {} on, marks of rows are taken off; tags stay, U takes them",
            self.counted_from_text().unwrap_or_default()
        );
        self.say(NoticeLevel::Plain, text.as_str());
    }

    /// From when on lowest and highest count; `None` where that is the whole span of the chart.
    pub const fn counted_from(&self) -> Option<Timestamp> {
        self.counted_from
    }

    /// The same as a time of day, in whole seconds.
    pub fn counted_from_text(&self) -> Option<String> {
        let time = self.time_of_day(self.counted_from?);
        Some(time.split('.').next().unwrap_or_default().to_owned())
    }

    /// Whether what `mark` says happened after the last reset.
    pub fn is_mark_fresh(&self, mark: Mark) -> bool {
        let at = match mark {
            Mark::New(at) | Mark::Changed(at) => at.timestamp(),
            // A row that leaves says so until it is gone.
            Mark::Closed(_) | Mark::StateUnknown { .. } => return true,
        };
        self.counted_from.is_none_or(|from| at > from)
    }
}
