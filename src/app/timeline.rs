//! Which moment the screen shows, of which span of time, and how its clock runs.
//!
//! There is one clock: it runs at now (live), or somewhere in a recording or in the memory of the last quarter of an hour. `z` stops
//! it and lets it go on, wherever it is; the keys of going move it; `End` brings it to now, or to the end of the recording.

use std::collections::VecDeque;
use std::time::Duration;

use crate::app::App;
use crate::app::SourceStatus;
use ratatui::layout::Rect;

use crate::app::clock;
use crate::app::layout::Layout;
use crate::app::moment::{Moment, MomentWish, PlaySpeed};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::finding::Severity;
use crate::model::delta::Delta;
use crate::model::recorded::{LEAD_IN, MarkSeverity, RecordedMark, RecordedMoment, RecordedSpan};
use crate::model::snapshot::SourceKind;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::table::cut::cells;
use crate::table::units;
use crate::table::view::View;

/// From this width on the times of the ends stand beside the bar.
const ENDS_WIDTH_MIN: u16 = 60;
/// Cells of such a time: `14:05:30`.
const ENDS_WIDTH: u16 = 8;
/// On a screen of less lines there is no header, and the bar has the clock.
const HEADER_HEIGHT_MIN: u16 = 16;
/// So many marks are kept of what was found while it was watched.
const MARKS_MAX: usize = 1_000;

/// Where the clock is, and what is known of the time around it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub struct ScreenClock {
    /// What can be gone to, as the source has told it; `None` where it has not, or cannot go back.
    pub(in crate::app) span: Option<RecordedSpan>,
    /// What is now, while the screen shows the past of a live source.
    pub(in crate::app) now: Option<Box<ParkedNow>>,
    /// What came of the past while the clock runs there.
    pub(in crate::app) deltas: VecDeque<Delta>,
    /// A moment that has come and is being arranged.
    pub(in crate::app) incoming: Option<IncomingMoment>,
    /// The last wish.
    pub(in crate::app) wish: Option<MomentWish>,
    /// How many wishes there were.
    pub(in crate::app) wishes: u64,
    /// Moments of wishes up to this number are no longer wanted.
    pub(in crate::app) left: u64,
    /// Only the first picture of the moment is there: log, graphs and findings are being read.
    pub(in crate::app) is_reading: bool,
    /// The clock runs.
    pub(in crate::app) is_playing: bool,
    /// How fast.
    pub(in crate::app) speed: PlaySpeed,
    /// The clock runs until something happens to this socket.
    pub(in crate::app) until: Option<SocketId>,
    /// What was found while it was watched: marks for who goes back.
    pub(in crate::app) noted: VecDeque<RecordedMark>,
    /// The user has hidden the bar.
    pub(in crate::app) hides_bar: bool,
    /// The mouse holds the bar.
    pub(in crate::app) is_dragging: bool,
}

impl Default for ScreenClock {
    fn default() -> Self {
        Self {
            span: None,
            now: None,
            deltas: VecDeque::new(),
            incoming: None,
            wish: None,
            wishes: 0,
            left: 0,
            is_reading: false,
            is_playing: true,
            speed: PlaySpeed::default(),
            until: None,
            noted: VecDeque::new(),
            hides_bar: false,
            is_dragging: false,
        }
    }
}

/// What is now, kept while the screen shows the past.
#[derive(Debug)]
pub(in crate::app) struct ParkedNow {
    pub(in crate::app) store: Store,
    pub(in crate::app) diagnosis: Diagnosis,
    pub(in crate::app) view: View,
}

/// A moment whose rows are being put in order, before it is shown.
#[derive(Debug)]
pub(in crate::app) struct IncomingMoment {
    pub(in crate::app) store: Store,
    pub(in crate::app) diagnosis: Option<Diagnosis>,
    pub(in crate::app) view: View,
    /// The span that came with it, and the wish; `None`: it is now.
    pub(in crate::app) past: Option<(u64, RecordedSpan)>,
}

impl IncomingMoment {
    /// `moment`, whose rows are to be put in the order of `view`.
    pub(in crate::app) fn new(moment: Moment, view: View) -> Self {
        let Moment { number, store, diagnosis, span } = moment;
        Self { store, diagnosis, view, past: Some((number, span)) }
    }
}

/// A mark of the time bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarMark {
    /// A finding began.
    Finding(Severity),
    /// Nothing was recorded.
    Gap,
}

impl App {
    /// Whether the data comes from a recording that one can go about in.
    pub fn has_recording(&self) -> bool {
        self.config.source.kind == SourceKind::Replay && self.timeline.span.is_some()
    }

    /// Whether the screen shows what is not any more, although the machine is there.
    pub fn is_in_past(&self) -> bool {
        self.timeline.now.is_some()
    }

    /// Whether the screen has a clock of its own that can be moved.
    pub(in crate::app) fn has_clock(&self) -> bool {
        self.has_recording() || self.is_in_past()
    }

    /// What can be gone to now; `None` where nothing can be.
    pub fn time_span(&self) -> Option<RecordedSpan> {
        if let Some(span) = &self.timeline.span {
            return Some(RecordedSpan { marks: self.marks(span), last: self.end_of(span), ..span.clone() });
        }
        if self.config.source.kind == SourceKind::Replay {
            return None;
        }
        let last = self.store.at();
        let first = self.first_sample?.max(last.before(LEAD_IN));
        let samples = self.store.deltas();
        let moment = |at| RecordedMoment { at, wall: self.store.wall_of(at) };
        let span = RecordedSpan { first: moment(first), last: moment(last), samples, marks: Vec::new() };
        Some(RecordedSpan { marks: self.marks(&span), ..span })
    }

    /// The end of `span`: now goes on while the past is shown.
    fn end_of(&self, span: &RecordedSpan) -> RecordedMoment {
        let RecordedMoment { at, wall } = span.last;
        let more = if self.is_in_past() { self.pending.behind(at) } else { Duration::ZERO };
        RecordedMoment { at: at.after(more), wall: wall.after(more) }
    }

    /// The marks of `span`: those of the recording, or where it has none, of what was found while it was watched.
    fn marks(&self, span: &RecordedSpan) -> Vec<RecordedMark> {
        if !span.marks.is_empty() {
            return span.marks.clone();
        }
        let is_within = |mark: &&RecordedMark| (span.first.at..=span.last.at).contains(&mark.at);
        self.timeline.noted.iter().filter(is_within).cloned().collect()
    }

    /// Notes that something was found at the moment on the screen, so that one can go to it.
    pub(in crate::app) fn note_findings(&mut self) {
        let at = self.store.at();
        let newest = self.timeline.noted.back().map_or(Timestamp::default(), |mark| mark.at);
        let span_has_marks = self.timeline.span.as_ref().is_some_and(|span| !span.marks.is_empty());
        if at < newest || span_has_marks || self.timeline.is_reading {
            return;
        }
        for (severity, sentence) in self.panels.findings.take_begun() {
            if self.timeline.noted.len() == MARKS_MAX {
                self.timeline.noted.pop_front();
            }
            let severity = Some(match severity {
                Severity::Warning => MarkSeverity::Warning,
                Severity::Critical => MarkSeverity::Critical,
            });
            self.timeline.noted.push_back(RecordedMark { at, severity, sentence });
        }
    }

    /// The moment that is on the screen, or asked for.
    pub(in crate::app) fn moment(&self) -> Timestamp {
        self.timeline.wish.map_or(self.store.at(), |wish| wish.at)
    }

    /// What the clock of the screen says in `width` cells: `REPLAY 2026-11-28 14:05:32  12:31 of 1:02:10  x4  paused`; what is worth
    /// least is left out first. `None` at now.
    pub fn clock_text(&self, width: usize) -> Option<String> {
        let is_replay = self.config.source.kind == SourceKind::Replay;
        if !is_replay && !self.is_in_past() || self.store.at() == Timestamp::default() {
            return None;
        }
        let offset = self.config.utc_offset_seconds;
        let moment = clock::date_and_seconds(self.store.wall(), offset);
        let (date, time) = moment.split_once(' ').unwrap_or(("", moment.as_str()));
        let mut parts = vec![(0, if is_replay { "REPLAY".to_owned() } else { "PAST".to_owned() })];
        parts.push((5, format!(" {date}")));
        parts.push((0, format!(" {time}")));
        if let Some(span) = &self.timeline.span {
            if is_replay {
                let (position, length) = (self.store.at().since(span.first.at), span.length());
                let length = time_text(length);
                // What is beside it keeps its place.
                let position = format!("{:>width$}", time_text(position), width = length.len());
                parts.push((2, format!("  {position}")));
                parts.push((3, format!(" of {length}")));
            } else {
                let ago = self.end_of(span).at.since(self.store.at());
                parts.push((2, format!("  {} ago", time_text(ago))));
                let length = self.end_of(span).at.since(span.first.at);
                parts.push((4, format!(" of {}", time_text(length))));
            }
        }
        if self.has_clock() {
            if self.timeline.speed != PlaySpeed::default() {
                parts.push((3, format!("  {}", self.timeline.speed.words())));
            }
            parts.extend(self.clock_status().map(|status| (1, format!("  {status}"))));
        }
        Some(fitting(parts, width))
    }

    /// What the clock does, where it does not just run.
    fn clock_status(&self) -> Option<&'static str> {
        if self.timeline.wish.is_some() || self.timeline.is_reading {
            Some("reading…")
        } else if self.source_status == SourceStatus::Ended && !self.is_in_past() {
            Some("ended")
        } else if self.timeline.until.is_some() {
            Some("searching…")
        } else {
            (!self.timeline.is_playing).then_some("paused")
        }
    }

    /// Whether there is a bar of the whole time on the screen.
    pub fn has_time_bar(&self) -> bool {
        self.has_clock() && (!self.timeline.hides_bar || self.config.size.1 < HEADER_HEIGHT_MIN)
    }

    /// Whether log, graphs and findings of the moment are still being read.
    pub const fn is_reading_moment(&self) -> bool {
        self.timeline.is_reading
    }

    /// The cells of the time bar that stand for the time: beside the times of its ends, or the clock where the screen has no header.
    pub fn time_bar_cells(&self, layout: &Layout) -> Rect {
        let area = layout.time_bar;
        let (left, right) = if layout.header.height == 0 {
            let text = self.clock_text(usize::from(area.width / 2)).unwrap_or_default();
            (u16::try_from(cells(&text)).unwrap_or(0) + 2, 1)
        } else if area.width < ENDS_WIDTH_MIN {
            (1, 1)
        } else {
            (ENDS_WIDTH + 2, ENDS_WIDTH + 2)
        };
        Rect { x: area.x + left, width: area.width.saturating_sub(left + right), ..area }
    }

    /// Where in `width` cells of the time bar `at` is.
    pub fn bar_cell(span: &RecordedSpan, width: u16, at: Timestamp) -> u16 {
        let (part, length) = (at.since(span.first.at).as_nanos(), span.length().as_nanos().max(1));
        let cell = part.min(length) * u128::from(width.saturating_sub(1)) / length;
        u16::try_from(cell).unwrap_or(0)
    }

    /// The moment of cell `cell` of `width`: the first and the last cell are the ends.
    pub(in crate::app) fn moment_of_cell(span: &RecordedSpan, width: u16, cell: u16) -> Timestamp {
        let last = u128::from(width.saturating_sub(1).max(1));
        // Rounded up, so that the cell of the moment is the cell that was clicked.
        let part = (span.length().as_nanos() * u128::from(cell)).div_ceil(last);
        span.clamp(span.first.at.after(Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))))
    }

    /// The marks of the time bar in `width` cells: the gravest of each.
    pub fn bar_marks(span: &RecordedSpan, width: u16) -> Vec<(u16, BarMark)> {
        let mut cells = vec![None; usize::from(width)];
        let rank = |mark: Option<BarMark>| match mark {
            None => 0,
            Some(BarMark::Gap) => 1,
            Some(BarMark::Finding(Severity::Warning)) => 2,
            Some(BarMark::Finding(Severity::Critical)) => 3,
        };
        for mark in &span.marks {
            let of = match mark.severity {
                None => BarMark::Gap,
                Some(MarkSeverity::Warning) => BarMark::Finding(Severity::Warning),
                Some(MarkSeverity::Critical) => BarMark::Finding(Severity::Critical),
            };
            if let Some(cell) = cells.get_mut(usize::from(Self::bar_cell(span, width, mark.at)))
                && rank(Some(of)) > rank(*cell)
            {
                *cell = Some(of);
            }
        }
        (0..).zip(cells).filter_map(|(cell, mark)| Some((cell, mark?))).collect()
    }

    /// How far back the memory of a live source goes, where that is less than it is meant to be and was watched.
    pub(in crate::app) fn short_memory(&self) -> Option<String> {
        let span = self.timeline.span.as_ref().filter(|_| self.is_in_past())?;
        let watched = span.last.at.since(self.first_sample?);
        let meant = watched.min(LEAD_IN);
        let is_short = span.length() + Duration::from_secs(30) < meant;
        is_short.then(|| format!("{} are kept: so much changes that 64 MiB hold no more", units::lasted(span.length())))
    }
}

/// The parts that fit into `width` cells; the highest number goes first.
fn fitting(mut parts: Vec<(u8, String)>, width: usize) -> String {
    while parts.iter().map(|(_, text)| cells(text)).sum::<usize>() > width {
        let Some(least) = parts.iter().map(|(worth, _)| *worth).max().filter(|worth| *worth > 0) else { break };
        parts.retain(|(worth, _)| *worth != least);
    }
    parts.into_iter().map(|(_, text)| text).collect()
}

/// A length of time as a clock writes it: `12:31`, `1:02:10`, `3d 1:02:10`.
pub fn time_text(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}d {hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_written_like_a_clock() {
        let text = |seconds| time_text(Duration::from_secs(seconds));
        assert_eq!([0, 59, 751, 3_730, 90_000].map(text), ["0:00", "0:59", "12:31", "1:02:10", "1d 1:00:00"]);
    }

    #[test]
    fn what_is_worth_least_goes_first() {
        let parts =
            || vec![(0, "PAST".to_owned()), (5, " 2026".to_owned()), (0, " 14:05".to_owned()), (2, " x".to_owned())];
        assert_eq!(
            [99, 14, 11, 1].map(|width| fitting(parts(), width)),
            ["PAST 2026 14:05 x", "PAST 14:05 x", "PAST 14:05", "PAST 14:05"]
        );
    }

    #[test]
    fn a_cell_of_the_bar_leads_to_itself() {
        let moment =
            |seconds: u64| RecordedMoment { at: Timestamp::from_millis(seconds * 1_000), ..RecordedMoment::default() };
        let span = RecordedSpan { first: moment(10), last: moment(3_617), ..RecordedSpan::default() };
        for (width, cell) in [1, 2, 40, 77].into_iter().flat_map(|width: u16| (0..width).map(move |cell| (width, cell)))
        {
            let at = App::moment_of_cell(&span, width, cell);
            assert_eq!(App::bar_cell(&span, width, at), cell, "{cell} of {width}");
        }
        assert_eq!(App::moment_of_cell(&span, 40, 39), span.last.at);
    }
}
