//! Many sockets as one row: per process, per remote, per listener and per route; and what one process holds, for the kill dialog.
//!
//! Computed by one pass over the rows when a group view or a dialog is on the screen, in slices where many rows are to
//! be expected; nothing is kept.

pub mod attempts;
pub mod members;
pub mod tagged;

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::address::Address;
use crate::model::delta::{Rates, Since};
use crate::model::endpoint::Protocol;
use crate::model::facts::Facts;
use crate::model::hosts::{HostNumber, whole_host};
use crate::model::process::{NoProcess, Owner, Process, ProcessId};
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::groups::attempts::GroupAttempts;
use crate::store::listeners::{AcceptQueue, ListenAddress, Listeners};
use crate::store::port_pool::{PortPool, is_ephemeral};
use crate::store::row::{RowIndex, SocketRow};
use crate::store::socket_counts::SocketCounts;
use crate::store::tally::is_listening;

/// What the sockets of a group have in common; identifies the group over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKey {
    /// Held (or, remembered, once held) by this process.
    Process(ProcessId),
    /// Held by no process that is known, on this host where there are several.
    NoProcess(NoProcess, Option<HostNumber>),
    /// Connected to this remote.
    Remote {
        /// The protocol.
        protocol: Protocol,
        /// The remote address.
        address: Address,
        /// The network namespace of its zone; the same for all addresses without one.
        netns: NetnsId,
        /// The remote port of connections we opened; `None` for those that came to a listener of ours, whose remote
        /// ports say nothing.
        port: Option<u16>,
    },
    /// One listening socket (for UDP, one without a peer), and what it accepted or has waiting.
    Listener {
        /// Where it listens.
        place: ListenAddress,
        /// The listening socket.
        id: SocketId,
    },
    /// Came in by one of several listeners of one place, and nothing tells by which.
    OneOfListeners(ListenAddress),
    /// Opened by us on a port that the kernel chose.
    PortPool(PortPool),
}

impl GroupKey {
    /// Among which groups it is.
    pub const fn grouping(self) -> Grouping {
        match self {
            Self::Process(_) | Self::NoProcess(..) => Grouping::Process,
            Self::Remote { .. } => Grouping::Remote,
            Self::Listener { .. } | Self::OneOfListeners(_) => Grouping::Listener,
            Self::PortPool(_) => Grouping::PortPool,
        }
    }

    /// The host that they are on; `None` where there is only one.
    pub fn host(self) -> Option<HostNumber> {
        match self {
            Self::Process(process) => HostNumber::of_process(process.start_ticks),
            Self::NoProcess(_, host) => host,
            Self::Remote { netns, .. }
            | Self::Listener { place: ListenAddress { netns, .. }, .. }
            | Self::OneOfListeners(ListenAddress { netns, .. })
            | Self::PortPool(PortPool { netns, .. }) => HostNumber::of_namespace(netns),
        }
    }

    /// The address of the peer that they have in common.
    pub const fn remote_address(self) -> Option<Address> {
        match self {
            Self::Remote { address, .. } => Some(address),
            Self::PortPool(route) => Some(route.to.address),
            Self::Process(_) | Self::NoProcess(..) | Self::Listener { .. } | Self::OneOfListeners(_) => None,
        }
    }
}

/// The live sockets with one [`GroupKey`], added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What they have in common.
    pub key: GroupKey,
    /// The process of the group: the one of the key; for a listener the first that holds it, while it is added up with
    /// what came in by it; for a remote the first that is met, for a route the one that has more than half of its sockets
    /// if one has.
    pub process: Option<Arc<Process>>,
    /// Whether that process holds a socket of the group now; else it is only remembered for one.
    pub is_held: bool,
    /// How many more sockets that process has than the others, as far as a vote tells.
    votes: u32,
    /// How many by state.
    pub counts: SocketCounts,
    /// Distinct remote addresses.
    pub peers: u32,
    /// Bytes received and not read, listeners aside.
    pub receive_queue_bytes: u64,
    /// Bytes sent and not acknowledged, listeners aside.
    pub send_queue_bytes: u64,
    /// Segments retransmitted.
    pub retransmits: u64,
    /// Payload per second; `None` if no socket of the group has a rate.
    pub rates: Option<Rates>,
    /// The fullest accept queue among the group's listeners; `None` without listeners.
    pub accept_queue: Option<AcceptQueue>,
    /// How many of the sockets listen: TCP listeners, and UDP sockets without a peer.
    pub listening: u32,
    /// How many listeners share the place of the group: 1 for a listener by itself, 0 for what is no group of listeners.
    pub listeners_at_place: u32,
    /// Since when the one that is in `CLOSE_WAIT` longest is in it.
    pub close_wait_since: Option<Since>,
    /// Attempts to connect in the last minute; `None` where they are not told (see [`GroupAttempts::are_told`]), or no destination
    /// or listener is meant.
    pub attempts: Option<GroupAttempts>,
}

impl Group {
    /// How many sockets.
    pub fn sockets(&self) -> u32 {
        self.counts.total()
    }

    /// How many TCP listeners.
    pub const fn listeners(&self) -> u32 {
        self.counts.of(TcpState::Listen)
    }
}

/// What one process holds now: for the dialog that asks whether to signal it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessSockets {
    /// Its sockets by state.
    pub counts: SocketCounts,
    /// Distinct remote addresses of its connections.
    pub peers: u32,
}

/// Which groups a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// One group a process. A socket that several processes share counts for each of them, so that a group is what
    /// its process holds; the groups may add up to more than there are sockets.
    Process,
    /// One group a remote.
    Remote,
    /// One group a listening socket; and one a place with several of them, for the connections of which nobody can tell
    /// which listener took them. Connections that we opened belong to none.
    Listener,
    /// One group a route: the connections that we opened on ephemeral ports, which compete for those.
    PortPool,
}

/// The groups of processes, in no order that means anything.
pub fn by_process(store: &Store) -> Vec<Group> {
    by(store, Grouping::Process)
}

/// The groups of remotes, in no order that means anything.
pub fn by_remote(store: &Store) -> Vec<Group> {
    by(store, Grouping::Remote)
}

/// The groups of listeners, in no order that means anything.
pub fn by_listener(store: &Store) -> Vec<Group> {
    by(store, Grouping::Listener)
}

/// The groups of `grouping`, in no order that means anything. One pass over the rows.
pub fn by(store: &Store, grouping: Grouping) -> Vec<Group> {
    let mut summing = Summing::new(grouping);
    while !summing.advance(store, &mut usize::MAX.clone(), |_| true) {}
    summing.into_groups(store, true).0
}

/// Sockets being added up to groups, in slices. The store must not change in between.
#[derive(Debug)]
pub struct Summing {
    grouping: Grouping,
    groups: GroupTable,
    next: RowIndex,
}

impl Summing {
    /// Nothing is added up yet.
    pub fn new(grouping: Grouping) -> Self {
        Self { grouping, groups: GroupTable::default(), next: RowIndex(0) }
    }

    /// Adds up as many rows as `steps` allows, of them those that `is_wanted`; answers whether that was all.
    pub fn advance(&mut self, store: &Store, steps: &mut usize, is_wanted: impl Fn(&SocketRow) -> bool) -> bool {
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else { return true };
            self.next = RowIndex(index.0 + 1);
            if !row.is_closed() && is_wanted(row) {
                let Self { grouping, groups, .. } = self;
                each_key(&row.connection.socket, *grouping, store, |key, process| groups.add(key, process, row));
            }
        }
        false
    }

    /// The groups, in no order that means anything, and the place of each; if `all` rows were wanted, remotes without a
    /// socket that were tried a moment ago, too.
    pub fn into_groups(mut self, store: &Store, all: bool) -> (Vec<Group>, FxHashMap<GroupKey, usize>) {
        for group in &mut self.groups.found {
            if let GroupKey::Listener { place, .. } | GroupKey::OneOfListeners(place) = group.key {
                group.listeners_at_place = count(store.listeners().count_at(place));
            }
        }
        attempts::tell(&mut self.groups, self.grouping, store, all);
        (self.groups.found, self.groups.places)
    }
}

/// The rows that make up the group of `key`, in no order that means anything.
pub fn rows_of(store: &Store, key: GroupKey) -> Vec<RowIndex> {
    let grouping = key.grouping();
    let belongs = |row: &SocketRow| {
        let mut found = false;
        each_key(&row.connection.socket, grouping, store, |candidate, _| found |= candidate == key);
        found
    };
    live(store).filter(|(_, row)| belongs(row)).map(|(index, _)| index).collect()
}

/// What a process holds now, being counted in slices. Sockets it is only remembered for (`TIME_WAIT`) are not among them.
/// The store must not change in between.
#[derive(Debug)]
pub struct ProcessSocketsCount {
    process: ProcessId,
    next: RowIndex,
    counts: SocketCounts,
    peers: RemoteAddresses,
}

impl ProcessSocketsCount {
    /// Nothing is counted yet.
    pub fn new(process: ProcessId) -> Self {
        Self { process, next: RowIndex(0), counts: SocketCounts::default(), peers: RemoteAddresses::default() }
    }

    /// Whose sockets are counted.
    pub const fn process(&self) -> ProcessId {
        self.process
    }

    /// Counts as many rows as `steps` allows; the result once all are counted.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> Option<ProcessSockets> {
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else {
                return Some(ProcessSockets { counts: self.counts, peers: count(self.peers.len()) });
            };
            self.next = RowIndex(index.0 + 1);
            let socket = &row.connection.socket;
            let Owner::Live(holders) = &socket.owner else { continue };
            if row.is_closed() || !holders.all().iter().any(|holder| holder.id == self.process) {
                continue;
            }
            self.counts.add(socket);
            if !socket.remote.is_unset() {
                self.peers.insert(0, socket.destination().address);
            }
        }
        None
    }
}

fn live(store: &Store) -> impl Iterator<Item = (RowIndex, &SocketRow)> {
    store.rows().iter().filter(|(_, row)| !row.is_closed())
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Calls `found` with every group that `socket` belongs to.
fn each_key<'a>(
    socket: &'a Socket,
    grouping: Grouping,
    store: &'a Store,
    mut found: impl FnMut(GroupKey, Option<&'a Arc<Process>>),
) {
    let first = socket.owner.holders().and_then(|holders| holders.all().first());
    let listening = || ListenerLookup::of(store);
    match grouping {
        Grouping::Process => {
            if let Some(why) = socket.owner.no_process() {
                return found(GroupKey::NoProcess(why, HostNumber::of_namespace(socket.id.netns())), None);
            }
            let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
            for process in holders {
                found(GroupKey::Process(process.id), Some(process));
            }
        }
        Grouping::Remote => {
            if !socket.remote.is_unset() {
                found(listening().remote_of(socket), first);
            }
        }
        Grouping::Listener => {
            if let Some(key) = listening().listener_of(socket) {
                let holder = first.filter(|_| is_listening(socket));
                found(key, holder);
            }
        }
        Grouping::PortPool => {
            if let Some(route) = listening().route_of(socket) {
                found(GroupKey::PortPool(route), first);
            }
        }
    }
}

/// What `socket` takes one of the ephemeral ports of; `None` if it came to a listener, or if the kernel did not choose its port.
pub fn port_pool_of(socket: &Socket, store: &Store) -> Option<PortPool> {
    ListenerLookup::of(store).route_of(socket)
}

/// Who listens, and what the kernel says of ports.
#[derive(Clone, Copy, Debug)]
struct ListenerLookup<'a> {
    listeners: &'a Listeners,
    facts: &'a Facts,
}

impl<'a> ListenerLookup<'a> {
    fn of(store: &'a Store) -> Self {
        Self { listeners: store.listeners(), facts: store.facts() }
    }

    /// The listener that `socket` is or came in by.
    fn listener_of(&self, socket: &Socket) -> Option<GroupKey> {
        if is_listening(socket) {
            return Some(GroupKey::Listener { place: ListenAddress::of(socket), id: socket.id });
        }
        let came_by = self.listeners.of_connection(socket)?;
        Some(match came_by.listener {
            Some(listener) => GroupKey::Listener { place: came_by.place, id: listener.id },
            None => GroupKey::OneOfListeners(came_by.place),
        })
    }

    /// Whether `socket` came to a listener of ours.
    fn is_served(&self, socket: &Socket) -> bool {
        self.listeners.of_connection(socket).is_some()
    }

    /// The route whose ports `socket` takes one of; `None` if it came to a listener or was bound to another port.
    fn route_of(&self, socket: &Socket) -> Option<PortPool> {
        let netns = socket.id.netns();
        let is_opened = socket.protocol == Protocol::Tcp && !socket.remote.is_unset();
        if !is_opened || !is_ephemeral(socket.local.port, netns, self.facts) || self.is_served(socket) {
            return None;
        }
        Some(PortPool::of(&socket.reference()))
    }

    fn remote_of(&self, socket: &Socket) -> GroupKey {
        let port = if self.is_served(socket) { None } else { Some(socket.remote.port) };
        let address = socket.destination().address;
        let netns = address.zone().map_or_else(|| whole_host(socket.id.netns()), |_| socket.id.netns());
        GroupKey::Remote { protocol: socket.protocol, address, netns, port }
    }
}

/// Groups under construction.
#[derive(Debug, Default)]
struct GroupTable {
    found: Vec<Group>,
    places: FxHashMap<GroupKey, usize>,
    peers: RemoteAddresses,
}

impl GroupTable {
    fn add(&mut self, key: GroupKey, process: Option<&Arc<Process>>, row: &SocketRow) {
        let place = *self.places.entry(key).or_insert_with(|| {
            self.found.push(Group::empty(key));
            self.found.len() - 1
        });
        let group = &mut self.found[place];
        if let Some(process) = process {
            let is_held = matches!(row.connection.socket.owner, Owner::Live(_));
            match key {
                GroupKey::PortPool(_) => group.vote(process, is_held),
                _ if group.process.is_none() => group.elect(process, is_held),
                _ => {}
            }
        }
        group.add(row);
        let remote = row.connection.socket.destination();
        if matches!(key, GroupKey::Remote { .. } | GroupKey::PortPool(_)) {
            group.peers = 1;
        } else if !row.connection.socket.remote.is_unset() && self.peers.insert(place, remote.address) {
            group.peers += 1;
        }
    }
}

/// Which remote addresses each place has met. IPv4 addresses are packed: there can be 200,000 of them.
#[derive(Debug, Default)]
struct RemoteAddresses {
    v4: FxHashSet<u64>,
    v6: FxHashSet<(usize, Ipv6Addr, Option<NonZeroU32>)>,
}

impl RemoteAddresses {
    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether `addr` is new at `place`.
    fn insert(&mut self, place: usize, address: Address) -> bool {
        match (address.ip(), u32::try_from(place)) {
            (IpAddr::V4(ip), Ok(place)) => self.v4.insert(u64::from(place) << 32 | u64::from(ip.to_bits())),
            (IpAddr::V4(ip), Err(_)) => self.v6.insert((place, ip.to_ipv6_mapped(), None)),
            (IpAddr::V6(ip), _) => self.v6.insert((place, ip, address.zone())),
        }
    }
}

impl Group {
    fn empty(key: GroupKey) -> Self {
        Self {
            key,
            process: None,
            is_held: false,
            votes: 0,
            counts: SocketCounts::default(),
            peers: 0,
            receive_queue_bytes: 0,
            send_queue_bytes: 0,
            retransmits: 0,
            rates: None,
            accept_queue: None,
            listening: 0,
            listeners_at_place: 0,
            close_wait_since: None,
            attempts: None,
        }
    }

    /// One more socket of `process`. Whoever has more than half of them is elected in the end (Boyer and Moore, 1981):
    /// to count the sockets of each process would take a table a group.
    fn vote(&mut self, process: &Arc<Process>, is_held: bool) {
        if self.process.as_ref().is_some_and(|elected| elected.id == process.id) {
            self.votes += 1;
            self.is_held |= is_held;
        } else if self.votes == 0 {
            self.elect(process, is_held);
        } else {
            self.votes -= 1;
        }
    }

    fn elect(&mut self, process: &Arc<Process>, is_held: bool) {
        (self.process, self.is_held, self.votes) = (Some(Arc::clone(process)), is_held, 1);
    }

    fn add(&mut self, row: &SocketRow) {
        let connection = &row.connection;
        let socket = &connection.socket;
        self.counts.add(socket);
        self.listening += u32::from(is_listening(socket));
        self.add_queues(socket);
        self.retransmits += socket.tcp.map_or(0, |tcp| u64::from(tcp.retransmits_total));
        if let Some(rates) = connection.rates() {
            let sum = self.rates.get_or_insert_default();
            sum.received += rates.received;
            sum.sent += rates.sent;
        }
        if socket.state == TcpState::CloseWait {
            self.close_wait_since = earliest(self.close_wait_since, connection.state_since);
        }
    }

    fn add_queues(&mut self, socket: &Socket) {
        let Some(queues) = socket.queues else { return };
        if let Some(queue) = AcceptQueue::of(socket) {
            self.accept_queue = Some(self.accept_queue.map_or(queue, |other| other.fuller(queue)));
        } else {
            self.receive_queue_bytes += u64::from(queues.receive);
            self.send_queue_bytes += u64::from(queues.send.unwrap_or_default());
        }
    }
}

fn earliest(a: Option<Since>, b: Option<Since>) -> Option<Since> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::delta::{AgeBasis, Connection, Delta, Removed};
    use crate::model::facts::PortRange;
    use crate::model::socket::{NetnsId, Socket};
    use crate::model::tcp_state::TcpState::{CloseWait, Established, TimeWait};
    use crate::model::testing::{connection, endpoint, listener, process, source_info, tcp, udp};
    use crate::model::time::Timestamp;

    fn store(connections: Vec<Connection>) -> Store {
        let mut store = Store::new(source_info());
        store.apply(Delta { added: connections, ..Delta::default() });
        store
    }

    fn store_of(sockets: Vec<Socket>) -> Store {
        store(sockets.into_iter().map(|socket| connection(socket, 0)).collect())
    }

    fn groups(found: Vec<Group>) -> BTreeMap<GroupKey, Group> {
        let len = found.len();
        let groups: BTreeMap<_, _> = found.into_iter().map(|group| (group.key, group)).collect();
        assert_eq!(groups.len(), len, "a key stands twice");
        groups
    }

    /// nginx and its worker listen on 80 and serve two peers; jdbc-pool leaks to a database; curl left a `TIME_WAIT`.
    fn machine() -> Store {
        let (master, worker) = (process(812, "nginx"), process(813, "nginx"));
        let pool = [process(4121, "jdbc-pool")];
        let served = |cookie| tcp(cookie).local("10.0.0.1:80").held_by(std::slice::from_ref(&worker));
        let leaked = |cookie| tcp(cookie).remote("10.0.0.5:5432").state(CloseWait).held_by(&pool);
        let curl =
            Owner::Remembered(served(0).held_by(&[process(99, "curl")]).build().owner.holders().expect("held").clone());
        store_of(vec![
            served(2).remote("10.0.0.9:50000").queues(5, 7).build(),
            listener(1, 80).queues(3, 128).held_by(&[master.clone(), worker.clone()]).build(),
            served(3).remote("10.0.0.9:50001").info(|info| info.retransmits_total = 4).build(),
            served(4).remote("10.0.0.8:50000").build(),
            tcp(5).local("10.0.0.1:80").remote("10.0.0.7:1").owner(Owner::Unaccepted).build(),
            leaked(6).build(),
            leaked(7).build(),
            tcp(8).remote("10.0.0.2:443").mini(TimeWait).owner(curl).build(),
            udp(9, 53).owner(Owner::Hidden).build(),
        ])
    }

    fn by_pid(groups: &BTreeMap<GroupKey, Group>, pid: u32) -> &Group {
        let key = |group: &&Group| group.process.as_ref().is_some_and(|process| process.id.pid == pid);
        groups.values().find(key).expect("the process has a group")
    }

    fn holdings_of(store: &Store, process: ProcessId) -> ProcessSockets {
        ProcessSocketsCount::new(process).advance(store, &mut usize::MAX.clone()).expect("there are fewer rows")
    }

    #[test]
    fn a_process_group_is_what_the_process_holds_or_is_remembered_for() {
        let groups = groups(by_process(&machine()));
        let worker = by_pid(&groups, 813);
        assert_eq!((worker.sockets(), worker.listeners(), worker.peers), (4, 1, 2));
        assert_eq!(worker.counts.of(Established), 3);
        assert_eq!((worker.receive_queue_bytes, worker.send_queue_bytes, worker.retransmits), (5, 7, 4));
        assert_eq!(worker.accept_queue, Some(AcceptQueue { waiting: 3, limit: Some(128) }));
        assert_eq!(by_pid(&groups, 812).sockets(), 1, "the listener is shared");
        assert_eq!(by_pid(&groups, 4121).counts.of(CloseWait), 2);
        assert_eq!(by_pid(&groups, 99).counts.of(TimeWait), 1);
        assert_eq!(groups[&GroupKey::NoProcess(NoProcess::Unaccepted, None)].sockets(), 1);
        assert_eq!(groups[&GroupKey::NoProcess(NoProcess::Hidden, None)].counts.udp, 1);
    }

    #[test]
    fn remotes_have_a_port_only_where_we_chose_it() {
        let groups = groups(by_remote(&machine()));
        let remote = |text: &str, port| GroupKey::Remote {
            protocol: Protocol::Tcp,
            address: Address::new(endpoint(text).addr, None),
            netns: NetnsId::default(),
            port,
        };
        assert_eq!(groups[&remote("10.0.0.9:0", None)].sockets(), 2);
        assert_eq!(groups[&remote("10.0.0.5:0", Some(5432))].counts.of(CloseWait), 2);
        assert_eq!(groups.len(), 5);
    }

    #[test]
    fn a_listener_has_the_connections_that_came_through_it() {
        let groups = groups(by_listener(&machine()));
        let http = groups.values().find(|group| group.listeners() == 1).expect("one TCP listener");
        assert_eq!((http.sockets(), http.peers), (5, 3), "itself, three served, one waiting");
        assert_eq!(http.process.as_ref().map(|process| process.id.pid), Some(812));
        assert_eq!(groups.len(), 2, "and the UDP socket");
    }

    #[test]
    fn listeners_that_share_a_port_are_groups_of_their_own_and_what_is_nobodys_is_one_more() {
        let worker = |nth: u32| process(100 + nth, "worker");
        let own = |nth: u32, waiting| {
            listener(u64::from(nth), 80).local("10.0.0.1:80").queues(waiting, 8).held_by(&[worker(nth)])
        };
        let at = |cookie: u64| tcp(cookie).local("10.0.0.1:80").remote(&format!("10.0.0.9:{}", 40_000 + cookie));
        let mut sockets = vec![own(0, 0).build(), own(1, 2).build(), own(2, 0).build()];
        sockets.push(at(10).held_by(&[worker(0)]).build());
        sockets.extend([11, 12].map(|cookie| at(cookie).owner(Owner::Unaccepted).build()));
        sockets.push(at(13).state(TcpState::SynRecv).owner(Owner::None).build());
        let store = store_of(sockets);
        let groups = groups(by_listener(&store));
        let of = |key: &GroupKey| match key {
            GroupKey::Listener { id, .. } => id.cookie(),
            _ => None,
        };
        let sizes: Vec<_> =
            groups.values().map(|group| (of(&group.key), group.sockets(), group.listeners_at_place)).collect();
        assert_eq!(sizes, [(Some(0), 2, 3), (Some(1), 3, 3), (Some(2), 1, 3), (None, 1, 3)]);
        let queues: Vec<_> = groups.values().map(|group| group.accept_queue.map(|queue| queue.waiting)).collect();
        assert_eq!(queues, [Some(0), Some(2), Some(0), None]);
    }

    #[test]
    fn families_and_namespaces_keep_listeners_apart() {
        let groups = groups(by_listener(&store_of(vec![
            listener(1, 80).build(),
            listener(2, 80).local("[::]:80").build(),
            listener(3, 80).netns(7).build(),
            tcp(4).local("10.0.0.1:80").build(),
            tcp(5).local("[::ffff:10.0.0.1]:80").build(),
            tcp(6).local("[2001:db8::1]:80").build(),
            tcp(7).local("10.0.0.1:80").netns(7).build(),
            tcp(8).local("10.0.0.1:80").netns(8).build(),
        ])));
        let sockets: Vec<_> = groups.values().map(Group::sockets).collect();
        assert_eq!(sockets, [2, 2, 3]);
    }

    #[test]
    fn the_fullest_queue_and_the_oldest_leak_stand_for_the_group() {
        let since = |ms| Some(crate::model::delta::Since { at: Timestamp::from_millis(ms), basis: AgeBasis::Kernel });
        let app = [process(1, "app")];
        let leaked = |cookie, ms| {
            let mut leaked = connection(tcp(cookie).state(CloseWait).held_by(&app), 0);
            leaked.state_since = since(ms);
            leaked
        };
        let idle = connection(listener(1, 80).queues(100, 4096).held_by(&app), 0);
        let full = connection(listener(2, 81).queues(5, 5).held_by(&app), 0);
        let found = by_process(&store(vec![idle, full, leaked(3, 900), leaked(4, 500)]));
        assert_eq!(found[0].accept_queue, Some(AcceptQueue { waiting: 5, limit: Some(5) }));
        assert_eq!(found[0].close_wait_since, since(500));
    }

    #[test]
    fn a_route_has_what_takes_ports_of_the_kernels_range_and_names_who_has_most() {
        let range = PortRange { first: 32_768, last: 60_999 };
        let facts = Facts { ephemeral_ports: Some(range), netns: Some(NetnsId(0)), ..Facts::default() };
        let (cron, worker) = (process(5377, "cron-sync"), process(3981, "web-worker"));
        let client = |cookie: u64| tcp(cookie).local(&format!("10.0.0.7:{}", 40_000 + cookie)).remote("10.0.0.31:6379");
        let left = |cookie| {
            let owner = client(cookie).held_by(std::slice::from_ref(&cron)).build().owner.holders().cloned();
            client(cookie).mini(TimeWait).owner(Owner::Remembered(owner.expect("held")))
        };
        let mapped = tcp(7).local("[::ffff:10.0.0.7]:50000").remote("[::ffff:10.0.0.31]:6379");
        let sockets = [
            client(1).held_by(std::slice::from_ref(&worker)),
            left(2),
            client(3).held_by(std::slice::from_ref(&worker)),
            left(4),
            left(5),
            mapped,
            left(6),
            client(8).local("10.0.0.8:40000"),
            client(9).local("10.0.0.7:1023"),
            client(10).netns(9).local("10.0.0.7:1023"),
            listener(11, 40_080),
            tcp(12).local("10.0.0.7:40080").remote("10.0.0.31:6379"),
            udp(13, 0).local("10.0.0.7:40000").remote("10.0.0.31:6379"),
        ];
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, facts: Arc::new(facts), ..Delta::default() });
        let groups = groups(by(&store, Grouping::PortPool));
        let sizes: Vec<_> = groups.values().map(Group::sockets).collect();
        assert_eq!(sizes, [7, 1, 1], "another namespace has a range that is not known");
        let cache = groups.values().next().expect("there are three");
        assert_eq!((cache.counts.of(TimeWait), cache.counts.of(Established)), (4, 3));
        let who = cache.process.as_ref().map(|process| process.name.as_str());
        assert_eq!((who, cache.is_held), (Some("cron-sync"), false));
        for group in groups.values() {
            assert_eq!(rows_of(&store, group.key).len(), group.sockets() as usize);
        }
    }

    #[test]
    fn the_dialog_counts_what_is_held_now() {
        let mut store = machine();
        let holdings = holdings_of(&store, process(813, "nginx").id);
        assert_eq!((holdings.counts.of(Established), holdings.counts.of(TcpState::Listen), holdings.peers), (3, 1, 2));
        assert_eq!(
            holdings_of(&store, process(99, "curl").id),
            ProcessSockets::default(),
            "a TIME_WAIT is only remembered"
        );
        let gone = Removed { id: tcp(4).build().id, at: Timestamp::default() };
        store.apply(Delta { removed: vec![gone], ..Delta::default() });
        assert_eq!(holdings_of(&store, process(813, "nginx").id).peers, 1, "a closed row is not held");
    }

    #[test]
    fn the_rows_of_a_group_are_those_that_were_added_up() {
        let store = machine();
        for grouping in [Grouping::Process, Grouping::Remote, Grouping::Listener, Grouping::PortPool] {
            for group in by(&store, grouping) {
                assert_eq!(rows_of(&store, group.key).len(), group.sockets() as usize, "{:?}", group.key);
            }
        }
    }
}
