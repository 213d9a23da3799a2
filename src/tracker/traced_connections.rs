//! What the tracepoint `sock:inet_sock_set_state` adds to the samples: the changes of state between two samples, joined to
//! one traced connection per socket, and matched with the connections that samples and destroy events show.
//!
//! The tracepoint names no network namespace. A traced connection is believed to be a tracked one only if no other traced
//! connection with its endpoints existed at the same time, and if its changes lead from the state in the last sample to the
//! state in this one. All other transitions are reported as the samples show them. Where the process that made a change is
//! known, so is its namespace, and traced connections of other namespaces are left out.
//!
//! Some steps are missing without being counted as lost: perf writes no record while some tasks of the system run (seen on
//! Linux 6.18 with a thread of the machine's first process), and a packet or a timer may be handled just then. What comes
//! before such a hole is true all the same.

mod emptied;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::model::endpoint::{EndpointPair, Protocol};
use crate::model::event::{Caller, CloseError, Events, TracedStateChange};
use crate::model::memory::{TableSize, give_back};
use crate::model::outcome::EndReport;
use crate::model::process::{Holders, Owner};
use crate::model::socket::{NetnsId, Socket};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::tracker::SampleContext;
use crate::tracker::entry::TrackedSocket;

/// The most traced connections that wait for a sample to show them; changes of more count as lost.
pub const TRACED_MAX: usize = 65_536;
/// The most changes of one traced connection; six are usual.
pub const STEPS_PER_CONNECTION_MAX: usize = 16;
/// How often the same endpoints are used within one sample, at most, for their traced connections to be distinguished.
pub const REUSES_MAX: usize = 8;

/// How long a traced connection that is over waits for the end of its socket to be reported: a process may keep the
/// descriptor of a connect that failed.
const KEPT: Duration = Duration::from_secs(8);
/// The most traced connections that wait for the end of their socket; of more, none waits longer than for one sample.
const KEPT_MAX: usize = 4_096;

/// After a burst, the table of traced connections that go on keeps room for so many.
const OPEN_KEPT: usize = 4_096;

/// Where the changes of `socket` are reported; `None` for what the trace does not report: an MPTCP connection has the endpoints
/// of its first subflow, and the steps there are the subflow's.
fn place_of(socket: &Socket) -> Option<EndpointPair> {
    (socket.protocol == Protocol::Tcp).then_some((socket.local, socket.remote))
}

/// Traced connections of which some changes are not part of a delta yet.
#[derive(Debug, Default)]
pub(super) struct TracedConnections {
    pending: Vec<TracedConnection>,
    /// Those that go on, by the key of their steps. Recordings choose keys, so that this table hashes with a secret.
    open: HashMap<u64, usize>,
    /// Lives by endpoints and then by time.
    index: Vec<(EndpointPair, Timestamp, usize)>,
    overflown: u64,
}

#[derive(Debug)]
struct TracedConnection {
    key: u64,
    place: EndpointPair,
    /// Not empty, each from where the one before led.
    hops: Vec<TracedStep>,
    /// The first change is the one that opened the connection.
    begun: bool,
    /// What comes after the last hop.
    rest: Rest,
    used: bool,
    /// Who held the socket, as far as a step of it tells, and in which namespace.
    process: Option<Arc<Holders>>,
    netns: Option<NetnsId>,
    /// What the kernel reported of its end, once that is known.
    report: EndReport,
}

/// What comes after the last hop of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// More may come.
    ToCome,
    /// Nothing: it leads to `CLOSE`.
    Nothing,
    /// Something that is missing: the next step of the same socket does not follow from it.
    Missing,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TracedStep {
    pub(super) at: Timestamp,
    pub(super) from: TcpState,
    pub(super) to: TcpState,
}

/// The changes of one connection between two samples.
#[derive(Debug)]
pub(super) struct TracedPath {
    /// The steps, without that to `CLOSE`.
    pub(super) hops: Vec<TracedStep>,
    /// When the full socket came to its end, if it did.
    pub(super) closed: Option<Timestamp>,
    /// What the kernel reported of that.
    pub(super) report: EndReport,
    /// Whose the socket was, as far as the trace tells.
    pub(super) owner: Owner,
}

impl TracedPath {
    /// What the kernel reported of its end; nothing where the trace has a hole before that.
    pub(super) fn report_of_end(&self) -> EndReport {
        self.closed.map_or(EndReport::NotReported, |_| self.report)
    }
}

impl TracedConnections {
    /// Takes in the steps since the last sample.
    pub(super) fn take_in(&mut self, events: &Events, round: &SampleContext) {
        if round.first {
            return;
        }
        let mut steps: Vec<&TracedStateChange> = events.state_changes.iter().collect();
        steps.sort_by_key(|step| step.at);
        let mut callers: Vec<&Caller> = events.callers.iter().collect();
        callers.sort_by_key(|caller| (caller.at, caller.key));
        let mut errors: Vec<&CloseError> = events.errors.iter().collect();
        errors.sort_by_key(|error| (error.at, error.key));
        for step in steps {
            let caller = callers.binary_search_by_key(&(step.at, step.key), |caller| (caller.at, caller.key)).ok();
            let error = errors.binary_search_by_key(&(step.at, step.key), |error| (error.at, error.key)).ok();
            let report = match error.and_then(|nth| errors.get(nth)) {
                Some(error) => EndReport::Error(error.error),
                None if events.errors_are_told => EndReport::NoError,
                None => EndReport::NotReported,
            };
            self.add(step, caller.and_then(|nth| callers.get(nth).copied()), report);
        }
        let places = self.pending.iter().enumerate().filter(|(_, connection)| !connection.used);
        self.index.clear();
        self.index.extend(places.map(|(nth, connection)| (connection.place, connection.first().at, nth)));
        self.index.sort_unstable();
    }

    fn add(&mut self, step: &TracedStateChange, caller: Option<&Caller>, report: EndReport) {
        use TcpState::{Close, Listen, SynRecv, SynSent};
        let hop = TracedStep { at: step.at, from: step.from, to: step.to };
        let begins = matches!((step.from, step.to), (Close, SynSent | Listen) | (Listen, SynRecv));
        if let Some(&nth) = self.open.get(&step.key) {
            let connection = &mut self.pending[nth];
            if connection.last() == hop {
                return;
            }
            if !begins && connection.last().to == hop.from && connection.hops.len() < STEPS_PER_CONNECTION_MAX {
                connection.hops.push(hop);
                (connection.rest, connection.report) = (Rest::after(hop), report);
                connection.name(caller);
                if step.remote.port != 0 && step.local.port != 0 {
                    connection.place = (step.local, step.remote);
                }
                if connection.rest == Rest::Nothing {
                    self.open.remove(&step.key);
                }
                return;
            }
            connection.rest = Rest::Missing;
        }
        if self.pending.len() >= TRACED_MAX {
            self.open.remove(&step.key);
            self.overflown += 1;
            return;
        }
        if hop.to == TcpState::Close {
            self.open.remove(&step.key)
        } else {
            self.open.insert(step.key, self.pending.len())
        };
        let (key, place) = (step.key, (step.local, step.remote));
        let (begun, process, netns) = (begins, None, None);
        let (hops, rest) = (vec![hop], Rest::after(hop));
        let mut connection = TracedConnection { key, place, hops, begun, rest, used: false, process, netns, report };
        connection.name(caller);
        self.pending.push(connection);
    }

    /// How a tracked connection came from where it was to what `now` shows of it; to its end if that is `None`.
    pub(super) fn way(
        &mut self,
        entry: &TrackedSocket,
        now: Option<&Socket>,
        round: &SampleContext,
    ) -> Option<TracedPath> {
        let seen_at = entry.seen_at(round);
        let connections = self.at(place_of(entry.socket())?, entry.id.netns())?;
        let nth = connections.into_iter().find(|nth| {
            let connection = &self.pending[*nth];
            connection.hops.iter().any(|hop| hop.from == entry.state)
                && !(connection.begun && connection.is_whole_since(entry, seen_at))
        })?;
        let begin = self.pending[nth].hops.iter().position(|hop| hop.from == entry.state)?;
        let way = self.follow(nth, begin, now)?;
        way.hops.iter().all(|hop| hop.at >= seen_at).then_some(way)
    }

    /// How the connection of `socket`, which no sample has listed before, came to be what it is.
    pub(super) fn opening(&mut self, socket: &Socket) -> Option<TracedPath> {
        let connections = self.at(place_of(socket)?, socket.id.netns())?;
        let nth = connections.into_iter().rfind(|nth| self.pending[*nth].begun)?;
        self.follow(nth, 0, Some(socket))
    }

    /// All changes of a connection that no sample listed and that is over, as far as they were traced.
    pub(super) fn whole(&mut self, place: EndpointPair, netns: NetnsId) -> Option<TracedPath> {
        let connections = self.at(place, netns)?;
        let nth = connections.into_iter().find(|nth| self.pending[*nth].begun)?;
        self.follow(nth, 0, None)
    }

    /// Whether the connection at `place` that ended is over for certain: a socket in its last state leaves nothing.
    pub(super) fn is_over(&self, place: EndpointPair, netns: NetnsId) -> bool {
        let Some(connections) = self.at(place, netns) else { return false };
        let ended = connections
            .into_iter()
            .map(|nth| &self.pending[nth])
            .find(|connection| connection.begun && connection.ended());
        ended.is_some_and(TracedConnection::leaves_nothing)
    }

    /// Whether the tracked connection of `entry`, whose full socket was freed, is over for certain.
    pub(super) fn is_over_for(&self, entry: &TrackedSocket) -> bool {
        let netns = entry.id.netns();
        let connections = place_of(entry.socket()).and_then(|place| self.at(place, netns)).unwrap_or_default();
        let connection = connections.into_iter().map(|nth| &self.pending[nth]).find(|connection| !connection.begun);
        connection.is_some_and(|connection| {
            connection.ended()
                && connection.leaves_nothing()
                && connection.hops.iter().any(|hop| hop.from == entry.state)
        })
    }

    /// The connections at `place` in their order that may have been in `netns`; `None` if there are none, or if two existed
    /// at the same time.
    fn at(&self, place: EndpointPair, netns: NetnsId) -> Option<Vec<usize>> {
        let Range { start, end } = self.range(place);
        let connections = self.index.get(start..end)?.iter().map(|(_, _, nth)| *nth);
        let connections: Vec<usize> =
            connections.filter(|nth| self.pending[*nth].may_be_in(netns)).take(REUSES_MAX + 1).collect();
        if !(1..=REUSES_MAX).contains(&connections.len()) {
            return None;
        }
        let apart = connections.windows(2).all(|pair| {
            let (one, next) = (&self.pending[pair[0]], &self.pending[pair[1]]);
            one.rest != Rest::ToCome && next.begun && one.last().at <= next.first().at
        });
        apart.then(|| connections.into_iter().filter(|nth| !self.pending[*nth].used).collect())
    }

    fn range(&self, place: EndpointPair) -> Range<usize> {
        let start = self.index.partition_point(|(other, _, _)| *other < place);
        let end = self.index.partition_point(|(other, _, _)| *other <= place);
        start..end
    }

    /// Uses up the steps of a connection from the one at `begin` to where `now` shows it; `None` if they do not lead there.
    fn follow(&mut self, nth: usize, begin: usize, now: Option<&Socket>) -> Option<TracedPath> {
        let connection = &mut self.pending[nth];
        // The hop to CLOSE is not part of the way; what comes after it is a mini-socket, or nothing.
        let len = if connection.ended() { connection.hops.len() - 1 } else { connection.hops.len() };
        let closed = connection.ended().then(|| connection.last().at);
        let (owner, report) = (connection.owner(), connection.report);
        let Some(socket) = now else {
            connection.used = true;
            return Some(TracedPath { hops: connection.hops.get(begin..len)?.to_vec(), closed, report, owner });
        };
        let reached = connection.hops.get(begin..len)?.iter().rposition(|hop| hop.to == socket.state);
        let is_mini = socket.tcp.is_none() && matches!(socket.state, TcpState::TimeWait | TcpState::FinWait2);
        if let Some(last) = reached.map(|last| begin + last) {
            let hops = connection.hops.get(begin..=last)?.to_vec();
            let is_all = last + 1 == len && (is_mini || !connection.ended());
            if is_all {
                connection.used = true;
            } else {
                connection.hops.drain(..=last);
            }
            connection.begun = false;
            return Some(TracedPath { hops, closed: closed.filter(|_| is_all), report, owner });
        }
        let state = connection
            .hops
            .get(len.checked_sub(1)?)
            .filter(|_| len > begin)
            .map_or(connection.last().from, |hop| hop.to);
        let leads_there = state.leads_to(socket.state) || state == socket.state;
        // Nothing of a socket that waits is to come, and every step before the dump is in: the rest of them is missing.
        let is_missing =
            connection.rest == Rest::Missing || (connection.rest == Rest::ToCome && socket.state == TcpState::TimeWait);
        let is_reported = is_mini && closed.is_some() && leads_there;
        let is_hole = is_missing && state.can_become(socket.state);
        if !is_reported && !is_hole {
            return None;
        }
        connection.used = true;
        Some(TracedPath { hops: connection.hops.get(begin..len)?.to_vec(), closed, report, owner })
    }

    /// Ends a sample: what no sample can need any more is forgotten.
    pub(super) fn finish(&mut self, round: &SampleContext) {
        let (seen, is_full) = (round.seen, round.scope.is_all());
        let used = self.pending.len();
        let mut waiting = 0;
        self.pending.retain(|connection| {
            let is_over = connection.rest != Rest::ToCome;
            let is_old = connection.last().at < if is_over { seen.at } else { seen.all_at };
            let may_wait = connection.begun
                && connection.ended()
                && connection.leaves_nothing()
                && round.at.since(connection.last().at) < KEPT;
            let waits = may_wait && is_old && !connection.used && waiting < KEPT_MAX;
            waiting += usize::from(waits);
            !connection.used && (waits || !(is_old && (is_over || is_full)))
        });
        let open = self.pending.iter().enumerate().filter(|(_, connection)| connection.rest == Rest::ToCome);
        self.open.clear();
        self.open.extend(open.map(|(nth, connection)| (connection.key, nth)));
        self.index.clear();
        give_back(&mut self.pending, used);
        give_back(&mut self.index, used);
        if self.open.capacity() > 4 * self.pending.len().max(OPEN_KEPT) {
            self.open.shrink_to(2 * self.pending.len());
        }
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 3] {
        [
            TableSize::by("traced connections", &self.pending),
            TableSize::by("index of traced connections", &self.index),
            TableSize::by("traced connections that go on", &self.open),
        ]
    }

    /// How many steps were dropped since the last call.
    pub(super) fn take_overflown(&mut self) -> u64 {
        std::mem::take(&mut self.overflown)
    }
}

impl Rest {
    fn after(hop: TracedStep) -> Self {
        if hop.to == TcpState::Close { Self::Nothing } else { Self::ToCome }
    }
}

impl TracedConnection {
    /// Whether its full socket came to its end.
    fn ended(&self) -> bool {
        self.rest == Rest::Nothing
    }

    fn first(&self) -> TracedStep {
        self.hops[0]
    }

    fn last(&self) -> TracedStep {
        self.hops[self.hops.len() - 1]
    }

    /// Takes in who made a step of it.
    fn name(&mut self, caller: Option<&Caller>) {
        let Some(caller) = caller else { return };
        self.process = Some(Arc::clone(&caller.process));
        self.netns = caller.netns.or(self.netns);
    }

    /// Whose the socket was.
    fn owner(&self) -> Owner {
        self.process.clone().map_or(Owner::None, Owner::Remembered)
    }

    /// Whether nothing speaks against its being of `netns`.
    fn may_be_in(&self, netns: NetnsId) -> bool {
        self.netns.is_none_or(|known| known == netns)
    }

    /// Whether a socket that ended like this has no mini-socket.
    fn leaves_nothing(&self) -> bool {
        use TcpState::{Closing, FinWait1, FinWait2};
        !matches!(self.last().from, FinWait1 | FinWait2 | Closing)
    }

    /// Whether all of it happened after `entry` was last seen, at `seen_at`: then it is another connection's.
    fn is_whole_since(&self, entry: &TrackedSocket, seen_at: Timestamp) -> bool {
        self.first().at > seen_at && self.first().to != entry.state
    }
}
