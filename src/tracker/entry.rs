//! What is kept of a socket between samples: only what the comparison, and a socket's last transition, need.
//!
//! There is one per socket, 200,000 of them at times: it is to stay well below the size of a `Connection`.

use std::hash::Hasher;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use rustc_hash::FxHasher;

use crate::model::delta::{Connection, Rates, Since, Transition};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{Socket, SocketId, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::tracker::Round;
use crate::tracker::owner_memory;

/// A tracked socket.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SocketId,
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    pub(super) owner: Owner,
    pub(super) since: Option<Since>,
    pub(super) first_seen: Timestamp,
    /// See [`fingerprint`].
    fingerprint: u64,
    bytes: Option<ByteCounts>,
    rates: Option<Rates>,
    uid: Option<u32>,
    cgroup: Option<NonZeroU64>,
    timer_expires: Timestamp,
    activity: [Millis; 3],
    /// The last sample that listed it.
    pub(super) generation: u32,
    /// Its place in that sample.
    pub(super) position: u32,
    pub(super) inode: Option<NonZeroU32>,
    pub(super) has_interface: bool,
    timer_kind: Option<TimerKind>,
    pub(super) state: TcpState,
    pub(super) protocol: Protocol,
}

/// Milliseconds since boot, modulo 2^32: enough to say whether two moments are near each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Millis(u32);

impl Entry {
    /// Tracks `socket`, which is new, and gives the row for it.
    pub(super) fn new(socket: &Socket, since: Option<Since>, round: &Round) -> (Self, Connection) {
        let entry = Self {
            id: socket.id,
            local: socket.local,
            remote: socket.remote,
            owner: socket.owner.clone(),
            since,
            first_seen: round.at,
            fingerprint: fingerprint(socket),
            bytes: bytes(socket),
            rates: None,
            uid: socket.uid,
            cgroup: socket.cgroup.and_then(NonZeroU64::new),
            timer_expires: expires(socket),
            activity: activity(socket),
            generation: round.generation,
            position: 0,
            inode: socket.inode,
            has_interface: socket.interface.is_some(),
            timer_kind: socket.timer.map(|timer| timer.kind),
            state: socket.state,
            protocol: socket.protocol,
        };
        let connection = Connection { socket: socket.clone(), state_since: since, first_seen: round.at, rates: None };
        (entry, connection)
    }

    /// Whether `socket` differs in nothing that matters. Allocates nothing.
    pub(super) fn is_same(&self, socket: &Socket, round: &Round) -> bool {
        self.fingerprint == fingerprint(socket)
            && self.local == socket.local
            && self.remote == socket.remote
            && self.bytes == bytes(socket)
            && self.rates == self.rates_to(socket, round)
            && owner_memory::is_known(&self.owner, &socket.owner)
            && self.timer_runs_on(socket, round)
            && self.activity.iter().zip(activity(socket)).all(|(old, new)| old.is_near(new, round.tolerance))
    }

    /// Takes in what `socket` says, completes it from memory, and gives the row.
    pub(super) fn renew(&mut self, socket: &Socket, since: Option<Since>, round: &Round) -> Connection {
        let rates = self.rates_to(socket, round);
        let owner = owner_memory::complete(&self.owner, &socket.owner);
        let (uid, cgroup) = (socket.uid.or(self.uid), socket.cgroup.or(self.cgroup.map(NonZeroU64::get)));
        let first_seen = self.first_seen;
        let (entry, connection) = Self::new(socket, since, round);
        *self =
            Self { owner: owner.clone(), rates, uid, cgroup: cgroup.and_then(NonZeroU64::new), first_seen, ..entry };
        let socket = Socket { owner, uid, cgroup, ..connection.socket };
        Connection { socket, first_seen, rates, ..connection }
    }

    /// A transition of this socket from its state to `to`.
    pub(super) fn transition(&self, to: Option<TcpState>, at: Timestamp) -> Transition {
        Transition {
            at,
            id: self.id,
            protocol: self.protocol,
            local: self.local,
            remote: self.remote,
            from: Some(self.state),
            to,
            lasted: None,
            skipped: false,
            owner: self.owner.clone(),
        }
    }

    /// When its `TIME_WAIT` is over.
    pub(super) fn time_wait_ends(&self) -> Option<Timestamp> {
        let waits = self.state == TcpState::TimeWait && self.timer_kind == Some(TimerKind::TimeWait);
        waits.then_some(self.timer_expires)
    }

    /// Whether `socket` has moved fewer bytes than this one had: the counters started anew.
    pub(super) fn counts_less(&self, socket: &Socket) -> bool {
        matches!((self.bytes, bytes(socket)), (Some(old), Some(new)) if is_less(new, old))
    }

    fn rates_to(&self, socket: &Socket, round: &Round) -> Option<Rates> {
        let (old, new) = (self.bytes?, bytes(socket)?);
        let over = round.at.since(round.seen_at(self.generation));
        if is_less(new, old) || over.is_zero() {
            return None;
        }
        Some(Rates {
            received: per_second(new.received - old.received, over),
            sent: per_second(new.sent - old.sent, over),
        })
    }

    /// Kind and retries are part of the fingerprint; here only the moment is left. A timer that is overdue is
    /// reported as due now, again and again: that is no news.
    fn timer_runs_on(&self, socket: &Socket, round: &Round) -> bool {
        let (old, new) = (self.timer_expires, expires(socket));
        let due = round.at.after(round.tolerance);
        old.since(new).max(new.since(old)) <= round.tolerance || (old <= due && new <= due)
    }
}

impl Millis {
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 is meant")]
    const fn of(moment: Timestamp) -> Self {
        Self(moment.as_millis() as u32)
    }

    fn is_near(self, other: Self, tolerance: Duration) -> bool {
        let apart = self.0.wrapping_sub(other.0).min(other.0.wrapping_sub(self.0));
        u128::from(apart) <= tolerance.as_millis()
    }
}

fn is_less(new: ByteCounts, old: ByteCounts) -> bool {
    new.received < old.received || new.sent < old.sent
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a rate needs no 24th digit")]
fn per_second(bytes: u64, over: Duration) -> f32 {
    (bytes as f64 / over.as_secs_f64()) as f32
}

/// A listener moves no payload, whatever the kernel leaves in its `tcp_info`.
fn tcp_of(socket: &Socket) -> Option<&TcpInfo> {
    socket.tcp.as_ref().filter(|_| socket.state != TcpState::Listen)
}

fn bytes(socket: &Socket) -> Option<ByteCounts> {
    tcp_of(socket)?.bytes
}

fn expires(socket: &Socket) -> Timestamp {
    socket.timer.map_or(Timestamp::default(), |timer| timer.expires)
}

fn activity(socket: &Socket) -> [Millis; 3] {
    let Some(tcp) = tcp_of(socket) else { return [Millis(0); 3] };
    [tcp.last_data_sent, tcp.last_data_received, tcp.last_ack_received].map(Millis::of)
}

/// All that is compared exactly and not kept otherwise, in 64 bits. Each step is a bijection of the state, so a
/// change of one word is never lost; that several changes cancel out has a chance of about 2^-64.
fn fingerprint(socket: &Socket) -> u64 {
    let mut hasher = FxHasher::default();
    let timer = socket.timer.map_or(0, |timer| 1 + timer.kind as u64 + (u64::from(timer.retries) << 8));
    let kinds = socket.state as u64 | (socket.family as u64) << 8 | (socket.protocol as u64) << 16;
    hasher.write_u64(kinds | timer << 24 | u64::from(socket.tcp.is_some()) << 48);
    hasher.write_u64(pair(socket.interface.map_or(0, NonZeroU32::get), socket.inode.map_or(0, NonZeroU32::get)));
    hasher.write_u64(socket.uid.map_or(0, |uid| u64::from(uid) + 1));
    hasher.write_u64(socket.cgroup.unwrap_or(0));
    hasher.write_u64(u64::from(socket.queues.is_some()));
    let queues = socket.queues.unwrap_or_default();
    hasher.write_u64(pair(queues.receive, queues.send));
    if let Some(tcp) = &socket.tcp {
        hasher.write_u64(pair(tcp.rtt_us, tcp.rto_us));
        hasher.write_u64(pair(tcp.retransmits_total, tcp.unacked));
        hasher.write_u64(pair(tcp.backoff.into(), tcp.probes.into()));
    }
    hasher.finish()
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
