//! The memory of the last quarter of an hour of a live source: what every sample changed, in bounded memory, as a source that can be
//! gone about in.
//!
//! It holds the rows of its oldest moment and every delta since. The oldest delta is dropped by taking it into those rows, so that
//! the cost of a sample follows what it changed. Rows that did not change are shared with what is on the screen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::delta::{Connection, Delta, ObservedSocket, Removed, Transition};
use crate::model::descriptors::Descriptors;
use crate::model::process::ProcessId;
use crate::model::recorded::LEAD_IN;
use crate::model::recorded::{RecordedMoment, RecordedSpan};
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Needs, SourceInfo};
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::source::{Pace, Source, SourceError};

/// What all deltas that are kept may take, in bytes; beside them a row takes some 70.
const MEMORY_MAX: usize = 64 * 1024 * 1024;
/// What the limits and counters of a sample take, in bytes, at most.
const OWN_FACTS: usize = 4 * 1024;
/// No pause between two samples is played longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The memory, shared by who samples and who goes back.
#[derive(Clone, Debug, Default)]
pub struct SharedPast(Arc<Mutex<Past>>);

impl SharedPast {
    fn lock(&self) -> MutexGuard<'_, Past> {
        // Nothing can panic while it is locked; if it did, the values would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a sample changed.
    pub fn push(&self, delta: &Delta) {
        self.lock().push(delta);
    }

    /// The memory as a source, which stands at its oldest moment.
    pub fn source(&self, info: SourceInfo) -> PastSource {
        PastSource { past: self.clone(), info, start: None, next: 0, held: VecDeque::new() }
    }
}

/// The rows of the oldest moment that is kept, and what changed since.
#[derive(Debug, Default)]
struct Past {
    /// The oldest moment: of its delta everything but the rows; `None` before the first sample.
    oldest: Option<Arc<Delta>>,
    /// Its rows, each with a number that ascends in the order in which they came.
    rows: FxHashMap<SocketId, (u64, Connection)>,
    numbers: u64,
    /// What came after it, oldest first.
    deltas: VecDeque<KeptDelta>,
    /// How many deltas were dropped: the number of the first one that is kept.
    dropped: u64,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct KeptDelta {
    delta: Arc<Delta>,
    bytes: usize,
}

impl Past {
    fn push(&mut self, delta: &Delta) {
        let mut delta = delta.clone();
        delta.is_overtaken = false;
        let own = self.share(&mut delta);
        if self.oldest.is_none() {
            self.take_into_rows(&delta);
            self.oldest = Some(Arc::new(without_rows(&delta)));
            return;
        }
        let bytes = own + bytes_of(&delta);
        self.bytes += bytes;
        let newest = delta.at;
        self.deltas.push_back(KeptDelta { delta: Arc::new(delta), bytes });
        while self.bytes > MEMORY_MAX || self.oldest.as_ref().is_some_and(|oldest| newest.since(oldest.at) > LEAD_IN) {
            if !self.drop_oldest() {
                return;
            }
        }
    }

    /// What is the same as in the delta before is kept once; what the rest takes, in bytes.
    fn share(&self, delta: &mut Delta) -> usize {
        let Some(before) = self.deltas.back().map(|kept| &kept.delta).or(self.oldest.as_ref()) else { return 0 };
        if delta.names == before.names {
            delta.names = Arc::clone(&before.names);
        }
        if delta.coverage == before.coverage {
            delta.coverage = Arc::clone(&before.coverage);
        }
        if delta.descriptors == before.descriptors {
            delta.descriptors = Arc::clone(&before.descriptors);
            return OWN_FACTS;
        }
        OWN_FACTS + delta.descriptors.len() * size_of::<(ProcessId, Descriptors)>()
    }

    /// `false` if there is none.
    fn drop_oldest(&mut self) -> bool {
        let Some(kept) = self.deltas.pop_front() else { return false };
        self.take_into_rows(&kept.delta);
        self.oldest = Some(Arc::new(without_rows(&kept.delta)));
        self.bytes -= kept.bytes;
        self.dropped += 1;
        true
    }

    fn take_into_rows(&mut self, delta: &Delta) {
        for Removed { id, .. } in &delta.removed {
            self.rows.remove(id);
        }
        for connection in delta.added.iter().chain(&delta.changed) {
            self.numbers += 1;
            let row = self.rows.entry(connection.socket.id).or_insert((self.numbers, connection.clone()));
            row.1 = connection.clone();
        }
    }

    /// The oldest moment as a first sample, which lists every row.
    fn first_sample(&self) -> Option<Delta> {
        let mut rows: Vec<_> = self.rows.values().collect();
        rows.sort_unstable_by_key(|(number, _)| *number);
        let added = rows.into_iter().map(|(_, connection)| connection.clone()).collect();
        Some(Delta { added, ..Delta::clone(self.oldest.as_ref()?) })
    }

    fn span(&self) -> Option<RecordedSpan> {
        let moment = |delta: &Delta| RecordedMoment { at: delta.at, wall: delta.wall };
        let oldest = self.oldest.as_ref()?;
        let newest = self.deltas.back().map_or(oldest, |kept| &kept.delta);
        let samples = self.deltas.len() as u64 + 1;
        Some(RecordedSpan { first: moment(oldest), last: moment(newest), samples, marks: Vec::new() })
    }
}

/// All that a first sample says beside its rows.
fn without_rows(delta: &Delta) -> Delta {
    let Delta { at, wall, took, sample_intervals, as_of, traffic, is_overtaken, .. } = *delta;
    Delta {
        coverage: Arc::clone(&delta.coverage),
        names: Arc::clone(&delta.names),
        facts: Arc::clone(&delta.facts),
        event_status: delta.event_status.clone(),
        descriptors: Arc::clone(&delta.descriptors),
        unlisted: delta.unlisted.clone(),
        network: delta.network.clone(),
        at,
        wall,
        took,
        sample_intervals,
        as_of,
        traffic,
        is_overtaken,
        ..Delta::default()
    }
}

/// What a delta takes, at most: rows that did not change since are shared.
fn bytes_of(delta: &Delta) -> usize {
    let row = size_of::<Connection>() + size_of::<ObservedSocket>();
    size_of::<Delta>()
        + (delta.added.len() + delta.changed.len()) * row
        + delta.removed.len() * size_of::<Removed>()
        + delta.transitions.len() * size_of::<Transition>()
        + (delta.details.len() + delta.usage.len()) * 256
}

/// Plays the memory from a moment on.
pub struct PastSource {
    past: SharedPast,
    info: SourceInfo,
    /// The first sample after a seek.
    start: Option<Box<Delta>>,
    /// The number of the delta after those that are held.
    next: u64,
    /// What follows, as it was when it was sought: it stays when the memory drops it.
    held: VecDeque<Arc<Delta>>,
}

impl PastSource {
    /// Holds what came since.
    fn hold(&mut self) -> Result<(), SourceError> {
        let past = self.past.lock();
        let Some(skip) = self.next.checked_sub(past.dropped) else {
            return Err(SourceError::Failed("what followed is not kept any more; ‹end› goes back to now".into()));
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.held.extend(past.deltas.iter().skip(skip).map(|kept| Arc::clone(&kept.delta)));
        self.next = past.dropped + past.deltas.len() as u64;
        Ok(())
    }
}

impl Source for PastSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn sample(&mut self, _needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        if self.held.len() < 2 {
            // What is held is played even if what follows is lost.
            let held = self.hold();
            if self.held.is_empty() && self.start.is_none() {
                held?;
            }
        }
        let delta = match self.start.take() {
            Some(start) => *start,
            None => match self.held.pop_front() {
                Some(delta) => Arc::unwrap_or_clone(delta),
                None => return Err(SourceError::Failed("nothing was sampled since; ‹end› goes back to now".into())),
            },
        };
        let pace = match self.held.front() {
            Some(next) => Pace::After(next.at.since(delta.at).min(PAUSE_MAX)),
            None => Pace::Last,
        };
        let mut snapshot = sink.begin(delta.at, delta.wall);
        snapshot.tracked = Some(Box::new(delta));
        sink.finish(snapshot);
        Ok(pace)
    }

    fn span(&self) -> Option<RecordedSpan> {
        self.past.lock().span()
    }

    /// Stands at the oldest moment, from which all others are read.
    fn seek(&mut self, _at: Timestamp) -> Result<(), SourceError> {
        let past = self.past.lock();
        let start = past.first_sample();
        self.next = past.dropped;
        drop(past);
        self.start = start.map(Box::new);
        self.held.clear();
        if self.start.is_none() {
            return Err(SourceError::Failed("nothing was sampled yet".into()));
        }
        self.hold()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Snapshot;
    use crate::model::testing::{connection, source_info, tcp};

    /// Opens socket `second`, changes the one before and forgets the one of ten seconds before.
    fn delta(second: u64) -> Delta {
        let opened = |second| connection(tcp(second), second);
        Delta {
            at: Timestamp::from_millis(second * 1_000),
            added: vec![opened(second)],
            changed: if second > 1 { vec![opened(second - 1)] } else { Vec::new() },
            removed: if second > 10 {
                vec![Removed { id: opened(second - 10).socket.id, at: Timestamp::default() }]
            } else {
                Vec::new()
            },
            ..Delta::default()
        }
    }

    fn all(source: &mut PastSource) -> Vec<Delta> {
        let mut deltas = Vec::new();
        loop {
            let mut snapshot = Snapshot::default();
            let pace = source.sample(&Needs::default(), &mut snapshot).expect("a sample");
            deltas.push(*snapshot.tracked.take().expect("it was tracked"));
            if pace == Pace::Last {
                return deltas;
            }
        }
    }

    #[test]
    fn a_quarter_of_an_hour_is_kept_and_begins_with_all_rows() {
        let past = SharedPast::default();
        (1..=2_000).for_each(|second| past.push(&delta(second)));
        let mut source = past.source(source_info());
        let span = source.span().expect("it can be gone about in");
        assert_eq!(
            (span.first.at, span.last.at),
            (Timestamp::from_millis(1_100_000), Timestamp::from_millis(2_000_000))
        );
        source.seek(span.last.at).expect("it can be sought");
        let deltas = all(&mut source);
        assert_eq!(deltas.len() as u64, span.samples);
        let rows: Vec<_> = deltas[0].added.iter().map(|row| row.socket.id).collect();
        assert_eq!(rows, (1_091..=1_100).map(|cookie| connection(tcp(cookie), 0).socket.id).collect::<Vec<_>>());
        assert_eq!(deltas[1], delta(1_101));
        assert!(deltas[0].transitions.is_empty() && deltas[0].removed.is_empty());
    }

    #[test]
    fn memory_is_bounded_in_bytes_and_what_is_played_stays() {
        let past = SharedPast::default();
        past.push(&delta(1));
        let mut source = past.source(source_info());
        let big = |second: u64| Delta {
            at: Timestamp::from_millis(second * 1_000),
            changed: (0..20_000).map(|cookie| connection(tcp(cookie), second)).collect(),
            ..Delta::default()
        };
        past.push(&big(2));
        source.seek(Timestamp::default()).expect("it can be sought");
        (3..=30).for_each(|second| past.push(&big(second)));
        assert!(past.lock().bytes <= MEMORY_MAX);
        let span = source.span().expect("a span");
        assert!(span.first.at > Timestamp::from_millis(2_000) && span.samples > 5, "{span:?}");
        // What was held is played; what followed is gone, and that is said.
        assert_eq!(all(&mut source).len(), 2);
        assert!(source.sample(&Needs::default(), &mut Snapshot::default()).is_err());
    }
}
