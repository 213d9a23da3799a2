//! How much of the time samples may take. One that takes longer comes less often, whoever asks for it: a monitor must
//! not be the load it is to find. Knows no clock.

use std::time::Duration;

/// Samples may take this share of the time: 1 is all, 4 a quarter. Longer ones stretch the interval.
pub const LOAD_DIVISOR: u32 = 4;
/// So many samples in a row stretch the interval before it is said: one may be an accident.
const SAID_AFTER: u32 = 2;

/// The time from the begin of a sample to that of the next, where the one took `took`.
pub fn stretched(interval: Duration, took: Duration) -> Duration {
    interval.max(took.saturating_mul(LOAD_DIVISOR))
}

/// The pace of a command that takes samples at an interval.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    interval: Duration,
    is_first: bool,
    /// In a row, until now.
    too_long: u32,
    has_said: bool,
}

impl Pacer {
    /// Samples are wanted this far apart.
    pub const fn new(interval: Duration) -> Self {
        Self { interval, is_first: true, too_long: 0, has_said: false }
    }

    /// The time from the begin of a sample that took `took` to that of the next. The first one, which looks up what later
    /// ones know, says nothing about those.
    pub fn next(&mut self, took: Duration) -> Duration {
        if std::mem::take(&mut self.is_first) {
            return self.interval;
        }
        let next = stretched(self.interval, took);
        // A difference that nobody sees, nor the sentence shows, is not worth one.
        self.too_long = if next >= self.interval * 11 / 10 { self.too_long + 1 } else { 0 };
        next
    }

    /// That samples come less often than was asked for, the last one having taken `took`; once.
    pub fn remark(&mut self, took: Duration) -> Option<String> {
        if self.too_long < SAID_AFTER || std::mem::replace(&mut self.has_said, true) {
            return None;
        }
        let [took, next, interval] =
            [took, stretched(self.interval, took), self.interval].map(|time| time.as_secs_f64());
        Some(format!(
            "a sample takes {took:.2} s, so they come each {next:.2} s and not each {interval} s, to take no more than a \
             quarter of a core; a longer --interval says so from the start"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_sample_that_takes_a_quarter_of_the_interval_stretches_it_which_is_said_once() {
        let mut pacer = Pacer::new(SECOND);
        assert_eq!(pacer.next(9 * SECOND), SECOND, "the first one does not count");
        assert_eq!(pacer.next(SECOND / 4), SECOND);
        assert_eq!((pacer.next(SECOND), pacer.remark(SECOND)), (4 * SECOND, None), "an accident");
        assert_eq!((pacer.next(SECOND / 10), pacer.remark(SECOND)), (SECOND, None));
        assert_eq!((pacer.next(SECOND / 2), pacer.remark(SECOND / 2)), (2 * SECOND, None));
        assert_eq!(pacer.next(SECOND / 2), 2 * SECOND);
        let said = pacer.remark(SECOND / 2).expect("it is said");
        assert!(said.starts_with("a sample takes 0.50 s, so they come each 2.00 s and not each 1 s"), "{said}");
        assert_eq!((pacer.next(SECOND), pacer.remark(SECOND)), (4 * SECOND, None), "once");
    }

    #[test]
    fn a_stretch_that_the_sentence_would_not_show_is_not_said() {
        let (mut pacer, took) = (Pacer::new(SECOND), SECOND * 26 / 100);
        for _ in 0..10 {
            assert_eq!(pacer.remark(took), None);
            assert!(pacer.next(took) <= SECOND * 105 / 100);
        }
    }
}
