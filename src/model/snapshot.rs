//! What a source hands over: every socket at one moment, and what came with it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::coverage::Coverage;
use crate::model::delta::Delta;
use crate::model::descriptors::Descriptors;
use crate::model::endpoint::Protocol;
use crate::model::event::Events;
use crate::model::facts::Facts;
use crate::model::network::Network;
use crate::model::process::{Names, ProcessId, Usage};
use crate::model::query::SocketQuery;
use crate::model::socket::{Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};

/// Where snapshots come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// Linux `sock_diag`(7).
    Linux,
    /// Linux `/proc/net/{tcp,tcp6,udp,udp6}`.
    Procfs,
    /// The netstat2 and sysinfo libraries.
    Portable,
    /// A recording.
    Replay,
    /// Made up, from a seed.
    Synthetic,
}

impl SourceKind {
    /// The name in `--source` and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Procfs => "procfs",
            Self::Portable => "portable",
            Self::Replay => "replay",
            Self::Synthetic => "synthetic",
        }
    }

    /// Whether it can look into other network namespaces.
    pub const fn sees_namespaces(self) -> bool {
        matches!(self, Self::Linux | Self::Procfs)
    }
}

/// What can be done to what a source shows. A recording and a demo have none: they can never kill a live process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Its processes are live ones of this machine.
    pub kill: bool,
    /// Its sockets are live ones of this machine, and it knows which is which.
    pub close: bool,
}

/// A source, described once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Which one.
    pub kind: SourceKind,
    /// The host it shows.
    pub host: DisplayText,
    /// What can be done to what it shows.
    pub abilities: Abilities,
}

/// What a sample is to bring: of the sockets all or a part, and beyond them only what is visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Processes whose CPU and memory are shown. Nothing that a rule judges by is asked for here: see
    /// [`Snapshot::descriptors`].
    pub usage: Vec<ProcessId>,
    /// Connections whose whole `tcp_info` is shown.
    pub details: Vec<SocketRef>,
    /// The sockets of every network namespace that the user may enter, not only of conntop's own.
    pub all_namespaces: bool,
    /// A partial sample will do, at a part of the price: of a [`Scope`] that the source chooses, of the sockets that ended
    /// since the last sample, of [`Self::visible`], and of those that the sink misses. It may be a full one after all, as
    /// [`Snapshot::scope`] says.
    pub partial: bool,
    /// Sockets on the screen: a partial sample looks them up, so that what is looked at is of now.
    pub visible: Vec<SocketRef>,
    /// How long a sample may wait for names of users that it asks for: long where it is printed and that is all. The
    /// names that come later come with a later sample.
    pub wait_for_names: Duration,
    /// Which sockets a full sample has to list, and what it has to tell of them. A socket that it does not list is gone or no
    /// longer meets the condition; so who compares samples asks each time the same.
    pub query: SocketQuery,
    /// The interfaces and the routes of conntop's own network namespace are shown.
    pub network: bool,
    /// What the user asks for by name: where this kernel does not tell it, the coverage says so.
    pub by_name: AskedByName,
}

/// What a filter or a choice of columns names and some kernels do not tell. Who only lists everything asks for none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedByName {
    /// TCP sockets that are bound and neither listen nor are connected: `state:bound`.
    pub bound: bool,
    /// MPTCP connections: `proto:mptcp`.
    pub mptcp: bool,
    /// The units of sockets: `unit:`, or the column.
    pub units: bool,
}

impl AskedByName {
    /// What either asks for.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { bound: self.bound || other.bound, mptcp: self.mptcp || other.mptcp, units: self.units || other.units }
    }
}

/// Which sockets a sample lists without fail. A socket outside of it that is not listed is unknown, not gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// One bit a TCP state: `1 << (state as u16)`; and [`CHANGES_TOLD`].
    tcp: u16,
    /// UDP sockets of every state.
    udp: bool,
}

/// The bit of [`Scope::has_told_changes`]; no state has this number.
const CHANGES_TOLD: u16 = 1 << 15;

impl Scope {
    /// Every socket.
    pub const ALL: Self = Self { tcp: u16::MAX, udp: true };

    /// The TCP sockets that listen: the kernel has a table of its own for them.
    pub const LISTENERS: Self = Self::tcp(&[TcpState::Listen]);

    /// The TCP sockets in one of `states`; UDP is left out.
    pub const fn tcp(states: &[TcpState]) -> Self {
        let (mut tcp, mut nth) = (0, 0);
        while nth < states.len() {
            tcp |= 1 << states[nth] as u16;
            nth += 1;
        }
        Self { tcp, udp: false }
    }

    /// With the TCP sockets in `state` too.
    #[must_use]
    pub const fn and(self, state: TcpState) -> Self {
        Self { tcp: self.tcp | 1 << state as u16, ..self }
    }

    /// With all UDP sockets too.
    #[must_use]
    pub const fn and_udp(self) -> Self {
        Self { udp: true, ..self }
    }

    /// Of a sample for which the kernel told every change of state since the one before, and for which each socket that it
    /// told of was looked up.
    #[must_use]
    pub const fn with_told_changes(self) -> Self {
        Self { tcp: self.tcp | CHANGES_TOLD, ..self }
    }

    /// Whether TCP sockets that were opened, closed or changed their state are shown whatever that state is. What is not
    /// covered and not listed has kept its state, as far as the kernel told; its queues and counters are of before.
    pub const fn has_told_changes(self) -> bool {
        self.tcp & CHANGES_TOLD != 0
    }

    /// Whether a socket of `protocol` in `state` is listed if it exists.
    pub const fn covers(self, protocol: Protocol, state: TcpState) -> bool {
        match protocol {
            Protocol::Tcp => self.tcp & 1 << state as u16 != 0,
            Protocol::Udp => self.udp,
            // They are few, and the kernel cannot be asked for one of them: every sample lists them all.
            Protocol::Mptcp => true,
        }
    }

    /// Whether every socket is listed.
    pub fn is_all(self) -> bool {
        self == Self::ALL
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::ALL
    }
}

/// The sockets at one moment: all of them, or those of a [`Scope`] and some that were looked up, but for those that the
/// [`Sink`](crate::model::sink::SampleSink) knew. Sources refill one value again and again, so that its memory is reused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When the sample was begun.
    pub at: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// How long taking it took.
    pub took: Duration,
    /// What `sockets` lists without fail, but for what the sink knew.
    pub scope: Scope,
    /// The sockets, each once.
    pub sockets: Vec<Socket>,
    /// Sockets that the kernel was asked for by identity and no longer has: gone for certain.
    pub gone: Vec<SocketId>,
    /// What could not be seen.
    pub coverage: Coverage,
    /// Names of users, interfaces, network namespaces and units.
    pub names: Arc<Names>,
    /// Limits and counters of the kernel.
    pub facts: Arc<Facts>,
    /// What the processes of [`Needs::usage`] use.
    pub usage: Vec<(ProcessId, Usage)>,
    /// The descriptors of every process that holds a socket, ascending by process; the same value as before where nothing
    /// has changed.
    pub descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    /// The details of [`Needs::details`], for those still there.
    pub details: Vec<(SocketId, TcpDetail)>,
    /// What the kernel told since the last sample, if somebody listens.
    pub events: Events,
    /// Interfaces and routes; `None` where nobody asks for them or the source does not tell them. Recordings do not hold them.
    pub network: Option<Arc<Network>>,
    /// What follows from the sample, where that was found out before: a recording since format 6 holds what its tracker said. Then
    /// nothing is compared, and `sockets` is empty. The first sample and the first one after [`Source::seek`](crate::source::Source::seek)
    /// hold every socket as added.
    pub tracked: Option<Box<Delta>>,
}

impl Snapshot {
    /// Empties it for the next sample; keeps the memory.
    pub fn clear(&mut self) {
        self.scope = Scope::ALL;
        self.sockets.clear();
        self.gone.clear();
        self.coverage = Coverage::default();
        self.usage.clear();
        self.descriptors = Arc::default();
        self.details.clear();
        self.events.clear();
        self.network = None;
        self.tracked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_says_for_each_state_whether_a_missing_socket_means_something() {
        let scope = Scope::tcp(&[TcpState::Listen, TcpState::CloseWait]);
        assert!(scope.covers(Protocol::Tcp, TcpState::Listen) && scope.covers(Protocol::Tcp, TcpState::CloseWait));
        assert!(!scope.covers(Protocol::Tcp, TcpState::Established) && !scope.covers(Protocol::Udp, TcpState::Unconn));
        assert!(scope.and(TcpState::TimeWait).covers(Protocol::Tcp, TcpState::TimeWait));
        assert!(scope.and_udp().covers(Protocol::Udp, TcpState::Established));
        assert!(!scope.is_all() && Scope::default().is_all());
        assert!(!scope.has_told_changes() && scope.with_told_changes().has_told_changes());
        assert!(!scope.with_told_changes().covers(Protocol::Tcp, TcpState::Established));
    }
}
