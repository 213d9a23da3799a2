//! An accept queue is nearly full: accept(2) is too slow, or the limit of the queue too small. The kernel's counters of
//! overflows are of the whole namespace; they are put down to the listeners that are full.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{FindingKey, Measure, Place, Severity};
use crate::diagnosis::group::{Group, Member};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{filter_by_place, place, trimmed};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::store::rows::Row;

/// Overflows are counted over this time.
const OVERFLOWS_OVER: Duration = Duration::from_secs(30);
/// A queue that was never below the limit for so long does not suffer from bursts.
const ALWAYS_FULL: Duration = Duration::from_secs(10);

pub(in crate::diagnosis) fn member<'a>(_: &Context<'a>, row: &'a Row) -> Option<Member<'a>> {
    let socket = &row.connection.socket;
    let queues = socket.queues.filter(|_| socket.is_listener())?;
    let member = Member::new(Place::On(socket.local), row);
    // listen(fd, 0) still lets one wait.
    let limit = queues.send?.max(1);
    (queues.receive > 0).then_some(Member { since: None, amount: queues.receive.into(), limit: limit.into(), ..member })
}

/// Overflows of which no listener can be accused: none is nearly full when a sample is taken.
pub(in crate::diagnosis) fn groups(look: &Context) -> Vec<Group> {
    let dropped = look.memory.rise(OVERFLOWS_OVER, |counters| counters.listen_overflows).map_or(0, |(rise, _)| rise);
    let rows = look.store.rows();
    let is_at_fault = |row: &Row| {
        let queues = row.connection.socket.queues.filter(|_| row.connection.socket.is_listener());
        queues.is_some_and(|queues| {
            let limit = f64::from(queues.send.unwrap_or(u32::MAX).max(1));
            f64::from(queues.receive) * 100.0 >= limit * look.thresholds.accept_queue_warning
        })
    };
    if dropped == 0 || rows.listening().iter().filter_map(|index| rows.get(index)).any(is_at_fault) {
        return Vec::new();
    }
    let key =
        FindingKey { rule: Rule::AcceptQueueFull, process: None, place: Place::Machine, netns: NetnsId::default() };
    vec![Group { amount: dropped, ..Group::new(key, None) }]
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.look.thresholds);
    if group.key.place == Place::Machine {
        return Some(bursts(case));
    }
    if !case.reaches_percent(group.amount, group.limit, limits.accept_queue_warning) {
        return None;
    }
    let overflows =
        case.reaches_percent(group.amount, group.limit, limits.accept_queue_at_fault) && super::is_own_namespace(case);
    let rise = case.look.memory.rise(OVERFLOWS_OVER, |counters| counters.listen_overflows).filter(|_| overflows);
    let dropped = rise.filter(|(rise, _)| *rise > 0).map(|(rise, over)| per_second(rise, over));
    // Without counters, a full queue is all that is known: the next connection is dropped.
    let is_critical = dropped.is_some() || (rise.is_none() && group.amount >= group.limit);
    let why = why(case);
    let full = if group.amount >= group.limit { "full" } else { "nearly full" };
    let drops = dropped.map_or(String::new(), |rate| format!(", {}/s dropped", trimmed(rate)));
    let sentence = format!(
        "{} accept queue {full} {}: {} of {}{drops}, {why}",
        super::listening_process(group),
        place(group),
        units::count(group.amount),
        units::count(group.limit),
    );
    let severity = if is_critical { Severity::Critical } else { Severity::Warning };
    let limit_from = limit_from(case);
    Some(
        Judgement {
            why,
            state: Some(TcpState::Listen),
            sockets: u32::try_from(group.amount).unwrap_or(u32::MAX),
            slope: None,
            filter: filter_by_place(case, "(state:listen or owner:unaccepted)"),
            ..Judgement::new(case, severity, sentence)
        }
        .metric("accept_queue", "waiting", Measure::Of(group.amount, group.limit))
        .evidence("limit_from", "the limit is from", Measure::Words(limit_from.to_owned()))
        .evidence_if("overflows", "dropped", dropped.map(Measure::PerSecond)),
    )
}

/// `accept()` is to blame if the queue never empties; else bursts meet a small limit.
fn why(case: &Case) -> &'static str {
    let group = case.group;
    let floor = case.past.and_then(|past| past.floor(case.look.now(), ALWAYS_FULL));
    let is_small = group.limit <= u64::from(case.look.thresholds.accept_queue_small);
    match floor {
        Some(floor) if u64::from(floor) * 2 >= group.limit => "accept() too slow",
        Some(_) if is_small => "limit too small",
        None if is_small => "accept() too slow or limit too small",
        _ => "accept() too slow",
    }
}

/// The kernel takes the lower of listen(2)'s argument and `net.core.somaxconn`.
fn limit_from(case: &Case) -> &'static str {
    let max = case.look.store.facts().accept_queue_max.filter(|_| super::is_own_namespace(case));
    match max {
        Some(max) if case.group.limit >= u64::from(max) => "net.core.somaxconn",
        Some(_) => "the argument of listen()",
        None => "the argument of listen() or net.core.somaxconn",
    }
}

fn bursts(case: &Case) -> Judgement {
    let rise = case.look.memory.rise(OVERFLOWS_OVER, |counters| counters.listen_overflows);
    let rate = rise.map_or(0.0, |(rise, over)| per_second(rise, over));
    let sentence = format!("an accept queue overflows: {}/s dropped, in bursts between samples", trimmed(rate));
    Judgement {
        why: "limit too small",
        sockets: 0,
        filter: "state:listen".to_owned(),
        ..Judgement::new(case, Severity::Warning, sentence)
    }
    .metric("overflows", "dropped", Measure::PerSecond(rate))
}

#[expect(clippy::cast_precision_loss, reason = "a rate on the screen has three digits")]
pub(super) fn per_second(rise: u64, over: Duration) -> f32 {
    rise as f32 / over.as_secs_f32()
}
