//! The made-up machine of the demo, as something one can act on: nothing of the real one is touched.

use std::time::Duration;

use crate::host::{ExitWatch, Host};
use crate::model::action::{Kill, KillOutcome, Protection};
use crate::model::closing::{Close, CloseOutcome};
use crate::source::synthetic::actions::{MadeUpAction, MadeUpMachine};

/// The demo's machine.
#[derive(Clone, Debug)]
pub struct MadeUpHost(pub MadeUpMachine);

impl Host for MadeUpHost {
    /// Every process obeys each signal that ends.
    fn kill(&self, kill: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome> {
        if kill.signal.row().ends && !self.0.act(MadeUpAction::End(kill.process)) {
            return Err(KillOutcome::Failed("the demo has much to do already; try again".into()));
        }
        Ok(Box::new(EndedAtOnce))
    }

    fn protected(&self) -> Vec<(u32, Protection)> {
        Vec::new()
    }

    fn may_close(&self) -> bool {
        true
    }

    fn close(&self, closes: &[Close]) -> Vec<CloseOutcome> {
        let close = |close: &Close| {
            if self.0.act(MadeUpAction::Close(close.socket.id)) {
                CloseOutcome::Closed
            } else {
                CloseOutcome::Failed("the demo has much to do already; try again".into())
            }
        };
        closes.iter().map(close).collect()
    }
}

struct EndedAtOnce;

impl ExitWatch for EndedAtOnce {
    fn ended_within(&mut self, _timeout: Duration) -> bool {
        true
    }
}
