//! What changed between two snapshots, and the row that the rest of the program works with.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use crate::model::address_text::AddressText;
use crate::model::coverage::Coverage;
use crate::model::descriptors::Descriptors;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::event::EventStatus;
pub use crate::model::event::{EventSource, FinalCounters};
use crate::model::facts::Facts;
use crate::model::hosts::{HostNumber, HostStatus};
use crate::model::network::Network;
use crate::model::outcome::{EndReport, Outcome};
use crate::model::process::{Names, Owner, ProcessId, Usage};
use crate::model::socket::{Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::tcp_state::TcpState;
use crate::model::time::{Timestamp, WallTime};
use crate::model::units;

/// How a moment in the past is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgeBasis {
    /// conntop saw it happen, between two samples.
    Observed,
    /// The kernel's own clocks say so.
    Kernel,
    /// It happened then or earlier.
    AtLeast,
}

impl AgeBasis {
    /// The name in JSON and filters.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Kernel => "kernel",
            Self::AtLeast => "at-least",
        }
    }

    /// What stands before an age in a sentence: `≥` where it can be more.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Observed | Self::Kernel => "",
            Self::AtLeast => "≥",
        }
    }
}

/// A moment in the past, and how it is known. Stored instead of an age, so that it does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The moment.
    pub at: Timestamp,
    /// How it is known.
    pub basis: AgeBasis,
}

impl Since {
    /// The age at `now`.
    pub const fn age(self, now: Timestamp) -> Duration {
        now.since(self.at)
    }

    /// The same in words, with its mark: `52m`, `≥52m`.
    pub fn age_text(self, now: Timestamp) -> String {
        format!("{}{}", self.basis.mark(), units::age(self.age(now)))
    }
}

/// Payload per second, over the time between the last two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Received, in bytes per second.
    pub received: f32,
    /// Sent, in bytes per second.
    pub sent: f32,
}

impl Rates {
    /// The same in whole bytes, so that what is taken from a sum is what was added to it; no rate is negative.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    pub fn whole(self) -> Traffic {
        Traffic { received: self.received.round() as u64, sent: self.sent.round() as u64 }
    }
}

/// Payload of several sockets per second: the sum of their [`Rates`] in whole bytes, which the sums of the tables are, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Received, in bytes per second.
    pub received: u64,
    /// Sent, in bytes per second.
    pub sent: u64,
}

/// A tracked socket: what the tables show.
///
/// Cheap to copy: what is known of the socket exists once, shared by the tracker and the store. Its fields are read as
/// if they were this one's own. Writing to one, as tests do, makes a copy if it is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    known: Arc<ObservedSocket>,
    rates: CompactRates,
}

/// [`Rates`] or none, in eight bytes. No rate is a number whose bits are all set.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CompactRates {
    received: u32,
    sent: u32,
}

impl CompactRates {
    const NONE: Self = Self { received: u32::MAX, sent: u32::MAX };

    const fn of(rates: Option<Rates>) -> Self {
        match rates {
            Some(Rates { received, sent }) => Self { received: received.to_bits(), sent: sent.to_bits() },
            None => Self::NONE,
        }
    }

    const fn rates(self) -> Option<Rates> {
        match self {
            Self::NONE => None,
            Self { received, sent } => Some(Rates { received: f32::from_bits(received), sent: f32::from_bits(sent) }),
        }
    }
}

impl fmt::Debug for CompactRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rates().fmt(f)
    }
}

/// What is known of a tracked socket but for its rates, which also change while all else stays.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedSocket {
    /// The socket as last seen; its owner is completed from memory.
    pub socket: Socket,
    /// Since when it is in its state; `None` where nothing says (a listener older than conntop).
    pub state_since: Option<Since>,
    /// When conntop first saw it.
    pub first_seen: Timestamp,
}

impl Connection {
    /// The connection of which that much is known.
    pub const fn new(known: Arc<ObservedSocket>, rates: Option<Rates>) -> Self {
        Self { known, rates: CompactRates::of(rates) }
    }

    /// Payload per second; `None` until two samples exist or where bytes are not counted.
    pub const fn rates(&self) -> Option<Rates> {
        self.rates.rates()
    }

    /// Other rates, as tests and reports of the past need them.
    pub const fn set_rates(&mut self, rates: Option<Rates>) {
        self.rates = CompactRates::of(rates);
    }
}

impl From<ObservedSocket> for Connection {
    fn from(known: ObservedSocket) -> Self {
        Self::new(Arc::new(known), None)
    }
}

impl Deref for Connection {
    type Target = ObservedSocket;

    fn deref(&self) -> &ObservedSocket {
        &self.known
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut ObservedSocket {
        Arc::make_mut(&mut self.known)
    }
}

/// A socket that is gone: no trace of it is left, `TIME_WAIT` included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Which.
    pub id: SocketId,
    /// When it was first missing.
    pub at: Timestamp,
}

/// A change of state, an opening (`from` is `None`) or an end (`to` is `None`; with `from`, where its last state is not known).
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// When it happened, as well as that is known and never later than it was seen: exact where the tracepoint reported it, within
    /// some 10 ms where a clock of the kernel or a destroy event did, else when the sample was taken that first showed it.
    pub at: Timestamp,
    /// Which socket.
    pub id: SocketId,
    /// Protocol.
    pub protocol: Protocol,
    /// It is one of the TCP sockets that carry an MPTCP connection; false where no sample showed the socket.
    pub of_subflow: bool,
    /// Our end; where the address is unspecified, see [`Self::is_emptied`].
    pub local: Endpoint,
    /// The other end; unset where there is none or, of an emptied socket, where it is not known.
    pub remote: Endpoint,
    /// The interface that the socket is bound to; `None` also where the source of the event does not say.
    pub interface: Option<NonZeroU32>,
    /// The state before; `None` for a socket that was opened, and for the end of one whose last state is not known.
    pub from: Option<TcpState>,
    /// The state after; `None` for a socket that is gone.
    pub to: Option<TcpState>,
    /// The time spent in `from` and how it is known; `None` where nothing says.
    pub lasted: Option<(Duration, AgeBasis)>,
    /// Whether states in between were missed: RFC 9293 knows no way from `from` to `to` in one step.
    pub skipped: bool,
    /// Whose it is or was.
    pub owner: Owner,
    /// What reported it.
    pub source: EventSource,
    /// The kernel had emptied the socket before it reported its end, and nothing else did: the remote end is not known, nor is
    /// the local address where it is unspecified.
    pub is_emptied: bool,
    /// What the kernel reported of the end, for an end; [`Self::outcome`] says what that means.
    pub report: EndReport,
    /// The final counters, for the end of a connection that the kernel reported.
    pub final_counters: Option<FinalCounters>,
}

impl Transition {
    /// A step of `socket`, as two samples show it: its owner, how long `from` lasted and what else is known are for the
    /// caller to add.
    pub const fn new(socket: &SocketRef, at: Timestamp, from: Option<TcpState>, to: Option<TcpState>) -> Self {
        Self {
            at,
            id: socket.id,
            protocol: socket.protocol,
            of_subflow: false,
            local: socket.local,
            remote: socket.remote,
            interface: socket.interface,
            from,
            to,
            lasted: None,
            skipped: false,
            owner: Owner::None,
            source: EventSource::Samples,
            is_emptied: false,
            report: EndReport::NotReported,
            final_counters: None,
        }
    }

    /// How the connection, or the attempt at one, came to its end; `None` for what is no end of one. Where the kernel's report
    /// is missing, only what the last state alone proves is told.
    pub fn outcome(&self) -> Option<Outcome> {
        use TcpState::{Bound, Close, Established, FinWait2, LastAck, Listen, SynSent, TimeWait, Unconn};
        if self.to.is_some() || self.protocol != Protocol::Tcp {
            return None;
        }
        match (self.from, self.report) {
            (None, _) => self.is_emptied.then_some(Outcome::Unknown),
            (Some(Listen | Bound | Close | Unconn), _) => None,
            (Some(TimeWait | LastAck), _) => Some(Outcome::Closed),
            (Some(_), EndReport::Error(error)) => Some(Outcome::of_error(error)),
            (Some(FinWait2), _) => Some(Outcome::Closed),
            (Some(SynSent), EndReport::NoError) => Some(Outcome::GivenUp),
            (Some(Established | TcpState::CloseWait), EndReport::NoError) => Some(Outcome::ResetHere),
            (Some(_), _) => Some(Outcome::Unknown),
        }
    }

    /// Whether it is the opening of a socket.
    pub const fn is_opening(&self) -> bool {
        self.from.is_none() && self.to.is_some()
    }

    /// Our end as text; what is not known is `?`.
    pub fn local_text(&self, names: &Names) -> String {
        let is_blank = self.is_emptied && self.local.addr.is_unspecified();
        if is_blank {
            return format!("?:{}", self.local.port);
        }
        AddressText::local_of(&self.socket(), names).with_port(self.local.port).to_string()
    }

    /// The other end as text; `None` where there is none, `?` where it is not known.
    pub fn remote_text(&self, names: &Names) -> Option<String> {
        if self.is_emptied {
            return Some("?".to_owned());
        }
        let text = || AddressText::remote_of(&self.socket(), names).with_port(self.remote.port).to_string();
        (!self.remote.is_unset()).then(text)
    }

    /// The socket, as far as it is known.
    pub const fn socket(&self) -> SocketRef {
        let Self { id, protocol, local, remote, interface, .. } = *self;
        SocketRef { id, protocol, local, remote, interface }
    }
}

/// A stretch of time in which events of the kernel were lost, or in which no sample could be taken
/// ([`EventSource::Samples`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The sample before the loss.
    pub from: Timestamp,
    /// The sample that found it.
    pub to: Timestamp,
    /// How many events were lost; `None` where the kernel does not say.
    pub lost: Option<u64>,
    /// Which source lost them.
    pub of: EventSource,
}

/// How often samples come in truth, and what it costs to take all of them less often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleIntervals {
    /// From one sample to the next; `None` where nothing says so (a recording).
    pub every: Option<Duration>,
    /// From one sample of every socket to the next, where those between are partial.
    pub full_every: Option<Duration>,
    /// Openings, changes and ends that the last full sample showed and no partial one before it.
    pub late: u32,
}

/// Of which moment what a partial sample leaves out is: of that of the last sample that listed such sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsOf {
    /// TCP sockets that are established or in `TIME_WAIT`, which partial samples leave out (see
    /// [`Scope`](crate::model::snapshot::Scope)); `None` where the last sample lists all.
    pub rest: Option<Timestamp>,
    /// UDP sockets; `None` where the last sample lists them.
    pub udp: Option<Timestamp>,
    /// TCP sockets in other states, but for those that listen: at least; `None` where the last sample lists each of them.
    pub others: Option<Timestamp>,
}

impl AsOf {
    /// The moment for `socket`; `None` where that is the last sample.
    pub fn of(self, socket: &Socket) -> Option<Timestamp> {
        match socket.protocol {
            Protocol::Udp => self.udp,
            Protocol::Tcp if matches!(socket.state, TcpState::Established | TcpState::TimeWait) => self.rest,
            Protocol::Tcp if socket.state == TcpState::Listen => None,
            Protocol::Tcp => self.others,
            Protocol::Mptcp => None,
        }
    }
}

/// The difference between two samples. `added`, `changed` and `removed` are disjoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// When the newer sample was begun.
    pub at: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// How long taking the sample took.
    pub took: Duration,
    /// Sockets not there before.
    pub added: Vec<Connection>,
    /// Sockets that differ from before, whole.
    pub changed: Vec<Connection>,
    /// Sockets that are gone.
    pub removed: Vec<Removed>,
    /// Sockets that this sample should have listed and did not. They stay until the next one does not either, and what
    /// is known of them is of the sample before.
    pub unlisted: Vec<SocketId>,
    /// What happened, in the order in which it was found, or by time where the kernel told of it; nothing on the first sample.
    pub transitions: Vec<Transition>,
    /// What could not be seen.
    pub coverage: Arc<Coverage>,
    /// Names of users, interfaces, network namespaces and units.
    pub names: Arc<Names>,
    /// Limits and counters of the kernel.
    pub facts: Arc<Facts>,
    /// Where events of the kernel were lost, so that ends or transitions may be missing.
    pub gaps: Vec<Gap>,
    /// Which sources report what happens between samples.
    pub event_status: EventStatus,
    /// What visible processes use.
    pub usage: Vec<(ProcessId, Usage)>,
    /// The descriptors of every process that holds a socket, ascending by process.
    pub descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    /// Details of visible connections.
    pub details: Vec<(SocketId, TcpDetail)>,
    /// What all connections of the sample moved since the one before, subflows aside, whose bytes their MPTCP connection counts
    /// as well. `None` where that is not known: in a first or a partial sample, and where the source counts no bytes.
    pub traffic: Option<Traffic>,
    /// Another sample follows at once: nothing of this one needs to be on the screen.
    pub is_overtaken: bool,
    /// Interfaces and routes, where the sample had them.
    pub network: Option<Arc<Network>>,
    /// How often samples come.
    pub sample_intervals: SampleIntervals,
    /// Of which moment that is which this sample did not list.
    pub as_of: AsOf,
    /// What becomes of the streams of the hosts that are shown; none where the source is no stream.
    pub host_statuses: Arc<Vec<HostStatus>>,
    /// Where several hosts are shown: what each of those that had a sample had alone. The rows are those of above, the facts,
    /// descriptors and all else only its own. `self` has no facts then, as they are those of one machine.
    pub by_host: Vec<HostDelta>,
}

/// What one of several hosts has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct HostDelta {
    /// The host.
    pub host: HostNumber,
    /// What changed there.
    pub delta: Delta,
}
