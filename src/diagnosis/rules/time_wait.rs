//! Connections to one destination are made and closed very fast. `TIME_WAIT` itself is no fault and no leak: it is the
//! trace of connections that could have been kept.

use rustc_hash::FxHashMap;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::destinations::{CHURN_WINDOW, TIME_WAIT_SECONDS, room};
use crate::diagnosis::finding::{FindingKey, Measure, Place, Severity};
use crate::diagnosis::group::Group;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{self, filter_by_place, place, trimmed, who};
use crate::model::tcp_state::TcpState;
use crate::model::units;

/// Ways are remembered from this share of the threshold on.
const REMEMBERED_FROM: f64 = 0.7;
/// What a group of this rule counts by kind.
const CHURNED: usize = 0;

pub(in crate::diagnosis) fn groups(look: &Context) -> Vec<Group> {
    let from = look.thresholds.time_wait_churn * CHURN_WINDOW.as_secs_f64() * REMEMBERED_FROM;
    let mut busiest: FxHashMap<FindingKey, Group> = FxHashMap::default();
    for (way, traffic) in look.destinations.busy(f64::INFINITY, from.max(1.0)) {
        let key = FindingKey {
            rule: Rule::TimeWaitChurn,
            program: None,
            place: Place::To(way.to),
            netns: way.netns,
            listener: None,
        };
        let limit = if super::ephemeral_ports::is_reused(look, way) { 0 } else { room(look.store, &look.sides) };
        let examples = traffic.oldest.map(|(since, id)| (since.at, id));
        let group = Group {
            sockets: traffic.time_wait,
            kinds: [traffic.churned, 0, 0, 0],
            amount: traffic.churned.into(),
            limit: limit.into(),
            from: Some(way.source),
            ..Group::new(key, traffic.process().cloned()).with_examples(examples)
        };
        let best = busiest.entry(key).or_insert_with(|| group.clone());
        if (group.amount, group.from) > (best.amount, best.from) {
            *best = group;
        }
    }
    busiest.into_values().collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a rate on the screen has three digits"
)]
pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    let rate = f64::from(group.kinds[CHURNED]) / CHURN_WINDOW.as_secs_f64();
    if !case.reaches(rate, case.look.thresholds.time_wait_churn) {
        return None;
    }
    let sustained = group.limit / TIME_WAIT_SECONDS;
    let lasts =
        if sustained > 0 { format!("; the ports last for {}/s", units::count(sustained)) } else { String::new() };
    let sentence = format!(
        "{} {} connections/s {}: {} in TIME_WAIT{lasts}",
        who(group).does("makes and closes", "make and close"),
        trimmed(rate.round() as f32),
        place(case),
        units::count(u64::from(group.sockets))
    );
    let from = group.from.map(|from| format!(" {}", wording::from(from))).unwrap_or_default();
    Some(
        Judgement {
            why: "no keep-alive",
            state: Some(TcpState::TimeWait),
            since: None,
            filter: filter_by_place(case, &format!("state:time-wait{from}")),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("churn", "made and closed", Measure::PerSecond(rate as f32))
        .metric("time_wait", "in TIME_WAIT", Measure::Count(group.sockets.into()))
        .evidence_if(
            "sustained",
            "the ports last for",
            (sustained > 0).then_some(Measure::PerSecond(sustained as f32)),
        ),
    )
}
