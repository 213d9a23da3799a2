//! What a rule is given to judge a group by, and what it answers.

use std::time::Duration;

use crate::diagnosis::destinations::Destinations;
use crate::diagnosis::finding::{Evidence, FindingScope, Measure, RunsOut, Severity, Slope};
use crate::diagnosis::group::{ARRIVAL_MINUTES, SocketGroup};
use crate::diagnosis::group_history::{GroupHistory, SURE, line};
use crate::diagnosis::memory::{self, Memory};
use crate::diagnosis::side::Sides;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::{AgeBasis, Since};
use crate::model::facts::Counters;
use crate::model::process::ProcessId;
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::counters::Rise;
use crate::store::listeners::AcceptQueue;
use crate::store::row::SocketRow;

/// What was above a limit stays a finding until it is below this share of it, so that it does not come and go.
const LEAVES_AT: f64 = 0.8;
/// A slope guessed from the ages of what is there now is no fact: what has gone meanwhile is not counted.
const GUESS_CONFIDENCE: f64 = 0.6;

/// Fewer losses than this, in the time over which they are counted, are chance.
const LOST_FEW: u64 = 10;
/// So many times the rate of a loss is one whatever its share.
const ANY_SHARE: f64 = 100.0;

/// All that an evaluation reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) store: &'a Store,
    pub(super) thresholds: &'a Thresholds,
    pub(super) sides: Sides<'a>,
    pub(super) memory: &'a Memory,
    pub(super) destinations: &'a Destinations,
}

impl Context<'_> {
    /// The moment of the last sample.
    pub(super) fn now(&self) -> Timestamp {
        self.store.at()
    }

    /// When the descriptors of `process` run out: by their own slope if that is known, else by `other`.
    pub(super) fn descriptors_run_out(&self, process: ProcessId, other: Option<Slope>) -> Option<RunsOut> {
        let (used, max) = memory::descriptors(self.store, process)?;
        let own = self.memory.descriptor_slope(process, self.now()).filter(Slope::is_sure);
        own.or(other)?.runs_out("descriptors", max.saturating_sub(used))
    }

    /// By how much a counter of the kernel rose within the last `window` (at most a minute); `None` until two samples had
    /// counters.
    pub(super) fn rise(&self, window: Duration, counter: fn(&Counters) -> u64) -> Option<Rise> {
        self.store.counters().rise(window, counter)
    }

    /// The same, if it rose at all.
    pub(super) fn risen(&self, window: Duration, counter: fn(&Counters) -> u64) -> Option<Rise> {
        self.rise(window, counter).filter(|rise| rise.by > 0)
    }

    /// Whether so much of the limit of `queue` is used that connections which the kernel dropped are put down to it.
    pub(super) fn is_full(&self, queue: AcceptQueue) -> bool {
        queue.reaches(self.thresholds.accept_queue_at_fault)
    }

    /// Whether `netns` is the network namespace of which the kernel's limits and counters are known.
    pub(super) fn is_own_namespace(&self, netns: NetnsId) -> bool {
        self.store.names().own_beside(netns).is_none_or(|own| own == netns)
    }

    /// Since when the socket of `row` was in `state` before it came into `CLOSE`, if it was seen there.
    pub(super) fn since_in(&self, row: &SocketRow, state: TcpState) -> Option<Since> {
        let path = self.store.path(row.connection.socket.id)?;
        let place = path.stays().iter().position(|stay| stay.state == state)?;
        // What came before the first stay that is known is not.
        let basis = if place == 0 { AgeBasis::AtLeast } else { AgeBasis::Observed };
        path.stays().get(place).map(|stay| Since { at: stay.entered, basis })
    }

    /// How old something is.
    pub(super) fn age(&self, since: Option<Since>) -> Duration {
        since.map_or(Duration::ZERO, |since| since.age(self.now()))
    }
}

/// One group before the judge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) group: &'a SocketGroup,
    /// Its past; `None` where there are too many groups to remember.
    pub(super) past: Option<&'a GroupHistory>,
}

impl Case<'_> {
    /// Whether it is a finding already.
    pub(super) fn is_active(&self) -> bool {
        self.past.is_some_and(|past| past.active.is_some())
    }

    /// Whether it is a critical finding already.
    fn is_critical(&self) -> bool {
        let active = self.past.and_then(|past| past.active.as_ref());
        active.is_some_and(|(finding, _)| finding.severity == Severity::Critical)
    }

    /// Whether `count` reaches `limit`, or has reached it and is still near.
    pub(super) fn reaches(&self, count: impl Into<f64>, limit: impl Into<f64>) -> bool {
        reaches(count.into(), limit.into(), self.is_active())
    }

    /// The same for a limit from which on it is critical: one that was only a warning has not reached it.
    pub(super) fn reaches_critical(&self, count: impl Into<f64>, limit: impl Into<f64>) -> bool {
        reaches(count.into(), limit.into(), self.is_critical())
    }

    /// Whether `part` of `whole` reaches so many percent of it, or has reached it and is still near.
    pub(super) fn reaches_percent(&self, part: u64, whole: u64, percent: f64) -> bool {
        near_percent(part, whole, percent, self.is_active())
    }

    /// The same for a limit from which on it is critical.
    pub(super) fn reaches_critical_percent(&self, part: u64, whole: u64, percent: f64) -> bool {
        near_percent(part, whole, percent, self.is_critical())
    }

    /// Whether the kernel's limits and counters are those of the group's network namespace.
    pub(super) fn is_own_namespace(&self) -> bool {
        self.group.key.scope == FindingScope::Machine || self.context.is_own_namespace(self.group.key.netns)
    }

    /// Whether so many peers of the group are silent or slow that it is not their own trouble: a single one that we chose
    /// to connect to; of those that came to us, a share of all.
    pub(super) fn is_trouble(&self) -> bool {
        let limits = self.context.thresholds;
        if !matches!(self.group.key.scope, FindingScope::On(_)) {
            return self.group.sockets > 0;
        }
        let established = f64::from(self.context.store.rows().counts().of(TcpState::Established));
        // However few they are: so much has waited for so long.
        if self.reaches(self.group.aged, 1) {
            return true;
        }
        let many = f64::from(limits.troubled_clients_many);
        self.reaches(self.group.sockets, (established * limits.troubled_clients / 100.0).clamp(1.0_f64.min(many), many))
    }

    /// Whether so many losses are no chance: enough of them, often enough, and a share of `of` that matters, if that is
    /// known.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn is_loss(&self, amount: u64, rate: f32, of: Option<u64>) -> bool {
        let limits = self.context.thresholds;
        let matters = of.is_none_or(|of| {
            f64::from(rate) >= limits.loss_rate * ANY_SHARE
                || self.reaches(amount as f64 * 100.0, of.saturating_add(amount) as f64 * limits.loss_percent)
        });
        (amount >= LOST_FEW || self.is_active()) && self.reaches(rate, limits.loss_rate) && matters
    }

    /// How long the oldest has lasted.
    pub(super) fn oldest(&self) -> Duration {
        self.context.age(self.group.oldest)
    }

    /// How fast the group grows, as it was watched.
    pub(super) fn slope(&self) -> Option<Slope> {
        self.past?.slope(self.context.now())
    }

    /// How fast the group grows; before it was watched for long, a guess from when its sockets came.
    pub(super) fn slope_or_guess(&self) -> Option<Slope> {
        let watched = self.slope();
        if watched.is_some_and(|slope| slope.confidence >= SURE) { watched } else { self.guess().or(watched) }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a guess")]
    fn guess(&self) -> Option<Slope> {
        let minutes = usize::try_from(self.oldest().as_secs() / 60).unwrap_or(usize::MAX).min(ARRIVAL_MINUTES);
        if minutes < 2 || self.group.sockets < 5 {
            return None;
        }
        let mut total = 0u32;
        let sums: Vec<(f64, f64)> = (0..minutes)
            .rev()
            .map(|minute| {
                total += self.group.arrivals[minute];
                ((minutes - minute) as f64, f64::from(total))
            })
            .collect();
        let (per_minute, explained) = line(sums.into_iter());
        let over = Duration::from_secs(minutes as u64 * 60);
        (per_minute > 0.0).then_some(Slope {
            per_minute: per_minute as f32,
            over,
            confidence: (explained * GUESS_CONFIDENCE) as f32,
        })
    }

    /// When the first of its processes runs out of descriptors: by their own slope if it is known, else, for a single
    /// process, by that of the group.
    pub(super) fn descriptors_run_out(&self) -> Option<RunsOut> {
        let processes = self.group.processes.all().map(|share| share.process.id);
        let own = processes.filter_map(|process| self.context.descriptors_run_out(process, None));
        own.min_by_key(|limit| limit.within).or_else(|| {
            let process = self.group.process()?.id;
            self.context.descriptors_run_out(process, self.slope())
        })
    }
}

fn reaches(count: f64, limit: f64, has_reached: bool) -> bool {
    count > 0.0 && count >= if has_reached { limit * LEAVES_AT } else { limit }
}

/// Whether `part` of `whole` reaches so many percent of it, or has reached it and is still near.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn near_percent(part: u64, whole: u64, percent: f64, has_reached: bool) -> bool {
    let near = if has_reached { percent * (1.0 + LEAVES_AT) / 2.0 } else { percent };
    part > 0 && part as f64 * 100.0 >= whole as f64 * near
}

/// So many in that time, per second, as evidence states it.
#[expect(clippy::cast_possible_truncation, reason = "a rate on the screen has three digits")]
pub(super) fn per_second(rise: Rise) -> f32 {
    rise.per_second() as f32
}

/// What a rule says of a group with which something is wrong.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) severity: Severity,
    pub(super) sentence: String,
    pub(super) why: &'static str,
    pub(super) state: Option<TcpState>,
    pub(super) sockets: u32,
    pub(super) evidence: Vec<Evidence>,
    pub(super) slope: Option<Slope>,
    pub(super) since: Option<Since>,
    pub(super) runs_out: Option<RunsOut>,
    pub(super) filter: String,
}

impl Judgement {
    pub(super) fn new(case: &Case, severity: Severity, sentence: String) -> Self {
        Self {
            severity,
            sentence,
            why: "",
            state: None,
            sockets: case.group.sockets,
            evidence: Vec::new(),
            slope: None,
            since: case.group.oldest,
            runs_out: None,
            filter: String::new(),
        }
    }

    /// With a number behind it.
    pub(super) fn evidence(mut self, key: &'static str, label: &'static str, value: Measure) -> Self {
        self.evidence.push(Evidence { key, label, value, is_metric: false });
        self
    }

    /// With a number behind it, if it is known.
    pub(super) fn evidence_if(self, key: &'static str, label: &'static str, value: Option<Measure>) -> Self {
        match value {
            Some(value) => self.evidence(key, label, value),
            None => self,
        }
    }

    /// With a number behind it that is performance data.
    pub(super) fn metric(mut self, key: &'static str, label: &'static str, value: Measure) -> Self {
        self.evidence.push(Evidence { key, label, value, is_metric: true });
        self
    }
}
