//! A DNS server does not answer: sockets that are connected to it live as long as the time-out of the resolver, one after
//! the other.
//!
//! A socket that a program keeps (envoy, coredns) lives on, and one that gets its answer is gone before a sample sees it. Programs
//! that answer DNS themselves keep and share sockets to their own servers in ways that prove nothing, and are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::dns_lookups::DnsLookup;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, ProgramName, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{count, filter, peers, who};
use crate::model::address::Destination;
use crate::model::delta::{AgeBasis, Since};
use crate::model::endpoint::Protocol;
use crate::model::facts::ResolverOptions;
use crate::model::process::ProcessId;
use crate::model::units;
use crate::store::Store;
use crate::store::row::SocketRow;

const DNS_PORT: u16 = 53;
/// A socket that is kept for longer than so many time-outs is none of a single lookup.
const TIMEOUTS_MAX: u32 = 4;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    let mut groups: BTreeMap<FindingKey, SocketGroup> = BTreeMap::new();
    let unanswered = context.memory.lookups.ended().filter(|lookup| is_unanswered(context, lookup));
    let unanswered: Vec<&DnsLookup> = unanswered.collect();
    if unanswered.is_empty() {
        return Vec::new();
    }
    let servers = servers(context.store);
    let is_client = |lookup: &&&DnsLookup| lookup.process.as_ref().is_none_or(|process| !servers.contains(&process.id));
    for lookup in unanswered.iter().filter(is_client) {
        let group = groups.entry(key(lookup)).or_insert_with(|| SocketGroup::new(key(lookup), None));
        group.no_process = lookup.no_process;
        group.processes.note(lookup.process.as_ref(), 1);
        group.amount += 1;
        let since = Since { at: lookup.first, basis: AgeBasis::AtLeast };
        group.oldest = group.oldest.filter(|oldest| oldest.at <= since.at).or(Some(since));
    }
    for (id, lookup) in context.memory.lookups.open() {
        if let Some(group) = groups.get_mut(&key(lookup)) {
            group.sockets += 1;
            group.add_example(lookup.first, id);
        }
    }
    groups.into_values().collect()
}

fn key(lookup: &DnsLookup) -> FindingKey {
    FindingKey {
        rule: Rule::UnansweredDns,
        program: lookup.process.as_ref().map(|process| ProgramName::of(process)),
        scope: FindingScope::To(lookup.server),
        netns: lookup.netns,
        listener: None,
    }
}

/// Whether a lookup that has ended waited until its time-out, by all that is known.
fn is_unanswered(context: &Context, lookup: &DnsLookup) -> bool {
    let (timeout, waited) = (resolver(context.store).timeout(), lookup.at_least());
    // Samples are not taken to the millisecond.
    let is_long = waited.saturating_mul(10) >= context.thresholds.dns_wait.saturating_mul(9);
    // The age of one that was there at the first evaluation is not known.
    let reaches = lookup.at_most().is_some_and(|at_most| at_most >= timeout);
    is_long && reaches && waited <= timeout.saturating_mul(TIMEOUTS_MAX)
}

fn resolver(store: &Store) -> ResolverOptions {
    store.facts().resolver.unwrap_or_default()
}

/// The processes that answer DNS themselves.
fn servers(store: &Store) -> BTreeSet<ProcessId> {
    let holders = dns_listeners(store).filter_map(|row| row.connection.socket.owner.holders());
    holders.flat_map(|holders| holders.all().iter().map(|process| process.id)).collect()
}

fn dns_listeners(store: &Store) -> impl Iterator<Item = &SocketRow> {
    let rows = store.rows().listening().iter().filter_map(|index| store.rows().get(index));
    rows.filter(|row| {
        let socket = &row.connection.socket;
        socket.protocol == Protocol::Udp && socket.local.port == DNS_PORT
    })
}

/// The process of this machine that is the server, if it is one: `systemd-resolve[611]`.
fn local_server(case: &Case, server: Destination) -> Option<String> {
    let is_it = |row: &&SocketRow| {
        let socket = &row.connection.socket;
        let address = socket.place().address.ip();
        let is_any = address.is_unspecified() && server.address.ip().is_loopback();
        socket.id.netns() == case.group.key.netns && (address == server.address.ip() || is_any)
    };
    let row = dns_listeners(case.context.store).find(is_it)?;
    let process = row.connection.socket.owner.holders()?.first();
    Some(process.to_string())
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    let ended = u32::try_from(group.amount).unwrap_or(u32::MAX);
    if !case.reaches(ended, case.context.thresholds.dns_unanswered) {
        return None;
    }
    let server = group.endpoint()?;
    let resolver = resolver(case.context.store);
    let local = local_server(case, server);
    let named = local.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    let lookups = if ended == 1 { "1 lookup".to_owned() } else { format!("{} lookups", count(ended)) };
    let settings = settings(case);
    let sentence = format!(
        "{} from the DNS server {}{named}: {lookups} timed out after {} in the last minute{settings}",
        who(group).does("gets no answer", "get no answer"),
        peers(case),
        units::age(resolver.timeout()),
    );
    Some(
        Judgement {
            why: "the DNS server does not answer",
            filter: filter(case, "proto:udp"),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("lookups", "unanswered in the last minute", Measure::Count(group.amount))
        .metric("waiting", "waiting now", Measure::Count(group.sockets.into()))
        .evidence("timeout", "time-out of the resolver", Measure::Span(resolver.timeout()))
        .evidence("attempts", "attempts", Measure::Count(resolver.attempts.into()))
        .evidence_if("server", "the server is", local.map(Measure::Words)),
    )
}

/// Where the time-out comes from: the file that conntop sees is that of its own namespaces.
fn settings(case: &Case) -> String {
    let store = case.context.store;
    let is_own = case.is_own_namespace();
    let attempts = |resolver: ResolverOptions| match resolver.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    match store.facts().resolver.filter(|_| is_own) {
        Some(resolver) => format!(
            " (timeout {}, {} in /etc/resolv.conf)",
            units::age(Duration::from_secs(resolver.timeout_seconds.into())),
            attempts(resolver)
        ),
        None => String::new(),
    }
}
