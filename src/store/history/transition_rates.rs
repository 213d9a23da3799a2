//! The transition matrix: how often each state followed each other one in the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delta::Transition;
use crate::model::endpoint::Protocol;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::store::history::TOGETHER;

/// What the rates are told over.
pub const EDGES_TIME: Duration = Duration::from_secs(60);
/// Samples that a minute can have, and the one before it.
const EDGES_LEN_MAX: usize = 68;
/// Every state, and what is before the first and after the last one: no socket.
const PLACES: usize = 13;

type Counts = [[u32; PLACES]; PLACES];

/// How often which state followed which, per second. TCP only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransitionRates {
    /// The span that was looked at: from one sample to another, a minute where there is one.
    pub over: Duration,
    counts: Counts,
}

impl TransitionRates {
    /// Transitions per second from `from` (`None`: opened) to `to` (`None`: gone).
    #[expect(clippy::cast_precision_loss, reason = "a rate on the screen has three digits")]
    pub fn of(&self, from: Option<TcpState>, to: Option<TcpState>) -> f32 {
        self.count(from, to) as f32 / self.over.as_secs_f32()
    }

    /// How many there were.
    pub fn count(&self, from: Option<TcpState>, to: Option<TcpState>) -> u32 {
        self.counts[place(from)][place(to)]
    }
}

fn place(state: Option<TcpState>) -> usize {
    state.map_or(PLACES - 1, |state| state as usize)
}

/// The transitions of the last minute, sample by sample.
#[derive(Clone, Debug, Default)]
pub(super) struct TransitionRing {
    entries: VecDeque<TransitionSample>,
}

#[derive(Clone, Debug)]
struct TransitionSample {
    begun: Timestamp,
    at: Timestamp,
    counts: Counts,
}

impl TransitionRing {
    pub(super) fn push(&mut self, at: Timestamp, transitions: &[Transition]) {
        let is_new = self.entries.back().is_none_or(|newest| at.since(newest.begun) >= TOGETHER);
        if is_new {
            self.entries.push_back(TransitionSample { begun: at, at, counts: Counts::default() });
        }
        let Some(entry) = self.entries.back_mut() else { return };
        entry.at = at;
        let is_edge = |it: &&Transition| it.protocol == Protocol::Tcp && (it.from.is_some() || it.to.is_some());
        for transition in transitions.iter().filter(is_edge) {
            let count = &mut entry.counts[place(transition.from)][place(transition.to)];
            *count = count.saturating_add(1);
        }
        self.drop_old(at);
    }

    /// The one before the minute stays: it is where the minute begins.
    fn drop_old(&mut self, now: Timestamp) {
        let begins = |entry: &TransitionSample| now.since(entry.at) >= EDGES_TIME;
        while self.entries.len() > EDGES_LEN_MAX || (self.entries.len() > 2 && begins(&self.entries[1])) {
            self.entries.pop_front();
        }
    }

    pub(super) fn rates(&self) -> Option<TransitionRates> {
        let (base, newest) = (self.entries.front()?, self.entries.back()?);
        let over = newest.at.since(base.at);
        if self.entries.len() < 2 || over.is_zero() {
            return None;
        }
        let mut counts = Counts::default();
        for entry in self.entries.range(1..) {
            for (sum, row) in counts.iter_mut().zip(&entry.counts) {
                sum.iter_mut().zip(row).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
            }
        }
        Some(TransitionRates { over, counts })
    }
}
