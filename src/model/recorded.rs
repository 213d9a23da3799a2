//! The time that a recording covers, and how a person names a moment in it.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::model::units::parse::parse_span;

/// What has a memory (log, graphs, slopes of findings) reads so much of what was before a moment that is gone to.
pub const LEAD_IN: Duration = Duration::from_secs(15 * 60);

/// The time that a recording covers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedSpan {
    /// Its first sample.
    pub first: RecordedMoment,
    /// Its last sample.
    pub last: RecordedMoment,
    /// How many samples it has.
    pub samples: u64,
    /// What a person may want to go to, oldest first.
    pub marks: Vec<RecordedMark>,
}

/// A moment of a recording by both clocks. Moments of one recording ascend by `at`, over reboots of the machine too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedMoment {
    /// By the clock of the recording.
    pub at: Timestamp,
    /// The time of day that it was.
    pub wall: WallTime,
}

/// A finding that began, or a gap in the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedMark {
    /// When.
    pub at: Timestamp,
    /// How grave it is; `None` for a gap, in which nothing was recorded.
    pub severity: Option<MarkSeverity>,
    /// What it says.
    pub sentence: DisplayText,
}

/// How grave a finding is that a recording marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the cases are those of a finding's severity")]
pub enum MarkSeverity {
    Warning,
    Critical,
}

/// What a moment is written like, for help and for the sentence about one that is none.
pub const MOMENT_HINT: &str = "write 14:05, 2026-01-31 14:05, -5m from the end or +90s";

impl RecordedSpan {
    /// From its first to its last sample.
    pub const fn length(&self) -> Duration {
        self.last.at.since(self.first.at)
    }

    /// `at`, or what of the span is next to it.
    pub fn clamp(&self, at: Timestamp) -> Timestamp {
        at.clamp(self.first.at, self.last.at.max(self.first.at))
    }

    /// The moment that `text` names, times of day being so many seconds ahead of UTC. `14:05`, `14:05:30`: the last such time of day
    /// in the recording; `2026-01-31 14:05`; RFC 3339; `-5m`: before its end; `+90s`: after its begin. An error is a sentence that
    /// says what to write.
    pub fn parse(&self, text: &str, utc_offset_seconds: i32) -> Result<Timestamp, String> {
        let text = text.trim();
        let zone = TimeZone::fixed(Offset::from_seconds(utc_offset_seconds).unwrap_or(Offset::UTC));
        let found = self.find(text, &zone);
        let shown = DisplayText::new(text);
        let is_within = |at: &Timestamp| (self.first.at..=self.last.at).contains(at);
        match found {
            Err(()) => Err(format!("'{shown}' is no time; {MOMENT_HINT}")),
            Ok(at) => at
                .filter(is_within)
                .ok_or_else(|| format!("{shown} is outside of what is recorded: {}", self.words(&zone))),
        }
    }

    /// Whether `text` is written like a moment, whichever recording has one there.
    pub fn is_time(text: &str) -> bool {
        Self::default().find(text.trim(), &TimeZone::UTC).is_ok()
    }

    /// The moment that `text` names; `Ok(None)`: there is no such moment. An error: that is no way to name one.
    fn find(&self, text: &str, zone: &TimeZone) -> Result<Option<Timestamp>, ()> {
        let after = text.get(1..).and_then(parse_span).ok_or(());
        match text.as_bytes().first() {
            Some(b'-') => after.map(|span| self.last.at.0.checked_sub(span).map(Timestamp)),
            Some(b'+') => after.map(|span| self.first.at.0.checked_add(span).map(Timestamp)),
            _ => self.parse_wall(text, zone),
        }
    }

    /// From when to when it goes, as times of day.
    fn words(&self, zone: &TimeZone) -> String {
        let text = |moment: RecordedMoment| {
            let at = jiff::Timestamp::from_millisecond(moment.wall.0).unwrap_or_default();
            at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        };
        format!("{} to {}", text(self.first), text(self.last))
    }

    /// The moment of a time of day. `Ok(None)`: there is no such moment.
    fn parse_wall(&self, text: &str, zone: &TimeZone) -> Result<Option<Timestamp>, ()> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(self.at_wall(time.as_millisecond(), 1_000));
        }
        // `14:05` means any moment of that minute.
        let resolution = if text.matches(':').count() == 1 { 60_000 } else { 1_000 };
        if text.contains('-') {
            let time = text.parse::<DateTime>().map_err(drop)?;
            return Ok(millis(time, zone).and_then(|wall| self.at_wall(wall, resolution)));
        }
        let time = text.parse::<Time>().map_err(drop)?;
        if !text.contains(':') {
            return Err(());
        }
        let last = jiff::Timestamp::from_millisecond(self.last.wall.0).map_err(drop)?.to_zoned(zone.clone()).date();
        let first = jiff::Timestamp::from_millisecond(self.first.wall.0).map_err(drop)?.to_zoned(zone.clone()).date();
        let days = std::iter::successors(Some(last), |day: &Date| day.yesterday().ok()).take_while(|day| *day >= first);
        Ok(days
            .filter_map(|day| millis(day.to_datetime(time), zone))
            .find_map(|wall| self.at_wall(wall, resolution).filter(|at| (self.first.at..=self.last.at).contains(at))))
    }

    /// The moment of the time of day `wall`, known to `resolution`, both in milliseconds.
    fn at_wall(&self, wall: i64, resolution: i64) -> Option<Timestamp> {
        let after = wall.checked_sub(self.first.wall.0)?;
        // A time that is written in whole seconds or minutes is that of a sample within them.
        let after = if (-resolution + 1..0).contains(&after) { 0 } else { after };
        let nanos = u64::try_from(after).ok()?.checked_mul(1_000_000)?;
        self.first.at.0.checked_add(nanos).map(Timestamp)
    }
}

fn millis(time: DateTime, zone: &TimeZone) -> Option<i64> {
    Some(time.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31 23:50:10 to 2026-02-01 00:20:10 UTC, from the hundredth second of the machine on.
    fn span() -> RecordedSpan {
        let first: jiff::Timestamp = "2026-01-31T23:50:10Z".parse().expect("a time");
        let moment = |seconds: u64| RecordedMoment {
            at: Timestamp::from_millis((100 + seconds) * 1_000),
            wall: WallTime(first.as_millisecond().saturating_add_unsigned(seconds * 1_000)),
        };
        RecordedSpan { first: moment(0), last: moment(1_800), samples: 1_801, marks: Vec::new() }
    }

    /// Seconds after the begin.
    fn after(text: &str, offset: i32) -> Result<u64, String> {
        span().parse(text, offset).map(|at| at.as_millis() / 1_000 - 100)
    }

    #[test]
    fn a_moment_is_a_time_of_day_or_counted_from_an_end() {
        assert_eq!(after("00:05", 0), Ok(890));
        assert_eq!(after("23:55:30", 0), Ok(320), "on the day before");
        assert_eq!(after("01:05", 3_600), Ok(890), "in local time");
        assert_eq!(after("2026-02-01 00:05", 0), Ok(890));
        assert_eq!(after("2026-02-01T00:05:00Z", 7_200), Ok(890));
        assert_eq!(after(" -5m ", 0), Ok(1_500));
        assert_eq!(after("+90s", 0), Ok(90));
        assert_eq!(after("+0", 0), Ok(0));
        assert_eq!(after("23:50", 0), Ok(0), "within that minute it began");
    }

    #[test]
    fn what_is_outside_is_told_from_what_is_no_time() {
        let outside = "is outside of what is recorded: 2026-01-31 23:50:10 to 2026-02-01 00:20:10";
        for text in ["00:21", "12:00", "-31m", "+31m", "2026-01-30 23:55", "2026-02-01T01:05:00Z", "-9999d"] {
            assert_eq!(after(text, 0), Err(format!("{text} {outside}")));
        }
        for text in ["", "noon", "25:00", "-", "+x", "7", "14", "\u{1b}[2J", "ä", "2026-13-01 00:00"] {
            let error = after(text, 0).expect_err(text);
            assert!(error.ends_with(MOMENT_HINT) && !error.contains('\u{1b}'), "{text}: {error}");
        }
    }
}
