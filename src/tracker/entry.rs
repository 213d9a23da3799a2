//! What is kept of a socket between samples: only what the comparison, and a socket's last transition, need.
//!
//! There is one per socket, 200,000 of them at times: it is to stay well below the size of a `Connection`.

use std::hash::Hasher;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use rustc_hash::FxHasher;

use crate::model::delta::{AgeBasis, Connection, Rates, Since, ToldBy, Transition};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{Socket, SocketId, SocketRef, TimerKind};
use crate::model::tcp_info::ByteCounts;
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
    pub(super) first_seen: Timestamp,
    /// Meaningless while `since_basis` is `None`; an `Option<Since>` would take seven bytes more.
    since_at: Timestamp,
    /// See [`fingerprint`].
    fingerprint: u64,
    /// Zeros while `counts_bytes` is not set.
    bytes: ByteCounts,
    /// The uid's complement, so that `None` takes no room: -1 is nobody's uid.
    uid: Option<NonZeroU32>,
    cgroup: Option<NonZeroU64>,
    timer_expires: Timestamp,
    activity: [Millis; 3],
    /// When it was last listed: several samples ago where those between were partial.
    pub(super) seen_at: Timestamp,
    /// The last sample that listed it.
    pub(super) generation: u32,
    /// Its place in that sample.
    pub(super) position: u32,
    pub(super) inode: Option<NonZeroU32>,
    pub(super) interface: Option<NonZeroU32>,
    /// Removed; its slot waits to be reused.
    pub(super) is_gone: bool,
    since_basis: Option<AgeBasis>,
    counts_bytes: bool,
    flow: Flow,
    timer_kind: Option<TimerKind>,
    pub(super) state: TcpState,
    pub(super) protocol: Protocol,
}

/// All that the comparison needs to know of the rates that the row shows: others always come with other byte counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Unknown,
    Idle,
    Moving,
}

/// Milliseconds since boot, modulo 2^32: enough to say whether two moments are near each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Millis(u32);

impl Entry {
    /// Tracks `socket` from now on.
    pub(super) fn new(socket: &Socket, since: Option<Since>, round: &Round) -> Self {
        Self {
            id: socket.id,
            local: socket.local,
            remote: socket.remote,
            owner: socket.owner.clone(),
            first_seen: round.at,
            since_at: since.map_or(Timestamp::default(), |since| since.at),
            fingerprint: fingerprint(socket),
            bytes: bytes(socket).unwrap_or_default(),
            uid: socket.uid.and_then(|uid| NonZeroU32::new(!uid)),
            cgroup: socket.cgroup.and_then(NonZeroU64::new),
            timer_expires: expires(socket),
            activity: activity(socket),
            seen_at: round.at,
            generation: round.generation,
            position: 0,
            inode: socket.inode,
            interface: socket.interface,
            is_gone: false,
            since_basis: since.map(|since| since.basis),
            counts_bytes: bytes(socket).is_some(),
            flow: Flow::Unknown,
            timer_kind: socket.timer.map(|timer| timer.kind),
            state: socket.state,
            protocol: socket.protocol,
        }
    }

    /// Whether `socket` differs in nothing that matters. Allocates nothing.
    pub(super) fn is_same(&self, socket: &Socket, round: &Round) -> bool {
        self.fingerprint == fingerprint(socket)
            && self.local == socket.local
            && self.remote == socket.remote
            && self.bytes() == bytes(socket)
            && self.flow == Flow::of(self.rates_to(socket, round))
            && owner_memory::is_known(&self.owner, &socket.owner)
            && self.timer_runs_on(socket, round)
            && self.activity.iter().zip(activity(socket)).all(|(old, new)| old.is_near(new, round.tolerance))
    }

    /// Takes in what `socket` says, completes it from memory, and gives the row.
    pub(super) fn renew(&mut self, socket: &Socket, since: Option<Since>, round: &Round) -> Connection {
        let rates = self.rates_to(socket, round);
        let completed = Socket {
            uid: socket.uid.or(self.uid.map(|uid| !uid.get())),
            cgroup: socket.cgroup.or(self.cgroup.map(NonZeroU64::get)),
            owner: owner_memory::complete(&self.owner, &socket.owner),
            ..socket.clone()
        };
        let renewed = Self { position: self.position, ..Self::new(&completed, since, round) };
        // The next sample is compared with what this one said, not with what memory added.
        let fingerprint = fingerprint(socket);
        *self = Self { first_seen: self.first_seen, fingerprint, flow: Flow::of(rates), ..renewed };
        Connection { rates, ..self.row(completed) }
    }

    /// The row of this socket, with no rates yet.
    pub(super) fn row(&self, socket: Socket) -> Connection {
        Connection { socket, state_since: self.since(), first_seen: self.first_seen, rates: None }
    }

    /// What the kernel needs to find this socket again.
    pub(super) fn reference(&self) -> SocketRef {
        let Self { id, protocol, local, remote, interface, .. } = *self;
        SocketRef { id, protocol, local, remote, interface }
    }

    /// Whether it is not of the silent mass, so that partial samples may list it.
    pub(super) fn is_of_few(&self) -> bool {
        self.protocol == Protocol::Udp || self.state != TcpState::Established
    }

    /// Since when it is in its state.
    pub(super) fn since(&self) -> Option<Since> {
        self.since_basis.map(|basis| Since { at: self.since_at, basis })
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
            told_by: ToldBy::Samples,
            last: None,
        }
    }

    /// When its `TIME_WAIT` is over.
    pub(super) fn time_wait_ends(&self) -> Option<Timestamp> {
        let waits = self.state == TcpState::TimeWait && self.timer_kind == Some(TimerKind::TimeWait);
        waits.then_some(self.timer_expires)
    }

    /// Whether `socket` has moved fewer bytes than this one had: the counters started anew.
    pub(super) fn counts_less(&self, socket: &Socket) -> bool {
        matches!((self.bytes(), bytes(socket)), (Some(old), Some(new)) if is_less(new, old))
    }

    fn bytes(&self) -> Option<ByteCounts> {
        self.counts_bytes.then_some(self.bytes)
    }

    fn rates_to(&self, socket: &Socket, round: &Round) -> Option<Rates> {
        let (old, new) = (self.bytes()?, bytes(socket)?);
        let over = round.at.since(self.seen_at);
        if is_less(new, old) || over.is_zero() || socket.is_listener() {
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

impl Flow {
    fn of(rates: Option<Rates>) -> Self {
        match rates {
            None => Self::Unknown,
            Some(rates) if rates == Rates::default() => Self::Idle,
            Some(_) => Self::Moving,
        }
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

fn bytes(socket: &Socket) -> Option<ByteCounts> {
    socket.tcp?.bytes
}

fn expires(socket: &Socket) -> Timestamp {
    socket.timer.map_or(Timestamp::default(), |timer| timer.expires)
}

/// The kernel leaves a listener's "so long ago" at zero, which is always now and means nothing.
fn activity(socket: &Socket) -> [Millis; 3] {
    let Some(tcp) = socket.tcp.filter(|_| !socket.is_listener()) else { return [Millis(0); 3] };
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
    let queues = socket.queues.unwrap_or_default();
    hasher.write_u64(u64::from(socket.queues.is_some()) << 1 | u64::from(queues.send.is_some()));
    hasher.write_u64(pair(queues.receive, queues.send.unwrap_or_default()));
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
