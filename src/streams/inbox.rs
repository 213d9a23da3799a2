//! What the threads of the streams bring, until it is taken. Of each stream there is room for a few samples; a stream that is
//! faster waits, so that it holds up itself and nobody else.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::streams::merger::HostSample;

/// So many samples of each stream wait.
pub const WAITING_MAX: usize = 2;

/// A sample that has come.
#[derive(Debug)]
pub struct Arrival {
    /// What it tells.
    pub sample: HostSample,
    /// Its moment by the clock of the host.
    pub at: Timestamp,
    /// Its time of day by the clock of the host.
    pub wall: WallTime,
    /// When it came, by our clock.
    pub arrived: Timestamp,
    /// How far the clock of the host is ahead of ours, in milliseconds, if they disagree.
    pub clock_ahead_ms: Option<i64>,
}

/// What is known of one stream.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// What waits, oldest first.
    pub waiting: VecDeque<Arrival>,
    /// The host, once its header has come.
    pub host: Option<DisplayText>,
    /// Why no more will come.
    pub end: Option<StreamEnd>,
}

impl Arrivals {
    /// Whether nothing of it waits and nothing will come.
    pub fn are_over(&self) -> bool {
        self.end.is_some() && self.waiting.is_empty()
    }
}

/// Why no more will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// A recording was read to its end.
    AtEnd,
    /// As the end of a sentence that begins with the host.
    Ended(DisplayText),
    /// It is no recording that can be read: a sentence.
    Refused(DisplayText),
}

/// Where the threads of streams put what came.
#[derive(Debug)]
pub struct Inbox {
    arrivals: Mutex<Vec<Arrivals>>,
    changed: Condvar,
    is_wanted: Arc<AtomicBool>,
}

impl Inbox {
    /// For so many streams.
    pub fn new(streams: usize) -> Self {
        Self {
            arrivals: Mutex::new((0..streams).map(|_| Arrivals::default()).collect()),
            changed: Condvar::new(),
            is_wanted: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Whether anything is still to be read.
    pub const fn is_wanted(&self) -> &Arc<AtomicBool> {
        &self.is_wanted
    }

    /// Nothing more is to be read.
    pub fn close(&self) {
        // Whoever is about to wait holds the lock: nobody misses it.
        let held = self.lock();
        self.is_wanted.store(false, Ordering::Release);
        drop(held);
        self.changed.notify_all();
    }

    /// Locks what came.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Arrivals>> {
        // Nothing can panic while it is locked; if it did, the values would still be whole.
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes, but no longer than `time`.
    pub fn wait<'a>(&self, held: MutexGuard<'a, Vec<Arrivals>>, time: Duration) -> MutexGuard<'a, Vec<Arrivals>> {
        self.changed.wait_timeout(held, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// There is room again.
    pub fn taken(&self) {
        self.changed.notify_all();
    }

    /// The header of the stream at `place` has come.
    pub fn opened(&self, place: usize, host: DisplayText) {
        self.change(place, |stream| stream.host = Some(host));
    }

    /// No more will come of the stream at `place`.
    pub fn ended(&self, place: usize, end: StreamEnd) {
        self.change(place, |stream| stream.end = Some(end));
    }

    /// A sample of the stream at `place` has come. Waits for room; `false` once nobody wants more.
    pub fn put(&self, place: usize, arrival: Arrival) -> bool {
        let mut held = self.lock();
        loop {
            if !self.is_wanted.load(Ordering::Acquire) {
                return false;
            }
            let Some(stream) = held.get_mut(place) else { return false };
            if stream.waiting.len() < WAITING_MAX {
                stream.waiting.push_back(arrival);
                self.changed.notify_all();
                return true;
            }
            held = self.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut Arrivals)) {
        if let Some(stream) = self.lock().get_mut(place) {
            change(stream);
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::model::delta::Delta;

    fn arrival(millis: u64) -> Arrival {
        let at = Timestamp::from_millis(millis);
        let sample = HostSample { delta: Delta { at, ..Delta::default() }, numbers: Arc::default() };
        Arrival { sample, at, wall: WallTime(0), arrived: at, clock_ahead_ms: None }
    }

    #[test]
    fn a_stream_that_is_faster_waits_and_holds_up_nobody_else() {
        let inbox = Arc::new(Inbox::new(2));
        let fast = Arc::clone(&inbox);
        let thread = thread::spawn(move || (0..100).take_while(|nth| fast.put(0, arrival(*nth))).count());
        while inbox.lock()[0].waiting.len() < WAITING_MAX {
            thread::yield_now();
        }
        assert!(inbox.put(1, arrival(7)), "there is room for the other");
        for nth in 0..100 {
            let mut held = inbox.lock();
            while held[0].waiting.is_empty() {
                held = inbox.wait(held, Duration::from_secs(1));
            }
            assert!(held[0].waiting.len() <= WAITING_MAX);
            assert_eq!(held[0].waiting.pop_front().expect("one waits").at, Timestamp::from_millis(nth));
            drop(held);
            inbox.taken();
        }
        assert_eq!(thread.join().expect("it ends"), 100);
    }

    #[test]
    fn a_thread_that_waits_for_room_ends_when_nobody_wants_more() {
        let inbox = Arc::new(Inbox::new(1));
        let fast = Arc::clone(&inbox);
        let thread = thread::spawn(move || (0..100).take_while(|nth| fast.put(0, arrival(*nth))).count());
        while inbox.lock()[0].waiting.len() < WAITING_MAX {
            thread::yield_now();
        }
        inbox.close();
        assert_eq!(thread.join().expect("it ends"), WAITING_MAX);
    }
}
