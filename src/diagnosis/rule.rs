//! The table of rules: one row each.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::group::{Group, Member};
use crate::diagnosis::rules::{
    accept_queue, churn, close_wait, conntrack_full, dead_peer, descriptors, ephemeral_ports, exposed,
    failing_connects, fin_wait2, held_dead, local_reader, loss, memory_pressure, not_accepted, orphans,
    refused_connects, reset_after_accept, retransmits, slow_reader, syn_backlog, syn_drops, syn_sent,
    udp_receive_drops, unanswered_dns, unexpected, zero_window,
};
use crate::diagnosis::track::HOLDS;
use crate::store::rows::Row;

/// A rule; its row in [`RULES`] says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Sockets in `CLOSE_WAIT` that grow in number or are old.
    CloseWaitLeak,
    /// Sockets that were reset, or never connected, and that a process goes on holding.
    HeldDeadSockets,
    /// Connections that wait in an accept queue and that the peer has given up.
    NotAccepted,
    /// An accept queue is nearly full.
    AcceptQueueFull,
    /// New connections are dropped before the handshake.
    SynDrops,
    /// The firewall cannot track more connections.
    ConntrackFull,
    /// The memory of all TCP sockets is scarce.
    MemoryPressure,
    /// Attempts to connect fail.
    FailingConnects,
    /// Attempts to connect are refused.
    RefusedConnects,
    /// Connections are reset soon after they were established.
    ResetAfterAccept,
    /// The ephemeral ports to one destination are nearly used up.
    EphemeralPorts,
    /// Connections to one destination are made and closed very fast.
    Churn,
    /// The peer does not close its side.
    FinWait2Stuck,
    /// The peer does not answer.
    SynSentStuck,
    /// A DNS server does not answer.
    UnansweredDns,
    /// A SYN queue is full, or cookies are sent.
    SynBacklog,
    /// Datagrams are thrown away because their process reads too slowly.
    UdpReceiveDrops,
    /// Datagrams are not sent.
    UdpSendDrops,
    /// Segments that arrived are thrown away for want of room.
    TcpReceiveDrops,
    /// Packets arrive with a wrong checksum.
    DamagedPackets,
    /// Segments are thrown away because of their time stamp.
    PawsDrops,
    /// Connections end without `TIME_WAIT`.
    TimeWaitOverflow,
    /// Segments are sent again and again.
    Retransmitting,
    /// A process of this machine does not read.
    LocalReaderStuck,
    /// The peer does not read.
    ZeroWindow,
    /// A process of this machine, or the peer, reads too slowly.
    SlowReader,
    /// A process is near its limit of open files.
    DescriptorLimit,
    /// A service that should not be reachable from outside is.
    ExposedRiskyPort,
    /// A well-known port is held by an unusual process.
    UnexpectedListener,
    /// Data is on its way to a peer that says nothing any more.
    DeadPeer,
    /// Sockets that no process holds are many.
    Orphans,
}

/// What there is to say about a rule beside its text in `assets/rules.toml` (see `knowledge::rules`).
#[derive(Debug)]
pub struct RuleRow {
    /// The rule; rows stand in the order of the enum, which is that of their weight among findings.
    pub rule: Rule,
    /// The name in JSON, `--fail-on` and `conntop explain`.
    pub id: &'static str,
    /// The rows that it looks at, and to which group each belongs; `None` for a row that is no member.
    pub(super) sets: &'static [Set],
    pub(super) member: MemberOf,
    /// The groups that no rows make up.
    pub(super) groups: fn(&Context) -> Vec<Group>,
    /// What of a group grows.
    pub(super) size: fn(&Group) -> u64,
    /// Whether something is wrong with a group, how bad it is, and how to say so.
    pub(super) judge: fn(&Case) -> Option<Judgement>,
    /// Whether a peer that we chose to connect to is to blame, whoever of this machine has to do with it: then all of
    /// those are one finding.
    pub(super) blames_peer: bool,
    /// Whether the places of one program are judged together too.
    pub(super) rolls_up: bool,
    /// Whether it happens or stands.
    pub(super) kind: Kind,
    /// How long the condition must hold to be a finding.
    pub(super) enters_after: Duration,
    /// How long a finding stays after its condition has gone: what is back before that has never ended.
    pub(super) holds: Duration,
    /// Whether a finding outlasts its group for a moment: the group is seen by chance.
    pub(super) lingers: bool,
}

/// What a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Something that happens, and is told first.
    Event,
    /// A standing fact: told after everything that happens; nobody saw it begin.
    Fact,
}

type MemberOf = for<'a> fn(&Context<'a>, &'a Row) -> Option<Member<'a>>;
type Judge = fn(&Case) -> Option<Judgement>;

/// Rows that the store keeps at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// TCP listeners and bound UDP sockets.
    Listening,
    /// Connections in `CLOSE_WAIT`.
    CloseWait,
    /// TCP sockets in `CLOSE` that a process holds.
    HeldClosed,
    /// Connections that hang, stall or wait to be accepted.
    Suspects,
    /// Connections with much in a queue.
    Queued,
    /// UDP sockets that are connected to a DNS server.
    Lookups,
}

/// A rule that looks at rows.
const fn rows(rule: Rule, id: &'static str, sets: &'static [Set], member: MemberOf, judge: Judge) -> RuleRow {
    RuleRow {
        rule,
        id,
        sets,
        member,
        groups: |_| Vec::new(),
        size: |group| group.sockets.into(),
        judge,
        blames_peer: false,
        kind: Kind::Event,
        rolls_up: false,
        enters_after: Duration::ZERO,
        holds: HOLDS,
        lingers: false,
    }
}

/// A rule that looks at no rows.
const fn whole(rule: Rule, id: &'static str, groups: fn(&Context) -> Vec<Group>, judge: Judge) -> RuleRow {
    rows(rule, id, &[], |_, _| None, judge).whole(groups).size(|group| group.amount)
}

impl RuleRow {
    const fn whole(self, groups: fn(&Context) -> Vec<Group>) -> Self {
        Self { groups, ..self }
    }

    const fn size(self, size: fn(&Group) -> u64) -> Self {
        Self { size, ..self }
    }

    const fn of_peer(self) -> Self {
        Self { blames_peer: true, ..self }
    }

    const fn stands(self) -> Self {
        Self { kind: Kind::Fact, ..self }
    }

    const fn rolls_up(self) -> Self {
        Self { rolls_up: true, ..self }
    }

    const fn lingers(self) -> Self {
        Self { lingers: true, ..self }
    }

    const fn holding(self, seconds: u64) -> Self {
        Self { holds: Duration::from_secs(seconds), ..self }
    }

    const fn after(self, seconds: u64) -> Self {
        Self { enters_after: Duration::from_secs(seconds), ..self }
    }
}

const CLOSE_WAIT_AND_AFTER: &[Set] = &[Set::CloseWait, Set::HeldClosed];
const HELD_CLOSED: &[Set] = &[Set::HeldClosed];
const LISTENING: &[Set] = &[Set::Listening];
const SUSPECTS: &[Set] = &[Set::Suspects];
const LISTENING_SUSPECTS: &[Set] = &[Set::Listening, Set::Suspects];
const QUEUED: &[Set] = &[Set::Queued];

/// Every rule.
#[rustfmt::skip]
pub static RULES: [RuleRow; 31] = [
    rows(Rule::CloseWaitLeak,      "close-wait-leak",     CLOSE_WAIT_AND_AFTER, close_wait::member, close_wait::judge).size(|group| u64::from(group.settled)).rolls_up(),
    rows(Rule::HeldDeadSockets,    "held-dead-sockets",   HELD_CLOSED, held_dead::member,     held_dead::judge).size(|group| u64::from(group.settled)).rolls_up(),
    rows(Rule::NotAccepted,        "not-accepted",        SUSPECTS,   not_accepted::member,   not_accepted::judge),
    rows(Rule::AcceptQueueFull,    "accept-queue-full",   LISTENING,  accept_queue::member,   accept_queue::judge).whole(accept_queue::groups).size(|group| group.amount).lingers(),
    rows(Rule::SynDrops,           "syn-drops",           LISTENING_SUSPECTS, syn_drops::member, syn_drops::judge).whole(syn_drops::groups).size(|group| group.amount),
    whole(Rule::ConntrackFull,     "conntrack-full",      conntrack_full::groups,             conntrack_full::judge),
    whole(Rule::MemoryPressure,    "memory-pressure",     memory_pressure::groups,            memory_pressure::judge),
    whole(Rule::FailingConnects,   "failing-connects",    failing_connects::groups,           failing_connects::judge),
    whole(Rule::RefusedConnects,   "refused-connects",    refused_connects::groups,           refused_connects::judge),
    whole(Rule::ResetAfterAccept,  "reset-after-accept",  reset_after_accept::groups,         reset_after_accept::judge),
    whole(Rule::EphemeralPorts,    "ephemeral-ports",     ephemeral_ports::groups,            ephemeral_ports::judge),
    whole(Rule::Churn,             "churn",               churn::groups,                      churn::judge),
    rows(Rule::FinWait2Stuck,      "fin-wait2-stuck",     SUSPECTS,   fin_wait2::member,      fin_wait2::judge).of_peer().rolls_up(),
    rows(Rule::SynSentStuck,       "syn-sent-stuck",      SUSPECTS,   syn_sent::member,       syn_sent::judge).of_peer().rolls_up().holding(6),
    whole(Rule::UnansweredDns,     "unanswered-dns",      unanswered_dns::groups,             unanswered_dns::judge),
    rows(Rule::SynBacklog,         "syn-backlog",         SUSPECTS,   syn_backlog::member,    syn_backlog::judge).whole(syn_backlog::groups).lingers(),
    whole(Rule::UdpReceiveDrops,   "udp-receive-drops",   udp_receive_drops::groups,          udp_receive_drops::judge),
    whole(Rule::UdpSendDrops,      "udp-send-drops",      |look| loss::UDP_SEND.groups(look),    |case| loss::UDP_SEND.judge(case)),
    whole(Rule::TcpReceiveDrops,   "tcp-receive-drops",   |look| loss::TCP_RECEIVE.groups(look), |case| loss::TCP_RECEIVE.judge(case)),
    whole(Rule::DamagedPackets,    "damaged-packets",     |look| loss::DAMAGED.groups(look),     |case| loss::DAMAGED.judge(case)),
    whole(Rule::PawsDrops,         "paws-drops",          |look| loss::TIME_STAMPS.groups(look), |case| loss::TIME_STAMPS.judge(case)),
    whole(Rule::TimeWaitOverflow,  "time-wait-overflow",  |look| loss::TIME_WAIT.groups(look),   |case| loss::TIME_WAIT.judge(case)),
    rows(Rule::Retransmitting,     "retransmitting",      SUSPECTS,   retransmits::member,    retransmits::judge).whole(retransmits::groups).of_peer().rolls_up().after(1),
    rows(Rule::LocalReaderStuck,   "local-reader-stuck",  QUEUED,     local_reader::member,   local_reader::judge).rolls_up(),
    rows(Rule::ZeroWindow,         "zero-window",         SUSPECTS,   zero_window::member,    zero_window::judge).of_peer().rolls_up(),
    rows(Rule::SlowReader,         "slow-reader",         QUEUED,     slow_reader::member,    slow_reader::judge).rolls_up(),
    whole(Rule::DescriptorLimit,   "descriptor-limit",    descriptors::groups,                descriptors::judge),
    rows(Rule::ExposedRiskyPort,   "exposed-risky-port",  LISTENING,  exposed::member,        exposed::judge).stands(),
    rows(Rule::UnexpectedListener, "unexpected-listener", LISTENING,  unexpected::member,     unexpected::judge).stands(),
    rows(Rule::DeadPeer,           "dead-peer",           SUSPECTS,   dead_peer::member,      dead_peer::judge).of_peer().rolls_up(),
    whole(Rule::Orphans,           "orphans",             orphans::groups,                    orphans::judge),
];

impl Rule {
    /// The rule's row in the table.
    pub fn row(self) -> &'static RuleRow {
        &RULES[self as usize]
    }

    /// The name in JSON, `--fail-on` and `conntop explain`.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The rule of that name, or of that older name.
    pub fn named(id: &str) -> Option<Self> {
        let id = current_id(id);
        RULES.iter().find(|row| row.id == id).map(|row| row.rule)
    }
}

/// Names that rules had, and have no more.
const OLDER_IDS: [(&str, &str); 1] = [("time-wait-churn", "churn")];

/// The name that the rule called `id` has now.
pub fn current_id(id: &str) -> &str {
    OLDER_IDS.iter().find(|(older, _)| *older == id).map_or(id, |(_, current)| *current)
}
