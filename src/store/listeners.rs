//! Which listener a connection came in by. A listener is a socket, not an address: with `SO_REUSEPORT`, on several
//! devices or in several network namespaces, one port has several, each with its own owner and queue.
//!
//! The kernel prefers a listener on the very address to one on every address, and chooses among equals by a hash that
//! nobody can read (`__inet_lookup_listener`, `net/ipv4/inet_hashtables.c`). A connection keeps the device that its
//! listener is bound to (`inet_request_bound_dev_if`, `include/net/inet_sock.h`) and its control group (`cgroup_sk_clone`).
//! Among equals the process that holds the connection tells, or, before accept(2), which queues were never empty while it
//! waited (`waiting`).

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::address::{Address, Destination};
use crate::model::address_text::AddressText;
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::{Holders, Names, Owner, Process, ProcessId};
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::store::rows::Rows;
use crate::store::tally::is_listening;
use crate::store::unaccepted::UnacceptedConnections;

/// The accept queue of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptQueue {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many may wait; `None` where the source does not say.
    pub limit: Option<u32>,
}

impl AcceptQueue {
    /// That of `socket`; `None` for what is no TCP listener, and where the source does not say.
    pub fn of(socket: &Socket) -> Option<Self> {
        let queues = socket.queues.filter(|_| socket.is_listener())?;
        Some(Self { waiting: queues.receive, limit: queues.send })
    }

    /// How many may wait: listen(fd, 0) still lets one.
    pub fn room(self) -> Option<u32> {
        self.limit.map(|limit| limit.max(1))
    }

    /// How much of its limit is used: 1.0 is full, and the kernel lets one more in (`sk_acceptq_is_full`,
    /// `include/net/sock.h`).
    pub fn share(self) -> Option<f64> {
        Some(f64::from(self.waiting) / f64::from(self.room()?))
    }

    /// Whether so many percent of its limit are used; not where the limit is not known.
    pub fn reaches(self, percent: f64) -> bool {
        self.room().is_some_and(|room| f64::from(self.waiting) * 100.0 >= f64::from(room) * percent)
    }

    /// Whether all of its limit is used.
    pub fn is_full(self) -> bool {
        self.reaches(100.0)
    }

    /// The one of the two of which the larger share is used.
    #[must_use]
    pub fn fuller(self, other: Self) -> Self {
        // a/b < c/d without division.
        let room = |queue: Self| u64::from(queue.room().unwrap_or(1));
        if u64::from(self.waiting) * room(other) < u64::from(other.waiting) * room(self) { other } else { self }
    }
}

/// Where listeners listen: those of one place share what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenAddress {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address and port.
    pub local: Endpoint,
    /// The network namespace.
    pub netns: NetnsId,
    /// The interface they are bound to (`SO_BINDTODEVICE`); `None` for all interfaces.
    pub interface: Option<NonZeroU32>,
    /// Whether they take IPv6 only; `None` for IPv4 and where the source does not say.
    pub v6only: Option<bool>,
}

impl ListenAddress {
    /// The place of a socket that listens.
    pub const fn of(socket: &Socket) -> Self {
        let Socket { protocol, local, interface, v6only, .. } = *socket;
        Self { protocol, local, netns: socket.id.netns(), interface, v6only }
    }

    /// Address, port and interface, as findings name them.
    pub const fn destination(&self) -> Destination {
        Destination { address: Address::bound(self.local.addr, self.interface), port: self.local.port }
    }

    /// The address as it is written.
    pub fn text<'a>(&self, names: &'a Names) -> AddressText<'a> {
        let takes_both = self.v6only == Some(false) && self.local.addr == Family::Ipv6.unspecified();
        AddressText::of(self.destination().address, self.netns, names).taking_both_families(takes_both)
    }
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its identity.
    pub id: SocketId,
    /// Its inode, by which filters and JSON name it; `None` where the source does not say.
    pub inode: Option<NonZeroU32>,
    /// Its accept queue; `None` for UDP, and where the source does not say.
    pub queue: Option<AcceptQueue>,
    /// The processes that hold it; `None` where they are not known.
    pub holders: Option<Arc<Holders>>,
    cgroup: Option<NonZeroU64>,
}

impl Listener {
    /// The first process that holds it.
    pub fn process(&self) -> Option<&Arc<Process>> {
        self.holders.as_ref()?.all().first()
    }

    /// Whether a connection can wait here: none can where the queue is empty.
    fn may_keep_waiting(&self) -> bool {
        self.queue.is_none_or(|queue| queue.waiting > 0)
    }
}

/// The listeners of one place.
#[derive(Debug, Default)]
struct AddressListeners {
    all: Vec<Listener>,
    /// Which of them a process holds, as an index; `None` for one that holds several.
    of_holder: FxHashMap<ProcessId, Option<usize>>,
}

impl AddressListeners {
    fn note(&mut self, listener: Listener) {
        let nth = self.all.len();
        for process in listener.holders.iter().flat_map(|holders| holders.all()) {
            self.of_holder.entry(process.id).and_modify(|held| *held = None).or_insert(Some(nth));
        }
        self.all.push(listener);
    }

    /// The only listener that `socket`, which samples before saw `waiting` at some of them, can have come in by.
    fn only<'a>(&'a self, socket: &Socket, waiting: &'a UnacceptedConnections) -> Option<&'a Listener> {
        if let [only] = self.all.as_slice() {
            return Some(only);
        }
        self.of_holders(socket).or_else(|| {
            let mut possible = self.possible(socket, waiting);
            possible.next().filter(|_| possible.next().is_none())
        })
    }

    /// The one that those who hold `socket` hold, if that is one.
    fn of_holders(&self, socket: &Socket) -> Option<&Listener> {
        let held = socket.owner.holders()?.all().iter();
        let mut known = held.filter_map(|process| *self.of_holder.get(&process.id)?);
        let first = known.next()?;
        if known.all(|other| other == first) { self.all.get(first) } else { None }
    }

    /// Those that `socket` can have come in by, as far as its control group and the queues, now and before, tell.
    fn possible<'a>(
        &'a self,
        socket: &Socket,
        waiting: &'a UnacceptedConnections,
    ) -> impl Iterator<Item = &'a Listener> + use<'a> {
        let cgroup = socket.cgroup.filter(|_| self.all.iter().any(|one| one.cgroup == socket.cgroup));
        let waits = matches!(socket.owner, Owner::Unaccepted);
        let by_queue = waits && self.all.iter().any(Listener::may_keep_waiting);
        let before = waiting.possible(socket.id).filter(|_| waits);
        let before = before.filter(|ids| self.all.iter().any(|one| ids.binary_search(&one.id).is_ok()));
        self.all.iter().filter(move |one| cgroup.is_none() || one.cgroup == cgroup).filter(move |one| {
            before.map_or(!by_queue || one.may_keep_waiting(), |ids| ids.binary_search(&one.id).is_ok())
        })
    }
}

/// What is known of the listener that a connection came in by.
#[derive(Clone, Copy, Debug)]
pub struct ListenerMatch<'a> {
    /// Where it listens.
    pub place: ListenAddress,
    /// The listener; `None` where several share the place and nothing tells which of them it was.
    pub listener: Option<&'a Listener>,
    at_address: &'a AddressListeners,
    waiting: &'a UnacceptedConnections,
}

impl<'a> ListenerMatch<'a> {
    /// How many listeners share the place.
    pub fn count(&self) -> usize {
        self.at_address.all.len()
    }

    /// All that share the place.
    pub fn all(&self) -> &'a [Listener] {
        &self.at_address.all
    }

    /// The process that took `socket`, which it was asked of, or is to take it: also where several listeners are possible
    /// and one process is the first holder of them all.
    pub fn process(&self, socket: &Socket) -> Option<&'a Arc<Process>> {
        if let Some(listener) = self.listener {
            return listener.process();
        }
        let mut possible = self.possible(socket).map(Listener::process);
        let first = possible.next()??;
        possible.all(|other| other.is_some_and(|other| other.id == first.id)).then_some(first)
    }

    /// What is known of the accept queue that `socket` waits in: that of the listener, or all of them together where
    /// nothing tells them apart.
    pub fn queue(&self) -> Option<AcceptQueue> {
        let Some(listener) = self.listener else {
            let queues = self.at_address.all.iter().map(|listener| listener.queue);
            return queues.reduce(|sum, one| {
                let (sum, one) = (sum?, one?);
                let limit = sum.limit.zip(one.limit).map(|(sum, one)| sum.saturating_add(one));
                Some(AcceptQueue { waiting: sum.waiting.saturating_add(one.waiting), limit })
            })?;
        };
        listener.queue
    }

    /// Those that `socket`, which it was asked of, can have come in by.
    pub fn possible(&self, socket: &Socket) -> impl Iterator<Item = &'a Listener> + use<'a> {
        self.at_address.possible(socket, self.waiting)
    }
}

/// The listeners of now: TCP listeners and bound UDP sockets without a peer.
#[derive(Debug, Default)]
pub struct Listeners {
    places: FxHashMap<ListenAddress, AddressListeners>,
    /// What samples before told of connections that wait.
    waiting: Arc<UnacceptedConnections>,
}

impl Listeners {
    /// Those of `rows`, with what is known of connections that wait. One pass over the listening rows.
    pub(super) fn of(rows: &Rows, waiting: &Arc<UnacceptedConnections>) -> Self {
        let mut listeners = Self { waiting: Arc::clone(waiting), ..Self::default() };
        for index in rows.listening().iter() {
            if let Some(row) = rows.get(index) {
                listeners.note(&row.connection.socket);
            }
        }
        listeners
    }

    fn note(&mut self, socket: &Socket) {
        let holders = match &socket.owner {
            Owner::Live(holders) => Some(Arc::clone(holders)),
            _ => None,
        };
        let (id, inode, cgroup) = (socket.id, socket.inode, socket.cgroup);
        let listener = Listener { id, inode, queue: AcceptQueue::of(socket), holders, cgroup };
        self.places.entry(ListenAddress::of(socket)).or_default().note(listener);
    }

    /// How many listeners share `place`.
    pub fn count_at(&self, place: ListenAddress) -> usize {
        self.places.get(&place).map_or(0, |at_address| at_address.all.len())
    }

    /// The same listeners, with what is known of connections that wait.
    pub(super) fn remembering(self, waiting: &Arc<UnacceptedConnections>) -> Self {
        Self { waiting: Arc::clone(waiting), ..self }
    }

    /// What is known of the connections that wait, now that `rows`, of which these are the listeners, are of the next
    /// sample.
    pub(super) fn note_waiting(&self, rows: &Rows, waiting: &mut UnacceptedConnections) {
        let unaccepted = rows.suspects().iter().filter_map(|index| rows.get(index)).map(|row| &row.connection.socket);
        waiting.begin();
        for socket in unaccepted.filter(|socket| matches!(socket.owner, Owner::Unaccepted)) {
            if let Some(came_by) = self.of_connection(socket).filter(|came_by| came_by.count() > 1) {
                waiting.note(socket.id, came_by.possible(socket).map(|listener| listener.id).collect());
            }
        }
        waiting.finish();
    }

    /// The inode of the listener that `socket` is or came in by; `None` where that is not known.
    pub fn inode_of(&self, socket: &Socket) -> Option<NonZeroU32> {
        if is_listening(socket) { socket.inode } else { self.of_connection(socket)?.listener?.inode }
    }

    /// The places of `netns` with this port, in no order that means anything.
    pub fn places_of(&self, protocol: Protocol, port: u16, netns: NetnsId) -> impl Iterator<Item = ListenAddress> {
        let is_there =
            move |place: &&ListenAddress| (place.protocol, place.local.port, place.netns) == (protocol, port, netns);
        self.places.keys().filter(is_there).copied()
    }

    /// What is known of the listener that `socket`, a connection, came in by; `None` if no listener of now can have
    /// taken it. A connection that came through a dual-stack `[::]` is an IPv6 socket, so its family tells it apart.
    pub fn of_connection(&self, socket: &Socket) -> Option<ListenerMatch<'_>> {
        let (place, at_address) = self.place_of(ListenAddress::of(socket), socket.family)?;
        let waiting = &*self.waiting;
        Some(ListenerMatch { place, listener: at_address.only(socket, waiting), at_address, waiting })
    }

    /// Where the listeners are that a connection at `local`, a place as fine as the connection knows it, came in by.
    fn place_of(&self, local: ListenAddress, family: Family) -> Option<(ListenAddress, &AddressListeners)> {
        let any = Endpoint { addr: family.unspecified(), ..local.local };
        // An IPv4 connection of an IPv6 socket came by one that takes IPv4 as well.
        let is_mapped = family == Family::Ipv6 && local.local.addr.to_canonical().is_ipv4();
        let v6only = [Some(false), None, Some(true)];
        let v6only = if is_mapped { &v6only[..2] } else { &v6only[..] };
        // A connection has the device of its listener; one from a link-local peer has that of its link in any case.
        let devices = [local.interface, None];
        let devices = if local.interface.is_some() { &devices[..] } else { &devices[1..] };
        devices.iter().find_map(|interface| {
            [local.local, any].into_iter().find_map(|local_end| {
                v6only.iter().find_map(|v6only| {
                    let place = ListenAddress { local: local_end, interface: *interface, v6only: *v6only, ..local };
                    Some((place, self.places.get(&place)?))
                })
            })
        })
    }
}

mod target;
#[cfg(test)]
mod tests;
