//! What is known of all live rows together, kept up to date row by row: no sample has to look at the rows that it did
//! not touch.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::endpoint::Protocol;
use crate::model::process::{Owner, Process, ProcessId};
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::store::peers::{self, PeerTable};
use crate::store::port_bounds::PortBounds;
use crate::store::row::RowIndex;
use crate::store::row_set::RowSet;
use crate::store::socket_counts::SocketCounts;

/// So many bytes received and not read are worth a look, where the process takes none of them.
pub const UNREAD_MIN: u32 = 4_096;
/// So many bytes sent and not acknowledged are worth a look, where the peer takes few of them.
pub const UNTAKEN_MIN: u32 = 65_536;
/// Where DNS servers listen.
const DNS_PORT: u16 = 53;

/// Counts of the live rows, and where those are that views ask for by their state.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: SocketCounts,
    pub(super) close_wait: RowSet,
    /// Rows in `CLOSE` that a process holds.
    pub(super) held_closed: RowSet,
    pub(super) listening: RowSet,
    pub(super) time_wait: RowSet,
    pub(super) suspects: RowSet,
    pub(super) queued: RowSet,
    pub(super) lookups: RowSet,
    pub(super) peers: PeerTable,
    pub(super) port_bounds: PortBounds,
    /// The processes that hold sockets now.
    holders: FxHashMap<ProcessId, Holder>,
}

#[derive(Debug)]
struct Holder {
    process: Arc<Process>,
    sockets: u32,
}

impl Tally {
    /// `socket` lives in the row at `index`.
    pub(super) fn enter(&mut self, index: RowIndex, socket: &Socket) {
        self.counts.add(socket);
        self.port_bounds.enter(socket);
        // What a subflow is in, its MPTCP socket is in by itself.
        if socket.state == TcpState::CloseWait && !socket.is_subflow {
            self.close_wait.insert(index);
        }
        if socket.is_unhashed() && matches!(socket.owner, Owner::Live(_)) {
            self.held_closed.insert(index);
        }
        if is_listening(socket) && !socket.is_subflow {
            self.listening.insert(index);
        }
        if socket.state == TcpState::TimeWait {
            self.time_wait.insert(index);
        }
        if is_suspect(socket) {
            self.suspects.insert(index);
        }
        if is_queued(socket) {
            self.queued.insert(index);
        }
        if is_lookup(socket) {
            self.lookups.insert(index);
        }
        if has_peer(socket) {
            self.peers.enter(index, socket);
        }
        for process in holders(socket) {
            let empty = || Holder { process: Arc::clone(process), sockets: 0 };
            self.holders.entry(process.id).or_insert_with(empty).sockets += 1;
        }
    }

    /// `socket` no longer lives in the row at `index`.
    pub(super) fn leave(&mut self, index: RowIndex, socket: &Socket) {
        self.counts.subtract(socket);
        self.port_bounds.leave(socket);
        self.close_wait.remove(index);
        self.held_closed.remove(index);
        self.listening.remove(index);
        self.time_wait.remove(index);
        self.suspects.remove(index);
        self.queued.remove(index);
        self.lookups.remove(index);
        if has_peer(socket) {
            self.peers.leave(index, socket);
        }
        for process in holders(socket) {
            if let Some(holder) = self.holders.get_mut(&process.id) {
                holder.sockets -= 1;
                if holder.sockets == 0 {
                    self.holders.remove(&process.id);
                }
            }
        }
    }

    /// How many processes hold a socket.
    pub(super) fn processes(&self) -> usize {
        self.holders.len()
    }

    /// Every process that holds a socket, and how many, in no order that means anything.
    pub(super) fn holders(&self) -> impl Iterator<Item = (ProcessId, u32)> {
        self.holders.iter().map(|(id, holder)| (*id, holder.sockets))
    }

    /// The process `id`, if it holds a socket.
    pub(super) fn process(&self, id: ProcessId) -> Option<&Arc<Process>> {
        self.holders.get(&id).map(|holder| &holder.process)
    }
}

/// Whether peers can reach the socket without having been asked.
pub(super) fn is_listening(socket: &Socket) -> bool {
    socket.is_listener() || (socket.state == TcpState::Unconn && socket.local.port != 0)
}

/// Whether something may be wrong with a connection that does not show in its state alone: it hangs in a state that
/// should pass, the peer does not answer or does not read, or nobody has accepted it. Few at any time.
pub(super) fn is_suspect(socket: &Socket) -> bool {
    use TcpState::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynRecv, SynSent};
    // An MPTCP connection has timers and retransmits in its subflows; whether it was accepted is told of itself.
    let waits = matches!(socket.owner, Owner::Unaccepted) && !socket.is_subflow;
    match socket.protocol {
        Protocol::Udp => return false,
        Protocol::Mptcp => return waits && matches!(socket.state, Established | CloseWait),
        Protocol::Tcp => {}
    }
    match socket.state {
        SynSent | SynRecv | FinWait1 | FinWait2 | LastAck | Closing => true,
        Established | CloseWait => {
            let stalls = socket.timer.is_some_and(|timer| timer.retries > 0 || timer.kind == TimerKind::ZeroWindow);
            let backs_off = socket.tcp.is_some_and(|tcp| tcp.backoff > 0 || tcp.probes > 0);
            stalls || backs_off || waits
        }
        _ => false,
    }
}

/// Whether so much waits in a queue of a connection that somebody may not read: here, or at the other end.
pub(super) fn is_queued(socket: &Socket) -> bool {
    use TcpState::{CloseWait, Established, FinWait1, FinWait2};
    let Some(queues) = socket.queues.filter(|_| peers::is_connected(socket)) else { return false };
    match socket.state {
        Established | FinWait1 | FinWait2 => queues.receive >= UNREAD_MIN || queues.send >= Some(UNTAKEN_MIN),
        // What waits unread in CLOSE_WAIT is a question of its own.
        CloseWait => queues.send >= Some(UNTAKEN_MIN),
        _ => false,
    }
}

/// Whether it is the socket of a lookup: UDP, connected to the DNS port of a server.
fn is_lookup(socket: &Socket) -> bool {
    socket.protocol == Protocol::Udp && socket.remote.port == DNS_PORT && !socket.remote.is_unset()
}

/// Whether the other end of a connection may be asked for, or be the answer.
fn has_peer(socket: &Socket) -> bool {
    peers::is_connected(socket) && (socket.state == TcpState::CloseWait || is_queued(socket) || is_suspect(socket))
}

fn holders(socket: &Socket) -> &[Arc<Process>] {
    if let Owner::Live(holders) = &socket.owner { holders.all() } else { &[] }
}
