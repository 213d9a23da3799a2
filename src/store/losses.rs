//! What single sockets lost of late: packets that the kernel dropped for them, and segments that they retransmitted.
//!
//! Only sockets of which a number rose are kept, and only the rises of the last minute; a socket that loses nothing costs
//! nothing. A rise has happened between two samples of the socket, evenly as far as is known.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::address::Address;
use crate::model::memory::TableSize;
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::time::Timestamp;

/// How far back losses are kept.
pub const LOSSES_TIME: Duration = Duration::from_secs(60);
/// Of so many sockets drops are kept, and of so many peers retransmitted segments: of those that lost something last.
const KEYS_MAX: usize = 256;
/// So many rises are kept of each: one a second.
const RISES_MAX: usize = 64;

/// A peer: its host, in a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Its address.
    pub address: Address,
    /// The namespace of our end.
    pub netns: NetnsId,
}

/// Losses by socket and by peer.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    drops: LossIntervals<SocketId>,
    retransmitted: LossIntervals<Peer>,
}

impl Losses {
    /// Packets that were dropped for the socket `id` in the last `window` (at most [`LOSSES_TIME`]) before `now`.
    pub fn drops(&self, id: SocketId, window: Duration, now: Timestamp) -> u64 {
        self.drops.sum(&id, now.before(window), now)
    }

    /// The sockets for which packets were dropped in the last `window`, and how many, in the order of their identity.
    pub fn dropping(&self, window: Duration, now: Timestamp) -> Vec<(SocketId, u64)> {
        self.drops.all(now.before(window), now)
    }

    /// The peers to which segments were retransmitted in the last `window`, without those that a peer got twice, and how many.
    /// Known of connections that two samples saw.
    pub fn retransmitted(&self, window: Duration, now: Timestamp) -> Vec<(Peer, u64)> {
        self.retransmitted.all(now.before(window), now)
    }

    /// A socket was seen again at `now`, and before that at `then`.
    pub(super) fn note(&mut self, old: &Socket, new: &Socket, then: Timestamp, now: Timestamp) {
        if let (Some(before), Some(after)) = (old.drops, new.drops)
            && after > before
        {
            self.drops.push(new.id, then, now, u64::from(after.count() - before.count()));
        }
        if let (Some(before), Some(after)) = (&old.tcp, &new.tcp)
            && after.retransmits_total > before.retransmits_total
        {
            let again = after.retransmits_total - before.retransmits_total;
            let spurious = after.retransmits_spurious.saturating_sub(before.retransmits_spurious);
            let lost = u64::from(again.saturating_sub(spurious.into()));
            if lost > 0 {
                let peer = Peer { address: new.destination().address, netns: new.id.netns() };
                self.retransmitted.push(peer, then, now, lost);
            }
        }
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        [self.drops.table_sizes("drops of sockets"), self.retransmitted.table_sizes("segments retransmitted by peer")]
    }
}

/// So many losses between two moments.
#[derive(Clone, Copy, Debug)]
struct LossInterval {
    from: Timestamp,
    to: Timestamp,
    by: u64,
}

impl LossInterval {
    /// How many of them fall between `from` and `to`.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
    fn within(&self, from: Timestamp, to: Timestamp) -> u64 {
        let (whole, part) = (self.to.since(self.from), self.to.min(to).since(self.from.max(from)));
        if part >= whole {
            return if self.to > from && self.from < to { self.by } else { 0 };
        }
        (self.by as f64 * part.as_secs_f64() / whole.as_secs_f64()).round() as u64
    }
}

/// Losses of the last minute by key.
#[derive(Clone, Debug)]
struct LossIntervals<K> {
    of: FxHashMap<K, VecDeque<LossInterval>>,
}

impl<K> Default for LossIntervals<K> {
    fn default() -> Self {
        Self { of: FxHashMap::default() }
    }
}

impl<K: Copy + Eq + Hash + Ord> LossIntervals<K> {
    fn push(&mut self, key: K, from: Timestamp, to: Timestamp, by: u64) {
        let is_old = |rises: &VecDeque<LossInterval>| rises.back().is_none_or(|last| to.since(last.to) > LOSSES_TIME);
        if !self.of.contains_key(&key) && self.of.len() >= KEYS_MAX {
            self.of.retain(|_, rises| !is_old(rises));
        }
        if !self.of.contains_key(&key) && self.of.len() >= KEYS_MAX {
            let last = |rises: &VecDeque<LossInterval>| rises.back().map(|last| last.to);
            let oldest = self.of.iter().min_by_key(|(key, rises)| (last(rises), **key)).map(|(key, _)| *key);
            oldest.and_then(|key| self.of.remove(&key));
        }
        let rises = self.of.entry(key).or_default();
        // Another past: a recording was wound back.
        if rises.back().is_some_and(|last| last.to > to) {
            rises.clear();
        }
        rises.retain(|rise| to.since(rise.to) <= LOSSES_TIME);
        if rises.len() >= RISES_MAX {
            rises.pop_front();
        }
        rises.push_back(LossInterval { from, to, by });
    }

    fn sum(&self, key: &K, from: Timestamp, to: Timestamp) -> u64 {
        self.of.get(key).map_or(0, |rises| rises.iter().map(|rise| rise.within(from, to)).sum())
    }

    fn all(&self, from: Timestamp, to: Timestamp) -> Vec<(K, u64)> {
        let sums = self.of.keys().map(|key| (*key, self.sum(key, from, to)));
        let mut all: Vec<_> = sums.filter(|(_, sum)| *sum > 0).collect();
        all.sort_unstable();
        all
    }

    fn table_sizes(&self, what: &'static str) -> TableSize {
        let rises: usize = self.of.values().map(VecDeque::capacity).sum();
        let mut held = TableSize::by(what, &self.of);
        held.bytes += rises * size_of::<LossInterval>();
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::Drops;
    use crate::model::testing::{listener, tcp, udp};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn dropped(cookie: u64, drops: u32) -> Socket {
        udp(cookie, 53).with(|socket| socket.drops = Some(Drops::new(drops))).build()
    }

    fn again(total: u32, spurious: u16) -> Socket {
        let socket = tcp(9).remote("192.0.2.7:443");
        socket.info(|info| (info.retransmits_total, info.retransmits_spurious) = (total, spurious)).build()
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn drops_are_those_of_the_window_and_a_long_pause_is_spread_over_its_time() {
        let mut losses = Losses::default();
        losses.note(&dropped(1, 5), &dropped(1, 5), at(0), at(1));
        assert_eq!(losses.dropping(MINUTE, at(1)), [], "nothing rose");
        for second in 0..20 {
            losses.note(
                &dropped(1, second * 3),
                &dropped(1, second * 3 + 3),
                at(second.into()),
                at(u64::from(second) + 1),
            );
        }
        let id = dropped(1, 0).id;
        assert_eq!(losses.drops(id, Duration::from_secs(10), at(20)), 30);
        assert_eq!(losses.drops(id, Duration::from_secs(10), at(25)), 15);
        assert_eq!(losses.drops(id, Duration::from_secs(10), at(40)), 0);
        losses.note(&dropped(2, 0), &dropped(2, 600), at(100), at(700));
        assert_eq!(losses.dropping(Duration::from_secs(10), at(700)), [(dropped(2, 0).id, 10)]);
    }

    #[test]
    fn what_a_peer_got_twice_was_not_lost() {
        let mut losses = Losses::default();
        losses.note(&again(10, 10), &again(30, 25), at(0), at(1));
        let peer = Peer { address: again(0, 0).destination().address, netns: NetnsId(0) };
        assert_eq!(losses.retransmitted(MINUTE, at(1)), [(peer, 5)]);
        losses.note(&again(30, 25), &again(32, 40), at(1), at(2));
        assert_eq!(losses.retransmitted(MINUTE, at(2)), [(peer, 5)], "more DSACKs than segments of the same time");
    }

    #[test]
    fn the_sockets_that_lost_last_are_kept_and_memory_is_bounded() {
        let mut losses = Losses::default();
        for nth in 0..2_000_u64 {
            let (before, after) = (dropped(nth, 0), dropped(nth, 1));
            losses.note(&before, &after, Timestamp::from_millis(nth * 10), Timestamp::from_millis(nth * 10 + 10));
        }
        assert_eq!(losses.drops.of.len(), KEYS_MAX);
        assert!(losses.drops(dropped(1_999, 0).id, MINUTE, at(20)) == 1);
        for nth in 0..5_000_u64 {
            let (before, after) = (dropped(7, 0), dropped(7, 1));
            losses.note(&before, &after, Timestamp::from_millis(20_000 + nth), Timestamp::from_millis(20_001 + nth));
        }
        let rises = &losses.drops.of[&dropped(7, 0).id];
        assert!(rises.len() <= RISES_MAX && rises.capacity() <= 2 * RISES_MAX, "{}", rises.capacity());
        let listening = listener(1, 80).with(|socket| socket.drops = None).build();
        losses.note(&listening, &listening, at(1), at(2));
    }
}
