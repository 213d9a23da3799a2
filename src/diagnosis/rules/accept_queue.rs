//! An accept queue is nearly full: accept(2) is too slow, or the limit of the queue too small. The kernel's counters of
//! overflows are of the whole namespace; they are put down to the listeners that are full.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::listener_text;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::subject::listening;
use crate::diagnosis::wording::{filter_by_place, place, trimmed};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::store::counters::Rise;
use crate::store::listeners::AcceptQueue;
use crate::store::pressure::PRESSURE_WINDOW;
use crate::store::row::SocketRow;

/// Overflows are counted over this time.
const OVERFLOWS_OVER: Duration = Duration::from_secs(30);
/// A queue that was never below the limit for so long does not suffer from bursts.
const ALWAYS_FULL: Duration = Duration::from_secs(10);

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_rows(&[WatchedRows::Listening], member, judge)
    .with_groups(groups)
    .growing_by(|group| group.amount)
    .lingering();

fn member<'a>(_: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let queue = AcceptQueue::of(socket).filter(|queue| queue.waiting > 0)?;
    let member = GroupMember::new(FindingScope::on(socket), row);
    let (amount, limit) = (queue.waiting.into(), queue.room()?.into());
    Some(GroupMember { listener: Some(socket.id), since: None, amount, limit, ..member })
}

/// Overflows of which no listener can be accused: none is nearly full when a sample is taken.
fn groups(context: &Context) -> Vec<SocketGroup> {
    let dropped = context.rise(OVERFLOWS_OVER, |counters| counters.listen_overflows).map_or(0, |rise| rise.by);
    let rows = context.store.rows();
    let is_at_fault = |row: &SocketRow| {
        let queue = AcceptQueue::of(&row.connection.socket);
        queue.is_some_and(|queue| queue.reaches(context.thresholds.accept_queue_warning))
    };
    if dropped == 0 || rows.listening().iter().filter_map(|index| rows.get(index)).any(is_at_fault) {
        return Vec::new();
    }
    let key = FindingKey {
        rule: Rule::AcceptQueueFull,
        program: None,
        scope: FindingScope::Machine,
        netns: NetnsId::default(),
        listener: None,
    };
    vec![SocketGroup { amount: dropped, ..SocketGroup::new(key, None) }]
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, limits) = (case.group, case.context.thresholds);
    if group.key.scope == FindingScope::Machine {
        return Some(bursts(case));
    }
    if !case.reaches_percent(group.amount, group.limit, limits.accept_queue_warning) {
        return None;
    }
    let drops = ListenerDrops::of(case);
    let dropped = drops.rate();
    // Without counters, a full queue is all that is known: the next connection is dropped.
    let is_critical = dropped.is_some() || (drops == ListenerDrops::Unknown && group.amount >= group.limit);
    let why = why(case);
    let full = if group.amount >= group.limit { "full" } else { "nearly full" };
    let drops_text = drops.words();
    let sentence = format!(
        "{} {full} {}{}: {} of {}{drops_text}, {why}",
        listening(group).owns("accept queue"),
        place(case),
        listener_text::among_listeners(case),
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
        .evidence_if("overflows", drops.label(), dropped.map(Measure::PerSecond)),
    )
}

/// What is known of the connections that a listener lost. The kernel counts overflows for the whole network namespace, and
/// of each socket what was thrown away for it, in every namespace, which at a full queue is the same.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ListenerDrops {
    /// There are no counters, or those of another namespace.
    Unknown,
    /// None, or none that can be put down to it.
    None,
    /// So many a second: it was the only one that was full.
    Own(f32),
    /// So many a second at so many listeners that were full, this one among them.
    Together(f32, usize),
}

impl ListenerDrops {
    #[expect(clippy::cast_possible_truncation, reason = "a rate on the screen has three digits")]
    fn of(case: &Case) -> Self {
        let (group, pressure) = (case.group, case.context.store.pressure());
        let may_lose = case.reaches_percent(group.amount, group.limit, case.context.thresholds.accept_queue_at_fault);
        if pressure.growth().is_none() {
            return Self::Unknown;
        }
        if !case.is_own_namespace() {
            return Self::of_socket(case).unwrap_or(Self::Unknown);
        }
        let rate = pressure.overflows() as f32;
        match (pressure.suspects(), pressure.at_fault()) {
            _ if rate <= 0.0 || !may_lose => Self::None,
            (_, Some(suspect)) if Some(suspect.id) == group.key.listener => Self::Own(rate),
            (suspects @ 2.., _) => Self::of_socket(case).unwrap_or(Self::Together(rate, suspects)),
            _ => Self::None,
        }
    }

    /// What the listener's own number says; `None` where the source does not report it.
    fn of_socket(case: &Case) -> Option<Self> {
        let (context, id) = (case.context, case.group.key.listener?);
        context.store.rows().live(id)?.connection.socket.drops?;
        let dropped = context.store.rows().losses().drops(id, PRESSURE_WINDOW, context.now());
        let over =
            context.rise(PRESSURE_WINDOW, |counters| counters.listen_drops).map_or(PRESSURE_WINDOW, |rise| rise.over);
        let rate = per_second(Rise { by: dropped, over: over.min(PRESSURE_WINDOW) });
        Some(if dropped > 0 { Self::Own(rate) } else { Self::None })
    }

    const fn rate(self) -> Option<f32> {
        match self {
            Self::Own(rate) | Self::Together(rate, _) => Some(rate),
            Self::Unknown | Self::None => None,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Own(rate) => format!(", {}/s dropped", trimmed(rate)),
            Self::Together(rate, listeners) => format!(", {}/s dropped at {listeners} full listeners", trimmed(rate)),
            Self::Unknown | Self::None => String::new(),
        }
    }

    const fn label(self) -> &'static str {
        if matches!(self, Self::Together(..)) { "dropped by all full listeners" } else { "dropped" }
    }
}

/// `accept()` is to blame if the queue never empties; else bursts meet a small limit.
fn why(case: &Case) -> &'static str {
    let group = case.group;
    let floor = case.past.and_then(|past| past.floor(case.context.now(), ALWAYS_FULL));
    let is_small = group.limit <= u64::from(case.context.thresholds.accept_queue_small);
    match floor {
        Some(floor) if u64::from(floor) * 2 >= group.limit => "accept() too slow",
        Some(_) if is_small => "limit too small",
        None if is_small => "accept() too slow or limit too small",
        _ => "accept() too slow",
    }
}

/// The kernel takes the lower of listen(2)'s argument and `net.core.somaxconn`.
fn limit_from(case: &Case) -> &'static str {
    let max = case.context.store.facts().accept_queue_max.filter(|_| case.is_own_namespace());
    match max {
        Some(max) if case.group.limit >= u64::from(max) => "net.core.somaxconn",
        Some(_) => "the argument of listen()",
        None => "the argument of listen() or net.core.somaxconn",
    }
}

fn bursts(case: &Case) -> Judgement {
    let rise = case.context.rise(OVERFLOWS_OVER, |counters| counters.listen_overflows);
    let rate = rise.map_or(0.0, per_second);
    let sentence = format!("an accept queue overflows: {}/s dropped, in bursts between samples", trimmed(rate));
    Judgement {
        why: "limit too small",
        sockets: 0,
        filter: "state:listen".to_owned(),
        ..Judgement::new(case, Severity::Warning, sentence)
    }
    .metric("overflows", "dropped", Measure::PerSecond(rate))
}
