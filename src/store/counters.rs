//! How fast the kernel's counters grow: the last minute of them, in a ring.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::facts::Counters;
use crate::model::time::Timestamp;

/// How far back the ring reaches.
pub const COUNTERS_TIME: Duration = Duration::from_secs(60);
/// Samples that are closer together than this count as one.
const TOGETHER: Duration = Duration::from_millis(900);
/// So many entries a minute can have, and one before it.
const COUNTERS_LEN_MAX: usize = 68;

/// The counters as they were.
#[derive(Clone, Debug, Default)]
pub struct CounterHistory {
    /// When each was read.
    entries: VecDeque<(Timestamp, Counters)>,
}

/// By how much the counters grew, and in what time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// The time from one sample to another.
    pub over: Duration,
    /// The difference of each counter.
    pub by: Counters,
}

impl Growth {
    /// `count` of [`Self::by`] per second.
    pub fn per_second(&self, count: u64) -> f64 {
        Rise { by: count, over: self.over }.per_second()
    }
}

/// By how much one counter rose, and in what time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rise {
    /// The difference.
    pub by: u64,
    /// The time between the two readings.
    pub over: Duration,
}

impl Rise {
    /// How much that is per second; 0 where no time passed.
    #[expect(clippy::cast_precision_loss, reason = "a rate on the screen has three digits")]
    pub fn per_second(self) -> f64 {
        if self.over.is_zero() { 0.0 } else { self.by as f64 / self.over.as_secs_f64() }
    }
}

impl CounterHistory {
    /// The growth over the last `window` (at most [`COUNTERS_TIME`]), or since the sample before the last if that is
    /// longer ago; `None` until two samples had counters.
    pub fn growth(&self, window: Duration) -> Option<Growth> {
        let (newest, base, over) = self.ends(window)?;
        Some(Growth { over, by: newest.since(base) })
    }

    /// The newest counters, those to compare them with, and the time between.
    fn ends(&self, window: Duration) -> Option<(&Counters, &Counters, Duration)> {
        let (newest_at, newest) = self.entries.back()?;
        let older = self.entries.len() - 1;
        let from = newest_at.before(window);
        let base = (0..older).rev().find(|&at| self.entries[at].0 <= from).unwrap_or(0);
        let (base_at, base) = self.entries.get(base).filter(|_| older > 0)?;
        let over = newest_at.since(*base_at);
        (!over.is_zero()).then_some((newest, base, over))
    }

    /// By how much one counter grew, as [`Self::growth`] tells of all.
    pub fn rise(&self, window: Duration, counter: fn(&Counters) -> u64) -> Option<Rise> {
        let (newest, base, over) = self.ends(window)?;
        Some(Rise { by: counter(newest).saturating_sub(counter(base)), over })
    }

    /// Takes in the counters of a sample; where there are none, those of before say nothing any more.
    pub(super) fn push(&mut self, at: Timestamp, counters: Option<&Counters>) {
        let Some(&counters) = counters else { return self.entries.clear() };
        // Another namespace, or a recording of another boot: nothing can be told from the difference.
        if self.entries.back().is_some_and(|(_, last)| counters.segments_sent < last.segments_sent) {
            self.entries.clear();
        }
        // The oldest of those that count as one is replaced, never the base that rates are told from.
        let len = self.entries.len();
        if len > 1 && at.since(self.entries[len - 2].0) < TOGETHER {
            self.entries.pop_back();
        }
        self.entries.push_back((at, counters));
        let begins = |(begun, _): &(Timestamp, Counters)| at.since(*begun) >= COUNTERS_TIME;
        while self.entries.len() > COUNTERS_LEN_MAX || (self.entries.len() > 2 && begins(&self.entries[1])) {
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(listen_overflows: u64) -> Counters {
        Counters { listen_overflows, ..Counters::default() }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn overflows(history: &CounterHistory, seconds: u64) -> Option<(u64, Duration)> {
        let growth = history.growth(Duration::from_secs(seconds))?;
        Some((growth.by.listen_overflows, growth.over))
    }

    #[test]
    fn growth_is_told_over_the_time_that_passed() {
        let mut history = CounterHistory::default();
        history.push(at(0), Some(&counters(1_000)));
        assert_eq!(overflows(&history, 10), None, "what was before nobody knows");
        for second in 1..=100 {
            history.push(at(second * 1_000), Some(&counters(1_000 + second * 3)));
        }
        assert_eq!(overflows(&history, 10), Some((30, Duration::from_secs(10))));
        assert_eq!(overflows(&history, 600), Some((180, COUNTERS_TIME)));
        let growth = history.growth(Duration::from_secs(10)).expect("there are samples");
        assert!((growth.per_second(growth.by.listen_overflows) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_ring_is_bounded_at_any_rhythm_and_starts_anew_after_a_time_without() {
        let mut history = CounterHistory::default();
        for tenth in 0..3_000 {
            history.push(at(tenth * 100), Some(&counters(tenth)));
        }
        assert!(history.entries.len() <= COUNTERS_LEN_MAX);
        let (by, over) = overflows(&history, 10).expect("there are samples");
        assert_eq!(u128::from(by) * 100, over.as_millis());
        history.push(at(400_000), None);
        history.push(at(401_000), Some(&counters(5)));
        assert_eq!(overflows(&history, 10), None);
        // A counter that falls has not grown.
        history.push(at(402_000), Some(&counters(2)));
        assert_eq!(overflows(&history, 10), Some((0, Duration::from_secs(1))));
        assert_eq!(
            history.rise(Duration::from_secs(10), |counters| counters.listen_overflows),
            Some(Rise { by: 0, over: Duration::from_secs(1) })
        );
        // Fewer segments sent than before: another namespace, a recording of another boot.
        history.push(at(403_000), Some(&Counters { segments_sent: 9, ..counters(2) }));
        history.push(at(404_000), Some(&Counters { segments_sent: 8, ..counters(9) }));
        assert_eq!(overflows(&history, 10), None);
    }
}
