//! What the details tell of related sockets: the other end of the connection, and others like it. A pass over all rows,
//! in slices, once a sample.

use crate::model::endpoint::Endpoint;
use crate::model::process::{Owner, ProcessId};
use crate::model::socket::Socket;
use crate::model::tcp_state::STATES;
use crate::store::Store;
use crate::store::groups::{ProcessSockets, ProcessSocketsCount};
use crate::store::listeners::AcceptQueue;
use crate::store::row::{RowIndex, SocketRow};

/// How many of the connections that belong with one are shown one by one.
const NEIGHBOURS_SHOWN_MAX: usize = 8;

/// The sockets that belong with a connection.
#[derive(Debug, Default)]
pub struct RelatedSockets {
    /// The same connection seen from the other side, if that is on this machine too.
    pub other_end: Option<SocketRow>,
    /// Those that belong with it, by `TcpState as usize`: what came in by a listener; else the other connections of the
    /// same process to the same remote (of a client) or by the same local port (of a server).
    pub alike: [u32; STATES.len()],
    /// The listener that it calls, if that is on this machine; of several, the one whose accept queue is fullest.
    pub called: Option<SocketRow>,
    /// How many listeners it can be that it calls.
    pub called_of: u32,
    /// Whether something listens on its local port: then the peer opened it.
    pub has_listener: bool,
    /// The first of them, `NEIGHBOURS_SHOWN_MAX` at most.
    pub first: Vec<SocketRow>,
    /// What its process holds; `None` until it is counted, or where no process is known.
    pub holdings: Option<(ProcessId, ProcessSockets)>,
}

impl RelatedSockets {
    /// Which of several listeners on one port is called the kernel decides, and tells nobody.
    fn note_called(&mut self, listener: &SocketRow) {
        self.called_of += 1;
        let queue = |row: &SocketRow| AcceptQueue::of(&row.connection.socket);
        let is_fuller = match (self.called.as_ref().and_then(queue), queue(listener)) {
            (Some(known), Some(new)) => known.fuller(new) != known,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if is_fuller {
            self.called = Some(listener.clone());
        }
    }
}

/// A search for related sockets, under way.
#[derive(Debug, Default)]
pub struct RelatedSearch {
    next: RowIndex,
    found: RelatedSockets,
    /// What is left to count of its process.
    count: Option<ProcessSocketsCount>,
    /// Whether nothing else is to be found.
    is_alone: bool,
}

impl RelatedSearch {
    /// A search from `row`.
    pub(super) fn new(row: &SocketRow, store: &Store) -> Self {
        let socket = &row.connection.socket;
        let held = if matches!(socket.owner, Owner::Live(_)) { socket.owner.process() } else { None };
        let count = held.map(|process| ProcessSocketsCount::new(process.id));
        let is_alone = !socket.is_listener() && socket.remote.is_unset();
        let has_listener = !socket.is_listener() && store.listeners().of_connection(socket).is_some();
        Self { count, is_alone, found: RelatedSockets { has_listener, ..RelatedSockets::default() }, ..Self::default() }
    }

    /// Whether there is anything to look at.
    pub(super) const fn has_work(&self) -> bool {
        self.count.is_some() || !self.is_alone
    }

    /// Looks at as many rows as `steps` allows; what was found, once that was all.
    pub(super) fn advance(&mut self, socket: &Socket, store: &Store, steps: &mut usize) -> Option<RelatedSockets> {
        self.is_finished(socket, store, steps).then(|| std::mem::take(&mut self.found))
    }

    fn is_finished(&mut self, socket: &Socket, store: &Store, steps: &mut usize) -> bool {
        if let Some(mut count) = self.count.take() {
            let Some(holdings) = count.advance(store, steps) else {
                self.count = Some(count);
                return false;
            };
            self.found.holdings = Some((count.process(), holdings));
        }
        if self.is_alone {
            return true;
        }
        let process = socket.owner.process().map(|process| process.id);
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else { return true };
            self.next = RowIndex(index.0 + 1);
            let other = &row.connection.socket;
            if row.is_closed() || other.protocol != socket.protocol {
                continue;
            }
            if calls(socket, other) {
                self.found.note_called(row);
            }
            if is_other_end(other, socket) {
                self.found.other_end.get_or_insert_with(|| row.clone());
            }
            if belongs(other, socket, process, store) {
                self.found.alike[other.state as usize] += 1;
                if self.found.first.len() < NEIGHBOURS_SHOWN_MAX {
                    self.found.first.push(row.clone());
                }
            }
        }
        false
    }
}

/// What goes to this machine itself does not leave its network namespace; other addresses may be of another one. There
/// the interfaces of a link-local address differ: each end has its own.
fn is_other_end(other: &Socket, socket: &Socket) -> bool {
    let (local, remote) = (socket.local.addr.to_canonical(), socket.remote.addr.to_canonical());
    let stays = local == remote || remote.is_loopback();
    same_end(other.local, socket.remote)
        && same_end(other.remote, socket.local)
        && other.id != socket.id
        && (!stays || other.id.netns() == socket.id.netns())
}

/// An IPv6 socket writes the address of an IPv4 peer as `::ffff:192.0.2.1`.
fn same_end(a: Endpoint, b: Endpoint) -> bool {
    a.port == b.port && a.addr.to_canonical() == b.addr.to_canonical()
}

/// Whether `listener` is what `socket` calls. Another network namespace may have its own loopback.
fn calls(socket: &Socket, listener: &Socket) -> bool {
    let (local, called) = (socket.local.addr.to_canonical(), socket.remote.addr.to_canonical());
    listener.is_listener()
        && listener.local.port == socket.remote.port
        && listener.id.netns() == socket.id.netns()
        && (called.is_loopback() || called == local)
        && listener.serves(called)
}

/// Whether the socket came in by the listener, as far as that is known; of two connections, whether they share process
/// and service: the remote of a client, the local port of a server.
fn belongs(other: &Socket, socket: &Socket, process: Option<ProcessId>, store: &Store) -> bool {
    if socket.is_listener() {
        let came_by = store.listeners().of_connection(other).filter(|_| !other.is_listener());
        return came_by.and_then(|came_by| came_by.listener).is_some_and(|listener| listener.id == socket.id);
    }
    let same_place =
        if is_client(socket) { other.destination() == socket.destination() } else { other.place() == socket.place() };
    let same_process = process.is_some() && other.owner.process().map(|process| process.id) == process;
    same_place && same_process && other.id != socket.id && !other.remote.is_unset()
}

/// Whether the socket is the client's end: the side with the lower port is the service.
pub(super) const fn is_client(socket: &Socket) -> bool {
    socket.remote.port < socket.local.port
}
