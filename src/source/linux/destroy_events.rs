//! Destroy events: the kernel tells of every socket that it frees, so that an end is known without looking at all
//! that go on. Any user may listen.
//!
//! An event is a hint, not a proof: a connection that ends in `TIME_WAIT` frees its full socket too, and its
//! mini-socket lives on under the same cookie. So what an event names is looked up.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, sockopt};

use crate::model::endpoint::Protocol;
use crate::model::socket::{NetnsId, SocketRef};
use crate::model::time::Timestamp;
use crate::source::linux::netlink::{Attributes, Messages};
use crate::source::linux::sock_diag::{BY_FAMILY, Decoder, MESSAGE_LEN};

/// `SKNLGRP_INET_TCP_DESTROY` (1) and `SKNLGRP_INET6_TCP_DESTROY` (3) of `include/uapi/linux/sock_diag.h`, as bits.
const GROUPS: u32 = 0b0101;
/// Events wait here from one sample to the next. With 8 KiB 6 of 4,000 arrived, with 8 MiB all of them.
const QUEUE_LEN: usize = 8 << 20;
/// The longest event; today's have about 400 bytes.
const EVENT_LEN_MAX: usize = 8 * 1024;
/// The most events that are read at a time; about 30 ms.
const EVENTS_MAX: usize = 32_768;
/// `INET_DIAG_PROTOCOL` (`include/uapi/linux/inet_diag.h`).
const INET_DIAG_PROTOCOL: u16 = 10;
const IPPROTO_TCP: u8 = 6;

/// A subscription to the ends of the TCP sockets of one network namespace.
#[derive(Debug)]
pub struct DestroyEvents {
    socket: OwnedFd,
    decoder: Decoder,
    buffer: Box<[u8]>,
}

impl DestroyEvents {
    /// Subscribes. The calling thread must be in the namespace `netns`.
    pub fn open(netns: NetnsId) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
        // Only root may go beyond net.core.rmem_max; others get as much as it allows.
        sockopt::set_socket_recv_buffer_size_force(&socket, QUEUE_LEN)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, QUEUE_LEN))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket, decoder: Decoder { netns }, buffer: vec![0; EVENT_LEN_MAX].into() })
    }

    /// Appends the sockets that ended since the last call to `ended`; says whether some were lost because they came
    /// faster than they were read.
    pub fn drain(&mut self, ended: &mut Vec<SocketRef>) -> Result<bool, Errno> {
        let mut lost = false;
        for _ in 0..EVENTS_MAX {
            let received = rustix::net::recvfrom(&self.socket, &mut *self.buffer, RecvFlags::DONTWAIT);
            let (len, from) = match received {
                Ok((len, _, from)) => (len, from.and_then(|from| SocketAddrNetlink::try_from(from).ok())),
                Err(Errno::AGAIN) => return Ok(lost),
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS) => {
                    lost = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if from.is_some_and(|from| from.pid() == 0) {
                ended.extend(read(self.decoder, self.buffer.get(..len).unwrap_or_default()));
            }
        }
        // More came in the meantime than one turn takes: that is as if it were lost.
        Ok(true)
    }
}

/// The sockets that the events in `bytes` name.
fn read(decoder: Decoder, bytes: &[u8]) -> impl Iterator<Item = SocketRef> {
    let messages = Messages::new(bytes).filter_map(Result::ok);
    messages.filter(|message| message.kind == BY_FAMILY).filter_map(move |message| ended(decoder, message.payload))
}

/// The connection that an event is about; `None` for what is no TCP connection.
fn ended(decoder: Decoder, payload: &[u8]) -> Option<SocketRef> {
    let attributes = Attributes::new(payload.get(MESSAGE_LEN..)?).filter_map(Result::ok);
    let is_tcp = |(kind, value): (u16, &[u8])| kind == INET_DIAG_PROTOCOL && value == [IPPROTO_TCP];
    if !attributes.into_iter().any(is_tcp) {
        return None;
    }
    let socket = decoder.decode(payload, Protocol::Tcp, Timestamp(0))?;
    (!socket.remote.is_unset() && socket.local.port != 0).then(|| socket.reference())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    const TCP4: &[u8] = include_bytes!("../../../tests/fixtures/sock_diag_tcp4.bin");

    fn decoder() -> Decoder {
        Decoder { netns: NetnsId(1) }
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

    #[test]
    fn an_event_names_the_connection_with_its_cookie() {
        let socket = decoder().decode(&event(), Protocol::Tcp, Timestamp(0)).expect("decodable");
        assert_eq!(ended(decoder(), &event()), Some(socket.reference()));
        let mut udp = event();
        let at = udp.len() - 4;
        udp[at] = 17;
        assert_eq!(ended(decoder(), &udp), None);
    }

    #[test]
    fn the_end_of_a_connection_is_told() {
        // Of the thread's own namespace, whose number does not matter here.
        let mut events = DestroyEvents::open(NetnsId(1)).expect("anybody may listen");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let port = client.local_addr().expect("bound").port();
        drop((listener, client));
        let (mut ended, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(10));
        while !ended.iter().any(|socket: &SocketRef| socket.local.port == port) {
            assert!(Instant::now() < deadline, "no event for port {port} in {ended:?}");
            assert_eq!(events.drain(&mut ended), Ok(false));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), flips in
            proptest::collection::vec((0usize..400, any::<u8>()), 0..8)) {
            let _ = read(decoder(), &bytes).count();
            let mut event = event();
            for (at, byte) in flips {
                if let Some(place) = event.get_mut(at) { *place = byte; }
            }
            let _ = ended(decoder(), &event);
        }
    }
}
