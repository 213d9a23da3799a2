//! For tests and benchmarks: what one turn of the event loop does with a message.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::msg::Msg;

/// The background work of a turn, in rows: tables of some 2,000 rows are up to date after it.
pub const TURN_STEPS: usize = 8_192;

impl App {
    /// Takes in `msg` and does [`TURN_STEPS`] of background work, as the event loop does.
    pub fn turn(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = self.update(msg);
        effects.extend(self.background(TURN_STEPS));
        effects
    }
}
