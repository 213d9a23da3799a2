//! Builds the data of a moment apart from what is on the screen: reads what was before it, takes it in and looks at it.

use std::time::Duration;

use crate::app::moment::{Moment, MomentWish, WishedSample};
use crate::app::samples::sort_by_time;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::Delta;
use crate::model::recorded::{LEAD_IN, RecordedSpan};
use crate::model::snapshot::{Needs, Snapshot};
use crate::model::time::Timestamp;
use crate::source::{Pace, Source, SourceError};
use crate::store::Store;
use crate::tracker::{Tracker, Tracking};

/// A moment that takes longer than this to read is shown first without what was before it.
const FIRST_PICTURE: Duration = Duration::from_millis(60);
/// What taking in and looking at a sample costs: for itself, and for each of its rows.
const SAMPLE_COST: Duration = Duration::from_micros(60);
const ROW_COST_NANOS: u64 = 150;
/// After looking at so many rows for findings, every second sample is looked at; after as many more every third, and so on.
const LOOKED_ROWS: u64 = 10_000_000;

/// By what findings are judged.
#[derive(Clone, Debug, Default)]
pub struct FindingSettings {
    /// The numbers that the rules compare with.
    pub thresholds: Thresholds,
    /// The findings that are not shown.
    pub ignore: Vec<Ignore>,
}

/// A sample that was read to find out that the moment ends before it: it is the next one.
pub type SampleAhead = (Box<Delta>, Pace);

/// A moment, and where its source stands.
pub struct BuiltMoment {
    /// The moment.
    pub moment: Moment,
    /// What compared its samples, for those that follow.
    pub tracker: Tracker,
    /// The next sample, if it is known already.
    pub ahead: Option<SampleAhead>,
    /// When the next sample is due after the last one of the moment.
    pub pace: Pace,
}

/// Reads moments of one source.
pub struct MomentReader<'a> {
    /// The source.
    pub source: &'a mut dyn Source,
    /// Memory for its samples.
    pub snapshot: &'a mut Snapshot,
    /// By what findings are judged.
    pub findings: &'a FindingSettings,
    /// Whether a newer wish has come.
    pub is_overtaken: &'a dyn Fn() -> bool,
}

impl MomentReader<'_> {
    /// Whether reading what was before `at`, of so many sockets, takes so long that a first picture without it is wanted.
    pub fn wants_first_picture(span: &RecordedSpan, at: Timestamp, sockets: usize) -> bool {
        let length = span.length().as_millis().max(1);
        let lead = at.since(span.first.at).min(LEAD_IN).as_millis();
        let samples = u64::try_from(u128::from(span.samples) * lead / length).unwrap_or(u64::MAX);
        let each = SAMPLE_COST + Duration::from_nanos(ROW_COST_NANOS.saturating_mul(sockets as u64));
        each.saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX)) > FIRST_PICTURE
    }

    /// The moment `at` of `wish` as of its table only.
    pub fn first_picture(
        &mut self,
        wish: MomentWish,
        at: Timestamp,
        span: &RecordedSpan,
    ) -> Result<Option<BuiltMoment>, SourceError> {
        self.source.seek(at)?;
        self.read(wish, at, span, None)
    }

    /// The moment `at` of `wish` with all that is remembered at it. `None`: a newer wish has come.
    pub fn full(
        &mut self,
        wish: MomentWish,
        at: Timestamp,
        span: &RecordedSpan,
    ) -> Result<Option<BuiltMoment>, SourceError> {
        self.source.seek(at.before(LEAD_IN).max(span.first.at))?;
        let FindingSettings { thresholds, ignore } = self.findings.clone();
        self.read(wish, at, span, Some(Diagnosis::new(thresholds).ignoring(ignore)))
    }

    fn read(
        &mut self,
        wish: MomentWish,
        at: Timestamp,
        span: &RecordedSpan,
        mut diagnosis: Option<Diagnosis>,
    ) -> Result<Option<BuiltMoment>, SourceError> {
        let mut tracker = Tracker::new();
        let mut store = Store::new(self.source.info().clone());
        let (mut looked, mut unseen, mut last_pace, mut ahead) = (0, 0, Pace::Last, None);
        // The rest of the second is not read on for: a sample of this very moment is the last one of it.
        while store.deltas() == 0 || store.at() < at {
            if (self.is_overtaken)() {
                return Ok(None);
            }
            let (delta, pace) = match next_delta(self.source, &mut tracker, self.snapshot) {
                Ok(next) => next,
                // What is good before the damage is shown.
                Err(error) if store.deltas() == 0 => return Err(error),
                Err(_) => {
                    last_pace = Pace::Last;
                    break;
                }
            };
            if store.deltas() > 0 && wish.sample == WishedSample::Before && delta.at > at {
                last_pace = Pace::After(delta.at.since(store.at()));
                ahead = Some((delta, pace));
                break;
            }
            store.apply(*delta);
            last_pace = pace;
            unseen += 1;
            if let Some(diagnosis) = diagnosis.as_mut().filter(|_| unseen > looked / LOOKED_ROWS) {
                diagnosis.observe(&store);
                looked += u64::from(store.rows().counts().total());
                unseen = 0;
            }
            if pace == Pace::Last {
                break;
            }
        }
        if let Some(diagnosis) = diagnosis.as_mut().filter(|_| unseen > 0) {
            diagnosis.observe(&store);
        }
        let moment = Moment { number: wish.number, store, diagnosis, span: span.clone() };
        Ok(Some(BuiltMoment { moment, tracker, ahead, pace: last_pace }))
    }
}

/// Takes the next sample of a recording; what changed is sorted by time, as the screen does.
fn next_delta(
    source: &mut dyn Source,
    tracker: &mut Tracker,
    snapshot: &mut Snapshot,
) -> Result<SampleAhead, SourceError> {
    let pace = source.sample(&Needs::default(), &mut Tracking { tracker: &mut *tracker, snapshot })?;
    let mut delta = Box::new(tracker.finish(snapshot));
    delta.is_overtaken = false;
    sort_by_time(&mut delta);
    Ok((delta, pace))
}

#[cfg(test)]
mod tests;
