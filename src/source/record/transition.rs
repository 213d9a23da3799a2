//! Transitions, ends and gaps of format 6. A transition of a socket that has a row is written as what differs from that row.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::delta::{AgeBasis, EventSource, FinalCounters, Gap, Since, Transition};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::outcome::{EndReport, SocketError};
use crate::model::process::Owner;
use crate::model::socket::{SocketId, SocketRef};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::source::record::bytes::Relative;
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::RecordingFault;
use crate::source::record::relative::cases;
use crate::source::record::row::OwnedRow;

/// What a transition is relative to: what the row of its socket says, or the transition before it.
#[derive(Clone, Debug)]
pub struct TransitionBase {
    socket: SocketRef,
    of_subflow: bool,
    owner: u64,
    at: Timestamp,
    from: Option<TcpState>,
    to: Option<TcpState>,
    /// Since when it was in the state before.
    since: Option<Since>,
}

/// The state that a row was in before this sample, and since when; none for a row that is new.
#[derive(Clone, Copy, Debug)]
pub struct StateBefore {
    state: Option<TcpState>,
    since: Option<Since>,
}

impl StateBefore {
    /// Of a row that is new.
    pub const NEW: Self = Self { state: None, since: None };

    /// Of a row that was `row`.
    pub fn of(row: &OwnedRow) -> Self {
        Self { state: Some(row.row.socket.state), since: row.row.state_since }
    }
}

impl TransitionBase {
    /// That which `row` says, in a sample that was begun `at`: of one that the sample adds or changes that it came from the state
    /// `before`, of another one that it is over.
    pub fn of_row(row: &OwnedRow, before: Option<StateBefore>, at: Timestamp) -> Self {
        let (socket, since) = (&row.row.socket, row.row.state_since);
        let over = StateBefore::of(row);
        let (before, to, at) = match before {
            Some(before) => (before, Some(socket.state), since.map_or(at, |since| since.at)),
            None => (over, None, at),
        };
        let StateBefore { state: from, since } = before;
        let (of_subflow, owner) = (socket.is_subflow, row.owner);
        Self { socket: socket.reference(), of_subflow, owner, at, from, to, since }
    }

    /// What a transition said, for the next one of a sample that was begun `at`.
    pub const fn of(transition: &Transition, owner: u64, at: Timestamp) -> Self {
        let (socket, of_subflow) = (transition.socket(), transition.of_subflow);
        Self { socket, of_subflow, owner, at, from: None, to: None, since: None }
    }

    /// How long the state before has lasted at `at`.
    fn lasted(&self, at: Timestamp) -> Option<(Duration, AgeBasis)> {
        self.since.map(|since| (since.age(at), since.basis))
    }
}

/// Writes a transition. `slot` is that of the row that `base` is of, if there is one; `owner` the number of its owner.
pub fn put(transition: &Transition, owner: u64, slot: Option<u32>, base: &TransitionBase, out: &mut BytesOut) {
    let socket = base.socket;
    out.structure(|fields| {
        if let Some(slot) = slot {
            fields.always(0, |out| out.number(slot.into()));
        }
        fields.put(1, &transition.at, &base.at);
        fields.put(2, &transition.from, &base.from);
        fields.put(3, &transition.to, &base.to);
        fields.put(4, &lasted(transition.lasted), &lasted(base.lasted(transition.at)));
        fields.put(5, &transition.source, &EventSource::Samples);
        if owner != base.owner {
            fields.always(6, |out| out.number(owner));
        }
        fields.put(7, &transition.skipped, &false);
        fields.put(8, &transition.is_emptied, &false);
        fields.put(9, &transition.report, &EndReport::NotReported);
        fields.put(10, &transition.final_counters, &None);
        fields.put(11, &transition.id, &socket.id);
        fields.put(12, &transition.protocol, &socket.protocol);
        fields.put(13, &transition.local, &socket.local);
        fields.put(14, &transition.remote, &socket.remote);
        fields.put(15, &plain(transition.interface), &plain(socket.interface));
        fields.put(16, &transition.of_subflow, &base.of_subflow);
    });
}

/// Reads a transition and the number of its owner. `base_of` gives what that of a slot, or the one before, is relative to.
pub fn take(
    bytes: &mut BytesIn<'_>,
    base_of: impl FnOnce(Option<u32>) -> Result<TransitionBase, RecordingFault>,
    owner_of: impl FnOnce(u64) -> Result<Owner, RecordingFault>,
) -> Result<(Transition, u64), RecordingFault> {
    let mut fields = bytes.structure()?;
    let slot = if fields.has(0) { Some(fields.bytes().index()?) } else { None };
    let base = base_of(slot)?;
    let SocketRef { id, protocol, local, remote, interface } = base.socket;
    let at = fields.take(1, &base.at)?;
    let (from, to) = (fields.take(2, &base.from)?, fields.take(3, &base.to)?);
    let lasted = fields.take(4, &lasted(base.lasted(at)))?;
    let source = fields.take(5, &EventSource::Samples)?;
    let owner = if fields.has(6) { fields.bytes().number()? } else { base.owner };
    let transition = Transition {
        at,
        from,
        to,
        lasted: lasted.map(|(nanos, basis)| (Duration::from_nanos(nanos), basis.0)),
        source,
        owner: owner_of(owner)?,
        skipped: fields.take(7, &false)?,
        is_emptied: fields.take(8, &false)?,
        report: fields.take(9, &EndReport::NotReported)?,
        final_counters: fields.take(10, &None)?,
        id: fields.take(11, &id)?,
        protocol: fields.take(12, &protocol)?,
        local: fields.take(13, &local)?,
        remote: fields.take(14, &remote)?,
        interface: NonZeroU32::new(fields.take(15, &plain(interface))?),
        of_subflow: fields.take(16, &base.of_subflow)?,
    };
    Ok((transition, owner))
}

/// What the first transition of a sample without a row is relative to.
pub fn blank(at: Timestamp) -> TransitionBase {
    let unset = Endpoint::new(crate::model::endpoint::Family::Ipv4.unspecified(), 0);
    let id = SocketId::from_cookie(0, crate::model::netns::NetnsId(0));
    let socket = SocketRef { id, protocol: Protocol::Tcp, local: unset, remote: unset, interface: None };
    TransitionBase { socket, of_subflow: false, owner: 0, at, from: None, to: None, since: None }
}

/// Writes a gap.
pub fn put_gap(gap: &Gap, out: &mut BytesOut) {
    let at = out.at;
    out.structure(|fields| {
        fields.put(0, &gap.from, &at);
        fields.put(1, &gap.to, &at);
        fields.put(2, &gap.lost, &None);
        fields.put(3, &gap.of, &EventSource::Samples);
    });
}

/// Reads a gap.
pub fn take_gap(bytes: &mut BytesIn<'_>) -> Result<Gap, RecordingFault> {
    let at = bytes.at;
    let mut fields = bytes.structure()?;
    Ok(Gap {
        from: fields.take(0, &at)?,
        to: fields.take(1, &at)?,
        lost: fields.take(2, &None)?,
        of: fields.take(3, &EventSource::Samples)?,
    })
}

fn plain(number: Option<NonZeroU32>) -> u32 {
    number.map_or(0, NonZeroU32::get)
}

/// A basis that an option can hold.
#[derive(Clone, Copy, PartialEq)]
struct LastedBasis(AgeBasis);

impl Default for LastedBasis {
    fn default() -> Self {
        Self(AgeBasis::Observed)
    }
}

impl Relative for LastedBasis {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        self.0.put(&base.0, out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        AgeBasis::take(&base.0, bytes).map(Self)
    }
}

fn lasted(lasted: Option<(Duration, AgeBasis)>) -> Option<(u64, LastedBasis)> {
    lasted.map(|(time, basis)| (u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), LastedBasis(basis)))
}

cases! {
    EventSource: [EventSource::Samples, EventSource::DestroyEvent, EventSource::Tracepoint];
    EndReport: [
        EndReport::NotReported,
        EndReport::NoError,
        REFUSED,
        RESET,
        TIMED_OUT,
        UNREACHABLE,
        ABORTED,
        OTHER,
    ];
}
const REFUSED: EndReport = EndReport::Error(SocketError::Refused);
const RESET: EndReport = EndReport::Error(SocketError::Reset);
const TIMED_OUT: EndReport = EndReport::Error(SocketError::TimedOut);
const UNREACHABLE: EndReport = EndReport::Error(SocketError::Unreachable);
const ABORTED: EndReport = EndReport::Error(SocketError::Aborted);
const OTHER: EndReport = EndReport::Error(SocketError::Other);

impl Relative for FinalCounters {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        self.bytes.put(&base.bytes, out);
        self.rtt_us.put(&base.rtt_us, out);
        self.retransmits_total.put(&base.retransmits_total, out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        Ok(Self {
            bytes: Relative::take(&base.bytes, bytes)?,
            rtt_us: Relative::take(&base.rtt_us, bytes)?,
            retransmits_total: Relative::take(&base.retransmits_total, bytes)?,
        })
    }
}

impl Relative for Option<TcpState> {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        out.byte(u8::from(self.is_some()));
        if let Some(state) = self {
            state.put(state, out);
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let is_there = bool::take(&false, bytes)?;
        is_there.then(|| TcpState::take(&TcpState::Close, bytes)).transpose()
    }
}
