//! Netlink: one socket to a part of the kernel, and total readers for the bytes that come out of it.
//!
//! Knows messages and attributes, not what is in them (that is `sock_diag`, `routes`, `offload`). Nothing here trusts a
//! length.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};

use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::model::time::Timestamp;
use crate::source::clock;

/// `NLM_F_REQUEST` (`include/uapi/linux/netlink.h`).
pub const REQUEST: u16 = 0x01;
/// `NLM_F_ACK`: also success is answered.
const ACK: u16 = 0x04;
/// `NLM_F_DUMP`: every object, not one.
pub const DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`: what was dumped changed meanwhile.
const DUMP_INTERRUPTED: u16 = 0x10;

/// So often in a row a call is repeated that a signal has interrupted.
const INTERRUPTIONS_MAX: u32 = 1_000;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The length of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;
/// The length of `struct nlattr`.
const ATTRIBUTE_HEADER_LEN: usize = 4;

/// The kernel fills at most 32 KiB a time today; the rest is room for tomorrow's.
const BUFFER_LEN: usize = 256 * 1024;
/// `MAX_ERRNO` (`include/linux/err.h`).
const ERRNO_MAX: i32 = 4095;
/// A kernel that says nothing for so long will not say any more.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Takes numbers off the front of untrusted bytes; `None` when they run out.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `N` bytes.
    #[inline]
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// A number in network byte order.
    #[inline]
    pub fn be16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    /// A number in the machine's byte order.
    #[inline]
    pub fn ne16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    /// A number in the machine's byte order.
    #[inline]
    pub fn ne32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    /// A number in the machine's byte order.
    #[inline]
    pub fn ne64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    /// Cuts off a record of `len` bytes (its header of `header_len` included, already read) and the padding behind
    /// it, which the last record may lack; returns what follows the header.
    #[inline]
    fn record(&mut self, len: usize, header_len: usize) -> Option<&'a [u8]> {
        let (payload, rest) = self.0.split_at_checked(len.checked_sub(header_len)?)?;
        let padding = len.wrapping_neg() & 3;
        self.0 = rest.get(padding..).unwrap_or_default();
        Some(payload)
    }
}

/// A netlink message, cut out of the buffer it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`: of the request this answers.
    pub sequence: u32,
    /// `nlmsg_pid`: the port of whom it is for.
    pub port: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Bytes that are no netlink message or attribute: nothing after them can be read either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The messages in one received buffer; ends after the first [`Malformed`].
pub struct Messages<'a>(Reader<'a>);

impl<'a> Messages<'a> {
    /// The messages in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader(bytes))
    }

    #[inline]
    fn read(&mut self) -> Option<Message<'a>> {
        let (len, kind, flags) = (self.0.ne32()?, self.0.ne16()?, self.0.ne16()?);
        let (sequence, port) = (self.0.ne32()?, self.0.ne32()?);
        let payload = self.0.record(usize::try_from(len).ok()?, HEADER_LEN)?;
        Some(Message { kind, flags, sequence, port, payload })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let message = self.read().ok_or(Malformed);
        if message.is_err() {
            self.0.0 = &[];
        }
        Some(message)
    }
}

/// The attributes behind a message's fixed part; ends after the first [`Malformed`].
pub struct Attributes<'a>(Reader<'a>);

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader(bytes))
    }

    #[inline]
    fn read(&mut self) -> Option<(u16, &'a [u8])> {
        let (len, kind) = (self.0.ne16()?, self.0.ne16()?);
        // The two upper bits are flags: nested, and network byte order (include/uapi/linux/netlink.h).
        Some((kind & 0x3fff, self.0.record(usize::from(len), ATTRIBUTE_HEADER_LEN)?))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let attribute = self.read().ok_or(Malformed);
        if attribute.is_err() {
            self.0.0 = &[];
        }
        Some(attribute)
    }
}

/// How an exchange with the kernel went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Messages handed to the visitor.
    pub messages: u32,
    /// Messages that made no sense, or that the visitor refused.
    pub skipped: u32,
    /// The kernel says that its tables changed during the dump.
    pub interrupted: bool,
    /// Some of the answer did not fit the buffer.
    pub truncated: bool,
    /// Why the answer ended too early.
    pub error: Option<Errno>,
    /// The rest was not read, because the caller wanted no more.
    pub gave_up: bool,
}

impl Exchange {
    /// The kernel's refusal to answer at all.
    pub fn refusal(&self) -> Option<Errno> {
        self.error.filter(|_| self.messages == 0 && self.skipped == 0)
    }

    /// Two exchanges that answer one question together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            skipped: self.skipped.saturating_add(other.skipped),
            interrupted: self.interrupted || other.interrupted,
            truncated: self.truncated || other.truncated,
            error: self.error.or(other.error),
            gave_up: self.gave_up || other.gave_up,
        }
    }
}

/// An answer taken apart, buffer by buffer, until it is complete.
#[derive(Debug)]
pub(super) struct NetlinkAnswer {
    sequence: u32,
    port: u32,
    exchange: Exchange,
}

/// Whether more of an answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Complete,
}

impl NetlinkAnswer {
    pub(super) fn new(sequence: u32, port: u32) -> Self {
        Self { sequence, port, exchange: Exchange::default() }
    }

    /// Hands every message of `bytes` that answers our request to `visit`, which says whether it made sense.
    pub(super) fn take(&mut self, bytes: &[u8], visit: &mut impl FnMut(&[u8]) -> bool) -> Progress {
        for message in Messages::new(bytes) {
            let Ok(message) = message else {
                self.skip();
                return Progress::More;
            };
            // The rest of an answer that was given up earlier, or nobody's.
            if message.sequence != self.sequence || message.port != self.port {
                continue;
            }
            self.exchange.interrupted |= message.flags & DUMP_INTERRUPTED != 0;
            match message.kind {
                NLMSG_NOOP => {}
                NLMSG_DONE | NLMSG_ERROR => {
                    self.exchange.error = errno(message.payload);
                    return Progress::Complete;
                }
                _ if visit(message.payload) => self.exchange.messages = self.exchange.messages.saturating_add(1),
                _ => self.skip(),
            }
        }
        Progress::More
    }

    fn skip(&mut self) {
        self.exchange.skipped = self.exchange.skipped.saturating_add(1);
    }
}

/// The error in the payload of `NLMSG_ERROR` or `NLMSG_DONE`: a negative errno, 0 for success.
fn errno(payload: &[u8]) -> Option<Errno> {
    let code = Reader(payload).take().map_or(0, i32::from_ne_bytes);
    let errno = code.checked_neg().filter(|code| (1..=ERRNO_MAX).contains(code));
    (code != 0).then(|| errno.map_or(Errno::BADMSG, Errno::from_raw_os_error))
}

/// Which part of the kernel to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetlinkFamily {
    /// `sock_diag`(7): sockets.
    SockDiag,
    /// `rtnetlink`(7): routes.
    Route,
    /// Generic netlink: families found by name, such as `ethtool`.
    Generic,
}

impl NetlinkFamily {
    /// The protocol of the netlink socket; `NETLINK_ROUTE` is 0, which rustix writes as none.
    const fn protocol(self) -> Option<Protocol> {
        match self {
            Self::SockDiag => Some(netlink::SOCK_DIAG),
            Self::Route => None,
            Self::Generic => Some(netlink::GENERIC),
        }
    }
}

/// What the kernel's answers are received in: one for each thread that asks, not for each connection, of which there can
/// be hundreds (one a network namespace).
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Mutex<Box<[u8]>>>);

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Box<[u8]>> {
        // Whatever it holds is overwritten by the next answer.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(vec![0; BUFFER_LEN].into())))
    }
}

/// A connection to one part of the kernel. It belongs to the network namespace of the thread that opened it, for ever.
#[derive(Debug)]
pub struct NetlinkSocket {
    whom: NetlinkFamily,
    socket: OwnedFd,
    port: u32,
    sequence: u32,
    buffer: Buffer,
    /// The last answer was not read to its end: the kernel would refuse the next dump with EBUSY.
    unfinished: bool,
    /// It was opened in another network namespace than that of the threads that use it.
    in_other_namespace: bool,
}

impl NetlinkSocket {
    /// Opens one to `sock_diag`; the error is the kernel's (`EPROTONOSUPPORT` where there is none, `EPERM` by seccomp).
    pub fn open() -> Result<Self, Errno> {
        Self::open_to(NetlinkFamily::SockDiag)
    }

    /// Opens one to this part; the error is the kernel's.
    pub fn open_to(whom: NetlinkFamily) -> Result<Self, Errno> {
        Self::open_into(whom, Buffer::default())
    }

    fn open_into(whom: NetlinkFamily, buffer: Buffer) -> Result<Self, Errno> {
        let (socket, port) = open_socket(whom)?;
        Ok(Self { whom, socket, port, sequence: 0, buffer, unfinished: false, in_other_namespace: false })
    }

    /// Opens one to be used by threads of other network namespaces. It cannot be opened again from there: once an
    /// answer was broken off, every further request fails with `ESTALE`.
    ///
    /// Its answers are received in `buffer`, which it shares with connections that the same thread asks.
    pub fn open_in_other_namespace(buffer: Buffer) -> Result<Self, Errno> {
        Ok(Self { in_other_namespace: true, ..Self::open_into(NetlinkFamily::SockDiag, buffer)? })
    }

    /// The name of a network interface, which each namespace numbers for itself.
    pub fn interface_name(&self, index: u32) -> Option<DisplayText> {
        let name = rustix::net::netdevice::index_to_name_inlined(&self.socket, index).ok()?;
        Some(DisplayText::from_bytes(name.as_bytes(), NAME_LEN_MAX))
    }

    /// Sends a dump request (`kind`, `body`) and hands the payload of every message of the answer to `visit`, with
    /// the moment at which the kernel wrote it; `visit` says whether it made sense.
    pub fn dump(&mut self, kind: u16, body: &[u8], visit: impl FnMut(&[u8], Timestamp) -> bool) -> Exchange {
        self.dump_at_most(u32::MAX, kind, body, visit)
    }

    /// The same, but gives up once it has handed over `most` messages (some more, which came with the last one).
    pub fn dump_at_most(
        &mut self,
        most: u32,
        kind: u16,
        body: &[u8],
        mut visit: impl FnMut(&[u8], Timestamp) -> bool,
    ) -> Exchange {
        let sequence = match self.send(kind, REQUEST | DUMP, body) {
            Ok(sequence) => sequence,
            Err(error) => return Exchange { error: Some(error), ..Exchange::default() },
        };
        self.unfinished = true;
        let mut answer = NetlinkAnswer::new(sequence, self.port);
        let mut buffer = self.buffer.lock();
        // The kernel fills the next buffer while it hands over this one, so that each is as old as the call before.
        let mut filled = clock::now().0;
        loop {
            match receive(&self.socket, &mut buffer) {
                Ok(ReceivedMessage { len, from_kernel: true }) => {
                    let moment = std::mem::replace(&mut filled, clock::now().0);
                    let bytes = buffer.get(..len).unwrap_or(&buffer);
                    answer.exchange.truncated |= len > bytes.len();
                    if answer.take(bytes, &mut |payload| visit(payload, moment)) == Progress::Complete {
                        self.unfinished = false;
                        return answer.exchange;
                    }
                    if answer.exchange.messages >= most {
                        answer.exchange.gave_up = true;
                        return answer.exchange;
                    }
                }
                Ok(ReceivedMessage { from_kernel: false, .. }) => answer.skip(),
                Err(error) => {
                    answer.exchange.error = Some(error);
                    return answer.exchange;
                }
            }
        }
    }

    /// Sends a request for one object and hands the payload of the answer to `visit`.
    pub fn ask(&mut self, kind: u16, body: &[u8], visit: impl FnOnce(&[u8])) -> Result<(), Errno> {
        self.exchange(kind, REQUEST, body, visit)
    }

    /// Sends a request that is answered by success or an error.
    pub fn order(&mut self, kind: u16, body: &[u8]) -> Result<(), Errno> {
        self.exchange(kind, REQUEST | ACK, body, |_| {})
    }

    fn exchange(&mut self, kind: u16, flags: u16, body: &[u8], visit: impl FnOnce(&[u8])) -> Result<(), Errno> {
        let sequence = self.send(kind, flags, body)?;
        self.unfinished = true;
        let mut buffer = self.buffer.lock();
        loop {
            let ReceivedMessage { len, from_kernel } = receive(&self.socket, &mut buffer)?;
            let bytes = buffer.get(..len).unwrap_or(&buffer);
            let ours = |message: &Message| message.sequence == sequence && message.port == self.port;
            let Some(message) = Messages::new(bytes).filter_map(Result::ok).find(ours).filter(|_| from_kernel) else {
                continue;
            };
            self.unfinished = false;
            if matches!(message.kind, NLMSG_ERROR | NLMSG_DONE) {
                return errno(message.payload).map_or(Ok(()), Err);
            }
            visit(message.payload);
            return Ok(());
        }
    }

    /// Sends one request; returns its sequence number.
    fn send(&mut self, kind: u16, flags: u16, body: &[u8]) -> Result<u32, Errno> {
        if self.unfinished && self.in_other_namespace {
            return Err(Errno::STALE);
        }
        if self.unfinished {
            (self.socket, self.port) = open_socket(self.whom)?;
            self.unfinished = false;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(kind, flags, self.sequence, body);
        let kernel = SocketAddrNetlink::new(0, 0);
        retry(|| rustix::net::sendto(&self.socket, &request, SendFlags::empty(), &kernel))?;
        Ok(self.sequence)
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<ReceivedMessage, Errno> {
    // With MSG_TRUNC the true length comes back, also where it exceeds the buffer's.
    let (_, len, from) = retry(|| rustix::net::recvfrom(socket, &mut *buffer, RecvFlags::TRUNC))?;
    let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
    Ok(ReceivedMessage { len, from_kernel: from.is_some_and(|from| from.pid() == 0) })
}

struct ReceivedMessage {
    len: usize,
    from_kernel: bool,
}

fn open_socket(whom: NetlinkFamily) -> Result<(OwnedFd, u32), Errno> {
    let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, whom.protocol())?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(SILENCE_MAX))?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    let port = SocketAddrNetlink::try_from(rustix::net::getsockname(&socket)?)?.pid();
    Ok((socket, port))
}

/// A request message: header and body (`NLMSG_ALIGN` is the caller's: every body of ours is a multiple of 4).
fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let len = HEADER_LEN.saturating_add(body.len());
    let mut request = Vec::with_capacity(len);
    request.extend(u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    request.extend(0u32.to_ne_bytes());
    request.extend(body);
    request
}

/// Repeats a call that a signal has interrupted. One that is interrupted for ever is given up with `EINTR`, which is a failure
/// that passes like others (`source/retries.rs`).
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 0..INTERRUPTIONS_MAX {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::INTR)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DONE_OK: [u8; 4] = [0; 4];

    /// A message as the kernel would write it, to port 77 in answer to request 5.
    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = request(kind, flags, 5, payload);
        bytes[12..16].copy_from_slice(&77u32.to_ne_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn take(bytes: &[u8]) -> (Vec<Vec<u8>>, Progress, Exchange) {
        let mut seen = Vec::new();
        let mut answer = NetlinkAnswer::new(5, 77);
        let progress = answer.take(bytes, &mut |payload| {
            seen.push(payload.to_vec());
            payload != b"bad!"
        });
        (seen, progress, answer.exchange)
    }

    #[test]
    fn a_call_that_is_interrupted_for_ever_is_given_up() {
        let mut calls = 0;
        assert_eq!(
            retry(|| {
                calls += 1;
                Err::<(), _>(Errno::INTR)
            }),
            Err(Errno::INTR)
        );
        assert_eq!(calls, INTERRUPTIONS_MAX);
        assert_eq!(
            retry(|| {
                calls += 1;
                if calls % 3 == 0 { Ok(calls) } else { Err(Errno::INTR) }
            }),
            Ok(1_002)
        );
    }

    #[test]
    fn an_answer_ends_with_done() {
        let bytes = [message(20, 2, b"one"), message(20, 2, b"two!"), message(NLMSG_DONE, 2, &DONE_OK)].concat();
        let (seen, progress, exchange) = take(&bytes);
        assert_eq!(seen, [b"one".to_vec(), b"two!".to_vec()]);
        assert_eq!(progress, Progress::Complete);
        assert_eq!(exchange, Exchange { messages: 2, ..Exchange::default() });
    }

    #[test]
    fn an_error_in_the_middle_of_a_dump_is_kept_and_is_no_refusal() {
        let denied = (-13i32).to_ne_bytes();
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            let (_, progress, exchange) = take(&[message(20, 2, b"one"), message(kind, 2, &denied)].concat());
            assert_eq!(progress, Progress::Complete);
            assert_eq!(exchange.error, Some(Errno::ACCESS));
            assert_eq!(exchange.refusal(), None);
        }
        let (_, _, exchange) = take(&message(NLMSG_ERROR, 0, &denied));
        assert_eq!(exchange.refusal(), Some(Errno::ACCESS));
    }

    #[test]
    fn an_absurd_error_code_is_an_error_all_the_same() {
        for code in [i32::MIN, 7, i32::MAX, -1_000_000] {
            assert!(take(&message(NLMSG_ERROR, 0, &code.to_ne_bytes())).2.error.is_some(), "{code}");
        }
    }

    #[test]
    fn messages_for_others_and_of_earlier_requests_are_passed_over() {
        let mut stale = message(20, 2, b"old ");
        stale[8] = 4;
        let mut foreign = message(20, 2, b"not ");
        foreign[12] = 78;
        let (seen, progress, exchange) = take(&[stale, foreign, message(20, 2, b"ours")].concat());
        assert_eq!(seen, [b"ours".to_vec()]);
        assert_eq!(progress, Progress::More);
        assert_eq!(exchange.skipped, 0);
    }

    #[test]
    fn lengths_that_lie_end_the_buffer_and_are_counted() {
        for len in [0u32, 15, 21, u32::MAX] {
            let mut liar = message(20, 2, b"four");
            liar[..4].copy_from_slice(&len.to_ne_bytes());
            let (seen, progress, exchange) = take(&[message(20, 2, b"good"), liar].concat());
            assert_eq!(seen, [b"good".to_vec()], "{len}");
            assert_eq!((progress, exchange.skipped), (Progress::More, 1), "{len}");
        }
    }

    #[test]
    fn what_the_visitor_refuses_and_an_interrupted_dump_are_counted() {
        let (_, _, exchange) = take(&[message(20, 2, b"bad!"), message(20, 2 | DUMP_INTERRUPTED, b"ok")].concat());
        assert_eq!(exchange, Exchange { messages: 1, skipped: 1, interrupted: true, ..Exchange::default() });
    }

    #[test]
    fn attributes_are_cut_at_their_padding() {
        // len 5, type 8 (INET_DIAG_SHUTDOWN), one byte, three of padding; len 8, type 21 with the nested flag.
        let head = |len: u16, kind: u16| [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        let bytes = [&head(5, 8)[..], &[3, 0, 0, 0], &head(8, 0x8000 | 0x15), &[1, 2, 3, 4]].concat();
        let found: Vec<_> = Attributes::new(&bytes).collect();
        assert_eq!(found, [Ok((8, &[3][..])), Ok((21, &[1, 2, 3, 4][..]))]);
        assert_eq!(Attributes::new(&head(3, 8)).next(), Some(Err(Malformed)));
        assert_eq!(Attributes::new(&[&head(9, 8)[..], &[1]].concat()).next(), Some(Err(Malformed)));
        assert_eq!(Attributes::new(&[4, 0]).next(), Some(Err(Malformed)));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_finitely_many_messages(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Messages::new(&bytes).count() <= bytes.len() / HEADER_LEN + 1);
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len() / ATTRIBUTE_HEADER_LEN + 1);
            let _ = take(&bytes);
        }
    }
}
