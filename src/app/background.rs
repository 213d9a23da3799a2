//! Background work on many rows: taking in deltas, filtering, sorting, adding up, searching related sockets, the look for
//! findings. The table `JOBS` lists all of it.
//!
//! The event loop decides when it is done, and how much in one turn; `update` only starts it. The amount is counted in steps
//! (rows looked at), because the app reads no clock. What is on the screen stays until the new is complete, and no delta is
//! taken in before the other work is done, so that each pass sees one state of the data.

use crate::app::App;
use crate::app::candidates::Purpose;
use crate::app::effect::Effect;
use crate::app::filtering::FilterTrial;
use crate::app::flows::Flows;
use crate::app::mode::Page;
use crate::app::panels::findings::FindingsChange;
use crate::app::pending::PendingDelta;
use crate::app::tabs::Tab;
#[cfg(test)]
use crate::diagnosis::finding::Finding;
use crate::model::process::ProcessId;
use crate::store::groups::ProcessSocketsCount;
use crate::store::groups::members::Members;
use crate::store::groups::tagged::TaggedMembers;
use crate::store::intake::Intake;

/// Where samples follow one another at once, every so many of them are looked at for findings.
const OVERTAKEN_LOOKS: u64 = 4;
/// A machine with fewer sockets is small.
const SMALL_SOCKETS: u32 = 10;
/// Finding the place of one row costs as much as looking at so many.
const STEPS_A_PLACE: usize = 4;

/// One kind of background work.
struct BackgroundJob {
    /// Whether there is any of it to do.
    is_due: fn(&App) -> bool,
    /// Does of it what the steps allow, and subtracts the steps that it took.
    advance: fn(&mut App, &mut usize),
}

/// All kinds of background work, in the order in which they are done: what the user waits for first, new data last.
const JOBS: [BackgroundJob; 12] = [
    BackgroundJob { is_due: |app| app.work.filter_trial.is_some(), advance: App::try_filter },
    BackgroundJob { is_due: |app| app.work.holdings.is_some(), advance: App::count_holdings },
    BackgroundJob { is_due: |app| app.work.members.is_some(), advance: App::gather_members },
    BackgroundJob { is_due: |app| app.work.tagged.is_some(), advance: App::gather_tagged_members },
    BackgroundJob { is_due: |app| app.panels.is_busy(), advance: App::arrange_tables },
    BackgroundJob { is_due: App::is_oldest_wanted, advance: App::renew_oldest },
    BackgroundJob { is_due: App::is_searching_related, advance: App::search_related },
    BackgroundJob { is_due: |app| app.panels.findings.is_looking(), advance: App::look_for_findings },
    BackgroundJob { is_due: |app| app.work.intake.is_some(), advance: App::take_in_rows },
    BackgroundJob { is_due: App::is_arriving, advance: App::arrange_moment },
    BackgroundJob { is_due: |app| app.pending.is_merging(app.holds_now()), advance: App::merge_pending },
    BackgroundJob { is_due: App::has_delta, advance: App::begin_intake },
];

/// What was started and belongs to no panel.
#[derive(Debug, Default)]
pub(super) struct PendingWork {
    /// The delta that is being taken in.
    intake: Option<DeltaIntake>,
    /// For the dialog that asks about a process.
    holdings: Option<ProcessSocketsCount>,
    /// For the menu that asks which member of a group is meant.
    members: Option<(Members, Purpose)>,
    /// Whether anything passes the filter that is being typed.
    pub(super) filter_trial: Option<FilterTrial>,
    /// For an action over the tagged rows.
    tagged: Option<(TaggedMembers, Purpose)>,
    /// What is to be done outside of the app, found by background work.
    effects: Vec<Effect>,
    /// The bell is to ring.
    bell: bool,
}

/// A delta that is being taken in.
#[derive(Debug)]
struct DeltaIntake {
    intake: Intake,
    /// How many transitions of it the log will have got.
    logged: usize,
}

impl PendingWork {
    /// Starts to count what `process` holds, for the dialog that asks about it.
    pub(super) fn count_holdings(&mut self, process: ProcessId) {
        self.holdings = Some(ProcessSocketsCount::new(process));
    }

    /// Starts to gather the members of a group, for the menu that asks which is meant.
    pub(super) fn gather(&mut self, members: Members, purpose: Purpose) {
        self.members = Some((members, purpose));
    }

    /// Starts to gather what the tagged rows stand for.
    pub(super) fn gather_tagged(&mut self, members: TaggedMembers, purpose: Purpose) {
        self.tagged = Some((members, purpose));
    }
}

impl App {
    /// Whether [`background`](Self::background) has work to do.
    pub fn is_busy(&self) -> bool {
        JOBS.iter().any(|job| (job.is_due)(self))
    }

    /// Does background work for about `steps` rows, and asks for what the screen shows after it. To be called once after each
    /// [`update`](Self::update) at least, and again while [`is_busy`](Self::is_busy).
    pub fn background(&mut self, mut steps: usize) -> Vec<Effect> {
        while steps > 0
            && let Some(job) = JOBS.iter().find(|job| (job.is_due)(self))
        {
            (job.advance)(self, &mut steps);
        }
        let bell = std::mem::take(&mut self.work.bell).then_some(Effect::Bell);
        let found = std::mem::take(&mut self.work.effects);
        found.into_iter().chain(self.collect()).chain(self.look_up()).chain(bell).chain(self.stop()).collect()
    }

    fn count_holdings(&mut self, steps: &mut usize) {
        let Some(mut count) = self.work.holdings.take() else { return };
        match count.advance(&self.store, steps) {
            Some(holdings) => self.show_holdings(count.process(), &holdings),
            None => self.work.holdings = Some(count),
        }
    }

    fn gather_members(&mut self, steps: &mut usize) {
        let Some((mut members, purpose)) = self.work.members.take() else { return };
        if members.advance(&self.store, steps) {
            self.ask_which(members, &purpose);
        } else {
            self.work.members = Some((members, purpose));
        }
    }

    fn gather_tagged_members(&mut self, steps: &mut usize) {
        let Some((mut members, purpose)) = self.work.tagged.take() else { return };
        if members.advance(&self.store, steps) {
            let effects = self.on_tagged(members, purpose);
            self.work.effects.extend(effects);
        } else {
            self.work.tagged = Some((members, purpose));
        }
    }

    /// Filters, sorts and adds up what the panels show.
    fn arrange_tables(&mut self, steps: &mut usize) {
        if self.panels.advance(&self.store, steps) {
            self.refresh_panel();
            self.drop_tags_of_gone();
            self.dirty = true;
        }
    }

    /// Whether the folded table shows ages of which the oldest has left.
    fn is_oldest_wanted(&self) -> bool {
        let is_shown = self.tab == Tab::Connections && matches!(self.page, Page::Tab);
        // Not while rows come in: the search would begin anew.
        let stands = self.work.intake.is_none();
        is_shown && stands && self.panels.connections.is_folded() && self.store.rows().alike().is_stale()
    }

    fn renew_oldest(&mut self, steps: &mut usize) {
        if self.store.renew_oldest(steps) {
            self.refresh_panel();
            self.dirty = true;
        }
    }

    fn is_searching_related(&self) -> bool {
        matches!(&self.page, Page::Detail(detail) if detail.is_searching())
    }

    fn search_related(&mut self, steps: &mut usize) {
        if let Page::Detail(detail) = &mut self.page {
            self.dirty |= detail.advance(&self.store, steps);
        }
    }

    fn look_for_findings(&mut self, steps: &mut usize) {
        if let Some(change) = self.panels.findings.advance(&self.store, steps) {
            self.on_findings_change(change);
        }
    }

    /// A look for findings is finished.
    fn on_findings_change(&mut self, change: FindingsChange) {
        self.note_findings();
        self.work.bell |= change.newly_critical && self.config.settings.bell && !self.is_overtaken;
        if change.changed {
            self.refresh_panel();
            self.dirty = true;
        }
    }

    /// Puts made-up findings on the screen, until the next sample.
    #[cfg(test)]
    pub(crate) fn show_findings(&mut self, found: Vec<Finding>) -> FindingsChange {
        let change = self.panels.findings.show(found, 0, self.store.rows().counts().total());
        self.on_findings_change(change);
        change
    }

    /// Whether the machine has had very few sockets for as long as the history goes back.
    pub(super) fn is_small_machine(&self) -> bool {
        self.store.history().most_sockets() < SMALL_SOCKETS
    }

    /// Starts to take in the oldest delta that waits.
    fn begin_intake(&mut self, _steps: &mut usize) {
        let Some(next) = self.next_delta() else { return };
        let (logged, intake) = match next {
            PendingDelta::One(delta) => (delta.transitions.len(), self.store.begin(*delta)),
            PendingDelta::Merged(merged) => {
                (usize::try_from(merged.transitions_total()).unwrap_or(usize::MAX), self.store.begin_merged(*merged))
            }
        };
        self.work.intake = Some(DeltaIntake { intake, logged });
    }

    fn take_in_rows(&mut self, steps: &mut usize) {
        let Some(mut pending) = self.work.intake.take() else { return };
        if self.store.advance(&mut pending.intake, steps) {
            *steps = steps.saturating_sub(self.finish_intake(pending));
        } else {
            self.work.intake = Some(pending);
        }
    }

    /// Brings everything that is derived from the data up to date, or starts to; the steps that it took.
    fn finish_intake(&mut self, pending: DeltaIntake) -> usize {
        let closed_before = self.store.closed().total();
        let statuses = self.store.host_statuses().to_vec();
        let touched = self.store.finish(pending.intake);
        self.say_of_hosts(&statuses);
        self.first_sample.get_or_insert(self.store.at());
        self.panels.connections.view.apply(&touched, &self.store);
        let closed = usize::try_from(self.store.closed().total() - closed_before).unwrap_or(usize::MAX);
        self.panels.log.grow_above(pending.logged, closed);
        self.flows = Flows::of(self.store.history());
        if self.is_overtaken && !self.store.deltas().is_multiple_of(OVERTAKEN_LOOKS) {
            return STEPS_A_PLACE * (touched.added.len() + touched.renewed.len());
        }
        self.processes = self.store.rows().processes();
        self.is_small = self.is_small_machine();
        self.panels.findings.begin(&self.store);
        if let Page::Detail(detail) = &mut self.page {
            detail.renew(&self.store);
        }
        self.refresh_panel();
        self.drop_tags_of_gone();
        self.dirty = true;
        STEPS_A_PLACE * (touched.added.len() + touched.renewed.len())
    }
}
