//! A process is near its limit of open files: then accept(2), socket(2) and open(2) fail with `EMFILE`.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::diagnosis::case::{Case, Context, Judgement, near_percent};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, ProcessShare, ProgramName, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::memory;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{ahead, count, filter, who};
use crate::model::process::{Process, ProcessId};
use crate::model::socket::NetnsId;
use crate::model::units;

/// From this share on, a limit that will be reached soon is reported before it is near.
const SOON_FROM_PERCENT: f64 = 50.0;
/// Below this part of its limit, a third, a process is not looked at.
const LOOKED_AT_FROM: u64 = 3;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

/// The processes near their limit, those of one program together.
fn groups(context: &Context) -> Vec<SocketGroup> {
    let rows = context.store.rows();
    let sockets: FxHashMap<ProcessId, u32> = rows.holders().collect();
    let mut groups: FxHashMap<FindingKey, SocketGroup> = FxHashMap::default();
    for (id, descriptors) in context.store.descriptors() {
        let Some(max) = descriptors.max else { continue };
        let (id, used, max) = (*id, u64::from(descriptors.used), max.max(1));
        // Thousands of processes hold sockets, and few of them are anywhere near.
        if used < max / LOOKED_AT_FROM {
            continue;
        }
        let Some(process) = rows.process(id) else { continue };
        let key = key(process);
        if is_near(context, &key, id, used, max) {
            let listed = || sockets.get(&id).copied().unwrap_or(0);
            let held = descriptors.sockets.map_or_else(listed, |kinds| kinds.total());
            let group = groups.entry(key).or_insert_with(|| SocketGroup::new(key, None));
            group.sockets += held;
            group.processes.note(Some(process), held);
            group.add_amount(used, max);
        }
    }
    groups.into_values().collect()
}

fn key(process: &Arc<Process>) -> FindingKey {
    FindingKey {
        rule: Rule::DescriptorLimit,
        program: Some(ProgramName::of(process)),
        scope: FindingScope::Process,
        netns: NetnsId::default(),
        listener: None,
    }
}

/// Whether a process has used so much of its limit, or will so soon, that it is reported.
fn is_near(context: &Context, key: &FindingKey, process: ProcessId, used: u64, max: u64) -> bool {
    let has_been = context.memory.track(key).is_some_and(|past| past.active.is_some());
    let reaches = |percent| near_percent(used, max, percent, has_been);
    reaches(context.thresholds.descriptors_warning)
        || reaches(SOON_FROM_PERCENT)
            && context
                .descriptors_run_out(process, None)
                .is_some_and(|limit| limit.within <= context.thresholds.runs_out_critical)
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    let runs_out = case.descriptors_run_out();
    let is_soon = runs_out.is_some_and(|limit| limit.within <= limits.runs_out_critical);
    let is_critical = is_soon || case.reaches_critical_percent(group.amount, group.limit, limits.descriptors_critical);
    let worst = worst(case)?;
    let slope = case.context.memory.descriptor_slope(worst.process.id, case.context.now());
    let name = worst.process.to_string();
    let subject = match group.processes.len() {
        0 | 1 => format!("{name} is near its limit of open files:"),
        processes => {
            format!("{} processes of {} are near their limit of open files: {name}", count(processes), who(group))
        }
    };
    let descriptors = case.context.store.descriptors_of(worst.process.id);
    let kinds = descriptors.and_then(|descriptors| descriptors.sockets).filter(|kinds| kinds.total() > 0);
    let kinds = kinds.map(|kinds| Measure::Words(kinds.words()));
    let counted = descriptors.and_then(|descriptors| descriptors.counted_at);
    let counted = counted.map(|at| Measure::Span(Duration::from_secs(case.context.now().since(at).as_secs())));
    let sentence = format!(
        "{subject} {} of {} ({}%), {} of them sockets{}",
        units::count(group.amount),
        units::count(group.limit),
        group.amount.saturating_mul(100) / group.limit,
        count(worst.sockets),
        ahead(runs_out, None)
    );
    Some(
        Judgement {
            why: "too many open files",
            slope,
            runs_out,
            filter: filter(case, ""),
            ..Judgement::new(case, if is_critical { Severity::Critical } else { Severity::Warning }, sentence)
        }
        .metric("descriptors", "descriptors in use", Measure::Of(group.amount, group.limit))
        .evidence("sockets", "of them sockets", Measure::Count(worst.sockets.into()))
        .evidence_if("kinds", "kinds of sockets", kinds)
        .evidence_if("counted", "age of the count", counted)
        .evidence_if("slope", "grows by", slope.map(|slope| Measure::PerMinute(slope.per_minute))),
    )
}

/// The process that has used most of its limit, whose figures are those of the group; among equals that with the lowest
/// pid.
fn worst<'a>(case: &Case<'a>) -> Option<&'a ProcessShare> {
    let is_worst = |share: &&ProcessShare| {
        let usage = memory::descriptors(case.context.store, share.process.id);
        usage.is_some_and(|(used, max)| (used, max.max(1)) == (case.group.amount, case.group.limit))
    };
    case.group.processes.all().find(is_worst)
}
