//! The interfaces and routes of the last sample that had them, and how fast the interfaces counted in those before.
//!
//! They are sampled only while the screen shows them. What lies between is a gap, over which no rate is told.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::interface::Interface;
use crate::model::memory::TableSize;
use crate::model::network::{Network, NetworkInterface};
use crate::model::time::Timestamp;

/// So many samples of each interface are kept.
pub const SAMPLES_MAX: usize = 240;
/// So many interfaces have a history.
const HISTORIES_MAX: usize = 256;

/// What an interface did in a second, from one sample to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InterfaceRates {
    /// Bytes received, headers of the link included.
    pub received_bytes: f64,
    /// Bytes sent, likewise.
    pub sent_bytes: f64,
    /// Packets received.
    pub received_packets: f64,
    /// Packets sent.
    pub sent_packets: f64,
    /// Good packets that were thrown away, in both directions.
    pub dropped: f64,
    /// Bad packets, and those that could not be sent.
    pub errors: f64,
}

/// What an interface did.
#[derive(Debug)]
struct InterfaceHistory {
    at: Timestamp,
    last: Interface,
    /// Oldest first; `None` is a gap.
    rates: VecDeque<Option<InterfaceRates>>,
    /// How many there were in all.
    total: u64,
}

/// The last network, and what its interfaces did.
#[derive(Debug, Default)]
pub struct NetworkHistory {
    latest: Option<Arc<Network>>,
    interfaces: FxHashMap<u32, InterfaceHistory>,
    is_gap: bool,
}

impl NetworkHistory {
    /// The last network; `None` where the last sample had none.
    pub fn latest(&self) -> Option<&Network> {
        self.latest.as_deref()
    }

    /// What the interface with this number did last; `None` until there are two samples of it.
    pub fn rates(&self, index: u32) -> Option<InterfaceRates> {
        *self.interfaces.get(&index)?.rates.back()?
    }

    /// The last `width` values of the interface with this number, each what `value` is of its rates, in whole ones; the newest is at the
    /// end. What is not known is `None`.
    ///
    /// They come in pairs that never change, so that a graph of two values a cell moves with every second sample only: of a pair
    /// of which one is there the other is `None`.
    pub fn trend(&self, index: u32, width: usize, value: impl Fn(&InterfaceRates) -> f64) -> Vec<Option<u64>> {
        let Some(history) = self.interfaces.get(&index) else { return vec![None; width] };
        let missing = usize::from(!history.total.is_multiple_of(2)).min(width);
        let len = history.rates.len().min(width - missing);
        let last = history.rates.iter().skip(history.rates.len() - len);
        let known = last.map(|rates| rates.as_ref().map(|rates| whole(value(rates))));
        let before = std::iter::repeat_n(None, width - missing - len);
        before.chain(known).chain(std::iter::repeat_n(None, missing)).collect()
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 1] {
        let bytes = self
            .interfaces
            .values()
            .map(|history| size_of_val(history) + history.rates.capacity() * size_of::<Option<InterfaceRates>>());
        [TableSize { what: "interfaces", len: self.interfaces.len(), bytes: bytes.sum() }]
    }

    /// Takes in what the sample of `at` had.
    pub(super) fn push(&mut self, at: Timestamp, network: Option<Arc<Network>>) {
        self.latest = network;
        let Some(network) = self.latest.as_deref() else {
            self.is_gap = true;
            return;
        };
        let is_gap = std::mem::take(&mut self.is_gap);
        let is_there = |index: &u32| network.interfaces.iter().any(|interface| interface.index == *index);
        self.interfaces.retain(|index, _| is_there(index));
        for interface in network.interfaces.iter().take(HISTORIES_MAX) {
            match self.interfaces.get_mut(&interface.index) {
                Some(history) if history.last.name == interface.counted.name => history.push(at, interface, is_gap),
                _ => drop(self.interfaces.insert(interface.index, InterfaceHistory::new(at, interface))),
            }
        }
    }
}

impl InterfaceHistory {
    fn new(at: Timestamp, interface: &NetworkInterface) -> Self {
        Self { at, last: interface.counted.clone(), rates: VecDeque::new(), total: 0 }
    }

    fn push(&mut self, at: Timestamp, interface: &NetworkInterface, is_gap: bool) {
        let rates = rates(&self.last, &interface.counted, at.since(self.at).as_secs_f64()).filter(|_| !is_gap);
        if self.rates.len() >= SAMPLES_MAX {
            self.rates.pop_front();
        }
        self.rates.push_back(rates);
        self.total += 1;
        (self.at, self.last) = (at, interface.counted.clone());
    }
}

/// How fast an interface counted from `older` to `newer`; `None` where no time passed or it began to count anew.
#[expect(clippy::cast_precision_loss, reason = "a rate on the screen has three digits")]
fn rates(older: &Interface, newer: &Interface, seconds: f64) -> Option<InterfaceRates> {
    if seconds <= 0.0 {
        return None;
    }
    let rate = |older: u64, newer: u64| Some(newer.checked_sub(older)? as f64 / seconds);
    let both = |of: fn(&Interface) -> [u64; 2]| {
        let ([received, sent], [received_then, sent_then]) = (of(newer), of(older));
        Some(rate(received_then, received)? + rate(sent_then, sent)?)
    };
    Some(InterfaceRates {
        received_bytes: rate(older.received.bytes, newer.received.bytes)?,
        sent_bytes: rate(older.sent.bytes, newer.sent.bytes)?,
        received_packets: rate(older.received.packets, newer.received.packets)?,
        sent_packets: rate(older.sent.packets, newer.sent.packets)?,
        dropped: both(|interface| [interface.received.dropped, interface.sent.dropped])?,
        errors: both(|interface| [interface.received.errors, interface.sent.errors])?,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; no rate is negative")]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::interface::{Received, Sent};
    use crate::model::network::LinkState;

    fn network(interfaces: &[(u32, &str, u64)]) -> Arc<Network> {
        let interface = |&(index, name, bytes): &(u32, &str, u64)| NetworkInterface {
            index,
            counted: Interface {
                name: name.into(),
                received: Received { bytes, packets: bytes / 10, ..Received::default() },
                sent: Sent { bytes: 2 * bytes, dropped: bytes / 100, ..Sent::default() },
            },
            mtu_bytes: None,
            state: LinkState::Up,
            speed_megabits: None,
        };
        Arc::new(Network { interfaces: interfaces.iter().map(interface).collect(), ..Network::default() })
    }

    fn received(history: &NetworkHistory, width: usize) -> Vec<Option<u64>> {
        history.trend(2, width, |rates| rates.received_bytes)
    }

    #[test]
    fn rates_are_told_from_one_sample_to_the_next_and_never_over_a_gap() {
        let mut history = NetworkHistory::default();
        let at = Timestamp::from_millis;
        history.push(at(0), Some(network(&[(2, "eth0", 1_000)])));
        assert_eq!((history.rates(2), received(&history, 2)), (None, vec![None, None]));
        history.push(at(2_000), Some(network(&[(2, "eth0", 5_000)])));
        let rates = history.rates(2).expect("two samples");
        assert_eq!((rates.received_bytes, rates.sent_bytes, rates.dropped), (2_000.0, 4_000.0, 20.0));
        history.push(at(3_000), None);
        assert_eq!(history.latest(), None, "nobody looks");
        history.push(at(60_000), Some(network(&[(2, "eth0", 900_000)])));
        assert_eq!(history.rates(2), None, "what was in between nobody knows");
        history.push(at(61_000), Some(network(&[(2, "eth0", 900_500)])));
        assert_eq!(received(&history, 6), [None, None, Some(2_000), None, Some(500), None]);
        history.push(at(62_000), Some(network(&[(2, "eth0", 100)])));
        assert_eq!(history.rates(2), None, "it counts anew");
        history.push(at(63_000), Some(network(&[(2, "eth1", 900)])));
        assert_eq!(received(&history, 2), [None, None], "another interface has the number");
    }

    #[test]
    fn samples_and_interfaces_are_bounded() {
        let mut history = NetworkHistory::default();
        let many = |bytes: u64| {
            let interfaces: Vec<(u32, &str, u64)> = (0..2_000).map(|index| (index, "veth", bytes)).collect();
            Some(network(&interfaces))
        };
        (0..3).for_each(|second| history.push(Timestamp::from_millis(second * 1_000), many(second)));
        assert_eq!(history.interfaces.len(), HISTORIES_MAX);
        for second in 3..1_000 {
            history.push(Timestamp::from_millis(second * 1_000), Some(network(&[(2, "veth", second)])));
        }
        assert_eq!((history.interfaces.len(), history.interfaces[&2].rates.len()), (1, SAMPLES_MAX));
        assert_eq!(received(&history, 4), [Some(1), Some(1), Some(1), None]);
        history.push(Timestamp::from_millis(1_000_000), Some(network(&[(2, "veth", 1_000)])));
        assert_eq!(received(&history, 4), [Some(1); 4], "the pair is whole");
    }
}
