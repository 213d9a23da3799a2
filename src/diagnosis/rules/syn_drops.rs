//! New connections are dropped before the handshake, and no full accept queue explains it.
//!
//! `tcp_conn_request` (`net/ipv4/tcp_input.c`) drops a SYN where the SYN queue is as long as the listener's backlog and
//! cookies are off; where cookies are off and less than a quarter of `tcp_max_syn_backlog` is left, whatever the backlog;
//! and for want of a route, of memory, or by a security module, which no counter distinguishes. Each is counted as a drop of
//! the listening socket (`sk_drops`) and in `ListenDrops`, as are those at a full accept queue, which `ListenOverflows`
//! counts as well. The first says which listener, in whatever network namespace; but it counts other segments to a listener
//! that opened nothing, too, so in our own namespace both must say so.

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::dropped_syns::{DROPS_FEW, DROPS_OVER, dropped, excess, is_dropping};
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::subject::listening;
use crate::diagnosis::wording::{filter_by_place, listens, trimmed};
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::store::counters::Rise;
use crate::store::listeners::AcceptQueue;
use crate::store::row::SocketRow;

/// In another network namespace, whose counters and limits are not read, drops are those of SYNs if at least so many
/// handshakes are half done.
const HALF_OPEN_FEW: u32 = 8;
/// Of the limit of a SYN queue that drops, so much is called full: handshakes that were never finished expire in bursts
/// (`reqsk_timer_handler`, `net/ipv4/inet_connection_sock.c`), and a sample may come before the queue has filled again.
const FULL_PERCENT: u64 = 75;

/// The kinds of rows of a listener's group.
const HALF_OPEN: usize = 0;
const LISTENER: usize = 1;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Listening, WatchedRows::Suspects], member, judge)
        .with_groups(groups)
        .growing_by(|group| group.amount);

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if socket.state == TcpState::SynRecv {
        let came_by = context.sides.came_by(socket)?;
        let id = came_by.listener?.id;
        let listening = &context.store.rows().live(id).filter(|_| is_dropping(context, id))?.connection.socket;
        // That of the listener's own row: a handshake has none.
        let process = listening.owner.holders().and_then(|holders| holders.all().first());
        let member = GroupMember::new(FindingScope::On(came_by.place.destination()), row);
        return Some(GroupMember { listener: Some(id), process, kind: HALF_OPEN, ..member });
    }
    let amount = dropped(context, socket);
    (amount > 0).then(|| GroupMember {
        listener: Some(socket.id),
        since: None,
        kind: LISTENER,
        amount,
        ..GroupMember::new(FindingScope::on(socket), row)
    })
}

/// Drops that belong to no listener: the source does not say what each listener lost, or the listener is gone.
fn groups(context: &Context) -> Vec<SocketGroup> {
    let Some(Rise { by: dropped, .. }) = excess(context) else { return Vec::new() };
    let losses = context.store.rows().losses().dropping(DROPS_OVER, context.now());
    let of_listeners =
        losses.iter().filter(|(id, _)| context.is_own_namespace(id.netns()) && is_dropping(context, *id)).count();
    if dropped < DROPS_FEW || of_listeners > 0 {
        return Vec::new();
    }
    vec![SocketGroup { amount: dropped, ..SocketGroup::new(FindingKey::machine(Rule::SynDrops), None) }]
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    let is_machine = group.key.scope == FindingScope::Machine;
    let over =
        excess(case.context).map_or(DROPS_OVER, |rise| if is_machine { rise.over } else { rise.over.min(DROPS_OVER) });
    let rate = per_second(Rise { by: group.amount, over });
    let is_many = group.amount >= DROPS_FEW || case.is_active();
    if !is_many || !case.reaches(rate, case.context.thresholds.syn_drops) {
        return None;
    }
    let dropped = format!("are dropped, {}/s", trimmed(rate));
    let (limit, half_open) = (SynQueueLimit::of(case)?, group.kinds[HALF_OPEN]);
    let FindingScope::On(local) = group.key.scope else {
        let sentence = format!("new connections {dropped}: the kernel does not say for which listener or why");
        let judgement = Judgement::new(case, Severity::Warning, sentence);
        let judgement = Judgement { filter: "state:listen,syn-recv".to_owned(), ..judgement };
        return Some(judgement.metric("dropped", "SYNs dropped", Measure::PerSecond(rate)));
    };
    let sentence = format!("new connections to {} {dropped}: {}", listens(case, local), limit.words(case));
    let state = if half_open > 0 { "state:syn-recv" } else { "state:listen" };
    let shown = Judgement {
        why: limit.why(),
        state: Some(if half_open > 0 { TcpState::SynRecv } else { TcpState::Listen }),
        since: None,
        sockets: half_open.max(1),
        filter: filter_by_place(case, state),
        ..Judgement::new(case, Severity::Critical, sentence)
    };
    let cookies = case.context.store.facts().syncookies.filter(|_| case.is_own_namespace());
    let cookies = cookies.map(|cookies| Measure::Words(if cookies == 0 { "off" } else { "on" }.to_owned()));
    let half_open = match limit.number() {
        Some(limit) => Measure::Of(half_open.into(), limit),
        None => Measure::Count(half_open.into()),
    };
    Some(
        shown
            .metric("dropped", "SYNs dropped", Measure::PerSecond(rate))
            .metric("syn_recv", "half open", half_open)
            .evidence_if("syncookies", "SYN cookies", cookies),
    )
}

/// What a SYN queue has come up against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SynQueueLimit {
    /// The backlog of the listener, with cookies off.
    Backlog(u64),
    /// Three quarters of `tcp_max_syn_backlog`, with cookies off.
    SynBacklog(u32),
    /// Those of another network namespace, which are not read.
    Elsewhere,
    /// None that shows.
    None,
}

impl SynQueueLimit {
    /// `None` where nothing says that what was dropped are SYNs.
    fn of(case: &Case) -> Option<Self> {
        let (context, group) = (case.context, case.group);
        let half_open = group.kinds[HALF_OPEN];
        if !case.is_own_namespace() {
            return (half_open >= HALF_OPEN_FEW).then_some(Self::Elsewhere);
        }
        let fills = |limit: u64| u64::from(half_open) * 100 >= limit.max(1) * FULL_PERCENT;
        let facts = context.store.facts();
        let row = group.key.listener.and_then(|id| context.store.rows().live(id));
        let backlog = row.and_then(|row| AcceptQueue::of(&row.connection.socket)?.room()).map(u64::from);
        let max = facts.syn_backlog_max.filter(|_| facts.syncookies == Some(0));
        Some(match (backlog.filter(|backlog| fills(*backlog)), max) {
            (Some(backlog), _) => Self::Backlog(backlog),
            (None, Some(max)) if fills(three_quarters(max)) => Self::SynBacklog(max),
            _ => Self::None,
        })
    }

    fn number(self) -> Option<u64> {
        match self {
            Self::Backlog(backlog) => Some(backlog),
            Self::SynBacklog(max) => Some(three_quarters(max)),
            Self::Elsewhere | Self::None => None,
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Self::Backlog(_) | Self::SynBacklog(_) | Self::Elsewhere => "handshakes are not finished",
            Self::None => "the kernel does not say",
        }
    }

    fn words(self, case: &Case) -> String {
        let queue = listening(case.group).owns("SYN queue");
        let half_open = units::count(case.group.kinds[HALF_OPEN].into());
        let cookies = match case.context.store.facts().syncookies {
            Some(0) => ", SYN cookies are off",
            _ => "",
        };
        match self {
            Self::Backlog(backlog) => {
                format!("{queue} full at {half_open} (backlog of the listener {}){cookies}", units::count(backlog))
            }
            Self::SynBacklog(max) => format!(
                "{queue} full at {half_open} (3/4 of net.ipv4.tcp_max_syn_backlog {}){cookies}",
                units::count(max.into())
            ),
            Self::Elsewhere => format!("{queue} holds {half_open} half open"),
            Self::None => format!("{queue} is not full ({half_open} half open), and the kernel does not say why"),
        }
    }
}

fn three_quarters(max: u32) -> u64 {
    u64::from(max - max / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_keeps_a_quarter_of_the_syn_backlog_for_hosts_it_knows() {
        assert_eq!([128, 1_024, 3].map(three_quarters), [96, 768, 3]);
    }
}
