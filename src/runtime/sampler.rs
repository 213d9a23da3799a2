//! The sampler: one thread that takes samples, tracks them and sends what changed. Nothing is ever left out: a delta
//! that does not fit into the queue is waited for.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use crate::app::msg::Msg;
use crate::model::delta::{Delta, SampleIntervals};
use crate::model::snapshot::{Needs, Snapshot};
use crate::model::socket::Socket;
use crate::model::text::DisplayText;
use crate::runtime::load::stretched;
use crate::runtime::sample_plan::{SampleCost, SamplePlan};
use crate::runtime::{os, panic_text};
use crate::source::retries::{Retries, RetryDecision, RetryLimit};
use crate::source::{Pace, Source, SourceError};
use crate::tracker::{Tracker, Tracking};

/// Room for this many sockets is kept from sample to sample: 3 MB.
const SOCKETS_KEPT: usize = 16 * 1024;

/// A recording whose frame comes later than this was held up (Ctrl-Z, a slow machine); it goes on from there and does
/// not rush after the time that was lost.
const LATE_MAX: Duration = Duration::from_secs(1);

/// What the main thread wants. Not a queue: only the last word counts, so it cannot grow while a sample is taken.
#[derive(Debug)]
struct SamplerOrders {
    interval: Duration,
    needs: Needs,
    paused: bool,
    sample: bool,
    stop: bool,
}

#[derive(Debug)]
struct SharedOrders {
    wanted: Mutex<SamplerOrders>,
    changed: Condvar,
}

impl SharedOrders {
    fn lock(&self) -> MutexGuard<'_, SamplerOrders> {
        // Nothing can panic while it is locked; if it did, the values would still be whole.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The main thread's hold on the sampler; dropping it ends the sampling.
#[derive(Debug)]
pub struct Sampler {
    orders: Arc<SharedOrders>,
}

impl Sampler {
    /// Starts to take samples from `source`; the first one at once.
    pub fn start(source: Box<dyn Source>, interval: Duration, messages: Sender<Msg>) -> io::Result<Self> {
        let wanted = SamplerOrders { interval, needs: Needs::default(), paused: false, sample: false, stop: false };
        let orders = Arc::new(SharedOrders { wanted: Mutex::new(wanted), changed: Condvar::new() });
        let plan = SamplePlan::new(source.has_parts(&Needs::default()));
        let sampling =
            Sampling { source, messages, orders: Arc::clone(&orders), schedule: Schedule::new(Instant::now()), plan };
        thread::Builder::new().name("sampler".into()).spawn(move || sampling.run())?;
        Ok(Self { orders })
    }

    /// Collects this beside the sockets from the next sample on.
    pub fn collect(&self, needs: Needs) {
        self.tell(|wanted| wanted.needs = needs);
    }

    /// Takes samples this far apart, from start to start.
    pub fn set_interval(&self, interval: Duration) {
        self.tell(|wanted| wanted.interval = interval);
    }

    /// Stops or goes on.
    pub fn pause(&self, paused: bool) {
        self.tell(|wanted| wanted.paused = paused);
    }

    /// Takes one sample as soon as possible, also while paused.
    pub fn sample_now(&self) {
        self.tell(|wanted| wanted.sample = true);
    }

    fn tell(&self, say: impl FnOnce(&mut SamplerOrders)) {
        say(&mut self.orders.lock());
        self.orders.changed.notify_one();
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.tell(|wanted| wanted.stop = true);
    }
}

/// When the next sample is due. Knows no clock.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    /// When the last sample was due or begun.
    last: Instant,
    next: SampleDue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SampleDue {
    /// At once.
    Now,
    /// After the interval, or after this if it is longer.
    Interval { at_least: Duration },
    /// This long after the last one.
    After(Duration),
    /// The same, after a failure.
    Retry(Duration),
    /// Never.
    Never,
}

impl Schedule {
    fn new(now: Instant) -> Self {
        Self { last: now, next: SampleDue::Now }
    }

    /// When the next sample is due.
    fn due(&self, interval: Duration) -> Option<Instant> {
        match self.next {
            SampleDue::Now => Some(self.last),
            SampleDue::Interval { at_least } => Some(self.last + interval.max(at_least)),
            SampleDue::After(wait) | SampleDue::Retry(wait) => Some(self.last + wait),
            SampleDue::Never => None,
        }
    }

    /// A sample was begun at `begun`, asked for before its time if `early`, and took `took`.
    fn sampled(&mut self, begun: Instant, early: bool, pace: Pace, took: Duration) {
        let due = match self.next {
            // A recording's frames are counted from when they were due, so that it does not lag behind.
            SampleDue::After(wait) if !early && begun < self.last + wait + LATE_MAX => self.last + wait,
            _ => begun,
        };
        (self.last, self.next) = match pace {
            // The first sample looks everything up and says nothing about those that follow.
            Pace::Interval if matches!(self.next, SampleDue::Now | SampleDue::Retry(_)) => {
                (begun, SampleDue::Interval { at_least: Duration::ZERO })
            }
            Pace::Interval => (begun, SampleDue::Interval { at_least: stretched(Duration::ZERO, took) }),
            Pace::After(wait) => (due, SampleDue::After(wait)),
            Pace::Last => (begun, SampleDue::Never),
        };
    }

    /// A sample failed at `now` and is to be tried again after `wait`.
    fn failed(&mut self, now: Instant, wait: Duration) {
        (self.last, self.next) = (now, SampleDue::Retry(wait));
    }

    /// Sampling went on at `now` after a pause. A recording goes on where it was; for live data a sample is overdue.
    fn resumed(&mut self, now: Instant) {
        if matches!(self.next, SampleDue::After(_)) {
            self.last = now;
        }
    }
}

/// A sample is to be taken.
struct SampleOrder {
    needs: Needs,
    interval: Duration,
    early: bool,
}

/// When a sample was begun, and how long its thread had worked by then.
struct SampleStart {
    at: Instant,
    core: Option<Duration>,
}

struct Sampling {
    source: Box<dyn Source>,
    messages: Sender<Msg>,
    orders: Arc<SharedOrders>,
    schedule: Schedule,
    plan: SamplePlan,
}

impl Sampling {
    fn run(mut self) {
        let messages = self.messages.clone();
        // A source that panicked may be in any state: it is not asked again.
        let panic = catch_unwind(AssertUnwindSafe(|| self.sample_until_stopped())).err();
        if let Some(panic) = panic {
            let text = format!("sampling broke off ({}); the data is old; please restart conntop", panic_text(&*panic));
            let _ = messages.blocking_send(Msg::SourceFailed(DisplayText::new(&text)));
        }
    }

    fn sample_until_stopped(&mut self) {
        let mut tracker = Tracker::new();
        let mut snapshot = Snapshot::default();
        let mut retries = Retries::new(RetryLimit::Screen);
        while let Some(order) = self.wait() {
            let begun = SampleStart { at: Instant::now(), core: os::thread_time() };
            let sampled = self.sample(&order, &mut tracker, &mut snapshot);
            let sent = match sampled {
                Ok(pace) => {
                    let over = retries.worked(Instant::now(), &mut snapshot);
                    if over.is_some_and(|sentence| !self.send(Msg::Notice(DisplayText::new(&sentence)))) {
                        return;
                    }
                    let mut delta = Box::new(tracker.finish(&mut snapshot));
                    self.settle(&begun, &order, pace, &snapshot, &mut delta);
                    give_back(&mut snapshot.sockets);
                    self.send(Msg::Delta(delta)) && (pace != Pace::Last || self.send(Msg::SourceEnded))
                }
                Err(error) => self.retry_or_stop(&error, &mut retries, order.early),
            };
            if !sent {
                return;
            }
        }
    }

    /// Plans another try; says why once, and to who asked for the sample. `false` once the main thread is gone.
    fn retry_or_stop(&mut self, error: &SourceError, retries: &mut Retries, asked_for: bool) -> bool {
        let now = Instant::now();
        match retries.failed(now) {
            RetryDecision::Again { wait, is_first } => {
                self.schedule.failed(now, wait);
                let say = is_first || asked_for;
                !say || self.send(Msg::SourceFailed(DisplayText::new(&format!("{error}; trying again"))))
            }
            // A screen has patience without an end.
            RetryDecision::GiveUp { .. } => false,
        }
    }

    /// A full sample, or a partial one.
    fn sample(
        &mut self,
        order: &SampleOrder,
        tracker: &mut Tracker,
        snapshot: &mut Snapshot,
    ) -> Result<Pace, SourceError> {
        self.plan.allow_parts(self.source.has_parts(&order.needs));
        let partial = !order.early && !self.plan.wants_full(order.interval);
        let needs = Needs { partial, ..order.needs.clone() };
        self.source.sample(&needs, &mut Tracking { tracker, snapshot })
    }

    /// Plans the next sample by what this one cost, and lets the screen know.
    fn settle(&mut self, begun: &SampleStart, order: &SampleOrder, pace: Pace, snapshot: &Snapshot, delta: &mut Delta) {
        let wall = begun.at.elapsed();
        // Where the system does not tell the time of a thread, it is taken to have had its core for itself.
        let core = begun.core.zip(os::thread_time()).map_or(wall, |(before, after)| after.saturating_sub(before));
        self.plan.sampled(snapshot, delta, SampleCost { wall, core });
        self.schedule.sampled(begun.at, order.early, pace, self.plan.cost(order.interval, wall));
        delta.is_overtaken = pace == Pace::After(Duration::ZERO);
        if pace == Pace::Interval {
            delta.sample_intervals = SampleIntervals {
                late: delta.sample_intervals.late,
                ..self.plan.sample_intervals(order.interval, wall)
            };
        }
    }

    /// Waits for room in the queue; `false` once the main thread is gone.
    fn send(&self, msg: Msg) -> bool {
        self.messages.blocking_send(msg).is_ok()
    }

    /// Waits until a sample is to be taken; `None` once none is wanted any more.
    fn wait(&mut self) -> Option<SampleOrder> {
        let orders = Arc::clone(&self.orders);
        let mut wanted = orders.lock();
        let mut was_paused = false;
        loop {
            if wanted.stop {
                return None;
            }
            let now = Instant::now();
            if was_paused && !wanted.paused {
                self.schedule.resumed(now);
            }
            was_paused = wanted.paused;
            let early = std::mem::take(&mut wanted.sample) && self.schedule.next != SampleDue::Never;
            let due = self.schedule.due(wanted.interval).filter(|_| !wanted.paused);
            if early || due.is_some_and(|due| due <= now) {
                return Some(SampleOrder { needs: wanted.needs.clone(), interval: wanted.interval, early });
            }
            wanted = match due {
                Some(due) => orders.changed.wait_timeout(wanted, due - now).unwrap_or_else(PoisonError::into_inner).0,
                None => orders.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// After a flood of sockets, as the first sample of a large table is, the memory for it goes back to the system: the
/// next samples list what is new.
fn give_back(sockets: &mut Vec<Socket>) {
    sockets.clear();
    sockets.shrink_to(SOCKETS_KEPT);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::model::process::ProcessId;
    use crate::model::sink::SampleSink;
    use crate::model::snapshot::{Abilities, SourceInfo, SourceKind};
    use crate::model::time::{Timestamp, WallTime};

    const SECOND: Duration = Duration::from_secs(1);
    /// Longer than any test runs: a sample that was not asked for does not come.
    const NEVER: Duration = Duration::from_secs(100_000);

    /// What a call of the fake source does.
    enum ScriptStep {
        Sample(Pace),
        Fail(&'static str),
        Panic,
    }

    /// Plays steps; each sample's time is its number. Tells what it was asked to collect.
    struct Script {
        info: SourceInfo,
        steps: std::vec::IntoIter<ScriptStep>,
        taken: u64,
        asked: mpsc::Sender<Needs>,
    }

    impl Source for Script {
        fn info(&self) -> &SourceInfo {
            &self.info
        }

        fn sample(&mut self, needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
            let _ = self.asked.send(needs.clone());
            self.taken += 1;
            let snapshot = sink.begin(Timestamp::from_millis(self.taken), WallTime::default());
            match self.steps.next().expect("the script is long enough") {
                ScriptStep::Sample(pace) => {
                    sink.finish(snapshot);
                    Ok(pace)
                }
                ScriptStep::Fail(sentence) => Err(SourceError::Failed(sentence.into())),
                ScriptStep::Panic => panic!("out of luck"),
            }
        }
    }

    struct Rig {
        sampler: Sampler,
        messages: Receiver<Msg>,
        asked: mpsc::Receiver<Needs>,
    }

    impl Rig {
        fn new(interval: Duration, steps: Vec<ScriptStep>) -> Self {
            let (asking, asked) = mpsc::channel();
            let (sender, messages) = channel(1);
            let info = SourceInfo { kind: SourceKind::Synthetic, host: "test".into(), abilities: Abilities::default() };
            let script = Script { info, steps: steps.into_iter(), taken: 0, asked: asking };
            Self { sampler: Sampler::start(Box::new(script), interval, sender).expect("a thread"), messages, asked }
        }

        fn next(&mut self) -> Msg {
            self.messages.blocking_recv().expect("the sampler runs")
        }

        /// The number of the sample that the next message, a delta, comes from.
        fn next_delta(&mut self) -> u64 {
            match self.next() {
                Msg::Delta(delta) => delta.at.as_millis(),
                other => panic!("{other:?}"),
            }
        }
    }

    fn samples(count: usize) -> Vec<ScriptStep> {
        (0..count).map(|_| ScriptStep::Sample(Pace::Interval)).collect()
    }

    #[test]
    fn the_first_sample_is_taken_at_once() {
        let mut rig = Rig::new(NEVER, samples(1));
        assert_eq!(rig.next_delta(), 1);
    }

    #[test]
    fn a_slow_reader_misses_no_delta() {
        let mut rig = Rig::new(Duration::ZERO, samples(100));
        for number in 1..=50 {
            assert_eq!(rig.next_delta(), number);
        }
    }

    #[test]
    fn a_sample_asked_for_comes_without_waiting_even_while_paused() {
        let mut rig = Rig::new(NEVER, samples(3));
        assert_eq!(rig.next_delta(), 1);
        rig.sampler.sample_now();
        assert_eq!(rig.next_delta(), 2);
        rig.sampler.pause(true);
        rig.sampler.sample_now();
        assert_eq!(rig.next_delta(), 3);
    }

    #[test]
    fn a_new_interval_counts_at_once() {
        let mut rig = Rig::new(NEVER, samples(4));
        assert_eq!(rig.next_delta(), 1);
        rig.sampler.set_interval(Duration::from_millis(1));
        assert_eq!(rig.next_delta(), 2);
    }

    #[test]
    fn what_is_to_be_collected_reaches_the_source() {
        let mut rig = Rig::new(NEVER, samples(2));
        assert_eq!(rig.next_delta(), 1);
        let needs = Needs { usage: vec![ProcessId { pid: 7, start_ticks: 1 }], ..Needs::default() };
        rig.sampler.collect(needs.clone());
        rig.sampler.sample_now();
        assert_eq!(rig.next_delta(), 2);
        assert_eq!(rig.asked.iter().take(2).collect::<Vec<_>>(), [Needs::default(), needs]);
    }

    #[test]
    fn a_recording_ends_with_a_message_and_is_not_read_on() {
        let steps = vec![ScriptStep::Sample(Pace::After(Duration::ZERO)), ScriptStep::Sample(Pace::Last)];
        let mut rig = Rig::new(NEVER, steps);
        assert_eq!((rig.next_delta(), rig.next_delta()), (1, 2));
        assert!(matches!(rig.next(), Msg::SourceEnded));
        // The script has no third step: asking for it would break off with a failure.
        rig.sampler.sample_now();
        drop(rig.sampler);
        assert!(rig.messages.blocking_recv().is_none());
    }

    #[test]
    fn a_failure_is_told_and_the_next_sample_may_succeed() {
        let steps =
            vec![ScriptStep::Fail("no luck"), ScriptStep::Sample(Pace::Interval), ScriptStep::Sample(Pace::Interval)];
        let mut rig = Rig::new(NEVER, steps);
        assert!(matches!(rig.next(), Msg::SourceFailed(text) if text.as_str() == "no luck; trying again"));
        assert!(
            matches!(rig.next(), Msg::Notice(text) if text.as_str().starts_with("sampling works again after 1 failure"))
        );
        assert_eq!(rig.next_delta(), 2);
    }

    #[test]
    fn failures_in_a_row_are_told_once_and_to_who_asks_for_a_sample() {
        let steps = vec![
            ScriptStep::Fail("no luck"),
            ScriptStep::Fail("none"),
            ScriptStep::Fail("asked"),
            ScriptStep::Sample(Pace::Last),
        ];
        let mut rig = Rig::new(NEVER, steps);
        assert!(matches!(rig.next(), Msg::SourceFailed(text) if text.as_str() == "no luck; trying again"));
        rig.asked.iter().take(2).for_each(drop);
        rig.sampler.sample_now();
        assert!(matches!(rig.next(), Msg::SourceFailed(text) if text.as_str() == "asked; trying again"));
        assert!(matches!(rig.next(), Msg::Notice(text) if text.as_str().contains("3 failures")));
        assert_eq!(rig.next_delta(), 4);
    }

    #[test]
    fn a_panic_is_told_and_ends_the_sampling_only() {
        let mut rig = Rig::new(Duration::ZERO, vec![ScriptStep::Sample(Pace::Interval), ScriptStep::Panic]);
        assert_eq!(rig.next_delta(), 1);
        assert!(matches!(rig.next(), Msg::SourceFailed(text) if text.as_str().contains("out of luck")));
        assert!(rig.messages.blocking_recv().is_none());
    }

    #[test]
    fn the_thread_ends_when_nobody_listens_or_it_is_no_longer_wanted() {
        let Rig { sampler, messages, asked } = Rig::new(Duration::ZERO, samples(1_000_000));
        drop(messages);
        assert!(has_ended(&asked));
        drop(sampler);

        let Rig { sampler, messages, asked } = Rig::new(NEVER, samples(1));
        drop(sampler);
        assert!(has_ended(&asked));
        drop(messages);
    }

    /// Whether the thread ends, and with it its end of the channel, before a minute has passed without a sample.
    fn has_ended(asked: &mpsc::Receiver<Needs>) -> bool {
        loop {
            match asked.recv_timeout(Duration::from_secs(60)) {
                Ok(_) => {}
                Err(error) => return error == mpsc::RecvTimeoutError::Disconnected,
            }
        }
    }

    fn schedule(next: SampleDue) -> (Schedule, Instant) {
        let now = Instant::now();
        (Schedule { last: now, next }, now)
    }

    #[test]
    fn the_interval_counts_from_start_to_start() {
        let (mut schedule, start) = schedule(SampleDue::Now);
        assert_eq!(schedule.due(SECOND), Some(start));
        schedule.sampled(start, false, Pace::Interval, SECOND / 10);
        assert_eq!(schedule.due(SECOND), Some(start + SECOND));
        assert_eq!(schedule.due(5 * SECOND), Some(start + 5 * SECOND));
    }

    #[test]
    fn a_sample_longer_than_a_quarter_of_the_interval_stretches_it() {
        let (mut schedule, start) = schedule(SampleDue::Now);
        // The first one, which looks up what later ones know, does not count.
        schedule.sampled(start, false, Pace::Interval, 9 * SECOND);
        assert_eq!(schedule.due(SECOND), Some(start + SECOND));
        schedule.sampled(start, false, Pace::Interval, SECOND / 2);
        assert_eq!(schedule.due(SECOND), Some(start + 2 * SECOND));
    }

    #[test]
    fn a_recording_does_not_lag_behind() {
        let (mut schedule, start) = schedule(SampleDue::Now);
        schedule.sampled(start, false, Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER), Some(start + SECOND));
        // Woken up 3 ms late: the frame after it is due as if it had not been.
        let late = start + SECOND + Duration::from_millis(3);
        schedule.sampled(late, false, Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER), Some(start + 2 * SECOND));
        // A frame asked for early, or a pause, moves the rest.
        schedule.sampled(start + SECOND, true, Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER), Some(start + 2 * SECOND));
        // Neither does it rush after a stop.
        schedule.sampled(start + 8 * SECOND, false, Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER), Some(start + 9 * SECOND));
        schedule.resumed(start + 9 * SECOND);
        assert_eq!(schedule.due(NEVER), Some(start + 10 * SECOND));
        schedule.sampled(start + 10 * SECOND, false, Pace::Last, SECOND);
        assert_eq!(schedule.due(NEVER), None);
    }

    #[test]
    fn after_a_failure_the_next_sample_is_due_when_it_is_to_be_tried_again() {
        let (mut schedule, start) = schedule(SampleDue::Interval { at_least: Duration::ZERO });
        schedule.failed(start, SECOND / 10);
        assert_eq!(schedule.due(60 * SECOND), Some(start + SECOND / 10), "soon, also where the interval is long");
        schedule.failed(start + SECOND, 30 * SECOND);
        assert_eq!(schedule.due(SECOND), Some(start + 31 * SECOND));
        schedule.sampled(start + 31 * SECOND, false, Pace::Interval, SECOND / 10);
        assert_eq!(schedule.due(SECOND), Some(start + 32 * SECOND));
    }
}
