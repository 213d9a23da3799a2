//! What happened to TCP sockets since the program started, as counters. They take in every delta, also those between two outputs, and
//! what the kernel told while a sample failed comes with the next: an output that is missed loses nothing.

use crate::model::delta::{EventSource, Gap, Transition};
use crate::model::endpoint::Protocol;
use crate::model::outcome::Outcome;
use crate::model::tcp_state::{STATES, TcpState};
use crate::report::metrics::series::{MetricLabelValue, MetricPoint};

/// How a connection ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClosedBy {
    Fin,
    Reset,
    Timeout,
    Unknown,
}

/// The words of [`ClosedBy`], in its order.
const REASONS: [&str; 4] = ["fin", "reset", "timeout", "unknown"];

/// The counters.
#[derive(Clone, Debug)]
pub(super) struct ChangeCounters {
    /// By the state before and the state after, as `TcpState as usize`.
    transitions: [[u64; STATES.len()]; STATES.len()],
    opened: u64,
    closed: [u64; REASONS.len()],
    lost: u64,
}

impl ChangeCounters {
    /// All at 0.
    pub(super) const fn new() -> Self {
        Self { transitions: [[0; STATES.len()]; STATES.len()], opened: 0, closed: [0; REASONS.len()], lost: 0 }
    }

    /// Counts what one delta tells.
    pub(super) fn note(&mut self, transitions: &[Transition], gaps: &[Gap]) {
        // The TCP sockets that carry an MPTCP connection are no connections of their own.
        for transition in transitions.iter().filter(|one| one.protocol != Protocol::Udp && !one.of_subflow) {
            match (transition.from, transition.to) {
                (Some(from), Some(to)) if from != to => self.transitions[from as usize][to as usize] += 1,
                (None, Some(to)) if is_of_connection(to) => self.opened += 1,
                (_, None) => {
                    if let Some(reason) = close_reason(transition) {
                        self.closed[reason as usize] += 1;
                    }
                }
                _ => {}
            }
        }
        // A sample that could not be taken has lost no event.
        let lost = gaps.iter().filter(|gap| gap.of != EventSource::Samples).map(|gap| gap.lost.unwrap_or(1).max(1));
        self.lost = lost.fold(self.lost, u64::saturating_add);
    }

    /// Each change that RFC 9293 knows, from 0 on, so that a rate sees the first of them; and what else there was.
    pub(super) fn transitions(&self) -> Vec<MetricPoint> {
        let pairs = STATES.iter().flat_map(|from| STATES.iter().map(move |to| (from, to.state)));
        let told = pairs.filter_map(|(from, to)| {
            let count = self.transitions[from.state as usize][to as usize];
            let is_known = from.successors.contains(&to) && from.state != TcpState::Unconn;
            let labels = [MetricLabelValue::State(from.state), MetricLabelValue::State(to)];
            (count > 0 || is_known).then(|| MetricPoint::integer(labels, count))
        });
        told.collect()
    }

    pub(super) fn opened(&self) -> Vec<MetricPoint> {
        vec![MetricPoint::integer([], self.opened)]
    }

    pub(super) fn closed(&self) -> Vec<MetricPoint> {
        let reasons = REASONS.into_iter().zip(self.closed);
        reasons.map(|(reason, count)| MetricPoint::integer([MetricLabelValue::Word(reason)], count)).collect()
    }

    pub(super) fn lost(&self) -> Vec<MetricPoint> {
        vec![MetricPoint::integer([], self.lost)]
    }
}

const fn is_of_connection(state: TcpState) -> bool {
    !matches!(state, TcpState::Listen | TcpState::Bound | TcpState::Close | TcpState::Unconn)
}

/// How the connection ended; `None` for the end of what was none.
fn close_reason(transition: &Transition) -> Option<ClosedBy> {
    let outcome = match transition.protocol {
        Protocol::Tcp => transition.outcome()?,
        // The kernel reports nothing of the end of an MPTCP connection.
        Protocol::Mptcp | Protocol::Udp => {
            transition.from.filter(|from| is_of_connection(*from)).map(|_| Outcome::Unknown)?
        }
    };
    Some(match outcome {
        Outcome::Closed => ClosedBy::Fin,
        Outcome::Reset | Outcome::ResetHere | Outcome::Refused | Outcome::Aborted => ClosedBy::Reset,
        Outcome::TimedOut => ClosedBy::Timeout,
        Outcome::GivenUp | Outcome::Unreachable | Outcome::Unknown => ClosedBy::Unknown,
    })
}
