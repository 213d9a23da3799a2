//! Segments are lost and sent again: the path loses them, or the peer is about to be gone (see `dead_peer`).
//!
//! What is sent again need not have been lost. The kernel counts all of it in `RetransSegs`: SYNs and SYN-ACKs (counted by
//! other rules), tail-loss probes (RFC 8985), and what a peer says it got twice (DSACK, RFC 2883). So a loss is what is left
//! without those, and no more than what was sent again after a time-out, after duplicate ACKs, or by a probe that repaired
//! something.

use std::cmp::Reverse;
use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::kernel_timers;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::stalled;
use crate::diagnosis::wording::{filter, lasted, many, peers, total, who};
use crate::model::address_text::AddressText;
use crate::model::counters::Counters;
use crate::model::tcp_info::TcpInfo;
use crate::model::units;
use crate::store::losses::Peer;
use crate::store::row::SocketRow;

/// The share of segments sent again is taken over this time.
const SHARE_OVER: Duration = Duration::from_secs(60);
/// So many peers are named.
const PEERS_NAMED_MAX: usize = 3;
/// Why segments within this machine are lost: no link is on the way.
const ON_LOOPBACK: &str = "a receiver on this machine has no room";

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_rows(&[WatchedRows::Suspects], member, judge)
    .with_groups(groups)
    .blaming_peer()
    .rolling_up()
    .entering_after(1);

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let silence = kernel_timers::silence(socket, context.now())?;
    let is_backed_off = u32::from(kernel_timers::timeouts(socket)) >= context.thresholds.retransmit_backoff;
    if !is_backed_off || stalled::lasted(socket, silence, context.now()) >= context.thresholds.dead_peer_age {
        return None;
    }
    let lost = |tcp: TcpInfo| tcp.retransmits_total.saturating_sub(tcp.retransmits_spurious.into());
    let again = socket.tcp.map_or(0, lost);
    let member = GroupMember::new(context.sides.place(socket), row);
    Some(GroupMember { since: Some(silence), amount: again.into(), ..member })
}

/// The machine as a whole.
fn groups(context: &Context) -> Vec<SocketGroup> {
    let Some(growth) = context.store.counters().growth(SHARE_OVER) else { return Vec::new() };
    let (lost, sent) = (lost(&growth.by), growth.by.segments_sent);
    if lost == 0 || sent < u64::from(context.thresholds.retransmit_segments) {
        return Vec::new();
    }
    vec![SocketGroup { amount: lost, limit: sent, ..SocketGroup::new(FindingKey::machine(Rule::Retransmitting), None) }]
}

/// How many segments with data were lost, as far as the kernel's counters show.
fn lost(by: &Counters) -> u64 {
    let again = by.segments_retransmitted.saturating_sub(by.syn_retransmits).saturating_sub(by.spurious());
    // A number of a recording can be anything.
    let evidence =
        [by.time_outs, by.fast_retransmits, by.slow_start_retransmits, by.lost_retransmits, by.loss_probe_recoveries]
            .into_iter()
            .fold(0, u64::saturating_add);
    // Whatever is sent again is one of these. A recording of before has none of them: then the reason is not known.
    let tells_why = evidence > 0 || by.loss_probes > 0 || by.syn_retransmits > 0;
    if tells_why { again.min(evidence) } else { again }
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    if group.key.scope == FindingScope::Machine {
        return share(case);
    }
    if !case.is_trouble() {
        return None;
    }
    let is_here = group.endpoint().is_some_and(|end| end.address.ip().is_loopback());
    let sentence = format!(
        "{} to {}: {}, no ACK for {}",
        who(group).does("keeps retransmitting", "keep retransmitting"),
        peers(case),
        total(group, || many(group.sockets, "connection")),
        lasted(case)
    );
    Some(
        Judgement {
            why: if is_here { ON_LOOPBACK } else { "segments or answers are lost" },
            filter: filter(case, &format!("timer:retransmit retries>={}", case.context.thresholds.retransmit_backoff)),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("retransmitting", "retransmitting", Measure::Count(group.sockets.into()))
        .evidence("retransmits", "retransmitted segments", Measure::Count(group.amount)),
    )
}

fn share(case: &Case) -> Option<Judgement> {
    let (group, context) = (case.group, case.context);
    if !case.reaches_percent(group.amount, group.limit, context.thresholds.retransmit_percent) {
        return None;
    }
    let growth = context.store.counters().growth(SHARE_OVER)?;
    let peers = ResentShares::new(context);
    let sentence = format!(
        "this machine retransmits {} of its segments because they were lost: {} of {} in {}{}",
        part(group.amount, group.limit),
        units::count(group.amount),
        units::count(group.limit),
        units::age(growth.over),
        peers.words(),
    );
    let by = &growth.by;
    let count = |number: u64| (number > 0).then_some(Measure::Count(number));
    Some(
        Judgement {
            why: if peers.are_here() { ON_LOOPBACK } else { "segments or answers are lost" },
            sockets: 0,
            filter: "retries>0".to_owned(),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .metric("retransmitted", "lost and retransmitted", Measure::Of(group.amount, group.limit))
        .evidence("over", "observed for", Measure::Span(growth.over))
        .evidence("again", "retransmitted in total", Measure::Count(by.segments_retransmitted))
        .evidence_if("spurious", "received twice (DSACK)", count(by.spurious()))
        .evidence_if("probes", "tail-loss probes", count(by.loss_probes))
        .evidence_if("time_outs", "time-outs", count(by.time_outs))
        .evidence_if("peers", "peers", peers.shares().map(Measure::Words)),
    )
}

/// The peers to which most was sent again, with the share of each; known of connections that two samples saw.
struct ResentShares {
    by_peer: Vec<(String, u64)>,
    /// How much of it went to this machine itself.
    here: u64,
    all: u64,
}

impl ResentShares {
    fn new(context: &Context) -> Self {
        let mut resent = context.store.rows().losses().retransmitted(SHARE_OVER, context.now());
        let sum = |resent: &[(Peer, u64)]| resent.iter().map(|(_, number)| *number).sum();
        let all = sum(&resent);
        let is_here = |(peer, _): &&(Peer, u64)| peer.address.ip().is_loopback();
        let here = resent.iter().filter(is_here).map(|(_, number)| *number).sum();
        resent.sort_by_key(|(peer, number)| (Reverse(*number), *peer));
        resent.retain(|(_, number)| *number * 10 >= all);
        resent.truncate(PEERS_NAMED_MAX);
        let name = |peer: &Peer| AddressText::of(peer.address, peer.netns, context.store.names()).alone().to_string();
        Self { by_peer: resent.iter().map(|(peer, number)| (name(peer), *number)).collect(), here, all }
    }

    /// Whether nearly all of it went to this machine itself.
    fn are_here(&self) -> bool {
        self.all > 0 && self.here * 10 >= self.all * 8
    }

    fn words(&self) -> String {
        match self.by_peer.first() {
            Some((peer, number)) if *number == self.all => format!(", all of it to {peer}"),
            Some((peer, number)) if self.by_peer.len() == 1 => {
                format!(", {} of it to {peer}", part(*number, self.all))
            }
            Some(_) => {
                let names: Vec<&str> = self.by_peer.iter().map(|(peer, _)| peer.as_str()).collect();
                format!(", most to {}", names.join(", "))
            }
            None => String::new(),
        }
    }

    fn shares(&self) -> Option<String> {
        let shares = self.by_peer.iter().map(|(peer, number)| format!("{peer} {}", part(*number, self.all)));
        (!self.by_peer.is_empty()).then(|| shares.collect::<Vec<_>>().join(", "))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn part(part: u64, whole: u64) -> String {
    units::share(part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_again_without_need_was_not_lost() {
        let sent = Counters { segments_sent: 27_000, segments_retransmitted: 1_510, ..Counters::ZERO };
        assert_eq!(lost(&sent), 1_510, "a recording that does not say why");
        let probes = Counters { loss_probes: 1_510, dsacks_received: 1_503, ..sent };
        assert_eq!(lost(&probes), 0, "pgbench on loopback");
        assert_eq!(lost(&Counters { dsacks_received: 0, ..probes }), 0, "peers without DSACK");
        assert_eq!(lost(&Counters { time_outs: 40, fast_retransmits: 500, slow_start_retransmits: 90, ..sent }), 630);
        let both = Counters { fast_retransmits: 300, loss_probe_recoveries: 20, dsacks_received: 1_400, ..probes };
        assert_eq!(lost(&both), 110, "some were lost, most came twice");
        let handshakes = Counters { syn_retransmits: 1_500, time_outs: 1_510, ..sent };
        assert_eq!(lost(&handshakes), 10, "no data was lost with a SYN");
    }
}
