//! A live source and its latest sample, taken by a test as often as it wants.

use std::thread::sleep;
use std::time::{Duration, Instant};

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{Choice, Source, open};

/// How long anything may take; long, because the machine may be busy.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A source and its latest sample.
pub struct SampledSource {
    pub source: Box<dyn Source>,
    /// What each sample is asked for.
    pub needs: Needs,
    pub snapshot: Snapshot,
}

impl SampledSource {
    /// Opens the source and takes its first sample.
    pub fn open(choice: &Choice, needs: Needs) -> Self {
        let mut sampled = Self { source: open(choice).expect("a live source"), needs, snapshot: Snapshot::default() };
        sampled.sample();
        sampled
    }

    /// Takes a sample, of which every record makes sense.
    pub fn sample(&mut self) -> &Snapshot {
        self.source.sample(&self.needs, &mut self.snapshot).expect("a sample");
        assert_eq!(self.snapshot.coverage.records_skipped, 0);
        &self.snapshot
    }

    /// Samples until the snapshot is as wanted; `what` says what is waited for.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&Snapshot) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !wanted(&self.snapshot) {
            assert!(Instant::now() < deadline, "it never happened that {what}: {:?}", self.snapshot.coverage);
            sleep(Duration::from_millis(20));
            self.sample();
        }
    }
}
