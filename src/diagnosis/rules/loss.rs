//! Rules that rest on counters of the kernel alone: something is thrown away, and no single socket can be named for it.
//!
//! One row each. A few losses are life; a finding is what is lost at a rate and, where there is something to compare it with,
//! in a share that matters.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::trimmed;
use crate::model::counters::Counters;
use crate::model::units;
use crate::store::counters::Rise;

/// Losses are counted over this time.
const LOST_OVER: Duration = Duration::from_secs(30);

type Counter = fn(&Counters) -> u64;

/// A rule of this kind.
#[derive(Debug)]
struct CounterLossRule {
    rule: Rule,
    /// What is lost; added up. Key and words of the evidence, and the counter.
    lost: &'static [(&'static str, &'static str, Counter)],
    /// What it is a share of; `None` where any of it is too much.
    of: Option<Counter>,
    /// The sentence before the rate, and after it.
    sentence: (&'static str, &'static str),
    why: &'static str,
    filter: &'static str,
}

/// Datagrams that were not sent.
static UDP_SEND: CounterLossRule = CounterLossRule {
    rule: Rule::UdpSendDrops,
    lost: &[("not_sent", "datagrams not sent", |counters| counters.udp_send_buffer_errors)],
    of: Some(|counters| counters.udp_sent),
    sentence: ("UDP datagrams are not sent", "a send buffer or an interface queue is full"),
    why: "send buffer or interface queue full",
    filter: "proto:udp",
};

/// Segments that arrived and were thrown away.
static TCP_RECEIVE: CounterLossRule = CounterLossRule {
    rule: Rule::TcpReceiveDrops,
    lost: &[
        ("backlog", "socket backlog full", |counters| counters.backlog_drops),
        ("receive_queue", "receive buffer full", |counters| counters.receive_queue_drops),
        ("out_of_order", "out-of-order queue full", |counters| counters.out_of_order_drops),
        ("pruned", "pruned from a receive buffer", |counters| counters.pruned),
        ("out_of_order_pruned", "out-of-order queues pruned", |counters| counters.out_of_order_pruned),
    ],
    of: Some(|counters| counters.segments_received),
    sentence: ("incoming TCP segments are dropped", "socket buffers are full, so peers must retransmit"),
    why: "no room in receive buffers or backlogs",
    filter: "recvq>0",
};

/// Connections that ended without `TIME_WAIT`.
static TIME_WAIT: CounterLossRule = CounterLossRule {
    rule: Rule::TimeWaitOverflow,
    lost: &[("overflows", "ended without TIME_WAIT", |counters| counters.time_wait_overflows)],
    of: None,
    sentence: ("connections end without TIME_WAIT", "the limit net.ipv4.tcp_max_tw_buckets is reached"),
    why: "net.ipv4.tcp_max_tw_buckets reached",
    filter: "state:time-wait",
};

/// Segments with an old time stamp.
static TIME_STAMPS: CounterLossRule = CounterLossRule {
    rule: Rule::PawsDrops,
    lost: &[("rejected", "segments dropped", |counters| counters.time_stamp_rejects)],
    of: Some(|counters| counters.segments_received),
    sentence: (
        "incoming TCP segments are dropped for an old timestamp (PAWS)",
        "it is older than that of an earlier segment of the same connection",
    ),
    why: "timestamps go backwards",
    filter: "",
};

/// Packets whose checksum is wrong.
static DAMAGED: CounterLossRule = CounterLossRule {
    rule: Rule::DamagedPackets,
    lost: &[("damaged", "bad checksums", |counters| counters.checksum_errors)],
    of: Some(|counters| counters.segments_received.saturating_add(counters.udp_received)),
    sentence: ("incoming packets are corrupted", "wrong checksum, dropped"),
    why: "a link, a network card or a device on the path corrupts packets",
    filter: "",
};

pub(super) const UDP_SEND_DEFINITION: RuleDefinition =
    RuleDefinition::of_machine(|context| UDP_SEND.groups(context), |case| UDP_SEND.judge(case));
pub(super) const TCP_RECEIVE_DEFINITION: RuleDefinition =
    RuleDefinition::of_machine(|context| TCP_RECEIVE.groups(context), |case| TCP_RECEIVE.judge(case));
pub(super) const DAMAGED_DEFINITION: RuleDefinition =
    RuleDefinition::of_machine(|context| DAMAGED.groups(context), |case| DAMAGED.judge(case));
pub(super) const TIME_STAMPS_DEFINITION: RuleDefinition =
    RuleDefinition::of_machine(|context| TIME_STAMPS.groups(context), |case| TIME_STAMPS.judge(case));
pub(super) const TIME_WAIT_DEFINITION: RuleDefinition =
    RuleDefinition::of_machine(|context| TIME_WAIT.groups(context), |case| TIME_WAIT.judge(case));

impl CounterLossRule {
    /// The machine as a whole, if anything was lost.
    fn groups(&self, context: &Context) -> Vec<SocketGroup> {
        // A number of a recording can be anything.
        let amount = self.lost.iter().map(|(_, _, counter)| rise(context, *counter)).fold(0, u64::saturating_add);
        if amount == 0 {
            return Vec::new();
        }
        vec![SocketGroup { amount, ..SocketGroup::new(FindingKey::machine(self.rule), None) }]
    }

    fn judge(&self, case: &Case) -> Option<Judgement> {
        let (context, amount) = (case.context, case.group.amount);
        let Rise { over, .. } = context.rise(LOST_OVER, self.lost.first()?.2)?;
        let rate = per_second(Rise { by: amount, over });
        let of = self.of.map(|of| rise(context, of));
        if !case.is_loss(amount, rate, of) {
            return None;
        }
        let (before, after) = self.sentence;
        let share = of.map_or_else(String::new, |of| format!(", {} of all", share(amount, of)));
        let sentence = format!("{before}, {}/s{share}: {after}", trimmed(rate));
        let judgement = Judgement::new(case, Severity::Warning, sentence);
        let judgement = Judgement { why: self.why, filter: self.filter.to_owned(), ..judgement };
        if let [(key, label, _)] = self.lost {
            return Some(judgement.metric(key, label, Measure::PerSecond(rate)));
        }
        let judgement = judgement.metric("lost", "in total", Measure::PerSecond(rate));
        Some(self.lost.iter().fold(judgement, |judgement, (key, label, counter)| {
            let rise = Some(rise(context, *counter)).filter(|rise| *rise > 0);
            judgement.evidence_if(key, label, rise.map(|rise| Measure::PerSecond(per_second(Rise { by: rise, over }))))
        }))
    }
}

fn rise(context: &Context, counter: Counter) -> u64 {
    context.rise(LOST_OVER, counter).map_or(0, |rise| rise.by)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(part: u64, rest: u64) -> String {
    units::share(part as f64 / part.saturating_add(rest).max(1) as f64)
}
