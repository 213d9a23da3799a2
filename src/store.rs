//! Bounded memory of what the deltas told: live rows, rows just closed, history of counts, the transition log.
//!
//! The main thread owns it. Taking in a delta costs time in proportion to what changed, and can be done in slices.

pub mod alike;
mod alike_keys;
pub mod attempt_history;
pub mod closed;
pub mod counters;
pub mod folding;
pub mod groups;
pub mod history;
pub mod host_names;
pub mod intake;
pub mod listeners;
pub mod log;
pub mod logins;
pub mod losses;
pub mod merged_deltas;
pub mod network;
pub mod past_rows;
pub mod paths;
pub mod peers;
pub mod port_bounds;
pub mod port_churn;
pub mod port_pool;
pub mod pressure;
pub mod row;
pub mod row_set;
pub mod rows;
pub mod socket_counts;
pub mod tally;
mod unaccepted;

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::coverage::Coverage;
use crate::model::delta::{AsOf, Delta, Gap, SampleIntervals};
use crate::model::descriptors::{Descriptors, of_process};
use crate::model::event::EventStatus;
use crate::model::facts::Facts;
use crate::model::hosts::{HostNumber, HostStatus};
use crate::model::memory::TableSize;
use crate::model::process::{Names, Owner, Process, ProcessId, Usage};
use crate::model::snapshot::SourceInfo;
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::store::alike::key::AlikePeer;
use crate::store::attempt_history::AttemptHistory;
use crate::store::closed::ClosedHistory;
use crate::store::counters::CounterHistory;
use crate::store::history::History;
use crate::store::host_names::HostNames;
use crate::store::listeners::Listeners;
use crate::store::log::Log;
use crate::store::network::NetworkHistory;
use crate::store::paths::{ConnectionPath, ConnectionPaths};
use crate::store::port_churn::PortChurn;
use crate::store::pressure::Pressure;
use crate::store::row::SocketRow;
use crate::store::rows::{Rows, Touched};
use crate::store::unaccepted::UnacceptedConnections;

/// All that is known, and nothing about how it is shown.
#[derive(Debug)]
pub struct Store {
    source: SourceInfo,
    at: Timestamp,
    wall: WallTime,
    took: Duration,
    deltas: u64,
    rows: Rows,
    history: History,
    log: Log,
    closed: ClosedHistory,
    network: NetworkHistory,
    /// When the first sample was taken.
    first_at: Option<Timestamp>,
    coverage: Arc<Coverage>,
    names: Arc<Names>,
    facts: Arc<Facts>,
    counters: CounterHistory,
    pressure: Pressure,
    port_churn: PortChurn,
    attempt_history: AttemptHistory,
    usage: FxHashMap<ProcessId, Usage>,
    descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    details: FxHashMap<SocketId, TcpDetail>,
    sample_intervals: SampleIntervals,
    paths: ConnectionPaths,
    event_status: EventStatus,
    unlisted: FxHashSet<SocketId>,
    overtaken_at: Timestamp,
    as_of: AsOf,
    host_statuses: Arc<Vec<HostStatus>>,
    host_names: HostNames,
    /// Made when it is asked for, and again after the next delta.
    listeners: OnceCell<Listeners>,
    waiting: Arc<UnacceptedConnections>,
}

impl Store {
    /// An empty store for what `source` will send.
    pub fn new(source: SourceInfo) -> Self {
        Self {
            source,
            at: Timestamp::default(),
            wall: WallTime::default(),
            took: Duration::ZERO,
            deltas: 0,
            rows: Rows::default(),
            history: History::default(),
            log: Log::default(),
            closed: ClosedHistory::default(),
            network: NetworkHistory::default(),
            first_at: None,
            coverage: Arc::default(),
            names: Arc::default(),
            facts: Arc::default(),
            counters: CounterHistory::default(),
            pressure: Pressure::default(),
            port_churn: PortChurn::default(),
            attempt_history: AttemptHistory::default(),
            usage: FxHashMap::default(),
            descriptors: Arc::default(),
            details: FxHashMap::default(),
            sample_intervals: SampleIntervals::default(),
            paths: ConnectionPaths::default(),
            event_status: EventStatus::default(),
            unlisted: FxHashSet::default(),
            overtaken_at: Timestamp::default(),
            as_of: AsOf::default(),
            host_statuses: Arc::default(),
            host_names: HostNames::default(),
            listeners: OnceCell::new(),
            waiting: Arc::default(),
        }
    }

    /// Takes in what changed in one go, and says which rows that touched.
    pub fn apply(&mut self, delta: Delta) -> Touched {
        let mut intake = self.begin(delta);
        while !self.advance(&mut intake, &mut usize::MAX.clone()) {}
        self.finish(intake)
    }

    /// How many deltas it has taken in: another number means that anything may differ.
    pub const fn deltas(&self) -> u64 {
        self.deltas
    }

    /// Whether the last sample should have listed a socket and did not: what is known of it is of the sample before.
    pub fn is_unlisted(&self, id: SocketId) -> bool {
        self.unlisted.contains(&id)
    }

    /// When the last sample was taken that another one followed at once; the beginning of time where there was none.
    pub const fn overtaken_at(&self) -> Timestamp {
        self.overtaken_at
    }

    /// Of which moment what is known of `socket` is, at least: that of the last sample that lists such sockets without fail.
    pub fn known_at(&self, socket: &Socket) -> Timestamp {
        self.as_of.of(socket).unwrap_or(self.at)
    }

    /// Whether the last sample lists every UDP socket.
    pub const fn lists_udp(&self) -> bool {
        self.as_of.udp.is_none()
    }

    /// The socket at the other end of a connection, where that is on this machine, in a namespace that is shown, and
    /// something may be wrong with it or much waits in a queue of it (see [`peers`]).
    pub fn peer(&self, socket: &Socket) -> Option<&SocketRow> {
        self.rows.peer(socket)
    }

    /// What addresses are called, as far as somebody asked.
    pub const fn host_names(&self) -> &HostNames {
        &self.host_names
    }

    /// The same, to learn.
    pub const fn host_names_mut(&mut self) -> &mut HostNames {
        &mut self.host_names
    }

    /// Where the data comes from.
    pub fn source(&self) -> &SourceInfo {
        &self.source
    }

    /// What becomes of the streams of the hosts that are shown; none where the source is no stream.
    pub fn host_statuses(&self) -> &[HostStatus] {
        &self.host_statuses
    }

    /// Whether several hosts are shown.
    pub fn has_hosts(&self) -> bool {
        !self.names.hosts.is_empty()
    }

    /// The host with this number; without one, the only one.
    pub fn host_numbered(&self, host: Option<HostNumber>) -> &DisplayText {
        let host = host.and_then(|host| self.names.hosts.0.get(host.place()));
        host.map_or(&self.source.host, |host| &host.name)
    }

    /// The host that the network namespace `netns` is on.
    pub fn host_of(&self, netns: NetnsId) -> &DisplayText {
        self.names.hosts.of(netns).map_or(&self.source.host, |host| &host.name)
    }

    /// When the last sample was taken: "now" for every age that is shown.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The same moment as a time of day.
    pub fn wall(&self) -> WallTime {
        self.wall
    }

    /// `at` as a time of day.
    pub fn wall_of(&self, at: Timestamp) -> WallTime {
        self.wall.before(self.at.since(at))
    }

    /// How long taking the last sample took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// How often samples come.
    pub fn sample_intervals(&self) -> SampleIntervals {
        self.sample_intervals
    }

    /// The rows, live and just closed.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Who listens, and which listener a connection came in by.
    pub fn listeners(&self) -> &Listeners {
        self.listeners.get_or_init(|| Listeners::of(&self.rows, &self.waiting))
    }

    /// The process that `socket` counts for and who is at its other end, as sockets are told apart that are alike: connections
    /// that came in by a listener of ours have one peer, whoever the clients are.
    pub fn process_and_peer<'a>(&'a self, socket: &'a Socket) -> (Option<&'a Arc<Process>>, AlikePeer) {
        alike_keys::process_and_peer(self.listeners(), socket)
    }

    /// Goes on with the search for the oldest of sockets that are alike, where it has left; answers whether it is finished.
    pub fn renew_oldest(&mut self, steps: &mut usize) -> bool {
        self.rows.renew_oldest(steps)
    }

    /// Takes note of the connections that wait to be accepted; who listens is asked for anew.
    fn renew_listeners(&mut self) {
        self.listeners.take();
        let is_unaccepted = |row: &SocketRow| matches!(row.connection.socket.owner, Owner::Unaccepted);
        let mut suspects = self.rows.suspects().iter().filter_map(|index| self.rows.get(index));
        if !suspects.any(is_unaccepted) {
            self.waiting = Arc::default();
            return;
        }
        let listeners = Listeners::of(&self.rows, &Arc::default());
        listeners.note_waiting(&self.rows, Arc::make_mut(&mut self.waiting));
        self.listeners = OnceCell::from(listeners.remembering(&self.waiting));
    }

    /// Counts per state over time.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The last transitions.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The interfaces and the routes, while they are shown.
    pub const fn network(&self) -> &NetworkHistory {
        &self.network
    }

    /// The last connections that have ended.
    pub const fn closed(&self) -> &ClosedHistory {
        &self.closed
    }

    /// The user closed the socket `id` by conntop.
    pub fn note_close(&mut self, id: SocketId) {
        self.closed.note_close(id);
    }

    /// `process` ended after the user had sent it a signal by conntop, at `sent` or later.
    pub fn note_kill(&mut self, process: ProcessId, sent: Timestamp) {
        self.closed.note_kill(process, sent);
    }

    /// The states that `id` went through since it was first seen; `None` for one that has not changed since, or whose path
    /// was given up for newer ones.
    pub fn path(&self, id: SocketId) -> Option<&ConnectionPath> {
        self.paths.get(id)
    }

    /// Who tells of what happens between samples; [`EventStatus::words`] says it.
    pub fn event_status(&self) -> &EventStatus {
        &self.event_status
    }

    /// The last stretches of time in which events were lost, oldest first; [`Log::lost`] counts the events.
    pub fn gaps(&self) -> &VecDeque<Gap> {
        self.log.gaps()
    }

    /// What the last sample could not see.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Names of users, interfaces, network namespaces and units.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Limits and counters of the kernel, as of the last sample.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How fast the kernel's counters grow.
    pub fn counters(&self) -> &CounterHistory {
        &self.counters
    }

    /// Which listeners are full, and what that costs.
    pub fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// How fast connections to each destination are opened and end.
    pub fn port_churn(&self) -> &PortChurn {
        &self.port_churn
    }

    /// What became of attempts to connect, per program and destination and per listener.
    pub const fn attempt_history(&self) -> &AttemptHistory {
        &self.attempt_history
    }

    /// What `process` uses, if it was asked for.
    pub fn usage(&self, process: ProcessId) -> Option<&Usage> {
        self.usage.get(&process)
    }

    /// The descriptors of `process`; `None` where the source does not say, or it holds no socket.
    pub fn descriptors_of(&self, process: ProcessId) -> Option<&Descriptors> {
        of_process(&self.descriptors, process)
    }

    /// The descriptors of every process that holds a socket, ascending by process.
    pub fn descriptors(&self) -> &[(ProcessId, Descriptors)] {
        &self.descriptors
    }

    /// What its tables hold: they are bounded by the rows that there are, and by named limits.
    pub fn table_sizes(&self) -> Vec<TableSize> {
        let others = [
            self.port_churn.table_sizes(),
            TableSize::by("usage", &self.usage),
            TableSize::by("unlisted sockets", &self.unlisted),
            self.waiting.table_sizes(),
            self.rows.held_by_peers(),
        ];
        let tables = self.rows.table_sizes().into_iter().chain(self.paths.table_sizes());
        tables
            .chain(self.log.table_sizes())
            .chain(self.closed.table_sizes())
            .chain(self.network.table_sizes())
            .chain(self.history.table_sizes())
            .chain(self.attempt_history.table_sizes())
            .chain(others)
            .collect()
    }

    /// The whole `tcp_info` of `id`, if it was asked for.
    pub fn detail(&self, id: SocketId) -> Option<&TcpDetail> {
        self.details.get(&id)
    }
}

#[cfg(test)]
mod tests;
