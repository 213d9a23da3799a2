//! What is known of all live rows together, kept up to date row by row: no sample has to look at the rows that it did
//! not touch.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::endpoint::Protocol;
use crate::model::process::{Owner, Process, ProcessId};
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::store::row_set::RowSet;
use crate::store::rows::{Counts, RowIndex};
use crate::store::ways::Ways;

/// Counts of the live rows, and where those are that views ask for by their state.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) close_wait: RowSet,
    pub(super) listening: RowSet,
    pub(super) time_wait: RowSet,
    pub(super) suspects: RowSet,
    pub(super) ways: Ways,
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
        self.ways.enter(socket);
        // What a subflow is in, its MPTCP socket is in by itself.
        if socket.state == TcpState::CloseWait && !socket.is_subflow {
            self.close_wait.insert(index);
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
        for process in holders(socket) {
            let empty = || Holder { process: Arc::clone(process), sockets: 0 };
            self.holders.entry(process.id).or_insert_with(empty).sockets += 1;
        }
    }

    /// `socket` no longer lives in the row at `index`.
    pub(super) fn leave(&mut self, index: RowIndex, socket: &Socket) {
        self.counts.subtract(socket);
        self.ways.leave(socket);
        self.close_wait.remove(index);
        self.listening.remove(index);
        self.time_wait.remove(index);
        self.suspects.remove(index);
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

fn holders(socket: &Socket) -> &[Arc<Process>] {
    if let Owner::Live(holders) = &socket.owner { holders.all() } else { &[] }
}
