//! Who and what a group stands for: its processes and its sockets, gathered in slices.

use std::sync::Arc;

use crate::model::process::{Owner, Process};
use crate::model::socket::{Socket, SocketId};
use crate::store::Store;
use crate::store::groups::{GroupKey, Grouping, each_key};
use crate::store::row::RowIndex;

/// So many processes and sockets are named; more cannot be chosen from.
pub const MEMBERS_MAX: usize = 50;

/// The processes that hold sockets of one group now, and the sockets, being gathered. The store must not change in
/// between.
#[derive(Debug)]
pub struct Members {
    key: GroupKey,
    grouping: Grouping,
    next: RowIndex,
    /// Who holds one: of a listener those that hold a listening socket. At most [`MEMBERS_MAX`].
    pub processes: Vec<Arc<Process>>,
    /// Whether there are more.
    pub more_processes: bool,
    /// The first sockets, listening ones before others. At most [`MEMBERS_MAX`].
    pub sockets: Vec<SocketId>,
    /// How many sockets there are.
    pub count: usize,
}

impl Members {
    /// Nothing is gathered yet.
    pub fn new(key: GroupKey) -> Self {
        let grouping = key.grouping();
        Self {
            key,
            grouping,
            next: RowIndex(0),
            processes: Vec::new(),
            more_processes: false,
            sockets: Vec::new(),
            count: 0,
        }
    }

    /// Of which group.
    pub const fn key(&self) -> GroupKey {
        self.key
    }

    /// Looks at as many rows as `steps` allows; answers whether that was all.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else { return true };
            self.next = RowIndex(index.0 + 1);
            let socket = &row.connection.socket;
            let mut belongs = false;
            each_key(socket, self.grouping, store, |key, _| belongs |= key == self.key);
            if belongs && !row.is_closed() {
                self.take(socket);
            }
        }
        false
    }

    fn take(&mut self, socket: &Socket) {
        self.count += 1;
        if socket.is_listener() && self.grouping == Grouping::Listener {
            self.sockets.insert(0, socket.id);
            self.sockets.truncate(MEMBERS_MAX);
        } else if self.sockets.len() < MEMBERS_MAX {
            self.sockets.push(socket.id);
        }
        let Owner::Live(holders) = &socket.owner else { return };
        if self.grouping == Grouping::Listener && !socket.remote.is_unset() {
            return;
        }
        for process in holders.all() {
            if self.processes.iter().any(|known| known.id == process.id) {
                continue;
            }
            if self.processes.len() < MEMBERS_MAX {
                self.processes.push(Arc::clone(process));
            } else {
                self.more_processes = true;
            }
        }
    }
}
