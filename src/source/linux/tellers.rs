//! Listens to what the kernel tells between samples: one thread that sleeps until something happens, and a queue from
//! which each sample takes what was told.
//!
//! The kernel's own queues are short where the user is not root (a few hundred events), so they are emptied soon after
//! the first event, in batches; while nothing happens nothing wakes.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::model::delta::ToldBy;
use crate::model::event::{ENDED_MAX, Ended, Events, Loss, Teller, Tellers};
use crate::model::socket::NetnsId;
use crate::model::text::DisplayText;
use crate::source::clock;
use crate::source::linux::destroy_events::{DestroyEvents, Overrun};

/// After the first event of a batch the others have this time to come.
const BATCH: Duration = Duration::from_millis(10);

/// Ears and a thread that keeps them open.
pub struct Listening {
    ears: Arc<Mutex<Ears>>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// What is listened to, and what was heard.
#[derive(Debug)]
struct Ears {
    ends: Option<DestroyEvents>,
    tellers: Tellers,
    ended: Vec<Ended>,
    ended_lost: Lost,
}

/// How much was lost since the last sample.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    any: bool,
    count: u64,
    /// Of some the kernel did not say how many.
    uncounted: bool,
}

impl Listening {
    /// Listens to the network namespace `netns`, in which the calling thread must be. What cannot be listened to is
    /// data: see [`Self::take_ended`].
    pub fn start(netns: NetnsId) -> Self {
        let opened = DestroyEvents::open(netns);
        let ends = match &opened {
            Ok(_) => Teller::On,
            Err(error) => Teller::Refused(refused(*error)),
        };
        let bell = opened.as_ref().ok().and_then(|events| events.bell().ok());
        let tellers = Tellers { ends, ..Tellers::default() };
        let ears = Ears { ends: opened.ok(), tellers, ended: Vec::new(), ended_lost: Lost::default() };
        let ears = Arc::new(Mutex::new(ears));
        let stop = eventfd(0, EventfdFlags::CLOEXEC).ok();
        let thread = bell.zip(stop.as_ref().and_then(|stop| stop.try_clone().ok())).and_then(|(bell, stop)| {
            let ears = Arc::clone(&ears);
            let listen = move || listen(&ears, &bell, &stop);
            // Without a thread the queue is emptied at each sample, and what it has lost by then is counted.
            thread::Builder::new().name("events".to_owned()).spawn(listen).ok()
        });
        Self { ears, stop, thread }
    }

    /// Moves what ended since the last call into `events`.
    pub fn take_ended(&self, events: &mut Events) {
        let mut ears = lock(&self.ears);
        ears.drain();
        events.ended.append(&mut ears.ended);
        events.lost.extend(std::mem::take(&mut ears.ended_lost).as_loss(ToldBy::DestroyEvent));
        events.tellers = ears.tellers.clone();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            let _ = rustix::io::write(stop, &1u64.to_ne_bytes());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("tellers", &lock(&self.ears).tellers).finish_non_exhaustive()
    }
}

impl Ears {
    /// Empties the kernel's queues; says whether there was anything.
    fn drain(&mut self) -> bool {
        let Some(events) = &mut self.ends else { return false };
        let (ended, lost) = (&mut self.ended, &mut self.ended_lost);
        let mut heard = false;
        let drained = events.drain(clock::now().0, |event| {
            heard = true;
            if ended.len() < ENDED_MAX { ended.push(event) } else { lost.add(Some(1)) }
        });
        match drained {
            Ok(None) => {}
            Ok(Some(Overrun(count))) => lost.add(count),
            Err(error) => {
                self.ends = None;
                self.tellers.ends = Teller::Refused(refused(error));
                lost.add(None);
            }
        }
        heard
    }
}

impl Lost {
    fn add(&mut self, count: Option<u64>) {
        self.any = true;
        self.count = self.count.saturating_add(count.unwrap_or(0));
        self.uncounted |= count.is_none();
    }

    fn as_loss(self, of: ToldBy) -> Option<Loss> {
        self.any.then_some(Loss { of, count: (!self.uncounted).then_some(self.count) })
    }
}

fn lock(ears: &Mutex<Ears>) -> MutexGuard<'_, Ears> {
    // Nothing can panic while it is locked; if it did, the values would still be whole.
    ears.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(error: Errno) -> DisplayText {
    DisplayText::new(&format!(
        "the kernel does not tell of sockets that end ({error}); their last counters are missing"
    ))
}

/// Empties the queues whenever something comes, until it is told to stop.
fn listen(ears: &Mutex<Ears>, bell: &OwnedFd, stop: &OwnedFd) {
    loop {
        let mut fds = [PollFd::new(bell, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        if !fds[1].revents().is_empty() {
            return;
        }
        let mut ears = lock(ears);
        ears.drain();
        let is_deaf = ears.ends.is_none();
        drop(ears);
        if is_deaf || is_stopped(stop, BATCH) {
            return;
        }
    }
}

/// Waits this long; whether it is told to stop.
fn is_stopped(stop: &OwnedFd, time: Duration) -> bool {
    let time = Timespec::try_from(time).unwrap_or_default();
    let mut fds = [PollFd::new(stop, PollFlags::IN)];
    poll(&mut fds, Some(&time)).is_ok_and(|ready| ready > 0)
}
