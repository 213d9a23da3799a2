//! A process of this machine does not read: its receive queues hold data, and it takes nothing out of them.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::other_end::{self, OtherEnd};
use crate::diagnosis::reader_progress::{self, ReaderProgress};
use crate::diagnosis::wording::{filter, in_bytes, lasted, many, place, who};
use crate::store::row::SocketRow;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Queued], member, judge).rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let ReaderProgress::Stuck(since) = reader_progress::of(context, socket) else { return None };
    let unread = u64::from(socket.queues?.receive);
    let beyond = other_end::waits_there(context, socket);
    Some(GroupMember {
        since: Some(since),
        amount: unread,
        beyond,
        ..GroupMember::new(context.sides.place(socket), row)
    })
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    (group.sockets > 0).then_some(())?;
    let peer = OtherEnd::of(case);
    let more = match (&peer.name, group.beyond) {
        (_, 0) => String::new(),
        (Some(name), bytes) => format!("; {} more in the send queue of {name}", in_bytes(bytes)),
        (None, bytes) => format!("; {} more in the send queue of the peer", in_bytes(bytes)),
    };
    let sentence = format!(
        "{}: {} {}, {} unread, for {}{more}",
        who(group).does("does not read", "are not read from"),
        many(group.sockets, "connection"),
        place(case),
        in_bytes(group.amount),
        lasted(case)
    );
    Some(
        Judgement {
            why: "the process does not read",
            filter: filter(case, &reader_progress::filter_queue(case)),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("not_read", "connections not read from", Measure::Count(group.sockets.into()))
        .metric("recv_queue", "unread", Measure::Bytes(group.amount))
        .evidence_if("waiting", "waiting at the other end", (group.beyond > 0).then_some(Measure::Bytes(group.beyond)))
        .evidence_if("peer", "other end", peer.words().map(Measure::Words))
        .metric("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
