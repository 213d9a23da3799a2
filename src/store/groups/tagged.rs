//! Whom and what several rows stand for at one moment: the sockets of all of them and the processes that hold these, gathered in
//! one pass over the rows, in slices.

use std::num::NonZeroU32;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::process::{Owner, Process};
use crate::model::socket::{Socket, SocketId};
use crate::store::Store;
use crate::store::folding::{FoldKey, FoldKeys};
use crate::store::groups::{GroupKey, Grouping, each_key};
use crate::store::row::RowIndex;

/// So many sockets are kept; more are counted only.
pub const SOCKETS_MAX: usize = 1_000;
/// So many processes are kept, and of each so many sockets for which it is meant.
pub const PROCESSES_MAX: usize = 200;
const HOLDING_MAX: usize = 64;

/// A process that is meant.
#[derive(Clone, Debug)]
pub struct MeantProcess {
    /// The process.
    pub process: Arc<Process>,
    /// The sockets for which it is meant; empty where it is meant for itself.
    pub holding: Vec<NonZeroU32>,
}

/// The sockets of several rows, and who holds them. The store must not change while they are gathered.
#[derive(Debug, Default)]
pub struct TaggedMembers {
    sockets_tagged: FxHashSet<SocketId>,
    folds: FxHashSet<FoldKey>,
    fold_keys: Option<FoldKeys>,
    groups: FxHashSet<GroupKey>,
    groupings: Vec<Grouping>,
    next: Option<RowIndex>,
    /// The sockets, in the order of the store; [`SOCKETS_MAX`] at the most.
    pub sockets: Vec<SocketId>,
    /// How many sockets there are.
    pub count: usize,
    /// Who holds them, or was tagged for itself; [`PROCESSES_MAX`] at the most.
    pub processes: Vec<MeantProcess>,
    /// Whether there are more processes.
    pub more_processes: bool,
}

impl TaggedMembers {
    /// Of no row yet.
    pub fn new() -> Self {
        Self { next: Some(RowIndex(0)), ..Self::default() }
    }

    /// Adds one socket.
    pub fn add_socket(&mut self, id: SocketId) {
        self.sockets_tagged.insert(id);
    }

    /// Adds a line of the folded table.
    pub fn add_fold(&mut self, key: FoldKey, store: &Store) {
        self.fold_keys.get_or_insert_with(|| FoldKeys::new(key.folding, store));
        self.folds.insert(key);
    }

    /// Adds a group; a process is meant for itself, whatever it holds.
    pub fn add_group(&mut self, key: GroupKey, store: &Store) {
        if let GroupKey::Process(id) = key
            && let Some(process) = store.rows().process(id)
        {
            self.mean(process, None);
        }
        if !self.groupings.contains(&key.grouping()) {
            self.groupings.push(key.grouping());
        }
        self.groups.insert(key);
    }

    /// Looks at as many rows as `steps` allows; answers whether that was all.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        while let Some(from) = self.next.filter(|_| *steps > 0) {
            *steps -= 1;
            self.next = store.rows().first_from(from).map(|(index, row)| {
                if !row.is_closed() {
                    self.take_if_meant(index, &row.connection.socket, store);
                }
                RowIndex(index.0 + 1)
            });
        }
        self.next.is_none()
    }

    fn take_if_meant(&mut self, index: RowIndex, socket: &Socket, store: &Store) {
        let is_tagged = self.sockets_tagged.contains(&socket.id) || self.is_in_fold(index, store);
        let mut is_member = is_tagged;
        // Whom the groups of a socket mean: nobody beside a process that was tagged itself, and of a listener who listens.
        let mut means_holders = is_tagged;
        for grouping in self.groupings.clone() {
            each_key(socket, grouping, store, |key, _| {
                if self.groups.contains(&key) {
                    is_member = true;
                    means_holders |= match grouping {
                        Grouping::Process => false,
                        Grouping::Listener => socket.remote.is_unset(),
                        Grouping::Remote | Grouping::PortPool => true,
                    };
                }
            });
        }
        if !is_member {
            return;
        }
        self.count += 1;
        if self.sockets.len() < SOCKETS_MAX {
            self.sockets.push(socket.id);
        }
        if let (true, Owner::Live(holders)) = (means_holders, &socket.owner) {
            for process in holders.all() {
                self.mean(process, Some(socket));
            }
        }
    }

    fn is_in_fold(&self, index: RowIndex, store: &Store) -> bool {
        let Some(keys) = &self.fold_keys else { return false };
        let alike = store.rows().alike();
        alike.set_of(index).and_then(|set| alike.get(set)).is_some_and(|set| self.folds.contains(&keys.of(set)))
    }

    /// `process` is meant: for `socket`, or for itself.
    fn mean(&mut self, process: &Arc<Process>, socket: Option<&Socket>) {
        let inode = socket.and_then(|socket| socket.inode);
        if let Some(known) = self.processes.iter_mut().find(|known| known.process.id == process.id) {
            // Who is meant for itself is meant whatever it holds.
            if !known.holding.is_empty() && known.holding.len() < HOLDING_MAX {
                known.holding.extend(inode);
            }
        } else if self.processes.len() < PROCESSES_MAX {
            let holding = inode.into_iter().collect();
            self.processes.push(MeantProcess { process: Arc::clone(process), holding });
        } else {
            self.more_processes = true;
        }
    }
}
