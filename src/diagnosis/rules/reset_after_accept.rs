//! Connections are reset within a second of being established: a server that turns clients away, a proxy that finds no
//! backend, or clients that break off.
//!
//! What a process does to connections that it opened itself is its own choice, and health checks reset what they opened
//! before any byte has moved: neither counts.

use std::sync::Arc;
use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{filter_by_place, place, who};
use crate::model::address::{Address, Destination};
use crate::model::delta::{AgeBasis, Since};
use crate::model::endpoint::Family;
use crate::model::process::Process;
use crate::model::socket::SocketId;
use crate::model::units;
use crate::store::attempt_history::{AttemptCounts, AttemptKey, AttemptRecord, AttemptWindow};

/// What a group of this rule counts by kind: those reset by the peer, and by the process here.
const BY_PEER: usize = 0;
const HERE: usize = 1;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    let ledger = context.store.attempt_history();
    let found = ledger.entries().filter_map(|(key, entry)| group(context, key, entry));
    let (mut here, mut there): (Vec<_>, Vec<_>) =
        found.partition(|group| matches!(group.key.scope, FindingScope::On(_)));
    // The client's end of the same connections, where both ends are here, is no trouble of its own.
    for server in &mut here {
        let clients = || there.iter().filter(|client| is_other_end(server, client));
        let (amount, limit) = clients().fold((0, 0), |(amount, limit), one| (amount + one.amount, limit + one.limit));
        if amount > server.amount {
            // What the peer of a client did is what the server did.
            server.kinds[HERE] = u32::try_from(amount).unwrap_or(u32::MAX);
            server.amount = amount.saturating_add(server.kinds[BY_PEER].into());
            server.limit = server.limit.max(limit).max(server.amount);
        }
    }
    there.retain(|client| !here.iter().any(|server| is_other_end(server, client)));
    here.append(&mut there);
    here
}

/// Whether `client` is about the other ends of what `server` is about.
fn is_other_end(server: &SocketGroup, client: &SocketGroup) -> bool {
    let (Some(near), Some(far)) = (server.endpoint(), client.endpoint()) else { return false };
    let is_same_port = near.port == far.port && server.key.netns == client.key.netns;
    let is_here = far.address.ip().is_loopback() || near.address == far.address;
    is_same_port && (is_here || server.amount >= client.amount)
}

fn group(context: &Context, key: &AttemptKey, entry: &AttemptRecord) -> Option<SocketGroup> {
    let counts = context.store.attempt_history().counts(entry, AttemptWindow::Minute);
    let (scope, netns, listener, here) = match *key {
        AttemptKey::To { to, netns, .. } => (FindingScope::To(to), netns, None, 0),
        AttemptKey::On { listener, port, netns } => {
            (listening(context, listener, port), netns, listener, counts.reset_early_here())
        }
    };
    let by_peer = counts.reset_early();
    let early = by_peer.saturating_add(here);
    if early == 0 {
        return None;
    }
    // What is reset at once lives too short for its own holder to be found: that of the listener accepted it.
    let process = entry.process().or_else(|| listening_process(context, listener)).cloned();
    let program = process.as_deref().map(crate::diagnosis::finding::ProgramName::of);
    let key = FindingKey { rule: Rule::ResetAfterAccept, program, scope, netns, listener };
    let since = entry.resetting_since(context.now()).map(|at| Since { at, basis: AgeBasis::AtLeast });
    Some(SocketGroup {
        kinds: [by_peer, here, 0, 0, 0],
        amount: early.into(),
        limit: established(&counts).max(early).into(),
        oldest: since,
        ..SocketGroup::new(key, process)
    })
}

/// Connections that can have been reset: those established of late, or that ended of late.
fn established(counts: &AttemptCounts) -> u32 {
    counts.succeeded().max(counts.ended())
}

/// The process that holds `listener`: the first of several.
fn listening_process<'a>(context: &Context<'a>, listener: Option<SocketId>) -> Option<&'a Arc<Process>> {
    context.store.rows().live(listener?)?.connection.socket.owner.holders()?.all().first()
}

fn listening(context: &Context, listener: Option<SocketId>, port: u16) -> FindingScope {
    let row = listener.and_then(|id| context.store.rows().live(id));
    row.map_or_else(
        || FindingScope::On(Destination { address: Address::new(Family::Ipv4.unspecified(), None), port }),
        |row| FindingScope::On(row.connection.socket.place()),
    )
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    let early = u32::try_from(group.amount).unwrap_or(u32::MAX);
    let is_enough = case.reaches(early, limits.reset_early);
    if !is_enough || !case.reaches_percent(group.amount, group.limit, limits.reset_early_share) {
        return None;
    }
    let over = case.context.store.attempt_history().over(AttemptWindow::Minute);
    let (by_peer, here) = (group.kinds[BY_PEER], group.kinds[HERE]);
    let (by, why) = match (by_peer, here) {
        (_, 0) => ("by the peer".to_owned(), "the peer resets them"),
        (0, _) => ("by the process itself".to_owned(), "the process resets them"),
        _ => (format!("{} by peers, {} by the process itself", number(by_peer), number(here)), "both sides reset"),
    };
    let sentence = format!(
        "{} {}: {} of {} connections in {} reset within a second, {by}",
        who(group).does("loses connections", "lose connections"),
        place(case),
        units::count(group.amount),
        units::count(group.limit),
        units::age(over.max(Duration::from_secs(1))),
    );
    Some(
        Judgement {
            why,
            sockets: 0,
            filter: filter_by_place(case, ""),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("reset_early", "reset within a second", Measure::Of(group.amount, group.limit))
        .evidence("by_peer", "by the peer", Measure::Count(by_peer.into()))
        .evidence("here", "by the process itself", Measure::Count(here.into())),
    )
}

fn number(count: u32) -> String {
    units::count(count.into())
}
