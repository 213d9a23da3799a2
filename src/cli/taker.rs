//! Takes samples for commands without a screen: bears failures that pass, says so once, and knows when the next sample is
//! due. Every command takes its samples here.

use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{Failure, say};
use crate::model::snapshot::{Snapshot, SourceInfo, SourceKind};
use crate::runtime::load::Pacer;
use crate::source::retries::{Retries, RetryDecision, RetryLimit};
use crate::source::{Pace, Source, SourceError};

/// A source, the sample taken last, and when the next is due.
pub(super) struct SampleTaker {
    source: Box<dyn Source>,
    /// The last sample, if that did not fail.
    pub(super) snapshot: Snapshot,
    retries: Retries,
    pacer: Pacer,
    begun: Instant,
    next: NextSample,
}

/// When the next sample is due, counted from the begin of the last.
#[derive(Clone, Copy)]
enum NextSample {
    /// As the interval and the load say.
    Paced,
    /// After this time.
    After(Duration),
    /// Never.
    Never,
}

impl SampleTaker {
    /// Takes samples from `source`, `interval` apart.
    pub(super) fn new(source: Box<dyn Source>, patience: RetryLimit, interval: Duration) -> Self {
        let patience = if is_live(source.info()) { patience } else { RetryLimit::None };
        Self {
            source,
            snapshot: Snapshot::default(),
            retries: Retries::new(patience),
            pacer: Pacer::new(interval),
            begun: Instant::now(),
            next: NextSample::Paced,
        }
    }

    /// The time of a live source is over after this; that of others is their own.
    pub(super) fn for_time(&mut self, time: Option<Duration>) {
        let end = time.filter(|_| self.is_live()).and_then(|time| Instant::now().checked_add(time));
        self.retries = self.retries.until(end);
    }

    /// Takes a sample in the way `sample` says. `None` if that failed and may work later: at [`Self::due`].
    pub(super) fn take(
        &mut self,
        sample: impl FnOnce(&mut dyn Source, &mut Snapshot) -> Result<Pace, SourceError>,
    ) -> Result<Option<Pace>, Failure> {
        self.begun = Instant::now();
        match sample(&mut *self.source, &mut self.snapshot) {
            Ok(Pace::NotYet) => {
                // That was waited for already.
                self.next = NextSample::After(self.begun.elapsed());
                Ok(None)
            }
            Ok(pace) => {
                if let Some(sentence) = self.retries.worked(Instant::now(), &mut self.snapshot) {
                    say(&sentence);
                }
                self.next = match pace {
                    Pace::Interval => NextSample::Paced,
                    Pace::After(time) => NextSample::After(time),
                    Pace::AsItComes | Pace::NotYet => NextSample::After(Duration::ZERO),
                    Pace::Last => NextSample::Never,
                };
                Ok(Some(pace))
            }
            Err(error @ SourceError::Usage(_)) => Err(error.into()),
            Err(error) => self.retry_or_fail(&error).map(|()| None),
        }
    }

    fn retry_or_fail(&mut self, error: &SourceError) -> Result<(), Failure> {
        match self.retries.failed(Instant::now()) {
            RetryDecision::Again { wait, is_first } => {
                if is_first {
                    say(&format!("{error}; trying again"));
                }
                self.next = NextSample::After(self.begun.elapsed() + wait);
                Ok(())
            }
            RetryDecision::GiveUp { failures: 0 | 1, .. } => Err(Failure::Failed(error.to_string())),
            RetryDecision::GiveUp { failures, within } => {
                let seconds = within.as_secs_f64();
                Err(Failure::Failed(format!("{error}; given up after {failures} failures within {seconds:.1} s")))
            }
        }
    }

    /// When the next sample is due, now that all is done that the last one takes; `None` if there is none. A recording has
    /// a pace of its own, which who only reads it need not keep.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let after = match self.next {
            NextSample::Paced => {
                let took = self.begun.elapsed();
                let after = self.pacer.next(took);
                if let Some(sentence) = self.pacer.remark(took) {
                    say(&sentence);
                }
                after
            }
            NextSample::After(time) => time,
            NextSample::Never => return None,
        };
        Some(self.begun + after)
    }

    /// [`Self::take`] until it works, or is given up.
    pub(super) fn take_at_last(
        &mut self,
        mut sample: impl FnMut(&mut dyn Source, &mut Snapshot) -> Result<Pace, SourceError>,
    ) -> Result<Pace, Failure> {
        loop {
            if let Some(pace) = self.take(&mut sample)? {
                return Ok(pace);
            }
            self.wait();
        }
    }

    /// Sleeps until the next sample is due.
    pub(super) fn wait(&mut self) {
        if let Some(due) = self.due() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// What the source is.
    pub(super) fn info(&self) -> &SourceInfo {
        self.source.info()
    }

    /// Whether its time is that of the clock; that of a recording or of a made-up server is not waited for.
    pub(super) fn is_live(&self) -> bool {
        is_live(self.info())
    }
}

fn is_live(info: &SourceInfo) -> bool {
    !matches!(info.kind, SourceKind::Replay | SourceKind::Synthetic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sink::SampleSink;
    use crate::model::snapshot::{Abilities, Needs};
    use crate::model::time::{Timestamp, WallTime};

    /// A live source, or another one, that fails so many times before each sample.
    struct Failing {
        info: SourceInfo,
        times: u32,
        left: u32,
        calls: u32,
    }

    impl Source for Failing {
        fn info(&self) -> &SourceInfo {
            &self.info
        }

        fn sample(&mut self, _: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
            let snapshot = sink.begin(Timestamp::default(), WallTime::default());
            self.calls += 1;
            let fails = self.left > 0;
            self.left = if fails { self.left - 1 } else { self.times };
            if fails {
                return Err(SourceError::Failed("no luck".into()));
            }
            sink.finish(snapshot);
            Ok(Pace::Interval)
        }
    }

    fn taker(kind: SourceKind, patience: RetryLimit, times: u32) -> SampleTaker {
        let info = SourceInfo { kind, host: "test".into(), abilities: Abilities::default() };
        SampleTaker::new(Box::new(Failing { info, times, left: times, calls: 0 }), patience, Duration::from_millis(1))
    }

    fn sample(source: &mut dyn Source, snapshot: &mut Snapshot) -> Result<Pace, SourceError> {
        source.sample(&Needs::default(), snapshot)
    }

    #[test]
    fn whoever_asks_failures_that_pass_are_borne_and_leave_a_gap() {
        for patience in [RetryLimit::Look, RetryLimit::Check, RetryLimit::Follow] {
            for times in 0..4 {
                let mut taker = taker(SourceKind::Linux, patience, times);
                taker.take_at_last(sample).expect("it works in the end");
                assert!(taker.snapshot.events.lost.is_empty(), "nothing was seen before");
                taker.take_at_last(sample).expect("it works in the end");
                assert_eq!(taker.snapshot.events.lost.len(), usize::from(times > 0), "{patience:?} {times}");
            }
        }
    }

    #[test]
    fn a_failure_that_lasts_is_the_outcome_with_how_often_it_was_tried() {
        let begun = Instant::now();
        let failure =
            taker(SourceKind::Procfs, RetryLimit::Follow, u32::MAX).take_at_last(sample).expect_err("it lasts");
        let said = failure.to_string();
        assert!(said.starts_with("no luck; given up after 5 failures within "), "{said}");
        assert!(begun.elapsed() >= Duration::from_secs(1), "so long it was tried");
    }

    #[test]
    fn what_is_not_live_is_not_asked_again() {
        for kind in [SourceKind::Replay, SourceKind::Synthetic] {
            let failure = taker(kind, RetryLimit::Follow, 1).take_at_last(sample).expect_err("it failed");
            assert_eq!(failure.to_string(), "no luck");
        }
    }

    #[test]
    fn a_look_that_takes_long_stretches_the_interval_and_the_first_does_not() {
        let mut taker = taker(SourceKind::Linux, RetryLimit::Follow, 0);
        let slow = |source: &mut dyn Source, snapshot: &mut Snapshot| {
            thread::sleep(Duration::from_millis(20));
            sample(source, snapshot)
        };
        taker.take(slow).expect("it works");
        assert_eq!(taker.due(), Some(taker.begun + Duration::from_millis(1)));
        taker.take(slow).expect("it works");
        assert!(taker.due() >= Some(taker.begun + Duration::from_millis(80)));
    }
}
