//! Which end of a connection is the service: ours (then it belongs to a listener) or the peer's.

use rustc_hash::FxHashMap;

use crate::diagnosis::finding::Place;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::facts::PortRange;
use crate::model::process::Process;
use crate::model::socket::{NetnsId, Socket};
use crate::store::Store;
use crate::store::rows::RowIndex;

/// Where Linux takes the ports of clients from unless told otherwise (`ip_local_port_range`).
pub(super) const EPHEMERAL_PORTS: PortRange = PortRange { first: 32_768, last: 60_999 };

/// The TCP listeners of now, and the range of clients' ports.
#[derive(Debug)]
pub(super) struct Sides {
    listeners: FxHashMap<(NetnsId, Endpoint), RowIndex>,
    ephemeral: PortRange,
}

impl Sides {
    pub(super) fn new(store: &Store) -> Self {
        let ephemeral = store.facts().ephemeral_ports.unwrap_or(EPHEMERAL_PORTS);
        Self { listeners: FxHashMap::default(), ephemeral }
    }

    /// Takes a listener in.
    pub(super) fn note(&mut self, index: RowIndex, socket: &Socket) {
        if socket.is_listener() {
            self.listeners.entry((socket.id.netns(), socket.local)).or_insert(index);
        }
    }

    /// The range of clients' ports.
    pub(super) const fn ephemeral(&self) -> PortRange {
        self.ephemeral
    }

    /// The listener that a connection came in on: one on its very address, else on every address of its family. (A
    /// connection that came through a dual-stack `[::]` is an IPv6 socket.)
    pub(super) fn listener_of(&self, socket: &Socket) -> Option<(Endpoint, RowIndex)> {
        let any = Endpoint::new(socket.family.unspecified(), socket.local.port);
        let found = |local: Endpoint| Some((local, *self.listeners.get(&(socket.id.netns(), local))?));
        found(socket.local).or_else(|| found(any))
    }

    /// The service's end of a connection.
    pub(super) fn place(&self, socket: &Socket) -> Place {
        if let Some((listener, _)) = self.listener_of(socket) {
            return Place::On(listener);
        }
        if self.is_client(socket) { Place::To(socket.remote) } else { Place::On(socket.local) }
    }

    /// Whether we are the client of a connection that no listener of ours took: the end with an ephemeral port is, or
    /// the one with the higher port.
    pub(super) fn is_client(&self, socket: &Socket) -> bool {
        let (local, remote) = (socket.local.port, socket.remote.port);
        match (self.ephemeral.contains(local), self.ephemeral.contains(remote)) {
            (true, false) => true,
            (false, true) => false,
            _ => remote < local,
        }
    }

    /// Whether a connection takes a port of ours to reach a service elsewhere.
    pub(super) fn is_outgoing(&self, socket: &Socket) -> bool {
        socket.protocol == Protocol::Tcp
            && !socket.remote.is_unset()
            && self.ephemeral.contains(socket.local.port)
            && self.is_client(socket)
            && self.listener_of(socket).is_none()
    }

    /// Who holds the listener that a connection waits at.
    pub(super) fn accepting<'s>(&self, socket: &Socket, store: &'s Store) -> Option<&'s std::sync::Arc<Process>> {
        let (_, index) = self.listener_of(socket)?;
        store.rows().get(index)?.connection.socket.owner.holders()?.all().first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{endpoint, listener, source_info, tcp};

    #[test]
    fn the_service_is_where_we_listen_else_where_the_port_is_no_clients_port() {
        let mut sides = Sides::new(&Store::new(source_info()));
        sides.note(RowIndex(0), &listener(1, 40_000).build());
        for (local, remote, place) in [
            ("10.0.0.1:40000", "10.0.0.2:80", Place::On(endpoint("0.0.0.0:40000"))),
            ("10.0.0.1:40001", "10.0.0.2:80", Place::To(endpoint("10.0.0.2:80"))),
            ("10.0.0.1:8080", "10.0.0.2:50000", Place::On(endpoint("10.0.0.1:8080"))),
            ("10.0.0.1:61001", "10.0.0.2:80", Place::To(endpoint("10.0.0.2:80"))),
            ("10.0.0.1:50001", "10.0.0.2:50000", Place::To(endpoint("10.0.0.2:50000"))),
        ] {
            assert_eq!(sides.place(&tcp(2).local(local).remote(remote).build()), place, "{local} {remote}");
        }
        assert!(sides.is_outgoing(&tcp(2).local("10.0.0.1:40001").build()));
        assert!(!sides.is_outgoing(&tcp(2).local("10.0.0.1:40000").build()), "it came in");
    }
}
