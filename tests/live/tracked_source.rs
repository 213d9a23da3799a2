//! A live source and the tracker behind it: what happens in the namespace of a test, as transitions.

use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{Delta, EventSource, Transition};
use conntop::model::event::EventSourceStatus;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::tcp_state::TcpState;
use conntop::source::{self, Choice, Source};
use conntop::tracker::{Tracker, Tracking};

/// How long the kernel may take to report anything; long, because the machine may be busy.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A live source, its latest sample, and every transition since it was opened.
pub struct TrackedSource {
    pub source: Box<dyn Source>,
    /// What each sample is asked for.
    pub needs: Needs,
    pub snapshot: Snapshot,
    tracker: Tracker,
    pub transitions: Vec<Transition>,
    /// How many times events of the trace of states were lost.
    pub lost: usize,
    /// How long the slowest sample took. The kernel reports some times as so long ago, which is off by as much where the
    /// reader was held up meanwhile.
    pub slowest: Duration,
}

impl TrackedSource {
    /// Opens the source, which reads no events, and takes its first sample: no transition is in it.
    pub fn open(choice: &Choice) -> Self {
        let mut tracked = Self::open_unsampled(choice);
        assert_eq!(tracked.sample().transitions, []);
        tracked
    }

    /// Opens the source with the kernel's events and takes its first sample; with `trace`, samples until the trace of states
    /// is open.
    pub fn open_with_events(choice: &Choice, trace: bool) -> Self {
        let mut tracked = Self::open_unsampled(choice);
        tracked.source.listen(trace);
        // The trace is opened beside the samples, which takes some 40 ms.
        let deadline = Instant::now() + TIMEOUT;
        while tracked.sample().event_status.trace == EventSourceStatus::Off && trace && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        tracked
    }

    /// Opens the source and takes no sample.
    pub fn open_unsampled(choice: &Choice) -> Self {
        Self {
            source: source::open(choice).expect("it can be read"),
            needs: Needs::default(),
            snapshot: Snapshot::default(),
            tracker: Tracker::new(),
            transitions: Vec::new(),
            lost: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Takes a full sample and compares it with the last one when it is complete.
    pub fn sample(&mut self) -> Delta {
        self.source.sample(&self.needs, &mut self.snapshot).expect("it can be read");
        let delta = self.tracker.update(&self.snapshot);
        self.note(&delta);
        delta
    }

    /// Takes a sample as the sampler does: the tracker compares each socket while it is read.
    pub fn sample_compared(&mut self, partial: bool) -> Delta {
        let needs = Needs { partial, ..self.needs.clone() };
        let Self { source, snapshot, tracker, .. } = self;
        source.sample(&needs, &mut Tracking { tracker, snapshot }).expect("it can be read");
        let delta = tracker.finish(snapshot);
        self.note(&delta);
        delta
    }

    fn note(&mut self, delta: &Delta) {
        self.slowest = self.slowest.max(self.snapshot.took);
        self.transitions.extend(delta.transitions.iter().cloned());
        self.lost += delta.gaps.iter().filter(|gap| gap.of == EventSource::Tracepoint).count();
    }

    /// Samples until the snapshot is as wanted; `what` says what is waited for.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&Snapshot) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !wanted(&self.snapshot) {
            assert!(Instant::now() < deadline, "it never happened that {what}: {:?}", self.snapshot.sockets);
            sleep(Duration::from_millis(5));
            self.sample();
        }
    }

    /// Samples until the connection at `port` has gone `to` a state, and gives that transition.
    pub fn wait_for_transition(&mut self, port: u16, to: Option<TcpState>) -> Transition {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let wanted = |transition: &&Transition| {
                transition.local.port == port && transition.to == to && !transition.remote.is_unset()
            };
            if let Some(transition) = self.transitions.iter().find(wanted) {
                return transition.clone();
            }
            assert!(Instant::now() < deadline, "nothing went to {to:?} at {port}, but {:?}", self.transitions);
            self.sample();
            sleep(Duration::from_millis(10));
        }
    }

    /// The states that the connection at `port` went through, as reported; those of a listener there are left out.
    pub fn path(&self, port: u16) -> Vec<(Option<TcpState>, Option<TcpState>)> {
        self.transitions
            .iter()
            .filter(|transition| transition.local.port == port && !transition.remote.is_unset())
            .map(|transition| (transition.from, transition.to))
            .collect()
    }
}
