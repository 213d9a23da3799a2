//! What ephemeral ports are taken from.

use crate::model::address::{Address, Destination};
use crate::model::facts::Facts;
use crate::model::socket::{NetnsId, SocketRef};

/// What the ephemeral ports of a connection are taken from: for each route the kernel's whole range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPool {
    /// Our address, and the interface that the socket is bound to: the kernel compares both before it gives a port away
    /// (`inet_match`, `include/net/inet_hashtables.h`).
    pub source: Address,
    /// The other end.
    pub to: Destination,
    /// The network namespace.
    pub netns: NetnsId,
}

impl PortPool {
    /// The route of a socket. IPv4 addresses written as IPv6 share the ports of the IPv4 ones.
    pub const fn of(socket: &SocketRef) -> Self {
        let SocketRef { local, remote, interface, .. } = *socket;
        let to = Destination { address: Address::new(remote.addr, interface), port: remote.port };
        Self { source: Address::bound(local.addr, interface), to, netns: socket.id.netns() }
    }

    /// Whether the kernel gives the port of a `TIME_WAIT` older than a second to a new connection (`tcp_tw_reuse`: 1 always,
    /// 2 on loopback).
    pub fn reuses_time_wait(&self, facts: &Facts) -> bool {
        match facts.time_wait_reuse {
            Some(1) => true,
            Some(2) => self.to.address.ip().is_loopback(),
            _ => false,
        }
    }
}

/// Whether the kernel chose `port`, as far as its range is known for that namespace.
pub fn is_ephemeral(port: u16, netns: NetnsId, facts: &Facts) -> bool {
    !facts.are_about(netns) || facts.ephemeral_ports.is_none_or(|range| range.contains(port))
}
