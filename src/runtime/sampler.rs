//! The sampler: one thread that takes samples, tracks them and sends what changed. Nothing is ever left out: a delta
//! that does not fit into the queue is waited for.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use crate::app::moment::{MomentWish, PlaySpeed};
use crate::app::msg::Msg;
use crate::diagnosis::by_host::HostDiagnoses;
use crate::model::delta::{Delta, SampleIntervals};
use crate::model::snapshot::{Needs, Snapshot};
use crate::model::socket::{Socket, SocketId};
use crate::model::text::DisplayText;
use crate::runtime::load::stretched;
use crate::runtime::moments::{BuiltMoment, FindingSettings, MomentReader, SampleAhead};
use crate::runtime::past::SharedPast;
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

/// However fast a recording is played, so much time is between two samples: a file cannot make conntop do nothing but play it.
const PLAY_WAIT_MIN: Duration = Duration::from_millis(5);

/// So many samples that were asked for one by one wait at the most.
const STEPS_MAX: u32 = 1_000;

/// What the main thread wants. Not a queue: only the last word counts, so it cannot grow while a sample is taken.
#[derive(Debug, Default)]
struct SamplerOrders {
    interval: Duration,
    needs: Needs,
    /// Too much waits for the main thread.
    paused: bool,
    /// The clock of a recording stands still.
    stopped: bool,
    speed: PlaySpeed,
    /// So many samples are to be taken at once.
    samples: u32,
    /// A moment is to be shown.
    wish: Option<MomentWish>,
    /// Samples follow at once until something happens to this socket; then the clock stands still.
    until: Option<SocketId>,
    stop: bool,
}

/// Which of the two clocks samples are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleStream {
    /// That of the source that the screen was started on.
    Source,
    /// That of the memory of a live source.
    Past,
}

/// What a sampler needs beside its source.
#[derive(Debug)]
pub struct SamplerSetup {
    /// The time between samples.
    pub interval: Duration,
    /// Where its samples go.
    pub messages: Sender<Msg>,
    /// Which samples they are.
    pub stream: SampleStream,
    /// By what the findings of a moment are judged.
    pub findings: FindingSettings,
    /// Keeps what is sampled, for who goes back.
    pub past: Option<SharedPast>,
    /// The moment to begin at.
    pub wish: Option<MomentWish>,
    /// The speed of a recording.
    pub speed: PlaySpeed,
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
    pub fn start(source: Box<dyn Source>, setup: SamplerSetup) -> io::Result<Self> {
        let SamplerSetup { interval, messages, stream, findings, past, wish, speed } = setup;
        let by_host = HostDiagnoses::new(findings.thresholds.clone(), findings.ignore.clone());
        // The past is not played before somebody goes there.
        let stopped = stream == SampleStream::Past;
        let wanted = SamplerOrders { interval, stopped, speed, wish, ..SamplerOrders::default() };
        let orders = Arc::new(SharedOrders { wanted: Mutex::new(wanted), changed: Condvar::new() });
        let plan = SamplePlan::new(source.has_parts(&Needs::default()));
        let sampling = Sampling {
            source,
            messages,
            orders: Arc::clone(&orders),
            schedule: Schedule::new(Instant::now()),
            plan,
            tracker: Tracker::new(),
            snapshot: Snapshot::default(),
            ahead: None,
            sockets: 0,
            stream,
            findings,
            past,
            by_host,
        };
        let name = if stream == SampleStream::Past { "past" } else { "sampler" };
        thread::Builder::new().name(name.into()).spawn(move || sampling.run())?;
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
        self.tell(|wanted| wanted.samples = wanted.samples.max(1));
    }

    /// Takes one more sample as soon as possible, also while the clock stands still.
    pub fn step(&self) {
        self.tell(|wanted| wanted.samples = (wanted.samples + 1).min(STEPS_MAX));
    }

    /// Lets the clock of a recording run, or stand still.
    pub fn play(&self, plays: bool) {
        self.tell(|wanted| {
            wanted.stopped = !plays;
            if !plays {
                wanted.until = None;
            }
        });
    }

    /// Lets it run at this speed.
    pub fn set_speed(&self, speed: PlaySpeed) {
        self.tell(|wanted| wanted.speed = speed);
    }

    /// Takes samples at once until something happens to the socket `id`.
    pub fn play_until(&self, id: SocketId) {
        self.tell(|wanted| wanted.until = Some(id));
    }

    /// Has the moment of `wish` shown.
    pub fn go_to(&self, wish: MomentWish) {
        self.tell(|wanted| {
            (wanted.wish, wanted.until, wanted.samples) = (Some(wish), None, 0);
        });
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
    fn due(&self, interval: Duration, speed: PlaySpeed) -> Option<Instant> {
        match self.next {
            SampleDue::Now | SampleDue::After(Duration::ZERO) => Some(self.last),
            SampleDue::Interval { at_least } => Some(self.last + interval.max(at_least)),
            SampleDue::After(wait) => Some(self.last + speed.wait(wait).max(PLAY_WAIT_MIN.min(wait))),
            SampleDue::Retry(wait) => Some(self.last + wait),
            SampleDue::Never => None,
        }
    }

    /// A sample was begun at `begun`, asked for before its time if `early`, and took `took`.
    fn sampled(&mut self, begun: Instant, (early, speed): (bool, PlaySpeed), pace: Pace, took: Duration) {
        let due = match self.next {
            // A recording's frames are counted from when they were due, so that it does not lag behind.
            SampleDue::After(wait) if !early && begun < self.last + speed.wait(wait) + LATE_MAX => {
                self.last + speed.wait(wait)
            }
            _ => begun,
        };
        (self.last, self.next) = match pace {
            // The first sample looks everything up and says nothing about those that follow.
            Pace::Interval if matches!(self.next, SampleDue::Now | SampleDue::Retry(_)) => {
                (begun, SampleDue::Interval { at_least: Duration::ZERO })
            }
            Pace::Interval => (begun, SampleDue::Interval { at_least: stretched(Duration::ZERO, took) }),
            Pace::After(wait) => (due, SampleDue::After(wait)),
            Pace::AsItComes | Pace::NotYet => (begun, SampleDue::Now),
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

/// What is to be done next.
enum SamplerTask {
    Sample(SampleOrder),
    GoTo(MomentWish),
}

/// A sample is to be taken.
struct SampleOrder {
    needs: Needs,
    interval: Duration,
    speed: PlaySpeed,
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
    tracker: Tracker,
    snapshot: Snapshot,
    /// The next sample, which was read already.
    ahead: Option<SampleAhead>,
    /// How many sockets the last sample had.
    sockets: usize,
    stream: SampleStream,
    findings: FindingSettings,
    past: Option<SharedPast>,
    by_host: HostDiagnoses,
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
        let mut retries = Retries::new(RetryLimit::Screen);
        if self.stream == SampleStream::Source
            && let Some(span) = self.source.span()
            && !self.send(Msg::Span(span))
        {
            return;
        }
        while let Some(task) = self.wait() {
            let sent = match task {
                SamplerTask::GoTo(wish) => self.go_to(wish),
                SamplerTask::Sample(order) => self.take_sample(&order, &mut retries),
            };
            if !sent {
                return;
            }
        }
    }

    /// Takes the next sample and sends what it changed; `false` once the main thread is gone.
    fn take_sample(&mut self, order: &SampleOrder, retries: &mut Retries) -> bool {
        if let Some((delta, pace)) = self.ahead.take() {
            self.schedule.sampled(Instant::now(), (order.early, order.speed), pace, Duration::ZERO);
            return self.send_sample(delta, pace);
        }
        let begun = SampleStart { at: Instant::now(), core: os::thread_time() };
        match self.sample(order) {
            Ok(Pace::NotYet) => {
                let early = (order.early, order.speed);
                self.schedule.sampled(begun.at, early, Pace::NotYet, Duration::ZERO);
                true
            }
            Ok(pace) => {
                let over = retries.worked(Instant::now(), &mut self.snapshot);
                if over.is_some_and(|sentence| !self.send(Msg::Notice(DisplayText::new(&sentence)))) {
                    return false;
                }
                let mut delta = Box::new(self.tracker.finish(&mut self.snapshot));
                self.settle(&begun, order, pace, &mut delta);
                give_back(&mut self.snapshot.sockets);
                if let Some(past) = &self.past {
                    past.push(&delta);
                }
                self.send_sample(delta, pace)
            }
            Err(error) => self.retry_or_stop(&error, retries, order.early),
        }
    }

    /// Sends what a sample changed, and that it was the last one.
    fn send_sample(&mut self, mut delta: Box<Delta>, pace: Pace) -> bool {
        if !self.judge_hosts(&mut delta) {
            return false;
        }
        self.sockets = delta.coverage.sockets as usize;
        self.stop_after(&delta);
        let (msg, ended) = match self.stream {
            SampleStream::Source => (Msg::Delta(delta), Msg::SourceEnded),
            SampleStream::Past => (Msg::PastDelta(delta), Msg::PastEnded),
        };
        self.send(msg) && (pace != Pace::Last || self.send(ended))
    }

    /// The clock stands still after `delta` if it was to run until then.
    fn stop_after(&self, delta: &Delta) {
        let mut wanted = self.orders.lock();
        if let Some(id) = wanted.until
            && delta.transitions.iter().any(|transition| transition.id == id)
        {
            (wanted.until, wanted.stopped) = (None, true);
        }
    }

    /// Builds the moment of `wish`, its table first if the rest takes long; `false` once the main thread is gone.
    fn go_to(&mut self, wish: MomentWish) -> bool {
        let Some(span) = self.source.span() else {
            return self.send(Msg::MomentFailed(wish.number, "this source has no past to go to".into()));
        };
        let at = span.clamp(wish.at);
        if MomentReader::wants_first_picture(&span, at, self.sockets) {
            match self.read_moment(|reader| reader.first_picture(wish, at, &span)) {
                Ok(Some(built)) => {
                    if !self.send(Msg::Moment(Box::new(built.moment))) {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(error) => return self.send(Msg::MomentFailed(wish.number, DisplayText::new(&error.to_string()))),
            }
        }
        match self.read_moment(|reader| reader.full(wish, at, &span)) {
            Ok(None) => true,
            Err(error) => self.send(Msg::MomentFailed(wish.number, DisplayText::new(&error.to_string()))),
            Ok(Some(BuiltMoment { moment, tracker, ahead, pace })) => {
                (self.tracker, self.ahead) = (tracker, ahead);
                self.sockets = moment.store.rows().counts().total() as usize;
                self.schedule = Schedule::new(Instant::now());
                self.schedule.sampled(Instant::now(), (true, PlaySpeed::default()), pace, Duration::ZERO);
                let ended = if self.stream == SampleStream::Past { Msg::PastEnded } else { Msg::SourceEnded };
                self.send(Msg::Moment(Box::new(moment))) && (pace != Pace::Last || self.send(ended))
            }
        }
    }

    fn read_moment(
        &mut self,
        read: impl FnOnce(&mut MomentReader<'_>) -> Result<Option<BuiltMoment>, SourceError>,
    ) -> Result<Option<BuiltMoment>, SourceError> {
        let orders = Arc::clone(&self.orders);
        let is_overtaken = move || {
            let wanted = orders.lock();
            wanted.stop || wanted.wish.is_some()
        };
        self.ahead = None;
        read(&mut MomentReader {
            source: &mut *self.source,
            snapshot: &mut self.snapshot,
            findings: &self.findings,
            is_overtaken: &is_overtaken,
        })
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
    fn sample(&mut self, order: &SampleOrder) -> Result<Pace, SourceError> {
        self.plan.allow_parts(self.source.has_parts(&order.needs));
        let partial = !order.early && !self.plan.wants_full(order.interval);
        let needs = Needs { partial, ..order.needs.clone() };
        self.source.sample(&needs, &mut Tracking { tracker: &mut self.tracker, snapshot: &mut self.snapshot })
    }

    /// Plans the next sample by what this one cost, and lets the screen know.
    fn settle(&mut self, begun: &SampleStart, order: &SampleOrder, pace: Pace, delta: &mut Delta) {
        let wall = begun.at.elapsed();
        // Where the system does not tell the time of a thread, it is taken to have had its core for itself.
        let core = begun.core.zip(os::thread_time()).map_or(wall, |(before, after)| after.saturating_sub(before));
        self.plan.sampled(&self.snapshot, delta, SampleCost { wall, core });
        self.schedule.sampled(begun.at, (order.early, order.speed), pace, self.plan.cost(order.interval, wall));
        delta.is_overtaken = pace == Pace::After(Duration::ZERO) && self.stream == SampleStream::Source;
        if pace == Pace::Interval {
            delta.sample_intervals = SampleIntervals {
                late: delta.sample_intervals.late,
                ..self.plan.sample_intervals(order.interval, wall)
            };
        }
    }

    /// Sends what is wrong with each of several hosts; `false` once the main thread is gone.
    fn judge_hosts(&mut self, delta: &mut Delta) -> bool {
        let by_host = std::mem::take(&mut delta.by_host);
        if by_host.is_empty() {
            return true;
        }
        self.by_host.observe(by_host);
        self.send(Msg::HostFindings(Box::new(self.by_host.found(&delta.names))))
    }

    /// Waits for room in the queue; `false` once the main thread is gone.
    fn send(&self, msg: Msg) -> bool {
        self.messages.blocking_send(msg).is_ok()
    }

    /// Waits until a sample is to be taken; `None` once none is wanted any more.
    fn wait(&mut self) -> Option<SamplerTask> {
        let orders = Arc::clone(&self.orders);
        let mut wanted = orders.lock();
        let mut was_paused = false;
        loop {
            if wanted.stop {
                return None;
            }
            if let Some(wish) = wanted.wish.take() {
                return Some(SamplerTask::GoTo(wish));
            }
            let now = Instant::now();
            let is_paused = wanted.paused || wanted.stopped;
            if was_paused && !is_paused {
                self.schedule.resumed(now);
            }
            was_paused = is_paused;
            let (ends, waits) = (self.schedule.next == SampleDue::Never, wanted.samples > 0);
            let early = waits && !ends;
            wanted.samples = if ends { 0 } else { wanted.samples.saturating_sub(1) };
            let due = self.schedule.due(wanted.interval, wanted.speed).filter(|_| !is_paused);
            let due = due.map(|due| if wanted.until.is_some() { now } else { due });
            if early || due.is_some_and(|due| due <= now) {
                let (interval, speed) = (wanted.interval, wanted.speed);
                return Some(SamplerTask::Sample(SampleOrder { needs: wanted.needs.clone(), interval, speed, early }));
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

    /// Of a source that is played from its beginning.
    fn setup(interval: Duration, messages: Sender<Msg>) -> SamplerSetup {
        SamplerSetup {
            interval,
            messages,
            stream: SampleStream::Source,
            findings: FindingSettings::default(),
            past: None,
            wish: None,
            speed: PlaySpeed::default(),
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
            Self {
                sampler: Sampler::start(Box::new(script), setup(interval, sender)).expect("a thread"),
                messages,
                asked,
            }
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

    const X1: PlaySpeed = PlaySpeed::NORMAL;

    fn schedule(next: SampleDue) -> (Schedule, Instant) {
        let now = Instant::now();
        (Schedule { last: now, next }, now)
    }

    #[test]
    fn the_interval_counts_from_start_to_start() {
        let (mut schedule, start) = schedule(SampleDue::Now);
        assert_eq!(schedule.due(SECOND, X1), Some(start));
        schedule.sampled(start, (false, X1), Pace::Interval, SECOND / 10);
        assert_eq!(schedule.due(SECOND, X1), Some(start + SECOND));
        assert_eq!(schedule.due(5 * SECOND, X1), Some(start + 5 * SECOND));
    }

    #[test]
    fn a_sample_longer_than_a_quarter_of_the_interval_stretches_it() {
        let (mut schedule, start) = schedule(SampleDue::Now);
        // The first one, which looks up what later ones know, does not count.
        schedule.sampled(start, (false, X1), Pace::Interval, 9 * SECOND);
        assert_eq!(schedule.due(SECOND, X1), Some(start + SECOND));
        schedule.sampled(start, (false, X1), Pace::Interval, SECOND / 2);
        assert_eq!(schedule.due(SECOND, X1), Some(start + 2 * SECOND));
    }

    #[test]
    fn a_recording_does_not_lag_behind() {
        let (mut schedule, start) = schedule(SampleDue::Now);
        schedule.sampled(start, (false, X1), Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER, X1), Some(start + SECOND));
        // Woken up 3 ms late: the frame after it is due as if it had not been.
        let late = start + SECOND + Duration::from_millis(3);
        schedule.sampled(late, (false, X1), Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER, X1), Some(start + 2 * SECOND));
        // A frame asked for early, or a pause, moves the rest.
        schedule.sampled(start + SECOND, (true, X1), Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER, X1), Some(start + 2 * SECOND));
        // Neither does it rush after a stop.
        schedule.sampled(start + 8 * SECOND, (false, X1), Pace::After(SECOND), SECOND / 10);
        assert_eq!(schedule.due(NEVER, X1), Some(start + 9 * SECOND));
        schedule.resumed(start + 9 * SECOND);
        assert_eq!(schedule.due(NEVER, X1), Some(start + 10 * SECOND));
        schedule.sampled(start + 10 * SECOND, (false, X1), Pace::Last, SECOND);
        assert_eq!(schedule.due(NEVER, X1), None);
    }

    #[test]
    fn after_a_failure_the_next_sample_is_due_when_it_is_to_be_tried_again() {
        let (mut schedule, start) = schedule(SampleDue::Interval { at_least: Duration::ZERO });
        schedule.failed(start, SECOND / 10);
        assert_eq!(schedule.due(60 * SECOND, X1), Some(start + SECOND / 10), "soon, also where the interval is long");
        schedule.failed(start + SECOND, 30 * SECOND);
        assert_eq!(schedule.due(SECOND, X1), Some(start + 31 * SECOND));
        schedule.sampled(start + 31 * SECOND, (false, X1), Pace::Interval, SECOND / 10);
        assert_eq!(schedule.due(SECOND, X1), Some(start + 32 * SECOND));
    }
}
