//! What a chart needs: the highest count in each of some equal parts of a span of time, how low it was, and where nothing is
//! known.

use std::time::Duration;

use crate::model::time::Timestamp;
use crate::store::history::flow::FlowMeasure;
use crate::store::history::minutes::Minute;
use crate::store::history::{History, Sample};
use crate::store::socket_counts::SocketCounts;

/// How far back a chart goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChartSpan {
    /// Two minutes.
    #[default]
    Short,
    /// A quarter of an hour.
    Middle,
    /// A day.
    Long,
}

/// A count is taken to hold for at least so long, where samples come more often than the parts of a chart ask for.
const HOLD_MIN: Duration = Duration::from_secs(3);
/// And at most so long: three times the longest interval that can be chosen.
const HOLD_MAX: Duration = Duration::from_secs(3 * 60);
/// How often samples come is seen from the last few.
const SPACING_SAMPLES: usize = 8;

impl ChartSpan {
    /// Its length.
    pub const fn length(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(2 * 60),
            Self::Middle => Duration::from_secs(15 * 60),
            Self::Long => Duration::from_secs(24 * 3_600),
        }
    }

    /// Its length in words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Short => "2 min",
            Self::Middle => "15 min",
            Self::Long => "24 h",
        }
    }

    /// The next longer one; after the longest the shortest.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Short => Self::Middle,
            Self::Middle => Self::Long,
            Self::Long => Self::Short,
        }
    }
}

impl History {
    /// What `pick` takes of the counts over the last `span`, in `width` equal parts, oldest first: the highest of each,
    /// `None` where there was no sample. The parts stand still while time goes by: they begin at multiples of their
    /// length since boot, and the last one is the one that is now.
    pub fn trend(&self, span: ChartSpan, width: usize, pick: impl Fn(&SocketCounts) -> u32) -> Vec<Option<u32>> {
        let count = |counts: &SocketCounts| Some(u64::from(pick(counts)));
        let parts = self.parts(span, width, u64::max, |minute| count(&minute.highest), |sample| count(&sample.counts));
        parts.into_iter().map(as_count).collect()
    }

    /// The same of what moved. Of traffic that one sample could not count nothing is known until the next that could.
    pub fn flow(&self, span: ChartSpan, width: usize, measure: FlowMeasure) -> Vec<Option<u64>> {
        let of_minute = |minute: &Minute| minute.flow.of_measure(measure);
        self.parts(span, width, u64::max, of_minute, |sample| sample.flow.of_measure(measure))
    }

    /// The span that the history fills best: a quarter of an hour once half of that is known.
    pub fn best_span(&self) -> ChartSpan {
        let ends = self.samples().front().zip(self.samples().back());
        let known = ends.map_or(Duration::ZERO, |(oldest, newest)| newest.at.since(oldest.at));
        if known * 2 < ChartSpan::Middle.length() { ChartSpan::Short } else { ChartSpan::Middle }
    }

    /// The lowest that `pick` takes of the counts that [`trend`](Self::trend) shows, the newest among them; `None` where there
    /// was no sample.
    pub fn lowest(&self, span: ChartSpan, width: usize, pick: impl Fn(&SocketCounts) -> u32) -> Option<u32> {
        let count = |counts: &SocketCounts| Some(u64::from(pick(counts)));
        let lowest = self.parts(span, width, u64::min, |minute| count(&minute.lowest), |sample| count(&sample.counts));
        lowest.into_iter().filter_map(as_count).min()
    }

    /// The lowest and the highest that `pick` takes of the counts since `from`, as far as they are within the last `span`.
    pub fn bounds_since(
        &self,
        from: Timestamp,
        span: ChartSpan,
        pick: impl Fn(&SocketCounts) -> u32,
    ) -> Option<(u32, u32)> {
        let newest = self.samples().back()?;
        let from = from.max(newest.at.before(span.length()));
        let samples = self.samples().iter().filter(|sample| sample.at >= from).map(|sample| pick(&sample.counts));
        // Older than the samples there are minutes only, of which one that had begun before does not count.
        let is_long = span == ChartSpan::Long;
        let minutes = self.minutes().iter().filter(|minute| is_long && minute.begun >= from);
        let of_minutes = minutes.flat_map(|minute| [pick(&minute.lowest), pick(&minute.highest)]);
        samples.chain(of_minutes).fold(None, |bounds, count| {
            let (lowest, highest) = bounds.unwrap_or((count, count));
            Some((lowest.min(count), highest.max(count)))
        })
    }

    /// What `of_minute` takes of minutes, or `of_sample` of samples, in `width` equal parts of the last `span`. Of several in
    /// one part `keep` keeps one.
    fn parts(
        &self,
        span: ChartSpan,
        width: usize,
        keep: fn(u64, u64) -> u64,
        of_minute: impl Fn(&Minute) -> Option<u64>,
        of_sample: impl Fn(&Sample) -> Option<u64>,
    ) -> Vec<Option<u64>> {
        let Some(newest) = self.samples().back() else { return vec![None; width] };
        let mut parts = Parts::new(newest.at, span.length(), width, keep);
        if span == ChartSpan::Long {
            // A minute that is missing is a gap; the parts of a narrow chart are longer than one anyway.
            for minute in self.minutes() {
                let value = of_minute(minute);
                parts.put(minute.begun, value, Duration::from_secs(60));
                parts.put(minute.until, value, Duration::from_secs(60));
            }
            return parts.found;
        }
        // What a sample showed holds for three times the time between samples, as often as they came before it: longer is a gap.
        let mut before: [Option<Timestamp>; 3] = [None; 3];
        for sample in self.samples() {
            let spacings = before
                .iter()
                .zip(&before[1..])
                .filter_map(|(newer, older)| Some(newer.as_ref()?.since(*older.as_ref()?)));
            let hold =
                spacings.min().map_or(self.hold(), |spacing| spacing.saturating_mul(3).clamp(HOLD_MIN, HOLD_MAX));
            parts.put(sample.at, of_sample(sample), hold);
            before = [Some(sample.at), before[0], before[1]];
        }
        parts.found
    }

    /// How long a count is taken to hold: three times the time between samples. Longer without one is a gap.
    fn hold(&self) -> Duration {
        let last = self.samples().iter().rev().take(SPACING_SAMPLES);
        let spacings = last.clone().zip(last.skip(1)).map(|(newer, older)| newer.at.since(older.at));
        spacings.min().map_or(HOLD_MIN, |spacing| spacing.saturating_mul(3).clamp(HOLD_MIN, HOLD_MAX))
    }
}

/// No count is higher than a `u32`.
fn as_count(value: Option<u64>) -> Option<u32> {
    value.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

struct Parts {
    found: Vec<Option<u64>>,
    /// The length of a part, in nanoseconds.
    length: u64,
    /// The number of the last part, counted since boot.
    last: u64,
    before: Option<(Timestamp, Option<u64>)>,
    /// Which of two values in one part is kept.
    keep: fn(u64, u64) -> u64,
}

impl Parts {
    fn new(newest: Timestamp, span: Duration, width: usize, keep: fn(u64, u64) -> u64) -> Self {
        let parts = u64::try_from(width.max(1)).unwrap_or(1);
        let length = (u64::try_from(span.as_nanos()).unwrap_or(u64::MAX) / parts).max(1);
        Self { found: vec![None; width], length, last: newest.0 / length, before: None, keep }
    }

    /// Puts the next value, and before it the last one as far as that holds.
    fn put(&mut self, at: Timestamp, value: Option<u64>, hold: Duration) {
        let place = at.0 / self.length;
        if let Some((earlier, value)) = self.before.replace((at, value))
            && at.since(earlier) <= hold
        {
            let first = self.last.saturating_sub(u64::try_from(self.found.len()).unwrap_or(0));
            let from = (earlier.0 / self.length + 1).max(first);
            (from..place).for_each(|between| self.keep(between, value));
        }
        self.keep(place, value);
    }

    fn keep(&mut self, place: u64, value: Option<u64>) {
        let (keep, Some(value)) = (self.keep, value) else { return };
        let from_end = self.last.checked_sub(place).and_then(|parts| usize::try_from(parts).ok());
        if let Some(part) = from_end.and_then(|parts| self.found.iter_mut().nth_back(parts)) {
            *part = Some(part.map_or(value, |known| keep(known, value)));
        }
    }
}
