//! What the kernel tells between two samples: sockets that ended, changes of state, and how many of these were lost.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::memory::give_back;
use crate::model::outcome::SocketError;
use crate::model::process::Holders;
use crate::model::socket::{NetnsId, SocketRef};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;

/// The most ends that one sample carries: 13 s of 5,000 a second. What is beyond counts as lost.
pub const ENDED_MAX: u32 = 65_536;
/// The most changes of state that one sample carries: some 2 s of 5,000 connections a second with both ends here.
pub const STATE_CHANGES_MAX: u32 = 131_072;

/// What reported a transition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventSource {
    /// Two samples differ: it happened between them.
    #[default]
    Samples,
    /// The kernel reported the end of the socket (`SKNLGRP_INET_TCP_DESTROY`); the time is that of reading it.
    DestroyEvent,
    /// The tracepoint `sock:inet_sock_set_state`: the time is exact.
    Tracepoint,
}

impl EventSource {
    /// The name in JSON (`told_by`).
    pub const fn label(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::DestroyEvent => "destroy-event",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// The final counters of a connection, as the kernel reported them when it freed the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinalCounters {
    /// Payload received and sent (acknowledged), in bytes.
    pub bytes: Option<ByteCounts>,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: u32,
    /// Segments sent again over its whole life.
    pub retransmits_total: u32,
}

/// A socket that the kernel has freed. The connection need not be over: at the end that closed first, a mini-socket in
/// `TIME_WAIT` or `FIN_WAIT2` lives on, with the same cookie if it had one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// When it was read, some milliseconds after it happened.
    pub at: Timestamp,
    /// Which. Of one that was disconnected before, not all of it holds: see [`Self::is_emptied`].
    pub socket: SocketRef,
    /// Its final `tcp_info`; `None` for UDP.
    pub info: Option<TcpInfo>,
}

impl Ended {
    /// Whether the socket was disconnected before it was freed: by a close with an `SO_LINGER` of 0, by a connect that
    /// failed, or by one to `AF_UNSPEC`. `tcp_disconnect` (`net/ipv4/tcp.c`) then has emptied it of its remote port, of its
    /// local address (unless bind(2) had set that) and of its counters. The remote address is left, but is the last one that
    /// the socket was connected to, whatever it did since: identity and local port are all that is known.
    pub fn is_emptied(&self) -> bool {
        let SocketRef { protocol, remote, .. } = self.socket;
        protocol == Protocol::Tcp && remote.port == 0 && !remote.addr.is_unspecified()
    }

    /// Whether it is a TCP socket that never was one end of a connection: a listener, or one that was only bound. Which of
    /// the two the kernel does not tell.
    pub fn is_unconnected(&self) -> bool {
        self.socket.protocol == Protocol::Tcp && self.socket.remote.is_unset()
    }

    /// What its connection had come to; `None` where the kernel keeps no count, or has set it back.
    pub fn final_counters(&self) -> Option<FinalCounters> {
        let info = self.info.filter(|_| self.socket.remote.port != 0)?;
        Some(FinalCounters { bytes: info.bytes, rtt_us: info.rtt_us, retransmits_total: info.retransmits_total })
    }
}

/// A change of state of a TCP socket, reported by the tracepoint `sock:inet_sock_set_state` at the moment it happened. The
/// tracepoint does not report the network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedStateChange {
    /// When it happened.
    pub at: Timestamp,
    /// The same number for all changes of one socket; another socket may have it later.
    pub key: u64,
    /// Our end; port 0 while the socket has none.
    pub local: Endpoint,
    /// The other end; port 0 while the socket has none.
    pub remote: Endpoint,
    /// The state before.
    pub from: TcpState,
    /// The state after.
    pub to: TcpState,
}

impl TracedStateChange {
    /// Whether the process that holds the socket makes this change by a call of its own: connect(2), listen(2), shutdown(2)
    /// or close(2). All other changes happen on behalf of whoever runs when a packet or a timer comes.
    pub const fn is_own_call(&self) -> bool {
        use TcpState::{Close, CloseWait, Established, FinWait1, LastAck, Listen, SynSent};
        matches!((self.from, self.to), (Close, SynSent | Listen) | (Established, FinWait1) | (CloseWait, LastAck))
    }
}

/// Which process made a [`TracedStateChange`] by a call of its own, and so holds or held the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// When the change happened.
    pub at: Timestamp,
    /// The key of the change.
    pub key: u64,
    /// The process.
    pub process: Arc<Holders>,
    /// The network namespace that the process was in, which as a rule is that of its sockets; `None` where it may not be
    /// seen.
    pub netns: Option<NetnsId>,
}

/// The error that the kernel reported after a [`TracedStateChange`] to `CLOSE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseError {
    /// When the change happened.
    pub at: Timestamp,
    /// The key of the change.
    pub key: u64,
    /// The error.
    pub error: SocketError,
}

/// Events that were lost since the last sample. For [`EventSource::Samples`]: samples that could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// What reports these events.
    pub of: EventSource,
    /// How many; `None` where the kernel does not say.
    pub count: Option<u64>,
}

/// What the kernel reported since the last sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Sockets that were freed before the sample was begun, in the order in which they were reported.
    pub ended: Vec<Ended>,
    /// Changes of state up to the end of the sample, by time.
    pub state_changes: Vec<TracedStateChange>,
    /// Who made them, as far as that is known; by time.
    pub callers: Vec<Caller>,
    /// The errors that the kernel reported after changes to `CLOSE`; by time.
    pub errors: Vec<CloseError>,
    /// Whether every such error is among them, so that a change without one had none.
    pub errors_are_told: bool,
    /// How many ends and changes were lost.
    pub lost: Vec<Loss>,
    /// Which event sources are in use.
    pub event_status: EventStatus,
}

impl Events {
    /// Empties it for the next sample; keeps the memory.
    pub fn clear(&mut self) {
        let (ended, steps) = (self.ended.len(), self.state_changes.len());
        self.ended.clear();
        give_back(&mut self.ended, ended);
        self.state_changes.clear();
        give_back(&mut self.state_changes, steps);
        self.callers.clear();
        give_back(&mut self.callers, steps);
        self.errors.clear();
        give_back(&mut self.errors, steps);
        self.errors_are_told = false;
        self.lost.clear();
        self.event_status = EventStatus::default();
    }

    /// Whether nothing was reported and nothing lost.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.state_changes.is_empty() && self.lost.is_empty()
    }
}

/// Whether one source of events is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventSourceStatus {
    /// Nobody asked for it, or the source has none.
    #[default]
    Off,
    /// It reports.
    On,
    /// It cannot be used; the sentence says why, and what would help.
    Refused(DisplayText),
}

/// Which sources report what happens between samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStatus {
    /// Destroy events (`SKNLGRP_INET_TCP_DESTROY`): the end of every socket of conntop's own network namespace, with its final
    /// counters.
    pub ends: EventSourceStatus,
    /// The tracepoint `sock:inet_sock_set_state`: exact transitions.
    pub trace: EventSourceStatus,
}

impl EventStatus {
    /// How transitions are known, in words for the header and the help.
    pub fn words(&self) -> &'static str {
        match (&self.trace, &self.ends) {
            (EventSourceStatus::On, _) => "exact transitions (tracepoint)",
            (_, EventSourceStatus::On) => "transitions between samples, every end",
            _ => "transitions between samples",
        }
    }
}
