//! What happens when data comes: it is applied, or held while the screen stands still.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::app::effect::Effect;
use crate::app::flows::Flows;
use crate::app::headline::Headline;
use crate::app::mode::Page;
use crate::app::notice::Tone;
use crate::app::tab::Tab;
use crate::app::{App, Supply};
use crate::model::delta::Delta;
use crate::model::process::Owner;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::store::Store;

impl App {
    pub(super) fn on_delta(&mut self, delta: Delta) -> Vec<Effect> {
        self.dirty = true;
        self.supply = Supply::Flowing;
        if !self.stands_still() {
            self.notices.age();
            self.apply(delta);
            self.refresh();
            return Vec::new();
        }
        if !self.held.push(delta) {
            return Vec::new();
        }
        self.notices.push(Tone::Plain, "sampling is paused: the screen was held too long; z goes on");
        vec![Effect::Pause(true)]
    }

    pub(super) fn on_source_failed(&mut self, why: DisplayText) -> Vec<Effect> {
        self.supply = Supply::Failed(why.clone());
        self.say(Tone::Bad, why)
    }

    pub(super) fn on_source_ended(&mut self) -> Vec<Effect> {
        self.supply = Supply::Ended;
        self.say(Tone::Plain, "the recording is at its end; everything stays on the screen")
    }

    /// Whether nothing may move: the user said so, or a dialog names what is under the cursor.
    pub fn stands_still(&self) -> bool {
        self.frozen || self.mode.holds_still()
    }

    pub(super) fn toggle_freeze(&mut self) {
        self.frozen = !self.frozen;
    }

    /// Applies what was held, once nothing holds it any more.
    pub(super) fn catch_up(&mut self) -> Vec<Effect> {
        if self.stands_still() || self.held.is_empty() {
            return Vec::new();
        }
        let (deltas, paused) = self.held.take();
        for delta in deltas {
            self.apply(delta);
        }
        self.refresh();
        self.dirty = true;
        if paused { vec![Effect::Pause(false)] } else { Vec::new() }
    }

    fn apply(&mut self, mut delta: Delta) {
        // An end is told when it is certain, with the time at which it was first missed: sorted, the log reads in time.
        delta.transitions.sort_by_key(|transition| transition.at);
        let (before, logged) = (self.store.at(), delta.transitions.len());
        let touched = self.store.apply(delta);
        self.spacing = (before > Timestamp::default()).then(|| self.store.at().since(before));
        self.tables.connections.view.apply(&touched, &self.store);
        self.log.grow_above(logged);
    }

    /// Brings everything that is derived from the data up to date, once a sample.
    fn refresh(&mut self) {
        self.flows = Flows::of(self.store.history());
        self.headline = Headline::of(&self.store);
        self.processes = count_processes(&self.store);
        self.refresh_tables();
        if let Page::Detail(detail) = &mut self.page
            && let Some(index) = self.store.rows().find(detail.id)
        {
            detail.row = self.store.rows().get(index).cloned();
        }
    }

    /// Brings the table on the screen up to date with its rows, its filter and the size of the screen.
    pub(super) fn refresh_tables(&mut self) {
        self.tables.refresh(self.tab, &self.store, self.body_height());
        if self.tab == Tab::Log {
            let found = self.log.key().and_then(|key| self.log_line(key));
            self.with_log_lines(|cursor, lines| cursor.refresh(found, lines));
        }
    }
}

/// How many processes hold a socket now.
fn count_processes(store: &Store) -> usize {
    let live = store.rows().iter().filter(|(_, row)| !row.is_closed());
    let (mut seen, mut processes) = (FxHashSet::default(), FxHashSet::default());
    for (_, row) in live {
        // The sockets of a process share their holders: most are known by their address alone.
        if let Owner::Live(holders) = &row.connection.socket.owner
            && seen.insert(Arc::as_ptr(holders))
        {
            processes.extend(holders.all().iter().map(|process| process.id));
        }
    }
    processes.len()
}
