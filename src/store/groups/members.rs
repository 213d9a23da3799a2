//! Who and what a group stands for: its processes and its sockets, gathered in slices.

use std::sync::Arc;

use crate::model::process::{Owner, Process};
use crate::model::socket::{Socket, SocketId};
use crate::store::Store;
use crate::store::folding::{FoldKey, FoldKeys};
use crate::store::groups::{GroupKey, Grouping, each_key};
use crate::store::row::RowIndex;

/// So many processes and sockets are named; more cannot be chosen from.
pub const MEMBERS_MAX: usize = 50;

/// The processes that hold sockets of one group now, and the sockets, being gathered. The store must not change in
/// between.
#[derive(Debug)]
pub struct Members {
    of: MembersOf,
    keys: Option<FoldKeys>,
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

/// Of what members are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembersOf {
    /// A group of sockets.
    Group(GroupKey),
    /// A line of the folded table.
    Fold(FoldKey),
}

impl MembersOf {
    /// Whether listening sockets come before all others, and those who hold them count.
    fn is_listener(self) -> bool {
        matches!(self, Self::Group(key) if key.grouping() == Grouping::Listener)
    }
}

impl Members {
    /// Nothing is gathered yet.
    pub fn new(of: MembersOf, store: &Store) -> Self {
        let keys = match of {
            MembersOf::Group(_) => None,
            MembersOf::Fold(key) => Some(FoldKeys::new(key.folding, store)),
        };
        Self {
            of,
            keys,
            next: RowIndex(0),
            processes: Vec::new(),
            more_processes: false,
            sockets: Vec::new(),
            count: 0,
        }
    }

    /// Of what.
    pub const fn of(&self) -> MembersOf {
        self.of
    }

    /// Looks at as many rows as `steps` allows; answers whether that was all.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else { return true };
            self.next = RowIndex(index.0 + 1);
            if !row.is_closed() && self.has(index, &row.connection.socket, store) {
                self.take(&row.connection.socket);
            }
        }
        false
    }

    /// Whether `socket`, in the row at `index`, is one of them.
    fn has(&self, index: RowIndex, socket: &Socket, store: &Store) -> bool {
        match (self.of, &self.keys) {
            (MembersOf::Fold(key), Some(keys)) => {
                let alike = store.rows().alike();
                alike.set_of(index).and_then(|set| alike.get(set)).is_some_and(|set| keys.of(set) == key)
            }
            (MembersOf::Group(key), _) => {
                let mut belongs = false;
                each_key(socket, key.grouping(), store, |candidate, _| belongs |= candidate == key);
                belongs
            }
            (MembersOf::Fold(_), None) => false,
        }
    }

    fn take(&mut self, socket: &Socket) {
        self.count += 1;
        if socket.is_listener() && self.of.is_listener() {
            self.sockets.insert(0, socket.id);
            self.sockets.truncate(MEMBERS_MAX);
        } else if self.sockets.len() < MEMBERS_MAX {
            self.sockets.push(socket.id);
        }
        let Owner::Live(holders) = &socket.owner else { return };
        if self.of.is_listener() && !socket.remote.is_unset() {
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
