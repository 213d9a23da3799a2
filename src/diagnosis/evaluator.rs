//! What an evaluation works with beside itself, and how it makes a finding of a group.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::RuleKind;
use crate::diagnosis::destinations::Destinations;
use crate::diagnosis::finding::{CausedFindings, Finding, PROCESSES_LISTED_MAX};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::memory::Memory;
use crate::diagnosis::rules;
use crate::diagnosis::side::Sides;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::AgeBasis;
use crate::model::time::Timestamp;
use crate::store::Store;

/// What an evaluation works with beside itself.
#[derive(Debug)]
pub(super) struct GroupEvaluator<'a> {
    pub(super) store: &'a Store,
    pub(super) thresholds: &'a Thresholds,
    pub(super) memory: &'a mut Memory,
    pub(super) destinations: &'a mut Destinations,
    pub(super) ignores: &'a [Ignore],
}

impl GroupEvaluator<'_> {
    pub(super) fn context(&self) -> Context<'_> {
        let Self { store, thresholds, memory, destinations, .. } = self;
        Context { store, thresholds, sides: Sides::new(store), memory, destinations }
    }

    /// Remembers the size of a group and judges it.
    pub(super) fn judge(&mut self, group: &SocketGroup) -> Option<Judgement> {
        let (rule, now) = (rules::definition(group.key.rule), self.store.at());
        let size = (rule.size)(group);
        if (size > 0 || self.memory.track(&group.key).is_some())
            && let Some(track) = self.memory.track_mut(group.key, false)
        {
            track.push(now, size);
        }
        let context = self.context();
        (rule.judge)(&Case { context: &context, group, past: self.memory.track(&group.key) })
    }

    /// The finding of a group that was judged, if it is one: it must hold for a while to become one, and be gone for a
    /// while to be none.
    pub(super) fn settle(&mut self, group: &SocketGroup, judgement: Option<Judgement>) -> Option<Finding> {
        let now = self.store.at();
        if judgement.is_none() && self.memory.track(&group.key).is_none() {
            return None;
        }
        let knows_beginnings = self.memory.knows_beginnings();
        let Some(track) = self.memory.track_mut(group.key, judgement.is_some()) else {
            return judgement.map(|judgement| finding(group, judgement, now));
        };
        track.seen = now;
        let rule = rules::definition(group.key.rule);
        let Some(mut judgement) = judgement else { return track.held(now, rule.holds) };
        let oldest = judgement.since;
        let began = track.holds(now, oldest, knows_beginnings);
        if track.active.is_none() && now.since(track.holds_since.unwrap_or(now)) < rule.enters_after {
            return None;
        }
        // What stands has no beginning that anybody saw; nor has what held at the first evaluation of all.
        let is_known = rule.kind == RuleKind::Event && (began.at < now || began.basis != AgeBasis::AtLeast);
        judgement.since = if is_known { Some(began) } else { oldest };
        let first_found = track.active.as_ref().map_or(now, |(finding, _)| finding.first_found);
        let finding = Finding { oldest, ..finding(group, judgement, first_found) };
        track.active = Some((finding.clone(), now));
        Some(finding)
    }
}

fn finding(group: &SocketGroup, judgement: Judgement, first_found: Timestamp) -> Finding {
    let Judgement { severity, sentence, why, state, sockets, evidence, slope, since, runs_out, filter } = judgement;
    Finding {
        key: group.key,
        severity,
        sentence,
        why,
        process: group.process().cloned(),
        program: group
            .processes
            .first()
            .filter(|_| group.processes.program().is_some())
            .map(|one| one.process.name.clone()),
        processes: group.processes.len(),
        process_shares: group.processes.worst(PROCESSES_LISTED_MAX),
        state,
        sockets,
        examples: group.example_ids(),
        evidence,
        slope,
        since,
        oldest: since,
        first_found,
        runs_out,
        filter,
        also: None,
        caused: CausedFindings::default(),
    }
}
