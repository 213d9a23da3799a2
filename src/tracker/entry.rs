//! What is kept of a socket between samples: its last row, shared with the store, and what tells quickly that nothing of
//! it has changed.
//!
//! There is one per socket, 200,000 of them at times, and all are gone through when a sample is compared: it is small.

use std::hash::Hasher;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHasher;

use crate::model::delta::{Connection, ObservedSocket, Rates, Since, Transition};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{Queues, Socket, SocketId, SocketRef, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::{CompactTimestamp, Timestamp};
use crate::tracker::SampleContext;
use crate::tracker::owner_memory;

/// A tracked socket.
#[derive(Debug)]
pub(super) struct TrackedSocket {
    pub(super) id: SocketId,
    /// What the last row says.
    known: Arc<ObservedSocket>,
    /// See [`fingerprint`].
    fingerprint: u64,
    /// The last sample that listed it: several samples ago where those between were partial.
    pub(super) generation: u32,
    /// Its place in that sample.
    pub(super) position: u32,
    activity: [Millis; 3],
    timer_expires: CompactTimestamp,
    flow: Flow,
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

impl TrackedSocket {
    /// Tracks `socket` from now on.
    pub(super) fn new(socket: &Socket, state_since: Option<Since>, round: &SampleContext) -> Self {
        Self::of(socket, Arc::new(ObservedSocket { socket: socket.clone(), state_since, first_seen: round.at }), round)
    }

    /// The same, where `held` says who is known to have held it before: that completes what the sample says.
    pub(super) fn owned(socket: &Socket, state_since: Option<Since>, held: &Owner, round: &SampleContext) -> Self {
        if held.holders().is_none() {
            return Self::new(socket, state_since, round);
        }
        let owner = owner_memory::complete(held, &socket.owner);
        let known = ObservedSocket { socket: Socket { owner, ..socket.clone() }, state_since, first_seen: round.at };
        Self::of(socket, Arc::new(known), round)
    }

    /// An entry of what the sample says of `socket`, and what is `known` of it with that.
    fn of(socket: &Socket, known: Arc<ObservedSocket>, round: &SampleContext) -> Self {
        // Of two equal values, the one that the entry holds: the other one may go, and another come to its place.
        let said = if socket.owner.holders().is_some() { &known.socket.owner } else { &socket.owner };
        Self {
            id: socket.id,
            fingerprint: fingerprint(socket, said),
            known,
            generation: round.generation,
            position: 0,
            activity: activity(socket),
            timer_expires: expires(socket),
            flow: Flow::Unknown,
            state: socket.state,
            protocol: socket.protocol,
        }
    }

    /// Whether `socket` differs in nothing that matters. Allocates nothing, and as a rule looks at nothing but this.
    pub(super) fn is_same(&self, socket: &Socket, round: &SampleContext) -> bool {
        self.flow == self.flow_if_unmoved(socket, round) && self.shows_the_same(socket, round)
    }

    /// Whether the row of `socket` would be the same, rates aside.
    fn shows_the_same(&self, socket: &Socket, round: &SampleContext) -> bool {
        self.says_the_same(socket)
            && self.timer_runs_on(socket, round)
            && self.activity.iter().zip(activity(socket)).all(|(old, new)| old.is_near(new, round.tolerance))
    }

    /// Whether all that is compared exactly is as in the last sample. An owner that is another value may still be equal,
    /// and one that memory has completed counts as what it was completed from.
    fn says_the_same(&self, socket: &Socket) -> bool {
        self.fingerprint == fingerprint(socket, &socket.owner)
            || (owner_memory::is_known(&self.known.socket.owner, &socket.owner)
                && [&self.known.socket.owner, &Owner::None, &Owner::Unaccepted, &Owner::Vanished]
                    .into_iter()
                    .any(|said| self.fingerprint == fingerprint(socket, said)))
    }

    /// Takes in what `socket` says, completes it from memory, and gives the row.
    pub(super) fn renew(&mut self, socket: &Socket, state_since: Option<Since>, round: &SampleContext) -> Connection {
        let rates = self.rates_to(socket, round);
        if self.known.state_since == state_since && self.shows_the_same(socket, round) {
            // Only the rates are new: after the second sample that is so for nearly all.
            self.flow = Flow::of(rates);
            return Connection::new(Arc::clone(&self.known), rates);
        }
        let before = &self.known.socket;
        let completed = Socket {
            uid: socket.uid.or(before.uid),
            cgroup: socket.cgroup.or(before.cgroup),
            owner: owner_memory::complete(&before.owner, &socket.owner),
            ..socket.clone()
        };
        let known = Arc::new(ObservedSocket { socket: completed, state_since, first_seen: self.known.first_seen });
        *self = Self { position: self.position, flow: Flow::of(rates), ..Self::of(socket, known, round) };
        Connection::new(Arc::clone(&self.known), rates)
    }

    /// The row of this socket, with no rates yet.
    pub(super) fn row(&self) -> Connection {
        Connection::new(Arc::clone(&self.known), None)
    }

    /// Whose it is or was.
    pub(super) fn owner(&self) -> &Owner {
        &self.known.socket.owner
    }

    /// The socket as the last row shows it.
    pub(super) fn socket(&self) -> &Socket {
        &self.known.socket
    }

    /// When it was last listed.
    pub(super) fn seen_at(&self, round: &SampleContext) -> Timestamp {
        round.sample_times.of(self.generation)
    }

    /// When it was first seen.
    pub(super) fn first_seen(&self) -> Timestamp {
        self.known.first_seen
    }

    /// What the kernel needs to find this socket again.
    pub(super) fn reference(&self) -> SocketRef {
        self.known.socket.reference()
    }

    /// Whether it is not of the silent mass, so that partial samples may list it.
    pub(super) fn is_of_few(&self) -> bool {
        self.protocol != Protocol::Tcp || self.state != TcpState::Established
    }

    /// Since when it is in its state.
    pub(super) fn since(&self) -> Option<Since> {
        self.known.state_since
    }

    /// A transition of this socket from its state to `to`.
    pub(super) fn transition(&self, to: Option<TcpState>, at: Timestamp) -> Transition {
        let owner = self.owner().clone();
        let of_subflow = self.socket().is_subflow;
        Transition { of_subflow, owner, ..Transition::new(&self.reference(), at, Some(self.state), to) }
    }

    /// When its `TIME_WAIT` is over.
    pub(super) fn time_wait_ends(&self) -> Option<Timestamp> {
        let timer = self.socket().timer.filter(|timer| timer.kind == TimerKind::TimeWait)?;
        (self.state == TcpState::TimeWait).then_some(timer.expires.timestamp())
    }

    /// Whether `socket` has moved fewer bytes than this one had: the counters started anew.
    pub(super) fn counts_less(&self, socket: &Socket) -> bool {
        matches!((self.bytes(), bytes(socket)), (Some(old), Some(new)) if is_less(new, old))
    }

    fn bytes(&self) -> Option<ByteCounts> {
        bytes(self.socket())
    }

    fn rates_to(&self, socket: &Socket, round: &SampleContext) -> Option<Rates> {
        let (old, new) = (self.bytes()?, bytes(socket)?);
        let over = round.at.since(self.seen_at(round));
        if is_less(new, old) || over.is_zero() || socket.is_listener() {
            return None;
        }
        Some(Rates {
            received: per_second(new.received() - old.received(), over),
            sent: per_second(new.sent() - old.sent(), over),
        })
    }

    /// What [`Flow::of`] gives for the rates to `socket`, which has moved as many bytes as this one had.
    fn flow_if_unmoved(&self, socket: &Socket, round: &SampleContext) -> Flow {
        let known = bytes(socket).is_some() && round.at > self.seen_at(round) && !socket.is_listener();
        if known { Flow::Idle } else { Flow::Unknown }
    }

    /// Kind and retries are part of the fingerprint; here only the moment is left. A timer that is overdue is
    /// reported as due now, again and again: that changes nothing.
    fn timer_runs_on(&self, socket: &Socket, round: &SampleContext) -> bool {
        let (old, new) = (self.timer_expires, expires(socket));
        if old == new {
            return true;
        }
        let (old, new) = (old.timestamp(), new.timestamp());
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
    new.received() < old.received() || new.sent() < old.sent()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a rate needs no 24th digit")]
fn per_second(bytes: u64, over: Duration) -> f32 {
    (bytes as f64 / over.as_secs_f64()) as f32
}

fn bytes(socket: &Socket) -> Option<ByteCounts> {
    socket.tcp?.bytes
}

fn expires(socket: &Socket) -> CompactTimestamp {
    socket.timer.map_or(CompactTimestamp::default(), |timer| timer.expires)
}

/// The kernel leaves a listener's "so long ago" at zero, which is always now and means nothing.
fn activity(socket: &Socket) -> [Millis; 3] {
    let Some(tcp) = socket.tcp.filter(|_| !socket.is_listener()) else { return [Millis(0); 3] };
    [tcp.last_data_sent, tcp.last_data_received, tcp.last_ack_received].map(|moment| Millis::of(moment.timestamp()))
}

/// All that is compared exactly, in 64 bits, where `owner` is what the sample says of that. Each step is a bijection of
/// the state, so a change of one word is never lost; that several changes cancel out has a chance of about 2^-64.
/// An owner counts as where its value is: that stays as long as the entry, which holds it.
///
/// Every field of [`Socket`] is named here, so that a new one cannot be forgotten. Identity finds the entry, and the owner is
/// handed in. When a timer expires is compared by [`TrackedSocket::timer_runs_on`].
fn fingerprint(socket: &Socket, owner: &Owner) -> u64 {
    let Socket {
        id: _,
        protocol,
        state,
        family,
        local,
        remote,
        interface,
        v6only,
        inode,
        uid,
        cgroup,
        queues,
        timer,
        tcp,
        drops,
        is_subflow,
        owner: _,
    } = socket;
    let mut hasher = FxHasher::default();
    let timer = timer.map_or(0, |Timer { kind, retries, expires: _ }| 1 + kind as u64 + (u64::from(retries) << 8));
    let kinds = *state as u64 | (*family as u64) << 8 | (*protocol as u64) << 16;
    let v6only = v6only.map_or(0, |only| 1 + u64::from(only)) | u64::from(*is_subflow) << 2;
    hasher.write_u64(kinds | timer << 24 | u64::from(tcp.is_some()) << 48 | v6only << 49);
    write_endpoint(&mut hasher, *local);
    write_endpoint(&mut hasher, *remote);
    hasher.write_u64(pair(interface.map_or(0, NonZeroU32::get), inode.map_or(0, NonZeroU32::get)));
    hasher.write_u64(uid.map_or(0, |uid| u64::from(uid) + 1));
    hasher.write_u64(cgroup.map_or(0, NonZeroU64::get));
    let Queues { receive, send } = queues.unwrap_or_default();
    hasher.write_u64(u64::from(queues.is_some()) << 1 | u64::from(send.is_some()));
    hasher.write_u64(pair(receive, send.unwrap_or_default()));
    hasher.write_u64(drops.map_or(0, |drops| u64::from(drops.count()) + 1));
    if let Some(tcp) = tcp {
        write_tcp_info(&mut hasher, tcp);
    }
    let kind = match owner {
        Owner::Live(_) => 0,
        Owner::Remembered(_) => 1,
        Owner::Unaccepted => 2,
        Owner::Hidden => 3,
        Owner::None => 4,
        Owner::Unseen => 5,
        Owner::Vanished => 6,
    };
    hasher.write_u64(owner.holders().map_or(0, |holders| Arc::as_ptr(holders).addr() as u64));
    hasher.write_u64(kind);
    hasher.finish()
}

/// Every field of [`TcpInfo`] is named here, too. The three moments are compared by [`activity`].
fn write_tcp_info(hasher: &mut FxHasher, tcp: &TcpInfo) {
    let TcpInfo {
        rtt_us,
        rto_us,
        retransmits_total,
        unacked,
        backoff,
        probes,
        retransmits_spurious,
        last_data_sent: _,
        last_data_received: _,
        last_ack_received: _,
        bytes,
    } = *tcp;
    hasher.write_u64(pair(rtt_us, rto_us));
    hasher.write_u64(pair(retransmits_total, unacked));
    hasher.write_u64(retransmits_spurious.into());
    hasher.write_u64((u64::from(backoff) << 8 | u64::from(probes)) << 8 | u64::from(bytes.is_some()));
    let counts = bytes.unwrap_or_default();
    hasher.write_u64(counts.received());
    hasher.write_u64(counts.sent());
}

fn write_endpoint(hasher: &mut FxHasher, endpoint: Endpoint) {
    let port = u64::from(endpoint.port);
    match endpoint.addr {
        IpAddr::V4(addr) => hasher.write_u64(u64::from(addr.to_bits()) << 32 | port << 8),
        IpAddr::V6(addr) => {
            hasher.write_u64(port << 8 | 1);
            hasher.write_u128(addr.to_bits());
        }
    }
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_small() {
        assert_eq!(size_of::<Option<TrackedSocket>>(), 64);
    }
}
