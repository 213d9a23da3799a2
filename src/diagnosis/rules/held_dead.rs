//! TCP sockets in `CLOSE` that a process goes on holding: connections that were reset or timed out and never closed, or
//! sockets that never connected. No table of the kernel lists them; each takes a descriptor until it is closed.
//!
//! What was seen in `CLOSE_WAIT` before stays a case of that leak (see `close_wait`).

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{FindingScope, Measure, RunsOut, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::memory;
use crate::diagnosis::wording::{ahead, count, filter, growth, many, oldest, place, who};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::store::row::SocketRow;

/// A socket that was there so soon after the first sample may have been anything before.
const WATCHED_FROM: Duration = Duration::from_secs(10);

/// The kinds.
const RESET: usize = 0;
const NEVER_CONNECTED: usize = 1;
const NOT_KNOWN: usize = 2;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_rows(&[WatchedRows::HeldClosed], member, judge)
    .growing_by(|group| u64::from(group.settled))
    .rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if was_in(context, row, TcpState::CloseWait) {
        return None;
    }
    let has_peer = !socket.remote.is_unset();
    let at = if has_peer { context.sides.place(socket) } else { FindingScope::Machine };
    let member = GroupMember::new(at, row);
    let age = context.age(member.since);
    let kind = match has_peer {
        true if was_in(context, row, TcpState::SynSent) && !was_connected(context, row) => NEVER_CONNECTED,
        true => RESET,
        false if row.connection.first_seen >= watched_from(context) => NEVER_CONNECTED,
        false => NOT_KNOWN,
    };
    Some(GroupMember {
        settled: age >= context.thresholds.settled,
        aged: age >= context.thresholds.held_dead_age,
        kind,
        ..member
    })
}

/// Whether a socket was seen in `state` before it came into `CLOSE`.
fn was_in(context: &Context, row: &SocketRow, state: TcpState) -> bool {
    context.since_in(row, state).is_some()
}

fn was_connected(context: &Context, row: &SocketRow) -> bool {
    use TcpState::{Established, FinWait1, FinWait2};
    [Established, FinWait1, FinWait2].into_iter().any(|state| was_in(context, row, state))
}

/// From when on what is first seen was not there before.
fn watched_from(context: &Context) -> Timestamp {
    context.memory.begun.map_or(context.now(), |begun| begun.after(WATCHED_FROM))
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    let slope = case.slope();
    let rises = slope.is_some_and(|slope| slope.rises());
    let is_many = case.reaches(group.settled, limits.held_dead_many);
    let is_some = case.reaches(group.aged, limits.held_dead_some);
    let grows = rises && case.oldest() >= limits.held_dead_age;
    if !(is_many || is_some || grows) {
        return None;
    }
    let runs_out = case.descriptors_run_out().filter(|_| rises);
    let is_soon = |limit: RunsOut| limit.within <= limits.runs_out_critical;
    let is_critical = case.reaches_critical(group.settled, limits.held_dead_critical) || runs_out.is_some_and(is_soon);
    let descriptors = group.process().and_then(|process| memory::descriptors(case.context.store, process.id));
    let of = descriptors
        .map_or(String::new(), |(used, max)| format!("; {} of {} descriptors", units::count(used), units::count(max)));
    let to = if group.key.scope == FindingScope::Machine { String::new() } else { format!(" {}", place(case)) };
    let sentence = format!(
        "{} {} {}{to}{}{}{}{of}",
        who(group).does("holds", "hold"),
        many(group.sockets, "TCP socket"),
        why_words(group.main_kind()),
        growth(slope),
        oldest(case),
        ahead(runs_out, slope)
    );
    let kinds = [(RESET, "reset"), (NEVER_CONNECTED, "never connected"), (NOT_KNOWN, "unknown")];
    let kinds: Vec<String> = kinds
        .into_iter()
        .filter(|(kind, _)| group.kinds[*kind] > 0)
        .map(|(kind, words)| format!("{} {words}", count(group.kinds[kind])))
        .collect();
    let judgement = Judgement {
        why: why_words(group.main_kind()),
        state: Some(TcpState::Close),
        slope,
        runs_out,
        filter: filter(case, "state:close"),
        ..Judgement::new(case, if is_critical { Severity::Critical } else { Severity::Warning }, sentence)
    };
    Some(
        judgement
            .metric("held_dead", "held in CLOSE", Measure::Count(group.sockets.into()))
            .evidence("aged", "older than the limit", Measure::Count(group.aged.into()))
            .evidence("kinds", "origin", Measure::Words(kinds.join(", ")))
            .evidence_if("slope", "grows by", slope.map(|slope| Measure::PerMinute(slope.per_minute)))
            .evidence_if("descriptors", "descriptors in use", descriptors.map(|(used, max)| Measure::Of(used, max))),
    )
}

const fn why_words(kind: usize) -> &'static str {
    match kind {
        RESET => "that were reset by the peer (or timed out) and never closed",
        NEVER_CONNECTED => "that never connected and were never closed",
        _ => "that were reset by the peer and never closed, or never connected",
    }
}
