//! A moment of the past that the screen is to show: what is asked for, and what comes back.

use std::time::Duration;

use crate::diagnosis::Diagnosis;
use crate::model::recorded::RecordedSpan;
use crate::model::time::Timestamp;
use crate::store::Store;

/// Asks for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MomentWish {
    /// How many wishes there were before: the newest one wins.
    pub number: u64,
    /// Which moment.
    pub at: Timestamp,
    /// Of which sample.
    pub sample: WishedSample,
}

/// Which sample stands for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WishedSample {
    /// The last one at or before it: what was known then.
    Before,
    /// The first one at or after it: that which shows what happened at it.
    After,
}

/// The data of a moment, built apart from what is on the screen.
#[derive(Debug)]
pub struct Moment {
    /// The wish that it answers.
    pub number: u64,
    /// All that is known at the moment.
    pub store: Store,
    /// What is wrong at it. `None`: only the table was read so far; log, graphs and findings follow.
    pub diagnosis: Option<Diagnosis>,
    /// What can be gone to.
    pub span: RecordedSpan,
}

/// How fast the clock of a recording runs: two to the power of this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaySpeed(i8);

impl PlaySpeed {
    /// As fast as it was.
    pub const NORMAL: Self = Self(0);
    /// The slowest and the fastest: a quarter, and 64 times as fast as it was.
    const RANGE: (i8, i8) = (-2, 6);

    /// The speed next to `times` times as fast; `None` where that is no number above zero.
    pub fn nearest(times: f64) -> Option<Self> {
        let (slowest, fastest) = Self::RANGE;
        (times.is_finite() && times > 0.0).then(|| {
            let distance = |power: &i8| (times.log2() - f64::from(*power)).abs();
            let nearest = (slowest..=fastest).min_by(|a, b| distance(a).total_cmp(&distance(b)));
            Self(nearest.unwrap_or(0))
        })
    }

    /// The next faster one (`by` is 1) or slower one (-1); the same at an end.
    #[must_use]
    pub fn step(self, by: i8) -> Self {
        Self((self.0 + by).clamp(Self::RANGE.0, Self::RANGE.1))
    }

    /// What `wait` lasts at this speed.
    pub fn wait(self, wait: Duration) -> Duration {
        match self.0 {
            slower @ ..0 => wait * 2u32.pow(slower.unsigned_abs().into()),
            faster => wait / 2u32.pow(faster.unsigned_abs().into()),
        }
    }

    /// `x1`, `x4`, `x1/4`.
    pub fn words(self) -> String {
        let times = 2u32.pow(self.0.unsigned_abs().into());
        if self.0 < 0 { format!("x1/{times}") } else { format!("x{times}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_go_from_a_quarter_to_64_times() {
        let second = Duration::from_secs(1);
        let words = |speed: PlaySpeed| speed.words();
        assert_eq!(
            [1.0, 4.0, 5.0, 0.25, 0.001, 1e9]
                .map(|times| PlaySpeed::nearest(times).map(words))
                .map(Option::unwrap_or_default),
            ["x1", "x4", "x4", "x1/4", "x1/4", "x64"]
        );
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(PlaySpeed::nearest), [None; 4]);
        assert_eq!(PlaySpeed::default().step(1).step(1).wait(second), second / 4);
        assert_eq!(PlaySpeed::default().step(-1).wait(second), second * 2);
        assert_eq!(PlaySpeed(6).step(1), PlaySpeed(6));
    }
}
