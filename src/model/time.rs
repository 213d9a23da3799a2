//! Instants and wall-clock times as plain numbers. Nothing here reads a clock: sources and the runtime do,
//! and hand the result down, so that a recording replays exactly.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `USER_HZ`: what Linux counts clock ticks in where programs see them, 100 a second on every architecture that Rust runs on
/// (`AT_CLKTCK`, `getauxval`(3)).
pub const CLOCK_TICK: Duration = Duration::from_millis(10);

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

/// A [`Timestamp`] cut to whole milliseconds, in five bytes: the kernel tells when something was no finer than that, and
/// every socket holds some. Reaches 34 years after boot; later ones are that.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CompactTimestamp([u8; 5]);

impl CompactTimestamp {
    /// In nanoseconds again.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.0.into_iter().fold(0, |millis, byte| millis << 8 | u64::from(byte)))
    }
}

impl From<Timestamp> for CompactTimestamp {
    fn from(timestamp: Timestamp) -> Self {
        // Big-endian, so that the derived order is that of time.
        let [_, _, _, bytes @ ..] = timestamp.as_millis().min((1 << 40) - 1).to_be_bytes();
        Self(bytes)
    }
}

impl From<CompactTimestamp> for Timestamp {
    fn from(moment: CompactTimestamp) -> Self {
        moment.timestamp()
    }
}

impl fmt::Debug for CompactTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactTimestamp({} ms)", self.timestamp().as_millis())
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

    /// The time of day `duration` after `self`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
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
    fn a_moment_is_whole_milliseconds_in_the_order_of_time() {
        for millis in [0, 1, 255, 256, 4_294_967_296, (1 << 40) - 1] {
            assert_eq!(
                CompactTimestamp::from(Timestamp(millis * 1_000_000 + 999_999)).timestamp(),
                Timestamp::from_millis(millis)
            );
        }
        assert_eq!(CompactTimestamp::from(Timestamp(u64::MAX)).timestamp(), Timestamp::from_millis((1 << 40) - 1));
        assert!(
            CompactTimestamp::from(Timestamp::from_millis(255)) < CompactTimestamp::from(Timestamp::from_millis(256))
        );
        assert_eq!(size_of::<Option<[CompactTimestamp; 3]>>(), 16);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(5).before(Duration::from_secs(1)), Timestamp(0));
        assert_eq!(Timestamp(u64::MAX).after(Duration::MAX), Timestamp(u64::MAX));
        assert_eq!(WallTime(0).before(Duration::from_millis(3)), WallTime(-3));
    }
}
