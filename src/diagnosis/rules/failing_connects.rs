//! Attempts to connect fail, whatever time-out the client has: the condition is that nothing succeeds, not that one socket
//! is old.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::connect_attempts::ConnectAttempts;
use crate::diagnosis::connects;
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::Measure;
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::{count, filter_by_place, peers, who};
use crate::model::tcp_state::TcpState;
use crate::model::units;

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

fn groups(context: &Context) -> Vec<SocketGroup> {
    connects::groups(context, Rule::FailingConnects)
}

fn judge(case: &Case) -> Option<Judgement> {
    let (group, attempts) = (case.group, case.group.attempts?);
    let severity = connects::severity(case)?;
    let under_way = match attempts.under_way {
        0 => String::new(),
        number => format!(", {} in progress", count(number)),
    };
    let verb = if attempts.all_failed.is_some() {
        who(group).does("cannot connect to", "cannot connect to")
    } else {
        who(group).does("often fails to connect to", "often fail to connect to")
    };
    let sentence =
        format!("{verb} {}: {}{under_way}{}", peers(case), connects::counts_text(case, &attempts), ending(&attempts));
    let counts = attempts.counts;
    let number = |number: u32| (number > 0).then_some(Measure::Count(number.into()));
    Some(
        Judgement {
            why: why(&attempts),
            state: Some(TcpState::SynSent),
            filter: filter_by_place(case, "state:syn-sent"),
            ..Judgement::new(case, severity, sentence)
        }
        .metric("attempts_failed", "failed in a minute", Measure::Of(counts.failed().into(), counts.decided().into()))
        .evidence_if("processes_at_least", "processes, at least", connects::more_processes(group))
        .metric("under_way", "in progress", Measure::Count(attempts.under_way.into()))
        .evidence_if("given_up", "given up by the process", number(counts.given_up()))
        .evidence_if("timed_out", "given up by the kernel", number(counts.timed_out()))
        .evidence_if("unreachable", "no route to it", number(counts.unreachable()))
        .evidence_if("refused", "refused", number(counts.refused()))
        .evidence_if("failed_unknown", "failed, reason unknown", number(counts.failed_unknown())),
    )
}

/// How most of them ended.
fn why(attempts: &ConnectAttempts) -> &'static str {
    let counts = attempts.counts;
    let (given_up, timed_out) = (counts.given_up(), counts.timed_out());
    let (unreachable, unknown) = (counts.unreachable(), counts.failed_unknown());
    let most = given_up.max(timed_out).max(unreachable).max(unknown);
    match most {
        0 => "",
        most if most == unreachable => "no route to it",
        most if most == given_up || most == timed_out => "the peer does not answer",
        _ => "reason unknown",
    }
}

/// `, given up after 1s`, as the last one was.
fn ending(attempts: &ConnectAttempts) -> String {
    let Some(waited) = attempts.all_failed.and_then(|row| row.last_waited) else { return String::new() };
    match why(attempts) {
        "no route to it" => ", no route to it".to_owned(),
        "the peer does not answer" => format!(", given up after {}", units::lasted(waited)),
        _ => String::new(),
    }
}
