//! Destroy events: the kernel tells of every socket that it frees, with its final counters. Any user may listen.
//!
//! The end of a socket is not always the end of its connection: one that ends in `TIME_WAIT` frees its full socket too,
//! and its mini-socket lives on, under the same cookie if it had one by then. What was told is kept for the real end.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, sockopt};

use crate::model::endpoint::Protocol;
use crate::model::event::Ended;
use crate::model::socket::NetnsId;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::netlink::{Attributes, Messages};
use crate::source::linux::sock_diag::{BY_FAMILY, DiagDecoder, MESSAGE_LEN};

/// `SKNLGRP_INET_TCP_DESTROY` (1) to `SKNLGRP_INET6_UDP_DESTROY` (4) of `include/uapi/linux/sock_diag.h`, as bits.
const GROUPS: u32 = 0b1111;
/// Events wait here until they are read. With 8 KiB 6 of 4,000 arrived, with 8 MiB all of them.
const QUEUE_LEN: usize = 8 << 20;
/// The longest event; today's have about 400 bytes.
const EVENT_LEN_MAX: usize = 8 * 1024;
/// The most events that are read in one turn; about 30 ms.
const EVENTS_MAX: usize = 32_768;
/// `INET_DIAG_PROTOCOL` (`include/uapi/linux/inet_diag.h`).
const INET_DIAG_PROTOCOL: u16 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
/// What every netlink socket of this namespace has lost, a line each.
const NETLINK_SOCKETS: &str = "/proc/thread-self/net/netlink";

/// A subscription to the ends of the sockets of one network namespace.
#[derive(Debug)]
pub struct DestroyEvents {
    socket: OwnedFd,
    decoder: DiagDecoder,
    buffer: Box<[u8]>,
    /// How many events the kernel says were lost so far.
    drops: u64,
}

/// Events that did not fit into the kernel's queue; how many, where the kernel says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun(pub Option<u64>);

impl DestroyEvents {
    /// Subscribes. The calling thread must be in the namespace `netns`.
    pub fn open(netns: NetnsId) -> Result<Self, Errno> {
        Self::with_queue(netns, QUEUE_LEN)
    }

    /// Subscribes with room for about `queue_len` bytes of events, bookkeeping of the kernel included.
    pub fn with_queue(netns: NetnsId, queue_len: usize) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
        // Only root may go beyond net.core.rmem_max; others get as much as it allows.
        sockopt::set_socket_recv_buffer_size_force(&socket, queue_len)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, queue_len))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket, decoder: DiagDecoder { netns }, buffer: vec![0; EVENT_LEN_MAX].into(), drops: 0 })
    }

    /// A second descriptor of the same subscription, to wait for events with.
    pub fn poll_descriptor(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// Hands what ended since the last call to `tell`, with the moment of reading; says whether some were lost because they
    /// came faster than they were read. What comes in the meantime and is more than one turn takes is left for the next.
    pub fn drain(&mut self, mut tell: impl FnMut(Ended)) -> Result<Option<Overrun>, Errno> {
        let mut lost = false;
        for _ in 0..EVENTS_MAX {
            let received = rustix::net::recvfrom(&self.socket, &mut *self.buffer, RecvFlags::DONTWAIT);
            let (len, from) = match received {
                Ok((len, _, from)) => (len, from.and_then(|from| SocketAddrNetlink::try_from(from).ok())),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS) => {
                    lost = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if from.is_some_and(|from| from.pid() == 0) {
                // After the read: what is told happened before this moment, also where many events are read in a row.
                let at = clock::since_boot();
                read(self.decoder, at, self.buffer.get(..len).unwrap_or_default()).for_each(&mut tell);
            }
        }
        Ok(lost.then(|| self.overrun()))
    }

    fn overrun(&mut self) -> Overrun {
        let Some(drops) = self.drops_so_far() else { return Overrun(None) };
        let lost = drops.saturating_sub(self.drops);
        self.drops = drops;
        Overrun(Some(lost))
    }

    /// The column `Drops` of this socket.
    fn drops_so_far(&self) -> Option<u64> {
        let inode = rustix::fs::fstat(self.socket.as_fd()).ok()?.st_ino;
        drops_of(&fs::read_to_string(NETLINK_SOCKETS).ok()?, inode)
    }
}

/// What the netlink socket `inode` has lost, by the kernel's table of them (`net/netlink/af_netlink.c`).
fn drops_of(table: &str, inode: u64) -> Option<u64> {
    let mut lines = table.lines();
    let place = |name: &str, titles: &str| titles.split_whitespace().position(|title| title == name);
    let titles = lines.next()?;
    let (drops, inodes) = (place("Drops", titles)?, place("Inode", titles)?);
    let field = |line: &str, nth: usize| line.split_whitespace().nth(nth)?.parse::<u64>().ok();
    let ours = lines.find(|line| field(line, inodes) == Some(inode))?;
    field(ours, drops)
}

/// The sockets that the events in `bytes` name.
fn read(decoder: DiagDecoder, at: Timestamp, bytes: &[u8]) -> impl Iterator<Item = Ended> {
    let messages = Messages::new(bytes).filter_map(Result::ok);
    messages.filter(|message| message.kind == BY_FAMILY).filter_map(move |message| ended(decoder, at, message.payload))
}

/// The socket that an event is about; `None` for one that never had a port, or is of another protocol.
fn ended(decoder: DiagDecoder, at: Timestamp, payload: &[u8]) -> Option<Ended> {
    let mut attributes = Attributes::new(payload.get(MESSAGE_LEN..)?).filter_map(Result::ok);
    let protocol = attributes.find_map(|attribute| match attribute {
        (INET_DIAG_PROTOCOL, [IPPROTO_TCP]) => Some(Protocol::Tcp),
        (INET_DIAG_PROTOCOL, [IPPROTO_UDP]) => Some(Protocol::Udp),
        _ => None,
    })?;
    let socket = decoder.decode(payload, protocol, at)?;
    (socket.local.port != 0).then(|| Ended { at, socket: socket.reference(), info: socket.tcp })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    const TCP4: &[u8] = include_bytes!("../../../tests/fixtures/sock_diag_tcp4.bin");
    const AT: Timestamp = Timestamp(7);

    fn decoder() -> DiagDecoder {
        DiagDecoder { netns: NetnsId(1) }
    }

    /// The first payload of the recorded dump with the attribute that an event has.
    fn event() -> Vec<u8> {
        let message = Messages::new(TCP4).filter_map(Result::ok).find(|message| {
            message.kind == BY_FAMILY
                && decoder()
                    .decode(message.payload, Protocol::Tcp, Timestamp(0))
                    .is_some_and(|socket| !socket.remote.is_unset())
        });
        let mut payload = message.expect("a connection is recorded").payload.to_vec();
        payload.extend([5, 0, 10, 0, IPPROTO_TCP, 0, 0, 0]);
        payload
    }

    /// How long the kernel may take to tell: it does so from a work queue, which waits for a free core.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// What is told until `done`. Whatever else this machine does fits into the queue as well: it has room for 8 MiB.
    fn listen(events: &mut DestroyEvents, done: impl Fn(&[Ended]) -> bool) -> Vec<Ended> {
        let (mut told, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while !done(&told) {
            assert!(Instant::now() < deadline, "no such event in {told:?}");
            let lost = events.drain(|ended| told.push(ended)).expect("it can be read");
            // Only root gets that much room.
            assert!(lost.is_none() || !rustix::process::geteuid().is_root(), "{lost:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        told
    }

    #[test]
    fn an_event_names_the_connection_with_its_cookie() {
        let socket = decoder().decode(&event(), Protocol::Tcp, AT).expect("decodable");
        let told = ended(decoder(), AT, &event()).expect("a connection");
        assert_eq!((told.at, told.socket, told.info), (AT, socket.reference(), socket.tcp));
        let mut other = event();
        let at = other.len() - 4;
        other[at] = 17;
        assert_eq!(ended(decoder(), AT, &other).map(|told| told.socket.protocol), Some(Protocol::Udp));
        other[at] = 132;
        assert_eq!(ended(decoder(), AT, &other), None);
    }

    #[test]
    fn the_end_of_a_connection_is_told_with_its_last_words() {
        // Of the thread's own namespace, whose number does not matter here.
        let mut events = DestroyEvents::open(NetnsId(1)).expect("anybody may listen");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (server, _) = listener.accept().expect("it has connected");
        let port = |end: &TcpStream| end.local_addr().expect("bound").port();
        let ports = (port(&client), port(&server));
        client.write_all(&[0; 1000]).expect("it is connected");
        let mut peer = server;
        std::io::Read::read_exact(&mut peer, &mut [0; 1000]).expect("it was sent");
        drop((client, peer, listener));
        let is = |ended: &&Ended, from: u16, to: u16| {
            (ended.socket.local.port, ended.socket.remote.port) == (from, to) && ended.socket.protocol == Protocol::Tcp
        };
        let find = |told: &[Ended], from, to| told.iter().find(|ended| is(ended, from, to)).cloned();
        let both = |told: &[Ended]| find(told, ports.0, ports.1).is_some() && find(told, ports.1, ports.0).is_some();
        let told = listen(&mut events, both);
        let words = |from, to| find(&told, from, to).and_then(|ended| ended.final_counters()).expect("it has words");
        // The handshake and the FIN count as one byte each, in the direction in which they count.
        let sent = words(ports.0, ports.1).bytes.expect("counted").sent();
        let received = words(ports.1, ports.0).bytes.expect("counted").received();
        assert!((1000..=1002).contains(&sent) && (1000..=1002).contains(&received), "{sent} {received}");
    }

    #[test]
    fn the_end_of_a_udp_socket_is_told() {
        let mut events = DestroyEvents::open(NetnsId(1)).expect("anybody may listen");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let port = socket.local_addr().expect("bound").port();
        drop(socket);
        let is = |ended: &Ended| ended.socket.local.port == port && ended.socket.protocol == Protocol::Udp;
        listen(&mut events, |told| told.iter().any(is));
    }

    #[test]
    fn what_does_not_fit_into_the_queue_is_counted() {
        // Room for a handful of events, as a paused reader has.
        let mut events = DestroyEvents::with_queue(NetnsId(1), 2_048).expect("anybody may listen");
        let (mut told, mut lost, mut closed, deadline) = (0, 0, 0, Instant::now() + PATIENCE);
        // Sockets of other tests are told of as well. Once more, should the kernel have told of each while it was read.
        while lost == 0 {
            for _ in 0..200 {
                drop(UdpSocket::bind("127.0.0.1:0").expect("loopback"));
            }
            closed += 200;
            while told + lost < closed {
                assert!(Instant::now() < deadline, "{told} told, {lost} lost of {closed}");
                std::thread::sleep(Duration::from_millis(5));
                if let Some(Overrun(count)) = events.drain(|_| told += 1).expect("it can be read") {
                    lost += count.expect("the kernel counts them");
                }
            }
        }
    }

    #[test]
    fn losses_are_found_by_the_inode() {
        let table = "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n0 4 1 0 0 0 0 2 5 77\n0 4 2 0 0 0 0 2 9 78\n";
        assert_eq!((drops_of(table, 78), drops_of(table, 79), drops_of("", 78)), (Some(9), None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), flips in
            proptest::collection::vec((0usize..400, any::<u8>()), 0..8)) {
            let _ = read(decoder(), AT, &bytes).count();
            let mut event = event();
            for (at, byte) in flips {
                if let Some(place) = event.get_mut(at) { *place = byte; }
            }
            let _ = ended(decoder(), AT, &event);
            let _ = drops_of(&String::from_utf8_lossy(&bytes), 1);
        }
    }
}
