//! Connections that have ended: the last ones, each as it was last seen, with how it ended as far as the kernel told.
//!
//! A connection in `TIME_WAIT` has ended: both sides have closed it, and only the kernel still remembers it. That the wait is
//! over is no end of a connection.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::delta::{AgeBasis, Connection, EventSource, ObservedSocket, Transition};
use crate::model::memory::TableSize;
use crate::model::outcome::Outcome;
use crate::model::process::{Owner, Process, ProcessId};
use crate::model::socket::SocketId;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::model::time::{CompactTimestamp, Timestamp};
use crate::store::row::{Mark, SocketRow};
use crate::store::rows::Rows;

/// So many connections are kept at most.
pub const CLOSED_LEN_MAX: usize = 5_000;
/// So much memory they may take at most, with what they point to, in bytes. Names and command lines that several of them share
/// are counted for each.
pub const CLOSED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So many closes and kills of the user are remembered, until the ends that they lead to are told.
const ACTS_MAX: usize = 1_024;
/// What a process that was killed leaves is gone within this time.
const KILL_TIME: Duration = Duration::from_secs(30);

/// What the user did by conntop that ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAct {
    /// Its process was sent a signal, and ended.
    Killed,
    /// The socket was closed.
    Closed,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// By what the user did.
    ByUser(UserAct),
    /// As the kernel told, or its last state proves; [`Outcome::Unknown`] where nothing tells.
    Told(Outcome),
}

impl CloseReason {
    /// In a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ByUser(UserAct::Killed) => "killed by conntop",
            Self::ByUser(UserAct::Closed) => "closed by conntop",
            Self::Told(Outcome::Closed) => "closed (FIN)",
            Self::Told(Outcome::Refused) => "refused",
            Self::Told(Outcome::TimedOut) => "timed out",
            Self::Told(Outcome::GivenUp) => "gave up",
            Self::Told(Outcome::Unreachable) => "unreachable",
            Self::Told(Outcome::Reset) => "reset by peer",
            Self::Told(Outcome::ResetHere) => "reset here",
            Self::Told(Outcome::Aborted) => "closed from outside",
            Self::Told(Outcome::Unknown) => "reason not known",
        }
    }
}

/// What a connection had come to at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastCounters {
    /// Payload received and sent; `None` where nobody counted it.
    pub bytes: Option<ByteCounts>,
    /// Segments sent again; `None` where nobody counted them.
    pub retransmits: Option<u32>,
    /// Whether the kernel told these numbers at the end; else they are of the last sample that showed the connection, and may have
    /// grown since.
    pub is_final: bool,
}

/// A connection that has ended.
#[derive(Clone, Debug)]
pub struct ClosedConnection {
    /// Its end, or the step into `TIME_WAIT`.
    pub end: Transition,
    /// As last seen before that; `None` if no sample has shown it.
    pub last: Option<Connection>,
    /// How long it was there, and how that is known; `None` where nothing says.
    pub lifetime: Option<(Duration, AgeBasis)>,
    /// What the user did that ended it.
    pub act: Option<UserAct>,
}

impl ClosedConnection {
    /// How it ended.
    pub fn reason(&self) -> CloseReason {
        match (self.act, self.end.to) {
            (Some(act), _) => CloseReason::ByUser(act),
            // Nothing else leads there than a FIN from both sides.
            (None, Some(_)) => CloseReason::Told(Outcome::Closed),
            (None, None) => CloseReason::Told(self.end.outcome().unwrap_or(Outcome::Unknown)),
        }
    }

    /// What it had come to.
    pub fn counters(&self) -> LastCounters {
        if let Some(last) = self.end.final_counters {
            return LastCounters { bytes: last.bytes, retransmits: Some(last.retransmits_total), is_final: true };
        }
        let info = self.last.as_ref().and_then(|last| last.socket.tcp.as_ref());
        LastCounters {
            bytes: info.and_then(|info| info.bytes),
            retransmits: info.map(|info| info.retransmits_total),
            is_final: false,
        }
    }

    /// Its row, as it would have stood in the table of connections when it ended.
    pub fn row(&self) -> SocketRow {
        let mut row = match &self.last {
            Some(connection) => SocketRow { connection: connection.clone(), mark: None },
            None => SocketRow::unseen(&self.end),
        };
        row.mark = Some(Mark::Closed(CompactTimestamp::from(self.end.at)));
        row
    }

    /// The memory that it takes, with what it points to as if that were its own.
    fn bytes(&self) -> usize {
        let process =
            |process: &Process| size_of::<Process>() + process.name.as_str().len() + process.command.as_str().len();
        let owners = |owner: &Owner| {
            owner.holders().map_or(0, |holders| holders.all().iter().map(|holder| process(holder)).sum::<usize>())
        };
        let last = self.last.as_ref().map_or(0, |last| size_of::<ObservedSocket>() + owners(&last.socket.owner));
        size_of::<Self>() + last + owners(&self.end.owner)
    }
}

/// The last connections that have ended, each with its number since the start.
#[derive(Debug, Default)]
pub struct ClosedHistory {
    entries: VecDeque<ClosedConnection>,
    /// The numbers of the entries, by the identity of their socket.
    numbers: FxHashMap<SocketId, u64>,
    /// How many there were in all.
    total: u64,
    bytes: usize,
    /// Sockets that the user closed and whose end was not told yet.
    closes: VecDeque<SocketId>,
    /// Processes that ended by a signal of the user: when it was sent, and that they ended.
    kills: VecDeque<(ProcessId, Timestamp)>,
}

impl ClosedHistory {
    /// The entries that are kept, oldest first; the last one has the number [`total`](Self::total) - 1.
    pub const fn entries(&self) -> &VecDeque<ClosedConnection> {
        &self.entries
    }

    /// How many connections have ended in all; those that [`entries`](Self::entries) lacks were dropped as the oldest.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The end of the socket `id`, while it is kept.
    pub fn find(&self, id: SocketId) -> Option<&ClosedConnection> {
        self.entries.get(self.place(*self.numbers.get(&id)?)?)
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.total - self.entries.len() as u64)?).ok()
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        let entries = TableSize { what: "closed connections", len: self.entries.len(), bytes: self.bytes };
        [entries, TableSize::by("numbers of closed connections", &self.numbers)]
    }

    /// Takes in the ends among `transitions`. `rows` still has the rows of what ended, and `before_wait` the connections as they
    /// were before they came into `TIME_WAIT`; what was there at the first sample, taken at `first`, may be older.
    pub(super) fn take(
        &mut self,
        transitions: &[Transition],
        rows: &Rows,
        before_wait: &[Connection],
        first: Timestamp,
    ) {
        let mut opened = FxHashMap::default();
        for transition in transitions.iter().filter(|transition| transition.is_opening()) {
            opened.insert(transition.id, (transition.at, transition.source));
        }
        let before_wait: FxHashMap<SocketId, &Connection> =
            before_wait.iter().map(|connection| (connection.socket.id, connection)).collect();
        for end in transitions.iter().filter(|transition| is_end(transition)) {
            let row = || rows.get(rows.find(end.id)?).filter(|row| row.is_closed());
            let last = before_wait.get(&end.id).copied().cloned().or_else(|| Some(row()?.connection.clone()));
            let lifetime = lifetime(end, last.as_ref(), opened.get(&end.id).copied(), first);
            self.push(ClosedConnection { end: end.clone(), last, lifetime, act: None });
        }
    }

    fn push(&mut self, mut closed: ClosedConnection) {
        let id = closed.end.id;
        // The kernel tells of the end of a full socket that is in TIME_WAIT already.
        if id.cookie().is_some() && self.numbers.contains_key(&id) {
            return;
        }
        closed.act = self.act_on(&closed);
        self.bytes += closed.bytes();
        self.entries.push_back(closed);
        self.numbers.insert(id, self.total);
        self.total += 1;
        while self.entries.len() > CLOSED_LEN_MAX || self.bytes > CLOSED_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            let number = self.total - self.entries.len() as u64 - 1;
            if self.numbers.get(&oldest.end.id) == Some(&number) {
                self.numbers.remove(&oldest.end.id);
            }
        }
    }

    /// What the user did that led to this end.
    fn act_on(&mut self, closed: &ClosedConnection) -> Option<UserAct> {
        if let Some(place) = self.closes.iter().position(|id| *id == closed.end.id) {
            self.closes.remove(place);
            return Some(UserAct::Closed);
        }
        let is_its = |(process, sent): &(ProcessId, Timestamp)| was_killed(closed, *process, *sent);
        self.kills.iter().any(is_its).then_some(UserAct::Killed)
    }

    /// The user closed the socket `id`.
    pub(super) fn note_close(&mut self, id: SocketId) {
        let place = self.numbers.get(&id).and_then(|number| self.place(*number));
        if let Some(closed) = place.and_then(|place| self.entries.get_mut(place)) {
            closed.act = Some(UserAct::Closed);
            return;
        }
        if self.closes.len() >= ACTS_MAX {
            self.closes.pop_front();
        }
        self.closes.push_back(id);
    }

    /// `process` ended after the user had sent it a signal; `sent` is not later than that. Ends before and after this are meant.
    pub(super) fn note_kill(&mut self, process: ProcessId, sent: Timestamp) {
        for closed in self.entries.iter_mut().rev().take_while(|closed| closed.end.at >= sent) {
            if was_killed(closed, process, sent) {
                closed.act = Some(UserAct::Killed);
            }
        }
        if self.kills.len() >= ACTS_MAX {
            self.kills.pop_front();
        }
        self.kills.push_back((process, sent));
    }
}

/// Whether the connection ended with `process`, which was sent a signal at `sent` and ended.
fn was_killed(closed: &ClosedConnection, process: ProcessId, sent: Timestamp) -> bool {
    let owners = [Some(&closed.end.owner), closed.last.as_ref().map(|last| &last.socket.owner)];
    let mut holders = owners.into_iter().flatten().filter_map(Owner::holders).flat_map(|holders| holders.all());
    let at = closed.end.at;
    at >= sent && at.since(sent) <= KILL_TIME && holders.any(|holder| holder.id == process)
}

/// Whether a connection, or an attempt at one, ended by `transition`.
fn is_end(transition: &Transition) -> bool {
    let was_waiting = transition.from == Some(TcpState::TimeWait);
    let is_over = transition.to.map_or_else(|| transition.outcome().is_some(), |to| to == TcpState::TimeWait);
    is_over && !was_waiting
}

fn lifetime(
    end: &Transition,
    last: Option<&Connection>,
    opened: Option<(Timestamp, EventSource)>,
    first: Timestamp,
) -> Option<(Duration, AgeBasis)> {
    match (opened, last) {
        (Some((at, EventSource::Tracepoint)), _) => Some((end.at.since(at), AgeBasis::Kernel)),
        // What was opened between two samples is as old as they say.
        (_, Some(last)) if last.first_seen > first => Some((end.at.since(last.first_seen), AgeBasis::Observed)),
        (_, Some(last)) => Some((end.at.since(last.first_seen), AgeBasis::AtLeast)),
        (_, None) => end.lasted,
    }
}

#[cfg(test)]
mod tests;
