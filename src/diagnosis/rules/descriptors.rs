//! A process is near its limit of open files: then accept(2), socket(2) and open(2) fail with `EMFILE`.

use rustc_hash::FxHashMap;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{FindingKey, Measure, Place, Severity};
use crate::diagnosis::group::Group;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{ahead, count, who};
use crate::model::process::ProcessId;
use crate::model::socket::NetnsId;
use crate::model::units;

/// From this share on, a limit that will be reached soon is told before it is near.
const SOON_FROM_PERCENT: f64 = 50.0;

pub(in crate::diagnosis) fn groups(look: &Context) -> Vec<Group> {
    let rows = look.store.rows();
    let sockets: FxHashMap<ProcessId, u32> = rows.holders().collect();
    let usages = look.store.usages().filter_map(|(process, usage)| {
        let (used, max) = (usage.descriptors?, usage.descriptors_max?);
        let key = FindingKey {
            rule: Rule::DescriptorLimit,
            process: Some(process),
            place: Place::Process,
            netns: NetnsId::default(),
            listener: None,
        };
        let held = sockets.get(&process).copied().unwrap_or(0);
        let known = rows.process(process).cloned();
        Some(Group { sockets: held, amount: used.into(), limit: max.max(1), ..Group::new(key, known) })
    });
    usages.filter(|group| group.process.is_some()).collect()
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.look.thresholds);
    let runs_out = case.descriptors_run_out(group.key.process);
    let is_soon = runs_out.is_some_and(|limit| limit.within <= limits.runs_out_critical)
        && case.reaches_percent(group.amount, group.limit, SOON_FROM_PERCENT);
    if !is_soon && !case.reaches_percent(group.amount, group.limit, limits.descriptors_warning) {
        return None;
    }
    let is_critical = is_soon || case.reaches_critical_percent(group.amount, group.limit, limits.descriptors_critical);
    let slope = case.look.memory.descriptor_slope(group.key.process?, case.look.now());
    let sentence = format!(
        "{} is near its limit of open files: {} of {} ({}%), {} of them sockets{}",
        who(group),
        units::count(group.amount),
        units::count(group.limit),
        group.amount.saturating_mul(100) / group.limit,
        count(group.sockets),
        ahead(runs_out)
    );
    Some(
        Judgement {
            why: "too many open files",
            slope,
            runs_out,
            filter: format!("pid:{}", group.key.process?.pid),
            ..Judgement::new(case, if is_critical { Severity::Critical } else { Severity::Warning }, sentence)
        }
        .metric("descriptors", "descriptors in use", Measure::Of(group.amount, group.limit))
        .evidence("sockets", "of them sockets", Measure::Count(group.sockets.into()))
        .evidence_if("slope", "grows by", slope.map(|slope| Measure::PerMinute(slope.per_minute))),
    )
}
