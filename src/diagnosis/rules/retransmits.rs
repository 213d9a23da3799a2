//! Segments are sent again and again: the path loses them, or the peer is about to be gone (see `dead_peer`).

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{FindingKey, Measure, Place, Severity};
use crate::diagnosis::group::{Group, Member};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::rules::stalled;
use crate::diagnosis::wording::{filter, lasted, many, peers, total, who};
use crate::model::socket::NetnsId;
use crate::model::units;
use crate::store::rows::Row;

/// The share of segments sent again is taken over this time.
const SHARE_OVER: Duration = Duration::from_mins(1);

pub(in crate::diagnosis) fn member<'a>(look: &Context<'a>, row: &'a Row) -> Option<Member<'a>> {
    let socket = &row.connection.socket;
    let silence = stalled::silence(socket, look.now())?;
    let is_backed_off = u32::from(stalled::timeouts(socket)) >= look.thresholds.retransmit_backoff;
    if !is_backed_off || stalled::lasted(socket, silence, look.now()) >= look.thresholds.dead_peer_age {
        return None;
    }
    let again = socket.tcp.map_or(0, |tcp| tcp.retransmits_total);
    let member = Member::new(look.sides.place(socket), row);
    Some(Member { since: Some(silence), amount: again.into(), ..member })
}

/// The machine as a whole.
pub(in crate::diagnosis) fn groups(look: &Context) -> Vec<Group> {
    let rise = |counter| look.memory.rise(SHARE_OVER, counter).map_or(0, |(rise, _)| rise);
    let (again, sent) = (rise(|counters| counters.segments_retransmitted), rise(|counters| counters.segments_sent));
    if again == 0 || sent < u64::from(look.thresholds.retransmit_segments) {
        return Vec::new();
    }
    let key = FindingKey {
        rule: Rule::Retransmitting,
        program: None,
        place: Place::Machine,
        netns: NetnsId::default(),
        listener: None,
    };
    vec![Group { amount: again, limit: sent, ..Group::new(key, None) }]
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if group.key.place == Place::Machine {
        return share(case);
    }
    if !super::is_trouble(case) {
        return None;
    }
    let sentence = format!(
        "{} again and again to {}: {}, no ACK for {}",
        who(group).does("sends", "send"),
        peers(case),
        total(group, || many(group.sockets, "connection")),
        lasted(case)
    );
    Some(
        Judgement {
            why: "segments or answers are lost",
            filter: filter(case, &format!("timer:retransmit retries>={}", case.look.thresholds.retransmit_backoff)),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("retransmitting", "backed off", Measure::Count(group.sockets.into()))
        .evidence("retransmits", "segments sent again", Measure::Count(group.amount)),
    )
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if !case.reaches_percent(group.amount, group.limit, case.look.thresholds.retransmit_percent) {
        return None;
    }
    let sentence = format!(
        "this machine sends {} of its segments again: {} of {} in the last minute",
        units::share(group.amount as f64 / group.limit.max(1) as f64),
        units::count(group.amount),
        units::count(group.limit)
    );
    Some(
        Judgement {
            why: "segments or answers are lost",
            sockets: 0,
            filter: "retries>0".to_owned(),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("retransmitted", "segments sent again", Measure::Of(group.amount, group.limit)),
    )
}
