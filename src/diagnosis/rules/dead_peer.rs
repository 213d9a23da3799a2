//! Data is on its way to a peer that says nothing any more. The kernel sends it again for a quarter of an hour
//! (`tcp_retries2`) before it gives up.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::kernel_timers;
use crate::diagnosis::stalled;
use crate::diagnosis::wording::{filter, lasted, many, peers, that, total, who};
use crate::store::row::SocketRow;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge).blaming_peer().rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let since =
        kernel_timers::silence(socket, context.now()).or_else(|| kernel_timers::unanswered_keep_alive(socket))?;
    stalled::member(context, row, since, context.thresholds.dead_peer_age)
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !case.is_trouble() {
        return None;
    }
    let sentence = format!(
        "{} to {}{}: {}, no ACK for {}",
        who(group).does("sends", "send"),
        peers(case),
        that(group, ", which is gone", " that are gone"),
        total(group, || many(group.sockets, "connection")),
        lasted(case)
    );
    Some(
        Judgement {
            why: "the peer says nothing",
            filter: filter(case, "timer:retransmit,keepalive retries>0"),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("dead_peers", "unacknowledged", Measure::Count(group.sockets.into()))
        .evidence("waiting", "not acknowledged", Measure::Bytes(group.amount))
        .evidence("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
