//! Attempts to connect are refused: nobody listens there, or something on the way sends a reset.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::connects;
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{filter_by_place, peers, trimmed, who};
use crate::model::event::EventSourceStatus;
use crate::model::socket::NetnsId;
use crate::store::attempt_history::AttemptWindow;
use crate::store::counters::Rise;

/// The kernel's counters are compared over this time.
const FAILS_OVER: Duration = Duration::from_secs(30);

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

/// What the ledger found; without the trace, what the counters of the namespace say of attempts whose process is not known.
fn groups(context: &Context) -> Vec<SocketGroup> {
    let found = connects::groups(context, Rule::RefusedConnects);
    let is_traced = context.store.event_status().trace == EventSourceStatus::On;
    if is_traced || !found.is_empty() {
        return found;
    }
    let rise = |counter| context.rise(FAILS_OVER, counter).map_or(0, |rise| rise.by);
    let (fails, opens) = (rise(|counters| counters.attempt_fails), rise(|counters| counters.active_opens));
    if fails == 0 {
        return Vec::new();
    }
    let key = FindingKey {
        rule: Rule::RefusedConnects,
        program: None,
        scope: FindingScope::Machine,
        netns: NetnsId::default(),
        listener: None,
    };
    vec![SocketGroup { amount: fails.min(opens), limit: opens, ..SocketGroup::new(key, None) }]
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if group.key.scope == FindingScope::Machine {
        return of_counters(case);
    }
    let attempts = group.attempts?;
    let severity = connects::severity(case)?;
    let ledger = case.context.store.attempt_history();
    let rate = per_second(Rise { by: attempts.moment.refused().into(), over: ledger.over(AttemptWindow::Moment) });
    let verb = if attempts.all_failed.is_some() {
        who(group).does("is refused by", "are refused by")
    } else {
        who(group).does("is often refused by", "are often refused by")
    };
    let sentence = format!("{verb} {}: {}/s, {}", peers(case), trimmed(rate), connects::counts_text(case, &attempts));
    let counts = attempts.counts;
    Some(
        Judgement {
            why: "nobody listens there",
            sockets: 0,
            filter: filter_by_place(case, ""),
            ..Judgement::new(case, severity, sentence)
        }
        .metric("refused", "refused", Measure::PerSecond(rate))
        .metric("attempts_failed", "failed in a minute", Measure::Of(counts.failed().into(), counts.decided().into()))
        .evidence_if("processes_at_least", "processes, at least", connects::more_processes(group)),
    )
}

/// `TcpAttemptFails` also counts what half-open clients reset, so that only a share of our own attempts says something.
fn of_counters(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    let Rise { over, .. } = case.context.rise(FAILS_OVER, |counters| counters.attempt_fails)?;
    let fails = u32::try_from(group.amount).unwrap_or(u32::MAX);
    let rate = per_second(Rise { by: group.amount, over });
    let is_enough = case.reaches(fails, limits.connect_failures.saturating_mul(2)) && case.reaches(rate, 1.0);
    if !is_enough || !case.reaches_percent(group.amount, group.limit, limits.connect_failures_share) {
        return None;
    }
    let sentence = format!(
        "{}/s attempts to connect fail (TcpAttemptFails), {}% of all; by which process and to which destination is known \
         only with the trace: run conntop as root or with CAP_PERFMON",
        trimmed(rate),
        group.amount * 100 / group.limit.max(1),
    );
    Some(
        Judgement { why: "refused, or no way", sockets: 0, ..Judgement::new(case, Severity::Warning, sentence) }
            .metric("attempts_failed", "failed", Measure::Of(group.amount, group.limit))
            .metric("fails", "failed", Measure::PerSecond(rate)),
    )
}
