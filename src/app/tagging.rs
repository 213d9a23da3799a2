//! What `Space`, `*` and `U` do: rows are tagged, to act on all of them at once.

use crate::app::App;
use crate::app::action::Motion;
use crate::app::mode::Page;
use crate::app::notice::NoticeLevel;
use crate::app::tags::{TAGS_MAX, Tag, Tags, TooManyTags};
use crate::table::units;

impl App {
    /// The tagged rows of the table on the screen.
    pub fn tags_here(&self) -> impl Iterator<Item = Tag> {
        let panel = self.panel();
        let is_tab = matches!(self.page, Page::Tab);
        self.tags.iter().filter(move |tag| is_tab && panel.can_have(*tag))
    }

    /// Tags the row under the cursor or takes its tag away, and goes to the next row.
    pub(super) fn toggle_tag(&mut self) {
        let tag = self.change_panel(|panel, _| {
            panel.pick();
            panel.tag_under_cursor()
        });
        let Some(tag) = tag else {
            return drop(self.say(NoticeLevel::Plain, "this line is no row of its own, so it cannot be tagged"));
        };
        if let Tag::Socket(id) = tag
            && self.store.rows().live(id).is_none()
        {
            return drop(self.say(NoticeLevel::Plain, "this connection is closed, so it cannot be tagged"));
        }
        match self.tags.toggle(tag) {
            Ok(()) => self.go(Motion::Down),
            Err(TooManyTags) => self.say_too_many_tags(self.tags.len() + 1),
        }
    }

    /// Tags every row that is shown, unless that are more than may be.
    pub(super) fn tag_all(&mut self) {
        match self.panel().tags_of_all(&self.store, TAGS_MAX) {
            Err(count) => self.say_too_many_tags(count),
            Ok(shown) => {
                let mut tags = self.tags.clone();
                if shown.iter().any(|tag| tags.add(*tag).is_err()) {
                    return self.say_too_many_tags(self.tags.len() + shown.len());
                }
                self.tags = tags;
                let text = format!("{} tagged; U untags", units::counted(shown.len() as u64, "row"));
                self.say(NoticeLevel::Plain, text.as_str());
            }
        }
    }

    fn say_too_many_tags(&mut self, count: usize) {
        let (most, count) = (units::count(TAGS_MAX as u64), units::count(count as u64));
        let text = format!("{count} rows are more than the {most} that can be tagged: filter first, or untag with U");
        self.say(NoticeLevel::Bad, text.as_str());
    }

    /// Takes all tags away, those of other tabs too.
    pub(super) fn untag_all(&mut self) {
        let text = match self.tags.len() {
            0 => "no row is tagged; Space tags one".to_owned(),
            count => format!("{} untagged", units::counted(count as u64, "row")),
        };
        self.tags = Tags::default();
        self.say(NoticeLevel::Plain, text.as_str());
    }

    /// Takes the tags of what is gone away: after a sample, and when the table on the screen was made anew.
    pub(super) fn drop_tags_of_gone(&mut self) {
        // In the past, rows of now are not there yet, or not any more.
        if !self.tags.is_empty() && !self.has_clock() {
            self.tags.drop_gone(&self.store);
            let gone = self.panels.of(self.tab).gone(&self.tags);
            self.tags.drop_these(&gone);
        }
    }
}
