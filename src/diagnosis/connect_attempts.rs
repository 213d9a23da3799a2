//! What became of the attempts to connect to one destination, from the ledger.

use std::time::Duration;

use crate::model::delta::{AgeBasis, Since};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::attempt_history::{AttemptCounts, AttemptKey, AttemptRecord, AttemptWindow};

/// What became of the attempts that a group is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectAttempts {
    /// Since when all failed; `None` where some of the last minute succeeded.
    pub(super) all_failed: Option<FailureStreak>,
    /// Over the last minute.
    pub(super) counts: AttemptCounts,
    /// Over the last 10 s.
    pub(super) moment: AttemptCounts,
    /// Attempts that wait for an answer now.
    pub(super) under_way: u32,
    /// When the trouble began, and whether that was seen.
    pub(super) since: Since,
    /// There are more processes than are listed.
    pub(super) more_processes: bool,
}

/// A row of attempts that all failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailureStreak {
    /// How many.
    pub(super) failures: u32,
    /// How long they waited, all together.
    pub(super) waited: Duration,
    /// How long the last one waited.
    pub(super) last_waited: Option<Duration>,
    /// When the last one failed.
    pub(super) last: Timestamp,
}

impl ConnectAttempts {
    /// Those of `entry`, if any fail and that goes on.
    pub(super) fn of(store: &Store, key: &AttemptKey, entry: &AttemptRecord) -> Option<Self> {
        let (ledger, now) = (store.attempt_history(), store.at());
        let counts = ledger.counts(entry, AttemptWindow::Minute);
        let under_way = ledger.under_way(key);
        let row = entry.row().filter(|_| under_way > 0 || entry.goes_on(now));
        let begun = row.map(|row| row.since).or_else(|| entry.failing_since(now).filter(|_| counts.failed() > 0))?;
        let is_seen = entry.last_success().is_some();
        let basis = if is_seen { AgeBasis::Observed } else { AgeBasis::AtLeast };
        let all_failed = row.map(|row| FailureStreak {
            failures: row.failures,
            waited: row.waited,
            last_waited: row.last_waited,
            last: row.last,
        });
        let since = Since { at: begun, basis };
        let moment = ledger.counts(entry, AttemptWindow::Moment);
        // Some that succeeded within the minute do not make those good that have all failed since, if these are many.
        let all_failed = all_failed.filter(|row| counts.succeeded() == 0 || row.failures >= counts.succeeded());
        let (_, more_processes) = entry.processes();
        Some(Self { all_failed, counts, moment, under_way, since, more_processes })
    }

    /// Takes in those of another program.
    pub(super) fn join(&mut self, other: &Self) {
        self.counts = self.counts.and(&other.counts);
        self.moment = self.moment.and(&other.moment);
        self.under_way = self.under_way.saturating_add(other.under_way);
        self.more_processes |= other.more_processes;
        if other.since.at < self.since.at {
            self.since = other.since;
        }
        self.all_failed = match (self.all_failed, other.all_failed) {
            (Some(one), Some(other)) => Some(FailureStreak {
                failures: one.failures.saturating_add(other.failures),
                waited: one.waited.saturating_add(other.waited),
                last_waited: if one.last < other.last { other.last_waited } else { one.last_waited },
                last: one.last.max(other.last),
            }),
            (one, other) => one.or(other),
        };
    }

    /// Whether most of them are refused.
    pub(super) fn are_refused(&self) -> bool {
        u64::from(self.counts.refused()) * 2 > u64::from(self.counts.failed())
    }
}
