//! The ephemeral ports to one destination are nearly used up: then connect(2) fails with `EADDRNOTAVAIL`.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::destinations::{CHURN_WINDOW, PortUse, room};
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, RunsOut, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{self, ahead, filter_by_place, place, text, who};
use crate::model::tcp_state::TIME_WAIT_LEN;

use crate::model::units;
use crate::store::port_pool::PortPool;

/// What a group of this rule counts by kind.
const TIME_WAIT: usize = 0;
const CHURNED: usize = 1;

/// Routes are remembered, for their slope, from this share of the warning on.
const REMEMBERED_FROM: f64 = 0.7;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    if !context.destinations.has_all() {
        return Vec::new();
    }
    let limit = room(context.store, &context.sides);
    let from = f64::from(limit) * context.thresholds.ephemeral_ports_warning / 100.0 * REMEMBERED_FROM;
    // Ports are short per source address too; of several, the shortest counts.
    let mut worst: FxHashMap<FindingKey, SocketGroup> = FxHashMap::default();
    for (route, port_use) in context.destinations.busy(from, f64::INFINITY) {
        let group = group(context, route, port_use, limit);
        let best = worst.entry(group.key).or_insert_with(|| group.clone());
        if (group.amount, group.from) > (best.amount, best.from) {
            *best = group;
        }
    }
    worst.into_values().collect()
}

fn group(context: &Context, route: &PortPool, port_use: &PortUse, limit: u32) -> SocketGroup {
    let key = FindingKey {
        rule: Rule::EphemeralPorts,
        program: None,
        scope: FindingScope::To(route.to),
        netns: route.netns,
        listener: None,
    };
    // A TIME_WAIT port that may be reused is as good as free.
    let taken = if route.reuses_time_wait(context.store.facts()) {
        port_use.ports - port_use.time_wait
    } else {
        port_use.ports
    };
    let empty = SocketGroup::new(key, port_use.process().cloned());
    let examples = port_use.oldest.map(|(since, id)| (since.at, id));
    SocketGroup {
        sockets: port_use.ports,
        kinds: [port_use.time_wait, port_use.churned, 0, 0, 0],
        amount: taken.into(),
        limit: limit.into(),
        oldest: port_use.oldest.map(|(since, _)| since),
        from: Some(route.source),
        ..empty.with_examples(examples)
    }
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    if !case.reaches_percent(group.amount, group.limit, limits.ephemeral_ports_warning) {
        return None;
    }
    let slope = case.slope();
    let runs_out = runs_out(case);
    let is_soon = runs_out.is_some_and(|limit| limit.within <= limits.runs_out_critical);
    let is_critical =
        is_soon || case.reaches_critical_percent(group.amount, group.limit, limits.ephemeral_ports_critical);
    let time_wait = u64::from(group.kinds[TIME_WAIT]);
    let waiting =
        if time_wait > 0 { format!(", {} of them in TIME_WAIT", units::count(time_wait)) } else { String::new() };
    let percent = group.amount * 100 / group.limit.max(1);
    let who = who(group);
    let verb = if group.amount >= group.limit {
        who.does("has no local port left", "have no local port left")
    } else {
        who.does("is running out of local ports", "are running out of local ports")
    };
    let sentence = format!(
        "{verb} {}: {} of {} in use ({percent}%){waiting}{}",
        place(case),
        units::count(group.amount),
        units::count(group.limit),
        ahead(runs_out, None)
    );
    let severity = if is_critical { Severity::Critical } else { Severity::Warning };
    let from = group.from.map(wording::from).unwrap_or_default();
    Some(
        Judgement {
            why: if time_wait * 2 > group.amount { "no keep-alive" } else { "too many connections" },
            slope,
            since: None,
            runs_out,
            filter: filter_by_place(case, &from),
            ..Judgement::new(case, severity, sentence)
        }
        .metric("ports", "local ports in use", Measure::Of(group.amount, group.limit))
        .metric("time_wait", "in TIME_WAIT", Measure::Count(time_wait))
        .evidence_if("from", "from", group.from.map(|from| Measure::Words(text(case, from).bracketed().to_string())))
        .evidence_if("slope", "grows by", slope.map(|slope| Measure::PerMinute(slope.per_minute))),
    )
}

/// Where most are in `TIME_WAIT`, their number levels off at a minute's worth of connections: only more than that can
/// run out.
fn runs_out(case: &Case) -> Option<RunsOut> {
    let group = case.group;
    if group.amount >= group.limit {
        return Some(RunsOut { what: "ephemeral ports", within: Duration::ZERO, left: 0, per_minute: 0.0 });
    }
    let time_wait = u64::from(group.kinds[TIME_WAIT]);
    let settles_at = u64::from(group.kinds[CHURNED]) * TIME_WAIT_LEN.as_secs() / CHURN_WINDOW.as_secs();
    if time_wait * 2 > group.amount && settles_at + (group.amount - time_wait.min(group.amount)) < group.limit {
        return None;
    }
    case.slope()?.runs_out("ephemeral ports", group.limit - group.amount)
}
