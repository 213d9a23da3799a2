//! Identity without cookies: keeps apart the sockets that share a protocol and both endpoints, from sample to sample.
//!
//! A tuple is shared by `SO_REUSEPORT` sockets at one moment, and by an old connection and its successor one after
//! the other. The inode tells them apart where there is one; a connection loses its inode when it is closed and
//! keeps its identity.

use rustc_hash::FxHashMap;

use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::socket::{NetnsId, SocketId};
use crate::model::tcp_state::TcpState;

/// What stands in for a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketTuple {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Our end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
}

/// Gives out identities.
#[derive(Debug, Default)]
pub struct TupleIds {
    tuples: FxHashMap<SocketTuple, Vec<NumberedTuple>>,
    sample: u64,
}

/// A socket seen under some tuple.
#[derive(Clone, Copy, Debug)]
struct NumberedTuple {
    nth: u32,
    inode: u32,
    state: TcpState,
    /// The last sample that had it.
    sample: u64,
}

impl TupleIds {
    /// Begins a sample: forgets what the one before did not have.
    pub fn begin(&mut self) {
        let last = self.sample;
        self.tuples.retain(|_, known| {
            known.retain(|known| known.sample == last);
            !known.is_empty()
        });
        self.sample = last.wrapping_add(1);
    }

    /// The identity of a socket with this tuple, inode (0 for none) and state.
    pub fn id(&mut self, tuple: SocketTuple, inode: u32, state: TcpState, netns: NetnsId) -> SocketId {
        let sample = self.sample;
        let known = self.tuples.entry(tuple).or_default();
        let same = known
            .iter()
            .position(|known| known.sample != sample && inode != 0 && known.inode == inode)
            .or_else(|| known.iter().position(|known| known.sample != sample && known.can_become(inode, state)));
        let nth = same.and_then(|index| known.get_mut(index)).map(|known| {
            (known.inode, known.state, known.sample) = (inode, state, sample);
            known.nth
        });
        let nth = nth.unwrap_or_else(|| {
            let nth = known.iter().map(|known| known.nth.wrapping_add(1)).max().unwrap_or(0);
            known.push(NumberedTuple { nth, inode, state, sample });
            nth
        });
        SocketId::from_tuple(tuple.protocol, tuple.local, tuple.remote, nth, netns)
    }
}

impl NumberedTuple {
    /// Whether the same socket can have this inode and state now: an inode is gained by accept(2) and lost by
    /// close(2), never exchanged, and nothing is opened again after `TIME_WAIT`.
    fn can_become(&self, inode: u32, state: TcpState) -> bool {
        let inode_kept = self.inode == inode || inode == 0 || self.inode == 0;
        let reopened = self.state == TcpState::TimeWait && state != TcpState::TimeWait;
        inode_kept && !reopened
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::endpoint::Family;

    fn tuple(port: u16) -> SocketTuple {
        let local = Endpoint::new(Family::Ipv4.unspecified(), port);
        SocketTuple { protocol: Protocol::Tcp, local, remote: Endpoint::new(Family::Ipv4.unspecified(), 0) }
    }

    /// One sample: the identities of these sockets, all of one tuple.
    fn sample(ids: &mut TupleIds, sockets: &[(u32, TcpState)]) -> Vec<SocketId> {
        ids.begin();
        sockets.iter().map(|(inode, state)| ids.id(tuple(80), *inode, *state, NetnsId(1))).collect()
    }

    #[test]
    fn reuseport_sockets_keep_their_identity_when_the_kernel_lists_them_in_another_order() {
        let mut ids = TupleIds::default();
        let first = sample(&mut ids, &[(7, TcpState::Listen), (8, TcpState::Listen)]);
        assert_ne!(first[0], first[1]);
        let second = sample(&mut ids, &[(9, TcpState::Listen), (8, TcpState::Listen), (7, TcpState::Listen)]);
        assert_eq!([second[2], second[1]], [first[0], first[1]]);
        assert!(!first.contains(&second[0]));
    }

    #[test]
    fn a_connection_keeps_its_identity_from_handshake_to_time_wait() {
        let mut ids = TupleIds::default();
        let life = [
            (0, TcpState::SynRecv),
            (0, TcpState::Established),
            (7, TcpState::Established),
            (7, TcpState::FinWait2),
            (0, TcpState::TimeWait),
        ];
        let seen: HashSet<_> = life.iter().map(|step| sample(&mut ids, &[*step])[0]).collect();
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn a_successor_on_the_same_tuple_is_another_socket() {
        let mut ids = TupleIds::default();
        let old = sample(&mut ids, &[(0, TcpState::TimeWait)])[0];
        let new = sample(&mut ids, &[(0, TcpState::SynSent)])[0];
        assert_ne!(old, new);
        let accepted = sample(&mut ids, &[(8, TcpState::Established)])[0];
        assert_eq!(accepted, new);
        assert_ne!(sample(&mut ids, &[(9, TcpState::Established)])[0], new);
    }

    proptest! {
        #[test]
        fn no_two_sockets_of_a_sample_share_an_identity(
            samples in proptest::collection::vec(proptest::collection::vec((0u32..4, 0usize..12), 0..8), 1..6)
        ) {
            let mut ids = TupleIds::default();
            for sockets in samples {
                let sockets: Vec<_> = sockets.iter().map(|(inode, state)| (*inode, crate::model::tcp_state::STATES[*state].state)).collect();
                let given = sample(&mut ids, &sockets);
                prop_assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
            }
            prop_assert!(ids.tuples.len() <= 1);
        }
    }
}
