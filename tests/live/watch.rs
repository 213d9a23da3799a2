//! A source and a tracker that follow what happens in the namespace of a test.

use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::delta::{Delta, ToldBy, Transition};
use conntop::model::event::Teller;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::tcp_state::TcpState;
use conntop::source::{self, Choice, Source};
use conntop::tracker::Tracker;

/// How long the kernel may take to tell.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A live source, its latest sample, and what the tracker has told since it was opened.
pub struct Watch {
    source: Box<dyn Source>,
    pub snapshot: Snapshot,
    tracker: Tracker,
    pub told: Vec<Transition>,
    /// How often the trace of states lost steps.
    pub lost: usize,
}

impl Watch {
    /// Opens the source and takes its first sample; with `trace`, waits until the trace of states is open.
    pub fn begin(choice: &Choice, trace: bool) -> Self {
        let mut source = source::open(choice).expect("it can be read");
        source.listen(trace);
        let mut watch =
            Self { source, snapshot: Snapshot::default(), tracker: Tracker::new(), told: Vec::new(), lost: 0 };
        // The trace is opened beside the samples, which takes some 40 ms.
        let deadline = Instant::now() + PATIENCE;
        while watch.sample().tellers.trace == Teller::Off && trace && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        watch
    }

    /// Takes a sample and has the tracker tell what is new in it.
    pub fn sample(&mut self) -> Delta {
        self.source.sample(&Needs::default(), &mut self.snapshot).expect("it can be read");
        let delta = self.tracker.update(&self.snapshot);
        self.told.extend(delta.transitions.iter().cloned());
        self.lost += delta.gaps.iter().filter(|gap| gap.of == ToldBy::Tracepoint).count();
        delta
    }

    /// Samples until a transition of the connection at `port` goes to `to`.
    pub fn until(&mut self, port: u16, to: Option<TcpState>) -> Transition {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wanted = |step: &&Transition| (step.local.port, step.to) == (port, to) && !step.remote.is_unset();
            if let Some(step) = self.told.iter().find(wanted) {
                return step.clone();
            }
            assert!(Instant::now() < deadline, "nothing went to {to:?} at {port}, but {:?}", self.told);
            self.sample();
            sleep(Duration::from_millis(10));
        }
    }

    /// The states that the connection at `port` went through, as told; those of a listener there are left out.
    pub fn path(&self, port: u16) -> Vec<(Option<TcpState>, Option<TcpState>)> {
        self.told
            .iter()
            .filter(|step| step.local.port == port && !step.remote.is_unset())
            .map(|step| (step.from, step.to))
            .collect()
    }
}
