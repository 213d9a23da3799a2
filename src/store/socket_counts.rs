//! How many sockets are in each state.

use crate::model::endpoint::Protocol;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;

/// Live sockets by state. Closed rows do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketCounts {
    /// Connections and listeners of TCP and MPTCP, each counted once, indexed by `TcpState as usize`.
    pub tcp: [u32; 13],
    /// UDP sockets.
    pub udp: u32,
    /// TCP sockets that carry MPTCP connections, which are counted by their own states.
    pub subflows: u32,
}

impl SocketCounts {
    /// TCP and MPTCP sockets in `state`, without subflows.
    pub const fn of(&self, state: TcpState) -> u32 {
        self.tcp[state as usize]
    }

    /// Counts `socket` in.
    pub fn add(&mut self, socket: &Socket) {
        *self.place(socket) += 1;
    }

    /// Counts `socket` out.
    pub(super) fn subtract(&mut self, socket: &Socket) {
        *self.place(socket) -= 1;
    }

    const fn place(&mut self, socket: &Socket) -> &mut u32 {
        match socket.protocol {
            Protocol::Tcp if socket.is_subflow => &mut self.subflows,
            Protocol::Tcp | Protocol::Mptcp => &mut self.tcp[socket.state as usize],
            Protocol::Udp => &mut self.udp,
        }
    }

    /// All sockets.
    pub fn total(&self) -> u32 {
        self.tcp.iter().sum::<u32>() + self.udp + self.subflows
    }
}
