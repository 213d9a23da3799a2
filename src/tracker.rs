//! Snapshots in, deltas out: identity, transitions, clocks of states, the remembered owner.
//!
//! Reads no clock: all times come from the snapshots, so that a recording tracks exactly as it did live.

pub mod clocks;
mod entry;
mod identity;
mod owner_memory;

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use crate::model::coverage::Coverage;
use crate::model::delta::{AgeBasis, Connection, Delta, Removed, Since, Transition};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::snapshot::Snapshot;
use crate::model::socket::{NetnsId, Socket};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::tracker::entry::Entry;
use crate::tracker::identity::Directory;

/// How far apart two reports of one past moment may be and still mean the same: the kernel counts "so long ago" in
/// jiffies of up to 10 ms, from the moment at which it reads the row.
pub const JITTER: Duration = Duration::from_millis(50);

/// The most that a slow dump, in which rows are read long after its begin, adds to [`JITTER`].
pub const DUMP_JITTER_MAX: Duration = Duration::from_secs(1);

/// Remembers the last sample and says what the next one changes.
#[derive(Debug, Default)]
pub struct Tracker {
    directory: Directory,
    generation: u32,
    /// When the last sample was taken, and the one before it.
    seen: Option<(Timestamp, Timestamp)>,
    coverage: Arc<Coverage>,
}

/// What one update works with.
#[derive(Debug)]
struct Round {
    at: Timestamp,
    generation: u32,
    first: bool,
    /// When the last sample was taken, and the one before it.
    seen: (Timestamp, Timestamp),
    tolerance: Duration,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `snapshot` changes. The first one only adds: nothing is reported as opened.
    ///
    /// A socket that is missing stays until a second sample misses it too; its end is then dated to the first one.
    /// Without cookies, a tuple that another connection uses stands in `changed`, with a later `first_seen`; its
    /// transitions say that one was closed and one opened.
    pub fn update(&mut self, snapshot: &Snapshot) -> Delta {
        let round = self.begin(snapshot);
        let mut delta = self.delta(snapshot);
        let mut met = 0;
        for socket in &snapshot.sockets {
            let Some(slot) = self.directory.find(socket.id) else {
                self.directory.insert(add(socket, &round, &mut delta));
                continue;
            };
            let entry = self.directory.entry(slot);
            if entry.generation == round.generation {
                // Listed twice, as a dump does that the table changed under.
                continue;
            }
            if !entry.is_same(socket, &round) {
                change(entry, socket, &round, &mut delta);
            }
            entry.generation = round.generation;
            self.directory.keep(slot);
            met += 1;
        }
        if met < self.directory.len_of_last() {
            self.miss(&round, &mut delta);
        }
        self.directory.finish();
        self.seen = Some((round.at, round.seen.0));
        delta
    }

    fn begin(&mut self, snapshot: &Snapshot) -> Round {
        self.generation = self.generation.wrapping_add(1);
        self.directory.begin(snapshot.sockets.len());
        Round {
            at: snapshot.at,
            generation: self.generation,
            first: self.seen.is_none(),
            seen: self.seen.unwrap_or((snapshot.at, snapshot.at)),
            tolerance: JITTER + snapshot.took.min(DUMP_JITTER_MAX),
        }
    }

    fn delta(&mut self, snapshot: &Snapshot) -> Delta {
        let added = if self.seen.is_none() { snapshot.sockets.len() } else { 0 };
        if *self.coverage != snapshot.coverage {
            self.coverage = Arc::new(snapshot.coverage.clone());
        }
        Delta {
            at: snapshot.at,
            wall: snapshot.wall,
            took: snapshot.took,
            coverage: Arc::clone(&self.coverage),
            names: Arc::clone(&snapshot.names),
            usage: snapshot.usage.clone(),
            details: snapshot.details.clone(),
            added: Vec::with_capacity(added),
            ..Delta::default()
        }
    }

    /// Deals with the sockets that the sample did not list. A dump is not atomic: the kernel can step over a socket
    /// while its neighbours come and go. So one that is missing stays until a second sample does not list it either.
    /// Only two ways to be gone are certain at once: its `TIME_WAIT` is over, or another connection has its tuple.
    fn miss(&mut self, round: &Round, delta: &mut Delta) {
        let taken = taken_over(delta);
        for nth in 0..self.directory.len_of_last() {
            let Some(slot) = self.directory.nth_of_last(nth) else { break };
            let entry = self.directory.entry(slot);
            if entry.generation == round.generation {
                continue;
            }
            let expired = entry.time_wait_ends().filter(|&end| end <= round.at);
            let at = if entry.generation != round.generation.wrapping_sub(1) {
                round.seen.0
            } else if expired.is_some() || tuple(entry).is_some_and(|tuple| taken.contains(&tuple)) {
                round.at
            } else {
                self.directory.keep(slot);
                continue;
            };
            delta.removed.push(Removed { id: entry.id, at });
            let end = expired.map_or(Since { at, basis: AgeBasis::Observed }, exactly);
            delta.transitions.push(closed(entry, at, end));
            self.directory.remove(slot);
        }
    }
}

impl Round {
    /// When the sample `generation` was taken; only the last two are remembered, as no socket is missing for longer.
    const fn seen_at(&self, generation: u32) -> Timestamp {
        if generation == self.generation.wrapping_sub(1) { self.seen.0 } else { self.seen.1 }
    }
}

/// What a new tracker says of `snapshot`, if it will not be shown a second one: nothing need be remembered, nor copied.
pub fn once(snapshot: Snapshot) -> Delta {
    let at = snapshot.at;
    let first = |socket: Socket| {
        let state_since = clocks::at_first_sight(&socket, at);
        Connection { socket, state_since, first_seen: at, rates: None }
    };
    let mut seen = FxHashSet::default();
    seen.reserve(snapshot.sockets.len());
    Delta {
        at,
        wall: snapshot.wall,
        took: snapshot.took,
        coverage: Arc::new(snapshot.coverage),
        names: snapshot.names,
        usage: snapshot.usage,
        details: snapshot.details,
        added: snapshot.sockets.into_iter().filter(|socket| seen.insert(socket.id)).map(first).collect(),
        ..Delta::default()
    }
}

fn add(socket: &Socket, round: &Round, delta: &mut Delta) -> Entry {
    let since = if round.first {
        clocks::at_first_sight(socket, round.at)
    } else {
        Some(clocks::seen_opened(socket, round.seen.0, round.at))
    };
    let entry = Entry::new(socket, since, round);
    if !round.first {
        delta.transitions.push(opened(&entry, round.at));
    }
    delta.added.push(entry.row(socket.clone()));
    entry
}

fn change(entry: &mut Entry, socket: &Socket, round: &Round, delta: &mut Delta) {
    let entered = || clocks::seen_entering(socket, round.seen_at(entry.generation), round.at);
    if identity::is_another_connection(entry, socket) {
        let end = Since { at: round.at, basis: AgeBasis::Observed };
        delta.transitions.push(closed(entry, round.at, end));
        *entry = Entry::new(socket, Some(entered()), round);
        delta.transitions.push(opened(entry, round.at));
        delta.changed.push(entry.row(socket.clone()));
    } else if entry.state == socket.state {
        let connection = entry.renew(socket, entry.since(), round);
        delta.changed.push(connection);
    } else {
        let since = entered();
        let mut transition = entry.transition(Some(socket.state), round.at);
        transition.lasted = Some(clocks::lasted(begin(entry), since));
        transition.skipped = socket.protocol == Protocol::Tcp && !entry.state.leads_to(socket.state);
        let connection = entry.renew(socket, Some(since), round);
        transition.owner = entry.owner.clone();
        delta.transitions.push(transition);
        delta.changed.push(connection);
    }
}

/// Since when the entry is in its state; where nothing says, it is at least since it was first seen.
fn begin(entry: &Entry) -> Since {
    entry.since().unwrap_or(Since { at: entry.first_seen, basis: AgeBasis::AtLeast })
}

const fn exactly(at: Timestamp) -> Since {
    Since { at, basis: AgeBasis::Kernel }
}

/// A handshake is part of opening; a socket that is first seen past `ESTABLISHED` has skipped states.
fn opened(entry: &Entry, at: Timestamp) -> Transition {
    use TcpState::{Close, Established, Listen, SynRecv, SynSent, Unconn};
    let begins = matches!(entry.state, Listen | SynSent | SynRecv | Established | Unconn | Close);
    Transition { from: None, skipped: !begins, ..entry.transition(Some(entry.state), at) }
}

/// Never skipped: a reset or a time-out ends a connection in any state.
fn closed(entry: &Entry, at: Timestamp, end: Since) -> Transition {
    Transition { lasted: Some(clocks::lasted(begin(entry), end)), ..entry.transition(None, at) }
}

/// A connected TCP tuple, which the kernel gives to one socket at a time (on one interface).
type Tuple = (Endpoint, Endpoint, NetnsId);

fn tuple(entry: &Entry) -> Option<Tuple> {
    let unique = entry.protocol == Protocol::Tcp && !entry.has_interface;
    unique.then_some((entry.local, entry.remote, entry.id.netns()))
}

/// The tuples of the connections that are new in `delta`.
fn taken_over(delta: &Delta) -> FxHashSet<Tuple> {
    let sockets = delta.added.iter().map(|connection| &connection.socket);
    let connected = sockets
        .filter(|socket| socket.protocol == Protocol::Tcp && !socket.remote.is_unset() && socket.interface.is_none());
    connected.map(|socket| (socket.local, socket.remote, socket.id.netns())).collect()
}

#[cfg(test)]
mod tests;
