//! `sock_diag`(7): asks the kernel for its inet sockets and decodes the answers into [`Socket`]s.
//!
//! Layouts are those of `include/uapi/linux/inet_diag.h`. Owners are filled in later, by `owners`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use rustix::io::Errno;

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::event::TracedStateChange;
use crate::model::process::Owner;
use crate::model::socket::{Drops, NetnsId, Queues, Socket, SocketId, SocketRef, Timer, TimerKind};
use crate::model::tcp_info::TcpDetail;
use crate::model::tcp_state::TcpState;
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::byte_code::ByteCode;
use crate::source::linux::netlink::{Attributes, Exchange, NetlinkSocket, Reader};
use crate::source::linux::{mptcp_info, tcp_info};

/// `SOCK_DIAG_BY_FAMILY` (`include/uapi/linux/sock_diag.h`).
pub const BY_FAMILY: u16 = 20;
/// `SOCK_DESTROY` (`include/uapi/linux/sock_diag.h`).
const DESTROY: u16 = 21;
/// `TCPDIAG_GETSOCK` (`include/uapi/linux/inet_diag.h`), the request of before: it has no family and so gives both in
/// one walk over the kernel's table, which they share.
const TCP_OF_BOTH_FAMILIES: u16 = 18;
/// The length of `struct inet_diag_req_v2`.
const REQUEST_LEN: usize = 56;
/// The length of `struct inet_diag_req`.
const OLD_REQUEST_LEN: usize = 60;

/// Where a request has the cookie, and the value that fits all (`INET_DIAG_NOCOOKIE`).
const COOKIE: usize = 48;
const COOKIE_ANY: [u8; 8] = [u8::MAX; 8];

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
/// Too large for `sdiag_protocol`, where 0 stands in: what an old kernel, which ignores the attribute, has nothing under.
const IPPROTO_MPTCP: u32 = 262;
const IPPROTO_IP: u8 = 0;

/// An attribute of a request: the protocol in 32 bits (Linux 5.9).
const INET_DIAG_REQ_PROTOCOL: u16 = 3;

const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_CONG: u16 = 4;
const INET_DIAG_SKMEMINFO: u16 = 7;
/// Comes unasked of IPv6 sockets that listen or are not connected (`inet_diag_msg_attrs_fill`, `net/ipv4/inet_diag.c`).
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_ULP_INFO: u16 = 19;
const INET_DIAG_CGROUP_ID: u16 = 21;
/// Where `INET_DIAG_SKMEMINFO` has `SK_MEMINFO_DROPS` (`include/uapi/linux/sock_diag.h`).
const SK_MEMINFO_DROPS: usize = 32;

/// Every state, also `TCP_BOUND_INACTIVE` (13, Linux 6.8; older kernels ignore the bit): bound, neither listening nor
/// connected.
pub const STATES_ALL: u32 = 0x3ffe;

/// `TCPF_BOUND_INACTIVE` (`include/net/tcp_states.h`), Linux 6.8: the kernel walks its table of ports for them, a tenth of
/// the price of all sockets, whatever else is asked for and filtered out.
pub const BOUND: u32 = 1 << 13;

/// `TCPF_LISTEN` (`include/net/tcp_states.h`).
pub const LISTENERS: u32 = 1 << 10;

/// `TCPF_TIME_WAIT` and `TCPF_NEW_SYN_RECV` (`include/net/tcp_states.h`): mini-sockets, which no process holds.
pub const WITHOUT_INODE: u32 = 1 << 6 | 1 << 12;

/// Which sockets to dump. One dump is one walk over the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpRequest<'a> {
    /// Which protocol.
    pub protocol: Protocol,
    /// IPv4 or IPv6 sockets; `None` for both, which only TCP has in one table.
    pub family: Option<Family>,
    /// One bit a state: `1 << TCP_…` (`include/net/tcp_states.h`).
    pub states: u32,
    /// Whether the `tcp_info` is told, and with it which sockets carry MPTCP. Of listeners and MPTCP sockets it always is.
    pub tcp_info: bool,
    /// The local and the remote port; 0 for any. The kernel does not look at them where a socket is only bound.
    pub ports: (u16, u16),
    /// The kernel runs it on each socket while it walks.
    pub filter: Option<&'a ByteCode>,
}

impl DumpRequest<'static> {
    /// The cheapest question there is: IPv4 TCP listeners, 0.03 ms.
    pub const LISTENERS: Self = Self { states: LISTENERS, ..Self::of((Protocol::Tcp, Family::Ipv4)) };

    /// Every MPTCP socket, in the two dumps that this takes.
    pub const MPTCP: [Self; 2] = [Self::of((Protocol::Mptcp, Family::Ipv4)), Self::of((Protocol::Mptcp, Family::Ipv6))];

    /// Every socket of one of the kernel's tables.
    pub const fn of((protocol, family): (Protocol, Family)) -> Self {
        Self { protocol, family: Some(family), states: STATES_ALL, tcp_info: true, ports: (0, 0), filter: None }
    }
}

impl DumpRequest<'_> {
    /// The type of the message: where it has no family it is a `struct inet_diag_req`, otherwise a
    /// `struct inet_diag_req_v2`.
    pub const fn kind(self) -> u16 {
        if self.family.is_some() { BY_FAMILY } else { TCP_OF_BOTH_FAMILIES }
    }

    /// The message: the fixed part with an id that has nothing but ports, and the filter as an attribute behind it.
    pub fn encode(self) -> Vec<u8> {
        // tcp_info is asked for by bit; shutdown mask, V6ONLY and cgroup id come unasked.
        let extensions = self.extensions();
        let mut body = if let Some(family) = self.family {
            let mut body = vec![0; REQUEST_LEN];
            write(&mut body, 0, &[family_code(family), protocol_code(self.protocol), extensions, 0]);
            write(&mut body, 4, &self.states.to_ne_bytes());
            write(&mut body, 8, &self.encode_ports());
            body
        } else {
            // struct inet_diag_req: family, two unused lengths, extensions; the id; states; dbs.
            let mut body = vec![0; OLD_REQUEST_LEN];
            write(&mut body, 3, &[extensions]);
            write(&mut body, 4, &self.encode_ports());
            write(&mut body, 52, &self.states.to_ne_bytes());
            body
        };
        body.extend(self.filter.iter().flat_map(|filter| filter.attribute()));
        if self.protocol == Protocol::Mptcp {
            body.extend(8u16.to_ne_bytes().iter().chain(&INET_DIAG_REQ_PROTOCOL.to_ne_bytes()));
            body.extend(IPPROTO_MPTCP.to_ne_bytes());
        }
        body
    }

    fn encode_ports(self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes());
        [a, b, c, d]
    }

    /// What is asked for beside the fixed part. Drops are not asked of the mass of connections, where they cost a twentieth
    /// more and say nothing; of listeners they are `ListenDrops`, of UDP `RcvbufErrors` and the like.
    const fn extensions(self) -> u8 {
        match self.protocol {
            Protocol::Tcp if self.states == LISTENERS => bit(INET_DIAG_INFO) | bit(INET_DIAG_SKMEMINFO),
            Protocol::Tcp if !self.tcp_info => 0,
            Protocol::Tcp | Protocol::Mptcp => bit(INET_DIAG_INFO),
            Protocol::Udp => bit(INET_DIAG_SKMEMINFO),
        }
    }
}

impl fmt::Display for DumpRequest<'_> {
    /// The table in words: `IPv4 TCP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Some(Family::Ipv4) => "IPv4 ",
            Some(Family::Ipv6) => "IPv6 ",
            None => "",
        };
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Mptcp => "MPTCP",
        };
        write!(f, "{family}{protocol}")
    }
}

/// A decoder of the sockets of one network namespace.
#[derive(Clone, Copy, Debug)]
pub struct DiagDecoder {
    /// The namespace that the connection was opened in.
    pub netns: NetnsId,
}

impl DiagDecoder {
    /// Dumps what `request` asks for, and hands each socket to `take`.
    pub fn dump(self, connection: &mut NetlinkSocket, request: DumpRequest<'_>, take: impl FnMut(Socket)) -> Exchange {
        self.dump_at_most(connection, request, u32::MAX, take)
    }

    /// The same, but gives up after about `most` sockets.
    pub fn dump_at_most(
        self,
        connection: &mut NetlinkSocket,
        request: DumpRequest<'_>,
        most: u32,
        mut take: impl FnMut(Socket),
    ) -> Exchange {
        connection.dump_at_most(most, request.kind(), &request.encode(), |payload, moment| {
            self.decode(payload, request.protocol, moment).map(&mut take).is_some()
        })
    }

    /// The socket in one `struct inet_diag_msg` with its attributes, as of `moment`.
    #[inline]
    pub fn decode(self, payload: &[u8], protocol: Protocol, moment: Timestamp) -> Option<Socket> {
        let mut fields = Reader(payload);
        let [family, state, timer, retries] = fields.take()?;
        let family = family_of(family)?;
        let state = state_of(protocol, state)?;
        let (local_port, remote_port) = (fields.be16()?, fields.be16()?);
        let local = Endpoint::new(address(family, fields.take()?), local_port);
        let remote = Endpoint::new(address(family, fields.take()?), remote_port);
        let state = if state == TcpState::Close && remote_port == 0 { TcpState::Bound } else { state };
        let interface = NonZeroU32::new(fields.ne32()?);
        let cookie = u64::from(fields.ne32()?) | u64::from(fields.ne32()?) << 32;
        let expires = fields.ne32()?;
        let queues = Queues { receive: fields.ne32()?, send: Some(fields.ne32()?) };
        let (uid, inode) = (fields.ne32()?, NonZeroU32::new(fields.ne32()?));
        let mut socket = Socket {
            id: SocketId::from_cookie(cookie, self.netns),
            protocol,
            state,
            family,
            local,
            remote,
            interface,
            v6only: None,
            inode,
            uid: known_uid(uid, inode),
            cgroup: None,
            queues: Some(queues),
            timer: timer_of(timer, retries, expires, moment),
            tcp: None,
            drops: None,
            is_subflow: false,
            owner: Owner::None,
        };
        read_attributes(&mut socket, fields.0, moment)?;
        Some(socket)
    }

    /// Looks for exactly the TCP connection `reference`. About 3 microseconds, twice that if it is gone.
    ///
    /// The kernel finds it by its endpoints and then compares the cookie. A connection that becomes a mini-socket at
    /// that very moment can be overlooked, so that only a second answer counts.
    pub fn look_up(self, connection: &mut NetlinkSocket, reference: &SocketRef) -> SocketLookup {
        self.look_up_by(connection, reference, encode_exact(reference, bit(INET_DIAG_INFO)))
    }

    /// Looks for the TCP connection with the endpoints of `reference`, whatever its cookie is.
    pub fn look_up_endpoints(self, connection: &mut NetlinkSocket, reference: &SocketRef) -> SocketLookup {
        let mut request = encode_exact(reference, bit(INET_DIAG_INFO));
        if let Some(body) = &mut request {
            write(body, COOKIE, &COOKIE_ANY);
        }
        match self.look_up_by(connection, reference, request) {
            // Where there is no such connection, the kernel gives the listener that would take it.
            SocketLookup::Here(socket) if socket.remote != reference.remote => SocketLookup::Gone,
            found => found,
        }
    }

    /// Looks for the socket that a change of state was told of, by its endpoints: the trace knows no cookie and no device. So
    /// one that is bound to a device is not found, nor is one of another namespace.
    pub fn look_up_changed(self, connection: &mut NetlinkSocket, change: &TracedStateChange) -> SocketLookup {
        let id = SocketId::from_cookie(u64::MAX, self.netns);
        let (local, remote) = (change.local, change.remote);
        let reference = SocketRef { id, protocol: Protocol::Tcp, local, remote, interface: None };
        let Some(request) = encode_exact(&reference, bit(INET_DIAG_INFO)) else { return SocketLookup::Unknown };
        let mut found = None;
        let moment = clock::now().0;
        let take = |payload: &[u8]| found = self.decode(payload, Protocol::Tcp, moment);
        match connection.ask(BY_FAMILY, &request, take) {
            // Where there is no such connection, the kernel gives the listener that would take it.
            Ok(()) => match found.filter(|socket| socket.remote == remote) {
                Some(socket) => SocketLookup::Here(Box::new(socket)),
                None => SocketLookup::Gone,
            },
            Err(Errno::NOENT) => SocketLookup::Gone,
            Err(error) => SocketLookup::Failed(error),
        }
    }

    fn look_up_by(
        self,
        connection: &mut NetlinkSocket,
        reference: &SocketRef,
        request: Option<[u8; REQUEST_LEN]>,
    ) -> SocketLookup {
        if reference.id.netns() != self.netns || reference.protocol != Protocol::Tcp {
            return SocketLookup::Unknown;
        }
        let Some(request) = request else { return SocketLookup::Unknown };
        for _ in 0..2 {
            let mut found = None;
            let moment = clock::now().0;
            let take = |payload: &[u8]| found = self.decode(payload, reference.protocol, moment);
            match connection.ask(BY_FAMILY, &request, take) {
                Ok(()) => return found.map_or(SocketLookup::Unknown, |socket| SocketLookup::Here(Box::new(socket))),
                Err(Errno::NOENT) => {}
                Err(error) => return SocketLookup::Failed(error),
            }
        }
        SocketLookup::Gone
    }
}

/// What looking for one socket gave.
#[derive(Clone, Debug, PartialEq)]
pub enum SocketLookup {
    /// It is there.
    Here(Box<Socket>),
    /// No socket with these endpoints has this cookie.
    Gone,
    /// It cannot be looked up.
    Unknown,
    /// The kernel did not answer.
    Failed(Errno),
}

/// Asks for the details of exactly the socket `reference`; `None` if it is gone or the kernel keeps none.
///
/// The kernel compares the cookie, so that a reused tuple is never taken for it. About 3 microseconds.
pub fn look_up(connection: &mut NetlinkSocket, reference: &SocketRef) -> Option<TcpDetail> {
    if reference.protocol != Protocol::Tcp {
        return None;
    }
    let request = encode_exact(reference, bit(INET_DIAG_INFO) | bit(INET_DIAG_CONG))?;
    let mut found = None;
    let asked: Result<(), Errno> = connection.ask(BY_FAMILY, &request, |payload| found = decode_detail(payload));
    asked.ok().and(found)
}

/// Whether exactly the socket `reference` still has an inode; `None` where the kernel does not say: of UDP, without a
/// cookie, or because the question failed.
pub fn is_held(connection: &mut NetlinkSocket, reference: &SocketRef) -> Option<bool> {
    let request = encode_exact(reference, 0).filter(|_| reference.protocol == Protocol::Tcp)?;
    let mut inode = None;
    let asked = connection.ask(BY_FAMILY, &request, |payload| {
        inode = self::inode(payload);
    });
    match asked {
        Err(Errno::NOENT) => Some(false),
        Ok(()) => inode.map(|inode| inode != 0),
        Err(_) => None,
    }
}

/// Closes exactly the socket `reference` (`sock_diag_destroy`): the kernel compares the cookie before it does anything.
///
/// `ENOENT`: there is no such socket (any more). `EPERM`: `CAP_NET_ADMIN` in its network namespace is missing.
/// `EOPNOTSUPP`: the kernel was built without `CONFIG_INET_DIAG_DESTROY`. `EINVAL`: `reference` has no cookie.
pub fn destroy(connection: &mut NetlinkSocket, reference: &SocketRef) -> Result<(), Errno> {
    let request = encode_exact(reference, 0).ok_or(Errno::INVAL)?;
    connection.order(DESTROY, &request)
}

/// Cookies, inodes and local ports of the sockets that `request` asks for, in one dump that was not disturbed: a few are tried. The error
/// says that none could be read to its end (`EAGAIN`: they change too fast).
pub fn identities(connection: &mut NetlinkSocket, request: DumpRequest<'_>) -> Result<Vec<Identity>, Errno> {
    const LOOKS: usize = 4;
    for _ in 0..LOOKS {
        let mut sockets = Vec::new();
        let exchange = connection.dump(request.kind(), &request.encode(), |payload, _| {
            Identity::of(payload).map(|identity| sockets.push(identity)).is_some()
        });
        match exchange.error {
            Some(errno) => return Err(errno),
            None if exchange.interrupted || exchange.truncated || exchange.skipped > 0 => {}
            None => return Ok(sockets),
        }
    }
    Err(Errno::AGAIN)
}

/// By what a socket is known again, whatever its peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its cookie.
    pub cookie: u64,
    /// Its inode; 0 where no process holds it.
    pub inode: u32,
    /// Its port.
    pub local_port: u16,
}

impl Identity {
    fn of(payload: &[u8]) -> Option<Self> {
        let local_port = Reader(payload.get(MESSAGE_LOCAL_PORT..)?).be16()?;
        let mut fields = Reader(payload.get(MESSAGE_COOKIE..)?);
        let cookie = u64::from(fields.ne32()?) | u64::from(fields.ne32()?) << 32;
        let inode = inode(payload)?;
        Some(Self { cookie, inode, local_port })
    }
}

/// `struct inet_diag_req_v2` for one socket; `None` without a cookie.
fn encode_exact(reference: &SocketRef, extensions: u8) -> Option<[u8; REQUEST_LEN]> {
    let cookie = reference.id.cookie()?;
    let mut body = [0; REQUEST_LEN];
    let family = family_code(reference.local.family());
    write(&mut body, 0, &[family, protocol_code(reference.protocol), extensions, 0]);
    write(&mut body, 4, &STATES_ALL.to_ne_bytes());
    write(&mut body, 8, &reference.local.port.to_be_bytes());
    write(&mut body, 10, &reference.remote.port.to_be_bytes());
    write(&mut body, 12, &octets(reference.local.addr));
    write(&mut body, 28, &octets(reference.remote.addr));
    write(&mut body, 44, &reference.interface.map_or(0, NonZeroU32::get).to_ne_bytes());
    let [low, high] = [cookie & 0xffff_ffff, cookie >> 32].map(|half| u32::try_from(half).unwrap_or(0));
    write(&mut body, COOKIE, &low.to_ne_bytes());
    write(&mut body, 52, &high.to_ne_bytes());
    Some(body)
}

fn decode_detail(payload: &[u8]) -> Option<TcpDetail> {
    let mut detail = None;
    let mut congestion = None;
    for attribute in Attributes::new(payload.get(MESSAGE_LEN..)?) {
        match attribute.ok()? {
            (INET_DIAG_INFO, info) => detail = Some(tcp_info::detail(info)),
            (INET_DIAG_CONG, name) => {
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                congestion = Some(DisplayText::from_bytes(name, NAME_LEN_MAX));
            }
            _ => {}
        }
    }
    detail.map(|detail| TcpDetail { congestion, ..detail })
}

/// The length of `struct inet_diag_msg`, and where it has the inode.
pub const MESSAGE_LEN: usize = 72;
/// Where it has the local port.
const MESSAGE_LOCAL_PORT: usize = 4;
/// Where it has the cookie: two words, the lower one first.
const MESSAGE_COOKIE: usize = 44;
const INODE: usize = 68;

/// The inode in a `struct inet_diag_msg`, 0 for none; `None` where the message is too short.
#[inline]
pub fn inode(message: &[u8]) -> Option<u32> {
    message.get(INODE..).and_then(|rest| Reader(rest).ne32())
}

#[inline]
fn read_attributes(socket: &mut Socket, attributes: &[u8], moment: Timestamp) -> Option<()> {
    for attribute in Attributes::new(attributes) {
        match attribute.ok()? {
            // A listener's tcp_info is empty but for the accept queue, which `queues` has.
            (INET_DIAG_INFO, info) if socket.state != TcpState::Listen => {
                socket.tcp = match socket.protocol {
                    Protocol::Mptcp => mptcp_info::brief(info, moment),
                    Protocol::Tcp | Protocol::Udp => tcp_info::brief(info, socket, moment),
                };
            }
            (INET_DIAG_SKMEMINFO, memory) => {
                let drops = memory.get(SK_MEMINFO_DROPS..).and_then(|rest| Reader(rest).ne32());
                socket.drops = drops.map(Drops::new);
            }
            (INET_DIAG_ULP_INFO, protocol) => socket.is_subflow = is_mptcp(protocol),
            (INET_DIAG_SKV6ONLY, only) => socket.v6only = only.first().map(|only| *only != 0),
            (INET_DIAG_CGROUP_ID, id) => socket.cgroup = Reader(id).ne64().and_then(NonZeroU64::new),
            _ => {}
        }
    }
    Some(())
}

/// Whether the upper layer protocol of a TCP socket (`INET_ULP_INFO_NAME`, which stands first) is MPTCP.
fn is_mptcp(upper_layer: &[u8]) -> bool {
    const INET_ULP_INFO_NAME: u16 = 1;
    let name = Attributes::new(upper_layer).next();
    matches!(name, Some(Ok((INET_ULP_INFO_NAME, name))) if name.starts_with(b"mptcp\0"))
}

/// UDP borrows TCP's numbers: 1 is connected, 7 is not (`udp_diag`, `net/ipv4/udp.c`).
#[inline]
pub fn state_of(protocol: Protocol, code: u8) -> Option<TcpState> {
    match (protocol, TcpState::from_kernel(code)?) {
        (Protocol::Udp, TcpState::Close) => Some(TcpState::Unconn),
        (_, state) => Some(state),
    }
}

/// The uid, where the kernel knows it. It writes 0 for what it does not know: mini-sockets always, and before Linux
/// 6.17 (`sock_i_uid`) also sockets without an inode: orphans and connections not yet accepted.
#[inline]
pub fn known_uid(uid: u32, inode: Option<NonZeroU32>) -> Option<u32> {
    (uid != 0 || inode.is_some()).then_some(uid)
}

#[inline]
fn timer_of(code: u8, retries: u8, expires_ms: u32, moment: Timestamp) -> Option<Timer> {
    let kind = TimerKind::from_kernel(code)?;
    Some(Timer { kind, retries, expires: moment.after(Duration::from_millis(u64::from(expires_ms))).into() })
}

#[inline]
fn address(family: Family, bytes: [u8; 16]) -> IpAddr {
    match (family, bytes) {
        (Family::Ipv4, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        (Family::Ipv6, bytes) => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}

fn octets(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V6(addr) => addr.octets(),
        IpAddr::V4(addr) => {
            let [a, b, c, d] = addr.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}

const fn family_of(code: u8) -> Option<Family> {
    match code {
        AF_INET => Some(Family::Ipv4),
        AF_INET6 => Some(Family::Ipv6),
        _ => None,
    }
}

const fn family_code(family: Family) -> u8 {
    match family {
        Family::Ipv4 => AF_INET,
        Family::Ipv6 => AF_INET6,
    }
}

const fn protocol_code(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => IPPROTO_TCP,
        Protocol::Udp => IPPROTO_UDP,
        Protocol::Mptcp => IPPROTO_IP,
    }
}

/// The bit that asks for `extension`.
const fn bit(extension: u16) -> u8 {
    1u8.wrapping_shl(extension.saturating_sub(1) as u32)
}

fn write(body: &mut [u8], offset: usize, bytes: &[u8]) {
    let space = body.get_mut(offset..).and_then(|rest| rest.get_mut(..bytes.len()));
    space.expect("every field lies within the request").copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::query::SocketEnd;
    use crate::source::linux::byte_code::FilterSupport;
    use crate::source::linux::kernel_test::KernelTest;
    use crate::source::linux::netlink::Messages;

    // Recorded by tests/fixtures/record_sock_diag.py on Linux 6.18, x86-64.
    const TCP4: &[u8] = include_bytes!("../../../tests/fixtures/sock_diag_tcp4.bin");
    const TCP6: &[u8] = include_bytes!("../../../tests/fixtures/sock_diag_tcp6.bin");
    const UDP4: &[u8] = include_bytes!("../../../tests/fixtures/sock_diag_udp4.bin");

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn decode(payload: &[u8], protocol: Protocol) -> Option<Socket> {
        DiagDecoder { netns: NetnsId(1) }.decode(payload, protocol, NOW)
    }

    /// Every socket that can be decoded from `bytes`.
    fn sockets(bytes: &[u8], protocol: Protocol) -> Vec<Socket> {
        let payloads = Messages::new(bytes).filter_map(Result::ok).filter(|message| message.kind == BY_FAMILY);
        payloads.filter_map(|message| decode(message.payload, protocol)).collect()
    }

    fn find(sockets: &[Socket], local: u16, state: TcpState) -> Socket {
        let found = sockets.iter().find(|socket| socket.local.port == local && socket.state == state);
        found.expect("recorded").clone()
    }

    #[cfg(target_endian = "little")]
    mod recorded {
        use super::*;

        #[test]
        fn every_socket_of_the_recording_is_decoded() {
            let tcp = sockets(TCP4, Protocol::Tcp);
            let count = |state| tcp.iter().filter(|socket| socket.state == state).count();
            assert_eq!(tcp.len(), 21);
            assert_eq!(count(TcpState::Listen), 8);
            assert_eq!(count(TcpState::Established), 6);
            assert_eq!(count(TcpState::CloseWait), 2);
            assert_eq!(count(TcpState::FinWait2), 2);
            let cookies: std::collections::BTreeSet<_> = tcp.iter().map(|socket| socket.id).collect();
            assert_eq!(cookies.len(), 21);
            assert!(tcp.iter().all(|socket| socket.id.cookie().is_some() && socket.family == Family::Ipv4));
        }

        #[test]
        fn a_listener_has_its_accept_queue_and_its_limit() {
            let waiting = find(&sockets(TCP4, Protocol::Tcp), 1006, TcpState::Listen);
            assert_eq!(waiting.queues, Some(Queues { receive: 1, send: Some(5) }));
            assert_eq!((waiting.tcp, waiting.uid, waiting.timer), (None, Some(0), None));
            assert!(waiting.remote.is_unset() && waiting.inode.is_some());
            let bound = find(&sockets(TCP4, Protocol::Tcp), 1009, TcpState::Listen);
            assert_eq!(bound.interface.map(NonZeroU32::get), Some(1), "bound to lo");
            assert_eq!(bound.queues, Some(Queues { receive: 0, send: Some(7) }));
        }

        #[test]
        fn close_wait_shows_what_waits_unread() {
            let tcp = sockets(TCP4, Protocol::Tcp);
            assert_eq!(find(&tcp, 1003, TcpState::CloseWait).queues.map(|queues| queues.receive), Some(0));
            assert_eq!(find(&tcp, 1004, TcpState::CloseWait).queues.map(|queues| queues.receive), Some(1));
            let info = find(&tcp, 1003, TcpState::CloseWait).tcp.expect("a full socket");
            assert!(
                info.last_ack_received < NOW.into()
                    && NOW.since(info.last_ack_received.into()) < Duration::from_secs(2)
            );
        }

        #[test]
        fn mini_sockets_have_no_uid_inode_or_tcp_info_and_empty_queues() {
            let tcp = sockets(TCP4, Protocol::Tcp);
            let held = |socket: &Socket| socket.inode.is_some();
            let orphan = tcp.iter().find(|socket| socket.state == TcpState::FinWait2 && !held(socket)).expect("closed");
            let time_wait = tcp.iter().find(|socket| socket.state == TcpState::TimeWait).expect("recorded");
            let syn_recv = find(&tcp, 1007, TcpState::SynRecv);
            for mini in [orphan, time_wait, &syn_recv] {
                assert_eq!((mini.uid, mini.inode, mini.tcp), (None, None, None), "{mini:?}");
                assert_eq!(mini.queues, Some(Queues::EMPTY));
            }
            let timer = |socket: &Socket| {
                socket.timer.map(|timer| (timer.kind, timer.expires.timestamp().since(NOW).as_secs()))
            };
            assert_eq!(timer(time_wait), Some((TimerKind::TimeWait, 59)));
            assert_eq!(timer(orphan), Some((TimerKind::TimeWait, 59)));
            assert_eq!(timer(&syn_recv), Some((TimerKind::Retransmit, 0)));
            assert_eq!(syn_recv.remote.as_told(), "10.9.9.2:4444");
            assert!(tcp.iter().any(|socket| socket.state == TcpState::FinWait2 && held(socket)));
        }

        #[test]
        fn syn_sent_counts_down_to_its_next_try() {
            let tcp = sockets(TCP4, Protocol::Tcp);
            let trying = tcp.iter().find(|socket| socket.state == TcpState::SynSent).expect("recorded");
            assert_eq!(trying.queues, Some(Queues { receive: 0, send: Some(1) }));
            assert_eq!(trying.timer.map(|timer| timer.kind), Some(TimerKind::Retransmit));
            assert_eq!(trying.remote.as_told(), "10.9.9.2:1008");
            assert_eq!(trying.tcp.map(|tcp| tcp.last_ack_received), Some(Timestamp(0).into()), "never");
        }

        #[test]
        fn a_connection_not_yet_accepted_has_no_inode() {
            let server = find(&sockets(TCP4, Protocol::Tcp), 1006, TcpState::Established);
            assert_eq!(server.inode, None);
            assert_eq!(server.uid, None, "0 is what older kernels say when they do not know");
        }

        #[test]
        fn ipv6_and_udp_are_decoded_alike() {
            let tcp = sockets(TCP6, Protocol::Tcp);
            assert_eq!(tcp.len(), 3);
            assert_eq!(find(&tcp, 1010, TcpState::Listen).local.as_told(), "[::1]:1010");
            assert_eq!(find(&tcp, 1010, TcpState::Listen).v6only, Some(true), "told of what listens");
            let connected = tcp.iter().filter(|socket| socket.state != TcpState::Listen);
            assert!(connected.chain(&sockets(TCP4, Protocol::Tcp)).all(|socket| socket.v6only.is_none()));
            let udp = sockets(UDP4, Protocol::Udp);
            assert_eq!(udp.len(), 2);
            let waiting = find(&udp, 1011, TcpState::Unconn);
            assert!(waiting.queues.is_some_and(|queues| queues.receive > 0 && queues.send == Some(0)));
            assert!(udp.iter().any(|socket| socket.state == TcpState::Established && socket.remote.port == 1011));
        }

        #[test]
        fn the_cgroup_is_known() {
            assert!(sockets(TCP6, Protocol::Tcp).iter().all(|socket| socket.cgroup == NonZeroU64::new(1)));
        }

        /// The lengths at which a message can be cut so that no attribute is cut: `nla_len` says how long each is, and the next
        /// one begins at a multiple of 4.
        fn attribute_boundaries(payload: &[u8]) -> Vec<usize> {
            let (mut boundaries, mut at) = (Vec::new(), MESSAGE_LEN);
            while at < payload.len() {
                let len = usize::from(u16::from_ne_bytes([payload[at], payload[at + 1]]));
                let padded = len.next_multiple_of(4);
                // The padding behind an attribute holds nothing.
                boundaries.extend(at..=at);
                boundaries.extend(at + len..at + padded);
                at += padded;
            }
            boundaries
        }

        #[test]
        fn every_prefix_of_every_message_is_refused_or_whole_up_to_its_attributes() {
            for message in Messages::new(TCP4).filter_map(Result::ok).filter(|message| message.kind == BY_FAMILY) {
                let whole = decode(message.payload, Protocol::Tcp).expect("recorded");
                let boundaries = attribute_boundaries(message.payload);
                for len in 0..message.payload.len() {
                    let cut = decode(&message.payload[..len], Protocol::Tcp);
                    assert_eq!(cut.is_some(), boundaries.contains(&len), "{len}");
                    assert!(cut.is_none_or(|cut| cut.id == whole.id && cut.state == whole.state));
                }
            }
        }

        #[test]
        fn every_prefix_of_a_dump_gives_a_prefix_of_its_sockets() {
            let whole = sockets(TCP4, Protocol::Tcp);
            for len in 0..TCP4.len() {
                let cut = sockets(&TCP4[..len], Protocol::Tcp);
                assert_eq!(cut, whole[..cut.len()], "{len}");
            }
        }
    }

    #[test]
    fn an_exact_request_repeats_the_socket_with_its_cookie() {
        let reference = SocketRef {
            id: SocketId::from_cookie(0x1122_3344_5566_7788, NetnsId(1)),
            protocol: Protocol::Tcp,
            local: Endpoint::new(IpAddr::from([127, 0, 0, 1]), 80),
            remote: Endpoint::new(IpAddr::from([10, 0, 0, 2]), 4444),
            interface: NonZeroU32::new(3),
        };
        let body = encode_exact(&reference, 0b1010).expect("has a cookie");
        assert_eq!(body[..4], [AF_INET, IPPROTO_TCP, 0b1010, 0]);
        assert_eq!(body[8..12], [0, 80, 0x11, 0x5c], "ports in network byte order");
        assert_eq!(body[12..16], [127, 0, 0, 1]);
        assert_eq!(body[28..32], [10, 0, 0, 2]);
        assert_eq!(body[44..48], 3u32.to_ne_bytes());
        assert_eq!(body[48..52], 0x5566_7788u32.to_ne_bytes(), "the low half first");
        let weak = SocketId::from_tuple(Protocol::Tcp, reference.local, reference.remote, 0, NetnsId(1));
        assert_eq!(encode_exact(&SocketRef { id: weak, ..reference }, 0), None);
    }

    #[test]
    fn a_dump_request_asks_for_tcp_info_of_tcp_and_for_drops_of_listeners_and_udp() {
        let (info, memory) = (bit(INET_DIAG_INFO), bit(INET_DIAG_SKMEMINFO));
        let head = |request: DumpRequest<'_>| request.encode()[..8].to_vec();
        let tcp = DumpRequest::of((Protocol::Tcp, Family::Ipv6));
        let states = |states: u32| states.to_ne_bytes();
        assert_eq!(head(tcp), [[AF_INET6, 6, info, 0], states(0x3ffe)].concat());
        assert_eq!(head(DumpRequest { tcp_info: false, ..tcp }), [[AF_INET6, 6, 0, 0], states(0x3ffe)].concat());
        let listeners = DumpRequest { tcp_info: false, ..DumpRequest::LISTENERS };
        assert_eq!(head(listeners), [[AF_INET, 6, info | memory, 0], states(0x400)].concat());
        let udp = DumpRequest::of((Protocol::Udp, Family::Ipv4));
        assert_eq!(head(udp), [[AF_INET, 17, memory, 0], states(0x3ffe)].concat());
    }

    #[test]
    fn ports_and_filter_stand_where_either_kind_of_request_has_them() {
        let test = KernelTest::port(SocketEnd::Local, 0, 80);
        let filter = ByteCode::of(&test, FilterSupport::All).expect("a program");
        let apart = DumpRequest { ports: (80, 443), filter: Some(&filter), ..DumpRequest::LISTENERS };
        assert_eq!((apart.kind(), &apart.encode()[8..12]), (BY_FAMILY, &[0, 80, 1, 187][..]));
        assert_eq!(apart.encode()[REQUEST_LEN..], *filter.attribute());
        let both = DumpRequest { family: None, states: 0x102, tcp_info: false, ..apart };
        let body = both.encode();
        assert_eq!((both.kind(), body[..8].to_vec()), (TCP_OF_BOTH_FAMILIES, vec![0, 0, 0, 0, 0, 80, 1, 187]));
        assert_eq!((&body[52..56], &body[60..]), (&0x102u32.to_ne_bytes()[..], filter.attribute()));
    }

    #[test]
    fn mptcp_is_asked_for_by_an_attribute_and_of_old_kernels_nothing_is_asked() {
        for (request, family) in DumpRequest::MPTCP.into_iter().zip([AF_INET, AF_INET6]) {
            let body = request.encode();
            assert_eq!(body[..3], [family, IPPROTO_IP, bit(INET_DIAG_INFO)]);
            let attribute = [8u16.to_ne_bytes(), 3u16.to_ne_bytes()].concat();
            assert_eq!(body[REQUEST_LEN..], [attribute, 262u32.to_ne_bytes().to_vec()].concat());
        }
    }

    #[test]
    fn a_uid_is_taken_only_where_the_kernel_has_one() {
        let inode = NonZeroU32::new(7);
        assert_eq!(known_uid(0, inode), Some(0));
        assert_eq!(known_uid(33, None), Some(33));
        assert_eq!(known_uid(0, None), None);
    }

    proptest! {
        #[test]
        fn flipped_bytes_are_survived(flips in proptest::collection::vec((0usize..TCP4.len(), any::<u8>()), 1..20)) {
            let mut bytes = TCP4.to_vec();
            for (at, byte) in flips {
                if let Some(place) = bytes.get_mut(at) { *place = byte; }
            }
            let _ = sockets(&bytes, Protocol::Tcp);
            for message in Messages::new(&bytes).filter_map(Result::ok) {
                let _ = (decode(message.payload, Protocol::Udp), decode_detail(message.payload));
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (decode(&bytes, Protocol::Tcp), decode(&bytes, Protocol::Udp), decode_detail(&bytes));
        }
    }
}
