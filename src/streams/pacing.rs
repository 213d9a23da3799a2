//! When a sample that has come is shown: as soon as it is there, and never faster than it was recorded, so that a recording that
//! comes all at once is played.

use std::time::Duration;

use crate::model::time::Timestamp;
use crate::source::replay::GAP_MAX;

/// The pace of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamPace {
    /// When the last sample was due by our clock, and its moment by the clock of the host.
    last: Option<(Timestamp, Timestamp)>,
}

impl StreamPace {
    /// When the sample of `at` by the clock of the host is due, which came at `arrived` by ours.
    pub fn due(&self, at: Timestamp, arrived: Timestamp) -> Timestamp {
        let Some((due, last)) = self.last else { return arrived };
        due.after(at.since(last).min(GAP_MAX))
    }

    /// The sample is shown. If none came after it until then (`is_last`), the stream is no faster than it was recorded: it was
    /// due when it came, so that clocks that run differently never add up to a delay.
    pub fn show(&mut self, at: Timestamp, arrived: Timestamp, is_last: bool) {
        let due = self.due(at, arrived);
        self.last = Some((if is_last { due.min(arrived) } else { due }, at));
    }
}

/// Whether a stream that has come regularly so far is late.
#[derive(Clone, Copy, Debug, Default)]
pub struct Regularity {
    last: Option<Timestamp>,
    interval: Duration,
}

impl Regularity {
    /// No stream is late before this time.
    const PATIENCE_MIN: Duration = Duration::from_secs(5);
    /// So many of its intervals a stream may take.
    const PATIENCE: u32 = 3;

    /// A sample came.
    pub fn came(&mut self, at: Timestamp) {
        self.interval = self.last.map_or(Duration::ZERO, |last| at.since(last));
        self.last = Some(at);
    }

    /// The time between the last two samples.
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether the next sample should have come by `now`.
    pub fn is_late(&self, now: Timestamp) -> bool {
        let patience = Self::PATIENCE_MIN.max(self.interval.saturating_mul(Self::PATIENCE));
        self.last.is_some_and(|last| now.since(last) > patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_recording_that_comes_at_once_is_played_as_it_was_recorded() {
        let mut pace = StreamPace::default();
        assert_eq!(pace.due(ms(70_000), ms(500)), ms(500));
        pace.show(ms(70_000), ms(500), false);
        assert_eq!(pace.due(ms(71_000), ms(501)), ms(1_500));
        pace.show(ms(71_000), ms(501), false);
        assert_eq!(pace.due(ms(999_000), ms(502)), ms(1_500).after(GAP_MAX), "nobody waits through a night");
    }

    #[test]
    fn a_live_stream_is_shown_at_once_whatever_its_clock_and_catches_up_after_a_pause() {
        let mut pace = StreamPace::default();
        // The clock of the host runs a tenth too fast: it believes that 1.1 s pass from one sample to the next.
        let mut delay = Duration::ZERO;
        for nth in 0..1_000 {
            let (at, arrived) = (ms(nth * 1_100), ms(5_000 + nth * 1_000));
            delay = pace.due(at, arrived).since(arrived);
            pace.show(at, arrived, true);
        }
        assert!(delay <= Duration::from_millis(100), "{delay:?}");
        // The line stands for 8 s, then all comes at once.
        for nth in 1_001..1_008 {
            let (at, arrived) = (ms(nth * 1_100), ms(5_000 + 1_009_000));
            assert!(pace.due(at, arrived) <= arrived, "{nth}");
            pace.show(at, arrived, false);
        }
    }

    #[test]
    fn a_stream_is_late_by_its_own_habit() {
        let mut stream = Regularity::default();
        assert!(!stream.is_late(ms(60_000)), "nothing came yet");
        stream.came(ms(0));
        stream.came(ms(1_000));
        assert!(!stream.is_late(ms(6_000)) && stream.is_late(ms(6_001)));
        stream.came(ms(61_000));
        assert!(!stream.is_late(ms(241_000)) && stream.is_late(ms(241_001)), "it takes a minute each time");
    }
}
