//! The baselines that conntop is measured against: what the kernel takes at the least, with nothing done to the bytes.

use std::io;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;

/// Dumps TCP and UDP of both families with `tcp_info` on one thread and throws the bytes away; returns the bytes seen.
pub fn raw_dump() -> io::Result<(Duration, usize)> {
    let begun = Instant::now();
    let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    for protocol in [IPPROTO_TCP, IPPROTO_UDP] {
        for family in [AF_INET, AF_INET6] {
            sendto(&fd, &request(family, protocol), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
            loop {
                let (len, _) = recv(&fd, &mut buffer, RecvFlags::empty())?;
                bytes += len;
                let kind = u16::from_ne_bytes([buffer[4], buffer[5]]);
                if kind == NLMSG_DONE || kind == NLMSG_ERROR {
                    break;
                }
            }
        }
    }
    Ok((begun.elapsed(), bytes))
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2` for a dump of all states with `tcp_info`.
fn request(family: u8, protocol: u8) -> [u8; 72] {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    const INET_DIAG_INFO: u8 = 1 << 1;
    let mut bytes = [0; 72];
    bytes[0..4].copy_from_slice(&72u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes[16] = family;
    bytes[17] = protocol;
    bytes[18] = INET_DIAG_INFO;
    bytes[20..24].copy_from_slice(&0xfffu32.to_ne_bytes());
    bytes
}

/// Reads every link in every `/proc/PID/fd` on one thread and throws it away; returns the descriptors seen.
pub fn raw_walk() -> io::Result<(Duration, usize)> {
    let begun = Instant::now();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc_dir = openat(CWD, "/proc", flags, Mode::empty())?;
    let mut count = 0;
    for entry in Dir::read_from(&proc_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let path = [name.to_bytes(), b"/fd"].concat();
        let Ok(fds) = openat(&proc_dir, path.as_slice(), flags, Mode::empty()) else { continue };
        count += walk_one(&fds);
    }
    Ok((begun.elapsed(), count))
}

fn walk_one(fds: &rustix::fd::OwnedFd) -> usize {
    let Ok(entries) = Dir::read_from(fds) else { return 0 };
    let mut target = [0u8; 64];
    let links = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.to_bytes() != b"." && name.to_bytes() != b".." && readlinkat_raw(fds, name, &mut target[..]).is_ok()
    });
    links.count()
}
