//! `sock_diag`(7): asks the kernel for its inet sockets and decodes the answers into [`Socket`]s.
//!
//! Layouts are those of include/uapi/linux/inet_diag.h. Owners are filled in later, by `owners`.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use rustix::io::Errno;

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{NetnsId, Queues, Socket, SocketId, SocketRef, Timer, TimerKind};
use crate::model::tcp_info::TcpDetail;
use crate::model::tcp_state::TcpState;
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::model::time::Timestamp;
use crate::source::linux::netlink::{Attributes, Connection, Exchange, Reader};
use crate::source::linux::tcp_info;

/// `SOCK_DIAG_BY_FAMILY` (include/uapi/linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// The length of `struct inet_diag_req_v2`.
const REQUEST_LEN: usize = 56;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;

const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_CONG: u16 = 4;
const INET_DIAG_CGROUP_ID: u16 = 21;

/// Every state but `TCP_BOUND_INACTIVE` (13): bound, neither listening nor connected; not even ss shows those.
pub const STATES_ALL: u32 = 0x1ffe;

/// Which sockets to dump. One dump is one walk over the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpRequest {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// IPv4 or IPv6 sockets.
    pub family: Family,
    /// One bit a state: `1 << TCP_…` (include/net/tcp_states.h).
    pub states: u32,
}

impl DumpRequest {
    /// The cheapest question there is: IPv4 TCP listeners, 0.03 ms.
    pub const LISTENERS: Self = Self { protocol: Protocol::Tcp, family: Family::Ipv4, states: 1 << 10 };

    /// Every socket there is, in the four dumps that this takes.
    pub fn everything() -> impl Iterator<Item = Self> {
        let tables = Protocol::ALL.into_iter().flat_map(|protocol| Family::ALL.map(|family| (protocol, family)));
        tables.map(|(protocol, family)| Self { protocol, family, states: STATES_ALL })
    }

    /// `struct inet_diag_req_v2` with an empty id.
    fn encode(self) -> [u8; REQUEST_LEN] {
        // tcp_info is asked for by bit; shutdown mask and cgroup id come unasked.
        let extensions = if self.protocol == Protocol::Tcp { bit(INET_DIAG_INFO) } else { 0 };
        let mut body = [0; REQUEST_LEN];
        write(&mut body, 0, &[family_code(self.family), protocol_code(self.protocol), extensions, 0]);
        write(&mut body, 4, &self.states.to_ne_bytes());
        body
    }
}

impl fmt::Display for DumpRequest {
    /// The table in words: `IPv4 TCP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        };
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        write!(f, "{family} {protocol}")
    }
}

/// A decoder of the sockets of one network namespace.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// The namespace that the connection was opened in.
    pub netns: NetnsId,
}

impl Decoder {
    /// Dumps what `request` asks for onto the end of `sockets`.
    pub fn dump(self, connection: &mut Connection, request: DumpRequest, sockets: &mut Vec<Socket>) -> Exchange {
        connection.dump(BY_FAMILY, &request.encode(), |payload, moment| {
            let socket = self.decode(payload, request.protocol, moment);
            socket.map(|socket| sockets.push(socket)).is_some()
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
        let interface = NonZeroU32::new(fields.ne32()?);
        let cookie = u64::from(fields.ne32()?) | u64::from(fields.ne32()?) << 32;
        let expires = fields.ne32()?;
        let queues = Queues { receive: fields.ne32()?, send: fields.ne32()? };
        let (uid, inode) = (fields.ne32()?, NonZeroU32::new(fields.ne32()?));
        let mut socket = Socket {
            id: SocketId::from_cookie(cookie, self.netns),
            protocol,
            state,
            family,
            local,
            remote,
            interface,
            inode,
            uid: known_uid(uid, inode),
            cgroup: None,
            queues: has_queues(state, timer).then_some(queues),
            timer: timer_of(timer, retries, expires, moment),
            tcp: None,
            owner: Owner::None,
        };
        read_attributes(&mut socket, fields.0, moment)?;
        Some(socket)
    }
}

/// Asks for the details of exactly the socket `reference`; `None` if it is gone or the kernel keeps none.
///
/// The kernel compares the cookie, so that a reused tuple is never taken for it. About 3 microseconds.
pub fn look_up(connection: &mut Connection, reference: &SocketRef) -> Option<TcpDetail> {
    if reference.protocol != Protocol::Tcp {
        return None;
    }
    let request = encode_exact(reference)?;
    let mut found = None;
    let asked: Result<(), Errno> = connection.ask(BY_FAMILY, &request, |payload| found = decode_detail(payload));
    asked.ok().and(found)
}

/// `struct inet_diag_req_v2` for one socket; `None` without a cookie.
fn encode_exact(reference: &SocketRef) -> Option<[u8; REQUEST_LEN]> {
    let cookie = reference.id.cookie()?;
    let extensions = bit(INET_DIAG_INFO) | bit(INET_DIAG_CONG);
    let mut body = [0; REQUEST_LEN];
    let family = family_code(reference.local.family());
    write(&mut body, 0, &[family, protocol_code(reference.protocol), extensions, 0]);
    write(&mut body, 4, &STATES_ALL.to_ne_bytes());
    write(&mut body, 8, &reference.local.port.to_be_bytes());
    write(&mut body, 10, &reference.remote.port.to_be_bytes());
    write(&mut body, 12, &octets(reference.local.addr));
    write(&mut body, 28, &octets(reference.remote.addr));
    write(&mut body, 44, &reference.interface.map_or(0, NonZeroU32::get).to_ne_bytes());
    let [a, b, c, d, e, f, g, h] = cookie.to_le_bytes();
    write(&mut body, 48, &u32::from_le_bytes([a, b, c, d]).to_ne_bytes());
    write(&mut body, 52, &u32::from_le_bytes([e, f, g, h]).to_ne_bytes());
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

/// The length of `struct inet_diag_msg`.
const MESSAGE_LEN: usize = 72;

#[inline]
fn read_attributes(socket: &mut Socket, attributes: &[u8], moment: Timestamp) -> Option<()> {
    for attribute in Attributes::new(attributes) {
        match attribute.ok()? {
            // A listener's tcp_info is empty but for the accept queue, which `queues` has.
            (INET_DIAG_INFO, info) if socket.state != TcpState::Listen => {
                socket.tcp = tcp_info::brief(info, moment);
            }
            (INET_DIAG_CGROUP_ID, id) => socket.cgroup = Reader(id).ne64().filter(|id| *id != 0),
            _ => {}
        }
    }
    Some(())
}

/// UDP borrows TCP's numbers: 1 is connected, 7 is not (`udp_diag`, net/ipv4/udp.c).
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

/// `TIME_WAIT` and an orphan's `FIN_WAIT2` (timer 3) and `SYN_RECV` are mini-sockets: they have no queues.
#[inline]
pub fn has_queues(state: TcpState, timer: u8) -> bool {
    !state.is_mini() && timer != 3
}

#[inline]
fn timer_of(code: u8, retries: u8, expires_ms: u32, moment: Timestamp) -> Option<Timer> {
    let kind = TimerKind::from_kernel(code)?;
    Some(Timer { kind, retries, expires: moment.after(Duration::from_millis(u64::from(expires_ms))) })
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
