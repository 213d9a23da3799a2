//! The peer offers no window: it does not read what we send.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::kernel_timers;
use crate::diagnosis::other_end::OtherEnd;
use crate::diagnosis::queue_progress::QueueProgress;
use crate::diagnosis::stalled;
use crate::diagnosis::wording::{filter, in_bytes, lasted, many, peers, that, total, who};
use crate::store::row::SocketRow;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge).blaming_peer().rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let since =
        kernel_timers::window_closed(socket, context.now()).filter(|_| kernel_timers::is_connected(socket.state))?;
    // What is taken now and then is no such thing: `slow-reader` looks at it. A reader on this machine has its own finding.
    if matches!(stalled::taken(context, socket), QueueProgress::Moving(..))
        || stalled::is_told_of_reader(context, socket)
    {
        return None;
    }
    stalled::member(context, row, since, context.thresholds.zero_window_age)
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !case.is_trouble() {
        return None;
    }
    let sentence = format!(
        "{} to {}{}: {}, {} waiting, for {}",
        who(group).does("cannot send", "cannot send"),
        peers(case),
        that(group, ", which does not read", " that do not read"),
        total(group, || many(group.sockets, "connection")),
        in_bytes(group.amount),
        lasted(case)
    );
    Some(
        Judgement {
            why: "the peer does not read",
            filter: filter(case, "timer:\"zero-window probe\""),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("zero_window", "with no window", Measure::Count(group.sockets.into()))
        .metric("waiting", "not sent", Measure::Bytes(group.amount))
        .evidence_if("peer", "other end", OtherEnd::of(case).words().map(Measure::Words))
        .evidence("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
