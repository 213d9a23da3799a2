//! The memory of all TCP sockets is scarce: the kernel shrinks buffers, throws data away, and at last resets connections.
//!
//! `net.ipv4.tcp_mem` and the use of memory are of the whole machine; only the first network namespace can read the limits.
//! Elsewhere the counters show it (`tcp_enter_memory_pressure`, `tcp_out_of_resources`, `net/ipv4/tcp.c`, `tcp_timer.c`).

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::trimmed;
use crate::model::units;

/// Times of pressure and resets are counted over this time.
const COUNTED_OVER: Duration = Duration::from_secs(30);

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    let facts = context.store.facts();
    let key = FindingKey::machine(Rule::MemoryPressure);
    let group = match (facts.tcp_memory_pages, facts.tcp_memory_limits_pages) {
        (Some(used), Some([_, scarce, _])) => {
            SocketGroup { amount: used, limit: scarce.max(1), ..SocketGroup::new(key, None) }
        }
        _ if pressures(context) > 0 || aborts(context).is_some() => SocketGroup::new(key, None),
        _ => return Vec::new(),
    };
    vec![group]
}

/// How often memory became scarce.
fn pressures(context: &Context) -> u64 {
    context.rise(COUNTED_OVER, |counters| counters.memory_pressures).map_or(0, |rise| rise.by)
}

/// Connections that were reset for want of memory, per second; `None` where there are none, or too many orphans explain it.
fn aborts(context: &Context) -> Option<f32> {
    let facts = context.store.facts();
    let many =
        |(orphans, max): (u32, u32)| f64::from(orphans) * 100.0 >= f64::from(max) * context.thresholds.orphans_warning;
    if facts.orphans.zip(facts.orphans_max).is_some_and(many) {
        return None;
    }
    let aborts = context.risen(COUNTED_OVER, |counters| counters.memory_aborts)?;
    Some(per_second(aborts))
}

fn judge(case: &Case) -> Option<Judgement> {
    let (context, group) = (case.context, case.group);
    let max = context.store.facts().tcp_memory_limits_pages.map(|[_, _, max]| max);
    let is_scarce = group.limit > 0 && case.reaches_percent(group.amount, group.limit, 100.0);
    let aborts = aborts(context).filter(|rate| f64::from(*rate) >= context.thresholds.loss_rate);
    let pressures = pressures(context);
    if !is_scarce && aborts.is_none() && pressures == 0 {
        return None;
    }
    let is_used_up = max.is_some_and(|max| group.amount >= max);
    let used = match max.filter(|_| group.limit > 0) {
        Some(max) => format!("{} of {} pages used", units::count(group.amount), units::count(max)),
        None => "how much is used this network namespace cannot see".to_owned(),
    };
    let resets = aborts.map_or_else(String::new, |rate| format!(", {} connections/s reset", trimmed(rate)));
    let what = if is_used_up { "used up" } else { "scarce" };
    let severity = if is_used_up || aborts.is_some() { Severity::Critical } else { Severity::Warning };
    let sentence = format!("TCP memory is {what}: {used} (net.ipv4.tcp_mem){resets}");
    let judgement = Judgement {
        why: "net.ipv4.tcp_mem reached",
        filter: "(recvq>0 or sendq>0)".to_owned(),
        ..Judgement::new(case, severity, sentence)
    };
    let memory = max.filter(|_| group.limit > 0).map(|max| Measure::Of(group.amount, max));
    let judgement = match memory {
        Some(memory) => judgement.metric("pages", "pages used", memory),
        None => judgement,
    };
    Some(
        judgement
            .evidence_if(
                "pressures",
                "times memory became scarce",
                (pressures > 0).then_some(Measure::Count(pressures)),
            )
            .evidence_if("aborts", "reset for lack of memory", aborts.map(Measure::PerSecond)),
    )
}
