//! When the latest samples were begun, by their numbers: so a socket need only hold the number of the sample that listed it
//! last.

use std::collections::VecDeque;

use crate::model::time::Timestamp;

/// Of so many samples it is known when they were begun. A full sample lists every socket, and comes after two minutes at
/// the latest: 1,200 samples at ten a second.
const KEPT: usize = 4_096;

/// The number of the latest sample, and the moments of the last ones.
#[derive(Clone, Debug, Default)]
pub(super) struct SampleTimes {
    latest: u32,
    /// The latest first.
    begun: VecDeque<Timestamp>,
}

impl SampleTimes {
    /// A sample is begun `at`: gives its number. Numbers start again after 2^32 samples.
    pub(super) fn begin(&mut self, at: Timestamp) -> u32 {
        self.begun.truncate(KEPT - 1);
        self.begun.push_front(at);
        self.latest = self.latest.wrapping_add(1);
        self.latest
    }

    /// When the sample with this `number` was begun; one that is no longer known counts as the oldest that is.
    pub(super) fn of(&self, number: u32) -> Timestamp {
        let known = self.begun.get(self.ago(number) as usize).or_else(|| self.begun.back());
        known.copied().unwrap_or_default()
    }

    /// How many samples were begun after the one with this `number`.
    pub(super) const fn ago(&self, number: u32) -> u32 {
        self.latest.wrapping_sub(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_known_by_its_number_and_very_old_ones_count_as_the_oldest_known() {
        let mut times = SampleTimes { latest: u32::MAX - 1, ..SampleTimes::default() };
        let numbers: Vec<u32> = (0..KEPT as u64 + 2).map(|second| times.begin(Timestamp(second))).collect();
        assert_eq!(numbers[..3], [u32::MAX, 0, 1]);
        assert_eq!(times.begun.len(), KEPT);
        for (nth, number) in numbers.iter().enumerate() {
            assert_eq!(times.of(*number), Timestamp(nth.max(2) as u64));
        }
        assert_eq!((times.ago(numbers[KEPT + 1]), times.ago(numbers[KEPT])), (0, 1));
    }
}
