//! Which entries of two samples are the same socket, and when the same identity is nevertheless a new connection.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::memory::TableSize;
use crate::model::slot_index::SlotIndex;
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_state::Phase;
use crate::tracker::entry::TrackedSocket;

/// How many entries after the expected one are looked at before the table of identities is asked: enough to step
/// over a few sockets that vanished side by side.
const LOOK_AHEAD: usize = 4;

/// The tracked sockets, in slots that stay put, and the order in which the last sample listed them.
///
/// The kernel walks its hash tables in the same order each time, so a cursor over the last order finds nearly every
/// socket without a look-up. A partial sample leaves that order as it is and costs nothing for what it does not list.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// `None` is a slot that waits to be reused.
    entries: Vec<Option<TrackedSocket>>,
    free: Vec<u32>,
    /// Slots by the identity of what is in them.
    places: SlotIndex,
    /// A hash of both ends of what is in each slot, or was last: to find by its ends what is seldom sought so.
    end_hashes: Vec<u32>,
    order: Vec<u32>,
    /// How many sockets the sample at hand has placed, if it is whole.
    placed: u32,
    cursor: usize,
    /// The sockets that are not of the silent mass: those that partial samples may list.
    few: Vec<u32>,
    next_few: Vec<u32>,
    /// Slots of removed sockets that `order` still names, to be freed with the next order.
    to_free: Vec<u32>,
    /// Whether the sample at hand lists every socket.
    whole: bool,
    /// How many of the tracked sockets have no cookie.
    without_cookie: usize,
    /// Those, by what else they are known by, ascending; empty until somebody asks in this sample.
    tuples: Vec<(CookielessTuple, u32)>,
    /// They were gathered.
    has_tuples: bool,
}

/// No socket is in this slot.
const NO_SLOT: u32 = u32::MAX;
/// In so many classes the hashes of ends are told apart before they are looked for one by one.
const FILTER_LEN: usize = 1 << 16;

#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn hash_of(ends: (Endpoint, Endpoint)) -> u32 {
    let hash = FxBuildHasher.hash_one(ends);
    (hash ^ hash >> 32) as u32
}

/// What a socket without a cookie is known by.
type CookielessTuple = (Protocol, NetnsId, Endpoint, Endpoint);

impl Directory {
    /// Starts a new sample of about `len` sockets: of every socket if it is `whole`.
    pub(super) fn begin(&mut self, len: usize, whole: bool) {
        self.whole = whole;
        self.next_few.clear();
        self.tuples.clear();
        self.has_tuples = false;
        if !whole {
            return;
        }
        self.cursor = 0;
        self.placed = 0;
        let new = len.saturating_sub(self.order.len());
        let added = new.saturating_sub(self.free.len());
        self.entries.reserve(added);
        self.end_hashes.reserve(added);
        self.places.reserve(new);
    }

    /// The slot of `id`, if it is tracked.
    pub(super) fn find(&mut self, id: SocketId) -> Option<u32> {
        if !self.whole {
            return self.slot(id);
        }
        for (ahead, &slot) in self.order.iter().skip(self.cursor).take(LOOK_AHEAD).enumerate() {
            if self.get(slot).is_some_and(|entry| entry.id == id) {
                self.cursor += ahead + 1;
                return Some(slot);
            }
        }
        let slot = self.slot(id)?;
        self.cursor = self.entry(slot).position as usize + 1;
        Some(slot)
    }

    /// The slot of `id`, if it is tracked, wherever it is.
    pub(super) fn slot(&self, id: SocketId) -> Option<u32> {
        self.places.find(id, |slot| self.get(slot).is_some_and(|entry| entry.id == id))
    }

    /// The tracked socket that a source without cookies shows where the kernel calls it `socket`: one thing under two
    /// names. Of several with the same endpoints (`SO_REUSEPORT`) any. Call it before the sockets of the sample are in.
    pub(super) fn without_cookie(&mut self, socket: &SocketRef) -> Option<SocketId> {
        if self.without_cookie == 0 {
            return None;
        }
        if !self.has_tuples {
            self.has_tuples = true;
            let entries = (0u32..).zip(&self.entries).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)));
            let entries = entries.filter(|(_, entry)| entry.id.cookie().is_none());
            self.tuples.extend(entries.map(|(slot, entry)| {
                let socket = entry.socket();
                ((socket.protocol, entry.id.netns(), socket.local, socket.remote), slot)
            }));
            self.tuples.sort_unstable();
        }
        let wanted = (socket.protocol, socket.id.netns(), socket.local, socket.remote);
        let nth = self.tuples.partition_point(|(tuple, _)| *tuple < wanted);
        let (_, slot) = self.tuples.get(nth).filter(|(tuple, _)| *tuple == wanted)?;
        self.get(*slot).map(|entry| entry.id)
    }

    /// The TCP sockets with these ends, ours first. One pass over a short number of each slot: 200,000 take 0.1 ms.
    pub(super) fn at_endpoints(&self, wanted: &[(Endpoint, Endpoint)]) -> Vec<SocketRef> {
        let hashes: FxHashSet<u32> = wanted.iter().map(|ends| hash_of(*ends)).collect();
        let wanted: FxHashSet<(Endpoint, Endpoint)> = wanted.iter().copied().collect();
        let mut filter = vec![false; FILTER_LEN];
        for hash in &hashes {
            filter[*hash as usize % FILTER_LEN] = true;
        }
        let slots = (0u32..).zip(&self.end_hashes).filter(|(_, hash)| filter[**hash as usize % FILTER_LEN]);
        let entries = slots.filter(|(_, hash)| hashes.contains(hash)).filter_map(|(slot, _)| self.get(slot));
        let entries = entries.filter(|entry| entry.protocol == Protocol::Tcp);
        let its = entries.filter(|entry| wanted.contains(&(entry.socket().local, entry.socket().remote)));
        its.map(TrackedSocket::reference).collect()
    }

    /// Takes note of the ends of what is in `slot`, which may be others than before.
    pub(super) fn note_ends(&mut self, slot: u32) {
        let Some(socket) = self.get(slot).map(TrackedSocket::socket) else { return };
        let hash = hash_of((socket.local, socket.remote));
        let len = self.end_hashes.len().max(slot as usize + 1);
        self.end_hashes.resize(len, 0);
        self.end_hashes[slot as usize] = hash;
    }

    /// The tracked socket in `slot`, which was found or kept, and not removed since.
    pub(super) fn entry(&mut self, slot: u32) -> &mut TrackedSocket {
        self.entries[slot as usize].as_mut().expect("slots of removed sockets are not given out")
    }

    /// Every tracked socket.
    pub(super) fn all(&self) -> impl Iterator<Item = &TrackedSocket> {
        self.entries.iter().flatten()
    }

    /// The tracked socket in `slot`; `None` once it is removed.
    pub(super) fn get(&self, slot: u32) -> Option<&TrackedSocket> {
        self.entries.get(slot as usize)?.as_ref()
    }

    /// Keeps `slot` for the next sample, after those kept before it.
    pub(super) fn keep(&mut self, slot: u32) {
        if self.whole {
            self.place(slot);
        }
        if self.entry(slot).is_of_few() {
            self.next_few.push(slot);
        }
    }

    /// Puts `slot` at the end of the order: of the next one, if the sample is whole.
    fn place(&mut self, slot: u32) {
        let position = if self.whole {
            self.placed += 1;
            self.placed - 1
        } else {
            self.order.push(slot);
            u32::try_from(self.order.len() - 1).unwrap_or(u32::MAX)
        };
        self.entry(slot).position = position;
    }

    /// The order in which the sample at hand, a whole one, has placed the sockets. Each is placed or removed by now.
    fn renew_order(&mut self) {
        debug_assert_eq!(self.placed as usize, self.len());
        self.order.clear();
        self.order.resize(self.placed as usize, NO_SLOT);
        for (slot, entry) in (0..).zip(&self.entries) {
            let Some(entry) = entry else { continue };
            if let Some(place) = self.order.get_mut(entry.position as usize) {
                *place = slot;
            }
        }
    }

    /// Tracks a socket that is new.
    pub(super) fn insert(&mut self, entry: TrackedSocket) {
        let id = entry.id;
        self.without_cookie += usize::from(id.cookie().is_none());
        let slot = if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = Some(entry);
            slot
        } else {
            self.entries.push(Some(entry));
            u32::try_from(self.entries.len() - 1).expect("2^32 sockets do not fit into memory")
        };
        self.places.insert(id, slot);
        self.note_ends(slot);
        if !self.whole {
            self.place(slot);
        }
        self.keep(slot);
    }

    /// The `nth` socket that the sample at hand would list if it were there and in its last state; the missing ones
    /// included.
    pub(super) fn nth_of_last(&self, nth: usize) -> Option<u32> {
        if self.whole { self.order.get(nth).copied() } else { self.few.get(nth).copied() }
    }

    /// The sockets that are not of the silent mass.
    pub(super) fn few(&self) -> impl Iterator<Item = u32> {
        self.few.iter().copied()
    }

    /// Forgets a socket. Not to be called before every socket of the sample is in: its slot may be reused at once.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::take) else { return };
        self.without_cookie -= usize::from(entry.id.cookie().is_none());
        self.places.remove(entry.id, slot);
        if self.whole { self.free.push(slot) } else { self.to_free.push(slot) }
    }

    /// Ends the sample: what was kept and inserted is what the next one is compared with.
    pub(super) fn finish(&mut self) {
        std::mem::swap(&mut self.few, &mut self.next_few);
        if self.whole {
            self.renew_order();
            self.free.append(&mut self.to_free);
        }
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 7] {
        [
            TableSize::by("tracked sockets", &self.entries),
            TableSize::by("hashes of their ends", &self.end_hashes),
            TableSize::by("places of sockets", &self.places),
            TableSize::by("order", &self.order),
            TableSize::by("few", &self.few),
            TableSize::by("next few", &self.next_few),
            TableSize::by("tuples", &self.tuples),
        ]
    }

    /// How many sockets are tracked.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many sockets the last sample left to compare with the one at hand.
    pub(super) fn len_of_last(&self) -> usize {
        if self.whole { self.order.len() } else { self.few.len() }
    }
}

/// Whether `socket` only looks like the tracked one: the same identity, but a state or counters that cannot follow.
///
/// With a cookie it is the same socket, from the handshake to the end of `TIME_WAIT`. It is another connection all the same
/// where the process has disconnected it, by a connect(2) to `AF_UNSPEC`, and connected it anew.
pub(super) fn is_another_connection(entry: &TrackedSocket, socket: &Socket) -> bool {
    if socket.protocol != Protocol::Tcp {
        return false;
    }
    if socket.id.cookie().is_some() {
        let (old, new) = (entry.socket().remote, socket.remote);
        let has_moved = !old.is_unset() && !new.is_unset() && (entry.socket().local, old) != (socket.local, new);
        return has_moved || entry.counts_less(socket);
    }
    let reopened = matches!(
        (entry.state.phase(), socket.state.phase()),
        (Phase::Closing | Phase::Waiting, Phase::Opening | Phase::Open) | (Phase::Open, Phase::Opening)
    );
    // Connected tuples are unique, so another inode is another socket. (Listeners that share an address are
    // distinguished by a counter only, and may swap places.)
    let other_inode =
        !socket.remote.is_unset() && matches!((entry.socket().inode, socket.inode), (Some(a), Some(b)) if a != b);
    reopened || other_inode || entry.counts_less(socket)
}
