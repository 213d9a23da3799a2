//! Counts per state, minute by minute, for a day. Of each minute the lowest and the highest count are kept: what a
//! chart shows is the highest, so that no peak is lost, and the lowest says how far it fell in between.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::time::Timestamp;
use crate::store::history::flow::FlowRates;
use crate::store::socket_counts::SocketCounts;

/// How many minutes are kept: a day.
pub const MINUTES_LEN_MAX: usize = 24 * 60;
const MINUTE: Duration = Duration::from_secs(60);

/// What the samples of one minute (a whole one since boot) showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// When it began.
    pub begun: Timestamp,
    /// When the last sample of it was taken.
    pub until: Timestamp,
    /// The lowest number of live sockets by state.
    pub lowest: SocketCounts,
    /// The highest.
    pub highest: SocketCounts,
    /// The highest that moved.
    pub flow: FlowRates,
}

/// The last minutes in which there was a sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    ring: VecDeque<Minute>,
}

impl Minutes {
    pub(super) fn all(&self) -> &VecDeque<Minute> {
        &self.ring
    }

    pub(super) fn push(&mut self, at: Timestamp, counts: &SocketCounts, flow: &FlowRates) {
        let begun = Timestamp(at.0 - at.0 % u64::try_from(MINUTE.as_nanos()).unwrap_or(u64::MAX));
        match self.ring.back_mut() {
            Some(minute) if minute.begun == begun => minute.add(at, counts, flow),
            _ => {
                self.ring.reserve_exact((MINUTES_LEN_MAX + 1).saturating_sub(self.ring.len()));
                self.ring.push_back(Minute { begun, until: at, lowest: *counts, highest: *counts, flow: *flow });
            }
        }
        let day = MINUTE * u32::try_from(MINUTES_LEN_MAX).unwrap_or(u32::MAX);
        while self.ring.front().is_some_and(|oldest| at.since(oldest.begun) >= day) {
            self.ring.pop_front();
        }
    }
}

impl Minute {
    fn add(&mut self, at: Timestamp, counts: &SocketCounts, flow: &FlowRates) {
        self.until = at;
        self.flow.keep_highest(flow);
        for (state, count) in counts.tcp.iter().enumerate() {
            self.lowest.tcp[state] = self.lowest.tcp[state].min(*count);
            self.highest.tcp[state] = self.highest.tcp[state].max(*count);
        }
        self.lowest.udp = self.lowest.udp.min(counts.udp);
        self.highest.udp = self.highest.udp.max(counts.udp);
    }
}
