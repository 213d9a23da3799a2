//! The keys that move the clock of the screen: back and on by samples and minutes, to a time, a mark or a change of the selected row,
//! to now; and those that stop it and change its speed.

use std::time::Duration;

use crate::app::App;
use crate::app::SourceStatus;
use crate::app::action::{Edit, Motion};
use crate::app::effect::Effect;
use crate::app::input::InputHistory;
use crate::app::mode::{Mode, TimeEdit};
use crate::app::moment::{MomentWish, PlaySpeed, WishedSample};
use crate::app::notice::NoticeLevel;
use crate::app::selection::Selected;
use crate::model::recorded::RecordedSpan;
use crate::model::snapshot::SourceKind;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;

/// What `{` and `}` go back and on by.
const MINUTE: Duration = Duration::from_secs(60);

/// What is said where there is no past to go to.
const STREAM: &str = "no going back in a stream, or in several recordings at once: one file of conntop record can";
const NO_SAMPLE: &str = "nothing was sampled yet";
const IS_NOW: &str = "this is now: ‹sample-back› and ‹minute-back› go back, up to 15 minutes";
const IS_FIRST: &str = "this is the first sample there is";
const IS_LAST: &str = "this is the last sample of the recording";
const NO_ROW: &str = "choose one socket first: ‹open› shows those of this row, ‹unfold› those of a line";

impl App {
    /// What can be gone to, or why nothing can be, which is said.
    fn span_to_go(&mut self) -> Option<RecordedSpan> {
        let span = self.time_span();
        if span.is_none() {
            let is_stream = self.config.source.kind == SourceKind::Replay && self.store.deltas() > 0;
            self.say(NoticeLevel::Plain, if is_stream { STREAM } else { NO_SAMPLE });
        }
        span
    }

    /// Asks for the moment `at`. Who only looks at now stops there; a recording plays on if it played.
    pub(in crate::app) fn go_to(&mut self, at: Timestamp, sample: WishedSample) -> Vec<Effect> {
        let timeline = &mut self.timeline;
        timeline.wishes += 1;
        let wish = MomentWish { number: timeline.wishes, at, sample };
        (timeline.wish, timeline.until) = (Some(wish), None);
        self.dirty = true;
        if !self.has_clock() {
            self.timeline.is_playing = false;
        }
        vec![Effect::Play(self.timeline.is_playing), Effect::GoTo(wish)]
    }

    /// Begins at the moment of a recording over `span` that `text` names; an error is a sentence.
    pub fn begin_at(&mut self, span: RecordedSpan, text: &str) -> Result<MomentWish, String> {
        let at = span.parse(text, self.config.utc_offset_seconds)?;
        self.timeline.span = Some(span);
        self.timeline.wishes += 1;
        let wish = MomentWish { number: self.timeline.wishes, at, sample: WishedSample::Before };
        self.timeline.wish = Some(wish);
        Ok(wish)
    }

    /// The sample before the one on the screen, or the one after it; the clock stops there.
    pub(in crate::app) fn step_sample(&mut self, is_back: bool) -> Vec<Effect> {
        let Some(span) = self.span_to_go() else { return Vec::new() };
        if is_back {
            let now = self.moment();
            if now <= span.first.at {
                return self.say(NoticeLevel::Plain, IS_FIRST);
            }
            // A moment that is still being read may be no sample of its own; what is known of others leads further back.
            let samples = self.store.history().samples().iter().rev().map(|sample| sample.at);
            let known = samples.filter(|_| self.timeline.wish.is_some()).find(|at| *at < now);
            let before = known.unwrap_or_else(|| now.before(Duration::from_nanos(1)));
            self.timeline.is_playing = false;
            return self.go_to(before, WishedSample::Before);
        }
        if !self.has_clock() {
            return self.say(NoticeLevel::Plain, IS_NOW);
        }
        if self.is_at_end() {
            return self.say(NoticeLevel::Plain, IS_LAST);
        }
        (self.timeline.is_playing, self.timeline.until) = (false, None);
        vec![Effect::Play(false), Effect::Step]
    }

    /// A minute back, or on.
    pub(in crate::app) fn step_minute(&mut self, is_back: bool) -> Vec<Effect> {
        let Some(span) = self.span_to_go() else { return Vec::new() };
        let now = self.moment();
        if is_back {
            let before = span.clamp(now.before(MINUTE));
            return if before < now {
                self.go_to(before, WishedSample::Before)
            } else {
                self.say(NoticeLevel::Plain, IS_FIRST)
            };
        }
        if !self.has_clock() {
            return self.say(NoticeLevel::Plain, IS_NOW);
        }
        let after = now.after(MINUTE);
        if self.is_in_past() && after >= span.last.at {
            return self.go_to_end();
        }
        if self.is_at_end() {
            return self.say(NoticeLevel::Plain, IS_LAST);
        }
        self.go_to(span.clamp(after), WishedSample::Before)
    }

    fn is_at_end(&self) -> bool {
        self.source_status == SourceStatus::Ended && !self.is_in_past() && self.timeline.wish.is_none()
    }

    /// From the past to now, in a recording to its end; where that is on the screen, to the last line.
    pub(in crate::app) fn go_to_end(&mut self) -> Vec<Effect> {
        if self.config.source.kind != SourceKind::Replay {
            if self.is_in_past() || self.timeline.wish.is_some() {
                self.leave_past();
                return vec![Effect::Play(false)];
            }
            // What stood still goes on: that is now, too.
            self.frozen = false;
        } else if let Some(span) = self.time_span().filter(|span| !self.is_at_end() && self.moment() < span.last.at) {
            return self.go_to(span.last.at, WishedSample::Before);
        }
        self.go(Motion::Last);
        Vec::new()
    }

    /// Stops the clock, or lets it go on. At now the screen stands still and what comes waits, in a recording and in the past the
    /// clock itself stands still.
    pub(in crate::app) fn toggle_freeze(&mut self) -> Vec<Effect> {
        if !self.has_clock() {
            self.frozen = !self.frozen;
            return Vec::new();
        }
        self.timeline.is_playing = !self.timeline.is_playing;
        self.timeline.until = None;
        if self.timeline.is_playing && self.is_at_end() {
            self.timeline.is_playing = false;
            return self.say(NoticeLevel::Plain, IS_LAST);
        }
        vec![Effect::Play(self.timeline.is_playing)]
    }

    /// The clock of a recording runs faster (1) or slower (-1).
    pub(in crate::app) fn step_speed(&mut self, by: i8) -> Vec<Effect> {
        if !self.has_clock() {
            let text =
                "a recording and the past have a speed; ‹slower› and ‹faster› change how often samples are taken";
            return self.say(NoticeLevel::Plain, text);
        }
        self.set_speed(self.timeline.speed.step(by))
    }

    /// The clock of a recording runs at `speed`.
    pub fn set_speed(&mut self, speed: PlaySpeed) -> Vec<Effect> {
        self.timeline.speed = speed;
        self.dirty = true;
        vec![Effect::PlaySpeed(speed)]
    }

    /// To the next mark of the time bar (a finding that began, a gap), or to the one before.
    pub(in crate::app) fn go_to_mark(&mut self, is_back: bool) -> Vec<Effect> {
        let Some(span) = self.span_to_go() else { return Vec::new() };
        let now = self.moment();
        let mark = if is_back {
            span.marks.iter().rfind(|mark| mark.at < now)
        } else {
            span.marks.iter().find(|mark| mark.at > now)
        };
        let Some(mark) = mark else {
            let text =
                if is_back { "no finding began before this moment" } else { "no finding begins after this moment" };
            return self.say(NoticeLevel::Plain, text);
        };
        self.say(NoticeLevel::Plain, mark.sentence.clone());
        self.go_to(mark.at, WishedSample::After)
    }

    /// To the change of the selected socket before this moment, as far as the log knows it.
    pub(in crate::app) fn go_to_change_before(&mut self) -> Vec<Effect> {
        let Some(id) = self.socket_to_follow() else { return self.say(NoticeLevel::Plain, NO_ROW) };
        if self.span_to_go().is_none() {
            return Vec::new();
        }
        // What this very sample shows is on the screen already.
        let before =
            self.store.history().samples().iter().rev().nth(1).map_or(Timestamp::default(), |sample| sample.at);
        let entries = self.store.log().entries();
        let change = entries.iter().rev().find(|entry| entry.id == id && entry.at <= before).map(|entry| entry.at);
        match change {
            Some(at) => self.go_to(at, WishedSample::After),
            None => self.say(NoticeLevel::Plain, "the log knows no change of this socket before this moment"),
        }
    }

    /// To the next change of the selected socket: the clock runs as fast as it can until then.
    pub(in crate::app) fn go_to_next_change(&mut self) -> Vec<Effect> {
        let Some(id) = self.socket_to_follow() else { return self.say(NoticeLevel::Plain, NO_ROW) };
        if self.span_to_go().is_none() {
            return Vec::new();
        }
        if !self.has_clock() {
            return self.say(NoticeLevel::Plain, IS_NOW);
        }
        if self.is_at_end() {
            return self.say(NoticeLevel::Plain, IS_LAST);
        }
        (self.timeline.is_playing, self.timeline.until) = (true, Some(id));
        vec![Effect::PlayUntil(id), Effect::Play(true)]
    }

    fn socket_to_follow(&self) -> Option<SocketId> {
        match self.selected() {
            Selected::Socket(id) => Some(id),
            Selected::LogLine(number) => self.panels.log.line(&self.store, number).map(|line| line.transition().id),
            _ => None,
        }
    }

    /// Shows the bar of the whole time, or hides it.
    pub(in crate::app) fn toggle_time_bar(&mut self) {
        if !self.has_clock() {
            self.say(NoticeLevel::Plain, "a recording and the past have a time bar; this is now");
            return;
        }
        self.timeline.hides_bar = !self.timeline.hides_bar;
        self.refresh_panel();
    }

    /// Asks for a time to go to.
    pub(in crate::app) fn ask_for_time(&mut self) {
        if self.span_to_go().is_some() {
            self.mode = Mode::GoTo(TimeEdit::default());
            self.refresh_panel();
        }
    }

    pub(in crate::app) fn type_into_time(&mut self, text: &str) {
        if let Mode::GoTo(edit) = &mut self.mode {
            edit.line.insert(text);
            edit.error = None;
            self.dirty = true;
        }
    }

    pub(in crate::app) fn change_time_line(&mut self, change: Edit) {
        if let Mode::GoTo(edit) = &mut self.mode {
            edit.line.edit(change, &InputHistory::default());
            edit.error = None;
        }
    }

    /// Goes to the time that was typed, or says what is wrong with it.
    pub(in crate::app) fn accept_time(&mut self) -> Vec<Effect> {
        let Some(span) = self.time_span() else { return Vec::new() };
        let Mode::GoTo(edit) = &mut self.mode else { return Vec::new() };
        match span.parse(edit.line.text(), self.config.utc_offset_seconds) {
            Err(why) => {
                edit.error = Some(why);
                Vec::new()
            }
            Ok(at) => {
                self.mode = Mode::Normal;
                self.refresh_panel();
                self.go_to(at, WishedSample::Before)
            }
        }
    }

    /// The mouse takes hold of the time bar at column `x`, or moves it there.
    pub(in crate::app) fn drag_time(&mut self, x: u16) -> Vec<Effect> {
        let (Some(layout), Some(span)) = (self.layout(), self.time_span()) else { return Vec::new() };
        let bar = self.time_bar_cells(&layout);
        let cell = x.saturating_sub(bar.x).min(bar.width.saturating_sub(1));
        let at = Self::moment_of_cell(&span, bar.width, cell);
        // The right end of the past is now.
        if self.is_in_past() && cell + 1 == bar.width {
            return self.go_to_end();
        }
        if self.timeline.wish.is_some_and(|wish| wish.at == at) {
            return Vec::new();
        }
        self.go_to(at, WishedSample::Before)
    }
}
