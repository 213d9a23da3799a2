//! A socket as one sample saw it: identity, endpoints, state, queues, timer, owner.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::model::address::{Address, Destination};
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::hosts::number_of_host;
pub use crate::model::netns::NetnsId;
use crate::model::process::Owner;
use crate::model::tcp_info::TcpInfo;
use crate::model::tcp_state::TcpState;
use crate::model::time::CompactTimestamp;

/// What identifies a socket: the kernel's cookie and the network namespace. Where a source has no cookie, a hash of
/// protocol, endpoints and a counter among equals stands in; that is weaker, because tuples are reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SocketId {
    value: u64,
    netns: NetnsId,
    is_cookie: bool,
}

impl SocketId {
    /// The socket with this kernel cookie (`idiag_cookie`, 64 bits, constant from `ESTABLISHED` to `TIME_WAIT`).
    pub const fn from_cookie(cookie: u64, netns: NetnsId) -> Self {
        Self { value: cookie, netns, is_cookie: true }
    }

    /// The `nth` socket (from 0) with these endpoints, for sources without cookies. `nth` keeps sockets that share
    /// one address (`SO_REUSEPORT`) apart, so that no row is lost.
    pub fn from_tuple(protocol: Protocol, local: Endpoint, remote: Endpoint, nth: u32, netns: NetnsId) -> Self {
        use std::hash::Hasher;
        let mut hasher = rustc_hash::FxHasher::default();
        (protocol, local, remote, nth).hash(&mut hasher);
        Self { value: hasher.finish(), netns, is_cookie: false }
    }

    /// A socket that no table lists, so that its cookie is not known: by the inode, which is its own as long as it is held.
    pub fn from_inode(inode: NonZeroU32, netns: NetnsId) -> Self {
        use std::hash::Hasher;
        let mut hasher = rustc_hash::FxHasher::default();
        ("inode", inode).hash(&mut hasher);
        Self { value: hasher.finish(), netns, is_cookie: false }
    }

    /// The kernel's cookie; `None` where the tuple stands in.
    pub const fn cookie(self) -> Option<u64> {
        if self.is_cookie { Some(self.value) } else { None }
    }

    /// A hash of it, for tables that find it by itself: nobody chooses cookies.
    pub fn hash_code(self) -> u64 {
        use std::hash::BuildHasher;
        rustc_hash::FxBuildHasher.hash_one(self)
    }

    /// The number it was made from and whether that is a cookie: with its namespace all that recordings hold of it.
    pub const fn number(self) -> (u64, bool) {
        (self.value, self.is_cookie)
    }

    /// The identity with this [`Self::number`], read from a recording.
    pub const fn from_number((value, is_cookie): (u64, bool), netns: NetnsId) -> Self {
        Self { value, netns, is_cookie }
    }

    /// The same in another network namespace, or under another number of its own.
    #[must_use]
    pub const fn in_namespace(self, netns: NetnsId) -> Self {
        Self { netns, ..self }
    }

    /// The network namespace.
    pub const fn netns(self) -> NetnsId {
        self.netns
    }
}

/// Everything the kernel needs to find exactly one socket again (`struct inet_diag_sockid`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SocketRef {
    /// Identity.
    pub id: SocketId,
    /// Protocol.
    pub protocol: Protocol,
    /// Our end.
    pub local: Endpoint,
    /// The other end; unset for listeners.
    pub remote: Endpoint,
    /// The interface the socket is bound to.
    pub interface: Option<NonZeroU32>,
}

/// Bytes (or, for a listener, connections) waiting in a socket's queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Received and not read, in bytes; an unread FIN counts as one. For a listener: connections to accept.
    pub receive: u32,
    /// Sent and not acknowledged, in bytes. For a listener: the limit of the accept queue, which `/proc/net` does not
    /// have (`None`).
    pub send: Option<u32>,
}

impl Queues {
    /// Nothing waits, as in every mini-socket.
    pub const EMPTY: Self = Self { receive: 0, send: Some(0) };
}

/// How many packets a socket has lost, in such a way that an unknown number takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Drops(NonZeroU32);

impl Drops {
    /// So many; the kernel counts to 2^31 (`atomic_t`).
    pub const fn new(count: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(count))
    }

    /// How many.
    pub const fn count(self) -> u32 {
        self.0.get() - 1
    }
}

/// Which timer runs on a socket (`idiag_timer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimerKind {
    /// Unacknowledged data will be sent again.
    Retransmit,
    /// The idle peer will be asked whether it lives; also the life of an orphan in `FIN_WAIT2`.
    KeepAlive,
    /// `TIME_WAIT` (or an orphan's `FIN_WAIT2`) ends.
    TimeWait,
    /// The peer's closed window will be probed.
    ZeroWindow,
}

impl TimerKind {
    /// Kind of the kernel's number (`net/ipv4/inet_diag.c`); `None` for "no timer" and unknown ones.
    pub const fn from_kernel(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Retransmit),
            2 => Some(Self::KeepAlive),
            3 => Some(Self::TimeWait),
            4 => Some(Self::ZeroWindow),
            _ => None,
        }
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retransmit => "retransmit",
            Self::KeepAlive => "keepalive",
            Self::TimeWait => "timewait",
            Self::ZeroWindow => "zero-window probe",
        }
    }
}

/// A running timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which one.
    pub kind: TimerKind,
    /// How often it has fired without an answer.
    pub retries: u8,
    /// When it fires next.
    pub expires: CompactTimestamp,
}

/// Why a connection sits in `CLOSE_WAIT` (the receive queue counts the FIN as one byte: `tcp_fin`, `net/ipv4/tcp_input.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseWaitVerdict {
    /// The application read the end-of-stream and never called close(2).
    MissingClose,
    /// Only the end-of-stream waits unread: the application is not reading this socket.
    NotReading,
    /// Data and the end-of-stream wait unread.
    StuckReader,
    /// The peer gave up while the connection was still in the accept queue.
    NotAccepted,
}

impl CloseWaitVerdict {
    /// The name in JSON and filters.
    pub const fn label(self) -> &'static str {
        match self {
            Self::MissingClose => "missing-close",
            Self::NotReading => "not-reading",
            Self::StuckReader => "stuck-reader",
            Self::NotAccepted => "not-accepted",
        }
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::MissingClose => "never closed",
            Self::NotReading => "not reading",
            Self::StuckReader => "stuck reader",
            Self::NotAccepted => "never accepted",
        }
    }
}

/// A socket as one sample saw it. What a source does not know is `None`, never 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Socket {
    /// Identity.
    pub id: SocketId,
    /// Protocol.
    pub protocol: Protocol,
    /// The state.
    pub state: TcpState,
    /// The family of the socket itself.
    pub family: Family,
    /// Our end.
    pub local: Endpoint,
    /// The other end; unset for listeners and unconnected sockets.
    pub remote: Endpoint,
    /// The interface the socket is bound to (`SO_BINDTODEVICE`, or the link of its address): packets of others do not
    /// reach it. An index within the network namespace.
    pub interface: Option<NonZeroU32>,
    /// Whether the socket takes IPv6 only (`IPV6_V6ONLY`), or IPv4 as well. The kernel tells it of IPv6 sockets that listen
    /// or are not connected (`INET_DIAG_SKV6ONLY`); `None` for all others and where the source does not say.
    pub v6only: Option<bool>,
    /// The socket's inode; `None` if the kernel says 0 (mini-sockets, orphans, not accepted) or the source does not say.
    pub inode: Option<NonZeroU32>,
    /// The owner's uid as the socket remembers it; `None` where the kernel does not keep it (mini-sockets).
    pub uid: Option<u32>,
    /// The cgroup of the socket, as the inode of its directory in cgroup v2; from [`NO_CGROUP`] on, a number that stands for
    /// the path of its holder's.
    pub cgroup: Option<NonZeroU64>,
    /// The queues.
    pub queues: Option<Queues>,
    /// The running timer.
    pub timer: Option<Timer>,
    /// `tcp_info`; `None` for UDP, mini-sockets, and sources that do not have it.
    pub tcp: Option<TcpInfo>,
    /// Packets that the kernel threw away since the socket opened, because it could not take them (`sk_drops`): of UDP,
    /// datagrams that did not fit the receive buffer; of a listener, segments that opened no connection. `None` where
    /// the source does not say.
    pub drops: Option<Drops>,
    /// A TCP socket that carries (a part of) an MPTCP connection or, if it listens, waits for them: the MPTCP socket is
    /// a row of its own, and state, queues and owner are there.
    pub is_subflow: bool,
    /// Whose it is.
    pub owner: Owner,
}

/// Numbers from here on are no cgroup's: they stand for paths of which no number is known.
pub const NO_CGROUP: u64 = 1 << 63;

impl Socket {
    /// One of which nothing is known but where it is, its state and whose it is.
    pub const fn known_by(reference: &SocketRef, state: TcpState, owner: Owner) -> Self {
        let SocketRef { id, protocol, local, remote, interface } = *reference;
        Self {
            id,
            protocol,
            state,
            family: local.family(),
            local,
            remote,
            interface,
            v6only: None,
            inode: None,
            uid: None,
            cgroup: None,
            queues: None,
            timer: None,
            tcp: None,
            drops: None,
            is_subflow: false,
            owner,
        }
    }

    /// A TCP socket in `CLOSE` that `owner` holds and no table lists; nothing else is known of it.
    pub const fn unhashed(id: SocketId, (family, unset): (Family, Endpoint), inode: NonZeroU32, owner: Owner) -> Self {
        let reference = SocketRef { id, protocol: Protocol::Tcp, local: unset, remote: unset, interface: None };
        let mut socket = Self::known_by(&reference, TcpState::Close, owner);
        (socket.family, socket.inode) = (family, Some(inode));
        socket
    }

    /// Whether it is in `CLOSE` and held: in no table of the kernel, so that there is nothing to look up or to close.
    pub const fn is_unhashed(&self) -> bool {
        matches!((self.protocol, self.state), (Protocol::Tcp, TcpState::Close))
    }

    /// The number of its cgroup, where the kernel gives one.
    pub fn cgroup_id(&self) -> Option<u64> {
        self.cgroup.map(NonZeroU64::get).filter(|id| *id < NO_CGROUP).map(number_of_host)
    }

    /// What the kernel needs to find this socket again.
    pub const fn reference(&self) -> SocketRef {
        SocketRef {
            id: self.id,
            protocol: self.protocol,
            local: self.local,
            remote: self.remote,
            interface: self.interface,
        }
    }

    /// The address and port of the other end, the same for all who speak to one service.
    pub const fn destination(&self) -> Destination {
        Destination { address: Address::new(self.remote.addr, self.interface), port: self.remote.port }
    }

    /// Our address, port and bound interface: where a listener listens.
    pub const fn place(&self) -> Destination {
        Destination { address: Address::bound(self.local.addr, self.interface), port: self.local.port }
    }

    /// Whether it is bound to every address of both families: to `::`, and not to IPv6 only. False where the source does
    /// not say.
    pub fn takes_both_families(&self) -> bool {
        self.v6only == Some(false) && self.local.addr == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    }

    /// Whether it may serve peers of IPv4: it is bound to IPv4, or to both families, or nothing says that it is not.
    pub fn may_serve_ipv4(&self) -> bool {
        let both = || self.v6only != Some(true) && self.local.addr == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        self.local.addr.to_canonical().is_ipv4() || both()
    }

    /// Whether a listener takes what comes to `ip`, one of our addresses.
    pub fn serves(&self, ip: IpAddr) -> bool {
        let (ours, ip) = (self.local.addr.to_canonical(), ip.to_canonical());
        let is_of_family = if ip.is_ipv4() { self.may_serve_ipv4() } else { ours.is_ipv6() };
        is_of_family && (ours == ip || ours.is_unspecified())
    }

    /// Whether `connection` can have come in by this listener: its port, one of its addresses, its family, and what the
    /// interface that it is bound to lets in, which the connection inherits (`compute_score`,
    /// `net/ipv4/inet_hashtables.c`; `inet_request_bound_dev_if`, `include/net/inet_sock.h`).
    pub fn may_have_taken(&self, connection: &Self) -> bool {
        (self.protocol, self.local.port, self.family, self.id.netns())
            == (connection.protocol, connection.local.port, connection.family, connection.id.netns())
            && self.serves(connection.local.addr)
            && (self.interface.is_none() || self.interface == connection.interface)
    }

    /// Whether this is a TCP listener.
    pub const fn is_listener(&self) -> bool {
        matches!(self.state, TcpState::Listen)
    }

    /// Why the connection is in `CLOSE_WAIT`; `None` in other states, where the source does not know the queue,
    /// and for an MPTCP socket with an empty one: whether its end-of-stream was read is not told.
    pub fn verdict(&self) -> Option<CloseWaitVerdict> {
        if self.state != TcpState::CloseWait {
            return None;
        }
        if matches!(self.owner, Owner::Unaccepted) {
            return Some(CloseWaitVerdict::NotAccepted);
        }
        if self.protocol == Protocol::Mptcp {
            // The queue is the memory of what is unread (`mptcp_diag_get_info`), and the end-of-stream takes none.
            return (self.queues?.receive > 0).then_some(CloseWaitVerdict::StuckReader);
        }
        Some(match self.queues?.receive {
            0 => CloseWaitVerdict::MissingClose,
            1 => CloseWaitVerdict::NotReading,
            _ => CloseWaitVerdict::StuckReader,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_small() {
        // 200,000 of them are to fit a small budget several times over; a new field must earn its place.
        assert!(size_of::<Socket>() <= 176, "{}", size_of::<Socket>());
    }

    #[test]
    fn a_connection_belongs_to_a_listener_of_its_address_family_and_interface() {
        let listener = |local: &str, v6only, interface| {
            let listener = crate::model::testing::listener(1, 80).local(local);
            listener.with(|socket| (socket.v6only, socket.interface) = (v6only, NonZeroU32::new(interface))).build()
        };
        let connection = |local: &str, interface| {
            let connection = crate::model::testing::tcp(2).local(local);
            connection.with(|socket| socket.interface = NonZeroU32::new(interface)).build()
        };
        let (plain, mapped) = (connection("10.0.0.1:80", 0), connection("[::ffff:10.0.0.1]:80", 0));
        let (six, of_link) = (connection("[fd00::1]:80", 0), connection("[fe80::1]:80", 3));
        let (dual, only) = (Some(false), Some(true));
        for (listener, taken) in [
            (listener("0.0.0.0:80", None, 0), [true, false, false, false]),
            (listener("0.0.0.0:80", None, 3), [false, false, false, false]),
            (listener("10.0.0.1:80", None, 0), [true, false, false, false]),
            (listener("10.0.0.2:80", None, 0), [false, false, false, false]),
            (listener("[::]:80", dual, 0), [false, true, true, true]),
            (listener("[::]:80", None, 0), [false, true, true, true]),
            (listener("[::]:80", only, 0), [false, false, true, true]),
            (listener("[::]:80", dual, 3), [false, false, false, true]),
            (listener("[::ffff:0.0.0.0]:80", dual, 0), [false, true, false, false]),
            (listener("[fd00::1]:80", dual, 0), [false, false, true, false]),
            (listener("[fe80::1]:80", only, 3), [false, false, false, true]),
            (listener("[fe80::1]:80", only, 4), [false, false, false, false]),
            (listener("[::]:81", dual, 0), [false, false, false, false]),
        ] {
            let found = [&plain, &mapped, &six, &of_link].map(|connection| listener.may_have_taken(connection));
            assert_eq!(found, taken, "{listener:?}");
        }
    }

    #[test]
    fn sockets_that_share_an_address_keep_apart() {
        let any = Endpoint::new(Family::Ipv4.unspecified(), 53);
        let id = |nth| SocketId::from_tuple(Protocol::Udp, any, any, nth, NetnsId(0));
        assert_ne!(id(0), id(1));
        assert_eq!(id(0), id(0));
        assert_eq!(id(0).cookie(), None);
        assert_ne!(SocketId::from_cookie(7, NetnsId(1)), SocketId::from_cookie(7, NetnsId(2)));
    }
}
