//! Runs confirmed closes of sockets, each on a thread of its own: another network namespace has to be looked for.

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

    /// Closes the socket on a thread of its own; what comes of it comes as a message. `Err` is what could not be begun.
    pub fn start(&mut self, close: Close) -> Result<(), CloseReport> {
        let failed = |close, text: &str| Err(CloseReport { close, outcome: CloseOutcome::Failed(text.into()) });
        if Arc::strong_count(&self.under_way) > UNDER_WAY_MAX {
            return failed(close, "too many sockets are being closed; wait for those");
        }
        let (host, messages, under_way) = (Arc::clone(&self.host), self.messages.clone(), Arc::clone(&self.under_way));
        let asked = close.clone();
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| host.close(std::slice::from_ref(&asked)).pop()));
            let outcome = outcome.unwrap_or_else(|panic| {
                Some(CloseOutcome::Failed(DisplayText::new(&format!("conntop failed ({})", panic_text(&*panic)))))
            });
            let outcome = outcome.unwrap_or(CloseOutcome::Failed("there was no answer; look again".into()));
            // An error means that the program is ending.
            let _ = messages.blocking_send(Msg::Close(CloseReport { close: asked, outcome }));
            drop(under_way);
        };
        let spawned = thread::Builder::new().name("close".into()).spawn(run);
        spawned.map(|_| ()).or_else(|_| failed(close, "no thread could be started; try again"))
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
            let cookie = closes[0].socket.id.cookie().expect("it has one");
            assert_ne!(cookie, 7, "no such machine");
            vec![if cookie.is_multiple_of(2) { CloseOutcome::Closed } else { CloseOutcome::Gone }]
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
            closes.start(close(cookie)).expect("it begins");
            drop(closes);
            let Some(Msg::Close(report)) = messages.blocking_recv() else { panic!("{cookie}") };
            assert_eq!(report.close, close(cookie));
            assert!(format!("{:?}", report.outcome).contains(expected), "{report:?}");
            assert!(messages.blocking_recv().is_none());
        }
    }

    #[test]
    fn the_number_of_closes_under_way_is_bounded() {
        // Nobody takes the reports, so the threads stay.
        let (sender, _messages) = channel(1);
        let mut closes = Closes::new(Arc::new(Fake), sender);
        let begun = (0..100).take_while(|cookie| closes.start(close(2 * cookie)).is_ok()).count();
        assert!((1..=UNDER_WAY_MAX + 2).contains(&begun), "{begun}");
    }
}
