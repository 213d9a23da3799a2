//! Whether what waits in the queues of connections moves: what is remembered of each from evaluation to evaluation. Bounded.
//!
//! What a process has read is what was received less what is in the receive queue; what a peer has taken is what it has
//! acknowledged. Where bytes are not counted, a queue that stays exactly the same stands in.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::delta::{AgeBasis, Since};
use crate::model::memory::{TableSize, close_gaps};
use crate::model::socket::{SocketId, TimerKind};
use crate::model::tcp_info::ByteCounts;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::store::tally::{UNREAD_MIN, UNTAKEN_MIN};

/// The most queues that are remembered; of more nothing is said.
pub(super) const WATCHED_QUEUES_MAX: usize = 16_384;
/// How fast something moves is measured over this time, and up to twice as long.
const RATE_OVER: Duration = Duration::from_secs(2 * 60);
/// A queue that was not seen for so long is another one when it is back: a sample may miss a row.
const FORGET_AFTER: Duration = Duration::from_secs(5);
/// What moves in steps stands still only when it has not moved for so many of its longest pauses.
const PAUSES: u32 = 3;

/// A queue has a rate once it was seen so often. Of one that was seen twice, a minute apart, nothing says that it was not
/// empty between.
const SIGHTS_MIN: u32 = 5;

/// Which queue of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Queue {
    /// Received, for our process to read.
    Receive,
    /// Sent, for the peer to take.
    Send,
}

/// What is known of a queue that was watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum QueueProgress {
    /// It was seen at one moment only.
    Unknown,
    /// Nothing has moved since then.
    Still(Since),
    /// Something moves, or has moved a moment ago: so many bytes per second (`None` where they are not counted, or it was
    /// seen too seldom), over that time.
    Moving(Option<f64>, Duration),
}

/// One queue over time.
#[derive(Clone, Copy, Debug)]
struct WatchedQueue {
    /// Since when it is watched.
    since: Timestamp,
    /// How much had moved at the begin of the time over which the rate is measured, and at some moment after it.
    marks: [(Timestamp, u64); 2],
    /// How much has moved, and since when it is that much.
    moved: (Timestamp, u64),
    /// The longest time between two moves; `None` until it has moved.
    pause: Option<Duration>,
    /// Of which moment what is known is.
    known_at: Timestamp,
    /// The last evaluation that saw it.
    seen: Timestamp,
    /// At how many moments it was seen.
    sights: u32,
    /// How much waits.
    waits: u32,
    is_counted: bool,
    /// When the window of the peer was last seen closed.
    closed: Option<Timestamp>,
}

/// What one evaluation sees of a queue.
#[derive(Clone, Copy, Debug)]
struct QueueSample {
    now: Timestamp,
    known_at: Timestamp,
    /// Bytes that have moved since the connection began; `None` where they are not counted.
    moved: Option<u64>,
    waits: u32,
    is_closed: bool,
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct WatchedQueues {
    watched: FxHashMap<(SocketId, Queue), WatchedQueue>,
    /// When the last finished evaluation was.
    looked: Timestamp,
}

impl WatchedQueues {
    /// Takes in the queues of `row`.
    pub(super) fn note(&mut self, store: &Store, row: &SocketRow) {
        let socket = &row.connection.socket;
        let Some(queues) = socket.queues else { return };
        let counts = socket.tcp.and_then(|tcp| tcp.bytes);
        let sight =
            QueueSample { now: store.at(), known_at: store.known_at(socket), moved: None, waits: 0, is_closed: false };
        if queues.receive >= UNREAD_MIN {
            let moved = counts.map(|bytes| bytes.received().saturating_sub(queues.receive.into()));
            self.note_queue((socket.id, Queue::Receive), QueueSample { moved, waits: queues.receive, ..sight });
        }
        if let Some(waits) = queues.send.filter(|send| *send >= UNTAKEN_MIN) {
            let is_closed = socket.timer.is_some_and(|timer| timer.kind == TimerKind::ZeroWindow);
            let moved = counts.map(ByteCounts::sent);
            self.note_queue((socket.id, Queue::Send), QueueSample { moved, waits, is_closed, ..sight });
        }
    }

    fn note_queue(&mut self, key: (SocketId, Queue), sight: QueueSample) {
        let before = self.watched.get(&key).filter(|before| self.looked.since(before.seen) <= FORGET_AFTER);
        let watched = match before {
            Some(before) => before.then(sight),
            None if self.watched.len() < WATCHED_QUEUES_MAX || self.watched.contains_key(&key) => {
                WatchedQueue::first(sight)
            }
            None => return,
        };
        close_gaps(&mut self.watched);
        self.watched.insert(key, watched);
    }

    /// How `queue` of the connection `id` moves. What has moved while it was watched counts as still once it has not for
    /// `calm`, and for much longer than ever before.
    pub(super) fn of(&self, id: SocketId, queue: Queue, calm: Duration) -> QueueProgress {
        self.watched.get(&(id, queue)).map_or(QueueProgress::Unknown, |watched| watched.flow(calm))
    }

    /// When the window of the peer was last seen closed.
    pub(super) fn closed_at(&self, id: SocketId) -> Option<Timestamp> {
        self.watched.get(&(id, Queue::Send))?.closed
    }

    /// Since when a queue has been watched, without a break in which little waited.
    pub(super) fn watched_since(&self, id: SocketId, queue: Queue) -> Option<Timestamp> {
        self.watched.get(&(id, queue)).map(|watched| watched.since)
    }

    /// An evaluation has ended: what it has not seen is forgotten.
    pub(super) fn finish(&mut self, now: Timestamp) {
        self.looked = now;
        self.watched.retain(|_, watched| now.since(watched.seen) <= FORGET_AFTER);
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> TableSize {
        TableSize::by("watched queues", &self.watched)
    }
}

impl WatchedQueue {
    fn first(sight: QueueSample) -> Self {
        let (at, moved) = (sight.known_at, sight.moved.unwrap_or(0));
        Self {
            since: at,
            marks: [(at, moved); 2],
            moved: (at, moved),
            pause: None,
            known_at: at,
            seen: sight.now,
            sights: 1,
            waits: sight.waits,
            is_counted: sight.moved.is_some(),
            closed: sight.is_closed.then_some(at),
        }
    }

    fn then(self, sight: QueueSample) -> Self {
        // What is not counted has moved where another number of bytes waits.
        let moved = sight.moved.unwrap_or(self.moved.1 + u64::from(sight.waits != self.waits));
        if moved < self.moved.1 || sight.moved.is_some() != self.is_counted {
            return Self::first(sight);
        }
        let mut next = Self { seen: sight.now, waits: sight.waits, ..self };
        next.known_at = self.known_at.max(sight.known_at);
        next.sights = self.sights.saturating_add(u32::from(sight.known_at > self.known_at));
        if moved > self.moved.1 {
            // A row that was looked up by itself is newer than the last sample that lists all.
            next.moved = (sight.now, moved);
            next.known_at = sight.now;
            next.pause = self.pause.max(Some(sight.now.since(self.moved.0)));
        }
        if next.known_at.since(self.marks[1].0) >= RATE_OVER {
            next.marks = [self.marks[1], (next.known_at, moved)];
        }
        if sight.is_closed {
            next.closed = Some(sight.known_at);
        }
        next
    }

    fn flow(&self, calm: Duration) -> QueueProgress {
        let (at, still) = (self.moved.0, self.known_at.since(self.moved.0));
        match self.pause {
            None if still.is_zero() => QueueProgress::Unknown,
            None => QueueProgress::Still(Since { at, basis: AgeBasis::AtLeast }),
            Some(pause) if still >= calm.max(pause.saturating_mul(PAUSES)) => {
                QueueProgress::Still(Since { at, basis: AgeBasis::Observed })
            }
            Some(_) => QueueProgress::Moving(self.rate(), self.known_at.since(self.marks[0].0)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    fn rate(&self) -> Option<f64> {
        let (from, moved) = self.marks[0];
        let seconds = self.known_at.since(from).as_secs_f64();
        let is_known = self.is_counted && self.sights >= SIGHTS_MIN && seconds > 0.0;
        is_known.then(|| self.moved.1.saturating_sub(moved) as f64 / seconds)
    }
}
