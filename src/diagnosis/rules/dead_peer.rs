//! Data is on its way to a peer that says nothing any more. The kernel sends it again for a quarter of an hour
//! (`tcp_retries2`) before it gives up.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::Member;
use crate::diagnosis::rules::stalled;
use crate::diagnosis::wording::{filter, lasted, many, peers, that, total, who};
use crate::store::rows::Row;

pub(in crate::diagnosis) fn member<'a>(look: &Context<'a>, row: &'a Row) -> Option<Member<'a>> {
    let socket = &row.connection.socket;
    let since = stalled::silence(socket, look.now()).or_else(|| stalled::unanswered_keep_alive(socket))?;
    stalled::member(look, row, since, look.thresholds.dead_peer_age)
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !super::is_trouble(case) {
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
