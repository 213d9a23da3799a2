//! The time of all hosts: each host counts from its own boot, so its moments are shifted by the time of day.

use std::time::Duration;

use crate::model::time::{CompactTimestamp, Timestamp, WallTime};

/// The common time begins so long before the first sample: longer than any machine is up, and so short that
/// [`CompactTimestamp`] still reaches far beyond now.
const PAST: Duration = Duration::from_secs(3_600 * 24 * 365 * 10);
/// Clocks that differ by more than this disagree.
pub const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(1);
/// A recording whose clock is so far from that of the first one has none that is of use: it is shown as if it began with it.
const APART_MAX: Duration = Duration::from_secs(3_600 * 24 * 365 * 5);

/// Where the common time begins, as a time of day in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(i64);

impl Origin {
    /// That of recordings the first of which begins at `wall`.
    pub fn before(wall: WallTime) -> Self {
        Self(wall.before(PAST).0)
    }

    /// The moment of the time of day `wall`.
    pub fn moment(self, wall: WallTime) -> Timestamp {
        Timestamp::from_millis(u64::try_from(wall.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// The time of day of `at`.
    pub fn wall(self, at: Timestamp) -> WallTime {
        WallTime(self.0.saturating_add(i64::try_from(at.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// How the moments of one host become those of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeShift {
    nanos: i128,
}

/// A shift, and how far the clock of the host is ahead of ours, in milliseconds, if they disagree.
pub type ShiftAndDifference = (TimeShift, Option<i64>);

impl TimeShift {
    /// By which `from` becomes `to`.
    pub const fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { nanos: to.0 as i128 - from.0 as i128 }
    }

    /// That of a host whose first sample is of `at` and `wall` by its own clocks, and came at `arrived` by ours. Where the clocks
    /// disagree, it counts when it came; that is not known of a file.
    pub fn of(origin: Origin, (at, wall): (Timestamp, WallTime), arrived: Option<WallTime>) -> ShiftAndDifference {
        let Some(arrived) = arrived else {
            let is_far = origin.0.abs_diff(wall.before(PAST).0) > u128_millis(APART_MAX);
            let wall = if is_far { origin.wall(Timestamp(0).after(PAST)) } else { wall };
            return (Self::between(at, origin.moment(wall)), None);
        };
        let ahead = wall.0.saturating_sub(arrived.0);
        let disagree = ahead.unsigned_abs() > u128_millis(CLOCK_DIFFERENCE_MAX);
        let wall = if disagree { arrived } else { wall };
        (Self::between(at, origin.moment(wall)), disagree.then_some(ahead))
    }

    /// The moment `at` of the host.
    pub fn moment(self, at: Timestamp) -> Timestamp {
        let shifted = i128::from(at.0).saturating_add(self.nanos).max(0);
        Timestamp(u64::try_from(shifted).unwrap_or(u64::MAX))
    }

    /// The same of one in milliseconds.
    pub fn compact(self, at: CompactTimestamp) -> CompactTimestamp {
        self.moment(at.timestamp()).into()
    }

    /// The same where 0 stands for never.
    pub fn compact_or_never(self, at: CompactTimestamp) -> CompactTimestamp {
        if at == CompactTimestamp::default() { at } else { self.compact(at) }
    }
}

fn u128_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_796_000_000_000);

    fn seconds(seconds: i64) -> WallTime {
        WallTime(NOW.0 + seconds * 1_000)
    }

    fn up_for(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn hosts_that_agree_on_the_time_of_day_are_on_one_time_however_long_they_are_up() {
        let origin = Origin::before(NOW);
        let (a, none) = TimeShift::of(origin, (up_for(1_000_000), NOW), Some(seconds(0)));
        let (b, _) = TimeShift::of(origin, (up_for(50), seconds(3)), Some(seconds(3)));
        assert_eq!(none, None);
        assert_eq!(b.moment(up_for(50)).since(a.moment(up_for(1_000_000))), Duration::from_secs(3));
        assert_eq!(a.moment(up_for(1_000_000)).since(a.moment(up_for(0))), Duration::from_secs(1_000_000), "ages stay");
        assert_eq!(origin.wall(b.moment(up_for(52))), seconds(5));
    }

    #[test]
    fn where_clocks_disagree_it_counts_when_a_sample_came() {
        let origin = Origin::before(NOW);
        let of = |wall, arrived| TimeShift::of(origin, (up_for(9), wall), arrived);
        let (shift, ahead) = of(seconds(3_600), Some(seconds(2)));
        assert_eq!((origin.wall(shift.moment(up_for(9))), ahead), (seconds(2), Some(3_598_000)));
        assert_eq!(of(seconds(-5), Some(seconds(0))).1, Some(-5_000));
        assert_eq!(of(seconds(1), Some(seconds(0))).1, None, "a second is not worth a word");
        let (shift, _) = of(WallTime(0), None);
        assert_eq!(origin.wall(shift.moment(up_for(9))), seconds(0), "a clock that was never set");
        let (shift, _) = of(seconds(-86_400), None);
        assert_eq!(origin.wall(shift.moment(up_for(9))), seconds(-86_400), "a recording of yesterday");
    }

    #[test]
    fn never_stays_never_and_nothing_is_before_the_beginning() {
        let (shift, _) = TimeShift::of(Origin::before(NOW), (up_for(9), NOW), None);
        assert_eq!(shift.compact_or_never(CompactTimestamp::default()), CompactTimestamp::default());
        assert_ne!(shift.compact(CompactTimestamp::default()), CompactTimestamp::default());
        let back = TimeShift::between(up_for(9), up_for(1));
        assert_eq!(back.moment(up_for(3)), Timestamp(0));
    }
}
