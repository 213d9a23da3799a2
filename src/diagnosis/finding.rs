//! What a rule found: one value a cause, which updates while the cause lasts.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnosis::rule::Rule;
use crate::model::address::{Address, Destination};
use crate::model::delta::Since;
use crate::model::process::{Process, ProcessId};
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Look at it.
    Warning,
    /// Something is failing now, or will within the hour.
    Critical,
}

impl Severity {
    /// The name in JSON and text.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Where the cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The machine, or the network namespace as a whole.
    Machine,
    /// The process as a whole.
    Process,
    /// Client side: connections to this remote endpoint.
    To(Destination),
    /// Server side: the listener, or connections that came in on this local endpoint, with the interface it is bound to.
    On(Destination),
}

/// What makes two findings the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey {
    /// Which rule.
    pub rule: Rule,
    /// Whose.
    pub process: Option<ProcessId>,
    /// Where.
    pub place: Place,
    /// In which network namespace.
    pub netns: NetnsId,
    /// The listening socket that it is about; `None` for what is about no single listener.
    pub listener: Option<SocketId>,
}

/// How fast something grows, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// Change per minute; negative if it falls.
    pub per_minute: f32,
    /// The span that was looked at.
    pub over: Duration,
    /// Share of the change that a straight line explains, 0 to 1: at 0.8 and more it is said as a fact, below that as
    /// "perhaps".
    pub confidence: f32,
}

/// One number or fact behind a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The name in JSON, without its unit (`oldest`, `recv_queue`).
    pub key: &'static str,
    /// What it is, in words ("oldest").
    pub label: &'static str,
    /// What it amounts to.
    pub value: Measure,
    /// Whether it is performance data of `conntop check`.
    pub is_metric: bool,
}

/// A value with its unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// A number of things.
    Count(u64),
    /// A number that names something, such as a port or a pid: it has no thousands separators.
    Id(u64),
    /// A part of a whole: so many of so many.
    Of(u64, u64),
    /// A span of time; JSON name ends in `_seconds`.
    Span(Duration),
    /// Events per second; JSON name ends in `_per_second`.
    PerSecond(f32),
    /// Change per minute; JSON name ends in `_per_minute`.
    PerMinute(f32),
    /// Bytes; JSON name ends in `_bytes`.
    Bytes(u64),
    /// Words; made of sanitised text only.
    Words(String),
}

/// One cause of trouble.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Identity: stays while it updates.
    pub key: FindingKey,
    /// How bad it is now.
    pub severity: Severity,
    /// One line: who, what, where, how many, how fast, since when, what breaks next. Made of sanitised text only.
    pub sentence: String,
    /// Why, in a few words ("never closed"); empty where the rule says it all.
    pub why: &'static str,
    /// The process, as far as one is known.
    pub process: Option<Arc<Process>>,
    /// The state that it is about, if it is about one: marked in the histogram.
    pub state: Option<TcpState>,
    /// How many sockets it is about.
    pub sockets: u32,
    /// The first of them by age: examples.
    pub examples: Vec<SocketId>,
    /// Numbers behind it, in the order in which they are shown.
    pub evidence: Vec<Evidence>,
    /// How fast it grows; `None` while too little is known.
    pub slope: Option<Slope>,
    /// Since when the cause lasts, and how that is known.
    pub since: Option<Since>,
    /// When conntop first said so.
    pub first_found: Timestamp,
    /// When something runs out at this slope; `None` if nothing does.
    pub runs_out: Option<RunsOut>,
    /// A filter that shows the sockets it is about; empty where it is not about sockets.
    pub filter: String,
    /// Another rule that found the same cause; what it knows is part of this finding.
    pub also: Option<Rule>,
}

/// A limit ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunsOut {
    /// What ("descriptors", "ephemeral ports").
    pub what: &'static str,
    /// In how long, from the last sample.
    pub within: Duration,
}

impl Place {
    /// Our end of `socket`.
    pub const fn on(socket: &Socket) -> Self {
        Self::On(socket.place())
    }

    /// The same; every address is one place in IPv4 and IPv6, because it is one service.
    pub fn on_any_family(socket: &Socket) -> Self {
        let Destination { address, port } = socket.place();
        let ip = if address.ip().is_unspecified() { Ipv4Addr::UNSPECIFIED.into() } else { address.ip() };
        Self::On(Destination { address: Address::bound(ip, address.zone()), port })
    }
}

impl Finding {
    /// Which rule found it.
    pub const fn rule(&self) -> Rule {
        self.key.rule
    }
    /// Whether `rule` found it, or found the same cause.
    pub fn is_of(&self, rule: Rule) -> bool {
        self.rule() == rule || self.also == Some(rule)
    }
}
