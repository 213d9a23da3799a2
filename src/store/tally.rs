//! What is known of all live rows together, kept up to date row by row: no sample has to look at the rows that it did
//! not touch.

use rustc_hash::FxHashMap;

use crate::model::process::{Owner, ProcessId};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::store::row_set::RowSet;
use crate::store::rows::{Counts, RowIndex};

/// Counts of the live rows, and where those are that views ask for by their state.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) close_wait: RowSet,
    pub(super) listening: RowSet,
    /// How many sockets each process holds; those that hold none are not in it.
    holders: FxHashMap<ProcessId, u32>,
}

impl Tally {
    /// `socket` lives in the row at `index`.
    pub(super) fn enter(&mut self, index: RowIndex, socket: &Socket) {
        self.counts.add(socket);
        if socket.state == TcpState::CloseWait {
            self.close_wait.insert(index);
        }
        if is_listening(socket) {
            self.listening.insert(index);
        }
        for id in holders(socket) {
            *self.holders.entry(id).or_default() += 1;
        }
    }

    /// `socket` no longer lives in the row at `index`.
    pub(super) fn leave(&mut self, index: RowIndex, socket: &Socket) {
        self.counts.subtract(socket);
        self.close_wait.remove(index);
        self.listening.remove(index);
        for id in holders(socket) {
            if let Some(held) = self.holders.get_mut(&id) {
                *held -= 1;
                if *held == 0 {
                    self.holders.remove(&id);
                }
            }
        }
    }

    /// How many processes hold a socket.
    pub(super) fn processes(&self) -> usize {
        self.holders.len()
    }
}

/// Whether peers can reach the socket without having been asked.
pub(super) fn is_listening(socket: &Socket) -> bool {
    socket.is_listener() || (socket.state == TcpState::Unconn && socket.local.port != 0)
}

fn holders(socket: &Socket) -> impl Iterator<Item = ProcessId> {
    let holders = match &socket.owner {
        Owner::Live(holders) => holders.all(),
        _ => &[],
    };
    holders.iter().map(|process| process.id)
}
