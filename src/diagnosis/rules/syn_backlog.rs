//! A SYN queue is full: handshakes that clients do not finish, or a flood of SYNs. Then the kernel sends cookies; where
//! cookies are off it drops SYNs (see `syn_drops`).

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::dropped_syns;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::listener_text;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{filter_by_place, place, trimmed};
use crate::model::facts::Counters;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::store::listeners::Listener;
use crate::store::row::SocketRow;

/// Cookies are counted over this time.
const COUNTED_OVER: Duration = Duration::from_secs(30);
/// With fewer half-open connections than this in a sample, no listener is accused of what the counters say.
const HALF_OPEN_FEW: u32 = 8;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge).with_groups(groups).lingering();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if socket.state != TcpState::SynRecv {
        return None;
    }
    let came_by = context.sides.came_by(socket)?;
    // Where several listeners share the place, a handshake names none of them: their queues count together.
    let limit = came_by.queue()?.room()?;
    // Where connections wait for accept(), handshakes cannot end: that is the finding then.
    let is_full = |one: &Listener| one.queue.is_some_and(|queue| context.is_full(queue));
    // Where SYNs are dropped, that is the finding.
    let is_told = came_by.possible(socket).any(|one| dropped_syns::is_dropping(context, one.id));
    if is_told || came_by.possible(socket).all(is_full) {
        return None;
    }
    Some(GroupMember {
        listener: came_by.listener.map(|listener| listener.id),
        process: came_by.process(socket),
        limit: limit.into(),
        ..GroupMember::new(FindingScope::On(came_by.place.destination()), row)
    })
}

/// Cookies of which no listener can be accused.
fn groups(context: &Context) -> Vec<SocketGroup> {
    if context.risen(COUNTED_OVER, COOKIES).is_none()
        || context.store.rows().counts().of(TcpState::SynRecv) >= HALF_OPEN_FEW
    {
        return Vec::new();
    }
    vec![SocketGroup::new(FindingKey::machine(Rule::SynBacklog), None)]
}

const COOKIES: fn(&Counters) -> u64 = |counters| counters.syn_queue_cookies;

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    let is_machine = group.key.scope == FindingScope::Machine;
    let half_open = u64::from(group.sockets);
    let is_full = case.reaches_percent(half_open, group.limit, case.context.thresholds.syn_backlog_warning);
    if !is_machine && !is_full {
        return None;
    }
    let cookies = case.context.risen(COUNTED_OVER, COOKIES).filter(|_| case.is_own_namespace());
    let cookies = cookies.map(per_second);
    let cookies_sent = cookies.map_or_else(String::new, |cookies| format!(", {} cookies/s sent", trimmed(cookies)));
    let sentence = if is_machine {
        format!("a SYN queue overflows{cookies_sent}, in bursts between samples")
    } else {
        let (half_open, limit) = (units::count(half_open), units::count(group.limit));
        let what = match listener_text::came_by(case).map(|(_, came_by)| (came_by.listener, came_by.count())) {
            Some((None, count)) => format!("SYN queues of {count} listeners full"),
            _ => format!("{} full", listener_text::accepting(case).owns("SYN queue")),
        };
        format!("{what} {}: {half_open} of {limit} half open{cookies_sent}", place(case))
    };
    Some(
        Judgement {
            why: "handshakes are not finished",
            since: None,
            state: (!is_machine).then_some(TcpState::SynRecv),
            filter: filter_by_place(case, if is_machine { "state:syn-recv,listen" } else { "state:syn-recv" }),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("syn_recv", "half open", Measure::Of(half_open, group.limit))
        .evidence_if("syn_cookies", "cookies sent", cookies.map(Measure::PerSecond)),
    )
}
