//! How much background work one turn of the event loop does. Knows no clock.

use std::time::{Duration, Instant};

/// The steps between two looks at the clock and the queues: a key that comes meanwhile waits for no more of them.
const SLICE_STEPS: usize = 1_024;
/// The steps that follow a message whatever waits: tables of some 2,000 rows are up to date before the next key is answered.
const STEPS_AFTER_MESSAGE: usize = 8_192;
/// How long the work of one turn goes on while no key waits; then a frame is drawn with what is complete.
const TURN_TIME: Duration = Duration::from_millis(4);

/// What is left of the background work of one turn.
#[derive(Clone, Copy, Debug)]
pub struct TurnBudget {
    /// Steps that are done even if the time is over or a key waits.
    steps_due: usize,
    end: Instant,
}

impl TurnBudget {
    /// A turn that begins at `now`; `with_message`: it has taken in a message.
    pub fn new(with_message: bool, now: Instant) -> Self {
        Self { steps_due: if with_message { STEPS_AFTER_MESSAGE } else { 0 }, end: now + TURN_TIME }
    }

    /// The steps of the next slice; `None` once the turn is to end.
    pub fn next_slice(&mut self, now: Instant, input_waits: bool) -> Option<usize> {
        let goes_on = self.steps_due > 0 || (now < self.end && !input_waits);
        self.steps_due = self.steps_due.saturating_sub(SLICE_STEPS);
        goes_on.then_some(SLICE_STEPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a turn whose slices take `slice` each, while a key waits from the beginning if `input_waits`.
    fn steps(with_message: bool, slice: Duration, input_waits: bool) -> usize {
        let mut now = Instant::now();
        let mut budget = TurnBudget::new(with_message, now);
        std::iter::from_fn(|| {
            let steps = budget.next_slice(now, input_waits);
            now += slice;
            steps
        })
        .sum()
    }

    #[test]
    fn a_turn_works_for_its_time_and_not_while_a_key_waits() {
        assert_eq!(steps(false, TURN_TIME / 10, false), 10 * SLICE_STEPS);
        assert_eq!(steps(false, TURN_TIME / 10, true), 0);
    }

    #[test]
    fn what_a_message_started_is_done_in_small_tables_before_the_next_key() {
        assert_eq!(steps(true, TURN_TIME, true), STEPS_AFTER_MESSAGE);
        assert_eq!(steps(true, TURN_TIME / 10, true), STEPS_AFTER_MESSAGE);
        assert_eq!(steps(true, TURN_TIME / 16, false), 16 * SLICE_STEPS);
    }
}
