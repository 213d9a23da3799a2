//! One cause is one finding: what a finding explains is reported as a part of it.
//!
//! [`LINKS`] is the table: which rule explains which other, and what places or processes of the two must have in common.
//! Each link finds its causes by a key, so that many findings cost no more than their number.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::diagnosis::finding::{
    CAUSED_LISTED_MAX, CausedFinding, CausedFindings, Finding, FindingKey, FindingScope, ProgramName, Slope,
};
use crate::diagnosis::memory;
use crate::diagnosis::rule::Rule;
use crate::model::address::Address;
use crate::model::process::ProcessId;
use crate::model::socket::{NetnsId, Socket};
use crate::store::Store;
use crate::store::row::SocketRow;

/// What is sent again is counted over this time.
const RESENT_OVER: Duration = Duration::from_secs(60);
/// So many percent are nearly all.
const NEARLY_ALL: u64 = 90;

/// What two findings must have in common to be looked at together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MatchKey {
    /// A port of a namespace: ours that is listened on, or that of a peer.
    Port(NetnsId, u16),
    /// An address and port, in whatever namespace.
    End(IpAddr, u16),
    /// A peer's address.
    Host(NetnsId, Address),
    /// A peer's address and port.
    To(NetnsId, FindingScope),
    /// Our address and port.
    On(NetnsId, FindingScope),
    /// A program.
    Program(ProgramName),
}

/// What a finding is met by; `None` for one that has no such thing.
type MatchKeyOf = fn(&Finding, &Store) -> Option<MatchKey>;

/// How a cause and its effect belong together.
struct CauseRelation {
    /// Where a cause is looked for, and under what its effect looks; any of the pairs will do.
    meets: &'static [(MatchKeyOf, MatchKeyOf)],
    /// Whether the first of two that meet explains the second.
    explains: fn(&Finding, &Finding, &Store) -> bool,
}

/// A rule that explains another one.
struct CauseLink {
    cause: Rule,
    effect: Rule,
    by: &'static CauseRelation,
}

const fn link(cause: Rule, effect: Rule, by: &'static CauseRelation) -> CauseLink {
    CauseLink { cause, effect, by }
}

/// The clients of a listener of this machine.
static CLIENTS: CauseRelation =
    CauseRelation { meets: &[(listened_port, called_port), (waited_at, called)], explains: is_client_of };
/// The connections that came in by the same listener, or on its place.
static SAME_PLACE: CauseRelation = CauseRelation { meets: &[(here, here)], explains: is_same_listener };
/// Whatever goes to the same host.
static SAME_HOST: CauseRelation = CauseRelation { meets: &[(host, host)], explains: |_, _, _| true };
/// Other ports of the same host: the first by its key stands for all.
static OTHER_PORT: CauseRelation =
    CauseRelation { meets: &[(host, host)], explains: |one, other, _| one.key < other.key };
/// Whatever goes to the same address and port.
static SAME_DESTINATION: CauseRelation = CauseRelation { meets: &[(there, there)], explains: |_, _, _| true };
/// The processes of the effect have no descriptor left.
static OUT_OF_DESCRIPTORS: CauseRelation = CauseRelation { meets: &[(program, program)], explains: has_none_left };
/// Most of the descriptors that the processes of the effect use, or of those by which they become more, are sockets of the
/// cause.
static HOLDS_DESCRIPTORS: CauseRelation = CauseRelation { meets: &[(program, program)], explains: holds_most };

/// The processes of the cause hold the other ends of the connections of the effect.
static OTHER_ENDS: CauseRelation = CauseRelation { meets: &[(program, program_beyond)], explains: holds_other_ends };
/// Nearly all that this machine sends again goes to the host of the cause.
static RESENT_TO: CauseRelation =
    CauseRelation { meets: &[(any_host, most_resent), (waited_host, most_resent)], explains: |_, _, _| true };

/// Which rule explains which, the better explanation first. No rule explains itself, over whatever ways, but for other
/// ports of one host, of which the first explains the rest, and for a host that explains what is said of the machine.
#[rustfmt::skip]
static LINKS: &[CauseLink] = &[
    link(Rule::CloseWaitLeak,   Rule::DescriptorLimit, &HOLDS_DESCRIPTORS),
    link(Rule::HeldDeadSockets, Rule::DescriptorLimit, &HOLDS_DESCRIPTORS),
    link(Rule::DescriptorLimit, Rule::AcceptQueueFull, &OUT_OF_DESCRIPTORS),
    link(Rule::DescriptorLimit, Rule::NotAccepted,     &OUT_OF_DESCRIPTORS),
    link(Rule::AcceptQueueFull, Rule::SynBacklog,      &SAME_PLACE),
    link(Rule::AcceptQueueFull, Rule::SynSentStuck,    &CLIENTS),
    link(Rule::AcceptQueueFull, Rule::Retransmitting,  &CLIENTS),
    link(Rule::AcceptQueueFull, Rule::DeadPeer,        &CLIENTS),
    link(Rule::AcceptQueueFull, Rule::ZeroWindow,      &CLIENTS),
    link(Rule::AcceptQueueFull, Rule::FinWait2Stuck,   &CLIENTS),
    link(Rule::AcceptQueueFull, Rule::SynDrops,        &SAME_PLACE),
    link(Rule::AcceptQueueFull, Rule::Retransmitting,  &RESENT_TO),
    link(Rule::NotAccepted,     Rule::SynSentStuck,    &CLIENTS),
    link(Rule::NotAccepted,     Rule::Retransmitting,  &CLIENTS),
    link(Rule::NotAccepted,     Rule::ZeroWindow,      &CLIENTS),
    link(Rule::NotAccepted,     Rule::FinWait2Stuck,   &CLIENTS),
    link(Rule::SynDrops,        Rule::SynBacklog,      &SAME_PLACE),
    link(Rule::SynDrops,        Rule::SynSentStuck,    &CLIENTS),
    link(Rule::SynDrops,        Rule::Retransmitting,  &CLIENTS),
    link(Rule::SynBacklog,      Rule::SynSentStuck,    &CLIENTS),
    link(Rule::SynBacklog,      Rule::Retransmitting,  &CLIENTS),
    link(Rule::CloseWaitLeak,   Rule::FinWait2Stuck,   &OTHER_ENDS),
    link(Rule::LocalReaderStuck, Rule::ZeroWindow,     &OTHER_ENDS),
    link(Rule::LocalReaderStuck, Rule::Retransmitting, &OTHER_ENDS),
    link(Rule::SlowReader,      Rule::ZeroWindow,      &OTHER_ENDS),
    link(Rule::AcceptQueueFull, Rule::FailingConnects, &CLIENTS),
    link(Rule::NotAccepted,     Rule::FailingConnects, &CLIENTS),
    link(Rule::SynDrops,        Rule::FailingConnects, &CLIENTS),
    link(Rule::SynBacklog,      Rule::FailingConnects, &CLIENTS),
    link(Rule::FailingConnects, Rule::SynSentStuck,    &SAME_DESTINATION),
    link(Rule::FailingConnects, Rule::FailingConnects, &OTHER_PORT),
    link(Rule::FailingConnects, Rule::DeadPeer,        &SAME_HOST),
    link(Rule::FailingConnects, Rule::Retransmitting,  &SAME_HOST),
    link(Rule::SynSentStuck,    Rule::SynSentStuck,    &OTHER_PORT),
    link(Rule::SynSentStuck,    Rule::DeadPeer,        &SAME_HOST),
    link(Rule::SynSentStuck,    Rule::Retransmitting,  &SAME_HOST),
    link(Rule::DeadPeer,        Rule::DeadPeer,        &OTHER_PORT),
    link(Rule::DeadPeer,        Rule::Retransmitting,  &SAME_HOST),
    link(Rule::SynSentStuck,    Rule::Retransmitting,  &RESENT_TO),
    link(Rule::DeadPeer,        Rule::Retransmitting,  &RESENT_TO),
    link(Rule::Retransmitting,  Rule::Retransmitting,  &RESENT_TO),
    link(Rule::Churn,           Rule::EphemeralPorts,  &SAME_DESTINATION),
];

fn listened_port(finding: &Finding, _: &Store) -> Option<MatchKey> {
    match finding.key.scope {
        FindingScope::On(local) => Some(MatchKey::Port(finding.key.netns, local.port)),
        _ => None,
    }
}

fn called_port(finding: &Finding, _: &Store) -> Option<MatchKey> {
    match finding.key.scope {
        FindingScope::To(remote) => Some(MatchKey::Port(finding.key.netns, remote.port)),
        _ => None,
    }
}

/// Where the connections came in that the cause is about: the address that their peers called.
fn waited_at(finding: &Finding, store: &Store) -> Option<MatchKey> {
    let waiting = live(finding, store).next()?;
    Some(MatchKey::End(waiting.local.addr.to_canonical(), waiting.local.port))
}

fn called(finding: &Finding, _: &Store) -> Option<MatchKey> {
    match finding.key.scope {
        FindingScope::To(remote) => Some(MatchKey::End(remote.address.ip(), remote.port)),
        _ => None,
    }
}

fn here(finding: &Finding, _: &Store) -> Option<MatchKey> {
    let place = finding.key.scope;
    matches!(place, FindingScope::On(_)).then_some(MatchKey::On(finding.key.netns, place))
}

fn there(finding: &Finding, _: &Store) -> Option<MatchKey> {
    let place = finding.key.scope;
    matches!(place, FindingScope::To(_)).then_some(MatchKey::To(finding.key.netns, place))
}

fn host(finding: &Finding, _: &Store) -> Option<MatchKey> {
    match finding.key.scope {
        // Each port of our own addresses is a service of its own.
        FindingScope::To(remote) if !remote.address.ip().is_loopback() => {
            Some(MatchKey::Host(finding.key.netns, remote.address))
        }
        _ => None,
    }
}

/// The host that the cause is about, be it this one.
fn any_host(finding: &Finding, _: &Store) -> Option<MatchKey> {
    match finding.key.scope {
        FindingScope::To(remote) => Some(MatchKey::Host(finding.key.netns, remote.address)),
        _ => None,
    }
}

/// The address that those called who wait.
fn waited_host(finding: &Finding, store: &Store) -> Option<MatchKey> {
    matches!(finding.key.scope, FindingScope::On(_)).then_some(())?;
    let waiting = live(finding, store).next()?;
    Some(MatchKey::Host(waiting.id.netns(), waiting.place().address))
}

/// The host to which nearly all of what the whole machine sends again goes.
fn most_resent(finding: &Finding, store: &Store) -> Option<MatchKey> {
    matches!(finding.key.scope, FindingScope::Machine).then_some(())?;
    let resent = store.rows().losses().retransmitted(RESENT_OVER, store.at());
    let all: u64 = resent.iter().map(|(_, number)| *number).sum();
    let (peer, most) = resent.into_iter().max_by_key(|(peer, number)| (*number, Reverse(*peer)))?;
    (most * 100 >= all * NEARLY_ALL).then_some(MatchKey::Host(peer.netns, peer.address))
}

fn program(finding: &Finding, _: &Store) -> Option<MatchKey> {
    finding.program.as_ref().map(|name| MatchKey::Program(ProgramName::named(name.as_str())))
}

fn is_same_listener(cause: &Finding, effect: &Finding, _: &Store) -> bool {
    cause.key.listener.is_none() || effect.key.listener.is_none() || cause.key.listener == effect.key.listener
}

/// Whether the effect's connections are meant for the listener of the cause.
fn is_client_of(cause: &Finding, effect: &Finding, store: &Store) -> bool {
    let mut examples = live(effect, store).peekable();
    if examples.peek().is_none() {
        return cause.key.netns == effect.key.netns && listens_on(cause.key.scope, effect.key.scope);
    }
    examples.any(|socket| is_target_of(cause, socket, store) || waits_beside(cause, socket, store))
}

/// Without a socket of the client only a loopback address is known to be here.
fn listens_on(listener: FindingScope, called: FindingScope) -> bool {
    let (FindingScope::On(local), FindingScope::To(remote)) = (listener, called) else { return false };
    let (near, far) = (local.address.ip(), remote.address.ip());
    let is_any = near.is_unspecified() && near.is_ipv4() == far.is_ipv4();
    far.is_loopback() && (near == far || is_any)
}

fn is_target_of(cause: &Finding, client: &Socket, store: &Store) -> bool {
    if client.id.netns() != cause.key.netns {
        return false;
    }
    let Some(called) = store.listeners().target_of(client) else { return false };
    match cause.key.listener {
        Some(id) => called.all().iter().any(|listener| listener.id == id),
        None => cause.key.scope == FindingScope::On(called.place.destination()),
    }
}

/// Whether a connection from the client's address to the same place is one of those that the cause is about, also of
/// another network namespace: a container's client of a container. Addresses alone prove nothing there: two networks may
/// use the same.
fn waits_beside(cause: &Finding, client: &Socket, store: &Store) -> bool {
    let plain = |addr: IpAddr| addr.to_canonical();
    live(cause, store).any(|waiting| {
        let is_there = waiting.local.port == client.remote.port
            && plain(waiting.local.addr) == plain(client.remote.addr)
            && plain(waiting.remote.addr) == plain(client.local.addr);
        is_there && !plain(client.remote.addr).is_loopback()
    })
}

/// The examples that are still there.
fn live<'a>(finding: &'a Finding, store: &'a Store) -> impl Iterator<Item = &'a Socket> {
    let rows = finding.examples.iter().filter_map(|id| store.rows().live(*id));
    rows.map(|row: &SocketRow| &row.connection.socket)
}

/// The program at the other end of the first example, where that is on this machine.
fn program_beyond(finding: &Finding, store: &Store) -> Option<MatchKey> {
    let peer = live(finding, store).find_map(|socket| store.peer(socket))?;
    let holder = peer.connection.socket.owner.holders()?.first();
    Some(MatchKey::Program(ProgramName::of(holder)))
}

fn holds_other_ends(cause: &Finding, effect: &Finding, store: &Store) -> bool {
    let is_own = |socket: &Socket| {
        let peer = store.peer(socket).and_then(|row| row.connection.socket.owner.holders());
        peer.is_some_and(|holders| holders.all().iter().any(|process| of(cause, process.id)))
    };
    let mut examples = live(effect, store).peekable();
    examples.peek().is_some() && examples.all(is_own)
}

/// Whether every process of the effect has used up its descriptors.
fn has_none_left(cause: &Finding, effect: &Finding, store: &Store) -> bool {
    let has_none = |process| memory::descriptors(store, process).is_some_and(|(used, max)| used >= max);
    every_sharer(effect, |pid| of(cause, pid) && has_none(pid))
}

/// Whether at least half of the descriptors of every process of the effect are sockets of the cause, or at least half of
/// their growth is that of the cause.
fn holds_most(cause: &Finding, effect: &Finding, store: &Store) -> bool {
    let grows = |finding: &Finding| finding.slope.filter(Slope::rises).map(|slope| slope.per_minute);
    let is_growth = grows(cause).zip(grows(effect)).is_some_and(|(own, all)| own * 2.0 >= all);
    every_sharer(effect, |pid| {
        let own = cause.process_shares.iter().find(|share| share.process.id == pid);
        let used = memory::descriptors(store, pid).map(|(used, _)| used);
        own.zip(used).is_some_and(|(own, used)| is_growth || u64::from(own.sockets) * 2 >= used)
    })
}

fn every_sharer(finding: &Finding, test: impl Fn(ProcessId) -> bool) -> bool {
    !finding.process_shares.is_empty() && finding.process_shares.iter().all(|share| test(share.process.id))
}

fn of(finding: &Finding, pid: ProcessId) -> bool {
    finding.process_shares.iter().any(|share| share.process.id == pid)
}

/// Folds `findings`: those that another one explains become a part of it. The order in which they stand does not matter.
pub(super) fn fold(findings: &mut Vec<Finding>, store: &Store) {
    findings.sort_by_key(|finding| finding.key);
    let causes = causes(findings, store);
    if causes.iter().all(Option::is_none) {
        return;
    }
    let mut explained: FxHashMap<usize, Vec<Finding>> = FxHashMap::default();
    let mut roots = Vec::with_capacity(findings.len());
    for (nth, finding) in std::mem::take(findings).into_iter().enumerate() {
        match root(nth, &causes) {
            own if own == nth => roots.push((nth, finding)),
            root => explained.entry(root).or_default().push(finding),
        }
    }
    findings.extend(roots.into_iter().map(|(nth, mut finding)| {
        explained.remove(&nth).into_iter().for_each(|effects| explain(&mut finding, effects));
        finding
    }));
}

/// The finding that explains each, as an index.
fn causes(findings: &[Finding], store: &Store) -> Vec<Option<usize>> {
    let mut met: FxHashMap<(usize, MatchKey), Vec<usize>> = FxHashMap::default();
    for (nth, finding) in findings.iter().enumerate() {
        for (at, link) in LINKS.iter().enumerate().filter(|(_, link)| link.cause == finding.rule()) {
            for meet in link.by.meets.iter().filter_map(|(cause, _)| cause(finding, store)) {
                met.entry((at, meet)).or_default().push(nth);
            }
        }
    }
    let cause_of = |finding: &Finding| {
        LINKS.iter().enumerate().filter(|(_, link)| link.effect == finding.rule()).find_map(|(at, link)| {
            let meets = link.by.meets.iter().filter_map(|(_, effect)| effect(finding, store));
            let mut candidates = meets.filter_map(|meet| met.get(&(at, meet))).flatten();
            let explains =
                |nth: &&usize| findings.get(**nth).is_some_and(|cause| (link.by.explains)(cause, finding, store));
            candidates.find(explains).copied()
        })
    };
    if met.is_empty() { vec![None; findings.len()] } else { findings.iter().map(cause_of).collect() }
}

/// The first cause of all.
fn root(nth: usize, causes: &[Option<usize>]) -> usize {
    let mut at = nth;
    while let Some(cause) = causes.get(at).copied().flatten() {
        at = cause;
    }
    at
}

/// Makes `effects`, and what they explain, a part of `cause`.
pub(super) fn explain(cause: &mut Finding, mut effects: Vec<Finding>) {
    effects.sort_by_key(|effect| (effect.rule(), Reverse(effect.sockets), effect.key));
    for mut effect in effects {
        cause.severity = cause.severity.max(effect.severity);
        let further = std::mem::take(&mut effect.caused);
        cause.caused.add(caused(effect));
        further.listed.into_iter().for_each(|one| cause.caused.add(one));
        cause.caused.more += further.more;
        cause.caused.more_sockets += further.more_sockets;
        further.more_rules.into_iter().for_each(|rule| cause.caused.note(rule));
    }
}

fn caused(finding: Finding) -> CausedFinding {
    let Finding { key: FindingKey { rule, .. }, sentence, sockets, processes, filter, .. } = finding;
    CausedFinding { rule, sentence, sockets, processes, filter }
}

impl CausedFindings {
    fn add(&mut self, caused: CausedFinding) {
        if self.listed.len() < CAUSED_LISTED_MAX {
            self.listed.push(caused);
        } else {
            self.more += 1;
            self.more_sockets += u64::from(caused.sockets);
            self.note(caused.rule);
        }
    }

    fn note(&mut self, rule: Rule) {
        if let Err(at) = self.more_rules.binary_search(&rule) {
            self.more_rules.insert(at, rule);
        }
    }
}

#[cfg(test)]
mod tests;
