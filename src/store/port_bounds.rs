//! How many connections can share one way, from a source address to a destination: an upper bound, kept row by row.
//!
//! Ports run out per way. There can be as many ways as connections, so they are not counted one by one: each falls into
//! one of a fixed number of buckets, and a way cannot have more connections than its bucket. Where no bucket has many, no
//! way has, and nobody need look at the rows.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::model::endpoint::Protocol;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::store::port_pool::PortPool;

/// A power of two; at 200,000 connections a bucket that no busy way falls into has a dozen.
const BUCKETS_BITS: u32 = 14;
/// An odd number whose bits look random (the golden ratio): the upper bits of the product depend on all bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Connections that may be on one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounts {
    /// All that may take a port.
    pub ports: u32,
    /// Those of them in `TIME_WAIT`.
    pub time_wait: u32,
}

/// The buckets.
#[derive(Debug)]
pub struct PortBounds {
    buckets: Box<[PortCounts]>,
}

impl Default for PortBounds {
    fn default() -> Self {
        Self { buckets: vec![PortCounts::default(); 1 << BUCKETS_BITS].into_boxed_slice() }
    }
}

impl PortBounds {
    /// The most connections that any way can have, and the most of those in `TIME_WAIT`, which may be another way's.
    pub fn most(&self) -> PortCounts {
        self.buckets.iter().fold(PortCounts::default(), |most, bucket| PortCounts {
            ports: most.ports.max(bucket.ports),
            time_wait: most.time_wait.max(bucket.time_wait),
        })
    }

    /// The most connections that the way of `socket` can have; none for what is no TCP connection.
    pub fn shared_with(&self, socket: &Socket) -> PortCounts {
        place(socket).map_or(PortCounts::default(), |place| self.buckets[place])
    }

    /// Counts `socket` in.
    pub(super) fn enter(&mut self, socket: &Socket) {
        if let Some(place) = place(socket) {
            let PortCounts { ports, time_wait } = &mut self.buckets[place];
            *ports += 1;
            *time_wait += u32::from(socket.state == TcpState::TimeWait);
        }
    }

    /// Counts `socket`, which was counted in as it is, out.
    pub(super) fn leave(&mut self, socket: &Socket) {
        if let Some(place) = place(socket) {
            let PortCounts { ports, time_wait } = &mut self.buckets[place];
            *ports -= 1;
            *time_wait -= u32::from(socket.state == TcpState::TimeWait);
        }
    }
}

fn place(socket: &Socket) -> Option<usize> {
    if socket.protocol != Protocol::Tcp || socket.remote.is_unset() {
        return None;
    }
    let hash = FxBuildHasher.hash_one(PortPool::of(&socket.reference()));
    usize::try_from(hash.wrapping_mul(SPREAD) >> (u64::BITS - BUCKETS_BITS)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::testing::{listener, tcp, udp};

    #[test]
    fn what_is_no_connection_is_on_no_way() {
        let mut ways = PortBounds::default();
        ways.enter(&listener(1, 80).build());
        ways.enter(&udp(2, 53).build());
        assert_eq!(ways.most(), PortCounts::default());
    }

    proptest! {
        #[test]
        fn no_way_has_more_than_its_bucket(changes in proptest::collection::vec((0u16..40, any::<bool>(), any::<bool>()), 0..200)) {
            let (mut ways, mut live) = (PortBounds::default(), Vec::new());
            let socket = |port: u16, waits: bool| {
                let socket = tcp(1).remote(&format!("10.0.0.2:{}", 1 + port));
                if waits { socket.mini(TcpState::TimeWait).build() } else { socket.build() }
            };
            for (port, waits, goes) in changes {
                if goes && !live.is_empty() {
                    let (port, waits) = live.swap_remove(usize::from(port) % live.len());
                    ways.leave(&socket(port, waits));
                } else {
                    live.push((port, waits));
                    ways.enter(&socket(port, waits));
                }
            }
            for port in 0..40 {
                let on_it = live.iter().filter(|(other, _)| *other == port);
                let (ports, time_wait) = (on_it.clone().count(), on_it.filter(|(_, waits)| *waits).count());
                let bound = ways.shared_with(&socket(port, false));
                prop_assert!(ports <= bound.ports as usize && time_wait <= bound.time_wait as usize);
                prop_assert!(bound.ports <= ways.most().ports && bound.time_wait <= ways.most().time_wait);
            }
            for (port, waits) in live {
                ways.leave(&socket(port, waits));
            }
            prop_assert_eq!(ways.most(), PortCounts::default());
        }
    }
}
