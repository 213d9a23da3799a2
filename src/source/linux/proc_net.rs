//! `/proc/net/{tcp,tcp6,udp,udp6}`: the older, weaker way to list sockets, where `sock_diag` is refused.
//!
//! It lacks cookies, `tcp_info`, cgroups, interfaces and the limit of accept queues, and its lines are not one
//! snapshot: a table that changes while it is read can miss or repeat a socket.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::model::coverage::Coverage;
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{Drops, NetnsId, Queues, Socket, Timer, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::model::time::{CLOCK_TICK, Timestamp};
use crate::source::clock;
use crate::source::linux::decimal::number;
use crate::source::linux::proc_dir::{read_in_one_piece, read_to_end};
use crate::source::linux::sock_diag::{known_uid, state_of};
use crate::source::linux::tuple_ids::{SocketTuple, TupleIds};

/// What the coverage says of this source.
pub const LACKS: &str = "/proc/net has no round-trip times, byte counts, accept queue limits, exact identities, MPTCP \
                         sockets or sockets that are only bound; sock_diag has them";
/// The longest table read: a million sockets have 150 MB.
const TABLE_LEN_MAX: usize = 1 << 30;
/// Longer than sockstat is.
const STAT_LEN_MAX: usize = 4 * 1024;

/// Reads the tables of one network namespace.
#[derive(Debug, Default)]
pub struct ProcNet {
    netns: NetnsId,
    /// The process whose namespace is read; `None` for the reading thread's.
    process: Option<u32>,
    ids: TupleIds,
    content: Vec<u8>,
}

impl ProcNet {
    /// Reads the tables of the namespace of the thread that will call [`Self::read`], which is `netns`.
    pub fn new(netns: NetnsId) -> Self {
        Self { netns, ..Self::default() }
    }

    /// Reads the tables of `netns`, the namespace that the process `pid` is in.
    pub fn of_process(netns: NetnsId, pid: u32) -> Self {
        Self { netns, process: Some(pid), ..Self::default() }
    }

    /// A reader of the same tables that knows no identities yet: for a look beside the samples.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { netns: self.netns, process: self.process, ..Self::default() }
    }

    /// Begins a sample.
    pub fn begin(&mut self) {
        self.ids.begin();
    }

    /// Appends the sockets of one table to `sockets`, and counts lines that make no sense.
    pub fn read(
        &mut self,
        protocol: Protocol,
        family: Family,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<(), Errno> {
        let table = match (protocol, family) {
            (Protocol::Tcp, Family::Ipv4) => "tcp",
            (Protocol::Tcp, Family::Ipv6) => "tcp6",
            (Protocol::Udp, Family::Ipv4) => "udp",
            (Protocol::Udp, Family::Ipv6) => "udp6",
            // Linux has no such file.
            (Protocol::Mptcp, _) => return Ok(()),
        };
        // Not /proc/net, which is the main thread's namespace.
        let path = match self.process {
            Some(pid) => format!("/proc/{pid}/net/{table}"),
            None => format!("/proc/thread-self/net/{table}"),
        };
        let moment = clock::now().0;
        let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        read_to_end(&file, TABLE_LEN_MAX, &mut self.content)?;
        for line in self.content.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
            match parse_line(line, protocol) {
                Some(line) => sockets.push(line.socket(&mut self.ids, self.netns, moment)),
                None => coverage.records_skipped = coverage.records_skipped.saturating_add(1),
            }
        }
        Ok(())
    }
}

/// About how many TCP sockets there are in the network namespace of the calling thread (`sockstat`, `sockstat6`:
/// net/ipv4/proc.c): for the memory of a first sample. 0 where it does not say.
pub fn expected_sockets() -> usize {
    let mut content = Vec::new();
    let mut count = |path: &str| {
        let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        read_in_one_piece(&file, STAT_LEN_MAX, &mut content).ok()?;
        Some(sockets_in_use(&content))
    };
    let counts =
        ["/proc/thread-self/net/sockstat", "/proc/thread-self/net/sockstat6"].map(|path| count(path).unwrap_or(0));
    counts.into_iter().fold(0, usize::saturating_add)
}

/// The numbers behind `inuse` and `tw` in the lines of TCP.
fn sockets_in_use(sockstat: &[u8]) -> usize {
    let lines = sockstat.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"TCP"));
    let mut count = 0usize;
    for line in lines {
        let mut words = line.split(|byte| *byte == b' ');
        while let Some(word) = words.next() {
            if matches!(word, b"inuse" | b"tw") {
                let next = words.next().and_then(number).and_then(|next| usize::try_from(next).ok());
                count = count.saturating_add(next.unwrap_or(0));
            }
        }
    }
    count
}

/// One line of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcNetLine {
    protocol: Protocol,
    state: TcpState,
    local: Endpoint,
    remote: Endpoint,
    queues: Queues,
    timer: u8,
    expires_ticks: u32,
    retries: u8,
    uid: u32,
    inode: u32,
    drops: Option<u32>,
}

impl ProcNetLine {
    fn socket(self, ids: &mut TupleIds, netns: NetnsId, moment: Timestamp) -> Socket {
        let tuple = SocketTuple { protocol: self.protocol, local: self.local, remote: self.remote };
        let expires = moment.after(CLOCK_TICK.saturating_mul(self.expires_ticks));
        let inode = NonZeroU32::new(self.inode);
        let kind = TimerKind::from_kernel(self.timer);
        Socket {
            id: ids.id(tuple, self.inode, self.state, netns),
            protocol: self.protocol,
            state: self.state,
            family: self.local.family(),
            local: self.local,
            remote: self.remote,
            interface: None,
            v6only: None,
            inode,
            uid: known_uid(self.uid, inode),
            cgroup: None,
            queues: Some(self.queues),
            timer: kind.map(|kind| Timer { kind, retries: self.retries, expires: expires.into() }),
            tcp: None,
            drops: self.drops.map(Drops::new),
            is_subflow: false,
            owner: Owner::None,
        }
    }
}

/// Reads one line (`proc_pid_net`(5); `get_tcp4_sock`, `net/ipv4/tcp_ipv4.c`):
///
/// ```text
///   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
///    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 …
/// ```
pub fn parse_line(line: &[u8], protocol: Protocol) -> Option<ProcNetLine> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next()?.strip_suffix(b":")?;
    let (local, remote) = (endpoint(words.next()?)?, endpoint(words.next()?)?);
    let state = state_of(protocol, u8::try_from(hex(words.next()?)?).ok()?)?;
    let (send, receive) = pair(words.next()?)?;
    let (timer, expires_ticks) = pair(words.next()?)?;
    let retries = u8::try_from(hex(words.next()?)?).unwrap_or(u8::MAX);
    let uid = number(words.next()?)?;
    let inode = number(words.nth(1)?)?;
    let timer = u8::try_from(timer).ok()?;
    // Behind inode, count of references and address; lines of TCP have something else there.
    let drops = if protocol == Protocol::Udp { words.nth(2).and_then(number) } else { None };
    // A listener's line has its accept queue, but in place of the limit a 0.
    let queues = Queues { receive, send: (state != TcpState::Listen).then_some(send) };
    Some(ProcNetLine { protocol, state, local, remote, queues, timer, expires_ticks, retries, uid, inode, drops })
}

/// `0100007F:1F90`: the address as the machine's own 32-bit words, the port in plain hexadecimal.
fn endpoint(word: &[u8]) -> Option<Endpoint> {
    let (addr, port) = word.split_at_checked(word.iter().position(|byte| *byte == b':')?)?;
    let port = u16::try_from(hex(port.strip_prefix(b":")?)?).ok()?;
    let addr = match addr.as_chunks::<8>() {
        ([word], []) => IpAddr::V4(Ipv4Addr::from(address_word(*word)?)),
        (words @ [_, _, _, _], []) => {
            let append =
                |bits: u128, word: &[u8; 8]| Some(bits << 32 | u128::from(u32::from_be_bytes(address_word(*word)?)));
            IpAddr::V6(Ipv6Addr::from(words.iter().try_fold(0, append)?))
        }
        _ => return None,
    };
    Some(Endpoint::new(addr, port))
}

/// The kernel prints the four bytes of an address as one number of the machine's byte order.
fn address_word(digits: [u8; 8]) -> Option<[u8; 4]> {
    Some(hex(&digits)?.to_ne_bytes())
}

/// Two hexadecimal numbers with a colon between.
fn pair(word: &[u8]) -> Option<(u32, u32)> {
    let (first, second) = word.split_at_checked(word.iter().position(|byte| *byte == b':')?)?;
    Some((hex(first)?, hex(second.strip_prefix(b":")?)?))
}

/// The number that the whole of `digits` writes in hexadecimal.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0u32, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LISTENER: &[u8] = b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0";
    const TIME_WAIT: &[u8] = b"  12: 0100007F:C350 0100007F:1F90 06 00000000:00000000 03:00000A28 00000000     0        0 0 3 0000000000000000";
    const CLOSE_WAIT_V6: &[u8] = b"   1: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:D431 08 0000000A:00000001 01:00000014 00000002   1000        0 777 1 0000000000000000 20 4 30 10 -1";
    const UDP: &[u8] = b"  521: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17004 2 0000000000000000 0";

    fn socket(line: &[u8], protocol: Protocol) -> Socket {
        let line = parse_line(line, protocol).expect("well-formed");
        line.socket(&mut TupleIds::default(), NetnsId(1), Timestamp::from_millis(1000))
    }

    #[test]
    fn the_kernel_says_how_many_tcp_sockets_there_are() {
        let sockstat = b"sockets: used 290\nTCP: inuse 7 orphan 1 tw 30 alloc 9 mem 1\nUDP: inuse 200 mem 2\n";
        assert_eq!(sockets_in_use(sockstat), 37);
        assert_eq!(sockets_in_use(b"TCP6: inuse 5\nUDP6: inuse 4\n"), 5);
        assert_eq!(sockets_in_use(b"TCP: inuse"), 0);
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        assert!(expected_sockets() > 0);
    }

    // Addresses are written as numbers of the machine, and these are of a little-endian one.
    #[cfg(target_endian = "little")]
    #[test]
    fn endpoints_states_and_timers_are_read() {
        let listener = socket(LISTENER, Protocol::Tcp);
        assert_eq!((listener.local.as_told(), listener.state), ("127.0.0.1:8080".to_owned(), TcpState::Listen));
        assert!(listener.remote.is_unset());
        assert_eq!(listener.inode.map(NonZeroU32::get), Some(12345));
        assert_eq!((listener.uid, listener.timer), (Some(0), None));

        let waiting = socket(TIME_WAIT, Protocol::Tcp);
        assert_eq!((waiting.state, waiting.uid, waiting.inode), (TcpState::TimeWait, None, None));
        assert_eq!(waiting.queues, Some(Queues::EMPTY));
        let timer = waiting.timer.expect("counting down");
        // 0xA28 ticks of 10 ms are 26 s.
        assert_eq!((timer.kind, timer.expires), (TimerKind::TimeWait, Timestamp::from_millis(27_000).into()));

        let leaked = socket(CLOSE_WAIT_V6, Protocol::Tcp);
        assert_eq!((leaked.state, leaked.family), (TcpState::CloseWait, Family::Ipv6));
        assert_eq!(leaked.local.as_told(), "[::ffff:127.0.0.1]:80");
        assert_eq!(leaked.queues, Some(Queues { receive: 1, send: Some(10) }));
        assert_eq!((leaked.uid, leaked.timer.map(|timer| timer.retries)), (Some(1000), Some(2)));
    }

    #[test]
    fn an_unknown_accept_queue_limit_is_not_shown_as_zero() {
        assert_eq!(socket(LISTENER, Protocol::Tcp).queues, Some(Queues { receive: 3, send: None }));
    }

    #[test]
    fn udp_without_a_peer_is_unconn() {
        assert_eq!(socket(UDP, Protocol::Udp).state, TcpState::Unconn);
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        let heading =
            b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(parse_line(heading, Protocol::Tcp), None);
        for (from, to) in [("0100007F", "0100007"), (":1F90", ":11F90"), (" 0A ", " 0F "), (" 12345 ", " 4294967296 ")]
        {
            let line = String::from_utf8_lossy(LISTENER).replace(from, to);
            assert_eq!(parse_line(line.as_bytes(), Protocol::Tcp), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_line(&line, Protocol::Tcp);
        }

        #[test]
        fn a_flipped_or_cut_line_is_survived(at in 0usize..160, byte: u8, cut in 0usize..200) {
            for line in [LISTENER, TIME_WAIT, CLOSE_WAIT_V6, UDP] {
                let mut line = line.to_vec();
                if let Some(place) = line.get_mut(at) { *place = byte; }
                line.truncate(cut);
                let _ = parse_line(&line, Protocol::Udp);
            }
        }
    }
}
