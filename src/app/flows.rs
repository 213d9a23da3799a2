//! How fast sockets are opened and closed and enter and leave each state, in the unit in which it is read best; computed once a sample.

use std::time::Duration;

use crate::model::tcp_state::TcpState;
use crate::store::history::{EventRates, History};

/// The window of a rate per second.
const SHORT: Duration = Duration::from_secs(10);
/// The window in which rare events are counted.
const LONG: Duration = Duration::from_secs(60);
/// From this rate on events are told per second.
const PER_SECOND_MIN: f32 = 0.95;

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Not at all.
    Still,
    /// So many times a second.
    PerSecond(u32),
    /// So many times in the last minute.
    PerMinute(u32),
}

/// What enters and leaves the states.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flows {
    short: Option<EventRates>,
    long: Option<EventRates>,
}

impl Flows {
    /// The flows of the last minute of `history`.
    pub fn of(history: &History) -> Self {
        Self { short: history.rates(SHORT), long: history.rates(LONG) }
    }

    /// How fast sockets come into `state`.
    pub fn entering(&self, state: TcpState) -> Rate {
        self.rate(|rates| rates.into[state as usize])
    }

    /// How many sockets are opened per second.
    pub fn opened(&self) -> f64 {
        self.per_second(|rates| rates.opened)
    }

    /// How many sockets are closed per second.
    pub fn closed(&self) -> f64 {
        self.per_second(|rates| rates.closed)
    }

    /// How many connections are reset per second, as far as the kernel tells how they end.
    pub fn reset(&self) -> f64 {
        self.per_second(|rates| rates.reset)
    }

    fn per_second(&self, pick: impl Fn(&EventRates) -> f32) -> f64 {
        self.short.as_ref().map_or(0.0, |rates| f64::from(pick(rates)))
    }

    /// How fast sockets leave `state`.
    pub fn leaving(&self, state: TcpState) -> Rate {
        self.rate(|rates| rates.out_of[state as usize])
    }

    fn rate(&self, pick: impl Fn(&EventRates) -> f32) -> Rate {
        let per_second = self.short.as_ref().map_or(0.0, &pick);
        if per_second >= PER_SECOND_MIN {
            return Rate::PerSecond(rounded(per_second));
        }
        // A minute is not extrapolated from a few seconds: what was counted is told.
        let counted = self.long.as_ref().map_or(0.0, |rates| pick(rates) * rates.over.min(LONG).as_secs_f32());
        match rounded(counted) {
            0 => Rate::Still,
            count => Rate::PerMinute(count),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and no rate is negative")]
fn rounded(rate: f32) -> u32 {
    rate.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows(short: f32, long: f32, over_seconds: u64) -> Flows {
        let rates = |rate, seconds| {
            Some(EventRates { over: Duration::from_secs(seconds), into: [rate; 13], ..EventRates::default() })
        };
        Flows { short: rates(short, 10), long: rates(long, over_seconds) }
    }

    #[test]
    fn busy_states_are_told_per_second_and_rare_events_are_counted() {
        let into = |flows: Flows| flows.entering(TcpState::CloseWait);
        assert_eq!(into(flows(11.8, 11.0, 60)), Rate::PerSecond(12));
        assert_eq!(into(flows(0.1, 4.0 / 60.0, 60)), Rate::PerMinute(4));
        assert_eq!(into(flows(0.5, 0.5, 2)), Rate::PerMinute(1));
        assert_eq!(into(flows(0.0, 0.0, 60)), Rate::Still);
        assert_eq!(into(Flows::default()), Rate::Still);
    }
}
