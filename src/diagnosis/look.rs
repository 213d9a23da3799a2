//! One look at the store, in slices: rows are gathered into groups, each group is judged, findings come out.
//!
//! Only rows are looked at that the store keeps at hand for it: listeners, `CLOSE_WAIT`, suspects. So the silent mass of
//! established connections costs nothing; ports and churn have their own pass (see `destinations`).

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::destinations::{Count, Destinations};
use crate::diagnosis::finding::{Finding, FindingKey, Place};
use crate::diagnosis::group::{Group, Groups};
use crate::diagnosis::memory::Memory;
use crate::diagnosis::one_cause;
use crate::diagnosis::rule::{RULES, Set};
use crate::diagnosis::side::Sides;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::rows::{Row, RowIndex};

/// The steps that one judgement costs: it may write a sentence.
const STEPS_JUDGE: usize = 8;
/// One process with more places than this of one kind has one finding for all of them.
const PLACES_TOLD_MAX: usize = 6;

/// The passes over rows, in order: who listens must be known first.
const PASSES: [Set; 3] = [Set::Listening, Set::CloseWait, Set::Suspects];

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A pass over one of [`PASSES`].
    Rows(usize),
    /// The pass of `destinations`.
    Destinations(Count),
    /// The rules that look at no rows.
    Whole,
    /// The judgement of the groups, and which is next.
    Judge(usize),
    /// The findings are there.
    Done,
}

/// A look under way.
#[derive(Debug)]
pub(super) struct Look {
    phase: Phase,
    next: RowIndex,
    sides: Sides,
    gathered: Groups,
    groups: Vec<Group>,
    judged: Vec<Option<Judgement>>,
    pub(super) findings: Vec<Finding>,
}

/// What a look works with beside itself.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) store: &'a Store,
    pub(super) thresholds: &'a Thresholds,
    pub(super) memory: &'a mut Memory,
    pub(super) destinations: &'a mut Destinations,
}

impl Look {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            phase: Phase::Rows(0),
            next: RowIndex(0),
            sides: Sides::new(store),
            gathered: Groups::default(),
            groups: Vec::new(),
            judged: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Goes on as far as `steps` allows; answers whether the findings are there.
    pub(super) fn advance(&mut self, desk: &mut Desk, steps: &mut usize) -> bool {
        while *steps > 0 {
            match self.phase {
                Phase::Rows(pass) => self.pass(pass, desk, steps),
                Phase::Destinations(count) => self.count(count, desk, steps),
                Phase::Whole => {
                    *steps -= 1;
                    self.gather_whole(desk);
                    self.groups = std::mem::take(&mut self.gathered).into_sorted();
                    self.phase = Phase::Judge(0);
                }
                Phase::Judge(nth) => self.judge_next(nth, desk, steps),
                Phase::Done => return true,
            }
        }
        matches!(self.phase, Phase::Done)
    }

    fn pass(&mut self, pass: usize, desk: &mut Desk, steps: &mut usize) {
        let (set, rows) = (PASSES[pass], desk.store.rows());
        let indices = match set {
            Set::Listening => rows.listening(),
            Set::CloseWait => rows.close_wait(),
            Set::Suspects => rows.suspects(),
        };
        while *steps > 0 {
            *steps -= 1;
            let Some(index) = indices.first_from(self.next) else {
                self.next = RowIndex(0);
                self.phase =
                    if pass + 1 < PASSES.len() { Phase::Rows(pass + 1) } else { self.destinations_phase(desk) };
                return;
            };
            self.next = RowIndex(index.0 + 1);
            if let Some(row) = rows.get(index) {
                self.gather(set, index, row, desk);
            }
        }
    }

    fn gather(&mut self, set: Set, index: RowIndex, row: &Row, desk: &Desk) {
        if set == Set::Listening {
            self.sides.note(index, &row.connection.socket);
        }
        // One that the last sample did not list is gone as a rule: it has not become older, only the sample has.
        if desk.store.is_unlisted(row.connection.socket.id) {
            return;
        }
        let Self { sides, gathered, .. } = self;
        let context = desk.context(sides);
        for rule in &RULES {
            if rule.sets.contains(&set)
                && let Some(member) = (rule.member)(&context, row)
            {
                gathered.add(rule.rule, &member, row, context.now());
            }
        }
    }

    fn destinations_phase(&self, desk: &mut Desk) -> Phase {
        let count = desk.destinations.due(desk.store, &self.sides, desk.thresholds);
        if count != Count::Keep {
            desk.destinations.begin(desk.store.at(), count);
        }
        Phase::Destinations(count)
    }

    fn count(&mut self, count: Count, desk: &mut Desk, steps: &mut usize) {
        let rows = desk.store.rows();
        while *steps > 0 {
            *steps -= 1;
            let found = match count {
                Count::Keep | Count::Nothing => None,
                Count::TimeWait => {
                    rows.time_wait().first_from(self.next).and_then(|index| Some((index, rows.get(index)?)))
                }
                Count::All => rows.first_from(self.next),
            };
            let Some((index, row)) = found else {
                self.next = RowIndex(0);
                self.phase = Phase::Whole;
                return;
            };
            self.next = RowIndex(index.0 + 1);
            desk.destinations.note(row, &self.sides, desk.store.at());
        }
    }

    fn gather_whole(&mut self, desk: &Desk) {
        let Self { sides, gathered, .. } = self;
        let context = desk.context(sides);
        for rule in &RULES {
            for group in (rule.groups)(&context) {
                gathered.put(group);
            }
        }
    }

    fn judge_next(&mut self, nth: usize, desk: &mut Desk, steps: &mut usize) {
        *steps = steps.saturating_sub(STEPS_JUDGE);
        let Some(group) = self.groups.get(nth) else {
            self.settle_all(desk);
            self.findings.extend(desk.memory.finish());
            one_cause::join(&mut self.findings, desk.store.at());
            self.phase = Phase::Done;
            return;
        };
        let judged = desk.judge(group, &self.sides);
        self.judged.push(judged);
        self.phase = Phase::Judge(nth + 1);
    }

    /// Turns judgements into findings. Places of one process that are no finding each may be one together, and too many
    /// findings of one process are told as one.
    fn settle_all(&mut self, desk: &mut Desk) {
        let judged = std::mem::take(&mut self.judged);
        let mut judged: Vec<_> = std::mem::take(&mut self.groups).into_iter().zip(judged).collect();
        let family = |group: &Group| (group.key.rule, group.key.process, group.key.netns);
        for family in judged.chunk_by_mut(|a, b| family(&a.0) == family(&b.0)) {
            self.settle_family(family, desk);
        }
    }

    fn settle_family(&mut self, family: &mut [(Group, Option<Judgement>)], desk: &mut Desk) {
        let rule = family[0].0.key.rule.row();
        let is_outside = |group: &Group| matches!(group.key.place, Place::To(_) | Place::Process);
        let raised = family.iter().filter(|(group, judgement)| judgement.is_some() && is_outside(group)).count();
        let is_crowd = rule.rolls_up && raised > PLACES_TOLD_MAX;
        let mut together: Option<Group> = None;
        for (group, judgement) in family.iter_mut() {
            let joins = rule.rolls_up && is_outside(group) && (is_crowd || judgement.is_none());
            if joins {
                let key = FindingKey { place: Place::Process, ..group.key };
                match &mut together {
                    Some(together) => together.merge(group),
                    None => together = Some(Group { key, ..group.clone() }),
                }
            }
            let judgement = judgement.take().filter(|_| !joins);
            self.findings.extend(desk.settle(group, judgement));
        }
        if let Some(together) = together.filter(|together| together.places > 1) {
            let judgement = desk.judge(&together, &self.sides);
            self.findings.extend(desk.settle(&together, judgement));
        }
    }
}

impl Desk<'_> {
    fn context<'c>(&'c self, sides: &'c Sides) -> Context<'c> {
        let Self { store, thresholds, memory, destinations } = self;
        Context { store, thresholds, sides, memory, destinations }
    }

    /// Remembers the size of a group and judges it.
    fn judge(&mut self, group: &Group, sides: &Sides) -> Option<Judgement> {
        let (rule, now) = (group.key.rule.row(), self.store.at());
        let size = (rule.size)(group);
        if (size > 0 || self.memory.track(&group.key).is_some())
            && let Some(track) = self.memory.track_mut(group.key, false)
        {
            track.push(now, size);
        }
        let look = self.context(sides);
        (rule.judge)(&Case { look: &look, group, past: self.memory.track(&group.key) })
    }

    /// The finding of a group that was judged, if it is one: it must hold for a while to become one, and be gone for a
    /// while to be none.
    fn settle(&mut self, group: &Group, judgement: Option<Judgement>) -> Option<Finding> {
        let now = self.store.at();
        if judgement.is_none() && self.memory.track(&group.key).is_none() {
            return None;
        }
        let Some(track) = self.memory.track_mut(group.key, judgement.is_some()) else {
            return judgement.map(|judgement| finding(group, judgement, now));
        };
        track.seen = now;
        let Some(judgement) = judgement else { return track.held(now) };
        let since = *track.holds_since.get_or_insert(now);
        if track.active.is_none() && now.since(since) < group.key.rule.row().enters_after {
            return None;
        }
        let first_found = track.active.as_ref().map_or(now, |(finding, _)| finding.first_found);
        let finding = finding(group, judgement, first_found);
        track.active = Some((finding.clone(), now));
        Some(finding)
    }
}

fn finding(group: &Group, judgement: Judgement, first_found: Timestamp) -> Finding {
    let Judgement { severity, sentence, why, state, sockets, evidence, slope, since, runs_out, filter } = judgement;
    Finding {
        key: group.key,
        severity,
        sentence,
        why,
        process: group.process.clone(),
        state,
        sockets,
        examples: group.example_ids(),
        evidence,
        slope,
        since,
        first_found,
        runs_out,
        filter,
        also: None,
    }
}
