//! What the ledger keeps of one program and destination, or of one listener.

use std::sync::Arc;
use std::time::Duration;

use crate::model::delta::Transition;
use crate::model::process::Process;
use crate::model::time::Timestamp;
use crate::store::attempt_history::windows::{AttemptCounts, AttemptEvent, AttemptRings, AttemptSlots, AttemptWindow};

/// So many processes of one entry are told apart; of more it is said that there are at least so many.
pub const PROCESSES_MAX: usize = 64;
/// Failures further apart than this have nothing to do with each other.
const LULL: Duration = Duration::from_secs(60);
/// What nobody tries any more is over after this time, or after [`OVER_AFTER_GAPS`] times the usual time between two attempts.
const OVER_AFTER: Duration = Duration::from_secs(10);
const OVER_AFTER_GAPS: u32 = 3;
/// What nobody tries any more is over after this time in any case.
const OVER_AFTER_MAX: Duration = Duration::from_secs(3 * 60);

/// What is known of the attempts of one program at one destination, or of what came in by one listener.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    rings: AttemptRings,
    /// The process that was seen first since the trouble began, or at all: the same one while that lasts.
    process: Option<Arc<Process>>,
    processes: Vec<(Arc<Process>, Timestamp)>,
    more_processes: bool,
    last_active: Timestamp,
    last_success: Option<Timestamp>,
    /// All attempts failed since then.
    row: Option<FailedAttempts>,
    /// Some attempts failed since then, never a minute apart.
    failures: Option<ActivePeriod>,
    /// Connections were reset early since then, never a minute apart.
    resets: Option<ActivePeriod>,
    /// Connections were made without a break since then.
    opened: Option<ActivePeriod>,
}

/// A row of attempts that all failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedAttempts {
    /// When the first of them began.
    pub since: Timestamp,
    /// How many.
    pub failures: u32,
    /// How long they waited for an answer, all together; as far as that is known.
    pub waited: Duration,
    /// How long the last one waited.
    pub last_waited: Option<Duration>,
    /// When the last one failed.
    pub last: Timestamp,
}

/// From the first to the last of what comes at most [`LULL`] apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ActivePeriod {
    since: Timestamp,
    last: Timestamp,
}

impl ActivePeriod {
    fn go_on(stretch: &mut Option<Self>, since: Timestamp, at: Timestamp, lull: Duration) {
        match stretch {
            Some(stretch) if at.since(stretch.last) <= lull => stretch.last = at,
            _ => *stretch = Some(Self { since, last: at }),
        }
    }
}

impl AttemptRecord {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            rings: AttemptRings::default(),
            process: None,
            processes: Vec::new(),
            more_processes: false,
            last_active: at,
            last_success: None,
            row: None,
            failures: None,
            resets: None,
            opened: None,
        }
    }

    /// How many of what, over `window` up to `now`.
    pub(super) fn counts(&self, window: AttemptWindow, now: Timestamp) -> AttemptCounts {
        self.rings.counts(window, now)
    }

    /// What `count` finds in each part of the last moment.
    pub(super) fn slots(&self, now: Timestamp, count: fn(&AttemptCounts) -> u32) -> AttemptSlots {
        self.rings.slots(now, count)
    }

    /// When an attempt last succeeded, as far back as was watched.
    pub const fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// The row of attempts that all failed, if the last one that was decided did.
    pub const fn row(&self) -> Option<FailedAttempts> {
        self.row
    }

    /// When the first of those failures began that were never a minute apart, if the last is no longer ago than that.
    pub fn failing_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.failures.filter(|stretch| now.since(stretch.last) <= LULL).map(|stretch| stretch.since)
    }

    /// The same of connections that were reset soon after they were established.
    pub fn resetting_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.resets.filter(|stretch| now.since(stretch.last) <= LULL).map(|stretch| stretch.since)
    }

    /// Since when connections have been made without a pause that ends them (`OVER_AFTER`).
    pub fn opening_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.opened.filter(|stretch| now.since(stretch.last) <= OVER_AFTER).map(|stretch| stretch.since)
    }

    /// Whether attempts that all failed are likely to go on: the last is not long ago for how often they came.
    pub fn goes_on(&self, now: Timestamp) -> bool {
        let Some(row) = self.row else { return false };
        let gap = row.last.since(row.since) / row.failures.max(1);
        let patience = (gap * OVER_AFTER_GAPS).clamp(OVER_AFTER, OVER_AFTER_MAX);
        now.since(row.last) <= patience
    }

    /// One of its processes: the first that was seen since its trouble began.
    pub const fn process(&self) -> Option<&Arc<Process>> {
        self.process.as_ref()
    }

    /// How many processes it is about, and whether there were more than were told apart.
    pub fn processes(&self) -> (usize, bool) {
        (self.processes.len(), self.more_processes)
    }

    /// Those of its processes that were seen after `since`.
    pub fn processes_since(&self, since: Timestamp) -> impl Iterator<Item = &Arc<Process>> {
        self.processes.iter().filter(move |(_, seen)| *seen >= since).map(|(process, _)| process)
    }

    /// When anything was last counted.
    pub(super) const fn last_active(&self) -> Timestamp {
        self.last_active
    }

    /// Counts `kind`, of which `transition` told in the sample at `at`.
    pub(super) fn count(&mut self, kind: AttemptEvent, transition: &Transition, at: Timestamp) {
        self.rings.add(transition.at.min(at), kind);
        self.last_active = at;
        self.note(transition.owner.holders().and_then(|holders| holders.all().first()), at);
        let happened = transition.at.min(at);
        match kind {
            AttemptEvent::Succeeded => {
                (self.last_success, self.row) = (self.last_success.max(Some(happened)), None);
                ActivePeriod::go_on(&mut self.opened, happened, happened, OVER_AFTER);
            }
            AttemptEvent::Refused
            | AttemptEvent::TimedOut
            | AttemptEvent::GivenUp
            | AttemptEvent::Unreachable
            | AttemptEvent::FailedUnknown => {
                self.fail(transition, happened);
            }
            AttemptEvent::ResetEarly | AttemptEvent::ResetEarlyHere => {
                ActivePeriod::go_on(&mut self.resets, happened, happened, LULL);
            }
            AttemptEvent::Begun
            | AttemptEvent::ClosedHere
            | AttemptEvent::ClosedByPeer
            | AttemptEvent::ResetOtherwise
            | AttemptEvent::EndedUnknown => {}
        }
    }

    fn fail(&mut self, transition: &Transition, happened: Timestamp) {
        let waited = transition.lasted.map(|(lasted, _)| lasted);
        let begun = happened.before(waited.unwrap_or_default());
        ActivePeriod::go_on(&mut self.failures, begun, happened, LULL);
        // One that began before the last success says nothing of what came after it.
        if self.last_success.is_some_and(|success| begun < success) {
            return;
        }
        let empty =
            FailedAttempts { since: begun, failures: 0, waited: Duration::ZERO, last_waited: None, last: happened };
        let row = self.row.get_or_insert(empty);
        row.since = row.since.min(begun);
        row.failures = row.failures.saturating_add(1);
        row.waited = row.waited.saturating_add(waited.unwrap_or_default());
        (row.last_waited, row.last) = (waited, row.last.max(happened));
    }

    /// Takes note of one of its processes.
    fn note(&mut self, process: Option<&Arc<Process>>, at: Timestamp) {
        let Some(process) = process else { return };
        let is_troubled = self.row.is_some() || self.failures.is_some_and(|stretch| at.since(stretch.last) <= LULL);
        if self.process.is_none() || !is_troubled {
            self.process = Some(Arc::clone(process));
        }
        if let Some((_, seen)) = self.processes.iter_mut().find(|(known, _)| known.id == process.id) {
            *seen = at;
            return;
        }
        if self.processes.len() >= PROCESSES_MAX {
            let (before, quarter) = (self.processes.len(), AttemptWindow::Quarter.begin(at));
            self.processes.retain(|(_, seen)| *seen >= quarter);
            self.more_processes &= self.processes.len() == before;
        }
        if self.processes.len() < PROCESSES_MAX {
            self.processes.push((Arc::clone(process), at));
        } else {
            self.more_processes = true;
        }
    }
}
