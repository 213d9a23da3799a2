//! Listens to what the kernel tells between samples: one thread that sleeps until something happens, and a queue from
//! which each sample takes what was told.
//!
//! The kernel's own queues are short where the user is not root (a few hundred events), so they are emptied soon after
//! the first event, in batches; while nothing happens nothing wakes.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::model::delta::EventSource;
use crate::model::event::{
    Caller, ENDED_MAX, Ended, EventSourceStatus, EventStatus, Events, Loss, STATE_CHANGES_MAX, TracedStateChange,
};
use crate::model::memory::give_back;
use crate::model::socket::NetnsId;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::callers::Callers;
use crate::source::linux::destroy_events::{DestroyEvents, Overrun};
use crate::source::linux::latest_changes::LatestChanges;
use crate::source::linux::state_trace::{self, ErrorRecord, Refusal, StateTrace};

/// How often the rings of the trace are emptied, which wake nobody: a ring has room for 45,000 changes a second and CPU.
const RINGS_EVERY: Duration = Duration::from_millis(200);
/// As often while this many steps came since the last time.
const RINGS_EVERY_BUSY: Duration = Duration::from_millis(40);
const BUSY_STEPS: usize = 500;
/// After the first event of a batch the others have this time to come.
const BATCH: Duration = Duration::from_millis(10);

/// Sources of events, and a thread that empties their queues.
pub struct EventListener {
    sources: Arc<Mutex<EventSources>>,
    /// Wakes the thread.
    wake: Option<OwnedFd>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What is listened to, and what was told.
#[derive(Debug, Default)]
struct EventSources {
    ends: Option<DestroyEvents>,
    event_status: EventStatus,
    ended: Vec<Ended>,
    ended_lost: LossCount,
    trace: Option<StateTrace>,
    /// Who names processes; `None` where there is no /proc.
    names: Option<Callers>,
    steps: Vec<TracedStateChange>,
    callers: Vec<Caller>,
    steps_lost: LossCount,
    /// Of which sockets steps came since [`EventListener::take_changes`].
    changes: LatestChanges,
    errors: Vec<ErrorRecord>,
    /// Errors were lost since the last sample.
    errors_lost: bool,
}

/// How much was lost since the last sample.
#[derive(Clone, Copy, Debug, Default)]
struct LossCount {
    any: bool,
    count: u64,
    /// Of some the kernel did not say how many.
    uncounted: bool,
}

impl EventListener {
    /// Listens to the network namespace `netns`, in which the calling thread must be, and to the trace if `traces`. What
    /// cannot be listened to is data: see [`Self::take_ended`].
    pub fn start(netns: NetnsId, traces: bool) -> Self {
        let opened = DestroyEvents::open(netns);
        let ends = match &opened {
            Ok(_) => EventSourceStatus::On,
            Err(error) => EventSourceStatus::Refused(refused(*error)),
        };
        let ends_pending = opened.as_ref().ok().and_then(|events| events.poll_descriptor().ok());
        let event_status = EventStatus { ends, ..EventStatus::default() };
        let sources = EventSources { ends: opened.ok(), event_status, ..EventSources::default() };
        let sources = Arc::new(Mutex::new(sources));
        let stop = Arc::new(AtomicBool::new(false));
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok();
        let woken = wake.as_ref().and_then(|wake| wake.try_clone().ok());
        let thread = woken.and_then(|woken| {
            let listener =
                ListenerThread { sources: Arc::clone(&sources), ends_pending, woken, stop: Arc::clone(&stop), traces };
            // Without a thread the queues are emptied at each sample, and what they have lost by then is counted.
            thread::Builder::new().name("events".to_owned()).spawn(move || listener.listen()).ok()
        });
        Self { sources, wake, stop, thread }
    }

    /// Moves the steps up to this moment into `events`, by time. What a look at the sockets has shown before is among
    /// them.
    pub fn take_steps(&self, events: &mut Events) {
        let mut sources = lock(&self.sources);
        if sources.trace.is_none() {
            return;
        }
        // CPUs are read one after the other: what is later than this moment is not complete.
        let until = clock::now().0;
        sources.drain_trace();
        sources.steps.sort_by_key(|step| step.at);
        let end = sources.steps.partition_point(|step| step.at <= until);
        let sources = &mut *sources;
        events.errors.extend(state_trace::assign(&sources.steps[..end], &mut sources.errors));
        let told = sources.errors.len();
        sources.errors.retain(|told| told.may_be_of_later(until));
        give_back(&mut sources.errors, told);
        events.errors_are_told = sources.trace.as_ref().is_some_and(StateTrace::tells_all_errors)
            && !std::mem::take(&mut sources.errors_lost);
        events.state_changes.extend(sources.steps.drain(..end));
        give_back(&mut sources.steps, end);
        sources.callers.sort_by_key(|caller| caller.at);
        let end = sources.callers.partition_point(|caller| caller.at <= until);
        events.callers.extend(sources.callers.drain(..end));
        give_back(&mut sources.callers, end);
        // The clock of the trace may have been found to be another one just now.
        events.event_status.trace = sources.event_status.trace.clone();
        events.lost.extend(std::mem::take(&mut sources.steps_lost).as_loss(EventSource::Tracepoint));
    }

    /// The last change of state of each socket that had one since the last call, and since when the trace tells; `None`
    /// where there is no trace. To be taken before the sockets are looked at: what changes later comes with the next call.
    pub fn take_changes(&self) -> Option<(Timestamp, LatestChanges)> {
        let mut sources = lock(&self.sources);
        sources.drain_trace();
        let changes = std::mem::take(&mut sources.changes);
        sources.trace.as_ref().map(|trace| (trace.complete_since(), changes))
    }

    /// What is said where the trace is on and this kernel does not tell why every connection ended.
    pub fn unreported_errors(&self) -> Option<&'static str> {
        lock(&self.sources).trace.as_ref().and_then(StateTrace::unreported_errors)
    }

    /// Moves what ended since the last call into `events`.
    pub fn take_ended(&self, events: &mut Events) {
        let mut sources = lock(&self.sources);
        sources.drain();
        let ended = sources.ended.len();
        events.ended.append(&mut sources.ended);
        give_back(&mut sources.ended, ended);
        events.lost.extend(std::mem::take(&mut sources.ended_lost).as_loss(EventSource::DestroyEvent));
        events.event_status = sources.event_status.clone();
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(wake) = &self.wake {
            let _ = rustix::io::write(wake, &1u64.to_ne_bytes());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for EventListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("tellers", &lock(&self.sources).event_status).finish_non_exhaustive()
    }
}

impl EventSources {
    /// Empties the rings; says whether much was in them.
    fn drain_trace(&mut self) -> bool {
        let Some(trace) = &mut self.trace else { return false };
        let (steps, callers, names) = (&mut self.steps, &mut self.callers, &mut self.names);
        let (lost, changes) = (&mut self.steps_lost, &mut self.changes);
        names.iter_mut().for_each(Callers::begin);
        let mut count = 0;
        let missed = trace.drain(|step, pid| {
            count += 1;
            changes.note(&step);
            if steps.len() >= STATE_CHANGES_MAX as usize {
                lost.add(Some(1));
                return;
            }
            callers.extend(names.as_mut().and_then(|names| names.caller(&step, pid)));
            steps.push(step);
        });
        match missed {
            Ok(0) => {}
            Ok(missed) => {
                lost.add(Some(missed));
                changes.note_loss();
            }
            Err(Refusal(sentence)) => {
                self.trace = None;
                self.event_status.trace = EventSourceStatus::Refused(sentence);
                self.steps.clear();
                self.changes = LatestChanges::default();
                self.callers.clear();
                self.errors.clear();
            }
        }
        self.drain_errors();
        count >= BUSY_STEPS
    }

    /// Empties the rings of errors, after those of the steps that they belong to.
    fn drain_errors(&mut self) {
        let (errors, lost) = (&mut self.errors, &mut self.errors_lost);
        let missed = self.trace.as_mut().map_or(0, |trace| {
            trace.drain_errors(
                |told| if errors.len() < STATE_CHANGES_MAX as usize { errors.push(told) } else { *lost = true },
            )
        });
        *lost |= missed > 0;
    }

    /// Empties the kernel's queues; says whether there was anything.
    fn drain(&mut self) -> bool {
        let Some(events) = &mut self.ends else { return false };
        let (ended, lost) = (&mut self.ended, &mut self.ended_lost);
        let mut is_told = false;
        let drained = events.drain(|event| {
            is_told = true;
            if ended.len() < ENDED_MAX as usize { ended.push(event) } else { lost.add(Some(1)) }
        });
        match drained {
            Ok(None) => {}
            Ok(Some(Overrun(count))) => lost.add(count),
            Err(error) => {
                self.ends = None;
                self.event_status.ends = EventSourceStatus::Refused(refused(error));
                lost.add(None);
            }
        }
        is_told
    }
}

impl LossCount {
    fn add(&mut self, count: Option<u64>) {
        self.any = true;
        self.count = self.count.saturating_add(count.unwrap_or(0));
        self.uncounted |= count.is_none();
    }

    fn as_loss(self, of: EventSource) -> Option<Loss> {
        self.any.then_some(Loss { of, count: (!self.uncounted).then_some(self.count) })
    }
}

fn lock(sources: &Mutex<EventSources>) -> MutexGuard<'_, EventSources> {
    // Nothing can panic while it is locked; if it did, the values would still be whole.
    sources.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(error: Errno) -> DisplayText {
    DisplayText::new(&format!(
        "the kernel does not tell of sockets that end ({error}); their last counters are missing"
    ))
}

/// What the thread works with.
struct ListenerThread {
    sources: Arc<Mutex<EventSources>>,
    /// Something ended; `None` where that is not told.
    ends_pending: Option<OwnedFd>,
    woken: OwnedFd,
    stop: Arc<AtomicBool>,
    /// Whether the trace is to be listened to.
    traces: bool,
}

impl ListenerThread {
    /// Listens to the trace as well, if that is allowed. Opening takes some 40 ms, for which nobody has to wait.
    fn start_trace(&self) {
        let opened = StateTrace::open();
        let mut sources = lock(&self.sources);
        match opened {
            Ok(trace) => {
                (sources.trace, sources.event_status.trace) = (Some(trace), EventSourceStatus::On);
                sources.names = Callers::open();
            }
            Err(Refusal(sentence)) => sources.event_status.trace = EventSourceStatus::Refused(sentence),
        }
    }

    /// Empties the queues whenever something comes, until it is told to stop.
    fn listen(mut self) {
        if self.traces {
            self.start_trace();
        }
        let mut is_busy = false;
        // Asked before each wait: the pause after a batch may have used up the wake-up that came with the order.
        while !self.stop.load(Ordering::Relaxed) {
            let is_tracing = lock(&self.sources).trace.is_some();
            let pause = if is_busy { RINGS_EVERY_BUSY } else { RINGS_EVERY };
            let has_ended = self.wait(true, is_tracing.then_some(pause));
            let mut sources = lock(&self.sources);
            sources.drain();
            is_busy = sources.drain_trace();
            let has_no_ends = sources.ends.is_none();
            drop(sources);
            if has_no_ends {
                self.ends_pending = None;
            }
            if has_ended {
                self.wait(false, Some(BATCH));
            }
        }
    }

    /// Waits for this time, for an end if `for_ends`, or for a wake-up; whether something ended.
    fn wait(&self, for_ends: bool, time: Option<Duration>) -> bool {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let ends_pending = self.ends_pending.as_ref().filter(|_| for_ends);
        let fds = [Some(&self.woken), ends_pending].into_iter().flatten();
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        if poll(&mut fds, time.as_ref()).is_err() {
            return false;
        }
        let happened = |nth: usize| fds.get(nth).is_some_and(|fd| !fd.revents().is_empty());
        let (woken, has_ended) = (happened(0), happened(1));
        if woken {
            let _ = rustix::io::read(&self.woken, &mut [0; 8]);
        }
        has_ended
    }
}
