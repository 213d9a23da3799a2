//! Runs confirmed closes of sockets, those of one question on a thread of their own: another network namespace has to be looked for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc::Sender;

use crate::app::msg::Msg;
use crate::host::Host;
use crate::model::closing::{Close, CloseOutcome, CloseReport};
use crate::model::text::DisplayText;
use crate::runtime::panic_text;

/// Closes under way at the same time.
const UNDER_WAY_MAX: usize = 8;

/// The closes that are under way.
pub struct Closes {
    host: Arc<dyn Host>,
    messages: Sender<Msg>,
    /// Each thread holds a handle.
    under_way: Arc<()>,
}

impl Closes {
    /// Closes through `host` and reports to `messages`.
    pub fn new(host: Arc<dyn Host>, messages: Sender<Msg>) -> Self {
        Self { host, messages, under_way: Arc::new(()) }
    }

    /// Closes the sockets, one after the other, on a thread of their own; what comes of each comes as a message. `Err` is what could
    /// not be begun.
    pub fn start(&mut self, closes: Vec<Close>) -> Result<(), Vec<CloseReport>> {
        let failed = |closes: Vec<Close>, text: &str| {
            let report = |close| CloseReport { close, outcome: CloseOutcome::Failed(text.into()) };
            Err(closes.into_iter().map(report).collect())
        };
        if Arc::strong_count(&self.under_way) > UNDER_WAY_MAX {
            return failed(closes, "too many sockets are being closed; wait for those");
        }
        let (host, messages, under_way) = (Arc::clone(&self.host), self.messages.clone(), Arc::clone(&self.under_way));
        let asked = closes.clone();
        let run = move || {
            let outcomes = catch_unwind(AssertUnwindSafe(|| host.close(&asked)));
            let no_answer = match &outcomes {
                Ok(_) => CloseOutcome::Failed("there was no answer; look again".into()),
                Err(panic) => {
                    CloseOutcome::Failed(DisplayText::new(&format!("conntop failed ({})", panic_text(&**panic))))
                }
            };
            let outcomes = outcomes.unwrap_or_default().into_iter().chain(std::iter::repeat(no_answer));
            for (close, outcome) in asked.into_iter().zip(outcomes) {
                // An error means that the program is ending.
                let _ = messages.blocking_send(Msg::Close(CloseReport { close, outcome }));
            }
            drop(under_way);
        };
        let spawned = thread::Builder::new().name("close".into()).spawn(run);
        spawned.map(|_| ()).or_else(|_| failed(closes, "no thread could be started; try again"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::host::ExitWatch;
    use crate::model::action::{Kill, KillOutcome, Protection};
    use crate::model::testing::tcp;

    /// A machine that closes sockets with even cookies and breaks over cookie 7.
    struct Fake;

    impl Host for Fake {
        fn kill(&self, _: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome> {
            Err(KillOutcome::AlreadyGone)
        }

        fn protected(&self) -> Vec<(u32, Protection)> {
            Vec::new()
        }

        fn close(&self, closes: &[Close]) -> Vec<CloseOutcome> {
            let outcome = |close: &Close| {
                let cookie = close.socket.id.cookie().expect("it has one");
                assert_ne!(cookie, 7, "no such machine");
                if cookie.is_multiple_of(2) { CloseOutcome::Closed } else { CloseOutcome::Gone }
            };
            closes.iter().map(outcome).collect()
        }
    }

    fn close(cookie: u64) -> Close {
        Close::of(&tcp(cookie).build()).expect("it has a cookie")
    }

    #[test]
    fn every_close_is_reported_once_whatever_happens() {
        for (cookie, expected) in [(2, "Closed"), (3, "Gone"), (7, "no such machine")] {
            let (sender, mut messages) = channel(1);
            let mut closes = Closes::new(Arc::new(Fake), sender);
            closes.start(vec![close(cookie)]).expect("it begins");
            drop(closes);
            let Some(Msg::Close(report)) = messages.blocking_recv() else { panic!("{cookie}") };
            assert_eq!(report.close, close(cookie));
            assert!(format!("{:?}", report.outcome).contains(expected), "{report:?}");
            assert!(messages.blocking_recv().is_none());
        }
    }

    #[test]
    fn of_several_each_is_reported_in_their_order() {
        let (sender, mut messages) = channel(1);
        let mut closes = Closes::new(Arc::new(Fake), sender);
        closes.start([2, 3, 4].map(close).to_vec()).expect("it begins");
        drop(closes);
        for (cookie, outcome) in [(2, CloseOutcome::Closed), (3, CloseOutcome::Gone), (4, CloseOutcome::Closed)] {
            let Some(Msg::Close(report)) = messages.blocking_recv() else { panic!("{cookie}") };
            assert_eq!((report.close, report.outcome), (close(cookie), outcome));
        }
        assert!(messages.blocking_recv().is_none());
    }

    #[test]
    fn the_number_of_closes_under_way_is_bounded() {
        // Nobody takes the reports, so the threads stay.
        let (sender, _messages) = channel(1);
        let mut closes = Closes::new(Arc::new(Fake), sender);
        let begun = (0..100).take_while(|cookie| closes.start(vec![close(2 * cookie)]).is_ok()).count();
        assert!((1..=UNDER_WAY_MAX + 2).contains(&begun), "{begun}");
    }
}
