//! Which end of a connection is the service: ours (then it belongs to a listener) or the peer's.

use crate::diagnosis::finding::FindingScope;
use crate::model::endpoint::Protocol;
use crate::model::facts::PortRange;
use crate::model::socket::Socket;
use crate::store::Store;
use crate::store::listeners::{ListenerMatch, Listeners};

/// Where Linux takes the ports of clients from by default (`ip_local_port_range`).
pub(super) const EPHEMERAL_PORTS: PortRange = PortRange { first: 32_768, last: 60_999 };

/// Who listens now, and the range of clients' ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    listeners: &'a Listeners,
    ephemeral: PortRange,
}

impl<'a> Sides<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        let ephemeral = store.facts().ephemeral_ports.unwrap_or(EPHEMERAL_PORTS);
        Self { listeners: store.listeners(), ephemeral }
    }

    /// The range of clients' ports.
    pub(super) const fn ephemeral(&self) -> PortRange {
        self.ephemeral
    }

    /// What is known of the TCP listener that a connection came in by.
    pub(super) fn came_by(&self, socket: &Socket) -> Option<ListenerMatch<'a>> {
        self.listeners.of_connection(socket)
    }

    /// The service's end of a connection.
    pub(super) fn place(&self, socket: &Socket) -> FindingScope {
        if let Some(came_by) = self.came_by(socket) {
            return FindingScope::On(came_by.place.destination());
        }
        if self.is_client(socket) { FindingScope::To(socket.destination()) } else { FindingScope::on(socket) }
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
            && self.came_by(socket).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Delta;
    use crate::model::testing::{connection, destination, listener, source_info, tcp};

    #[test]
    fn the_service_is_where_we_listen_else_where_the_port_is_no_clients_port() {
        let mut store = Store::new(source_info());
        store.apply(Delta { added: vec![connection(listener(1, 40_000), 0)], ..Delta::default() });
        let sides = Sides::new(&store);
        for (local, remote, place) in [
            ("10.0.0.1:40000", "10.0.0.2:80", FindingScope::On(destination("0.0.0.0:40000"))),
            ("10.0.0.1:40001", "10.0.0.2:80", FindingScope::To(destination("10.0.0.2:80"))),
            ("10.0.0.1:8080", "10.0.0.2:50000", FindingScope::On(destination("10.0.0.1:8080"))),
            ("10.0.0.1:61001", "10.0.0.2:80", FindingScope::To(destination("10.0.0.2:80"))),
            ("10.0.0.1:50001", "10.0.0.2:50000", FindingScope::To(destination("10.0.0.2:50000"))),
        ] {
            assert_eq!(sides.place(&tcp(2).local(local).remote(remote).build()), place, "{local} {remote}");
        }
        assert!(sides.is_outgoing(&tcp(2).local("10.0.0.1:40001").build()));
        assert!(!sides.is_outgoing(&tcp(2).local("10.0.0.1:40000").build()), "it came in");
    }
}
