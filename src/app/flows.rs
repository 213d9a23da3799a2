//! How many sockets enter and leave each state, counted from the transition log once a sample.

use std::time::Duration;

use crate::model::endpoint::Protocol;
use crate::model::tcp_state::{STATES, TcpState};
use crate::model::time::Timestamp;
use crate::store::log::Log;

/// The window of a rate per second.
const SHORT: Duration = Duration::from_secs(10);
/// The window of a rate per minute, for what happens rarely.
const LONG: Duration = Duration::from_secs(60);
/// From how many events in the short window on a rate is told per second.
const PER_SECOND_MIN: u32 = 10;

/// Sockets that came into a state and left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    entered: [u32; 2],
    left: [u32; 2],
}

/// What a rate is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Nothing happened.
    Still,
    /// So many a second.
    PerSecond(u32),
    /// So many in the last minute.
    PerMinute(u32),
}

impl Flow {
    /// How many came.
    pub fn entered(&self) -> Rate {
        rate(self.entered)
    }

    /// How many went.
    pub fn left(&self) -> Rate {
        rate(self.left)
    }
}

fn rate([short, long]: [u32; 2]) -> Rate {
    match (short, long) {
        (_, 0) => Rate::Still,
        (short, _) if short >= PER_SECOND_MIN => {
            Rate::PerSecond((short + PER_SECOND_MIN / 2) / u32::try_from(SHORT.as_secs()).unwrap_or(1))
        }
        (_, long) => Rate::PerMinute(long),
    }
}

/// The flow of every TCP state and of UDP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    tcp: [Flow; STATES.len()],
    udp: Flow,
}

impl Flows {
    /// Counts the newest entries of `log` as of `now`.
    pub fn of(log: &Log, now: Timestamp) -> Self {
        let mut flows = Self::default();
        for entry in log.entries().iter().rev().take_while(|entry| now.since(entry.at) < LONG) {
            let recent = now.since(entry.at) < SHORT;
            let is_udp = entry.protocol == Protocol::Udp;
            if let Some(to) = entry.to.filter(|_| !is_udp || entry.from.is_none()) {
                count(&mut flows.slot(is_udp, to).entered, recent);
            }
            if let Some(from) = entry.from.filter(|_| !is_udp || entry.to.is_none()) {
                count(&mut flows.slot(is_udp, from).left, recent);
            }
        }
        flows
    }

    /// The flow of TCP sockets in `state`.
    pub fn tcp(&self, state: TcpState) -> Flow {
        self.tcp[state as usize]
    }

    /// The flow of UDP sockets.
    pub fn udp(&self) -> Flow {
        self.udp
    }

    fn slot(&mut self, is_udp: bool, state: TcpState) -> &mut Flow {
        if is_udp { &mut self.udp } else { &mut self.tcp[state as usize] }
    }
}

fn count(windows: &mut [u32; 2], recent: bool) {
    windows[0] += u32::from(recent);
    windows[1] += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_when_busy_and_per_minute_when_rare() {
        assert_eq!(rate([0, 0]), Rate::Still);
        assert_eq!(rate([1, 4]), Rate::PerMinute(4));
        assert_eq!(rate([118, 700]), Rate::PerSecond(12));
    }
}
