//! Looks again and again: what a list that waits and one that is printed anew have in common.

use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::cli::names::{HostNameLookup, PATIENCE_A_SAMPLE};
use crate::cli::samples::{Samples, Warnings};
use crate::cli::settings::Settings;
use crate::report::hosts;
use crate::report::list::List;
use crate::source::Source;
use crate::store::Store;

pub(super) struct ListSampler {
    samples: Samples,
    names: HostNameLookup,
    begun: Instant,
    said: Warnings,
}

/// What a look says of the next.
pub(super) struct ListSample {
    /// Whether there is something new.
    pub(super) is_fresh: bool,
    /// When the next one is due; `None` if there is none.
    pub(super) next: Option<Instant>,
}

impl ListSampler {
    /// Looks each `interval`.
    pub(super) fn new(source: Box<dyn Source>, settings: &Settings, interval: Duration) -> Self {
        let names = HostNameLookup::new(settings, source.info().kind, PATIENCE_A_SAMPLE);
        Self {
            names,
            samples: Samples::without_findings(source, settings, interval),
            begun: Instant::now(),
            said: Warnings::default(),
        }
    }

    /// Looks at the interval of `settings`, and has the kernel tell what happens between.
    pub(super) fn listening(mut source: Box<dyn Source>, settings: &Settings) -> Self {
        source.listen(settings.trace);
        Self::new(source, settings, settings.shared.interval)
    }

    /// The time of a live source is over after this: a failure that lasts until then is the outcome.
    pub(super) fn for_time(self, time: Option<Duration>) -> Self {
        Self { samples: self.samples.for_time(time), ..self }
    }

    /// Takes a sample. A live source that has worked may fail for a while: then nothing is new.
    pub(super) fn look(&mut self) -> Result<ListSample, Failure> {
        let taken = self.samples.take()?;
        if taken.is_some() {
            self.said.say(&self.samples.store().coverage().degraded);
            self.said.say(&hosts::sentences(self.samples.store()));
        }
        Ok(ListSample { is_fresh: taken.is_some(), next: self.samples.due() })
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
