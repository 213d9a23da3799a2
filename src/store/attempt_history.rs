//! A ledger of attempts: for each program and destination, and for each listener, how many connections were begun, and what
//! became of them, over the last moment, minute and quarter of an hour; and since when none has succeeded.
//!
//! Kept from the transitions of each delta, whoever told of them (the trace, destroy events, samples), so that it does not
//! matter how short each attempt is. What nobody told is not guessed: an attempt that ended and of which nothing tells how
//! counts as such. Without the trace, attempts that live and die between two samples are told by destroy events only, and of
//! those that were refused these keep nothing but the local port ([`AttemptHistory::unplaced`]).

mod port_listeners;
mod record;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::address::{Address, Destination};
use crate::model::delta::{AgeBasis, Transition};
use crate::model::endpoint::Protocol;
use crate::model::facts::Facts;
use crate::model::memory::{TableSize, close_gaps};
use crate::model::outcome::Outcome;
use crate::model::process::{NoProcess, Owner, Process};
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::store::attempt_history::port_listeners::PortListeners;
use crate::store::attempt_history::windows::{AttemptEvent, AttemptRings};
use crate::store::rows::Rows;

pub use crate::store::attempt_history::record::{AttemptRecord, FailedAttempts, PROCESSES_MAX};
pub use crate::store::attempt_history::windows::{AttemptCounts, AttemptSlots, AttemptWindow};

/// The most programs with a destination, and listeners, that are kept apart; more are left out: see [`AttemptHistory::is_full`].
pub const LEDGER_LEN_MAX: usize = 2_048;
/// A connection that is reset within this time of being established was reset early.
pub const EARLY: Duration = Duration::from_secs(1);
/// An entry that is needed for another gives way if nothing was counted in it for so long.
const IDLE: Duration = Duration::from_secs(60);

/// Who makes attempts: a program, whichever of its processes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// By the name of its processes.
    Named(DisplayText),
    /// Not known, for this reason.
    Unknown(NoProcess),
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptKey {
    /// Attempts of a program to connect to a destination.
    To {
        /// Whose.
        program: Program,
        /// Where to.
        to: Destination,
        /// In which network namespace.
        netns: NetnsId,
    },
    /// What came in by a listener.
    On {
        /// The listener; `None` where several listen on the port and nothing tells which it was, or nobody does any more.
        listener: Option<SocketId>,
        /// Its port.
        port: u16,
        /// In which network namespace.
        netns: NetnsId,
    },
}

/// Every entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttemptHistory {
    /// Peers choose addresses, and recordings all of it, so that this table hashes with a secret.
    entries: HashMap<AttemptKey, AttemptRecord>,
    listening: PortListeners,
    /// When the first sample was taken; `None` before it.
    begun: Option<Timestamp>,
    at: Timestamp,
    is_full: bool,
    /// When entries that are idle were last let go of for want of room.
    swept: Timestamp,
    unplaced: AttemptRings,
    /// Attempts that wait for an answer now.
    waiting: HashMap<AttemptKey, u32>,
}

impl AttemptHistory {
    /// The entry of `key`.
    pub fn get(&self, key: &AttemptKey) -> Option<&AttemptRecord> {
        self.entries.get(key)
    }

    /// Every entry, in no order that means anything.
    pub fn entries(&self) -> impl Iterator<Item = (&AttemptKey, &AttemptRecord)> {
        self.entries.iter()
    }

    /// What `entry` counted over `window` up to now.
    pub fn counts(&self, entry: &AttemptRecord, window: AttemptWindow) -> AttemptCounts {
        entry.counts(window, self.at)
    }

    /// What `count` finds of `entry` in each two seconds of the last moment.
    pub fn slots(&self, entry: &AttemptRecord, count: fn(&AttemptCounts) -> u32) -> AttemptSlots {
        entry.slots(self.at, count)
    }

    /// How much of `window` was watched.
    pub fn over(&self, window: AttemptWindow) -> Duration {
        self.begun.map_or(Duration::ZERO, |begun| self.at.since(window.begin(self.at).max(begun)))
    }

    /// How many attempts of `key` wait for an answer now.
    pub fn under_way(&self, key: &AttemptKey) -> u32 {
        self.waiting.get(key).copied().unwrap_or(0)
    }

    /// Ends of which nothing is known but that a socket was connected, or tried to be: neither where to nor by whom.
    pub fn unplaced(&self, window: AttemptWindow) -> u32 {
        let counts = self.unplaced.counts(window, self.at);
        counts.ended_unknown()
    }

    /// Whether something was left out for want of room, so that what is not found need not be idle.
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        let listening = TableSize {
            what: "listeners of the ledger",
            len: self.listening.len(),
            bytes: self.listening.len() * size_of::<(SocketId, u16, NetnsId)>(),
        };
        [TableSize::by("ledger", &self.entries), listening]
    }

    /// Takes note of a row that is new or has changed.
    pub(super) fn see(&mut self, socket: &Socket) {
        self.listening.see(socket);
    }

    /// Counts what a sample at `at` told.
    pub(super) fn push(&mut self, at: Timestamp, transitions: &[Transition], facts: &Facts) {
        self.begun.get_or_insert(at);
        self.at = at;
        for transition in transitions.iter().filter(|transition| transition.protocol == Protocol::Tcp) {
            if transition.remote.port == 0 {
                if transition.outcome() == Some(Outcome::Unknown) {
                    self.unplaced.add(at, AttemptEvent::EndedUnknown);
                }
                continue;
            }
            let kinds = kinds_of(transition);
            if kinds.iter().all(Option::is_none) {
                continue;
            }
            let key = self.key_of(transition, facts);
            let is_probe = matches!(key, AttemptKey::On { .. }) && has_moved_nothing(transition);
            let Some(entry) = self.entry(key) else { continue };
            for kind in kinds.into_iter().flatten() {
                // Health checks reset what they have opened before any byte has moved: that is no trouble.
                let kind =
                    if is_probe && kind == AttemptEvent::ResetEarly { AttemptEvent::ResetOtherwise } else { kind };
                entry.count(kind, transition, at);
            }
        }
        // What a listener took just before it was closed is told with its end.
        let is_end = |transition: &&Transition| transition.to.is_none() && transition.from == Some(TcpState::Listen);
        transitions.iter().filter(is_end).for_each(|transition| self.listening.forget(transition.id));
    }

    /// Counts the attempts of `rows` that wait for an answer now: not those that the last sample did not list, which
    /// `is_unlisted` tells. One pass over the suspects.
    pub(super) fn note_under_way(&mut self, rows: &Rows, is_unlisted: impl Fn(SocketId) -> bool) {
        self.waiting.clear();
        for socket in rows.suspects().iter().filter_map(|index| rows.get(index)).map(|row| &row.connection.socket) {
            let waits = socket.state == TcpState::SynSent && socket.protocol == Protocol::Tcp;
            if !waits || is_unlisted(socket.id) {
                continue;
            }
            let process = socket.owner.holders().and_then(|holders| holders.all().first());
            let key = to(&socket.owner, process, socket.destination(), socket.id.netns());
            if self.waiting.len() < LEDGER_LEN_MAX || self.waiting.contains_key(&key) {
                *self.waiting.entry(key).or_default() += 1;
            }
        }
    }

    /// The entry of `key`; `None` where there is no room for it.
    fn entry(&mut self, key: AttemptKey) -> Option<&mut AttemptRecord> {
        let at = self.at;
        if self.entries.len() >= LEDGER_LEN_MAX && !self.entries.contains_key(&key) {
            self.sweep();
            if self.entries.len() >= LEDGER_LEN_MAX {
                self.is_full = true;
                return None;
            }
        }
        close_gaps(&mut self.entries);
        Some(self.entries.entry(key).or_insert_with(|| AttemptRecord::new(at)))
    }

    /// Lets go of what is idle, at most once a second.
    fn sweep(&mut self) {
        let now = self.at;
        if now.since(self.swept) < Duration::from_secs(1) {
            return;
        }
        self.swept = now;
        self.entries.retain(|_, entry| now.since(entry.last_active()) <= IDLE);
        self.is_full = false;
    }

    /// Which entry `transition` belongs to. Who sends a SYN is the client, and who gets one the server; of connections of which
    /// that was not seen the ports tell.
    fn key_of(&self, transition: &Transition, facts: &Facts) -> AttemptKey {
        let states = [transition.from, transition.to];
        let (socket, netns) = (transition.socket(), transition.id.netns());
        let is_in = |state| states.contains(&Some(state));
        let listener = self.listening.of(transition);
        let is_ephemeral = |port| facts.ephemeral_ports.is_none_or(|range| range.contains(port));
        let is_server = || is_ephemeral(socket.remote.port) && !is_ephemeral(socket.local.port);
        let came_in = is_in(TcpState::SynRecv) || (!is_in(TcpState::SynSent) && (listener.is_anybody() || is_server()));
        if came_in {
            return AttemptKey::On { listener: listener.one(), port: socket.local.port, netns };
        }
        let address = Address::new(socket.remote.addr, socket.interface);
        let process = transition.owner.holders().and_then(|holders| holders.all().first());
        to(&transition.owner, process, Destination { address, port: socket.remote.port }, netns)
    }
}

fn to(owner: &Owner, process: Option<&Arc<Process>>, to: Destination, netns: NetnsId) -> AttemptKey {
    let program = match process {
        Some(process) => Program::Named(process.name.clone()),
        None => Program::Unknown(owner.no_process().unwrap_or(NoProcess::None)),
    };
    AttemptKey::To { program, to, netns }
}

/// What `transition` counts as. One that was first seen late is several things at once.
fn kinds_of(transition: &Transition) -> [Option<AttemptEvent>; 3] {
    use TcpState::{Bound, Close, Established, Listen, SynRecv, SynSent, TimeWait, Unconn};
    let Transition { from, to, .. } = *transition;
    if matches!(from.or(to), None | Some(Listen | Bound | Close | Unconn)) {
        return [None; 3];
    }
    let is_attempt = matches!(from, None | Some(SynSent | SynRecv));
    let is_waiting = matches!(to, Some(SynSent | SynRecv));
    let begins = from.is_none() && to.is_some();
    let succeeds = is_attempt && !is_waiting && to.is_some_and(|to| !matches!(to, Listen | Bound | Close | Unconn));
    let ends = match to {
        Some(TimeWait) => Some(AttemptEvent::ClosedHere),
        Some(_) => None,
        None => ending(transition, from.unwrap_or(Established)),
    };
    [begins.then_some(AttemptEvent::Begun), succeeds.then_some(AttemptEvent::Succeeded), ends]
}

/// What the end of a connection, or of an attempt, in the state `from` counts as.
fn ending(transition: &Transition, from: TcpState) -> Option<AttemptEvent> {
    use TcpState::{CloseWait, Established, LastAck, SynRecv, SynSent, TimeWait};
    let outcome = transition.outcome()?;
    let is_early = from == Established && transition.lasted.is_some_and(is_short);
    Some(match (from, outcome) {
        // It was counted when it came into TIME_WAIT.
        (TimeWait, _) => return None,
        (SynSent | SynRecv, Outcome::Refused | Outcome::Reset) => AttemptEvent::Refused,
        (SynSent | SynRecv, Outcome::TimedOut) => AttemptEvent::TimedOut,
        (SynSent, Outcome::GivenUp) => AttemptEvent::GivenUp,
        (SynSent | SynRecv, Outcome::Unreachable) => AttemptEvent::Unreachable,
        (SynSent | SynRecv, _) => AttemptEvent::FailedUnknown,
        (LastAck | CloseWait, Outcome::Closed) => AttemptEvent::ClosedByPeer,
        (_, Outcome::Closed) => AttemptEvent::ClosedHere,
        (_, Outcome::Reset) if is_early => AttemptEvent::ResetEarly,
        (_, Outcome::ResetHere) if is_early => AttemptEvent::ResetEarlyHere,
        (_, Outcome::Unknown | Outcome::Refused | Outcome::GivenUp) => AttemptEvent::EndedUnknown,
        (_, Outcome::Reset | Outcome::ResetHere | Outcome::TimedOut | Outcome::Unreachable | Outcome::Aborted) => {
            AttemptEvent::ResetOtherwise
        }
    })
}

/// Whether it is known that no payload went over the connection.
fn has_moved_nothing(transition: &Transition) -> bool {
    let bytes = transition.final_counters.and_then(|last| last.bytes);
    bytes.is_some_and(|bytes| bytes.received() == 0 && bytes.sent() == 0)
}

/// Whether a state surely lasted no longer than [`EARLY`].
fn is_short((lasted, basis): (Duration, AgeBasis)) -> bool {
    basis != AgeBasis::AtLeast && lasted <= EARLY
}
