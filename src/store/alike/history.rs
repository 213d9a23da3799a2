//! How many sockets that are alike there were: over the last two minutes, and once there is more, over a quarter of an hour.

use std::time::Duration;

use crate::model::time::Timestamp;

/// How many parts of time are remembered, the one that is under way included.
pub const TREND_SLOTS: usize = 16;
/// How long one part is: sixteen are two minutes and eight seconds.
const SLOT_TIME: Duration = Duration::from_secs(8);
/// So many parts are one of the longer ones: sixteen of those are a quarter of an hour, less four seconds.
const PARTS_A_LONG_ONE: u64 = 7;
/// The longer parts are told once so many of them are known.
const LONG_KNOWN_MIN: u64 = TREND_SLOTS as u64 / 2;
/// What came is told per second over at most so many whole parts.
const OPENED_SLOTS: usize = 7;

/// The number of a part of time since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrendSlot(u64);

impl TrendSlot {
    /// The part that `at` is in.
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_millis() / u64::try_from(SLOT_TIME.as_millis()).unwrap_or(u64::MAX))
    }

    fn place(self) -> usize {
        place(self.0)
    }

    /// The number of the longer part that it is in.
    const fn long(self) -> u64 {
        self.0 / PARTS_A_LONG_ONE
    }
}

/// Where the part `number` stands in its ring.
fn place(number: u64) -> usize {
    usize::try_from(number % TREND_SLOTS as u64).unwrap_or_default()
}

/// The numbers of sockets at the ends of parts of time, oldest first: none for the time before conntop looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trend {
    /// The last `len` are known.
    counts: [u32; TREND_SLOTS],
    len: usize,
}

impl Trend {
    /// These numbers, of which the last [`TREND_SLOTS`] are kept.
    pub fn of(counts: impl DoubleEndedIterator<Item = u32>) -> Self {
        let mut trend = Self::default();
        for (place, count) in trend.counts.iter_mut().rev().zip(counts.rev()) {
            *place = count;
            trend.len += 1;
        }
        trend
    }

    /// The numbers.
    pub fn counts(&self) -> &[u32] {
        &self.counts[TREND_SLOTS - self.len..]
    }

    /// Adds up with that of others, which ends now, too.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, more)| *sum = sum.saturating_add(more));
        self.len = self.len.max(other.len);
    }
}

/// The rings of one set of sockets. A part of time in which nothing happens costs nothing: it is filled in later.
#[derive(Clone, Debug)]
pub(super) struct AlikeHistory {
    counts: [u32; TREND_SLOTS],
    /// The same of longer parts of time.
    long_counts: [u32; TREND_SLOTS],
    /// How many came in each part.
    opened: [u32; TREND_SLOTS],
    last: TrendSlot,
}

impl AlikeHistory {
    /// There were none until `slot`.
    pub(super) const fn new(slot: TrendSlot) -> Self {
        Self { counts: [0; TREND_SLOTS], long_counts: [0; TREND_SLOTS], opened: [0; TREND_SLOTS], last: slot }
    }

    /// There are `count` of them now, of which `opened` came just now.
    pub(super) fn note(&mut self, slot: TrendSlot, count: u32, opened: u32) {
        self.go_to(slot);
        self.counts[slot.place()] = count;
        self.long_counts[place(slot.long())] = count;
        self.opened[slot.place()] = self.opened[slot.place()].saturating_add(opened);
    }

    /// Fills in the parts of time since the last one in which anything happened.
    fn go_to(&mut self, slot: TrendSlot) {
        let count = self.counts[self.last.place()];
        let missed = slot.0.saturating_sub(self.last.0).min(TREND_SLOTS as u64);
        for number in slot.0.saturating_sub(missed)..slot.0 {
            let place = TrendSlot(number + 1).place();
            (self.counts[place], self.opened[place]) = (count, 0);
        }
        let missed = slot.long().saturating_sub(self.last.long()).min(TREND_SLOTS as u64);
        (slot.long() - missed..slot.long()).for_each(|number| self.long_counts[place(number + 1)] = count);
        self.last = self.last.max(slot);
    }

    /// The numbers up to `slot`, those from before `begun` left out.
    pub(super) fn trend(&self, slot: TrendSlot, begun: TrendSlot) -> Trend {
        let long_known = slot.long().saturating_sub(begun.long()).min(TREND_SLOTS as u64 - 1);
        if long_known >= LONG_KNOWN_MIN {
            let (now, last) = (slot.long(), self.last.long());
            let count_at = |number: u64| {
                let number = number.min(last);
                if last - number < TREND_SLOTS as u64 { self.long_counts[place(number)] } else { 0 }
            };
            return Trend::of((now - long_known..=now).map(count_at));
        }
        let known = slot.0.saturating_sub(begun.0).min(TREND_SLOTS as u64 - 1);
        let count_at = |number: u64| {
            // Before the last note but within the ring, as it is there; after it, unchanged.
            let number = number.min(self.last.0);
            if self.last.0 - number < TREND_SLOTS as u64 { self.counts[TrendSlot(number).place()] } else { 0 }
        };
        Trend::of((slot.0 - known..=slot.0).map(count_at))
    }

    /// How many came per second over the last whole parts of time; `None` before there is one.
    pub(super) fn opened_per_second(&self, slot: TrendSlot, begun: TrendSlot) -> Option<f64> {
        // The part in which conntop began to look has less than its time.
        let whole = slot.0.checked_sub(begun.0 + 1)?.min(OPENED_SLOTS as u64);
        if whole == 0 {
            return None;
        }
        let is_remembered = |number: &u64| *number <= self.last.0 && self.last.0 - number < TREND_SLOTS as u64;
        let numbers = (slot.0 - whole..slot.0).filter(is_remembered);
        let opened: u64 = numbers.map(|number| u64::from(self.opened[TrendSlot(number).place()])).sum();
        let seconds = u32::try_from(whole).unwrap_or(1) * u32::try_from(SLOT_TIME.as_secs()).unwrap_or(1);
        Some(f64::from(u32::try_from(opened).unwrap_or(u32::MAX)) / f64::from(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn slot(number: u64) -> TrendSlot {
        TrendSlot(number)
    }

    #[test]
    fn what_nothing_happened_in_is_filled_in_and_what_was_before_is_left_out() {
        let mut history = AlikeHistory::new(slot(100));
        history.note(slot(100), 5, 0);
        history.note(slot(103), 7, 3);
        assert_eq!(history.trend(slot(105), slot(100)).counts(), [5, 5, 5, 7, 7, 7]);
        assert_eq!(history.trend(slot(105), slot(98)).counts(), [0, 0, 5, 5, 5, 7, 7, 7]);
        history.note(slot(140), 1, 0);
        assert_eq!(history.trend(slot(140), slot(98)).counts(), [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1]);
    }

    #[test]
    fn once_there_is_more_the_trend_is_of_a_quarter_of_an_hour() {
        let mut history = AlikeHistory::new(slot(700));
        for number in 700..=700 + 15 * PARTS_A_LONG_ONE {
            history.note(slot(number), u32::try_from(number).expect("small"), 1);
        }
        let trend = history.trend(slot(805), slot(700));
        assert_eq!(trend.counts().len(), TREND_SLOTS);
        assert_eq!((trend.counts()[0], trend.counts()[1], trend.counts()[15]), (706, 713, 805));
        // What nothing happens in is filled in here, too.
        let later = history.trend(slot(805 + 2 * PARTS_A_LONG_ONE), slot(700));
        assert_eq!((later.counts()[0], later.counts()[14], later.counts()[15]), (720, 805, 805));
    }

    #[test]
    fn what_came_is_told_per_second_of_whole_parts_of_time() {
        let mut history = AlikeHistory::new(slot(100));
        history.note(slot(100), 5, 5);
        assert_eq!(history.opened_per_second(slot(101), slot(100)), None, "the first part is not whole");
        history.note(slot(101), 5, 80);
        history.note(slot(102), 5, 999);
        assert_eq!(history.opened_per_second(slot(102), slot(100)), Some(10.0));
        assert_eq!(history.opened_per_second(slot(200), slot(100)), Some(0.0));
    }

    #[test]
    fn trends_add_up_from_their_ends() {
        let mut sum = Trend::of([1, 2].into_iter());
        sum.add(&Trend::of([10, 20, 30].into_iter()));
        assert_eq!(sum.counts(), [10, 21, 32]);
    }
}
