//! Of which TCP sockets the trace has told a change of state since the last sample, and the last change of each: what a
//! partial sample looks up instead of dumping the kernel's table.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::model::event::TracedStateChange;
use crate::model::tcp_state::TcpState;

/// The most sockets that are remembered from one sample to the next. Where more have changed, a dump costs less than
/// looking for each of them.
const CHANGED_MAX: usize = 65_536;

/// The last change of state of each TCP socket that had one.
#[derive(Debug, Default)]
pub struct LatestChanges {
    by_key: FxHashMap<u64, TracedStateChange>,
    /// Not every socket is there: records were lost, or there were too many.
    is_incomplete: bool,
}

impl LatestChanges {
    /// Takes in a change. Records come CPU by CPU, so that an earlier change may come later.
    pub fn note(&mut self, change: &TracedStateChange) {
        if change.remote.port == 0 {
            // Listeners are in every sample. What was disconnected has no endpoints left to be looked for by.
            return;
        }
        let is_full = self.by_key.len() >= CHANGED_MAX;
        match self.by_key.entry(change.key) {
            Entry::Occupied(mut latest) if latest.get().at <= change.at => drop(latest.insert(*change)),
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if is_full => self.is_incomplete = true,
            Entry::Vacant(place) => drop(place.insert(*change)),
        }
    }

    /// Records were lost: sockets are missing.
    pub const fn note_loss(&mut self) {
        self.is_incomplete = true;
    }

    /// Whether it may not have every socket of which the state has changed.
    pub const fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Whether the last change of the socket with this key is in it.
    pub fn has(&self, key: u64) -> bool {
        self.by_key.contains_key(&key)
    }

    /// How many sockets have changed their state.
    pub fn count(&self) -> usize {
        self.by_key.len()
    }

    /// The changes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &TracedStateChange> {
        self.by_key.values()
    }
}

/// Whether a socket may be in the kernel's table after this change: itself, or the mini-socket in `TIME_WAIT` that it has
/// left (`tcp_time_wait`, `net/ipv4/tcp_minisocks.c`).
pub const fn leaves_a_socket(change: &TracedStateChange) -> bool {
    !matches!(change.to, TcpState::Close)
        || matches!(change.from, TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::time::Timestamp;

    fn change(key: u64, at_ms: u64, from: TcpState, to: TcpState) -> TracedStateChange {
        let end = |port| Endpoint::new([10, 0, 0, 1].into(), port);
        TracedStateChange { at: Timestamp::from_millis(at_ms), key, local: end(1), remote: end(2), from, to }
    }

    #[test]
    fn the_latest_change_of_each_socket_counts_whatever_order_they_come_in() {
        use TcpState::{Established, FinWait1, FinWait2, Listen, SynSent};
        let mut changes = LatestChanges::default();
        changes.note(&change(1, 20, Established, FinWait1));
        changes.note(&change(1, 30, FinWait1, FinWait2));
        changes.note(&change(1, 10, SynSent, Established));
        changes.note(&change(2, 10, SynSent, Established));
        let mut listener = change(3, 5, TcpState::Close, Listen);
        listener.remote.port = 0;
        changes.note(&listener);
        let mut latest: Vec<_> = changes.iter().map(|change| (change.key, change.to)).collect();
        latest.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(latest, [(1, FinWait2), (2, Established)]);
        assert!(changes.has(1) && !changes.has(3) && !changes.is_incomplete());
    }

    #[test]
    fn what_it_has_no_room_for_is_said_to_be_missing() {
        let mut changes = LatestChanges::default();
        for key in 0..=CHANGED_MAX as u64 {
            assert!(!changes.is_incomplete());
            changes.note(&change(key, 1, TcpState::SynSent, TcpState::Established));
        }
        assert!(changes.is_incomplete() && changes.iter().count() == CHANGED_MAX);
        let mut changes = LatestChanges::default();
        changes.note_loss();
        assert!(changes.is_incomplete());
    }

    #[test]
    fn who_closes_first_leaves_a_mini_socket() {
        use TcpState::{Close, CloseWait, Closing, Established, FinWait2, LastAck};
        let leaves = |from, to| leaves_a_socket(&change(1, 1, from, to));
        assert!(leaves(Established, CloseWait) && leaves(FinWait2, Close) && leaves(Closing, Close));
        assert!(!leaves(LastAck, Close) && !leaves(Established, Close));
    }
}
