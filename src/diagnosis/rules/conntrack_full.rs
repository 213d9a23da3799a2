//! The table of connections that the firewall tracks is full: packets of new ones are dropped, or old ones thrown out.
//!
//! `nf_conntrack_max` is one number for the machine, and each network namespace has its own count against it. `drop` also counts packets for which no entry could be made for
//! other reasons (`nf_conntrack_in`, `nf_ct_resolve_clash`, `net/netfilter/nf_conntrack_core.c`).

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::trimmed;
use crate::model::units;
use crate::store::counters::Rise;

/// Drops are counted over this time.
const DROPS_OVER: Duration = Duration::from_secs(30);

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    let facts = context.store.facts();
    // A limit of 0 is none.
    let Some((tracked, max)) = facts.conntrack.zip(facts.conntrack_max.filter(|max| *max > 0)) else {
        return Vec::new();
    };
    let key = FindingKey::machine(Rule::ConntrackFull);
    vec![SocketGroup { amount: tracked.into(), limit: max.into(), ..SocketGroup::new(key, None) }]
}

fn judge(case: &Case) -> Option<Judgement> {
    let (context, group) = (case.context, case.group);
    let none = Rise { by: 0, over: DROPS_OVER };
    let drops = context.rise(DROPS_OVER, |counters| counters.conntrack_drops).unwrap_or(none);
    let early = context.rise(DROPS_OVER, |counters| counters.conntrack_early_drops).map_or(0, |rise| rise.by);
    let is_full = case.reaches_percent(group.amount, group.limit, context.thresholds.conntrack_warning);
    let rate = per_second(drops);
    let is_dropping = case.is_loss(drops.by, rate, None);
    if !is_full && !is_dropping {
        return None;
    }
    let dropped = if is_dropping { format!(", {} packets/s dropped", trimmed(rate)) } else { String::new() };
    let (tracked, max) = (units::count(group.amount), units::count(group.limit));
    let sentence = if is_full {
        format!("connection tracking is nearly full: {tracked} of {max} (nf_conntrack_max){dropped}")
    } else {
        format!("connection tracking drops packets, {}/s, though only {tracked} of {max} are tracked", trimmed(rate))
    };
    let sentence = if group.amount >= group.limit { sentence.replace("nearly full", "full") } else { sentence };
    let severity = if is_full && is_dropping { Severity::Critical } else { Severity::Warning };
    let judgement = Judgement {
        why: if is_full { "nf_conntrack_max reached" } else { "entries clash" },
        slope: case.slope(),
        ..Judgement::new(case, severity, sentence)
    };
    Some(
        judgement
            .metric("tracked", "tracked", Measure::Of(group.amount, group.limit))
            .evidence_if("dropped", "packets dropped", (drops.by > 0).then_some(Measure::PerSecond(rate)))
            .evidence_if(
                "early",
                "evicted for new ones",
                (early > 0).then(|| Measure::PerSecond(per_second(Rise { by: early, ..drops }))),
            ),
    )
}
