//! One evaluation at the store, in slices: rows are gathered into groups, each group is judged, findings come out.
//!
//! Only rows are looked at that the store indexes for it: listeners, `CLOSE_WAIT`, suspects. So established connections that do nothing
//! cost nothing; ports and churn have their own pass (see `destinations`).

use crate::diagnosis::definition::WatchedRows;
use crate::diagnosis::destinations::RowsToCount;
use crate::diagnosis::evaluator::GroupEvaluator;
use crate::diagnosis::group::{SocketGroup, SocketGroups};
use crate::diagnosis::rules;
use crate::diagnosis::settle::{FindingList, JudgedGroup, SettlingGroups};
use crate::diagnosis::side::Sides;
use crate::store::Store;
use crate::store::row::{RowIndex, SocketRow};

/// The steps that one judgement costs: it may write a sentence.
const STEPS_JUDGE: usize = 8;
/// The steps that a finding costs once its group is judged: it is kept for the next evaluation.
const STEPS_SETTLE: usize = 4;
/// Putting this many groups in order is one step, as looking at one row is.
const GROUPS_A_STEP: usize = 8;

/// The passes over rows. Queued rows come first, because how they move explains others.
const PASSES: [WatchedRows; 6] = [
    WatchedRows::Queued,
    WatchedRows::Lookups,
    WatchedRows::Listening,
    WatchedRows::CloseWait,
    WatchedRows::HeldClosed,
    WatchedRows::Suspects,
];

#[derive(Clone, Copy, Debug)]
enum EvaluationPhase {
    /// A pass over one of [`PASSES`].
    Rows(usize),
    /// The pass of `destinations`.
    Destinations(RowsToCount),
    /// The rules that look at no rows.
    Whole,
    /// The judgement of the groups.
    Judge,
    /// The findings that the judgements make.
    Settle,
    /// The findings are there.
    Done,
}

/// An evaluation under way.
#[derive(Debug)]
pub(super) struct Evaluation {
    phase: EvaluationPhase,
    next: RowIndex,
    gathered: SocketGroups,
    /// Those that are not judged yet.
    groups: std::vec::IntoIter<SocketGroup>,
    judged: Vec<JudgedGroup>,
    settling: SettlingGroups,
    pub(super) findings: FindingList,
    /// Rows gathered, groups judged and groups settled so far.
    units: u64,
}

impl Evaluation {
    pub(super) fn new() -> Self {
        Self {
            phase: EvaluationPhase::Rows(0),
            next: RowIndex(0),
            gathered: SocketGroups::default(),
            groups: Vec::new().into_iter(),
            judged: Vec::new(),
            settling: SettlingGroups::default(),
            findings: FindingList::default(),
            units: 0,
        }
    }

    /// The work done so far, in rows and groups: no step does much of it.
    #[cfg(test)]
    pub(super) const fn units(&self) -> u64 {
        self.units
    }

    /// Goes on as far as `steps` allows; answers whether the findings are there.
    pub(super) fn advance(&mut self, evaluator: &mut GroupEvaluator, steps: &mut usize) -> bool {
        while *steps > 0 {
            match self.phase {
                EvaluationPhase::Rows(pass) => self.pass(pass, evaluator, steps),
                EvaluationPhase::Destinations(count) => self.count(count, evaluator, steps),
                EvaluationPhase::Whole => {
                    self.gather_whole(evaluator);
                    let groups = std::mem::take(&mut self.gathered).into_sorted();
                    *steps = steps.saturating_sub(1 + groups.len() / GROUPS_A_STEP);
                    self.judged.reserve_exact(groups.len());
                    self.groups = groups.into_iter();
                    self.phase = EvaluationPhase::Judge;
                }
                EvaluationPhase::Judge => self.judge_next(evaluator, steps),
                EvaluationPhase::Settle => self.settle_next(evaluator, steps),
                EvaluationPhase::Done => return true,
            }
        }
        matches!(self.phase, EvaluationPhase::Done)
    }

    fn pass(&mut self, pass: usize, evaluator: &mut GroupEvaluator, steps: &mut usize) {
        let (set, rows) = (PASSES[pass], evaluator.store.rows());
        let indices = match set {
            WatchedRows::Listening => rows.listening(),
            WatchedRows::CloseWait => rows.close_wait(),
            WatchedRows::HeldClosed => rows.held_closed(),
            WatchedRows::Suspects => rows.suspects(),
            WatchedRows::Queued => rows.queued(),
            WatchedRows::Lookups => rows.lookups(),
        };
        while *steps > 0 {
            *steps -= 1;
            let Some(index) = indices.first_from(self.next) else {
                self.next = RowIndex(0);
                self.phase = if pass + 1 < PASSES.len() {
                    EvaluationPhase::Rows(pass + 1)
                } else {
                    Self::destinations_phase(evaluator)
                };
                return;
            };
            self.next = RowIndex(index.0 + 1);
            self.units += 1;
            if let Some(row) = rows.get(index) {
                self.gather(set, row, evaluator);
            }
        }
    }

    fn gather(&mut self, set: WatchedRows, row: &SocketRow, evaluator: &mut GroupEvaluator) {
        // One that the last sample did not list is gone as a rule: it has not become older, only the sample has.
        // Only where its process holds a socket of which is not known yet where it is, a leak may have been reset.
        if evaluator.store.is_unlisted(row.connection.socket.id)
            && !(set == WatchedRows::CloseWait && may_be_held(row, evaluator.store))
        {
            return;
        }
        match set {
            WatchedRows::Queued => evaluator.memory.flows.note(evaluator.store, row),
            WatchedRows::Lookups => evaluator.memory.lookups.note(evaluator.store, row),
            _ => {}
        }
        let context = evaluator.context();
        for (rule, definition) in rules::all() {
            if definition.sets.contains(&set)
                && let Some(member) = (definition.member)(&context, row)
            {
                let key = definition.key(rule, &member, row.connection.socket.id.netns());
                self.gathered.add(key, &member, row, context.now());
            }
        }
    }

    fn destinations_phase(evaluator: &mut GroupEvaluator) -> EvaluationPhase {
        let sides = Sides::new(evaluator.store);
        let count = evaluator.destinations.due(evaluator.store, &sides, evaluator.thresholds);
        if count != RowsToCount::Keep {
            evaluator.destinations.begin(count, evaluator.store, &sides, evaluator.thresholds);
        }
        EvaluationPhase::Destinations(count)
    }

    fn count(&mut self, count: RowsToCount, evaluator: &mut GroupEvaluator, steps: &mut usize) {
        let (rows, sides) = (evaluator.store.rows(), Sides::new(evaluator.store));
        while *steps > 0 {
            *steps -= 1;
            let found = match count {
                RowsToCount::Keep | RowsToCount::Nothing => None,
                RowsToCount::TimeWait => {
                    rows.time_wait().first_from(self.next).and_then(|index| Some((index, rows.get(index)?)))
                }
                RowsToCount::All => rows.first_from(self.next),
            };
            let Some((index, row)) = found else {
                self.next = RowIndex(0);
                self.phase = EvaluationPhase::Whole;
                return;
            };
            self.next = RowIndex(index.0 + 1);
            evaluator.destinations.note(row, &sides, evaluator.store);
        }
    }

    fn gather_whole(&mut self, evaluator: &mut GroupEvaluator) {
        evaluator.memory.lookups.close(evaluator.store);
        let context = evaluator.context();
        for (_, definition) in rules::all() {
            for group in (definition.groups)(&context) {
                self.gathered.put(group);
            }
        }
    }

    fn judge_next(&mut self, evaluator: &mut GroupEvaluator, steps: &mut usize) {
        let Some(group) = self.groups.next() else {
            self.settling = SettlingGroups::new(std::mem::take(&mut self.judged));
            self.phase = EvaluationPhase::Settle;
            return;
        };
        *steps = steps.saturating_sub(STEPS_JUDGE);
        self.units += 1;
        let judgement = evaluator.judge(&group);
        self.judged.push((group, judgement));
    }

    fn settle_next(&mut self, evaluator: &mut GroupEvaluator, steps: &mut usize) {
        self.units += 1;
        let taken = self.settling.advance(evaluator, &mut self.findings);
        *steps = steps.saturating_sub(taken * STEPS_SETTLE);
        if taken == 0 {
            let outlasts = |rule| rules::definition(rule).outlasts_group();
            evaluator
                .memory
                .finish(evaluator.store, outlasts)
                .into_iter()
                .for_each(|held| self.findings.take(Some(held), evaluator));
            self.findings.join(evaluator.store);
            self.phase = EvaluationPhase::Done;
        }
    }
}

/// Whether a socket that no table lists may be one that its process goes on holding; the next sample tells.
fn may_be_held(row: &SocketRow, store: &Store) -> bool {
    let process = row.connection.socket.owner.process();
    let descriptors = process.and_then(|process| store.descriptors_of(process.id));
    descriptors.and_then(|descriptors| descriptors.sockets).is_some_and(|kinds| kinds.unknown > 0)
}
