//! What sockets that are alike have in common.

use std::num::NonZeroU64;

use crate::model::address::Address;
use crate::model::endpoint::Protocol;
use crate::model::hosts::HostNumber;
use crate::model::process::{NoProcess, ProcessId};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;

/// The name of a program as a number: equal names have one number, which no other name ever gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub(super) u32);

/// Whose sockets are. A socket that several processes share counts for the one with the lowest pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlikeOwner {
    /// This process holds them; of connections that wait to be accepted, it holds the listener.
    Process(ProcessId),
    /// A process of this name held them last: short-lived processes leave many sockets, each its own pid.
    Remembered(NameId),
    /// No process is known.
    Nobody(NoProcess),
}

/// What sockets do at a port of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortRole {
    /// They listen; of UDP, they take datagrams from anybody.
    Listening,
    /// They came in by a listener.
    Clients,
    /// They came in by a listener and wait for accept(2).
    Queue,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlikePeer {
    /// Connections that we opened, to this remote end.
    Remote {
        /// The address.
        address: Address,
        /// The network namespace of its zone; the same for all addresses without one.
        netns: NetnsId,
        /// The port.
        port: u16,
    },
    /// What is at a port of ours: the other ends are many, and their ports say nothing.
    Here {
        /// Our port.
        port: u16,
        /// What the sockets do there.
        role: PortRole,
    },
    /// There is none: the socket is only bound, or closed.
    Nowhere,
    /// Remote ends of which each would be one more than the table has room for (see [`ALIKE_MAX`](super::ALIKE_MAX)).
    Others,
}

/// What sockets that are alike have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlikeKey {
    /// Whose they are.
    pub owner: AlikeOwner,
    /// Who is at the other end.
    pub peer: AlikePeer,
    /// The protocol.
    pub protocol: Protocol,
    /// The state.
    pub state: TcpState,
    /// The control group.
    pub cgroup: Option<NonZeroU64>,
    /// The host; `None` where there is only one.
    pub host: Option<HostNumber>,
}
