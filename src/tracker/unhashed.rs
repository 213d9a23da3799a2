//! Sockets in `CLOSE` that no table lists, under the name that they had when one did: a leak that is reset stays the same
//! sockets, with their endpoints and their past.
//!
//! The source knows nothing of them but the inode of a descriptor. The tracker knows which socket had that inode.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::memory::TableSize;
use crate::model::process::Owner;
use crate::model::snapshot::Snapshot;
use crate::model::socket::{NetnsId, Socket};
use crate::tracker::entry::TrackedSocket;
use crate::tracker::identity::Directory;

/// So many sockets that are over are remembered by their inode: two samples may pass before one is known to be held.
const ENDED_MAX: usize = 8_192;

type NetnsInode = (NetnsId, NonZeroU32);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct UnlistedSockets {
    /// The sockets that were listed once, by their inode: as a row, with nothing that holds no more.
    known: FxHashMap<NetnsInode, Socket>,
    /// Those that were over before they were known to be held; the oldest first.
    ended: VecDeque<(NetnsInode, Socket)>,
    /// Those of the sample at hand.
    rows: Vec<Socket>,
}

impl UnlistedSockets {
    /// A sample is taken in: finds out what the sockets that it does not know by a cookie were.
    pub(super) fn begin(&mut self, snapshot: &Snapshot, directory: &mut Directory) {
        self.rows.clear();
        let outside: FxHashMap<NetnsInode, &Socket> =
            snapshot.sockets.iter().filter_map(|socket| Some((key_of_outside(socket)?, socket))).collect();
        self.known.retain(|key, _| outside.contains_key(key));
        if outside.is_empty() {
            return;
        }
        let new = |key: &NetnsInode| !self.known.contains_key(key);
        let mut sought: FxHashSet<NetnsInode> = outside.keys().copied().filter(new).collect();
        sought.retain(|key| directory.slot(outside[key].id).is_none());
        if !sought.is_empty() {
            for entry in directory.all() {
                self.known.extend(
                    key_of(entry.socket()).filter(|key| sought.remove(key)).map(|key| (key, stripped(entry.socket()))),
                );
            }
            let ended = self.ended.iter().filter(|(key, _)| sought.contains(key));
            self.known.extend(ended.map(|(key, socket)| (*key, socket.clone())));
            self.ended.retain(|(key, _)| !sought.contains(key));
        }
        let named = |(key, socket): (NetnsInode, &Socket)| match self.known.get(&key) {
            // Without cookies another connection may take the name, which is that of the endpoints.
            Some(known) => {
                let id = if known.id.cookie().is_some() { known.id } else { socket.id };
                Socket { id, owner: socket.owner.clone(), ..known.clone() }
            }
            None => socket.clone(),
        };
        self.rows = outside.into_iter().map(named).collect();
        self.rows.sort_unstable_by_key(|socket| socket.inode);
    }

    /// The rows of the sample at hand, by the names that the sockets have had.
    pub(super) fn take(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.rows)
    }

    /// A socket is over, as far as is known.
    pub(super) fn remember(&mut self, entry: &TrackedSocket) {
        let socket = entry.socket();
        let Some(key) = key_of(socket).filter(|_| matches!(socket.owner, Owner::Live(_))) else { return };
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((key, stripped(socket)));
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        [TableSize::by("sockets in CLOSE", &self.known), TableSize::by("sockets that were over", &self.ended)]
    }
}

/// Whether a socket of a sample is taken in apart, under the name that it has had.
pub(super) fn is_apart(socket: &Socket) -> bool {
    key_of_outside(socket).is_some()
}

/// By what a socket is found again that a table lists or has listed.
fn key_of(socket: &Socket) -> Option<NetnsInode> {
    Some((socket.id.netns(), socket.inode?)).filter(|_| !socket.is_unhashed())
}

/// By what one is found that the source knows by its inode only.
fn key_of_outside(socket: &Socket) -> Option<NetnsInode> {
    Some((socket.id.netns(), socket.inode?)).filter(|_| socket.is_unhashed() && socket.id.cookie().is_none())
}

/// A socket that has left the tables: where it was, and nothing of what went on there.
fn stripped(socket: &Socket) -> Socket {
    let inode = socket.inode.unwrap_or(NonZeroU32::MIN);
    let outside = Socket::unhashed(socket.id, (socket.family, socket.local), inode, socket.owner.clone());
    Socket { remote: socket.remote, interface: socket.interface, uid: socket.uid, cgroup: socket.cgroup, ..outside }
}
