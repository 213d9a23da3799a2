//! The peer does not answer our SYN: it is down, the address is wrong, or a firewall drops.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::FindingScope;
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::listener_text;
use crate::diagnosis::wording::{count, filter, growth, oldest, peers, total, who};
use crate::model::tcp_state::TcpState;
use crate::store::row::SocketRow;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge).blaming_peer().rolling_up().holding_for(6);

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if socket.state != TcpState::SynSent {
        return None;
    }
    // Who sends a SYN is the client, whatever its port.
    let member = GroupMember::new(FindingScope::To(socket.destination()), row);
    let settled = context.age(member.since) >= context.thresholds.syn_sent_age;
    Some(GroupMember { settled, ..member })
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !case.reaches(group.settled, 1) {
        return None;
    }
    let slope = case.slope();
    let sentence = format!(
        "{} no answer from {}: {} in SYN_SENT{}{}",
        who(group).does("gets", "get"),
        peers(case),
        total(group, || count(group.sockets)),
        growth(slope),
        oldest(case)
    );
    let is_critical = case.reaches_critical(group.settled, case.context.thresholds.syn_sent_critical);
    Some(
        Judgement {
            why: "the peer does not answer",
            state: Some(TcpState::SynSent),
            slope,
            filter: filter(case, "state:syn-sent"),
            ..Judgement::new(case, if is_critical { Severity::Critical } else { Severity::Warning }, sentence)
        }
        .metric("syn_sent", "in SYN_SENT", Measure::Count(group.sockets.into()))
        .evidence_if("peers", "peers", (group.places > 1).then(|| Measure::Count(group.places.into())))
        .evidence_if("listener", "listens there", listener_text::called_here(case).map(Measure::Words))
        .metric("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
