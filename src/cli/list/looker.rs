//! Looks again and again: what a list that waits and one that is printed anew have in common.

use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::cli::config::Settings;
use crate::cli::names::{Names, PATIENCE_A_SAMPLE};
use crate::cli::samples::{Said, Samples};
use crate::report::list::List;
use crate::source::{Pace, Source};
use crate::store::Store;

/// Looking may take this share of the time: 1 is all, 4 a quarter. Longer looks come less often.
const LOAD_DIVISOR: u32 = 4;

pub(super) struct Looker {
    samples: Samples,
    names: Names,
    interval: Duration,
    begun: Instant,
    said: Said,
}

/// What a look says of the next.
pub(super) struct Looked {
    /// Whether there is something new.
    pub(super) is_fresh: bool,
    /// When the next one is due; `None` if there is none.
    pub(super) next: Option<Instant>,
}

impl Looker {
    /// Looks each `interval`.
    pub(super) fn new(source: Box<dyn Source>, settings: &Settings, interval: Duration) -> Self {
        let names = Names::new(settings, source.info().kind, PATIENCE_A_SAMPLE);
        Self {
            names,
            samples: Samples::without_findings(source, settings),
            interval,
            begun: Instant::now(),
            said: Said::default(),
        }
    }

    /// Takes a sample. A live source that has worked may fail for a while: then nothing is new.
    pub(super) fn look(&mut self) -> Result<Looked, Failure> {
        let begun = Instant::now();
        let Some(taken) = self.samples.take_patiently()? else {
            return Ok(Looked { is_fresh: false, next: Some(begun + self.interval) });
        };
        self.said.say(&self.samples.store().coverage().degraded);
        let next = match taken.pace {
            Pace::Interval => Some(begun + self.interval.max(begun.elapsed().saturating_mul(LOAD_DIVISOR))),
            // A recording is read, not played.
            Pace::After(_) => Some(begun),
            Pace::Last => None,
        };
        Ok(Looked { is_fresh: true, next })
    }

    /// Finds out what the peers are called that `list` shows, as far as that goes quickly.
    pub(super) fn learn(&mut self, list: &List) {
        if self.names.is_on() {
            let peers = list.peers(self.samples.store());
            self.names.learn(self.samples.store_mut(), &peers);
        }
    }

    /// What is known now.
    pub(super) const fn store(&self) -> &Store {
        self.samples.store()
    }

    /// The moment at which `time` has passed since the beginning, where that is one of the clock.
    pub(super) fn deadline(&self, time: Duration) -> Option<Instant> {
        if self.samples.is_live() { self.begun.checked_add(time) } else { None }
    }

    /// Whether `time` has passed since the beginning, as the samples count it where they have a time of their own.
    pub(super) fn has_passed(&self, time: Duration) -> bool {
        let passed = if self.samples.is_live() { self.begun.elapsed() } else { self.samples.watched() };
        passed >= time
    }
}
