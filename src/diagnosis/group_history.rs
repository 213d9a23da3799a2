//! What is remembered of one group from evaluation to evaluation: its size over time, and since when it is a finding.

use std::collections::VecDeque;
use std::time::Duration;

use crate::diagnosis::finding::{Finding, RunsOut, Slope};
use crate::model::delta::{AgeBasis, Since};
use crate::model::memory::MeasuredTable;
use crate::model::time::Timestamp;

/// The samples of the last minutes, at most one a second.
const FINE_LEN_MAX: usize = 120;
const FINE_STEP: Duration = Duration::from_millis(900);
/// The samples of the last half hour, at most one in ten seconds.
const COARSE_LEN_MAX: usize = 180;
const COARSE_STEP: Duration = Duration::from_secs(10);
/// A ring has room for so many samples before it has room for all.
const SHORT_LEN: usize = 32;
/// A line through fewer samples or a shorter span than this says nothing.
const SLOPE_SAMPLES_MIN: usize = 5;
const SLOPE_SPAN_MIN: Duration = Duration::from_secs(8);
/// A line over a span shorter than this is believed in proportion.
const SLOPE_SPAN_SURE: Duration = Duration::from_secs(15);
/// A finding stays so long after its condition has gone, unless its rule says otherwise, so that it does not come and go.
pub(super) const STAYS_FOR: Duration = Duration::from_secs(3);
/// From this confidence on a slope is said as a fact (see [`Slope::confidence`]).
pub(super) const SURE: f32 = 0.8;
/// A rise smaller than this may be chance.
const RISE_MIN: f32 = 3.0;
/// What has not risen for as long as it took to rise by so much rises no more.
const STALLS_AFTER_STEPS: f32 = 5.0;
const STALLS_AFTER_MIN: Duration = Duration::from_secs(60);

/// One group over time.
#[derive(Debug, Default)]
pub(super) struct GroupHistory {
    fine: SizeSamples,
    coarse: SizeSamples,
    /// When the size last rose above all that was seen before.
    highest: (u32, Timestamp),
    /// When it was last looked at.
    pub(super) seen: Timestamp,
    /// Since when the condition holds without a break; what began anew while the finding was held has not broken.
    pub(super) holds_since: Option<Timestamp>,
    /// When the condition began, as far back as anything has proved it since: rows that proved it may be gone.
    pub(super) began: Option<Since>,
    /// The finding, while it is one, and when its condition last held.
    pub(super) active: Option<(Finding, Timestamp)>,
}

impl GroupHistory {
    /// The group has this size at `at`.
    pub(super) fn push(&mut self, at: Timestamp, size: u64) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let is_anew = size < self.highest.0 / 2 || self.fine.samples.is_empty();
        if is_anew || size > self.highest.0 {
            self.highest = (size, at);
        }
        self.seen = at;
        self.fine.push(at, size, FINE_STEP, FINE_LEN_MAX);
        self.coarse.push(at, size, COARSE_STEP, COARSE_LEN_MAX);
    }

    /// How many samples it has, and the memory that is reserved for them, in bytes.
    pub(super) fn memory(&self) -> (usize, usize) {
        let rings = [&self.fine.samples, &self.coarse.samples];
        (rings.iter().map(|ring| ring.len()).sum(), rings.iter().map(|ring| ring.bytes()).sum())
    }

    /// The condition holds at `now`. Its beginning: what `proof` says, or what was proved before, or when it was first seen
    /// to hold, which is its beginning if it was looked at before (`knows_beginnings`).
    pub(super) fn holds(&mut self, now: Timestamp, proof: Option<Since>, knows_beginnings: bool) -> Since {
        let basis = if knows_beginnings { AgeBasis::Observed } else { AgeBasis::AtLeast };
        let seen = Since { at: now, basis };
        self.holds_since.get_or_insert(now);
        let known = [self.began, proof].into_iter().flatten().min_by_key(|since| since.at);
        let began = known.filter(|since| since.at <= now).unwrap_or(seen);
        self.began = Some(began);
        began
    }

    /// The condition is over.
    pub(super) fn ends(&mut self) {
        (self.active, self.holds_since, self.began) = (None, None, None);
    }

    /// The finding whose condition has just gone, as it was last. It goes on if the condition is back within `time`.
    pub(super) fn held(&mut self, now: Timestamp, time: Duration) -> Option<Finding> {
        if self.active.as_ref().is_none_or(|(_, last)| now.since(*last) > time) {
            self.ends();
        }
        self.active.as_ref().map(|(finding, _)| finding.clone())
    }

    /// How fast the size changes: over half an hour if that is a straight line which still goes on, else over the last
    /// two minutes; `None` while too little is known.
    pub(super) fn slope(&self, now: Timestamp) -> Option<Slope> {
        let recent = self.fine.slope(now);
        let long = self.coarse.slope(now).filter(|slope| slope.confidence >= SURE && !self.stalls(slope, now));
        match (long, recent) {
            (Some(long), Some(recent)) if long.over <= recent.over => Some(recent),
            (Some(long), _) => Some(long),
            (None, recent) => recent,
        }
    }

    /// Whether a line that rises has not been followed of late.
    fn stalls(&self, slope: &Slope, now: Timestamp) -> bool {
        if slope.per_minute <= 0.0 {
            return false;
        }
        let patience = Duration::try_from_secs_f32(STALLS_AFTER_STEPS * 60.0 / slope.per_minute);
        now.since(self.highest.1) > patience.unwrap_or(Duration::MAX).max(STALLS_AFTER_MIN)
    }

    /// The smallest size within the last `window`, if it was watched that long.
    pub(super) fn floor(&self, now: Timestamp, window: Duration) -> Option<u32> {
        let from = now.before(window);
        let is_covered = self.fine.samples.front().is_some_and(|(at, _)| *at <= from);
        let recent = self.fine.samples.iter().rev().take_while(|(at, _)| *at >= from);
        is_covered.then(|| recent.map(|(_, size)| *size).min()).flatten()
    }
}

impl Slope {
    /// Whether it is said as a fact, and is more than chance.
    pub(super) fn is_sure(&self) -> bool {
        self.confidence >= SURE
    }

    /// Whether it surely rises, by more than chance.
    pub(super) fn rises(&self) -> bool {
        self.is_sure() && self.per_minute > 0.0 && self.per_minute * self.over.as_secs_f32() / 60.0 >= RISE_MIN
    }

    /// When `left` of something are used up, at the rate as it is printed, so that both numbers agree.
    pub(super) fn runs_out(&self, what: &'static str, left: u64) -> Option<RunsOut> {
        let printed = Self { per_minute: as_printed(self.per_minute), ..*self };
        Some(RunsOut { what, within: printed.time_to(left)?, left, per_minute: printed.per_minute })
    }

    /// In how long something grows by `room`.
    pub(super) fn time_to(&self, room: u64) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let minutes = room as f64 / f64::from(self.per_minute);
        self.rises().then(|| Duration::try_from_secs_f64(minutes * 60.0).ok()).flatten()
    }
}

/// `per_minute` with the digits that sentences have: whole numbers from 10 on, else one digit behind the point; per hour
/// below 1 a minute, per second from 600 a minute on (see `wording::growth`).
pub(super) fn as_printed(per_minute: f32) -> f32 {
    let digits = |rate: f32| if rate >= 9.95 { rate.round() } else { (rate * 10.0).round() / 10.0 };
    match per_minute {
        rate if rate < 0.95 => digits(rate * 60.0) / 60.0,
        rate if rate < 599.5 => digits(rate),
        rate => digits(rate / 60.0) * 60.0,
    }
}

/// Sizes over time, a bounded number of them.
#[derive(Debug, Default)]
struct SizeSamples {
    samples: VecDeque<(Timestamp, u32)>,
}

impl SizeSamples {
    fn push(&mut self, at: Timestamp, size: u32, step: Duration, len_max: usize) {
        if self.samples.back().is_some_and(|(last, _)| at.since(*last) < step) {
            return;
        }
        if self.samples.len() == len_max {
            self.samples.pop_front();
        }
        if self.samples.len() == self.samples.capacity() {
            // What has lasted a while is taken to stay: then the ring has all its room at once.
            let room = if self.samples.len() < SHORT_LEN { SHORT_LEN } else { len_max };
            self.samples.reserve_exact(room - self.samples.len());
        }
        self.samples.push_back((at, size));
    }

    /// The line of least squares. Confidence is the share of the variance that it explains, less for a short span.
    #[expect(clippy::cast_possible_truncation, reason = "a slope on the screen has two digits")]
    fn slope(&self, now: Timestamp) -> Option<Slope> {
        let (first, last) = (self.samples.front()?.0, self.samples.back()?.0);
        let over = last.since(first);
        if self.samples.len() < SLOPE_SAMPLES_MIN || over < SLOPE_SPAN_MIN || now < last {
            return None;
        }
        let points = self.samples.iter().map(|(at, size)| (at.since(first).as_secs_f64(), f64::from(*size)));
        let (per_second, explained) = line(points);
        let trust = (over.as_secs_f64() / SLOPE_SPAN_SURE.as_secs_f64()).min(1.0);
        Some(Slope { per_minute: (per_second * 60.0) as f32, over, confidence: (explained * trust) as f32 })
    }
}

/// The slope of the line of least squares through `points`, and the share of the variance of y that it explains (1 for
/// a level line).
pub(super) fn line(points: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let sums = points.clone().fold((0.0, 0.0, 0.0), |(n, x, y), (px, py)| (n + 1.0, x + px, y + py));
    let (mean_x, mean_y) = (sums.1 / sums.0, sums.2 / sums.0);
    let (xx, xy, yy) = points.fold((0.0, 0.0, 0.0), |(xx, xy, yy), (x, y)| {
        let (dx, dy) = (x - mean_x, y - mean_y);
        (xx + dx * dx, xy + dx * dy, yy + dy * dy)
    });
    // Also false for NaN, which no points or infinite ones give.
    if !(xx > 0.0 && yy.is_finite()) {
        return (0.0, 0.0);
    }
    if yy <= 0.0 { (0.0, 1.0) } else { (xy / xx, (xy * xy / (xx * yy)).clamp(0.0, 1.0)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn track(sizes: impl IntoIterator<Item = u64>) -> (GroupHistory, Timestamp) {
        let (mut track, mut now) = (GroupHistory::default(), at(100));
        for size in sizes {
            now = now.after(Duration::from_secs(1));
            track.push(now, size);
        }
        (track, now)
    }

    #[test]
    fn a_steady_rise_is_a_fact_and_noise_is_not() {
        let (rising, now) = track((0..240).map(|second| 10 + second / 15));
        let slope = rising.slope(now).expect("enough is known");
        assert!(slope.rises() && (slope.per_minute - 4.0).abs() < 0.2, "{slope:?}");
        assert!(slope.over > Duration::from_secs(3 * 60), "over all that is known: {slope:?}");
        let (noisy, now) = track((0..240).map(|second| (second * 7 + second * second) % 5));
        assert!(!noisy.slope(now).expect("enough is known").rises());
        let (level, now) = track([7; 60]);
        assert_eq!(level.slope(now).map(|slope| (slope.per_minute, slope.rises())), Some((0.0, false)));
    }

    #[test]
    fn what_is_left_and_the_rate_as_told_give_the_time() {
        for (per_minute, printed) in
            [(0.026, 0.026_667), (0.5, 0.5), (3.653, 3.7), (42.4, 42.0), (107.3, 107.0), (1_234.0, 1_260.0)]
        {
            let slope = Slope { per_minute, over: Duration::from_secs(3 * 3_600), confidence: 0.99 };
            let limit = slope.runs_out("descriptors", 10_000).expect("it rises");
            assert!((limit.per_minute - printed).abs() < printed / 1e3, "{per_minute}: {}", limit.per_minute);
            let sum = 10_000.0 / f64::from(printed) * 60.0;
            assert!((limit.within.as_secs_f64() - sum).abs() < sum / 1e3, "{limit:?}");
        }
    }

    #[test]
    fn a_condition_begins_where_it_was_proved_and_a_short_break_is_none() {
        let mut track = GroupHistory::default();
        let since = |seconds, basis| Since { at: at(seconds), basis };
        assert_eq!(track.holds(at(100), None, false), since(100, AgeBasis::AtLeast), "it may have held before");
        track.ends();
        assert_eq!(track.holds(at(100), None, true), since(100, AgeBasis::Observed));
        assert_eq!(track.holds(at(101), Some(since(40, AgeBasis::Kernel)), true), since(40, AgeBasis::Kernel));
        // The row that proved it is gone.
        assert_eq!(track.holds(at(102), Some(since(101, AgeBasis::Kernel)), true), since(40, AgeBasis::Kernel));
        let (finding, hold) = (
            crate::diagnosis::finding::testing::finding(
                crate::diagnosis::rule::Rule::DeadPeer,
                7,
                crate::diagnosis::finding::FindingScope::Process,
                1,
            ),
            Duration::from_secs(3),
        );
        track.active = Some((finding, at(102)));
        assert!(track.held(at(105), hold).is_some());
        assert_eq!(track.holds(at(105), None, true).at, at(40), "back within the hold time");
        assert!(track.held(at(106), hold).is_none());
        assert_eq!(track.holds(at(107), None, true), since(107, AgeBasis::Observed), "another one");
    }

    #[test]
    fn a_rise_that_has_ended_is_no_rise() {
        let (ended, now) = track((0..600).map(|second| second / 2).chain([300; 180]));
        assert!(!ended.slope(now).expect("enough is known").rises());
    }

    #[test]
    fn little_says_little() {
        assert!(track([1, 2, 3]).0.slope(at(104)).is_none());
        let (short, now) = track(0..9);
        assert!(!short.slope(now).expect("a line").is_sure());
    }

    #[test]
    fn the_floor_is_known_once_the_window_was_watched() {
        let (track, now) = track([5, 1, 9, 8, 7, 9]);
        assert_eq!(track.floor(now, Duration::from_secs(3)), Some(7));
        assert_eq!(track.floor(now, Duration::from_secs(60)), None);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_no_size_confuses_it(sizes: Vec<u64>, steps in proptest::collection::vec(0u64..100_000, 0..400)) {
            let (mut track, mut now) = (GroupHistory::default(), at(1));
            for (nth, step) in steps.into_iter().enumerate() {
                now = now.after(Duration::from_millis(step));
                track.push(now, sizes.get(nth % sizes.len().max(1)).copied().unwrap_or(0));
                if let Some(slope) = track.slope(now) {
                    prop_assert!((0.0..=1.0).contains(&slope.confidence) && slope.per_minute.is_finite());
                    let _ = slope.time_to(u64::MAX);
                }
            }
            prop_assert!(track.fine.samples.len() <= FINE_LEN_MAX && track.coarse.samples.len() <= COARSE_LEN_MAX);
        }
    }
}
