//! What moved between two samples, per second: payload, and sockets that were opened, closed and reset.

use std::time::Duration;

use crate::model::delta::Traffic;
use crate::store::history::Sample;

/// What a graph of the flow shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowMeasure {
    /// Payload received, in bytes per second.
    Received,
    /// Payload sent, in bytes per second.
    Sent,
    /// Sockets opened, in tenths per second.
    Opened,
    /// Sockets closed, in tenths per second.
    Closed,
    /// Connections reset, in tenths per second.
    Reset,
}

/// How many measures there are.
const MEASURES: usize = 5;
/// Events are told in so many parts of one per second.
pub const EVENT_PARTS: u64 = 10;

/// Every measure at one sample, or the highest of each over some; `None` is what is not known, which is no zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowRates([Option<u64>; MEASURES]);

impl FlowRates {
    /// What `sample` tells, which was taken `over` after the one before it; `None`: it is the first.
    pub(super) fn of(sample: &Sample, over: Option<Duration>, traffic: Option<Traffic>) -> Self {
        let events = |count: u32| over.filter(|over| !over.is_zero()).map(|over| per_second(count, over));
        let (received, sent) = (traffic.map(|traffic| traffic.received), traffic.map(|traffic| traffic.sent));
        Self([received, sent, events(sample.opened), events(sample.closed), events(sample.reset)])
    }

    /// That of `measure`.
    pub const fn of_measure(&self, measure: FlowMeasure) -> Option<u64> {
        self.0[measure as usize]
    }

    /// Keeps the higher of each.
    pub(super) fn keep_highest(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(highest, other)| *highest = (*highest).max(other));
    }
}

/// In tenths; what is not zero is at least one.
fn per_second(count: u32, over: Duration) -> u64 {
    let tenths = u128::from(count) * u128::from(EVENT_PARTS) * 1_000_000_000;
    u64::try_from(tenths.div_ceil(over.as_nanos().max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_samples_and_nothing_is_known_of_the_first() {
        let sample = Sample { opened: 30, closed: 1, ..Sample::default() };
        let rates = FlowRates::of(&sample, Some(Duration::from_secs(20)), None);
        assert_eq!(rates.of_measure(FlowMeasure::Opened), Some(15));
        assert_eq!(rates.of_measure(FlowMeasure::Closed), Some(1), "rare is not never");
        assert_eq!(rates.of_measure(FlowMeasure::Reset), Some(0));
        assert_eq!(rates.of_measure(FlowMeasure::Received), None, "what is not counted is no zero");
        let first = FlowRates::of(&sample, None, Some(Traffic { received: 5, sent: 0 }));
        assert_eq!(first.of_measure(FlowMeasure::Opened), None);
        assert_eq!(first.of_measure(FlowMeasure::Received), Some(5));
        let mut highest = rates;
        highest.keep_highest(&first);
        assert_eq!(
            (highest.of_measure(FlowMeasure::Received), highest.of_measure(FlowMeasure::Opened)),
            (Some(5), Some(15))
        );
    }
}
