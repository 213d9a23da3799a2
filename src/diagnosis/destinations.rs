//! Ephemeral ports and `TIME_WAIT` per destination: ports run out per (source address, destination address and port).
//!
//! Counted by a pass over all rows only when some destination may be short of ports (`store::port_bounds` knows the most that
//! any can have), over those in `TIME_WAIT` when only their churn may matter, and not at all else. With many rows, not
//! at every evaluation. Rows to destinations that cannot matter are passed over.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::diagnosis::side::Sides;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::{AgeBasis, Since};
use crate::model::memory::TableSize;
use crate::model::process::Process;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::port_bounds::PortCounts;
use crate::store::port_pool::PortPool;
use crate::store::row::SocketRow;

/// The most destinations counted; rows to others are left out. One that is short of ports has tens of thousands of
/// rows, so that it is among the first that are met.
pub(super) const DESTINATIONS_MAX: usize = 65_536;
/// Churn is what came into `TIME_WAIT` within this time, which the kernel's timers show even in the first sample.
pub(super) const CHURN_WINDOW: Duration = Duration::from_secs(10);
/// So many rows are counted at every evaluation; more only after a while.
const CHEAP_ROWS: u32 = 20_000;
const DEAR_EVERY: Duration = Duration::from_secs(5);
/// What is looked for begins at this share of what is a finding, so that a finding can fade.
const LOOKS_FROM: f64 = 0.7;

/// From so many connections on a route may matter.
#[derive(Clone, Copy, Debug, Default)]
struct CountingFloors {
    ports: f64,
    time_wait: f64,
}

impl CountingFloors {
    fn of(store: &Store, sides: &Sides, thresholds: &Thresholds) -> Self {
        let ports = f64::from(room(store, sides)) * thresholds.ephemeral_ports_warning / 100.0;
        let churn = thresholds.churn * CHURN_WINDOW.as_secs_f64();
        Self { ports: ports * LOOKS_FROM, time_wait: churn * LOOKS_FROM }
    }

    /// Whether a route with at most so many connections may be short of ports.
    fn may_be_short(&self, shared: PortCounts) -> bool {
        f64::from(shared.ports) >= self.ports
    }

    /// Whether so many of them in `TIME_WAIT` may be too many.
    fn may_churn(&self, shared: PortCounts) -> bool {
        f64::from(shared.time_wait) >= self.time_wait
    }
}

/// Connections on one route.
#[derive(Clone, Debug, Default)]
pub(super) struct PortUse {
    /// All that take a port.
    pub(super) ports: u32,
    /// Those of them in `TIME_WAIT`.
    pub(super) time_wait: u32,
    /// Those that came into `TIME_WAIT` within [`CHURN_WINDOW`].
    pub(super) churned: u32,
    pub(super) oldest: Option<(Since, SocketId)>,
    /// The process of most of them (the vote of Boyer and Moore), as long as one has most.
    leader: Option<Arc<Process>>,
    votes: u32,
}

impl PortUse {
    fn vote(&mut self, process: Option<&Arc<Process>>) {
        let Some(process) = process else { return };
        if self.leader.as_ref().is_some_and(|leader| leader.id == process.id) {
            self.votes += 1;
        } else if self.votes == 0 {
            (self.leader, self.votes) = (Some(Arc::clone(process)), 1);
        } else {
            self.votes -= 1;
        }
    }

    /// The process of most of them.
    pub(super) fn process(&self) -> Option<&Arc<Process>> {
        self.leader.as_ref().filter(|_| self.votes > 0)
    }
}

/// Which rows are to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowsToCount {
    /// None: nothing can have changed that matters, or too little time has passed. What was counted last stays.
    Keep,
    /// None: there is too little to matter.
    Nothing,
    /// Those in `TIME_WAIT`.
    TimeWait,
    /// All.
    All,
}

/// The destinations as counted last.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    routes: FxHashMap<PortPool, PortUse>,
    /// When, and whether of all rows.
    counted: Option<(Timestamp, RowsToCount)>,
    floors: CountingFloors,
}

impl Destinations {
    /// What it holds.
    pub(super) fn table_sizes(&self) -> TableSize {
        TableSize::by("port use by route", &self.routes)
    }

    /// What is to be counted now.
    pub(super) fn due(&self, store: &Store, sides: &Sides, thresholds: &Thresholds) -> RowsToCount {
        let (counts, most) = (store.rows().counts(), store.rows().port_bounds().most());
        let time_wait = counts.of(TcpState::TimeWait);
        let connected = counts.tcp.iter().sum::<u32>() - counts.of(TcpState::Listen);
        let floors = CountingFloors::of(store, sides, thresholds);
        let (count, rows) = if floors.may_be_short(most) {
            (RowsToCount::All, connected)
        } else if floors.may_churn(most) {
            (RowsToCount::TimeWait, time_wait)
        } else {
            return RowsToCount::Nothing;
        };
        let Some((at, last)) = self.counted.filter(|(at, last)| *last == count && *at <= store.at()) else {
            return count;
        };
        let too_soon = rows > CHEAP_ROWS && store.at().since(at) < DEAR_EVERY;
        if last == count && (too_soon || !has_moved(store, at)) { RowsToCount::Keep } else { count }
    }

    /// Begins to count anew.
    pub(super) fn begin(&mut self, count: RowsToCount, store: &Store, sides: &Sides, thresholds: &Thresholds) {
        self.routes.clear();
        self.counted = Some((store.at(), count));
        self.floors = CountingFloors::of(store, sides, thresholds);
    }

    /// Counts a row of `store`, if its route may matter.
    pub(super) fn note(&mut self, row: &SocketRow, sides: &Sides, store: &Store) {
        let socket = &row.connection.socket;
        let shared = store.rows().port_bounds().shared_with(socket);
        let may_matter = self.floors.may_be_short(shared) || self.floors.may_churn(shared);
        if row.is_closed() || !may_matter || !sides.is_outgoing(socket) {
            return;
        }
        let route = PortPool::of(&socket.reference());
        if self.routes.len() >= DESTINATIONS_MAX && !self.routes.contains_key(&route) {
            return;
        }
        let port_use = self.routes.entry(route).or_default();
        port_use.ports += 1;
        port_use.vote(socket.owner.holders().and_then(|holders| holders.all().first()));
        let since = Since { at: row.connection.first_seen, basis: AgeBasis::AtLeast };
        let since = row.connection.state_since.unwrap_or(since);
        if socket.state == TcpState::TimeWait {
            port_use.time_wait += 1;
            port_use.churned += u32::from(since.age(store.at()) < CHURN_WINDOW);
        }
        if port_use.oldest.is_none_or(|(oldest, id)| (since.at, socket.id) < (oldest.at, id)) {
            port_use.oldest = Some((since, socket.id));
        }
    }

    /// What was counted, for those routes that take `ports_min` ports or churn `churned_min` connections.
    pub(super) fn busy(&self, ports_min: f64, churned_min: f64) -> impl Iterator<Item = (&PortPool, &PortUse)> {
        let is_busy = move |port_use: &PortUse| {
            f64::from(port_use.ports) >= ports_min || f64::from(port_use.churned) >= churned_min
        };
        self.routes.iter().filter(move |(_, port_use)| is_busy(port_use))
    }

    /// Whether all ports were counted, not only those in `TIME_WAIT`.
    pub(super) fn has_all(&self) -> bool {
        self.counted.is_some_and(|(_, count)| count == RowsToCount::All)
    }
}

/// How many ports there are for connections to one destination.
pub(super) fn room(store: &Store, sides: &Sides) -> u32 {
    store.facts().ephemeral_usable().unwrap_or(sides.ephemeral().len()).max(1)
}

/// Whether any socket was opened or closed or has changed its state after `at`.
fn has_moved(store: &Store, at: Timestamp) -> bool {
    let later = store.history().samples().iter().rev().take_while(|sample| sample.at > at);
    later.into_iter().any(|sample| sample.opened > 0 || sample.closed > 0 || sample.into.iter().any(|count| *count > 0))
}
