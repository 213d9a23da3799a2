//! Sockets that no process holds and that still have data or a FIN to send are many: the kernel begins to reset them.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::units;

/// Resets for want of memory are counted over this time.
const ABORTS_OVER: Duration = Duration::from_secs(60);
/// The states of an orphan with something left to send.
const STATES: [TcpState; 3] = [TcpState::FinWait1, TcpState::LastAck, TcpState::Closing];

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    let facts = context.store.facts();
    let (Some(orphans), Some(max)) = (facts.orphans, facts.orphans_max) else { return Vec::new() };
    let key = FindingKey {
        rule: Rule::Orphans,
        program: None,
        scope: FindingScope::Machine,
        netns: NetnsId::default(),
        listener: None,
    };
    vec![SocketGroup {
        sockets: orphans,
        amount: orphans.into(),
        limit: max.max(1).into(),
        ..SocketGroup::new(key, None)
    }]
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    if !case.reaches_percent(group.amount, group.limit, limits.orphans_warning) {
        return None;
    }
    let aborts = case.context.rise(ABORTS_OVER, |counters| counters.memory_aborts).map_or(0, |rise| rise.by);
    let is_critical = aborts > 0 || case.reaches_critical_percent(group.amount, group.limit, limits.orphans_critical);
    let resets =
        if aborts > 0 { format!(", {} reset in the last minute", units::count(aborts)) } else { String::new() };
    let sentence = format!(
        "{} sockets without a process still have something to send: {}% of {}{resets}",
        units::count(group.amount),
        group.amount * 100 / group.limit,
        units::count(group.limit),
    );
    let counts = case.context.store.rows().counts();
    let judgement = Judgement {
        why: "peers do not acknowledge the end",
        filter: "state:fin-wait1,last-ack,closing".to_owned(),
        slope: case.slope(),
        ..Judgement::new(case, if is_critical { Severity::Critical } else { Severity::Warning }, sentence)
    };
    let judgement = judgement.metric("orphans", "orphans", Measure::Of(group.amount, group.limit)).evidence_if(
        "aborts",
        "reset",
        (aborts > 0).then_some(Measure::Count(aborts)),
    );
    let keys = ["fin_wait1", "last_ack", "closing"];
    Some(STATES.iter().zip(keys).fold(judgement, |judgement, (state, key)| {
        judgement.evidence(key, state.name(), Measure::Count(counts.of(*state).into()))
    }))
}
