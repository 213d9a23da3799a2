//! Runs confirmed kills, each on a thread of its own, and reports what came of them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use crate::app::msg::Msg;
use crate::host::Host;
use crate::model::action::{KILLS_MAX, Kill, KillOutcome, KillReport};
use crate::model::process::ProcessId;
use crate::model::text::DisplayText;
use crate::runtime::panic_text;

/// How long an end is waited for.
#[derive(Clone, Copy, Debug)]
pub struct KillWait {
    /// After this time a process that has not ended is reported.
    pub still_running: Duration,
    /// After this time it is no longer watched.
    pub end: Duration,
}

impl Default for KillWait {
    fn default() -> Self {
        Self { still_running: Duration::from_secs(5), end: Duration::from_secs(2 * 60) }
    }
}

/// The signals that were sent and are being watched.
pub struct Kills {
    host: Arc<dyn Host>,
    messages: Sender<Msg>,
    wait: KillWait,
    /// One flag for each process that is being watched, set once a later signal is watched instead. The thread holds
    /// the other half.
    watched: HashMap<ProcessId, Vec<Arc<AtomicBool>>>,
}

impl Kills {
    /// Sends signals through `host` and reports to `messages`.
    pub fn new(host: Arc<dyn Host>, messages: Sender<Msg>, wait: KillWait) -> Self {
        Self { host, messages, wait, watched: HashMap::new() }
    }

    /// Sends the signal on a thread of its own; what comes of it comes as messages. `Err` is what could not be begun.
    pub fn start(&mut self, kill: Kill) -> Result<(), KillReport> {
        let failed = |kill, text: &str| Err(KillReport { kill, outcome: KillOutcome::Failed(text.into()) });
        self.watched.retain(|_, flags| {
            flags.retain(|flag| Arc::strong_count(flag) > 1);
            !flags.is_empty()
        });
        if self.watched.values().map(Vec::len).sum::<usize>() >= KILLS_MAX {
            return failed(kill, "too many signals are being watched; wait until some processes have ended");
        }
        let superseded = Arc::new(AtomicBool::new(false));
        let flags = self.watched.entry(kill.process).or_default();
        for flag in flags.iter() {
            flag.store(true, Ordering::Release);
        }
        flags.push(Arc::clone(&superseded));

        let (host, messages, wait) = (Arc::clone(&self.host), self.messages.clone(), self.wait);
        let watcher = KillWatcher { kill: kill.clone(), messages, superseded };
        let name = format!("kill-{}", kill.process.pid);
        let spawned = thread::Builder::new().name(name).spawn(move || watcher.run(&*host, wait));
        spawned.map(|_| ()).or_else(|_| failed(kill, "no thread could be started; try again"))
    }
}

/// One signal and who is told.
struct KillWatcher {
    kill: Kill,
    messages: Sender<Msg>,
    superseded: Arc<AtomicBool>,
}

impl KillWatcher {
    fn run(&self, host: &dyn Host, wait: KillWait) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.send_and_watch(host, wait))) {
            let text = format!("the signal could not be followed ({})", panic_text(&*panic));
            self.send(KillOutcome::Failed(DisplayText::new(&text)));
        }
    }

    fn send_and_watch(&self, host: &dyn Host, wait: KillWait) {
        let sent = Instant::now();
        let mut watch = match host.kill(&self.kill) {
            Ok(watch) => watch,
            Err(outcome) => return self.send(outcome),
        };
        self.send(KillOutcome::Sent);
        if let Some(note) = watch.note() {
            let _ = self.messages.blocking_send(Msg::Notice(note));
        }
        if !self.kill.signal.row().ends {
            return;
        }
        let mut ended = watch.ended_within(wait.still_running);
        if !ended {
            self.send_if_last(KillOutcome::StillRunning { after: sent.elapsed() });
            ended = watch.ended_within(wait.end.saturating_sub(sent.elapsed()));
        }
        if ended {
            self.send_if_last(KillOutcome::Ended { after: sent.elapsed() });
        }
    }

    /// Says nothing if another signal to the same process was sent after this one: that one reports the end.
    fn send_if_last(&self, outcome: KillOutcome) {
        if !self.superseded.load(Ordering::Acquire) {
            self.send(outcome);
        }
    }

    fn send(&self, outcome: KillOutcome) {
        // An error means that the program is ending.
        let _ = self.messages.blocking_send(Msg::Kill(KillReport { kill: self.kill.clone(), outcome }));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::host::ExitWatch;
    use crate::model::action::{Protection, Signal};

    /// A machine whose processes do what their pid says.
    struct Fake;

    const OBEYS: u32 = 10;
    const IGNORES: u32 = 11;
    const ENDS_LATE: u32 = 12;
    const BREAKS: u32 = 13;

    impl Host for Fake {
        fn kill(&self, kill: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome> {
            match kill.process.pid {
                1 => Err(KillOutcome::Refused(Protection::Init)),
                BREAKS => panic!("no such machine"),
                pid => Ok(Box::new(FakeWatch { pid, asked: 0 })),
            }
        }

        fn protected(&self) -> Vec<(u32, Protection)> {
            Vec::new()
        }
    }

    struct FakeWatch {
        pid: u32,
        asked: u32,
    }

    impl ExitWatch for FakeWatch {
        fn ended_within(&mut self, _timeout: Duration) -> bool {
            self.asked += 1;
            self.pid == OBEYS || self.pid == ENDS_LATE && self.asked == 2
        }

        fn note(&self) -> Option<DisplayText> {
            (self.pid == OBEYS).then(|| "with care".into())
        }
    }

    fn kill(pid: u32, signal: Signal) -> Kill {
        Kill { process: ProcessId { pid, start_ticks: 5 }, name: "fake".into(), signal, holding: Vec::new() }
    }

    fn kills() -> (Kills, Receiver<Msg>) {
        let (sender, messages) = channel(1);
        (Kills::new(Arc::new(Fake), sender, KillWait::default()), messages)
    }

    /// Everything that is reported about one signal, without the times.
    fn reports(pid: u32, signal: Signal) -> Vec<String> {
        let (mut kills, mut messages) = kills();
        kills.start(kill(pid, signal)).expect("it begins");
        drop(kills);
        std::iter::from_fn(|| messages.blocking_recv())
            .map(|msg| match msg {
                Msg::Kill(KillReport { outcome: KillOutcome::Ended { .. }, .. }) => "ended".to_owned(),
                Msg::Kill(KillReport { outcome: KillOutcome::StillRunning { .. }, .. }) => "still running".to_owned(),
                Msg::Kill(KillReport { outcome, .. }) => format!("{outcome:?}"),
                Msg::Notice(text) => text.to_string(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_came_of_a_signal_is_reported_step_by_step() {
        assert_eq!(reports(OBEYS, Signal::Term), ["Sent", "with care", "ended"]);
        assert_eq!(reports(IGNORES, Signal::Term), ["Sent", "still running"]);
        assert_eq!(reports(ENDS_LATE, Signal::Term), ["Sent", "still running", "ended"]);
        assert_eq!(reports(IGNORES, Signal::Stop), ["Sent"]);
        assert_eq!(reports(1, Signal::Term), ["Refused(Init)"]);
        assert!(reports(BREAKS, Signal::Term)[0].contains("no such machine"));
    }

    #[test]
    fn only_the_last_signal_to_a_process_reports_its_end() {
        let (kills, mut messages) = kills();
        let watcher =
            KillWatcher { kill: kill(OBEYS, Signal::Term), messages: kills.messages, superseded: Arc::default() };
        watcher.superseded.store(true, Ordering::Release);
        watcher.send_if_last(KillOutcome::AlreadyGone);
        watcher.send(KillOutcome::Sent);
        assert!(matches!(messages.blocking_recv(), Some(Msg::Kill(KillReport { outcome: KillOutcome::Sent, .. }))));
    }

    #[test]
    fn the_number_of_watched_processes_is_bounded() {
        // Nobody takes the reports, so the threads stay.
        let (mut kills, _messages) = kills();
        let begun = (0..1000).take_while(|index| kills.start(kill(100 + index, Signal::Term)).is_ok()).count();
        assert!((1..=KILLS_MAX + 2).contains(&begun), "{begun}");
        let report = kills.start(kill(OBEYS, Signal::Term)).expect_err("too many");
        assert!(matches!(report.outcome, KillOutcome::Failed(_)));
    }
}
