//! We have closed and the peer does not: `FIN_WAIT2` that a process still holds. (What no process holds ends by itself
//! after `tcp_fin_timeout`.)

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::other_end::OtherEnd;
use crate::diagnosis::wording::{filter, growth, many, oldest, place, total, who};
use crate::model::process::Owner;
use crate::model::tcp_state::TcpState;
use crate::store::row::SocketRow;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge).blaming_peer().rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let is_held = matches!(socket.owner, Owner::Live(_)) || socket.owner.is_hidden();
    if socket.state != TcpState::FinWait2 || !is_held {
        return None;
    }
    let member = GroupMember::new(context.sides.place(socket), row);
    let settled = context.age(member.since) >= context.thresholds.fin_wait2_age;
    Some(GroupMember { settled, ..member })
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !case.reaches(group.settled, case.context.thresholds.fin_wait2_stuck) {
        return None;
    }
    let slope = case.slope();
    let peer = OtherEnd::of(case);
    let waits = match &peer.name {
        Some(name) => who(group).does(&format!("waits for {name}"), &format!("wait for {name}")),
        None => who(group).does("waits for its peers", "wait for their peers"),
    };
    let sentence = format!(
        "{waits} to close, {}: {} in FIN_WAIT2{}{}",
        place(case),
        total(group, || many(group.sockets, "connection")),
        growth(slope),
        oldest(case)
    );
    Some(
        Judgement {
            why: "the peer does not close",
            state: Some(TcpState::FinWait2),
            slope,
            filter: filter(case, "state:fin-wait2"),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("fin_wait2", "in FIN_WAIT2", Measure::Count(group.sockets.into()))
        .evidence_if("peer", "other end", peer.words().map(Measure::Words))
        .evidence("stuck", "for too long", Measure::Count(group.settled.into()))
        .metric("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
