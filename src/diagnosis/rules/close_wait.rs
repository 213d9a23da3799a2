//! `CLOSE_WAIT` that grows in number or is old: the peer has closed, and the application has not.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{Measure, RunsOut, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::memory;
use crate::diagnosis::wording::{ahead, count, filter, growth, oldest, place, total, who};
use crate::model::socket::CloseWaitVerdict;
use crate::model::tcp_state::TcpState;
use crate::store::row::SocketRow;

/// What comes and goes is counted over this time.
const FLOW_OVER: Duration = Duration::from_secs(60);

/// The causes distinguished here, by kind; the last kind is "the source does not say". What `accept()` has not taken is
/// another rule's.
const CAUSES: [CloseWaitVerdict; 3] =
    [CloseWaitVerdict::MissingClose, CloseWaitVerdict::NotReading, CloseWaitVerdict::StuckReader];

/// The kind of those that were reset in `CLOSE_WAIT` and are held all the same: the leak goes on in another form.
const RESET: usize = CAUSES.len() + 1;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::CloseWait, WatchedRows::HeldClosed], member, judge)
        .growing_by(|group| u64::from(group.settled))
        .rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let left = socket.is_unhashed().then(|| context.since_in(row, TcpState::CloseWait));
    if left == Some(None) {
        return None;
    }
    let verdict = socket.verdict();
    if verdict == Some(CloseWaitVerdict::NotAccepted) {
        return None;
    }
    let member = GroupMember::new(context.sides.place(socket), row);
    // The leak began when the peer closed, not when it reset what was left of the connection.
    let member = GroupMember { since: left.flatten().or(member.since), ..member };
    let age = context.age(member.since);
    let of_cause = CAUSES.iter().position(|cause| verdict == Some(*cause)).unwrap_or(CAUSES.len());
    Some(GroupMember {
        settled: age >= context.thresholds.settled,
        aged: age >= context.thresholds.close_wait_age,
        kind: if socket.is_unhashed() { RESET } else { of_cause },
        ..member
    })
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    let slope = case.slope_or_guess();
    let rises = slope.is_some_and(|slope| slope.rises());
    let is_many = case.reaches(group.settled, limits.close_wait_many);
    let is_some = case.reaches(group.aged, limits.close_wait_some);
    let is_old = case.oldest() >= limits.close_wait_old;
    let grows = rises && case.oldest() >= limits.close_wait_age;
    if !(is_many || is_some || is_old || grows) {
        return None;
    }
    let runs_out = case.descriptors_run_out().filter(|_| rises);
    let is_soon = |limit: RunsOut| limit.within <= limits.runs_out_critical;
    let is_critical = case.reaches_critical(group.settled, limits.close_wait_critical) || runs_out.is_some_and(is_soon);
    let (reset, waiting) = (group.kinds[RESET], group.sockets - group.kinds[RESET]);
    let why = match group.main_kind() {
        RESET => "never closed",
        kind => CAUSES.get(kind).map_or("", |cause| cause.words()),
    };
    // By the number alone, so that equal groups are called equal.
    let is_leak = rises || group.settled >= limits.close_wait_many;
    let (verb, several) = match (reset, is_leak) {
        (0, true) => ("leaks CLOSE_WAIT", "stay in CLOSE_WAIT"),
        (0, false) => ("holds CLOSE_WAIT", "stay in CLOSE_WAIT"),
        (_, true) => ("leaks connections", "stay after the peer has closed"),
        (_, false) => ("holds connections", "stay after the peer has closed"),
    };
    let parts = match (waiting, reset) {
        (_, 0) => count(group.sockets),
        (0, reset) => format!("{} reset and still held", count(reset)),
        (waiting, reset) => format!("{} in CLOSE_WAIT, {} reset and still held", count(waiting), count(reset)),
    };
    let because = if why.is_empty() { String::new() } else { format!(", {why}") };
    let sentence = format!(
        "{} {}: {}{}{}{because}{}",
        who(group).does(verb, several),
        place(case),
        total(group, || parts),
        growth(slope),
        oldest(case),
        ahead(runs_out, slope)
    );
    let severity = if is_critical { Severity::Critical } else { Severity::Warning };
    let judgement = Judgement {
        why,
        state: Some(TcpState::CloseWait),
        slope,
        runs_out,
        filter: filter(case, if reset == 0 { "state:close-wait" } else { "(state:close-wait or state:close)" }),
        ..Judgement::new(case, severity, sentence)
    };
    Some(with_evidence(judgement, case))
}

fn with_evidence(judgement: Judgement, case: &Case) -> Judgement {
    let group = case.group;
    let (slope, age) = (judgement.slope, case.oldest());
    let flow = flow(case);
    let reset = Some(group.kinds[RESET]).filter(|reset| *reset > 0).map(|reset| Measure::Count(reset.into()));
    let causes = CAUSES.iter().zip(group.kinds).filter(|(_, number)| *number > 0);
    let causes: Vec<String> = causes.map(|(cause, number)| format!("{} {}", count(number), cause.words())).collect();
    let descriptors = group.process().and_then(|process| memory::descriptors(case.context.store, process.id));
    judgement
        .metric("close_wait", "in CLOSE_WAIT", Measure::Count(u64::from(group.sockets - group.kinds[RESET])))
        .evidence_if("reset", "reset and still held", reset)
        .metric("oldest", "oldest", Measure::Span(Duration::from_secs(age.as_secs())))
        .evidence("aged", "older than the limit", Measure::Count(u64::from(group.aged)))
        .evidence_if("slope", "grows by", slope.map(|slope| Measure::PerMinute(slope.per_minute)))
        .evidence_if("watched", "observed for", slope.map(|slope| Measure::Span(slope.over)))
        .evidence_if("opened", "entered CLOSE_WAIT", flow.map(|(came, _)| Measure::PerSecond(came)))
        .evidence_if("closed", "left CLOSE_WAIT", flow.map(|(_, left)| Measure::PerSecond(left)))
        .evidence_if("causes", "causes", (!causes.is_empty()).then(|| Measure::Words(causes.join(", "))))
        .evidence_if("peers", "peers", (group.places > 1).then(|| Measure::Count(u64::from(group.places))))
        .evidence_if("descriptors", "descriptors in use", descriptors.map(|(used, max)| Measure::Of(used, max)))
}

/// How many per second came into `CLOSE_WAIT` and left it over the last minute, if most of those on the machine are this
/// group's: the same sockets stay, or others take their place.
fn flow(case: &Case) -> Option<(f32, f32)> {
    let store = case.context.store;
    let is_most = case.group.sockets > store.rows().counts().of(TcpState::CloseWait) / 2;
    let rates = store.history().rates(FLOW_OVER).filter(|_| is_most)?;
    Some((rates.into[TcpState::CloseWait as usize], rates.out_of[TcpState::CloseWait as usize]))
}
