//! The one place where sources read a clock: an instant that counts suspend, and the time of day.
//!
//! Below this nothing reads a clock; times travel as data ([`Timestamp`], [`WallTime`]).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::time::{Timestamp, WallTime};

/// The two clocks are read so close together, or once more: on a busy machine tens of milliseconds can pass between.
const TOGETHER: Duration = Duration::from_millis(1);
/// No more often than this.
const TRIES: u32 = 5;

/// This moment, as an instant since boot and as a time of day.
pub fn now() -> (Timestamp, WallTime) {
    let mut before = since_boot();
    for _ in 1..TRIES {
        let wall = wall();
        let after = since_boot();
        if after.since(before) <= TOGETHER {
            return (before, wall);
        }
        before = after;
    }
    (before, wall())
}

/// `CLOCK_BOOTTIME` (`clock_gettime(2)`): the time since boot, suspend included.
#[cfg(target_os = "linux")]
pub fn since_boot() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The monotonic clock, set once to the uptime of the system: it never jumps, but may stand still in suspend.
#[cfg(not(target_os = "linux"))]
pub fn since_boot() -> Timestamp {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<(Instant, Duration)> =
        LazyLock::new(|| (Instant::now(), Duration::from_secs(sysinfo::System::uptime().unwrap_or(0))));
    let (start, uptime) = *START;
    Timestamp(0).after(uptime).after(start.elapsed())
}

fn wall() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_and_is_of_this_century() {
        let (early, wall) = now();
        let (late, _) = now();
        assert!(late >= early);
        assert!(early > Timestamp(0));
        assert!(wall > WallTime(1_700_000_000_000), "{wall:?}");
    }
}
