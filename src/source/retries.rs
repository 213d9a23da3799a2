//! What is done where a sample of a live source could not be taken: who asks again, when, how often, and what is said of
//! it. One policy for the screen and every command, as the kernel can be out of buffers, memory or descriptors for a
//! moment (ENOBUFS, ENOMEM, EMFILE, EINTR, EAGAIN) whoever asks. [`Retries`] knows no clock.

use std::thread;
use std::time::{Duration, Instant};

use crate::model::delta::EventSource;
use crate::model::event::Loss;
use crate::model::snapshot::Snapshot;

/// The wait after the first failure; it doubles from one to the next, up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_millis(100);
/// The longest wait after a failure.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long somebody who wants one answer is kept without it.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// How long a check is, once it has begun to look: monitoring systems wait for some 10 s.
const CHECK_MAX: Duration = Duration::from_secs(5);
/// How long what goes on for long is.
const FOLLOW_MAX: Duration = Duration::from_secs(5 * 60);
/// A failure just before the end of the time that was asked for may pass, too.
const GRACE: Duration = Duration::from_secs(2);

/// How long failures in a row are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryLimit {
    /// Not at all: what failed is no live source.
    None,
    /// For a moment: one answer is wanted.
    Look,
    /// For some seconds: an answer is wanted soon.
    Check,
    /// For minutes: a watch, a wait, a recording.
    Follow,
    /// For ever, once it has worked: a flight recorder, which is to outlast what it records.
    FlightRecorder,
    /// For ever: a screen, whose user sees it.
    Screen,
}

impl RetryLimit {
    const fn limit(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Look => Some(LOOK_MAX),
            Self::Check => Some(CHECK_MAX),
            Self::Follow => Some(FOLLOW_MAX),
            Self::FlightRecorder | Self::Screen => None,
        }
    }
}

/// The failures in a row, and what follows from them.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    patience: RetryLimit,
    /// When the time that was asked for is over.
    end: Option<Instant>,
    run: Option<FailureRun>,
    has_worked: bool,
}

/// Failures since then.
#[derive(Clone, Copy, Debug)]
struct FailureRun {
    since: Instant,
    failures: u32,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// To ask again after this time.
    Again {
        /// From now on.
        wait: Duration,
        /// Whether this is the first failure in a row, which is said.
        is_first: bool,
    },
    /// To give up, after so many failures within this time.
    GiveUp {
        /// In a row.
        failures: u32,
        /// From the first to the last.
        within: Duration,
    },
}

/// Calls `open` until it works, fails for a reason that does not pass, or a moment is over.
pub fn at_last<T, E>(mut open: impl FnMut() -> Result<T, E>, may_pass: impl Fn(&E) -> bool) -> Result<T, E> {
    let mut retries = Retries::new(RetryLimit::Look);
    loop {
        let opened = open();
        let Err(error) = &opened else { return opened };
        match retries.failed(Instant::now()) {
            RetryDecision::Again { wait, .. } if may_pass(error) => thread::sleep(wait),
            _ => return opened,
        }
    }
}

impl Retries {
    /// Nothing has failed yet.
    pub const fn new(patience: RetryLimit) -> Self {
        Self { patience, end: None, run: None, has_worked: false }
    }

    /// The same for somebody whose time is over at `end`: then a failure that lasts is the outcome.
    #[must_use]
    pub const fn until(self, end: Option<Instant>) -> Self {
        Self { end, ..self }
    }

    /// A sample could not be taken.
    pub fn failed(&mut self, now: Instant) -> RetryDecision {
        let run = self.run.get_or_insert(FailureRun { since: now, failures: 0 });
        run.failures = run.failures.saturating_add(1);
        let FailureRun { since, failures } = *run;
        let wait = WAIT_FIRST.saturating_mul(1 << (failures - 1).min(16)).min(WAIT_MAX);
        let within = now.saturating_duration_since(since);
        // What has never worked may never do: who started it wants to know.
        let limit = match self.patience {
            RetryLimit::Check | RetryLimit::Follow | RetryLimit::FlightRecorder if !self.has_worked => {
                RetryLimit::Look.limit()
            }
            patience => patience.limit(),
        };
        let is_late = |limit: Duration| limit.is_zero() || within + wait > limit;
        let is_over = |end: Instant| now + wait > end.max(since + GRACE);
        if limit.is_some_and(is_late) || self.end.is_some_and(is_over) {
            return RetryDecision::GiveUp { failures, within };
        }
        RetryDecision::Again { wait, is_first: failures == 1 }
    }

    /// `snapshot` was taken. After failures it carries that what happened since the sample before was not seen, and the
    /// sentence says that they are over.
    pub fn worked(&mut self, now: Instant, snapshot: &mut Snapshot) -> Option<String> {
        let FailureRun { since, failures } = self.run.take().or_else(|| {
            self.has_worked = true;
            None
        })?;
        if std::mem::replace(&mut self.has_worked, true) {
            snapshot.events.lost.push(Loss { of: EventSource::Samples, count: None });
        }
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        let failed = if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures") };
        Some(format!("sampling works again after {failed} within {seconds:.1} s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows from failures that last: the waits, and when it was given up.
    fn lasting(mut retries: Retries, from: Instant) -> (Vec<u64>, Option<(u32, Duration)>) {
        let (mut waits, mut now) = (Vec::new(), from);
        while waits.len() < 100 {
            match retries.failed(now) {
                RetryDecision::Again { wait, is_first } => {
                    assert_eq!(is_first, waits.is_empty(), "said once");
                    now += wait;
                    waits.push(u64::try_from(wait.as_millis()).expect("short"));
                }
                RetryDecision::GiveUp { failures, within } => return (waits, Some((failures, within))),
            }
        }
        (waits, None)
    }

    fn worked(patience: RetryLimit, now: Instant) -> Retries {
        let mut retries = Retries::new(patience);
        assert_eq!(retries.worked(now, &mut Snapshot::default()), None);
        retries
    }

    #[test]
    fn everybody_asks_again_soon_and_then_less_and_less_often_and_gives_up_in_his_time() {
        let now = Instant::now();
        let (waits, given_up) = lasting(worked(RetryLimit::Screen, now), now);
        assert_eq!((&waits[..4], waits[50], given_up), (&[100, 200, 400, 800][..], 30_000, None));
        assert_eq!(lasting(worked(RetryLimit::FlightRecorder, now), now), (waits, None));
        for (patience, tries, limit) in [
            (RetryLimit::Look, 5, LOOK_MAX),
            (RetryLimit::Check, 6, CHECK_MAX),
            (RetryLimit::Follow, 18, FOLLOW_MAX),
            (RetryLimit::None, 1, Duration::ZERO),
        ] {
            let (failures, within) = lasting(worked(patience, now), now).1.expect("it is given up");
            assert!(failures == tries && within <= limit, "{patience:?}: {failures} in {within:?}");
        }
    }

    #[test]
    fn what_never_worked_is_given_up_soon_but_by_a_screen() {
        let now = Instant::now();
        for patience in [RetryLimit::Look, RetryLimit::Check, RetryLimit::Follow, RetryLimit::FlightRecorder] {
            let (failures, within) = lasting(Retries::new(patience), now).1.expect("it is given up");
            assert!(failures == 5 && within <= LOOK_MAX, "{patience:?}: {failures} in {within:?}");
        }
        assert_eq!(lasting(Retries::new(RetryLimit::Screen), now).1, None);
    }

    #[test]
    fn where_the_time_is_over_a_failure_that_lasts_is_the_outcome_and_one_that_may_pass_is_not() {
        let now = Instant::now();
        let within = |end: Duration| lasting(worked(RetryLimit::Follow, now).until(Some(now + end)), now).1;
        assert!(within(Duration::ZERO).is_some_and(|(failures, within)| failures > 1 && within <= GRACE));
        assert!(within(Duration::from_secs(20)).is_some_and(|(_, within)| within <= Duration::from_secs(20)));
    }

    #[test]
    fn what_was_not_seen_is_a_gap_and_the_end_of_the_failures_is_said_once() {
        let now = Instant::now();
        let mut retries = Retries::new(RetryLimit::Follow);
        let mut snapshot = Snapshot::default();
        retries.failed(now);
        let said = retries.worked(now + Duration::from_millis(300), &mut snapshot);
        assert_eq!(said.as_deref(), Some("sampling works again after 1 failure within 0.3 s"));
        assert!(snapshot.events.lost.is_empty(), "before the first sample nothing was seen anyway");
        assert_eq!(retries.worked(now, &mut snapshot), None);
        retries.failed(now);
        retries.failed(now);
        assert!(retries.worked(now, &mut snapshot).is_some_and(|said| said.contains("2 failures")));
        assert_eq!(snapshot.events.lost, [Loss { of: EventSource::Samples, count: None }]);
    }
}
