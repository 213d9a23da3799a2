//! The end of an evaluation, in slices: judgements become findings, one group at a time.
//!
//! Places of one program that are no finding each may be one together, and too many findings of one program are reported as
//! one. Of very many findings only the worst are kept.

use std::cmp::Reverse;

use crate::diagnosis::case::Judgement;
use crate::diagnosis::evaluator::GroupEvaluator;
use crate::diagnosis::finding::{Finding, FindingKey, FindingScope, ProgramName};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::{causes, one_cause, rules};
use crate::store::Store;

/// The most findings that are kept in full; the worst ones. See [`Diagnosis::left_out`](crate::diagnosis::Diagnosis::left_out).
pub const FINDINGS_MAX: usize = 64;
/// One program with more places than this of one kind has one finding for all of them.
const SCOPES_LISTED_MAX: usize = 6;
/// Looking at this many groups is one step, as settling one is.
const GROUPS_A_STEP: usize = 64;

/// A group and what its rule said of it.
pub(super) type JudgedGroup = (SocketGroup, Option<Judgement>);

/// Judgements on their way to findings.
#[derive(Debug, Default)]
pub(super) struct SettlingGroups {
    /// Address families (see [`SocketGroup::family`]) stand together.
    rest: std::vec::IntoIter<JudgedGroup>,
    /// How many of the first of `rest` are of this family.
    of_family: usize,
    /// The family is one finding.
    is_crowd: bool,
    /// Those places of the family that are no finding each.
    together: Option<SocketGroup>,
}

impl SettlingGroups {
    /// `judged` in the order of their keys.
    pub(super) fn new(judged: Vec<JudgedGroup>) -> Self {
        Self { rest: judged.into_iter(), ..Self::default() }
    }

    /// Settles the next group, or ends its family; answers how many steps that took, none once all is done.
    pub(super) fn advance(&mut self, evaluator: &mut GroupEvaluator, findings: &mut FindingList) -> usize {
        if self.of_family == 0 {
            if let Some(together) = self.together.take().filter(|together| together.places > 1) {
                let judgement = evaluator.judge(&together);
                findings.take(evaluator.settle(&together, judgement), evaluator);
                return 1;
            }
            return self.begin_family();
        }
        self.of_family -= 1;
        let Some((group, judgement)) = self.rest.next() else { return 0 };
        let rolls_up = rules::definition(group.key.rule).rolls_up && is_unhashed(&group);
        let joins = rolls_up && (self.is_crowd || judgement.is_none());
        findings.take(evaluator.settle(&group, judgement.filter(|_| !joins)), evaluator);
        if joins {
            let program = group.processes.program().map(ProgramName::named);
            let key = FindingKey { program, scope: FindingScope::Process, ..group.key };
            match &mut self.together {
                Some(together) => together.merge(&group),
                None => self.together = Some(SocketGroup { key, ..group }),
            }
        }
        1
    }

    fn begin_family(&mut self) -> usize {
        let Some((first, _)) = self.rest.as_slice().first() else { return 0 };
        let (rule, first) = (rules::definition(first.key.rule), first.family());
        let members = || self.rest.as_slice().iter().take_while(|(group, _)| group.family() == first);
        let raised = members().filter(|(group, judgement)| judgement.is_some() && is_unhashed(group)).count();
        self.of_family = members().count();
        self.is_crowd = rule.rolls_up && raised > SCOPES_LISTED_MAX;
        1 + self.of_family / GROUPS_A_STEP
    }
}

fn is_unhashed(group: &SocketGroup) -> bool {
    matches!(group.key.scope, FindingScope::To(_) | FindingScope::Process)
}

/// The findings of an evaluation: no more than there are groups. In the end the worst, [`FINDINGS_MAX`] of them, and how many
/// more there are.
#[derive(Debug, Default)]
pub(super) struct FindingList {
    found: Vec<Finding>,
    ignored: usize,
}

impl FindingList {
    /// Takes a finding in, if there is one; of those that the user has acknowledged only the number.
    pub(super) fn take(&mut self, finding: Option<Finding>, evaluator: &GroupEvaluator<'_>) {
        let Some(finding) = finding else { return };
        if evaluator.ignores.iter().any(|ignore| ignore.matches(&finding, evaluator.store.names())) {
            self.ignored += 1;
            return;
        }
        self.found.push(finding);
    }

    /// Joins those of one cause; to be called once all are in: one that is left out may explain, or be explained.
    pub(super) fn join(&mut self, store: &Store) {
        one_cause::join(&mut self.found, store.at());
        causes::fold(&mut self.found, store);
    }

    /// How many the user has acknowledged.
    pub(super) const fn ignored(&self) -> usize {
        self.ignored
    }

    /// The worst first, and how many are left out: what happens before what stands, then by severity, rule, and size in
    /// powers of two, so that neighbours do not change places with every socket.
    pub(super) fn into_sorted(self) -> (Vec<Finding>, usize) {
        sorted(self.found)
    }
}

/// As [`FindingList::into_sorted`].
pub(super) fn sorted(mut kept: Vec<Finding>) -> (Vec<Finding>, usize) {
    kept.sort_by_key(|finding| {
        let rule = finding.rule();
        let size = finding.sockets.checked_ilog2();
        (rules::definition(rule).kind, Reverse(finding.severity), rule, Reverse(size), finding.key)
    });
    let left_out = kept.len().saturating_sub(FINDINGS_MAX);
    kept.truncate(FINDINGS_MAX);
    (kept, left_out)
}
