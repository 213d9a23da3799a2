//! What a rule found: one value a cause, which updates while the cause lasts.

pub mod record;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::diagnosis::rule::Rule;
use crate::knowledge::{remedies, rules};
use crate::model::address::{Address, Destination};
use crate::model::delta::Since;
use crate::model::process::Process;
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::model::units;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It should be looked at.
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
pub enum FindingScope {
    /// The machine, or the network namespace as a whole.
    Machine,
    /// The process as a whole.
    Process,
    /// Client side: connections to this remote endpoint.
    To(Destination),
    /// Server side: the listener, or connections that came in on this local endpoint, with the interface it is bound to.
    On(Destination),
}

/// The name of a program as a part of a key: its first 16 bytes, the rest 0. Linux keeps at most 15 (`TASK_COMM_LEN`,
/// include/linux/sched.h); programs of other systems that begin alike count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramName([u8; ProgramName::LEN]);

impl ProgramName {
    const LEN: usize = 16;

    /// That of a process called `name`.
    pub fn named(name: &str) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        Self(bytes)
    }

    /// That of `process`.
    pub fn of(process: &Process) -> Self {
        Self::named(process.name.as_str())
    }
}

/// What makes two findings the same one. No process is part of it: pids come and go while a trouble lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey {
    /// Which rule.
    pub rule: Rule,
    /// Of which program; `None` where none is known, and for what is the trouble of a peer, whoever of this machine has
    /// it.
    pub program: Option<ProgramName>,
    /// Where.
    pub scope: FindingScope,
    /// In which network namespace.
    pub netns: NetnsId,
    /// The listening socket that it is about; `None` for what is about no single listener.
    pub listener: Option<SocketId>,
}

impl FindingKey {
    /// What is about the machine, or our network namespace, as a whole.
    pub(super) fn machine(rule: Rule) -> Self {
        Self { rule, program: None, scope: FindingScope::Machine, netns: NetnsId::default(), listener: None }
    }
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
    /// The process, where a single one has the trouble and is known.
    pub process: Option<Arc<Process>>,
    /// The name of the program, where all of the processes are of one.
    pub program: Option<DisplayText>,
    /// How many known processes share the trouble; at least so many from `PROCESSES_MAX` (1,024) on.
    pub processes: u32,
    /// The first [`PROCESSES_LISTED_MAX`] of them, those with most sockets first.
    pub process_shares: Vec<ProcessShare>,
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
    /// Since when the condition lasts, and how that is known: as far back as anything has proved it.
    pub since: Option<Since>,
    /// Since when the oldest of the sockets of now is part of it.
    pub oldest: Option<Since>,
    /// When conntop first said so.
    pub first_found: Timestamp,
    /// When something runs out at this slope; `None` if nothing does.
    pub runs_out: Option<RunsOut>,
    /// A filter that shows the sockets it is about; empty where it is not about sockets.
    pub filter: String,
    /// Another rule that found the same cause; what it knows is part of this finding.
    pub also: Option<Rule>,
    /// What else was found and is explained by this.
    pub caused: CausedFindings,
}

/// One of the processes that share a trouble.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessShare {
    /// The process.
    pub process: Arc<Process>,
    /// How many of the sockets are its own; 0 where the rule counts no sockets of processes.
    pub sockets: u32,
}

/// Findings that another one explains: they are reported as a part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CausedFindings {
    /// The first [`CAUSED_LISTED_MAX`] in full: in the order of their rules, those with most sockets first.
    pub listed: Vec<CausedFinding>,
    /// How many more findings there are.
    pub more: u32,
    /// The sockets of those.
    pub more_sockets: u64,
    /// The rules of those, ascending.
    pub more_rules: Vec<Rule>,
}

/// A finding that another one explains.
#[derive(Clone, Debug, PartialEq)]
pub struct CausedFinding {
    /// Which rule found it.
    pub rule: Rule,
    /// Its own sentence.
    pub sentence: String,
    /// How many sockets it is about.
    pub sockets: u32,
    /// How many processes have it.
    pub processes: u32,
    /// A filter that shows its sockets; empty where it is not about sockets.
    pub filter: String,
}

impl ProcessShare {
    /// `worker[812] 3 sockets`.
    fn words(&self) -> String {
        let Self { process, sockets } = self;
        format!("{process} {}", units::counted((*sockets).into(), "socket"))
    }
}

/// So many of the processes of one finding are listed.
pub const PROCESSES_LISTED_MAX: usize = 16;
/// So many of the findings that another one explains are listed in full.
pub const CAUSED_LISTED_MAX: usize = 8;

/// A limit ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunsOut {
    /// What ("descriptors", "ephemeral ports").
    pub what: &'static str,
    /// In how long, from the last sample: what is left, by what is used up in that time.
    pub within: Duration,
    /// How many are left.
    pub left: u64,
    /// How many more are used up per minute; 0 where none is left.
    pub per_minute: f32,
}

impl FindingScope {
    /// Whether it is an address of the loopback network: its peers are on this machine.
    pub const fn is_loopback(&self) -> bool {
        match self {
            Self::To(end) | Self::On(end) => end.address.ip().is_loopback(),
            Self::Machine | Self::Process => false,
        }
    }

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

impl CausedFindings {
    /// What is explained, a line each; the last says how many more there are.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let listed = self.listed.iter().map(|caused| caused.sentence.clone());
        let more = match self.more {
            0 => None,
            1 => Some("1 more finding".to_owned()),
            more => Some(format!("{} more findings", units::count(more.into()))),
        };
        listed.chain(more)
    }
}

impl Finding {
    /// The name of the program that has the trouble, and the command line of one of its processes; blank where not known.
    pub fn program_and_command(&self) -> (&str, &str) {
        let one = self.process.as_ref().or_else(|| self.process_shares.first().map(|share| &share.process));
        let name = self.program.as_ref().map(AsRef::as_ref);
        let is_of_one = self.process.is_some() || name.is_some();
        let one = one.filter(|_| is_of_one);
        (name.or(one.map(|one| one.name.as_str())).unwrap_or_default(), one.map_or("", |one| one.command.as_str()))
    }

    /// The filters that show what it is about: its own first, then those of what it explains.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        let explained = self.caused.listed.iter().map(|caused| caused.filter.as_str());
        std::iter::once(self.filter.as_str()).chain(explained).filter(|text| !text.is_empty())
    }

    /// `40: worker[812] 3 sockets, worker[813] 2 sockets and 38 more`: who shares it, where several do.
    pub fn processes_in_words(&self) -> Option<String> {
        const NAMED_MAX: usize = 4;
        if self.processes < 2 {
            return None;
        }
        let named: Vec<String> = self.process_shares.iter().take(NAMED_MAX).map(ProcessShare::words).collect();
        let more = self.processes.saturating_sub(u32::try_from(named.len()).unwrap_or(u32::MAX));
        let more = if more > 0 { format!(" and {} more", units::count(more.into())) } else { String::new() };
        Some(format!("{}: {}{more}", units::count(self.processes.into()), named.join(", ")))
    }

    /// What to do about it: in the program that has the trouble, then in general, as fits the place of its peers.
    pub fn remedy(&self) -> Vec<&'static str> {
        let (name, command) = self.program_and_command();
        let in_program = remedies::of(self.rule().id(), name, command);
        let general = rules::text(self.rule().id()).into_iter();
        let general = general.flat_map(|text| text.remedies(self.key.scope.is_loopback()));
        in_program.iter().chain(general).map(String::as_str).collect()
    }

    /// What does not help against it.
    pub fn does_not_help(&self) -> &'static [String] {
        rules::text(self.rule().id()).map_or(&[], |text| &text.does_not_help)
    }

    /// The command that says what it means.
    pub fn explain_command(&self) -> String {
        format!("conntop explain {}", self.rule().id())
    }

    /// Which rule found it.
    pub const fn rule(&self) -> Rule {
        self.key.rule
    }

    /// Whether `rule` found it, found the same cause, or found something that it explains.
    pub fn is_of(&self, rule: Rule) -> bool {
        let explains = self.caused.listed.iter().any(|caused| caused.rule == rule);
        self.rule() == rule || self.also == Some(rule) || explains || self.caused.more_rules.contains(&rule)
    }
}

#[cfg(test)]
pub(crate) mod testing;
