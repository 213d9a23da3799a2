//! Which samples are full ones: all of them where that is cheap, else as many as a tenth of a core pays for, and fewer
//! while nothing happens. Knows no clock.

use std::time::Duration;

use crate::model::delta::{Delta, SampleIntervals};
use crate::model::facts::Counters;
use crate::model::snapshot::Snapshot;
use crate::runtime::load::stretched;

/// Up to so many sockets every sample is a full one.
const WHOLE_MAX: usize = 20_000;
/// Sampling may take this share of a core, as a divisor; drawing needs some too.
const BUDGET_DIVISOR: u32 = 10;
/// Where fewer than this share of the rows changed (a divisor) since the last full sample, the next one may wait longer.
const IDLE_DIVISOR: usize = 100;
/// The wait for a full sample doubles while few rows change, up to this factor.
const STRETCH_MAX: u32 = 8;
/// No two full samples are further apart, unless the interval itself is longer.
const FULL_WAIT_MAX: Duration = Duration::from_secs(30);
/// The same where partial samples show every change of state: full ones then only bring the figures of silent sockets.
const TOLD_WAIT_MAX: Duration = Duration::from_secs(60);
/// While neither a segment nor a datagram moves, full samples are so many times rarer: no figure can have changed.
const SILENT_FACTOR: u32 = 2;

/// What samples have cost so far, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct SamplePlan {
    has_parts: bool,
    sockets: usize,
    full: AverageCost,
    part: AverageCost,
    parts_since: u32,
    stretch: u32,
    /// The last partial sample shows every change of state.
    is_told: bool,
    /// The counters of the last full sample; `None` where the source has none.
    counters: Option<Counters>,
    /// Nothing was sent or received since.
    is_silent: bool,
}

/// What taking and tracking a sample took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleCost {
    /// From its begin to its end.
    pub wall: Duration,
    /// Of a core; less than `wall` where others want it too.
    pub core: Duration,
}

/// What one kind of sample costs: averages that forget.
#[derive(Clone, Copy, Debug, Default)]
struct AverageCost {
    taken: u32,
    wall: Duration,
    core: Duration,
}

impl AverageCost {
    /// The first one is no measure: it seeks every owner.
    fn add(&mut self, took: SampleCost) {
        let first = self.taken < 2;
        let mean = |old: Duration, new: Duration| if first { new } else { (old + new) / 2 };
        (self.wall, self.core) = (mean(self.wall, took.wall), mean(self.core, took.core));
        self.taken = self.taken.saturating_add(1);
    }
}

impl SamplePlan {
    /// Nothing was sampled yet; `has_parts` says whether there are partial samples at all.
    pub fn new(has_parts: bool) -> Self {
        Self {
            has_parts,
            sockets: 0,
            full: AverageCost::default(),
            part: AverageCost::default(),
            parts_since: 0,
            stretch: 1,
            is_told: false,
            counters: None,
            is_silent: false,
        }
    }

    /// Whether there are partial samples of what is wanted now.
    pub fn allow_parts(&mut self, has_parts: bool) {
        self.has_parts = has_parts;
    }

    /// Whether the next sample is to be a full one, samples being `interval` apart.
    pub fn wants_full(&self, interval: Duration) -> bool {
        self.full.taken == 0 || self.parts_since + 1 >= self.full_each(interval)
    }

    /// A sample was taken and tracked.
    pub fn sampled(&mut self, snapshot: &Snapshot, delta: &Delta, took: SampleCost) {
        let counters = snapshot.facts.counters;
        let grown = counters.zip(self.counters).map(|(now, then)| now.since(&then));
        self.is_silent = grown.is_some_and(|grown| !has_traffic(&grown));
        if !snapshot.scope.is_all() {
            self.part.add(took);
            self.parts_since += 1;
            self.follow(snapshot.scope.has_told_changes());
            return;
        }
        self.full.add(took);
        (self.parts_since, self.counters) = (0, counters);
        self.sockets = snapshot.coverage.sockets as usize;
        let opened_or_closed = delta.added.len() + delta.removed.len();
        // What was told needs no full sample.
        let news = if self.is_told { delta.sample_intervals.late as usize } else { opened_or_closed };
        let idle = (news + delta.changed.len()) * IDLE_DIVISOR <= self.sockets;
        self.stretch = match (idle, self.is_told) {
            (true, true) => u32::MAX,
            (true, false) => self.stretch.saturating_mul(2).min(STRETCH_MAX),
            (false, _) => 1,
        };
    }

    /// Takes note of whether every change is told. Where that is no longer so, something was lost, and a full sample is to
    /// come soon.
    fn follow(&mut self, is_told: bool) {
        if self.is_told && !is_told {
            self.stretch = 1;
        }
        self.is_told = is_told;
    }

    /// The time per sample to count with: of the last one, or the mean where full ones alternate with partial ones.
    pub fn cost(&self, interval: Duration, last: Duration) -> Duration {
        let each = self.full_each(interval);
        if each > 1 { (self.full.wall + self.part.wall * (each - 1)) / each } else { last }
    }

    /// What the header is told, after a sample that took `last`.
    pub fn sample_intervals(&self, interval: Duration, last: Duration) -> SampleIntervals {
        let every = stretched(interval, self.cost(interval, last));
        let each = self.full_each(interval);
        SampleIntervals {
            every: Some(every),
            full_every: (each > 1).then(|| every * each),
            ..SampleIntervals::default()
        }
    }

    /// Each how many-th sample is a full one.
    fn full_each(&self, interval: Duration) -> u32 {
        if !self.has_parts || self.sockets <= WHOLE_MAX {
            return 1;
        }
        let wait = if self.is_told { TOLD_WAIT_MAX } else { FULL_WAIT_MAX };
        let wait = if self.is_silent { wait * SILENT_FACTOR } else { wait };
        let most = whole_times(wait, stretched(interval, self.part.wall)).max(1);
        let spare = (interval / BUDGET_DIVISOR).saturating_sub(self.part.core);
        let extra = self.full.core.saturating_sub(self.part.core);
        let paid = whole_times(extra, spare).saturating_add(1);
        if paid <= 1 { 1 } else { paid.saturating_mul(self.stretch).min(most) }
    }
}

/// Whether a segment or a datagram was sent or received.
const fn has_traffic(grown: &Counters) -> bool {
    grown.segments_received > 0
        || grown.segments_sent > 0
        || grown.segments_retransmitted > 0
        || grown.udp_received > 0
        || grown.udp_sent > 0
}

/// How many times `part` fits into `whole`.
fn whole_times(whole: Duration, part: Duration) -> u32 {
    let times = whole.as_nanos().checked_div(part.as_nanos()).unwrap_or(u128::MAX);
    u32::try_from(times).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Removed;
    use crate::model::snapshot::Scope;
    use crate::model::socket::{NetnsId, SocketId};
    use crate::model::testing::{snapshot, tcp};
    use crate::model::time::Timestamp;

    const SECOND: Duration = Duration::from_secs(1);
    const REMOVED: Removed = Removed { id: SocketId::from_cookie(1, NetnsId(0)), at: Timestamp(0) };

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// With the machine for itself.
    fn took(time: Duration) -> SampleCost {
        SampleCost { wall: time, core: time }
    }

    fn full(plan: &mut SamplePlan, sockets: usize, changed: usize, time: Duration) {
        let sample = snapshot(1, std::iter::repeat_n(tcp(1), sockets));
        let removed = vec![REMOVED; changed];
        plan.sampled(&sample, &Delta { removed, ..Delta::default() }, took(time));
    }

    fn part(plan: &mut SamplePlan, time: Duration) {
        let mut sample = snapshot(1, [tcp(1)]);
        sample.scope = Scope::tcp(&[]);
        plan.sampled(&sample, &Delta::default(), took(time));
    }

    /// How many partial samples come before the next full one.
    fn parts_before_full(plan: &mut SamplePlan, took: Duration) -> u32 {
        (0..100)
            .find(|_| {
                plan.wants_full(SECOND) || {
                    part(plan, took);
                    false
                }
            })
            .expect("a full one comes")
    }

    #[test]
    fn small_tables_and_sources_without_parts_are_read_whole_each_time() {
        let mut plan = SamplePlan::new(true);
        assert!(plan.wants_full(SECOND));
        full(&mut plan, WHOLE_MAX, 0, millis(900));
        assert!(plan.wants_full(SECOND));
        let mut plan = SamplePlan::new(false);
        full(&mut plan, WHOLE_MAX + 1, 0, millis(900));
        assert!(plan.wants_full(SECOND));
    }

    #[test]
    fn a_large_table_is_read_whole_as_often_as_a_tenth_of_a_core_pays_for() {
        let mut plan = SamplePlan::new(true);
        full(&mut plan, 30_000, 30_000, millis(800));
        full(&mut plan, 30_000, 30_000, millis(260));
        part(&mut plan, millis(20));
        // 80 ms a second are left, and a full one costs 240 ms more than a part.
        assert_eq!(1 + parts_before_full(&mut plan, millis(20)), 3);
        assert_eq!(plan.cost(SECOND, millis(999)), (millis(260) + 3 * millis(20)) / 4);
        assert_eq!(plan.sample_intervals(SECOND, millis(999)).full_every, Some(4 * SECOND));
        assert!(plan.wants_full(10 * SECOND), "where the interval is long, that is each time");
    }

    #[test]
    fn others_that_want_the_core_too_make_full_samples_no_rarer() {
        let mut plan = SamplePlan::new(true);
        full(&mut plan, 30_000, 30_000, millis(260));
        let sample = snapshot(1, std::iter::repeat_n(tcp(1), 30_000));
        let busy = SampleCost { wall: SECOND, core: millis(260) };
        plan.sampled(&sample, &Delta { removed: vec![REMOVED; 30_000], ..Delta::default() }, busy);
        assert_eq!(parts_before_full(&mut plan, millis(20)), 3);
        assert_eq!(plan.cost(SECOND, SECOND), (SECOND + 3 * millis(20)) / 4, "but they take their time");
    }

    #[test]
    fn where_parts_do_not_do_for_what_is_wanted_every_sample_is_whole_and_said_to_be() {
        let mut plan = SamplePlan::new(true);
        full(&mut plan, 30_000, 30_000, millis(260));
        full(&mut plan, 30_000, 30_000, millis(260));
        part(&mut plan, millis(20));
        assert!(!plan.wants_full(SECOND) && plan.sample_intervals(SECOND, millis(260)).full_every.is_some());
        plan.allow_parts(false);
        assert!(plan.wants_full(SECOND));
        assert_eq!(plan.sample_intervals(SECOND, millis(260)).full_every, None);
        assert_eq!(plan.cost(SECOND, millis(260)), millis(260));
    }

    #[test]
    fn while_nothing_happens_full_samples_come_less_often() {
        let mut plan = SamplePlan::new(true);
        full(&mut plan, 30_000, 30_000, millis(260));
        let waits: Vec<_> = (0..4)
            .map(|_| {
                full(&mut plan, 30_000, 300, millis(260));
                parts_before_full(&mut plan, millis(20))
            })
            .collect();
        assert_eq!(waits, [7, 15, 29, 29], "at most half a minute");
        full(&mut plan, 30_000, 301, millis(260));
        assert_eq!(parts_before_full(&mut plan, millis(20)), 3);
    }

    #[test]
    fn however_dear_they_are_full_samples_come() {
        let mut plan = SamplePlan::new(true);
        full(&mut plan, 30_000, 0, millis(5_000));
        assert_eq!(parts_before_full(&mut plan, millis(200)), 29);
        assert_eq!(parts_before_full(&mut plan, millis(200)), 0);
        full(&mut plan, 30_000, 0, millis(5_000));
        assert_eq!(parts_before_full(&mut plan, millis(500)), 14, "at most half a minute, as samples come in truth");
        assert!(
            plan.sample_intervals(SECOND, millis(400)).every > Some(SECOND),
            "what takes too long stretches the interval"
        );
    }
}
