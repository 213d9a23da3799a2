//! Several hosts, or one that is read as it comes, as a source.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::model::delta::Delta;
use crate::model::hosts::HostNumber;
use crate::model::recorded::RecordedSpan;
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Abilities, Needs, SourceInfo, SourceKind};
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::source::replay::{GAP_MAX, GAP_MIN};
use crate::source::synthetic::actions::MadeUpMachine;
use crate::source::{Pace, Source, SourceError, clock};
use crate::streams::feed::{Feed, FeedInput};
use crate::streams::inbox::{Arrival, Arrivals, Inbox, StreamEnd};
use crate::streams::merger::{HostSample, Merger};
use crate::streams::pacing::{Regularity, StreamPace};
use crate::streams::statuses::HostStatuses;
use crate::streams::timeline::{Origin, TimeShift};

/// So long is waited for what comes before it is said that nothing has.
const PATIENCE: Duration = Duration::from_millis(250);
/// The same while a stream is being read: a first sample can be large.
const PATIENCE_READING: Duration = Duration::from_secs(5);
/// So long is waited at first for hosts that are slower than the first one.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// Samples of files that are no further apart than this are one.
const TOGETHER: Duration = Duration::from_millis(500);
/// Of what is told by several streams there is a sample in each nine tenths of the shortest interval, but not more often.
const MERGE_EVERY_MIN: Duration = Duration::from_millis(100);
const MERGE_EVERY_MAX: Duration = Duration::from_secs(2);

/// What is read.
#[derive(Debug)]
pub struct OpenedStream {
    /// What it is called in messages.
    pub name: DisplayText,
    /// Where it comes from; the error is why it cannot be read.
    pub input: Result<StreamOrigin, DisplayText>,
}

/// Where one of several recordings comes from.
#[derive(Debug)]
pub enum StreamOrigin {
    /// A file or a directory, and the time that it covers where that is known.
    Stored(PathBuf, Option<RecordedSpan>),
    /// What comes.
    Stream(std::fs::File),
}

/// Several hosts as one source.
#[derive(Debug)]
pub struct MergedSource {
    info: SourceInfo,
    inbox: Arc<Inbox>,
    streams: Vec<StreamState>,
    statuses: HostStatuses,
    /// `None` for one host, whose numbers and time stay its own.
    merger: Option<Merger>,
    alone: HostAlone,
    origin: Arc<OnceLock<Origin>>,
    /// All are files: they are read by their own time, and none is waited for.
    are_stored: bool,
    /// Somebody looks: what comes all at once is shown as it was recorded.
    is_played: bool,
    /// When the last sample was merged.
    merged_at: Option<Instant>,
    /// When the first sample of any came.
    first_came: Option<Instant>,
    is_over: bool,
}

#[derive(Debug)]
struct StreamState {
    shift: Arc<OnceLock<TimeShift>>,
    pace: StreamPace,
    regularity: Regularity,
    is_idle: Arc<AtomicBool>,
}

/// What the only host told last: it holds until the host says otherwise.
#[derive(Debug, Default)]
struct HostAlone {
    told: Delta,
    arrived: Timestamp,
}

impl HostAlone {
    /// What `arrival` tells; without one, the time that has passed since the last.
    fn next(&mut self, arrival: Option<Arrival>) -> Delta {
        let Some(Arrival { sample, arrived, .. }) = arrival else {
            let passed = clock::since_boot().since(self.arrived);
            let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
            let wall = WallTime(self.told.wall.0.saturating_add(passed_ms));
            return Delta { at: self.told.at.after(passed), wall, ..self.told.clone() };
        };
        let delta = sample.delta;
        self.arrived = arrived;
        self.told = Delta {
            at: delta.at,
            wall: delta.wall,
            took: delta.took,
            unlisted: delta.unlisted.clone(),
            coverage: Arc::clone(&delta.coverage),
            names: Arc::clone(&delta.names),
            facts: Arc::clone(&delta.facts),
            event_status: delta.event_status.clone(),
            usage: delta.usage.clone(),
            descriptors: Arc::clone(&delta.descriptors),
            details: delta.details.clone(),
            as_of: delta.as_of,
            ..Delta::default()
        };
        delta
    }
}

/// What is to be done next.
enum StreamStep {
    /// These have come.
    Merge(Vec<(usize, Arrival)>),
    /// Nothing has come, and something is to be said of the hosts.
    Say,
    /// Nothing has come and nothing is to be said.
    Nothing,
    /// Nothing will come.
    End,
}

impl OpenedStream {
    fn span(&self) -> Option<&RecordedSpan> {
        match &self.input {
            Ok(StreamOrigin::Stored(_, span)) => span.as_ref(),
            Ok(StreamOrigin::Stream(_)) | Err(_) => None,
        }
    }
}

impl MergedSource {
    /// Starts to read `opened`.
    pub fn start(opened: Vec<OpenedStream>) -> Result<Self, SourceError> {
        let is_alone = opened.len() == 1;
        let inbox = Arc::new(Inbox::new(opened.len()));
        let statuses = HostStatuses::new(opened.iter().map(|opened| opened.name.clone()));
        let origin: Arc<OnceLock<Origin>> = Arc::default();
        if let Some(first) = opened.iter().filter_map(|opened| Some(opened.span()?.first.wall)).min() {
            let _ = origin.set(Origin::before(first));
        }
        let are_stored = opened.iter().all(|opened| !matches!(opened.input, Ok(StreamOrigin::Stream(_))));
        let mut source = Self {
            info: SourceInfo {
                kind: SourceKind::Replay,
                host: DisplayText::default(),
                abilities: Abilities::default(),
            },
            merger: (!is_alone).then(|| Merger::new(opened.len())),
            alone: HostAlone::default(),
            inbox,
            streams: Vec::new(),
            statuses,
            origin,
            are_stored,
            is_played: false,
            merged_at: None,
            first_came: None,
            is_over: false,
        };
        for (place, OpenedStream { name, input }) in opened.into_iter().enumerate() {
            source.begin(place, name, input)?;
        }
        Ok(source)
    }

    fn begin(
        &mut self,
        place: usize,
        name: DisplayText,
        input: Result<StreamOrigin, DisplayText>,
    ) -> Result<(), SourceError> {
        let state = StreamState {
            shift: Arc::default(),
            pace: StreamPace::default(),
            regularity: Regularity::default(),
            is_idle: Arc::new(AtomicBool::new(true)),
        };
        let input = match input {
            Ok(StreamOrigin::Stored(path, span)) => {
                if let (Some(span), Some(origin)) = (&span, self.origin.get()) {
                    let first = (span.first.at, span.first.wall);
                    let _ = state.shift.set(TimeShift::of(*origin, first, None).0);
                }
                Some(FeedInput::Stored(path))
            }
            Ok(StreamOrigin::Stream(file)) => Some(FeedInput::Stream(file, Arc::clone(&state.is_idle))),
            Err(why) => {
                self.inbox.ended(place, StreamEnd::Refused(why));
                None
            }
        };
        let feed = self.feed(place, name, &state);
        self.streams.push(state);
        input.map_or(Ok(()), |input| feed.start(input)).map_err(|error| no_thread(&error))
    }

    fn feed(&self, place: usize, name: DisplayText, state: &StreamState) -> Feed {
        Feed {
            place,
            host: self.merger.as_ref().and_then(|_| HostNumber::at(place)),
            name,
            origin: Arc::clone(&self.origin),
            shift: Arc::clone(&state.shift),
            inbox: Arc::clone(&self.inbox),
        }
    }

    /// Where what comes is put.
    pub const fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The hosts are known that will be known soon: takes their names.
    pub fn take_names(&mut self) {
        let inbox = Arc::clone(&self.inbox);
        take_news(&mut self.statuses, &inbox.lock());
        let names: Vec<&str> = self.statuses.all().iter().map(|status| status.name.as_str()).collect();
        self.info.host = DisplayText::new(&names.join(", "));
    }

    /// The next sample of files that are read by their own time: those that are due together.
    fn next_stored(&mut self) -> Result<(Vec<(usize, Arrival)>, Pace), SourceError> {
        let inbox = Arc::clone(&self.inbox);
        let mut held = inbox.lock();
        let waits = |held: &[Arrivals]| held.iter().any(|stream| stream.waiting.is_empty() && stream.end.is_none());
        while waits(&held) {
            held = inbox.wait(held, PATIENCE_READING);
        }
        let next_at = |stream: &Arrivals| stream.waiting.front().map(|arrival| arrival.sample.delta.at);
        let Some(first) = held.iter().filter_map(next_at).min() else {
            return Err(SourceError::Failed("the recordings have ended; replay them again to see more".into()));
        };
        let mut taken = Vec::new();
        for (place, stream) in held.iter_mut().enumerate() {
            if next_at(stream).is_some_and(|at| at.since(first) <= TOGETHER) {
                taken.extend(stream.waiting.pop_front().map(|arrival| (place, arrival)));
            }
        }
        inbox.taken();
        while waits(&held) {
            held = inbox.wait(held, PATIENCE_READING);
        }
        let next = held.iter().filter_map(next_at).min();
        take_news(&mut self.statuses, &held);
        Ok((taken, next.map_or(Pace::Last, |next| Pace::After(next.since(first).clamp(GAP_MIN, GAP_MAX)))))
    }

    /// What has come of streams, or what is to be said of them.
    fn next_step(&mut self) -> StreamStep {
        let inbox = Arc::clone(&self.inbox);
        let begun = Instant::now();
        let mut held = inbox.lock();
        loop {
            let now = clock::since_boot();
            let (due, next) = self.due(&held, now);
            if !due.is_empty() && self.may_merge(&held) {
                let mut taken = Vec::new();
                for place in due {
                    taken.extend(held[place].waiting.pop_front().map(|arrival| (place, arrival)));
                }
                self.note_shown(&taken, &held);
                inbox.taken();
                return StreamStep::Merge(taken);
            }
            take_news(&mut self.statuses, &held);
            self.note_late(&held, now);
            if held.iter().all(Arrivals::are_over) {
                return StreamStep::End;
            }
            if self.merged_at.is_some() && self.statuses.take_changed() {
                return StreamStep::Say;
            }
            let is_reading = self.streams.iter().zip(held.iter()).any(|(state, stream)| {
                stream.end.is_none() && stream.waiting.is_empty() && !state.is_idle.load(Ordering::Acquire)
            });
            let patience = if is_reading { PATIENCE_READING } else { PATIENCE };
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return StreamStep::Nothing;
            }
            let until_due = next.map_or(left, |next| next.since(now).max(Duration::from_millis(1)));
            held = inbox.wait(held, left.min(until_due).min(MERGE_EVERY_MIN));
        }
    }

    /// The streams of which a sample is due at `now`, and when the next one is.
    fn due(&self, held: &[Arrivals], now: Timestamp) -> (Vec<usize>, Option<Timestamp>) {
        let (mut due, mut next) = (Vec::new(), None);
        for (place, (state, stream)) in self.streams.iter().zip(held).enumerate() {
            let Some(first) = stream.waiting.front() else { continue };
            let at = if self.is_played { state.pace.due(first.at, first.arrived) } else { Timestamp::default() };
            if at <= now {
                due.push(place);
            } else {
                next = Some(next.map_or(at, |next: Timestamp| next.min(at)));
            }
        }
        (due, next)
    }

    /// Whether it is time to merge: not before all hosts have had the time to send their first sample, and then as often as the
    /// fastest sends, so that hosts which send at different moments make one sample. What piles up is merged at once.
    fn may_merge(&mut self, held: &[Arrivals]) -> bool {
        if self.merger.is_none() {
            self.first_came.get_or_insert_with(Instant::now);
            return true;
        }
        let Some(merged_at) = self.merged_at else {
            let first_came = *self.first_came.get_or_insert_with(Instant::now);
            let is_there = |stream: &Arrivals| !stream.waiting.is_empty() || stream.end.is_some();
            return held.iter().all(is_there) || first_came.elapsed() >= FIRST_PATIENCE;
        };
        let intervals =
            self.streams.iter().map(|state| state.regularity.interval()).filter(|interval| !interval.is_zero());
        let every = intervals.min().map_or(MERGE_EVERY_MIN, |interval| interval * 9 / 10);
        let piles_up = held.iter().any(|stream| stream.waiting.len() > 1) && !self.is_played;
        piles_up || merged_at.elapsed() >= every.clamp(MERGE_EVERY_MIN, MERGE_EVERY_MAX)
    }

    fn note_shown(&mut self, taken: &[(usize, Arrival)], held: &[Arrivals]) {
        take_news(&mut self.statuses, held);
        for (place, arrival) in taken {
            let (state, stream) = (&mut self.streams[*place], &held[*place]);
            state.pace.show(arrival.at, arrival.arrived, stream.waiting.is_empty());
            state.regularity.came(arrival.arrived);
        }
    }

    fn note_late(&mut self, held: &[Arrivals], now: Timestamp) {
        for (place, (state, stream)) in self.streams.iter().zip(held).enumerate() {
            if stream.waiting.is_empty() && stream.end.is_none() && state.regularity.is_late(now) {
                self.statuses.is_late(place);
            }
        }
    }

    /// One sample of `taken`; of now, where nothing was taken and something is to be said.
    fn merged(&mut self, taken: Vec<(usize, Arrival)>) -> Delta {
        for (place, arrival) in &taken {
            self.statuses.came(*place, arrival);
        }
        self.statuses.take_changed();
        self.merged_at = Some(Instant::now());
        let origin = self.origin.get().copied();
        let statuses = self.statuses.all();
        let Some(merger) = &mut self.merger else {
            let only = taken.into_iter().next().map(|(_, arrival)| arrival);
            return Delta { host_statuses: Arc::new(statuses.to_vec()), ..self.alone.next(only) };
        };
        let now = (taken.is_empty() && !self.are_stored)
            .then(|| origin.map(|origin| origin.moment(clock::now().1)))
            .flatten();
        let of_host = |(place, arrival): (usize, Arrival)| Some((HostNumber::at(place)?, arrival.sample));
        let samples: Vec<(HostNumber, HostSample)> = taken.into_iter().filter_map(of_host).collect();
        merger.merge(samples, statuses, now, |at| origin.map(|origin| origin.wall(at)).unwrap_or_default())
    }
}

fn no_thread(error: &std::io::Error) -> SourceError {
    SourceError::Failed(DisplayText::new(&format!("cannot start a thread ({error}); show fewer hosts at once")))
}

/// The names of hosts whose header has come, and the ends of streams of which nothing waits.
fn take_news(statuses: &mut HostStatuses, held: &[Arrivals]) {
    for (place, stream) in held.iter().enumerate() {
        if let Some(host) = &stream.host {
            statuses.name(place, host);
        }
        if let (true, Some(end)) = (stream.are_over(), &stream.end) {
            statuses.ended(place, end);
        }
    }
}

impl Source for MergedSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn sample(&mut self, _needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        let (delta, pace) = if self.are_stored {
            let (taken, pace) = self.next_stored()?;
            (self.merged(taken), pace)
        } else {
            match self.next_step() {
                StreamStep::Merge(taken) => (self.merged(taken), Pace::AsItComes),
                StreamStep::Say => (self.merged(Vec::new()), Pace::AsItComes),
                StreamStep::Nothing => return Ok(Pace::NotYet),
                StreamStep::End if self.is_over || self.merged_at.is_none() => {
                    return Err(SourceError::Failed("the streams have ended; start them again to see more".into()));
                }
                StreamStep::End => {
                    self.is_over = true;
                    (self.merged(Vec::new()), Pace::Last)
                }
            }
        };
        let mut snapshot = sink.begin(delta.at, delta.wall);
        snapshot.coverage.clone_from(&delta.coverage);
        snapshot.tracked = Some(Box::new(delta));
        sink.finish(snapshot);
        Ok(pace)
    }

    fn show_on_screen(&mut self) -> Option<MadeUpMachine> {
        self.is_played = true;
        None
    }
}

impl Drop for MergedSource {
    fn drop(&mut self) {
        self.inbox.close();
    }
}
