//! The baselines that conntop is measured against: what the kernel takes at the least, with nothing done to the bytes.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;

/// Every state but those that are only bound, one bit each: `1 << TCP_…` (`include/net/tcp_states.h`).
pub const STATES_ALL: u32 = 0xfff;
/// `TCPF_CLOSE_WAIT`.
pub const CLOSE_WAIT: u32 = 1 << 8;
/// `TCPF_TIME_WAIT`.
pub const TIME_WAIT: u32 = 1 << 6;

/// What a raw dump asks the kernel for.
#[derive(Clone, Copy)]
pub struct RawRequest {
    /// IP protocol numbers.
    pub protocols: &'static [u8],
    /// Address families.
    pub families: &'static [u8],
    /// One bit a state.
    pub states: u32,
    /// Whether `tcp_info` comes with each socket.
    pub tcp_info: bool,
    /// What the kernel leaves out while it walks.
    pub filter: Option<RawFilter>,
}

/// A filter of `INET_DIAG_REQ_BYTECODE` with one condition.
#[derive(Clone, Copy)]
pub enum RawFilter {
    /// This local port.
    LocalPort(u16),
    /// This remote port.
    RemotePort(u16),
    /// Remote addresses that begin like this one, in so many bits.
    RemoteNetwork(Ipv4Addr, u8),
}

impl RawRequest {
    /// TCP and UDP of both families, with `tcp_info`.
    pub const ALL: Self = Self {
        protocols: &[IPPROTO_TCP, IPPROTO_UDP],
        families: &[AF_INET, AF_INET6],
        states: STATES_ALL,
        tcp_info: true,
        filter: None,
    };

    /// TCP sockets in `states`, without `tcp_info`.
    pub const fn of_states(states: u32) -> Self {
        Self { protocols: &[IPPROTO_TCP], states, tcp_info: false, ..Self::ALL }
    }

    /// TCP and UDP sockets that pass `filter`, without `tcp_info`.
    pub const fn filtered(filter: RawFilter) -> Self {
        Self { tcp_info: false, filter: Some(filter), ..Self::ALL }
    }

    /// TCP and UDP sockets of IPv6, without `tcp_info`.
    pub const IPV6: Self = Self { families: &[AF_INET6], tcp_info: false, ..Self::ALL };

    /// Dumps on one thread and throws the bytes away; returns the bytes seen.
    pub fn dump(self) -> io::Result<(Duration, usize)> {
        let begun = Instant::now();
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
        let mut buffer = vec![0; 256 * 1024];
        let mut bytes = 0;
        for protocol in self.protocols {
            for family in self.families {
                bytes += exchange(&fd, &self.encode(*family, *protocol), &mut buffer)?;
            }
        }
        Ok((begun.elapsed(), bytes))
    }

    /// `struct nlmsghdr`, `struct inet_diag_req_v2` and the filter.
    fn encode(self, family: u8, protocol: u8) -> Vec<u8> {
        const SOCK_DIAG_BY_FAMILY: u16 = 20;
        const NLM_F_REQUEST_DUMP: u16 = 0x301;
        const INET_DIAG_INFO: u8 = 1 << 1;
        let mut bytes = vec![0; 72];
        bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        bytes[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
        bytes[16] = family;
        bytes[17] = protocol;
        bytes[18] = if self.tcp_info { INET_DIAG_INFO } else { 0 };
        bytes[20..24].copy_from_slice(&self.states.to_ne_bytes());
        bytes.extend(self.filter.into_iter().flat_map(RawFilter::encode));
        let len = u32::try_from(bytes.len()).expect("small");
        bytes[0..4].copy_from_slice(&len.to_ne_bytes());
        bytes
    }
}

impl RawFilter {
    /// The attribute: `struct inet_diag_bc_op` and what it compares with (`include/uapi/linux/inet_diag.h`). Where the
    /// condition holds, the kernel goes on behind it, which is the end; else four bytes further, which no socket passes.
    fn encode(self) -> Vec<u8> {
        const INET_DIAG_REQ_BYTECODE: u16 = 1;
        const INET_DIAG_BC_D_COND: u8 = 8;
        const INET_DIAG_BC_S_EQ: u8 = 11;
        const INET_DIAG_BC_D_EQ: u8 = 12;
        let (code, operand) = match self {
            Self::LocalPort(port) => (INET_DIAG_BC_S_EQ, port_operand(port)),
            Self::RemotePort(port) => (INET_DIAG_BC_D_EQ, port_operand(port)),
            Self::RemoteNetwork(address, prefix) => (INET_DIAG_BC_D_COND, network_operand(address, prefix)),
        };
        let yes = u8::try_from(4 + operand.len()).expect("small");
        let mut bytes = Vec::new();
        bytes.extend((u16::from(yes) + 4).to_ne_bytes());
        bytes.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        bytes.extend([code, yes]);
        bytes.extend((u16::from(yes) + 4).to_ne_bytes());
        bytes.extend(operand);
        bytes
    }
}

/// A `struct inet_diag_bc_op` that holds a port where another has a jump.
fn port_operand(port: u16) -> Vec<u8> {
    [[0, 0], port.to_ne_bytes()].concat()
}

/// `struct inet_diag_hostcond` for any port.
fn network_operand(address: Ipv4Addr, prefix: u8) -> Vec<u8> {
    const ANY_PORT: i32 = -1;
    [[AF_INET, prefix, 0, 0], ANY_PORT.to_ne_bytes(), address.octets()].concat()
}

fn exchange(fd: &OwnedFd, request: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
    sendto(fd, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut bytes = 0;
    loop {
        let (len, _) = recv(fd, &mut *buffer, RecvFlags::empty())?;
        bytes += len;
        match u16::from_ne_bytes([buffer[4], buffer[5]]) {
            NLMSG_DONE => return Ok(bytes),
            NLMSG_ERROR => return Err(io::Error::other("the kernel refuses the dump")),
            _ => {}
        }
    }
}

/// Reads every link in every `/proc/PID/fd` on one thread and throws it away; returns the descriptors seen.
pub fn raw_walk() -> io::Result<(Duration, usize)> {
    let begun = Instant::now();
    let mut count = 0;
    for entry in Dir::read_from(openat(CWD, "/proc", DIRECTORY, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes().iter().all(u8::is_ascii_digit) {
            count += walk_one(&String::from_utf8_lossy(name.to_bytes()));
        }
    }
    Ok((begun.elapsed(), count))
}

/// Reads every link in the `/proc/PID/fd` of one process; returns the descriptors seen.
pub fn raw_walk_of(pid: u32) -> (Duration, usize) {
    let begun = Instant::now();
    let count = walk_one(&pid.to_string());
    (begun.elapsed(), count)
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn walk_one(pid: &str) -> usize {
    let Ok(fds) = openat(CWD, format!("/proc/{pid}/fd"), DIRECTORY, Mode::empty()) else { return 0 };
    let Ok(entries) = Dir::read_from(&fds) else { return 0 };
    let mut target = [0u8; 64];
    let links = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.to_bytes() != b"." && name.to_bytes() != b".." && readlinkat_raw(&fds, name, &mut target[..]).is_ok()
    });
    links.count()
}
