//! Instants and wall-clock times as plain numbers. Nothing here reads a clock: sources and the runtime do,
//! and hand the result down, so that a recording replays exactly.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant: nanoseconds since boot (`CLOCK_BOOTTIME`, `clock_gettime`(2)), which never jumps and counts suspend.
///
/// Only for durations; what is shown as a time of day is a [`WallTime`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The instant `millis` milliseconds after boot.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since boot.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later (two clocks read a little apart).
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The instant `duration` before `self`, not before boot.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// The instant `duration` after `self`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A time of day: milliseconds since 1970-01-01T00:00:00Z. For display only, never for durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WallTime(pub i64);

impl WallTime {
    /// The time of day `duration` before `self`.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_never_negative() {
        let (early, late) = (Timestamp(5), Timestamp(9));
        assert_eq!(late.since(early), Duration::from_nanos(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(5).before(Duration::from_secs(1)), Timestamp(0));
        assert_eq!(Timestamp(u64::MAX).after(Duration::MAX), Timestamp(u64::MAX));
        assert_eq!(WallTime(0).before(Duration::from_millis(3)), WallTime(-3));
    }
}
