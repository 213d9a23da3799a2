//! A moment of the past comes to the screen: its rows are put in order while the old ones stand, then all tabs show it at once.

use crate::app::App;
use crate::app::SourceStatus;
use crate::app::detail::page::DetailPage;
use crate::app::effect::Effect;
use crate::app::flows::Flows;
use crate::app::mode::Page;
use crate::app::moment::Moment;
use crate::app::notice::NoticeLevel;
use crate::app::pending::PendingDelta;
use crate::app::samples::sort_by_time;
use crate::app::timeline::{IncomingMoment, ParkedNow};
use crate::model::delta::Delta;
use crate::model::recorded::RecordedSpan;
use crate::model::snapshot::SourceKind;
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::table::view::View;

impl App {
    /// The source has told which time it covers.
    pub(super) fn on_span(&mut self, span: RecordedSpan) -> Vec<Effect> {
        self.timeline.span = Some(span);
        self.dirty = true;
        Vec::new()
    }

    /// A moment was read. Older wishes are shown as well while a newer one is read; what was left is not.
    pub(super) fn on_moment(&mut self, moment: Moment) -> Vec<Effect> {
        if moment.number > self.timeline.left {
            let view = self.unsorted_view();
            self.timeline.deltas.clear();
            if !self.is_live() {
                self.pending.clear();
            }
            self.timeline.incoming = Some(IncomingMoment::new(moment, view));
        }
        Vec::new()
    }

    /// A moment could not be read.
    pub(super) fn on_moment_failed(&mut self, number: u64, why: &DisplayText) -> Vec<Effect> {
        if number <= self.timeline.left {
            return Vec::new();
        }
        if self.timeline.wish.is_some_and(|wish| wish.number == number) {
            (self.timeline.wish, self.timeline.is_reading) = (None, false);
            self.timeline.is_playing |= !self.has_clock();
        }
        self.say(NoticeLevel::Bad, why.clone())
    }

    /// The clock runs in the past.
    pub(super) fn on_past_delta(&mut self, mut delta: Delta) -> Vec<Effect> {
        if self.is_in_past() {
            delta.is_overtaken = false;
            sort_by_time(&mut delta);
            self.note_change(&delta);
            self.timeline.deltas.push_back(delta);
        }
        Vec::new()
    }

    /// The clock has come to now.
    pub(super) fn on_past_ended(&mut self) -> Vec<Effect> {
        if self.is_in_past() && self.timeline.wish.is_none() {
            self.leave_past();
        }
        Vec::new()
    }

    /// The clock stops where it was to run until something happens to a socket.
    pub(super) fn note_change(&mut self, delta: &Delta) {
        if let Some(id) = self.timeline.until
            && delta.transitions.iter().any(|transition| transition.id == id)
        {
            (self.timeline.until, self.timeline.is_playing) = (None, false);
        }
    }

    fn is_live(&self) -> bool {
        self.config.source.kind != SourceKind::Replay
    }

    /// A view with the filter and the sort of the screen, whose rows are still to be found.
    fn unsorted_view(&self) -> View {
        let shown = &self.panels.connections.view;
        let mut view = View::default();
        view.start_filter(shown.filter().clone());
        view.start_sort(shown.sort());
        view
    }

    /// Goes back to now, which has been kept.
    pub(super) fn leave_past(&mut self) {
        let timeline = &mut self.timeline;
        (timeline.left, timeline.wish, timeline.until) = (timeline.wishes, None, None);
        (timeline.is_reading, timeline.is_playing, timeline.incoming) = (false, true, None);
        timeline.deltas.clear();
        if let Some(now) = timeline.now.take() {
            let ParkedNow { store, diagnosis, mut view } = *now;
            let shown = &self.panels.connections.view;
            if view.filter().text() != shown.filter().text() || view.sort() != shown.sort() {
                view = self.unsorted_view();
            }
            self.timeline.incoming = Some(IncomingMoment { store, diagnosis: Some(diagnosis), view, past: None });
        }
        self.frozen = false;
        self.dirty = true;
    }

    /// Whether a moment has come and may be shown: not under a dialog that names what is under the cursor.
    pub(super) fn is_arriving(&self) -> bool {
        self.timeline.incoming.is_some() && !self.mode.holds_still()
    }

    /// Puts the rows of the moment that has come in order; shows it once they are.
    pub(super) fn arrange_moment(&mut self, steps: &mut usize) {
        let Some(mut incoming) = self.timeline.incoming.take() else { return };
        while incoming.view.is_busy() && *steps > 0 {
            incoming.view.advance(&incoming.store, steps);
        }
        if incoming.view.is_busy() {
            self.timeline.incoming = Some(incoming);
        } else {
            self.show_moment(incoming);
        }
    }

    fn show_moment(&mut self, incoming: IncomingMoment) {
        let IncomingMoment { store, diagnosis, view, past } = incoming;
        let is_reading = diagnosis.is_none();
        let old = std::mem::replace(&mut self.store, store);
        let old_view = self.panels.show_other_store(view);
        let old_diagnosis = self.panels.findings.exchange(diagnosis, &self.store);
        if past.is_some() && self.is_live() && self.timeline.now.is_none() {
            self.timeline.now = Some(Box::new(ParkedNow { store: old, diagnosis: old_diagnosis, view: old_view }));
        }
        self.timeline.is_reading = is_reading;
        match past {
            Some((number, span)) => {
                self.timeline.span = Some(span);
                if self.timeline.wish.is_some_and(|wish| wish.number <= number) {
                    self.timeline.wish = None;
                }
                self.frozen = false;
                self.source_status = SourceStatus::Flowing;
                let short = self.short_memory();
                short.map(|text| self.say(NoticeLevel::Plain, text.as_str()));
            }
            None => self.timeline.span = None,
        }
        self.renew_all();
    }

    /// Everything that follows from the store, after it is another one.
    fn renew_all(&mut self) {
        self.is_overtaken = false;
        self.flows = Flows::of(self.store.history());
        self.processes = self.store.rows().processes();
        self.is_small = self.is_small_machine();
        // Names that were looked up belong to the other store.
        self.names_asked.clear();
        if let Page::Detail(detail) = &mut self.page {
            let mut page = DetailPage::new(detail.id, &self.store);
            page.scroll = detail.scroll;
            **detail = page;
        }
        self.refresh_panel();
        self.dirty = true;
    }

    /// What is to be taken in next: of the past while that is on the screen, else of now.
    pub(super) fn next_delta(&mut self) -> Option<PendingDelta> {
        if self.is_in_past() {
            return self.timeline.deltas.pop_front().map(|delta| PendingDelta::One(Box::new(delta)));
        }
        self.pending.take()
    }

    /// Whether something is there to be taken in, and may be.
    pub(super) fn has_delta(&self) -> bool {
        let is_empty = if self.is_in_past() { self.timeline.deltas.is_empty() } else { self.pending.is_empty() };
        !is_empty && !self.stands_still() && self.timeline.incoming.is_none()
    }

    /// Whether what comes of now waits: for the user, or for now to be looked at again.
    pub(super) fn holds_now(&self) -> bool {
        self.stands_still() || self.is_in_past()
    }

    /// What is known of now, whatever the screen shows.
    pub(super) fn store_of_now(&self) -> &Store {
        let incoming = self.timeline.incoming.as_ref().filter(|incoming| incoming.past.is_none());
        let parked = self.timeline.now.as_ref().map(|now| &now.store);
        incoming.map(|incoming| &incoming.store).or(parked).unwrap_or(&self.store)
    }
}
