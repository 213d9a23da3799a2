//! Counts over the last 10 s, minute and quarter of an hour, in rings of slots.

use std::time::Duration;

use crate::model::time::Timestamp;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptEvent {
    Begun,
    Succeeded,
    Refused,
    TimedOut,
    GivenUp,
    Unreachable,
    FailedUnknown,
    ClosedHere,
    ClosedByPeer,
    ResetEarly,
    ResetEarlyHere,
    ResetOtherwise,
    EndedUnknown,
}

const KINDS: usize = 13;

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts([u32; KINDS]);

impl AttemptCounts {
    pub(super) fn add(&mut self, kind: AttemptEvent) {
        let count = &mut self.0[kind as usize];
        *count = count.saturating_add(1);
    }

    /// With those of `other`.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        self
    }

    const fn of(&self, kind: AttemptEvent) -> u32 {
        self.0[kind as usize]
    }

    fn sum(&self, kinds: &[AttemptEvent]) -> u32 {
        kinds.iter().fold(0, |sum, kind| sum.saturating_add(self.of(*kind)))
    }

    /// Attempts begun.
    pub const fn begun(&self) -> u32 {
        self.of(AttemptEvent::Begun)
    }

    /// Connections established.
    pub const fn succeeded(&self) -> u32 {
        self.of(AttemptEvent::Succeeded)
    }

    /// Attempts that were refused.
    pub const fn refused(&self) -> u32 {
        self.of(AttemptEvent::Refused)
    }

    /// Attempts that the kernel gave up, because nobody answered (`tcp_syn_retries`).
    pub const fn timed_out(&self) -> u32 {
        self.of(AttemptEvent::TimedOut)
    }

    /// Attempts that the process closed before anybody had answered.
    pub const fn given_up(&self) -> u32 {
        self.of(AttemptEvent::GivenUp)
    }

    /// Attempts to which a router, or this host, said that there is no way.
    pub const fn unreachable(&self) -> u32 {
        self.of(AttemptEvent::Unreachable)
    }

    /// Attempts that failed and of which nothing tells how.
    pub const fn failed_unknown(&self) -> u32 {
        self.of(AttemptEvent::FailedUnknown)
    }

    /// Attempts that failed, in whatever way.
    pub fn failed(&self) -> u32 {
        use AttemptEvent::{FailedUnknown, GivenUp, Refused, TimedOut, Unreachable};
        self.sum(&[Refused, TimedOut, GivenUp, Unreachable, FailedUnknown])
    }

    /// Attempts of which it is known whether they succeeded.
    pub fn decided(&self) -> u32 {
        self.succeeded().saturating_add(self.failed())
    }

    /// Connections that both sides closed, ours first: their `TIME_WAIT` is here.
    pub const fn closed_here(&self) -> u32 {
        self.of(AttemptEvent::ClosedHere)
    }

    /// Connections that both sides closed, the peer first.
    pub const fn closed_by_peer(&self) -> u32 {
        self.of(AttemptEvent::ClosedByPeer)
    }

    /// Connections that the peer reset within [`EARLY`](super::EARLY) of being established.
    pub const fn reset_early(&self) -> u32 {
        self.of(AttemptEvent::ResetEarly)
    }

    /// The same, reset by the process here.
    pub const fn reset_early_here(&self) -> u32 {
        self.of(AttemptEvent::ResetEarlyHere)
    }

    /// Connections that ended by a reset or a time-out in any other way.
    pub const fn reset_otherwise(&self) -> u32 {
        self.of(AttemptEvent::ResetOtherwise)
    }

    /// Connections that ended and of which nothing tells how.
    pub const fn ended_unknown(&self) -> u32 {
        self.of(AttemptEvent::EndedUnknown)
    }

    /// Connections that ended, in whatever way.
    pub fn ended(&self) -> u32 {
        use AttemptEvent::{ClosedByPeer, ClosedHere, EndedUnknown, ResetEarly, ResetEarlyHere, ResetOtherwise};
        self.sum(&[ClosedHere, ClosedByPeer, ResetEarly, ResetEarlyHere, ResetOtherwise, EndedUnknown])
    }
}

/// Which stretch of time up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptWindow {
    /// 10 to 12 seconds.
    Moment,
    /// 60 to 70 seconds.
    Minute,
    /// 15 to 16 minutes.
    Quarter,
}

impl AttemptWindow {
    /// The length of a slot in seconds, and how many slots it has.
    const fn slots(self) -> (u64, usize) {
        match self {
            Self::Moment => (2, MOMENT),
            Self::Minute => (10, MINUTE),
            Self::Quarter => (60, QUARTER),
        }
    }

    /// When the window begins that ends at `now`.
    pub(super) const fn begin(self, now: Timestamp) -> Timestamp {
        let (seconds, len) = self.slots();
        let slot = slot_of(now, seconds).saturating_sub(len as u64 - 1);
        Timestamp(slot * seconds * NANOS)
    }
}

const MOMENT: usize = 6;
const MINUTE: usize = 7;
const QUARTER: usize = 16;
/// A second.
const NANOS: u64 = 1_000_000_000;

const fn slot_of(at: Timestamp, seconds: u64) -> u64 {
    at.0 / (seconds * NANOS)
}

/// The last slots; slot `n` since boot has the place `n % N`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct SlotRing<const N: usize> {
    newest: u64,
    slots: [AttemptCounts; N],
}

impl<const N: usize> Default for SlotRing<N> {
    fn default() -> Self {
        Self { newest: 0, slots: [AttemptCounts::default(); N] }
    }
}

impl<const N: usize> SlotRing<N> {
    /// Makes `slot` the newest; those that were skipped are empty.
    fn move_to(&mut self, slot: u64) {
        for skipped in (self.newest + 1..=slot).rev().take(N) {
            self.slots[place::<N>(skipped)] = AttemptCounts::default();
        }
        self.newest = self.newest.max(slot);
    }

    /// Counts in `slot`, unless that is forgotten by now: what happened may be told late.
    fn add(&mut self, slot: u64, kind: AttemptEvent) {
        self.move_to(slot);
        if slot + N as u64 > self.newest {
            self.slots[place::<N>(slot)].add(kind);
        }
    }

    fn sum(&self, slot: u64) -> AttemptCounts {
        let mut now = *self;
        now.move_to(slot);
        now.slots.iter().fold(AttemptCounts::default(), AttemptCounts::and)
    }
}

fn place<const N: usize>(slot: u64) -> usize {
    usize::try_from(slot % N as u64).unwrap_or(0)
}

/// The rings of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct AttemptRings {
    moment: SlotRing<MOMENT>,
    minute: SlotRing<MINUTE>,
    quarter: SlotRing<QUARTER>,
}

impl AttemptRings {
    pub(super) fn add(&mut self, at: Timestamp, kind: AttemptEvent) {
        self.moment.add(slot_of(at, AttemptWindow::Moment.slots().0), kind);
        self.minute.add(slot_of(at, AttemptWindow::Minute.slots().0), kind);
        self.quarter.add(slot_of(at, AttemptWindow::Quarter.slots().0), kind);
    }

    pub(super) fn counts(&self, window: AttemptWindow, now: Timestamp) -> AttemptCounts {
        let slot = slot_of(now, window.slots().0);
        match window {
            AttemptWindow::Moment => self.moment.sum(slot),
            AttemptWindow::Minute => self.minute.sum(slot),
            AttemptWindow::Quarter => self.quarter.sum(slot),
        }
    }

    /// What `count` finds in each of the fine slots up to `now`.
    pub(super) fn slots(&self, now: Timestamp, count: fn(&AttemptCounts) -> u32) -> AttemptSlots {
        let newest = slot_of(now, AttemptWindow::Moment.slots().0);
        let mut ring = self.moment;
        ring.move_to(newest);
        let mut slots = [0; MOMENT];
        for (slot, ago) in slots.iter_mut().rev().zip(0..) {
            *slot = newest.checked_sub(ago).map_or(0, |slot| count(&ring.slots[place::<MOMENT>(slot)]));
        }
        AttemptSlots(slots)
    }
}

/// How many in each two seconds of the last moment, the oldest first; the last one is not over. Of several entries they are
/// added slot by slot: what two of them had at different times is never the rate of a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptSlots([u32; MOMENT]);

impl AttemptSlots {
    /// With those of `other`.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        self
    }

    /// The most a second in any of them.
    pub fn peak(&self) -> f64 {
        a_second(self.0.iter().max())
    }

    /// The fewest a second in each of the last that are over and cover `over`: what is more than a burst; 0 where that is longer
    /// than all of them.
    pub fn steady(&self, over: Duration) -> f64 {
        let slots = usize::try_from(over.as_secs().div_ceil(AttemptWindow::Moment.slots().0)).unwrap_or(MOMENT);
        if slots >= MOMENT {
            return 0.0;
        }
        a_second(self.0.iter().rev().skip(1).take(slots).min())
    }
}

fn a_second(in_slot: Option<&u32>) -> f64 {
    let (seconds, _) = AttemptWindow::Moment.slots();
    f64::from(in_slot.copied().unwrap_or(0)) / f64::from(u32::try_from(seconds).unwrap_or(1))
}
