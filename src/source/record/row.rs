//! A row of format 6: a socket, since when it is so, and what it moves, relative to the row before it or to what it was.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::model::delta::{AgeBasis, Connection, ObservedSocket, Rates, Since};
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::netns::NetnsId;
use crate::model::process::Owner;
use crate::model::socket::{Drops, Queues, Socket, SocketId, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::source::record::bytes::Relative;
use crate::source::record::bytes::{BytesIn, BytesOut, FieldsIn, FieldsOut};
use crate::source::record::format::RecordingFault;
use crate::source::record::relative::cases;

/// The fields of a row. Those that change most often have the lowest numbers, so that the mask is short. A new one goes to the
/// end and gets the next number.
mod field {
    pub const RATES: u32 = 0;
    pub const BYTES: u32 = 1;
    pub const LAST_DATA_SENT: u32 = 2;
    pub const LAST_DATA_RECEIVED: u32 = 3;
    pub const LAST_ACK_RECEIVED: u32 = 4;
    pub const RTT: u32 = 5;
    pub const QUEUES: u32 = 6;
    pub const TIMER: u32 = 7;
    pub const STATE: u32 = 8;
    pub const STATE_SINCE: u32 = 9;
    pub const UNACKED: u32 = 10;
    pub const RTO: u32 = 11;
    pub const RETRANSMITS: u32 = 12;
    pub const BACKOFF: u32 = 13;
    pub const PROBES: u32 = 14;
    pub const SPURIOUS: u32 = 15;
    pub const HAS_TCP: u32 = 16;
    pub const OWNER: u32 = 17;
    pub const ID: u32 = 18;
    pub const REMOTE_PORT: u32 = 19;
    pub const REMOTE_ADDR: u32 = 20;
    pub const LOCAL_PORT: u32 = 21;
    pub const LOCAL_ADDR: u32 = 22;
    pub const INODE: u32 = 23;
    pub const FIRST_SEEN: u32 = 24;
    pub const PROTOCOL: u32 = 25;
    pub const FAMILY: u32 = 26;
    pub const INTERFACE: u32 = 27;
    pub const V6ONLY: u32 = 28;
    pub const UID: u32 = 29;
    pub const CGROUP: u32 = 30;
    pub const DROPS: u32 = 31;
    pub const IS_SUBFLOW: u32 = 32;
}

/// A row, and the number that stands for its owner in the tables of the group.
#[derive(Clone, Debug)]
pub struct OwnedRow {
    /// The row.
    pub row: Connection,
    /// See [`WrittenHolders::code`](crate::source::record::holders::WrittenHolders::code).
    pub owner: u64,
}

/// What the first row of a sample that was begun `at` is relative to.
pub fn blank(at: Timestamp) -> OwnedRow {
    let socket = Socket {
        id: SocketId::from_cookie(0, NetnsId(0)),
        protocol: Protocol::Tcp,
        state: TcpState::Established,
        family: Family::Ipv4,
        local: Endpoint::new(Family::Ipv4.unspecified(), 0),
        remote: Endpoint::new(Family::Ipv4.unspecified(), 0),
        interface: None,
        v6only: None,
        inode: None,
        uid: None,
        cgroup: None,
        queues: None,
        timer: None,
        tcp: None,
        drops: None,
        is_subflow: false,
        owner: Owner::None,
    };
    OwnedRow { row: ObservedSocket { socket, state_since: None, first_seen: at }.into(), owner: 0 }
}

/// Writes `row` as what differs from `base`. `over` is the time since the sample before.
pub fn put(row: &OwnedRow, base: &OwnedRow, over: Duration, out: &mut BytesOut) {
    let (new, old) = (&row.row.socket, &base.row.socket);
    out.structure(|fields| {
        put_rates(&row.row, &base.row, over, fields);
        let old_tcp = old.tcp.unwrap_or_default();
        // What a socket without counters would say of them is not written.
        let tcp = new.tcp.unwrap_or(old_tcp);
        fields.put(field::BYTES, &tcp.bytes, &old_tcp.bytes);
        fields.put(field::LAST_DATA_SENT, &tcp.last_data_sent, &old_tcp.last_data_sent);
        fields.put(field::LAST_DATA_RECEIVED, &tcp.last_data_received, &old_tcp.last_data_received);
        fields.put(field::LAST_ACK_RECEIVED, &tcp.last_ack_received, &old_tcp.last_ack_received);
        fields.put(field::RTT, &tcp.rtt_us, &old_tcp.rtt_us);
        fields.put(field::QUEUES, &new.queues, &old.queues);
        fields.put(field::TIMER, &new.timer, &old.timer);
        fields.put(field::STATE, &new.state, &old.state);
        fields.put(field::STATE_SINCE, &row.row.state_since, &base.row.state_since);
        fields.put(field::UNACKED, &tcp.unacked, &old_tcp.unacked);
        fields.put(field::RTO, &tcp.rto_us, &old_tcp.rto_us);
        fields.put(field::RETRANSMITS, &tcp.retransmits_total, &old_tcp.retransmits_total);
        fields.put(field::BACKOFF, &tcp.backoff, &old_tcp.backoff);
        fields.put(field::PROBES, &tcp.probes, &old_tcp.probes);
        fields.put(field::SPURIOUS, &tcp.retransmits_spurious, &old_tcp.retransmits_spurious);
        fields.put(field::HAS_TCP, &new.tcp.is_some(), &old.tcp.is_some());
        if row.owner != base.owner {
            fields.always(field::OWNER, |out| out.number(row.owner));
        }
        fields.put(field::ID, &new.id, &old.id);
        fields.put(field::REMOTE_PORT, &new.remote.port, &old.remote.port);
        fields.put(field::REMOTE_ADDR, &new.remote.addr, &old.remote.addr);
        fields.put(field::LOCAL_PORT, &new.local.port, &old.local.port);
        fields.put(field::LOCAL_ADDR, &new.local.addr, &old.local.addr);
        fields.put(field::INODE, &plain(new.inode), &plain(old.inode));
        fields.put(field::FIRST_SEEN, &row.row.first_seen, &base.row.first_seen);
        fields.put(field::PROTOCOL, &new.protocol, &old.protocol);
        fields.put(field::FAMILY, &new.family, &old.family);
        fields.put(field::INTERFACE, &plain(new.interface), &plain(old.interface));
        fields.put(field::V6ONLY, &new.v6only, &old.v6only);
        fields.put(field::UID, &new.uid, &old.uid);
        let cgroup = |socket: &Socket| socket.cgroup.map_or(0, NonZeroU64::get);
        fields.put(field::CGROUP, &cgroup(new), &cgroup(old));
        fields.put(field::DROPS, &new.drops.map(Drops::count), &old.drops.map(Drops::count));
        fields.put(field::IS_SUBFLOW, &new.is_subflow, &old.is_subflow);
    });
}

/// Reads a row that was written relative to `base`; `owner` knows who the numbers stand for.
pub fn take(
    base: &OwnedRow,
    over: Duration,
    bytes: &mut BytesIn<'_>,
    owner: impl FnOnce(u64) -> Result<Owner, RecordingFault>,
) -> Result<OwnedRow, RecordingFault> {
    let mut fields = bytes.structure()?;
    let old = &base.row.socket;
    let rates = take_rates(&mut fields)?;
    let old_tcp = old.tcp.unwrap_or_default();
    let mut tcp = TcpInfo {
        bytes: fields.take(field::BYTES, &old_tcp.bytes)?,
        last_data_sent: fields.take(field::LAST_DATA_SENT, &old_tcp.last_data_sent)?,
        last_data_received: fields.take(field::LAST_DATA_RECEIVED, &old_tcp.last_data_received)?,
        last_ack_received: fields.take(field::LAST_ACK_RECEIVED, &old_tcp.last_ack_received)?,
        rtt_us: fields.take(field::RTT, &old_tcp.rtt_us)?,
        ..old_tcp
    };
    let queues = fields.take(field::QUEUES, &old.queues)?;
    let timer = fields.take(field::TIMER, &old.timer)?;
    let state = fields.take(field::STATE, &old.state)?;
    let state_since = fields.take(field::STATE_SINCE, &base.row.state_since)?;
    tcp.unacked = fields.take(field::UNACKED, &old_tcp.unacked)?;
    tcp.rto_us = fields.take(field::RTO, &old_tcp.rto_us)?;
    tcp.retransmits_total = fields.take(field::RETRANSMITS, &old_tcp.retransmits_total)?;
    tcp.backoff = fields.take(field::BACKOFF, &old_tcp.backoff)?;
    tcp.probes = fields.take(field::PROBES, &old_tcp.probes)?;
    tcp.retransmits_spurious = fields.take(field::SPURIOUS, &old_tcp.retransmits_spurious)?;
    let has_tcp = fields.take(field::HAS_TCP, &old.tcp.is_some())?;
    let (code, owner) = if fields.has(field::OWNER) {
        let code = fields.bytes().number()?;
        (code, owner(code)?)
    } else {
        (base.owner, old.owner.clone())
    };
    let id = fields.take(field::ID, &old.id)?;
    let remote_port = fields.take(field::REMOTE_PORT, &old.remote.port)?;
    let remote = Endpoint::new(fields.take(field::REMOTE_ADDR, &old.remote.addr)?, remote_port);
    let local_port = fields.take(field::LOCAL_PORT, &old.local.port)?;
    let local = Endpoint::new(fields.take(field::LOCAL_ADDR, &old.local.addr)?, local_port);
    let inode = NonZeroU32::new(fields.take(field::INODE, &plain(old.inode))?);
    let first_seen = fields.take(field::FIRST_SEEN, &base.row.first_seen)?;
    let socket = Socket {
        id,
        protocol: fields.take(field::PROTOCOL, &old.protocol)?,
        state,
        family: fields.take(field::FAMILY, &old.family)?,
        local,
        remote,
        interface: NonZeroU32::new(fields.take(field::INTERFACE, &plain(old.interface))?),
        v6only: fields.take(field::V6ONLY, &old.v6only)?,
        inode,
        uid: fields.take(field::UID, &old.uid)?,
        cgroup: NonZeroU64::new(fields.take(field::CGROUP, &old.cgroup.map_or(0, NonZeroU64::get))?),
        queues,
        timer,
        tcp: has_tcp.then_some(tcp),
        drops: fields.take(field::DROPS, &old.drops.map(Drops::count))?.map(Drops::new),
        is_subflow: fields.take(field::IS_SUBFLOW, &old.is_subflow)?,
        owner,
    };
    let is_same = *old == socket && base.row.state_since == state_since && base.row.first_seen == first_seen;
    let mut row = if is_same { base.row.clone() } else { ObservedSocket { socket, state_since, first_seen }.into() };
    row.set_rates(match rates {
        WrittenRates::AsBefore => base.row.rates(),
        WrittenRates::Of(rates) => rates,
        WrittenRates::ByCounts => by_counts(&base.row, &row, over),
    });
    Ok(OwnedRow { row, owner: code })
}

fn plain(number: Option<NonZeroU32>) -> u32 {
    number.map_or(0, NonZeroU32::get)
}

/// How rates are written: most follow from the counts of this sample and the one before.
enum WrittenRates {
    AsBefore,
    ByCounts,
    Of(Option<Rates>),
}

const NO_RATES: u8 = 0;
const IDLE: u8 = 1;
const BY_COUNTS: u8 = 2;
const TOLD: u8 = 3;

fn put_rates(row: &Connection, base: &Connection, over: Duration, fields: &mut FieldsOut<'_>) {
    let rates = row.rates();
    if are_same(rates, base.rates()) {
        return;
    }
    let derived = by_counts(base, row, over);
    fields.always(field::RATES, |out| match rates {
        None => out.byte(NO_RATES),
        Some(Rates { received: 0.0, sent: 0.0 }) => out.byte(IDLE),
        Some(_) if are_same(rates, derived) => out.byte(BY_COUNTS),
        Some(Rates { received, sent }) => {
            out.byte(TOLD);
            received.put(&0.0, out);
            sent.put(&0.0, out);
        }
    });
}

fn take_rates(fields: &mut FieldsIn<'_>) -> Result<WrittenRates, RecordingFault> {
    if !fields.has(field::RATES) {
        return Ok(WrittenRates::AsBefore);
    }
    let bytes = fields.bytes();
    Ok(match bytes.byte()? {
        NO_RATES => WrittenRates::Of(None),
        IDLE => WrittenRates::Of(Some(Rates::default())),
        BY_COUNTS => WrittenRates::ByCounts,
        TOLD => {
            let (received, sent) = (f32::take(&0.0, bytes)?, f32::take(&0.0, bytes)?);
            WrittenRates::Of(Some(Rates { received, sent }))
        }
        _ => return Err(RecordingFault::Nonsense("a rate is written in an unknown way")),
    })
}

/// Bit by bit: -0 is not 0 here.
fn are_same(one: Option<Rates>, other: Option<Rates>) -> bool {
    let bits = |rates: Rates| (rates.received.to_bits(), rates.sent.to_bits());
    one.map(bits) == other.map(bits)
}

/// What was moved from `old` to `new` in that time, per second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "it is compared with what is so rounded"
)]
fn by_counts(old: &Connection, new: &Connection, over: Duration) -> Option<Rates> {
    let (old, new) = (old.socket.tcp?.bytes?, new.socket.tcp?.bytes?);
    let rate = |new: u64, old: u64| (new.saturating_sub(old) as f64 / over.as_secs_f64()) as f32;
    let rates = Rates { received: rate(new.received(), old.received()), sent: rate(new.sent(), old.sent()) };
    (rates.received.is_finite() && rates.sent.is_finite()).then_some(rates)
}

impl Relative for ByteCounts {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        (self.received(), self.sent()).put(&(base.received(), base.sent()), out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        <(u64, u64)>::take(&(base.received(), base.sent()), bytes).map(Self::from)
    }
}

impl Relative for Queues {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        (self.receive, self.send).put(&(base.receive, base.send), out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let (receive, send) = Relative::take(&(base.receive, base.send), bytes)?;
        Ok(Self { receive, send })
    }
}

cases! {
    TimerKind: [TimerKind::Retransmit, TimerKind::KeepAlive, TimerKind::TimeWait, TimerKind::ZeroWindow];
    AgeBasis: [AgeBasis::Observed, AgeBasis::Kernel, AgeBasis::AtLeast];
}

impl Relative for Option<Timer> {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        out.byte(u8::from(self.is_some()));
        if let Some(Timer { kind, retries, expires }) = self {
            kind.put(kind, out);
            retries.put(&0, out);
            expires.put(expires, out);
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        if !bool::take(&false, bytes)? {
            return Ok(None);
        }
        let kind = TimerKind::take(&TimerKind::Retransmit, bytes)?;
        let retries = u8::take(&0, bytes)?;
        Ok(Some(Timer { kind, retries, expires: Relative::take(&Timestamp::default().into(), bytes)? }))
    }
}

impl Relative for Option<Since> {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        out.byte(u8::from(self.is_some()));
        if let Some(Since { at, basis }) = self {
            at.put(at, out);
            basis.put(basis, out);
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        if !bool::take(&false, bytes)? {
            return Ok(None);
        }
        let at = Timestamp::take(&Timestamp::default(), bytes)?;
        Ok(Some(Since { at, basis: AgeBasis::take(&AgeBasis::Observed, bytes)? }))
    }
}
