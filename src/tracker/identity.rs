//! Which entries of two samples are the same socket, and when the same identity is nevertheless a new connection.

use rustc_hash::FxHashMap;

use crate::model::endpoint::Protocol;
use crate::model::process::Owner;
use crate::model::socket::{Socket, SocketId};
use crate::model::tcp_state::Phase;
use crate::tracker::entry::Entry;

/// How many entries after the expected one are looked at before the table of identities is asked: enough to step
/// over a few sockets that vanished side by side.
const LOOK_AHEAD: usize = 4;

/// The tracked sockets, in slots that stay put, and the order in which the last sample listed them.
///
/// The kernel walks its hash tables in the same order each time, so a cursor over the last order finds nearly every
/// socket without a look-up.
#[derive(Debug, Default)]
pub(super) struct Directory {
    entries: Vec<Entry>,
    free: Vec<u32>,
    places: FxHashMap<SocketId, u32>,
    order: Vec<u32>,
    next_order: Vec<u32>,
    cursor: usize,
}

impl Directory {
    /// Starts a new sample of about `len` sockets.
    pub(super) fn begin(&mut self, len: usize) {
        self.cursor = 0;
        self.next_order.clear();
        let new = len.saturating_sub(self.order.len());
        self.next_order.reserve(len);
        self.entries.reserve(new.saturating_sub(self.free.len()));
        self.places.reserve(new);
    }

    /// The slot of `id`, if it is tracked.
    pub(super) fn find(&mut self, id: SocketId) -> Option<u32> {
        for (ahead, &slot) in self.order.iter().skip(self.cursor).take(LOOK_AHEAD).enumerate() {
            if self.entries[slot as usize].id == id {
                self.cursor += ahead + 1;
                return Some(slot);
            }
        }
        let slot = *self.places.get(&id)?;
        self.cursor = self.entries[slot as usize].position as usize + 1;
        Some(slot)
    }

    pub(super) fn entry(&mut self, slot: u32) -> &mut Entry {
        &mut self.entries[slot as usize]
    }

    /// Keeps `slot` for the next sample, after those kept before it.
    pub(super) fn keep(&mut self, slot: u32) {
        self.entries[slot as usize].position = u32::try_from(self.next_order.len()).unwrap_or(u32::MAX);
        self.next_order.push(slot);
    }

    /// Tracks a socket that is new.
    pub(super) fn insert(&mut self, entry: Entry) {
        let id = entry.id;
        let slot = if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = entry;
            slot
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("2^32 sockets do not fit into memory")
        };
        self.places.insert(id, slot);
        self.keep(slot);
    }

    /// The `nth` socket of the last sample's order, the missing ones included.
    pub(super) fn nth_of_last(&self, nth: usize) -> Option<u32> {
        self.order.get(nth).copied()
    }

    /// Forgets a socket. Not to be called before every socket of the sample is in: its slot may be reused at once.
    pub(super) fn remove(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        self.places.remove(&entry.id);
        entry.owner = Owner::None;
        self.free.push(slot);
    }

    /// Ends the sample: what was kept and inserted is what the next one is compared with.
    pub(super) fn finish(&mut self) {
        std::mem::swap(&mut self.order, &mut self.next_order);
    }

    /// How many sockets the last sample left to compare with.
    pub(super) fn len_of_last(&self) -> usize {
        self.order.len()
    }
}

/// Whether `socket` only looks like the tracked one: the same tuple, but a life that cannot go on that way.
///
/// With a cookie this cannot be: the kernel gives each socket its own and keeps it to the end of `TIME_WAIT`.
pub(super) fn is_another_connection(entry: &Entry, socket: &Socket) -> bool {
    if socket.id.cookie().is_some() || socket.protocol != Protocol::Tcp {
        return false;
    }
    let reopened = matches!(
        (entry.state.phase(), socket.state.phase()),
        (Phase::Closing | Phase::Waiting, Phase::Opening | Phase::Open) | (Phase::Open, Phase::Opening)
    );
    // Connected tuples are unique, so another inode is another socket. (Listeners that share an address are told
    // apart by a counter only, and may swap places.)
    let other_inode = !socket.remote.is_unset() && matches!((entry.inode, socket.inode), (Some(a), Some(b)) if a != b);
    reopened || other_inode || entry.counts_less(socket)
}
