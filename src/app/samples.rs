//! What happens when data comes: it waits for its turn, or is held while the screen stands still.

use crate::app::effect::Effect;
use crate::app::notice::NoticeLevel;
use crate::app::{App, SourceStatus};
use crate::model::delta::Delta;
use crate::model::hosts::{HostStatus, StreamStatus};
use crate::model::text::DisplayText;

impl App {
    pub(super) fn on_delta(&mut self, mut delta: Delta) -> Vec<Effect> {
        self.dirty |= self.stands_still();
        self.source_status = SourceStatus::Flowing;
        self.is_overtaken = delta.is_overtaken;
        sort_by_time(&mut delta);
        if !self.is_in_past() {
            self.note_change(&delta);
        }
        self.pending.push(delta);
        Vec::new()
    }

    /// Goes on merging what waits for the user.
    pub(super) fn merge_pending(&mut self, steps: &mut usize) {
        let mut pending = std::mem::take(&mut self.pending);
        let pauses = pending.merge(self.store_of_now(), steps);
        self.pending = pending;
        if pauses {
            let resumes = if self.is_in_past() { "‹end›" } else { "‹freeze›" };
            let text = format!("sampling paused: too much has changed while frozen; {resumes} resumes");
            self.say(NoticeLevel::Plain, text.as_str());
            self.pause = true;
        }
    }

    pub(super) fn on_source_failed(&mut self, why: DisplayText) -> Vec<Effect> {
        self.is_overtaken = false;
        self.source_status = SourceStatus::Failed(why.clone());
        self.say(NoticeLevel::Bad, why)
    }

    pub(super) fn on_source_ended(&mut self) -> Vec<Effect> {
        self.is_overtaken = false;
        self.source_status = SourceStatus::Ended;
        (self.timeline.until, self.timeline.is_playing) = (None, !self.has_recording());
        self.say(NoticeLevel::Plain, "the recording is at its end; everything stays on the screen")
    }

    /// Says what has become of hosts since they were as `before`. The store knows them as they are now.
    pub(super) fn say_of_hosts(&mut self, before: &[HostStatus]) {
        for (level, text) in news_of_hosts(before, self.store.host_statuses()) {
            self.say(level, text.as_str());
        }
    }

    /// Whether nothing may move: the user said so, or a dialog names what is under the cursor.
    pub fn stands_still(&self) -> bool {
        self.frozen || self.mode.holds_still()
    }

    /// Lets samples come again, once nothing holds them up any more.
    pub(super) fn go_on(&mut self) -> Option<Effect> {
        let goes_on = !self.holds_now() && self.pending.release();
        goes_on.then_some(Effect::Pause(false))
    }

    /// Sampling is to stop now, because too much waits.
    pub(super) fn stop(&mut self) -> Option<Effect> {
        std::mem::take(&mut self.pause).then_some(Effect::Pause(true))
    }
}

/// What is new of hosts: that one has ended or is silent, and that two are called the same.
fn news_of_hosts(before: &[HostStatus], now: &[HostStatus]) -> Vec<(NoticeLevel, String)> {
    let news = |(place, status): (usize, &HostStatus)| {
        let before = before.get(place);
        let is_other_stream = before.is_none_or(|before| before.stream != status.stream);
        let is_other_name = before.is_none_or(|before| before.name != status.name);
        let own = status.name.as_str().rsplit_once('#').filter(|_| status.is_renamed && is_other_name);
        let renamed = own.map(|(own, _)| {
            (NoticeLevel::Plain, format!("another host is called {own}, too; this one is shown as {}", status.name))
        });
        let stream = match &status.stream {
            _ if !is_other_stream => None,
            StreamStatus::Ended(why) => Some((NoticeLevel::Bad, format!("{} has ended: {why}", status.name))),
            StreamStatus::Silent => Some((NoticeLevel::Bad, format!("{} sends no samples any more", status.name))),
            StreamStatus::Refused(why) => Some((NoticeLevel::Bad, why.to_string())),
            StreamStatus::Waiting | StreamStatus::Flowing | StreamStatus::AtEnd => None,
        };
        renamed.into_iter().chain(stream)
    };
    now.iter().enumerate().flat_map(news).collect()
}

/// An end is told when it is certain, with the time at which it was first missed: sorted, the log reads in time.
pub fn sort_by_time(delta: &mut Delta) {
    delta.transitions.sort_by_key(|transition| transition.at);
}
