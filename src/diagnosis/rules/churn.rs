//! Connections to one destination are made and closed very fast, whichever end closes first. `TIME_WAIT` itself is no fault
//! and no leak: it is the trace of connections that could have been kept, at the end that closed first.
//!
//! At our end the kernel's timers show the rate even in the first sample, and each one holds a port. Where the other end closes
//! first, only the ledger shows it, after a while: a burst, as of a benchmark, is no finding, and no port is held.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::destinations::{CHURN_WINDOW, room};
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{self, count, filter_by_place, place, trimmed, who};
use crate::model::address::Destination;
use crate::model::delta::{AgeBasis, EventSource, Gap, Since};
use crate::model::process::{NoProcess, Process};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::{TIME_WAIT_LEN, TcpState};
use crate::model::time::Timestamp;
use crate::model::units;
use crate::store::attempt_history::{AttemptCounts, AttemptKey, AttemptSlots, AttemptWindow};

/// Routes are remembered from this share of the threshold on.
const REMEMBERED_FROM: f64 = 0.7;
/// Connections must be made for so long, and never at less than this share of the threshold.
const STEADY_FOR: Duration = Duration::from_secs(4);
const STEADY_AT: f64 = 0.5;
/// What a group of this rule counts by kind: those that came into `TIME_WAIT` here within [`CHURN_WINDOW`], what the ledger
/// counted a second, whether the other end closes most of them, and the most a second.
const CHURNED: usize = 0;
const A_SECOND: usize = 1;
const ELSEWHERE: usize = 2;
const PEAK: usize = 3;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    let mut found = by_timers(context);
    by_ledger(context, &mut found);
    found.into_values().collect()
}

fn key(to: Destination, netns: NetnsId) -> FindingKey {
    FindingKey { rule: Rule::Churn, program: None, scope: FindingScope::To(to), netns, listener: None }
}

fn by_timers(context: &Context) -> FxHashMap<FindingKey, SocketGroup> {
    let from = context.thresholds.churn * CHURN_WINDOW.as_secs_f64() * REMEMBERED_FROM;
    let mut busiest: FxHashMap<FindingKey, SocketGroup> = FxHashMap::default();
    for (route, port_use) in context.destinations.busy(f64::INFINITY, from.max(1.0)) {
        let key = key(route.to, route.netns);
        let limit = if route.reuses_time_wait(context.store.facts()) { 0 } else { room(context.store, &context.sides) };
        let examples = port_use.oldest.map(|(since, id)| (since.at, id));
        let group = SocketGroup {
            sockets: port_use.time_wait,
            kinds: [port_use.churned, 0, 0, 0, 0],
            amount: port_use.churned.into(),
            limit: limit.into(),
            from: Some(route.source),
            ..SocketGroup::new(key, port_use.process().cloned()).with_examples(examples)
        };
        let best = busiest.entry(key).or_insert_with(|| group.clone());
        if (group.amount, group.from) > (best.amount, best.from) {
            *best = group;
        }
    }
    busiest
}

/// What the ledger counts of one destination, whoever connects to it.
#[derive(Default)]
struct DestinationChurn<'a> {
    churned: u32,
    slots: AttemptSlots,
    closed: [u32; 2],
    /// Since when the program has made them that makes most, and how many that are.
    since: Option<Timestamp>,
    most: u32,
    processes: Vec<(&'a Arc<Process>, u32)>,
}

/// Adds what the ledger counts: connections that were made, and as many that have ended.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, not negative")]
fn by_ledger(context: &Context, found: &mut FxHashMap<FindingKey, SocketGroup>) {
    let (ledger, now) = (context.store.attempt_history(), context.now());
    if ledger.over(AttemptWindow::Moment) < STEADY_FOR {
        return;
    }
    let over = ledger.over(AttemptWindow::Moment).as_secs_f64();
    let mut counted: FxHashMap<FindingKey, DestinationChurn> = FxHashMap::default();
    for (own, entry) in ledger.entries() {
        let AttemptKey::To { to, netns, .. } = own else { continue };
        let counts = ledger.counts(entry, AttemptWindow::Moment);
        let churned = counts.succeeded().min(counts.ended());
        if churned == 0 {
            continue;
        }
        let sum = counted.entry(key(*to, *netns)).or_default();
        sum.churned = sum.churned.saturating_add(churned);
        sum.slots = sum.slots.and(&ledger.slots(entry, AttemptCounts::succeeded));
        sum.closed[0] += counts.closed_here();
        sum.closed[1] += counts.closed_by_peer();
        if churned > sum.most {
            (sum.most, sum.since) = (churned, entry.opening_since(now));
        }
        // Connections known only by destroy events have no process: that does not exclude the processes that are known.
        sum.processes.extend(entry.process().map(|process| (process, churned)));
    }
    let from = context.thresholds.churn.min(context.thresholds.churn_elsewhere) * REMEMBERED_FROM;
    for (key, sum) in counted {
        let mean = f64::from(sum.churned) / over.max(1.0);
        if mean < from || sum.slots.steady(STEADY_FOR) < from * STEADY_AT {
            continue;
        }
        let group = found
            .entry(key)
            .or_insert_with(|| SocketGroup { no_process: Some(NoProcess::Vanished), ..SocketGroup::new(key, None) });
        let is_unnamed = group.processes.len() == 0;
        for (process, churned) in sum.processes.into_iter().filter(|_| is_unnamed) {
            group.processes.note(Some(process), churned);
        }
        group.kinds[A_SECOND] = mean as u32;
        // What is reported late is missing in the last slots.
        group.kinds[PEAK] = sum.slots.peak().max(mean) as u32;
        group.kinds[ELSEWHERE] = u32::from(sum.closed[1] > sum.closed[0]);
        group.oldest = sum.since.map(|at| Since { at, basis: AgeBasis::AtLeast });
        group.amount = group.amount.max(sum.churned.into());
    }
}

/// Whether events of the last moment were lost, because they came faster than they were read: then more connections were made
/// than the ledger counted.
fn are_events_missing(context: &Context) -> bool {
    let (now, over) = (context.now(), context.store.attempt_history().over(AttemptWindow::Moment));
    let is_recent = |gap: &&Gap| gap.of != EventSource::Samples && now.since(gap.to) <= over;
    context.store.log().gaps().iter().rev().any(|gap| is_recent(&gap))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a rate on the screen has three digits"
)]
fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    let here = f64::from(group.kinds[CHURNED]) / CHURN_WINDOW.as_secs_f64();
    let counted = f64::from(group.kinds[A_SECOND]);
    let is_elsewhere = group.kinds[ELSEWHERE] > 0 || group.kinds[CHURNED] == 0;
    let limit = if is_elsewhere { limits.churn_elsewhere } else { limits.churn };
    if !case.reaches(here, limits.churn) && !case.reaches(counted, limit) {
        return None;
    }
    let rate = here.max(f64::from(group.kinds[PEAK]));
    let sustained = group.limit / TIME_WAIT_LEN.as_secs();
    let lasts =
        if sustained > 0 { format!("; the local ports allow {}/s", units::count(sustained)) } else { String::new() };
    let time_wait = if is_elsewhere && group.sockets == 0 {
        ", which the other end closes first".to_owned()
    } else {
        format!(": {} in TIME_WAIT{lasts}", count(group.sockets))
    };
    let is_lower_bound = rate > here && are_events_missing(case.context);
    let sentence = format!(
        "{} {}{} connections/s {}{time_wait}",
        who(group).does("makes and closes", "make and close"),
        if is_lower_bound { "at least " } else { "" },
        trimmed(rate.round() as f32),
        place(case),
    );
    let from = group.from.map(|from| format!(" {}", wording::from(from))).unwrap_or_default();
    let filter = if group.sockets > 0 { format!("state:time-wait{from}") } else { String::new() };
    Some(
        Judgement {
            why: "no keep-alive",
            state: (group.sockets > 0).then_some(TcpState::TimeWait),
            since: group.oldest,
            filter: filter_by_place(case, &filter),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("churn", "made and closed", Measure::PerSecond(rate as f32))
        .metric("time_wait", "in TIME_WAIT", Measure::Count(group.sockets.into()))
        .evidence_if(
            "sustained",
            "local ports allow",
            (sustained > 0).then_some(Measure::PerSecond(sustained as f32)),
        ),
    )
}
