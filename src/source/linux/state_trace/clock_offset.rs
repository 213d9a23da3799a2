//! How the time in the records of the trace becomes a [`Timestamp`].
//!
//! The kernel stamps records by its own clock. In a time namespace (`time_namespaces`(7)) the clocks that programs are given
//! stand an offset apart from it, which `/proc/self/timens_offsets` tells. Whatever the reason, a record that seems to be
//! from before the trace was opened, or from the future, shows that the clocks are not the same.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::time::Timestamp;

/// The offsets of the time namespace that children will be in; the same as ours unless unshare(2) was called without a child.
const OFFSETS: &str = "/proc/self/timens_offsets";
/// Two readings of one clock are never so far apart.
const SLACK: Duration = Duration::from_millis(100);

/// Which clock the records are stamped by, and how far the same clock of programs stands apart from it, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordClock {
    offset: i64,
    /// It is `CLOCK_MONOTONIC`, which stands still in suspend.
    is_monotonic: bool,
}

/// What is to be added to the time of a record, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead(i64);

/// The clock of the records is not that of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignClock;

impl RecordClock {
    /// `CLOCK_BOOTTIME`, that of [`Timestamp`].
    pub fn boottime() -> Self {
        Self { offset: offset("boottime"), is_monotonic: false }
    }

    /// `CLOCK_MONOTONIC`: the same without the time in suspend.
    pub fn monotonic() -> Self {
        Self { offset: offset("monotonic"), is_monotonic: true }
    }

    /// How far [`Timestamp`] is ahead of it now.
    pub fn ahead(self) -> Ahead {
        let suspended =
            if self.is_monotonic { nanos(ClockId::Boottime).saturating_sub(nanos(ClockId::Monotonic)) } else { 0 };
        Ahead(self.offset.saturating_add(suspended))
    }
}

impl Ahead {
    /// The moment of a record.
    pub const fn apply(self, time: u64) -> Timestamp {
        Timestamp(time.saturating_add_signed(self.0))
    }
}

/// Whether a record of `at` seems to be older than the trace, which was `opened` then.
pub fn too_early(at: Timestamp, opened: Timestamp) -> Option<ForeignClock> {
    (opened.since(at) > SLACK).then_some(ForeignClock)
}

/// Whether a record of `at`, read before `now`, seems to come from the future.
pub fn too_late(at: Timestamp, now: Timestamp) -> Option<ForeignClock> {
    (at.since(now) > SLACK).then_some(ForeignClock)
}

fn offset(clock: &str) -> i64 {
    // Without time namespaces there is no such file, and no offset.
    fs::read_to_string(OFFSETS).ok().and_then(|text| offset_in(&text, clock)).unwrap_or(0)
}

/// The offset in nanoseconds of the line that begins with the name of the clock: `boottime 604800 0`.
fn offset_in(text: &str, clock: &str) -> Option<i64> {
    let mut fields = text.lines().find_map(|line| line.trim_start().strip_prefix(clock))?.split_whitespace();
    let (seconds, nanos): (i64, i64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_the_kernel_writes_them() {
        let text = "monotonic          -7         5\nboottime       604800         0\n";
        assert_eq!(offset_in(text, "boottime"), Some(604_800_000_000_000));
        assert_eq!(offset_in(text, "monotonic"), Some(-6_999_999_995));
        assert_eq!((offset_in("", "boottime"), offset_in("boottime x 0", "boottime")), (None, None));
        assert_eq!(offset_in("boottime 9223372036854775807 0", "boottime"), None);
    }

    #[test]
    fn a_record_is_moved_by_the_offset_in_either_direction() {
        let clock = |offset| RecordClock { offset, is_monotonic: false }.ahead();
        assert_eq!(clock(5).apply(10), Timestamp(15));
        assert_eq!(clock(-5).apply(10), Timestamp(5));
        assert_eq!(clock(-50).apply(10), Timestamp(0));
    }

    #[test]
    fn a_record_outside_of_the_time_of_the_trace_shows_another_clock() {
        let at = Timestamp::from_millis;
        assert_eq!((too_early(at(1_000), at(1_050)), too_late(at(1_050), at(1_000))), (None, None));
        assert_eq!(
            (too_early(at(1_000), at(9_000)), too_late(at(9_000), at(1_000))),
            (Some(ForeignClock), Some(ForeignClock))
        );
    }
}
