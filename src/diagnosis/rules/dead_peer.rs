//! Data is on its way to a peer that says nothing any more. The kernel sends it again for a quarter of an hour
//! (`tcp_retries2`) before it gives up.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::Member;
use crate::diagnosis::rules::stalled;
use crate::diagnosis::wording::{filter, many, oldest, place, who};
use crate::store::rows::Row;

pub(in crate::diagnosis) fn member<'a>(look: &Context<'a>, row: &'a Row) -> Option<Member<'a>> {
    let socket = &row.connection.socket;
    let since = stalled::silence(socket, look.now())?;
    if since.age(look.now()) < look.thresholds.dead_peer_age {
        return None;
    }
    let waiting = socket.queues.and_then(|queues| queues.send).unwrap_or(0);
    let member = Member::new(look.sides.place(socket), row);
    Some(Member { since: Some(since), amount: waiting.into(), ..member })
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !super::is_trouble(case) {
        return None;
    }
    let sentence = format!(
        "{} sends to a dead peer, {}: {} unacknowledged{}",
        who(group),
        place(group),
        many(group.sockets, "connection"),
        oldest(case)
    );
    Some(
        Judgement {
            why: "the peer says nothing",
            filter: filter(case, "timer:retransmit retries>0"),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("dead_peers", "unacknowledged", Measure::Count(group.sockets.into()))
        .evidence("waiting", "not acknowledged", Measure::Bytes(group.amount))
        .evidence("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
