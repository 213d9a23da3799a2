//! Connections that wait in an accept queue for accept(2), which does not come; some peers have given up already.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{FindingScope, Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::listener_text;
use crate::diagnosis::wording::{count, filter_by_place, oldest, place};
use crate::model::process::Owner;
use crate::model::tcp_state::TcpState;
use crate::store::row::SocketRow;

/// The peer has closed: `CLOSE_WAIT`.
const GIVEN_UP: usize = 0;
/// The peer still waits: `ESTABLISHED`.
const WAITING: usize = 1;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge);

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if !matches!(socket.owner, Owner::Unaccepted) {
        return None;
    }
    let came_by = context.sides.came_by(socket);
    let place = came_by.map_or(socket.place(), |came_by| came_by.place.destination());
    let member = GroupMember::new(FindingScope::On(place), row);
    let age = context.age(member.since);
    Some(GroupMember {
        listener: came_by.and_then(|came_by| came_by.listener).map(|listener| listener.id),
        process: came_by.and_then(|came_by| came_by.process(socket)),
        settled: age >= context.thresholds.settled,
        aged: age >= context.thresholds.not_accepted_critical,
        kind: if socket.state == TcpState::CloseWait { GIVEN_UP } else { WAITING },
        ..member
    })
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !case.reaches(group.settled, case.context.thresholds.not_accepted) {
        return None;
    }
    let given_up = match group.kinds[GIVEN_UP] {
        0 => String::new(),
        number if number == group.sockets => ", all given up by their peers".to_owned(),
        number => format!(", {} given up by their peers", count(number)),
    };
    let refuses = listener_text::accepting(case).does("does not accept", "do not accept");
    let waits = if group.sockets == 1 { "waits" } else { "wait" };
    let sentence = format!(
        "{refuses} {}{}: {} {waits}{given_up}{}",
        place(case),
        listener_text::among_listeners(case),
        count(group.sockets),
        oldest(case)
    );
    let severity = if group.aged > 0 { Severity::Critical } else { Severity::Warning };
    Some(
        Judgement {
            why: "never accepted",
            state: (group.kinds[GIVEN_UP] > 0).then_some(TcpState::CloseWait),
            slope: case.slope(),
            filter: filter_by_place(case, "owner:unaccepted"),
            ..Judgement::new(case, severity, sentence)
        }
        .metric("not_accepted", "not accepted", Measure::Count(u64::from(group.sockets)))
        .metric("given_up", "given up by the peer", Measure::Count(u64::from(group.kinds[GIVEN_UP])))
        .metric("oldest", "oldest", Measure::Span(case.oldest())),
    )
}
