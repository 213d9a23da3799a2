//! A socket as a recording holds it: instants as distances from the sample's own (shorter, and exact), owners as
//! indices into the table of holders.

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{Drops, NetnsId, Queues, Socket, SocketId, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// A [`Socket`] of a recording.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireSocket {
    /// Identity.
    pub id: SocketId,
    protocol: Protocol,
    state: TcpState,
    family: Family,
    local: Endpoint,
    remote: Endpoint,
    interface: Option<NonZeroU32>,
    inode: Option<NonZeroU32>,
    uid: Option<u32>,
    cgroup: Option<u64>,
    queues: Option<Queues>,
    timer: Option<WireTimer>,
    tcp: Option<WireTcp>,
    /// Whose it is.
    pub owner: WireOwner,
}

/// What is recorded of a socket since version 4; stands behind each [`WireSocket`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WireMore {
    v6only: Option<bool>,
    drops: Option<Drops>,
    is_subflow: bool,
}

impl WireMore {
    /// The part of `socket` that older versions do not have.
    pub const fn new(socket: &Socket) -> Self {
        Self { v6only: socket.v6only, drops: socket.drops, is_subflow: socket.is_subflow }
    }
}

/// What is recorded of a socket since version 5; stands behind each [`WireMore`]. Until version 5 is released, what is new
/// goes to its end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WireNewest {
    retransmits_spurious: u16,
}

impl WireNewest {
    /// The part of `socket` that older versions do not have.
    pub fn new(socket: &Socket) -> Self {
        Self { retransmits_spurious: socket.tcp.map_or(0, |tcp| tcp.retransmits_spurious) }
    }
}

/// An [`Owner`] of a recording: its holders by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the cases are those of Owner")]
pub enum WireOwner {
    Live(u32),
    Remembered(u32),
    Unaccepted,
    Hidden,
    None,
    /// Since version 4.
    Unseen,
    /// Since version 4.
    Vanished,
}

/// A [`Caller`](crate::model::event::Caller) of a recording: its process by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of Caller")]
pub struct WireCaller {
    pub at: Timestamp,
    pub key: u64,
    pub holders: u32,
    pub netns: Option<NetnsId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireTimer {
    kind: TimerKind,
    retries: u8,
    expires: Distance,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireTcp {
    rtt_us: u32,
    rto_us: u32,
    retransmits_total: u32,
    unacked: u32,
    backoff: u8,
    probes: u8,
    last_data_sent: Distance,
    last_data_received: Distance,
    last_ack_received: Distance,
    bytes: Option<ByteCounts>,
}

/// An instant as nanoseconds after the sample's (before, if negative). Wraps around, so that every instant survives.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Distance(i64);

impl Distance {
    const fn to(instant: Timestamp, from: Timestamp) -> Self {
        Self(instant.0.wrapping_sub(from.0).cast_signed())
    }

    const fn from(self, from: Timestamp) -> Timestamp {
        Timestamp(from.0.wrapping_add(self.0.cast_unsigned()))
    }
}

impl WireSocket {
    /// `socket` of a sample that was begun `at`, held by `owner`.
    pub fn new(socket: &Socket, at: Timestamp, owner: WireOwner) -> Self {
        let timer = socket.timer.map(|timer| WireTimer {
            kind: timer.kind,
            retries: timer.retries,
            expires: Distance::to(timer.expires.into(), at),
        });
        Self {
            id: socket.id,
            protocol: socket.protocol,
            state: socket.state,
            family: socket.family,
            local: socket.local,
            remote: socket.remote,
            interface: socket.interface,
            inode: socket.inode,
            uid: socket.uid,
            cgroup: socket.cgroup.map(NonZeroU64::get),
            queues: socket.queues,
            timer,
            tcp: socket.tcp.as_ref().map(|tcp| WireTcp::new(tcp, at)),
            owner,
        }
    }

    /// The socket again.
    pub fn into_socket(self, more: &WireMore, newest: &WireNewest, at: Timestamp, owner: Owner) -> Socket {
        let timer = self.timer.map(|timer| Timer {
            kind: timer.kind,
            retries: timer.retries,
            expires: timer.expires.from(at).into(),
        });
        Socket {
            id: self.id,
            protocol: self.protocol,
            state: self.state,
            family: self.family,
            local: self.local,
            remote: self.remote,
            interface: self.interface,
            v6only: more.v6only,
            drops: more.drops,
            is_subflow: more.is_subflow,
            inode: self.inode,
            uid: self.uid,
            cgroup: self.cgroup.and_then(NonZeroU64::new),
            queues: self.queues,
            timer,
            tcp: self.tcp.map(|tcp| tcp.into_info(newest, at)),
            owner,
        }
    }
}

impl WireTcp {
    fn new(tcp: &TcpInfo, at: Timestamp) -> Self {
        Self {
            rtt_us: tcp.rtt_us,
            rto_us: tcp.rto_us,
            retransmits_total: tcp.retransmits_total,
            unacked: tcp.unacked,
            backoff: tcp.backoff,
            probes: tcp.probes,
            last_data_sent: Distance::to(tcp.last_data_sent.into(), at),
            last_data_received: Distance::to(tcp.last_data_received.into(), at),
            last_ack_received: Distance::to(tcp.last_ack_received.into(), at),
            bytes: tcp.bytes,
        }
    }

    fn into_info(self, newest: &WireNewest, at: Timestamp) -> TcpInfo {
        TcpInfo {
            rtt_us: self.rtt_us,
            rto_us: self.rto_us,
            retransmits_total: self.retransmits_total,
            retransmits_spurious: newest.retransmits_spurious,
            unacked: self.unacked,
            backoff: self.backoff,
            probes: self.probes,
            last_data_sent: self.last_data_sent.from(at).into(),
            last_data_received: self.last_data_received.from(at).into(),
            last_ack_received: self.last_ack_received.from(at).into(),
            bytes: self.bytes,
        }
    }
}
