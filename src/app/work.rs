//! Work on many rows, done in slices between keys: taking in deltas, filtering, sorting, adding up, searching related sockets.
//!
//! A slice is counted in steps (rows looked at), not in time: the caller has the clock. What is on the screen stays
//! until the new is complete, and no delta comes in while there is other work, so that each pass sees one state.

use crate::app::App;
use crate::app::candidates::Purpose;
use crate::app::effect::Effect;
use crate::app::flows::Flows;
use crate::app::mode::Page;
use crate::app::panels::findings::FindingsChange;
use crate::app::pending::PendingDelta;
use crate::app::tabs::Tab;
#[cfg(test)]
use crate::diagnosis::finding::Finding;
use crate::model::process::ProcessId;
use crate::store::groups::HoldingsCount;
use crate::store::groups::members::Members;
use crate::store::intake::Intake;

/// What [`App::update`] does by itself: tables of some 2,000 rows are up to date when it returns, and larger ones do not
/// keep a key waiting.
pub const STEPS_AT_ONCE: usize = 8_192;

/// Finding the place of one row costs as much as looking at so many.
const STEPS_A_PLACE: usize = 4;

/// What is under way, beside that of the tables.
#[derive(Debug, Default)]
pub(super) struct PendingWork {
    intake: Option<Intake>,
    /// How many transitions of the intake the log will have got.
    logged: usize,
    holdings: Option<HoldingsCount>,
    members: Option<(Members, Purpose)>,
    /// The bell is to ring.
    bell: bool,
}

impl PendingWork {
    /// Starts to count what `process` holds, for the dialog that asks about it.
    pub(super) fn count_holdings(&mut self, process: ProcessId) {
        self.holdings = Some(HoldingsCount::new(process));
    }

    /// Starts to gather the members of a group, for the menu that asks which is meant.
    pub(super) fn gather(&mut self, members: Members, purpose: Purpose) {
        self.members = Some((members, purpose));
    }
}

impl App {
    /// Whether [`advance`](Self::advance) has work to do.
    pub fn is_busy(&self) -> bool {
        self.panels.is_busy()
            || self.work.holdings.is_some()
            || self.work.members.is_some()
            || self.panels.findings.is_looking()
            || matches!(&self.page, Page::Detail(detail) if detail.is_searching())
            || self.work.intake.is_some()
            || self.pending.is_merging(self.stands_still())
            || self.may_take_in()
    }

    /// Goes on with the work, for about `steps` rows.
    pub fn advance(&mut self, mut steps: usize) -> Vec<Effect> {
        while steps > 0 && self.advance_one(&mut steps) {}
        let bell = std::mem::take(&mut self.work.bell).then_some(Effect::Bell);
        self.collect().into_iter().chain(self.look_up()).chain(bell).chain(self.stop()).collect()
    }

    /// Does one kind of work as far as it goes, what the user waits for first; answers whether there was any.
    fn advance_one(&mut self, steps: &mut usize) -> bool {
        if let Some(mut count) = self.work.holdings.take() {
            match count.advance(&self.store, steps) {
                Some(holdings) => self.tell_holdings(count.process(), &holdings),
                None => self.work.holdings = Some(count),
            }
        } else if let Some((mut members, purpose)) = self.work.members.take() {
            if members.advance(&self.store, steps) {
                self.ask_which(members, purpose);
            } else {
                self.work.members = Some((members, purpose));
            }
        } else if self.panels.is_busy() {
            if self.panels.advance(&self.store, steps) {
                self.refresh_panel();
                self.dirty = true;
            }
        } else if let Page::Detail(detail) = &mut self.page
            && detail.is_searching()
        {
            self.dirty |= detail.advance(&self.store, steps);
        } else if self.panels.findings.is_looking() {
            if let Some(change) = self.panels.findings.advance(&self.store, steps) {
                self.on_findings_change(change);
            }
        } else if let Some(mut intake) = self.work.intake.take() {
            if self.store.advance(&mut intake, steps) {
                *steps = steps.saturating_sub(self.finish(intake));
            } else {
                self.work.intake = Some(intake);
            }
        } else if self.pending.is_merging(self.stands_still()) {
            self.merge_pending(steps);
        } else if self.may_take_in() {
            self.begin();
        } else {
            return false;
        }
        true
    }

    /// A look at what is wrong is finished.
    fn on_findings_change(&mut self, change: FindingsChange) {
        self.dirty |= change.changed;
        self.work.bell |= change.newly_critical && self.config.bell;
        if change.changed && self.tab == Tab::PROBLEMS {
            self.refresh_panel();
        }
    }

    /// Puts made-up findings on the screen, until the next sample.
    #[cfg(test)]
    pub(crate) fn show_findings(&mut self, found: Vec<Finding>) -> FindingsChange {
        let change = self.panels.findings.show(found, 0, self.store.rows().counts().total());
        self.on_findings_change(change);
        change
    }

    fn may_take_in(&self) -> bool {
        !self.pending.is_empty() && !self.stands_still()
    }

    fn begin(&mut self) {
        let Some(next) = self.pending.take() else { return };
        self.notices.age();
        let (logged, intake) = match next {
            PendingDelta::One(delta) => (delta.transitions.len(), self.store.begin(*delta)),
            PendingDelta::Merged(merged) => {
                (usize::try_from(merged.transitions_total()).unwrap_or(usize::MAX), self.store.begin_merged(*merged))
            }
        };
        (self.work.logged, self.work.intake) = (logged, Some(intake));
    }

    /// Brings everything that is derived from the data up to date, or starts to; the steps that it took.
    fn finish(&mut self, intake: Intake) -> usize {
        let touched = self.store.finish(intake);
        self.panels.connections.view.apply(&touched, &self.store);
        self.panels.log.cursor.grow_above(self.work.logged);
        self.flows = Flows::of(self.store.history());
        self.processes = self.store.rows().processes();
        self.panels.findings.begin(&self.store);
        if let Page::Detail(detail) = &mut self.page {
            detail.renew(&self.store);
        }
        self.refresh_panel();
        self.dirty = true;
        STEPS_A_PLACE * (touched.added.len() + touched.renewed.len())
    }
}
