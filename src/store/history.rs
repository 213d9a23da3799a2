//! Counts per state, traffic, and what was opened and closed over time: each second of the last quarter of an hour, each minute
//! of the last day, and which state followed which in the last minute. All of it in rings of named length.

pub mod flow;
pub mod minutes;
pub mod transition_rates;
pub mod trend;

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delta::{Traffic, Transition};
use crate::model::memory::TableSize;
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::store::history::flow::{FlowMeasure, FlowRates};
use crate::store::history::minutes::{Minute, Minutes};
use crate::store::history::transition_rates::{TransitionRates, TransitionRing};
use crate::store::socket_counts::SocketCounts;

/// How far back the seconds reach.
pub const HISTORY_TIME: Duration = Duration::from_secs(15 * 60);
/// How many seconds are kept at most: those of [`HISTORY_TIME`], at `TOGETHER` each.
pub const HISTORY_LEN_MAX: usize = 1_000;
/// Samples that are closer together than this count as one: the rings are as long at ten samples a second.
pub(super) const TOGETHER: Duration = Duration::from_millis(900);

/// What one sample showed, and what had happened since the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken; of several that count as one, the last.
    pub at: Timestamp,
    /// When the first of those was.
    begun: Timestamp,
    /// Live sockets by state.
    pub counts: SocketCounts,
    /// Sockets opened since the sample before, of any protocol.
    pub opened: u32,
    /// Sockets closed since the sample before, of any protocol.
    pub closed: u32,
    /// Connections that were reset since the sample before, by either side, as far as the kernel told how they ended.
    pub reset: u32,
    /// TCP sockets that came into each state (by a transition or newly opened), by `TcpState as usize`.
    pub into: [u32; 13],
    /// TCP sockets that left each state (by a transition or closed), by `TcpState as usize`.
    pub out_of: [u32; 13],
    /// What moved per second since the sample before.
    pub flow: FlowRates,
}

/// Events per second over a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EventRates {
    /// The span that was looked at: from one sample to another.
    pub over: Duration,
    /// Sockets opened.
    pub opened: f32,
    /// Sockets closed.
    pub closed: f32,
    /// Connections that were reset, as far as the kernel told how they ended.
    pub reset: f32,
    /// TCP sockets that came into each state, by `TcpState as usize`.
    pub into: [f32; 13],
    /// TCP sockets that left each state, by `TcpState as usize`.
    pub out_of: [f32; 13],
}

/// The last samples, the last minutes, and what followed what.
#[derive(Clone, Debug, Default)]
pub struct History {
    samples: VecDeque<Sample>,
    minutes: Minutes,
    transitions: TransitionRing,
}

impl History {
    /// The samples of the last [`HISTORY_TIME`], oldest first. They need not be evenly apart: use their times.
    pub fn samples(&self) -> &VecDeque<Sample> {
        &self.samples
    }

    /// The most sockets that one of the samples showed.
    pub fn most_sockets(&self) -> u32 {
        self.samples.iter().map(|sample| sample.counts.total()).max().unwrap_or(0)
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        [TableSize::by("seconds", &self.samples), TableSize::by("minutes", self.minutes.all())]
    }

    /// The minutes of the last day in which there was a sample, oldest first; the last one is not over yet.
    pub fn minutes(&self) -> &VecDeque<Minute> {
        self.minutes.all()
    }

    /// Which state followed which, per second over the last minute; `None` until two samples exist.
    pub fn transition_rates(&self) -> Option<TransitionRates> {
        self.transitions.rates()
    }

    /// Events per second over the last `window`, or since the sample before the last if that is longer ago; `None`
    /// until two samples exist. A pause between samples counts as the time that it was.
    pub fn rates(&self, window: Duration) -> Option<EventRates> {
        let newest = self.samples.back()?;
        let from = newest.at.before(window);
        let older = self.samples.len() - 1;
        let base = (0..older).rev().find(|&at| self.samples[at].at <= from).unwrap_or(0);
        let over = newest.at.since(self.samples[base].at);
        if base == older || over.is_zero() {
            return None;
        }
        let mut sum = Sample::default();
        self.samples.range(base + 1..).for_each(|sample| sum.add(sample));
        Some(sum.per_second(over))
    }

    /// The last of what moved that is known, and how long ago that was.
    pub fn latest_flow(&self, measure: FlowMeasure) -> Option<(u64, Duration)> {
        let newest = self.samples.back()?.at;
        let known = |sample: &Sample| Some((sample.flow.of_measure(measure)?, newest.since(sample.at)));
        self.samples.iter().rev().find_map(known)
    }

    pub(super) fn push(
        &mut self,
        at: Timestamp,
        counts: SocketCounts,
        transitions: &[Transition],
        traffic: Option<Traffic>,
    ) {
        self.transitions.push(at, transitions);
        let mut sample = Sample { at, begun: at, counts, ..Sample::default() };
        for transition in transitions {
            sample.count(transition);
        }
        let over = self.samples.back().map(|before| at.since(before.at));
        sample.flow = FlowRates::of(&sample, over, traffic);
        self.minutes.push(at, &counts, &sample.flow);
        match self.samples.back_mut() {
            Some(newest) if at.since(newest.begun) < TOGETHER => {
                newest.add(&sample);
                (newest.at, newest.counts, newest.flow) = (at, counts, sample.flow);
            }
            _ => {
                self.samples.reserve_exact(HISTORY_LEN_MAX + 1 - self.samples.len());
                self.samples.push_back(sample);
            }
        }
        self.drop_old(at);
    }

    /// Two samples stay, however old: rates are told from one to the next.
    fn drop_old(&mut self, now: Timestamp) {
        let is_old = |sample: &Sample| now.since(sample.at) >= HISTORY_TIME;
        while self.samples.len() > HISTORY_LEN_MAX || (self.samples.len() > 2 && is_old(&self.samples[0])) {
            self.samples.pop_front();
        }
    }
}

impl Sample {
    fn count(&mut self, transition: &Transition) {
        self.opened += u32::from(transition.is_opening());
        self.closed += u32::from(transition.to.is_none());
        self.reset += u32::from(matches!(transition.outcome(), Some(Outcome::Reset | Outcome::ResetHere)));
        if transition.protocol.has_tcp_states() && !transition.of_subflow {
            if let Some(from) = transition.from {
                self.out_of[from as usize] += 1;
            }
            if let Some(to) = transition.to {
                self.into[to as usize] += 1;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        self.reset += other.reset;
        for state in 0..self.into.len() {
            self.into[state] += other.into[state];
            self.out_of[state] += other.out_of[state];
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate on the screen has three digits")]
    fn per_second(&self, over: Duration) -> EventRates {
        let rate = |events: u32| events as f32 / over.as_secs_f32();
        EventRates {
            over,
            opened: rate(self.opened),
            closed: rate(self.closed),
            reset: rate(self.reset),
            into: self.into.map(rate),
            out_of: self.out_of.map(rate),
        }
    }
}

#[cfg(test)]
mod tests;
