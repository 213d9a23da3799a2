//! Snapshots in, deltas out: identity, transitions, clocks of states, the remembered owner.
//!
//! Reads no clock: all times come from the snapshots, so that a recording tracks exactly as it did live.

pub mod clocks;
mod ends;
mod entry;
mod identity;
mod owner_memory;
mod sample_times;
mod traced_connections;
mod transition_report;
mod unhashed;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::coverage::Coverage;
use crate::model::delta::{
    AgeBasis, AsOf, Connection, Delta, EventSource, ObservedSocket, Removed, Since, Traffic, Transition,
};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::event::{Ended, EventSourceStatus, Loss};
use crate::model::memory::TableSize;
use crate::model::sink::{SampleSink, SinkAnswer};
use crate::model::snapshot::{Scope, Snapshot};
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_state::TcpState;
use crate::model::time::{Timestamp, WallTime};
use crate::tracker::ends::EndEvents;
use crate::tracker::entry::TrackedSocket;
use crate::tracker::identity::Directory;
use crate::tracker::sample_times::SampleTimes;
use crate::tracker::traced_connections::TracedConnections;
use crate::tracker::unhashed::UnlistedSockets;

/// How far apart two reports of one past moment may be and still mean the same: the kernel counts "so long ago" in
/// jiffies of up to 10 ms, from the moment at which it reads the row.
pub const JITTER: Duration = Duration::from_millis(50);

/// The most that a slow dump, in which rows are read long after its begin, adds to [`JITTER`].
pub const DUMP_JITTER_MAX: Duration = Duration::from_secs(1);

/// The most sockets that one partial sample is asked to look up because it misses them: some 25 ms.
const LOOK_UPS_MAX: usize = 4_096;

/// The most sockets that one sample is asked to look up because nothing tells how they look now: some 2 ms.
const STALE_MAX: usize = 512;

/// Remembers the last sample and says what the next one changes.
#[derive(Debug, Default)]
pub struct Tracker {
    directory: Directory,
    sample_times: Arc<SampleTimes>,
    seen: Option<SeenSamples>,
    /// The sockets that one sample has missed, by slot; few at any time.
    missed: FxHashMap<u32, Timestamp>,
    /// See [`SampleIntervals::late`].
    late: u32,
    /// The full sample that was begun, if any of its sockets was pushed.
    pushed: Option<Pushed>,
    /// How long the last full sample took.
    took: Duration,
    /// When the sample was begun that is being taken.
    begun_at: Timestamp,
    coverage: Arc<Coverage>,
    ends: EndEvents,
    traced: TracedConnections,
    unhashed: UnlistedSockets,
    /// Whether the source counts bytes: some socket has had a rate.
    has_rates: bool,
}

/// The samples so far.
#[derive(Clone, Copy, Debug)]
struct SeenSamples {
    /// When the last one was taken.
    at: Timestamp,
    /// What it listed.
    scope: Scope,
    /// When the last one of every socket was taken.
    all_at: Timestamp,
    /// When the last one of all UDP sockets was.
    udp_at: Timestamp,
}

/// A full sample of which some sockets were seen before its snapshot is.
#[derive(Debug)]
struct Pushed {
    round: SampleContext,
    met: usize,
}

/// Compares each socket of a sample with the last one that the tracker has seen, and keeps in the snapshot what is new or
/// has changed. What came of it is said by [`Tracker::finish`].
#[derive(Debug)]
pub struct Tracking<'a> {
    /// Knows the last sample.
    pub tracker: &'a mut Tracker,
    /// Takes the sample.
    pub snapshot: &'a mut Snapshot,
}

impl SampleSink for Tracking<'_> {
    fn begin(&mut self, at: Timestamp, wall: WallTime) -> Snapshot {
        self.tracker.begin(at);
        self.snapshot.begin(at, wall)
    }

    fn remembers(&self) -> bool {
        self.tracker.seen.is_some()
    }

    fn push(&mut self, socket: &Socket) -> SinkAnswer {
        self.tracker.push(socket)
    }

    fn missing(&self, snapshot: &Snapshot) -> Vec<SocketRef> {
        let mut missing = self.tracker.missing(snapshot, LOOK_UPS_MAX);
        missing.extend(self.tracker.stale(snapshot, STALE_MAX));
        missing
    }

    fn at_endpoints(&self, places: &[(Endpoint, Endpoint)]) -> Vec<SocketRef> {
        self.tracker.directory.at_endpoints(places)
    }

    fn finish(&mut self, snapshot: Snapshot) {
        self.snapshot.finish(snapshot);
    }
}

/// What is known of a sample before its sockets are compared.
#[derive(Clone, Copy, Debug)]
struct SampleSize {
    /// When it was begun.
    at: Timestamp,
    /// How long taking it takes, as far as that is known.
    took: Duration,
    /// About how many sockets it has.
    len: usize,
    /// What it lists.
    scope: Scope,
}

/// What one update works with.
#[derive(Debug)]
struct SampleContext {
    at: Timestamp,
    scope: Scope,
    generation: u32,
    /// When this sample and those before it were begun.
    sample_times: Arc<SampleTimes>,
    first: bool,
    seen: SeenSamples,
    tolerance: Duration,
    /// Every end of a socket is reported.
    ends_are_reported: bool,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sample was begun `at`: what was pushed of an earlier one that was never finished is forgotten.
    pub fn begin(&mut self, at: Timestamp) {
        (self.begun_at, self.pushed) = (at, None);
    }

    /// Says what is known of `socket`, of the full sample that was begun. One that differs in nothing from the last sample is
    /// noted as seen, and the snapshot that [`finish`](Self::finish) gets need not have it: so that a table of which little
    /// changes is never in memory a second time. A sample that fails half way does no harm.
    pub fn push(&mut self, socket: &Socket) -> SinkAnswer {
        let Some(seen) = self.seen else { return SinkAnswer::New };
        if self.pushed.is_none() {
            let len = self.directory.len();
            let round = self
                .begin_sample(SampleSize { at: self.begun_at, took: self.took, len, scope: Scope::ALL }, Some(seen));
            self.pushed = Some(Pushed { round, met: 0 });
        }
        let Some(Pushed { round, met }) = &mut self.pushed else { return SinkAnswer::New };
        let Some(slot) = self.directory.find(socket.id) else { return SinkAnswer::New };
        let entry = self.directory.entry(slot);
        if entry.generation == round.generation {
            return SinkAnswer::Repeated;
        }
        if !entry.is_same(socket, round) {
            return SinkAnswer::Changed;
        }
        entry.generation = round.generation;
        self.directory.keep(slot);
        *met += 1;
        SinkAnswer::Known
    }

    /// What `snapshot`, a sample of which nothing was pushed, changes.
    pub fn update(&mut self, snapshot: &Snapshot) -> Delta {
        self.begin(snapshot.at);
        self.compare(snapshot)
    }

    /// What the sample that was begun changes: `snapshot`, and what was pushed of it. The first one only adds: nothing is
    /// reported as opened.
    ///
    /// A socket that is missing stays until a second sample misses it too; its end is then dated to the first one.
    /// Without cookies, a tuple that another connection uses stands in `changed`, with a later `first_seen`; its
    /// transitions say that one was closed and one opened.
    ///
    /// Outside of the scope of a partial snapshot, a socket that is not listed stays as it is. Inside, one may have
    /// moved out of it: it stays as well until it is looked up (see [`Self::missing`]) or a full sample says more.
    ///
    /// What was tracked before it was recorded ([`Snapshot::tracked`]) is taken as it is.
    pub fn finish(&mut self, snapshot: &mut Snapshot) -> Delta {
        if let Some(tracked) = snapshot.tracked.take() {
            return *tracked;
        }
        self.compare(snapshot)
    }

    fn compare(&mut self, snapshot: &Snapshot) -> Delta {
        let pushed = self.pushed.take().filter(|_| snapshot.scope.is_all());
        let Pushed { mut round, mut met } = pushed.unwrap_or_else(|| {
            let len = snapshot.sockets.len();
            let round = self.begin_sample(
                SampleSize { at: snapshot.at, took: snapshot.took, len, scope: snapshot.scope },
                self.seen,
            );
            Pushed { round, met: 0 }
        });
        round.tolerance = tolerance(snapshot.took);
        round.ends_are_reported = snapshot.events.event_status.ends == EventSourceStatus::On;
        let mut delta = self.delta(snapshot);
        self.ends.take_in(&snapshot.events, &mut self.directory, &round);
        self.traced.take_in(&snapshot.events, &round);
        let gone = sorted(&snapshot.gone);
        self.unhashed.begin(snapshot, &mut self.directory);
        for socket in snapshot.sockets.iter().filter(|socket| !contains(&gone, socket.id)) {
            if unhashed::is_apart(socket) {
                continue;
            }
            let Some(slot) = self.directory.find(socket.id) else {
                self.ends.recognise(socket, &round);
                self.directory.insert(add(socket, &round, &mut self.traced, &mut delta));
                continue;
            };
            let entry = self.directory.entry(slot);
            if entry.generation == round.generation {
                // Listed twice, as a dump does that the table changed under.
                continue;
            }
            if !entry.is_same(socket, &round) {
                change(entry, socket, &round, &mut self.traced, &mut delta);
                self.directory.note_ends(slot);
            }
            let entry = self.directory.entry(slot);
            entry.generation = round.generation;
            self.directory.keep(slot);
            met += 1;
        }
        let directory = &mut self.directory;
        self.missed.retain(|slot, _| directory.entry(*slot).generation != round.generation);
        met += self.take_unhashed(&round, &mut delta);
        for id in &gone {
            if let Some(slot) = self.directory.slot(*id) {
                self.end(slot, None, &round, &mut delta);
            }
        }
        let others_at = if met < self.directory.len_of_last() { self.miss(&round, &mut delta) } else { round.at };
        self.directory.finish();
        self.reconcile(&round, others_at, &mut delta);
        self.tell(snapshot, &gone, &round, &mut delta);
        delta.traffic = self.traffic(&round, &delta);
        delta
    }

    /// What the connections of a sample moved. Each that moved a byte is among those that have changed.
    fn traffic(&mut self, round: &SampleContext, delta: &Delta) -> Option<Traffic> {
        let mut sum = Traffic::default();
        for connection in delta.changed.iter().filter(|connection| !connection.socket.is_subflow) {
            let Some(rates) = connection.rates() else { continue };
            self.has_rates = true;
            let Traffic { received, sent } = rates.whole();
            sum = Traffic { received: sum.received.saturating_add(received), sent: sum.sent.saturating_add(sent) };
        }
        let is_whole = !round.first && round.scope.is_all();
        (is_whole && self.has_rates).then_some(sum)
    }

    /// Sockets that no table lists any more, and that a process still holds: they are what they were, in `CLOSE`.
    /// How many of them were there before.
    fn take_unhashed(&mut self, round: &SampleContext, delta: &mut Delta) -> usize {
        let mut met = 0;
        for socket in self.unhashed.take() {
            let Some(slot) = self.directory.slot(socket.id) else {
                self.directory.insert(add(&socket, round, &mut self.traced, delta));
                continue;
            };
            self.missed.remove(&slot);
            let entry = self.directory.entry(slot);
            if entry.generation == round.generation {
                continue;
            }
            if !entry.is_same(&socket, round) {
                change(entry, &socket, round, &mut self.traced, delta);
            }
            entry.generation = round.generation;
            self.directory.keep(slot);
            met += 1;
        }
        met
    }

    /// What only the kernel knows of the time between the samples.
    fn tell(&mut self, snapshot: &Snapshot, gone: &[SocketId], round: &SampleContext, delta: &mut Delta) {
        let connections = &mut self.traced;
        let place = |ended: &Ended| (ended.socket.local, ended.socket.remote);
        let netns = |ended: &Ended| ended.socket.id.netns();
        let is_certain =
            |ended: &Ended| contains(gone, ended.socket.id) || connections.is_over(place(ended), netns(ended));
        let unreported = self.ends.take_unreported((round, &self.directory), is_certain);
        for unreported in unreported.iter().filter(|unreported| !unreported.ended.is_emptied()) {
            match connections.whole(place(&unreported.ended), netns(&unreported.ended)) {
                Some(way) => transition_report::traced_connection(&unreported.ended, &way, delta),
                None => transition_report::short_connection(unreported, delta),
            }
        }
        // What is left of the trace may be theirs.
        let emptied = unreported.iter().map(|unreported| &unreported.ended).filter(|ended| ended.is_emptied());
        let emptied: Vec<&Ended> = emptied.collect();
        for (ended, traced) in emptied.iter().zip(connections.emptied(&emptied)) {
            if traced.is_empty() {
                delta.transitions.push(transition_report::end_of_unknown(ended));
            }
            for (place, way) in traced {
                transition_report::traced_connection_at(place, ended, &way, delta);
            }
        }
        connections.finish(round);
        let overflown = [
            (EventSource::DestroyEvent, self.ends.take_overflown()),
            (EventSource::Tracepoint, self.traced.take_overflown()),
        ];
        let overflown = overflown.into_iter().filter(|(_, count)| *count > 0);
        let overflown: Vec<_> = overflown.map(|(of, count)| Loss { of, count: Some(count) }).collect();
        delta.gaps = transition_report::gaps(&snapshot.events, &overflown, round);
        // Stable: what happens to one socket stays in its order where two moments are the same.
        delta.transitions.sort_by_key(|transition| transition.at);
    }

    /// What its tables hold: they are bounded by the sockets that there are, and by named limits.
    pub fn table_sizes(&self) -> Vec<TableSize> {
        let missed = TableSize::by("missed sockets", &self.missed);
        self.directory
            .table_sizes()
            .into_iter()
            .chain(self.ends.table_sizes())
            .chain(self.traced.table_sizes())
            .chain(self.unhashed.table_sizes())
            .chain([missed])
            .collect()
    }

    /// The sockets that `snapshot`, a partial one, should list and does not, and those that an earlier one missed: at
    /// most `max`, to be looked up before the sample is finished.
    pub fn missing(&self, snapshot: &Snapshot, max: usize) -> Vec<SocketRef> {
        let listed: FxHashSet<SocketId> = snapshot.sockets.iter().map(|socket| socket.id).collect();
        let gone = sorted(&snapshot.gone);
        let few = self.directory.few().filter(|slot| !self.missed.contains_key(slot));
        let few = few.filter_map(|slot| self.directory.get(slot));
        let few = few.filter(|entry| snapshot.scope.covers(entry.protocol, entry.state));
        let missed = self.missed.keys().filter_map(|slot| self.directory.get(*slot));
        let missing = missed.chain(few.filter(|entry| !listed.contains(&entry.id)));
        missing
            .filter(|entry| !contains(&gone, entry.id) && entry.id.cookie().is_some())
            // A tuple leads to a connection; listeners and UDP sockets may share theirs.
            .filter(|entry| entry.protocol == Protocol::Tcp && entry.state != TcpState::Listen)
            // No table has it, and yet it is there.
            .filter(|entry| !entry.socket().is_unhashed())
            .map(TrackedSocket::reference)
            .take(max)
            .collect()
    }

    /// The sockets that `snapshot`, a partial one, need not list, that are not of the silent mass, and that were not looked at for
    /// the longest time: at most `max`. The trace tells when their state changes; their queues, timers and counters it does
    /// not tell, and nothing tells of a mini-socket. Of `TIME_WAIT` the kernel has told when it ends.
    fn stale(&self, snapshot: &Snapshot, max: usize) -> Vec<SocketRef> {
        let listed: FxHashSet<SocketId> = snapshot.sockets.iter().map(|socket| socket.id).collect();
        let few = self.directory.few().filter(|slot| !self.missed.contains_key(slot));
        let few = few.filter_map(|slot| self.directory.get(slot));
        let stale = few.filter(|entry| may_be_stale(entry, snapshot.scope) && entry.id.cookie().is_some());
        let mut stale: Vec<_> = stale.filter(|entry| !listed.contains(&entry.id)).collect();
        if stale.len() > max {
            stale.select_nth_unstable_by_key(max, |entry| Reverse(self.sample_times.ago(entry.generation)));
            stale.truncate(max);
        }
        stale.into_iter().map(TrackedSocket::reference).collect()
    }

    /// Begins to compare a sample of about `len` sockets.
    fn begin_sample(&mut self, sample: SampleSize, seen: Option<SeenSamples>) -> SampleContext {
        let SampleSize { at, took, len, scope } = sample;
        let generation = Arc::make_mut(&mut self.sample_times).begin(at);
        self.directory.begin(len, scope.is_all());
        SampleContext {
            at,
            scope,
            generation,
            sample_times: Arc::clone(&self.sample_times),
            first: seen.is_none(),
            seen: seen.unwrap_or(SeenSamples { at, scope: Scope::ALL, all_at: at, udp_at: at }),
            tolerance: tolerance(took),
            ends_are_reported: false,
        }
    }

    /// Remembers what this sample was, and counts what only a full one has shown.
    fn reconcile(&mut self, round: &SampleContext, others_at: Timestamp, delta: &mut Delta) {
        if round.scope.is_all() {
            let late = delta.transitions.iter().filter(|transition| is_late(transition, round)).count();
            let scope = round.seen.scope;
            let missed = self.missed.iter().filter(|(_, at)| **at == round.at);
            let missed = missed.filter_map(|(slot, _)| self.directory.get(*slot));
            let missed = missed.filter(|entry| !scope.covers(entry.protocol, entry.state)).count();
            self.late = u32::try_from(late + missed).unwrap_or(u32::MAX);
        }
        let all_at = if round.scope.is_all() { round.at } else { round.seen.all_at };
        self.took = if round.scope.is_all() { delta.took } else { self.took };
        let has_udp = round.scope.covers(Protocol::Udp, TcpState::Unconn);
        let udp_at = if has_udp { round.at } else { round.seen.udp_at };
        self.seen = Some(SeenSamples { at: round.at, scope: round.scope, all_at, udp_at });
        delta.as_of = AsOf {
            rest: Some(all_at).filter(|_| !round.scope.is_all()),
            udp: Some(udp_at).filter(|_| !has_udp),
            others: Some(others_at).filter(|_| others_at < round.at),
        };
        delta.sample_intervals.late = self.late;
    }

    fn delta(&mut self, snapshot: &Snapshot) -> Delta {
        // A list that doubles as it grows leaves holes behind, of which the allocator gives little back.
        let listed = snapshot.sockets.len();
        let (added, changed) = if self.seen.is_none() { (listed, 0) } else { (0, listed) };
        if *self.coverage != snapshot.coverage {
            self.coverage = Arc::new(snapshot.coverage.clone());
        }
        Delta {
            at: snapshot.at,
            wall: snapshot.wall,
            took: snapshot.took,
            coverage: Arc::clone(&self.coverage),
            names: Arc::clone(&snapshot.names),
            facts: Arc::clone(&snapshot.facts),
            event_status: snapshot.events.event_status.clone(),
            usage: snapshot.usage.clone(),
            descriptors: Arc::clone(&snapshot.descriptors),
            details: snapshot.details.clone(),
            network: snapshot.network.clone(),
            added: Vec::with_capacity(added),
            changed: Vec::with_capacity(changed),
            ..Delta::default()
        }
    }

    /// Deals with the sockets that the sample did not list. A dump is not atomic: the kernel can step over a socket
    /// while its neighbours come and go. So one that is missing stays until a second sample does not list it either.
    /// Only two ways to be gone are certain at once: its `TIME_WAIT` is over, or another connection has its tuple.
    ///
    /// Gives the moment of which that is, at least, which is known of sockets that the sample need not list and that are not of
    /// the silent mass.
    fn miss(&mut self, round: &SampleContext, delta: &mut Delta) -> Timestamp {
        let taken = taken_over(delta);
        let mut others_at = round.at;
        for nth in 0..self.directory.len_of_last() {
            let Some(slot) = self.directory.nth_of_last(nth) else { break };
            let Some(entry) = self.directory.get(slot).filter(|entry| entry.generation != round.generation) else {
                continue;
            };
            let expired = entry.time_wait_ends().is_some_and(|end| end <= round.at);
            let over = self.ends.is_over(entry, round)
                || (self.ends.has_ended(entry, round) && self.traced.is_over_for(entry));
            let successor = tuple(entry).and_then(|tuple| taken.get(&tuple).copied());
            let certain = expired || over || successor.is_some();
            let means_something = round.scope.is_all() || is_bound_to_be_listed(entry, round.scope);
            if certain || (means_something && self.missed.contains_key(&slot)) {
                self.end(slot, successor, round, delta);
                continue;
            }
            if means_something {
                self.ends.missing(entry, round);
                self.missed.insert(slot, round.at);
                delta.unlisted.push(entry.id);
            } else if may_be_stale(entry, round.scope) {
                others_at = others_at.min(entry.seen_at(round));
            }
            self.directory.keep(slot);
        }
        others_at
    }

    /// The socket in `slot` is gone: since it was first missed, or since now; in any case since its `successor` was opened,
    /// a connection with the same endpoints.
    fn end(&mut self, slot: u32, successor: Option<Timestamp>, round: &SampleContext, delta: &mut Delta) {
        let at = self.missed.remove(&slot).unwrap_or(round.at);
        self.unhashed.remember(self.directory.entry(slot));
        let entry = self.directory.entry(slot);
        let expired = entry.time_wait_ends().filter(|&end| end <= at);
        delta.removed.push(Removed { id: entry.id, at });
        let at = successor.map_or(at, |successor| at.min(successor.max(entry.seen_at(round))));
        let end = expired.map_or(Since { at, basis: AgeBasis::Observed }, exactly);
        let word = self.ends.take(entry, round);
        let (closed, begin) = match self.traced.way(entry, None, round) {
            Some(way) => transition_report::traced_end(closed(entry, end), &way, begin(entry), delta),
            None => (closed(entry, end), begin(entry)),
        };
        let word = word.map(|word| word.after(entry.socket()));
        delta.transitions.push(transition_report::with_last_words(closed, entry.seen_at(round), begin, word));
        self.directory.remove(slot);
    }
}

impl SampleContext {
    /// What is read after the sample was begun counts as its begin, so that no age is negative.
    fn not_later(&self, since: Since) -> Since {
        Since { at: since.at.min(self.at), ..since }
    }

    /// When a socket of `socket`'s kind was or would have been listed last.
    fn looked_at(&self, socket: &Socket) -> Timestamp {
        let Self { seen, .. } = self;
        let is_request = socket.state == TcpState::SynRecv && socket.tcp.is_none();
        let is_told = socket.protocol == Protocol::Tcp && socket.state != TcpState::Bound && !is_request;
        let was_shown = seen.scope.has_told_changes() && is_told || seen.scope.covers(socket.protocol, socket.state);
        if was_shown { seen.at } else { seen.all_at }
    }
}

/// What a new tracker says of `snapshot`, if it will not be shown a second one: nothing need be remembered, nor copied.
pub fn once(mut snapshot: Snapshot) -> Delta {
    if let Some(tracked) = snapshot.tracked.take() {
        return *tracked;
    }
    let mut added = Vec::with_capacity(snapshot.sockets.len());
    let (delta, sockets) = apart(snapshot);
    added.extend(sockets);
    Delta { added, ..delta }
}

/// The same in two parts, for who needs each socket only once: the delta without sockets, and the sockets.
pub fn apart(mut snapshot: Snapshot) -> (Delta, FirstSight) {
    if let Some(mut tracked) = snapshot.tracked.take() {
        let rows = std::mem::take(&mut tracked.added);
        let sight = FirstSight {
            at: snapshot.at,
            sockets: Vec::new().into_iter(),
            seen: FxHashSet::default(),
            tracked: rows.into_iter(),
        };
        return (*tracked, sight);
    }
    let mut seen = FxHashSet::default();
    seen.reserve(snapshot.sockets.len());
    let delta = Delta {
        at: snapshot.at,
        wall: snapshot.wall,
        took: snapshot.took,
        coverage: Arc::new(snapshot.coverage),
        names: snapshot.names,
        facts: snapshot.facts,
        event_status: snapshot.events.event_status,
        usage: snapshot.usage,
        descriptors: snapshot.descriptors,
        details: snapshot.details,
        network: snapshot.network,
        ..Delta::default()
    };
    (
        delta,
        FirstSight { at: snapshot.at, sockets: snapshot.sockets.into_iter(), seen, tracked: Vec::new().into_iter() },
    )
}

/// The sockets of a first sample, each once, as a tracker that has seen no other knows them.
#[derive(Debug)]
pub struct FirstSight {
    at: Timestamp,
    sockets: IntoIter<Socket>,
    seen: FxHashSet<SocketId>,
    /// Those that were tracked before they were recorded.
    tracked: IntoIter<Connection>,
}

impl Iterator for FirstSight {
    type Item = Connection;

    fn next(&mut self) -> Option<Connection> {
        if let Some(tracked) = self.tracked.next() {
            return Some(tracked);
        }
        let socket = self.sockets.find(|socket| self.seen.insert(socket.id))?;
        let state_since = clocks::at_first_sight(&socket, self.at);
        Some(ObservedSocket { socket, state_since, first_seen: self.at }.into())
    }
}

/// How far apart two reports of one past moment may be in a sample that took so long.
fn tolerance(took: Duration) -> Duration {
    JITTER + took.min(DUMP_JITTER_MAX)
}

/// Sorted rather than hashed: a recording can be made so that all ids fall into one bucket.
fn sorted(ids: &[SocketId]) -> Vec<SocketId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

fn contains(sorted: &[SocketId], id: SocketId) -> bool {
    !sorted.is_empty() && sorted.binary_search(&id).is_ok()
}

/// Whether a partial sample of `scope` that does not list the socket leaves open how it looks now, though something happens
/// to it or is wrong with it.
fn may_be_stale(entry: &TrackedSocket, scope: Scope) -> bool {
    entry.protocol == Protocol::Tcp
        && !matches!(entry.state, TcpState::Listen | TcpState::Established | TcpState::TimeWait | TcpState::Bound)
        && !scope.covers(entry.protocol, entry.state)
        && !entry.socket().is_unhashed()
}

/// Whether a partial sample of `scope` that does not list the socket says that it is missing: it cannot have moved to
/// a state that is not covered.
fn is_bound_to_be_listed(entry: &TrackedSocket, scope: Scope) -> bool {
    let stays = entry.protocol != Protocol::Tcp || matches!(entry.state, TcpState::Listen | TcpState::TimeWait);
    stays && scope.covers(entry.protocol, entry.state)
}

/// Whether the sample before, a partial one, could not have shown this. That a `TIME_WAIT` ends is known before, and a
/// socket that an earlier sample missed was counted then. Where every change is told, one that was not told should have been,
/// but for what the kernel tells of nobody: request sockets, mini-sockets, and sockets outside of the tables.
fn is_late(transition: &Transition, round: &SampleContext) -> bool {
    use TcpState::{Close, FinWait2, SynRecv, TimeWait};
    let scope = round.seen.scope;
    let is_told = scope.has_told_changes() && transition.protocol == Protocol::Tcp;
    let is_never_told = |state| is_told && matches!(state, SynRecv | FinWait2 | TimeWait | Close);
    let mut states = transition.from.into_iter().chain(transition.to);
    let expires = transition.from == Some(TimeWait) && transition.to.is_none();
    let counted = transition.to.is_none() && transition.at < round.at;
    let was_told = is_told && transition.source != EventSource::Samples;
    !expires
        && !counted
        && !was_told
        && !states.any(|state| scope.covers(transition.protocol, state) || is_never_told(state))
}

fn add(
    socket: &Socket,
    round: &SampleContext,
    connections: &mut TracedConnections,
    delta: &mut Delta,
) -> TrackedSocket {
    if round.first {
        let entry = TrackedSocket::new(socket, clocks::at_first_sight(socket, round.at), round);
        delta.added.push(entry.row());
        return entry;
    }
    let since = clocks::seen_opened(socket, round.looked_at(socket), round.at);
    let entry = open(socket, since, round, connections, delta);
    delta.added.push(entry.row());
    entry
}

/// Tracks a connection that was opened since the last sample; `since` is what the samples know of its state.
fn open(
    socket: &Socket,
    since: Since,
    round: &SampleContext,
    connections: &mut TracedConnections,
    delta: &mut Delta,
) -> TrackedSocket {
    let Some(way) = connections.opening(socket) else {
        let entry = TrackedSocket::new(socket, Some(since), round);
        delta.transitions.push(opened(&entry, since.at));
        return entry;
    };
    let base =
        Transition { of_subflow: socket.is_subflow, ..Transition::new(&socket.reference(), since.at, None, None) };
    let (reported, held) = transition_report::along(&base, &way, None);
    let is_traced = transition_report::reaches(&reported, socket.state);
    let since = if is_traced { held } else { Some(transition_report::in_mini_socket(since, socket, &way)) };
    let since = since.map(|since| round.not_later(since));
    let entry = TrackedSocket::owned(socket, since, &way.owner, round);
    let opened = opened(&entry, since.map_or(round.at, |since| since.at));
    let steps = transition_report::completed(reported, opened, held, since);
    delta.transitions.extend(steps.map(|step| Transition { owner: entry.owner().clone(), ..step }));
    entry
}

fn change(
    entry: &mut TrackedSocket,
    socket: &Socket,
    round: &SampleContext,
    connections: &mut TracedConnections,
    delta: &mut Delta,
) {
    let entered = || clocks::seen_entering(socket, entry.seen_at(round), round.at);
    if identity::is_another_connection(entry, socket) {
        let since = entered();
        let end = Since { at: since.at, basis: AgeBasis::Observed };
        let closed = match connections.way(entry, None, round) {
            Some(way) => transition_report::traced_end(closed(entry, end), &way, begin(entry), delta).0,
            None => closed(entry, end),
        };
        delta.transitions.push(closed);
        let until = delta.transitions.len();
        *entry = open(socket, since, round, connections, delta);
        let (ended, begun) = delta.transitions.split_at_mut(until);
        // One ends before the next begins, whoever reported each.
        if let Some(begun) = begun.first() {
            let latest = ended.iter_mut().rev().take_while(|transition| transition.id == begun.id);
            latest.for_each(|transition| transition.at = transition.at.min(begun.at));
        }
        delta.changed.push(entry.row());
    } else if entry.state == socket.state {
        let connection = entry.renew(socket, entry.since(), round);
        delta.changed.push(connection);
    } else {
        let since = entered();
        let step = entry.transition(Some(socket.state), since.at);
        let way = connections.way(entry, Some(socket), round);
        let (reported, held) = match &way {
            Some(way) => transition_report::along(&step, way, Some(begin(entry))),
            None => (Vec::new(), Some(begin(entry))),
        };
        let is_traced = transition_report::reaches(&reported, socket.state);
        let since = match way {
            Some(_) if is_traced => held,
            Some(way) => Some(transition_report::in_mini_socket(since, socket, &way)),
            None => Some(since),
        };
        let since = since.map(|since| round.not_later(since));
        let step = Transition { at: since.map_or(step.at, |since| since.at), ..step };
        let connection = entry.renew(socket, since, round);
        let steps = transition_report::completed(reported, step, held, since);
        delta.transitions.extend(steps.map(|step| Transition { owner: entry.owner().clone(), ..step }));
        delta.changed.push(connection);
    }
}

/// Since when the entry is in its state; where nothing says, it is at least since it was first seen.
fn begin(entry: &TrackedSocket) -> Since {
    entry.since().unwrap_or(Since { at: entry.first_seen(), basis: AgeBasis::AtLeast })
}

const fn exactly(at: Timestamp) -> Since {
    Since { at, basis: AgeBasis::Kernel }
}

/// A handshake is part of opening; a socket that is first seen past `ESTABLISHED` has skipped states.
fn opened(entry: &TrackedSocket, at: Timestamp) -> Transition {
    use TcpState::{Close, Established, Listen, SynRecv, SynSent, Unconn};
    let begins = matches!(entry.state, Listen | SynSent | SynRecv | Established | Unconn | Close);
    Transition { from: None, skipped: !begins, ..entry.transition(Some(entry.state), at) }
}

/// Never skipped: a reset or a time-out ends a connection in any state.
fn closed(entry: &TrackedSocket, end: Since) -> Transition {
    Transition { lasted: Some(clocks::lasted(begin(entry), end)), ..entry.transition(None, end.at) }
}

/// A connected TCP tuple, which the kernel gives to one socket at a time (on one interface).
type ConnectedTuple = (Endpoint, Endpoint, NetnsId);

fn tuple(entry: &TrackedSocket) -> Option<ConnectedTuple> {
    let socket = entry.socket();
    let unique = socket.protocol == Protocol::Tcp && socket.interface.is_none();
    unique.then_some((socket.local, socket.remote, socket.id.netns()))
}

/// The tuples of the connections that are new in `delta`, and when they were opened.
fn taken_over(delta: &Delta) -> FxHashMap<ConnectedTuple, Timestamp> {
    let connected = delta.added.iter().filter(|connection| {
        let socket = &connection.socket;
        socket.protocol == Protocol::Tcp && !socket.remote.is_unset() && socket.interface.is_none()
    });
    let taken = |connection: &Connection| {
        let socket = &connection.socket;
        let opened = connection.state_since.map_or(connection.first_seen, |since| since.at);
        ((socket.local, socket.remote, socket.id.netns()), opened)
    };
    connected.map(taken).collect()
}

#[cfg(test)]
mod tests;
