//! Finds the traced connections of sockets that were emptied before the kernel reported their ends ([`Ended::is_emptied`]): the local port
//! and the address of the last peer are all there is to find them by.

use std::net::IpAddr;

use rustc_hash::FxHashSet;

use crate::model::endpoint::EndpointPair;
use crate::model::event::Ended;
use crate::model::time::Timestamp;
use crate::tracker::traced_connections::{TracedConnection, TracedConnections, TracedPath};

/// So many ends, or traced connections, of one local port are distinguished at most.
const SAME_PORT_MAX: usize = 64;

/// What an emptied socket is known by: local port, address of the last peer, and our address where it was bound to one.
type Trace = (u16, IpAddr, Option<IpAddr>);

impl TracedConnections {
    /// The connections of each of `ends`, emptied ones, in their order: one, or several where its socket was connected again after
    /// it had been disconnected, oldest first. None where the trace does not tell, or where it cannot be said which it was.
    pub(in crate::tracker) fn emptied(&mut self, ends: &[&Ended]) -> Vec<Vec<(EndpointPair, TracedPath)>> {
        let mut found: Vec<Vec<(EndpointPair, TracedPath)>> = ends.iter().map(|_| Vec::new()).collect();
        if ends.is_empty() {
            return found;
        }
        let mut candidates: Vec<(u16, Timestamp, usize)> = Vec::new();
        let over = self.pending.iter().enumerate().filter(|(_, connection)| connection.may_be_emptied());
        candidates.extend(over.map(|(nth, connection)| (connection.place.0.port, connection.last().at, nth)));
        candidates.sort_unstable();
        let mut order: Vec<usize> = (0..ends.len()).collect();
        order.sort_by_key(|nth| (trace(ends[*nth]), ends[*nth].at));
        for same in order.chunk_by(|one, other| trace(ends[*one]) == trace(ends[*other])) {
            let Some(end) = same.first().map(|nth| ends[*nth]) else { continue };
            let port = end.socket.local.port;
            let begin = candidates.partition_point(|(other, _, _)| *other < port);
            let connections =
                candidates.iter().skip(begin).take_while(|(other, _, _)| *other == port).map(|(_, _, nth)| *nth);
            let connections: Vec<usize> =
                connections.filter(|nth| self.pending[*nth].may_be_of(end)).take(SAME_PORT_MAX + 1).collect();
            let moments: Vec<Timestamp> = same.iter().map(|nth| ends[*nth].at).collect();
            for (nth, connections) in same.iter().zip(self.share_out(&connections, &moments)) {
                found[*nth].extend(connections.into_iter().filter_map(|connection| {
                    let place = self.pending[connection].place;
                    Some((place, self.follow(connection, 0, None)?))
                }));
            }
        }
        found
    }

    /// Which of `connections`, in the order in which they were over, belong to each of the ends reported at `moments`, ascending.
    fn share_out(&self, connections: &[usize], moments: &[Timestamp]) -> Vec<Vec<usize>> {
        let mut shared = vec![Vec::new(); moments.len()];
        // More sockets than ends: some of them are of other namespaces, or not freed yet. Which, nobody can say.
        let sockets: FxHashSet<u64> = connections.iter().map(|nth| self.pending[*nth].key).collect();
        if sockets.len() > moments.len() || connections.len() > SAME_PORT_MAX || moments.len() > SAME_PORT_MAX {
            return shared;
        }
        let mut left = connections.len();
        for (at, share) in moments.iter().zip(&mut shared).rev() {
            // What was over after an end was reported is of a socket that is still there.
            left = connections[..left].partition_point(|nth| self.pending[*nth].last().at <= *at);
            if let Some(last) = left.checked_sub(1) {
                share.push(connections[last]);
                left = last;
            }
        }
        // A socket that was connected again and again has one end.
        let first = shared.iter_mut().find(|share| !share.is_empty());
        if let Some((first, last)) = first.and_then(|share| share.first().copied().map(|last| (share, last))) {
            let key = self.pending[last].key;
            let earlier = connections[..left].iter().copied().filter(|nth| self.pending[*nth].key == key);
            first.splice(..0, earlier);
        }
        shared
    }
}

impl TracedConnection {
    /// Whether it is whole, is over, was a connection or an attempt at one, and has no sample or end of its own yet.
    fn may_be_emptied(&self) -> bool {
        let (local, remote) = self.place;
        !self.used && self.begun && self.ended() && local.port != 0 && remote.port != 0
    }

    /// Whether nothing speaks against its being that of the socket `end`.
    fn may_be_of(&self, end: &Ended) -> bool {
        let (local, remote) = self.place;
        let (_, peer, bound) = trace(end);
        remote.addr == peer && bound.is_none_or(|bound| local.addr == bound) && self.may_be_in(end.socket.id.netns())
    }
}

fn trace(end: &Ended) -> Trace {
    let local = end.socket.local;
    (local.port, end.socket.remote.addr, Some(local.addr).filter(|addr| !addr.is_unspecified()))
}
