//! A socket as a recording of version 1 to 5 holds it: instants as distances from the sample's own (shorter, and exact), owners as
//! indices into the table of holders.

use std::num::{NonZeroU32, NonZeroU64};

use serde::Deserialize;

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{Drops, NetnsId, Queues, Socket, SocketId, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// A [`Socket`] of a recording.
#[derive(Debug, Deserialize)]
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
#[derive(Debug, Default, Deserialize)]
pub struct WireMore {
    v6only: Option<bool>,
    drops: Option<Drops>,
    is_subflow: bool,
}

/// What is recorded of a socket since version 5; stands behind each [`WireMore`].
#[derive(Debug, Default, Deserialize)]
pub struct WireNewest {
    retransmits_spurious: u16,
}

/// An [`Owner`] of a recording: its holders by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of Caller")]
pub struct WireCaller {
    pub at: Timestamp,
    pub key: u64,
    pub holders: u32,
    pub netns: Option<NetnsId>,
}

#[derive(Debug, Deserialize)]
struct WireTimer {
    kind: TimerKind,
    retries: u8,
    expires: Distance,
}

#[derive(Debug, Deserialize)]
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
#[derive(Clone, Copy, Debug, Deserialize)]
struct Distance(i64);

impl Distance {
    const fn from(self, from: Timestamp) -> Timestamp {
        Timestamp(from.0.wrapping_add(self.0.cast_unsigned()))
    }
}

impl WireSocket {
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
