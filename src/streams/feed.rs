//! The thread of one host: reads its recording or stream, tracks what older formats hold, and translates it.

use std::fs::File;
use std::io::{self, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::model::delta::Delta;
use crate::model::hosts::HostNumber;
use crate::model::snapshot::{Needs, Snapshot};
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::source::replay::Replay;
use crate::source::replay::followed::FollowedRecording;
use crate::source::{Pace, Source, SourceError, clock};
use crate::streams::ids::HostIds;
use crate::streams::inbox::{Arrival, Inbox, StreamEnd};
use crate::streams::input::StreamInput;
use crate::streams::merger::HostSample;
use crate::streams::timeline::{Origin, TimeShift};
use crate::streams::translate::HostTranslator;
use crate::tracker::{Tracker, Tracking};

/// What a thread reads, and who it is.
pub struct Feed {
    /// Its place among the streams.
    pub place: usize,
    /// How its host is told from others; `None` where it is alone and its numbers stay its own.
    pub host: Option<HostNumber>,
    /// What it is called in messages.
    pub name: DisplayText,
    /// Where the time of all hosts begins, once that is known.
    pub origin: Arc<OnceLock<Origin>>,
    /// How the moments of the host are shifted, once that is known.
    pub shift: Arc<OnceLock<TimeShift>>,
    /// Where what comes is put.
    pub inbox: Arc<Inbox>,
}

/// Where a thread begins to read.
pub enum FeedInput {
    /// A file or a directory.
    Stored(PathBuf),
    /// What comes; the flag says whether nothing is there.
    Stream(File, Arc<AtomicBool>),
}

impl Feed {
    /// Starts the thread.
    pub fn start(self, input: FeedInput) -> io::Result<()> {
        thread::Builder::new().name(format!("stream {}", self.place + 1)).spawn(move || {
            let (place, inbox) = (self.place, Arc::clone(&self.inbox));
            let idle = if let FeedInput::Stream(_, idle) = &input { Some(Arc::clone(idle)) } else { None };
            // Whatever is wrong with one stream harms no other.
            let end = catch_unwind(AssertUnwindSafe(|| self.read(input))).unwrap_or_else(|_| {
                StreamEnd::Ended("reading it broke off, which is a fault of conntop; please report it".into())
            });
            inbox.ended(place, end);
            if let Some(idle) = idle {
                idle.store(true, Ordering::Release);
            }
        })?;
        Ok(())
    }

    fn read(self, input: FeedInput) -> StreamEnd {
        let mut arrivals = ArrivalMaker { feed: self, translator: None, tracker: Tracker::new() };
        let read = match input {
            FeedInput::Stored(path) => arrivals.read_stored(&path),
            FeedInput::Stream(file, idle) => arrivals.read_stream(file, idle),
        };
        read.unwrap_or_else(|error| StreamEnd::Refused(DisplayText::new(&error.to_string())))
    }
}

/// Makes arrivals of what is read.
struct ArrivalMaker {
    feed: Feed,
    translator: Option<HostTranslator>,
    tracker: Tracker,
}

impl ArrivalMaker {
    /// Reads a file to its end; why there is no more.
    fn read_stored(&mut self, path: &std::path::Path) -> Result<StreamEnd, SourceError> {
        let mut source = Replay::open(path)?;
        self.feed.inbox.opened(self.feed.place, source.info().host.clone());
        let (needs, mut snapshot) = (Needs::default(), Snapshot::default());
        let mut known_degraded = Vec::new();
        loop {
            let pace = source.sample(&needs, &mut Tracking { tracker: &mut self.tracker, snapshot: &mut snapshot })?;
            let damage = snapshot.coverage.degraded.last().filter(|last| !known_degraded.contains(*last)).cloned();
            known_degraded.clone_from(&snapshot.coverage.degraded);
            let delta = self.tracker.finish(&mut snapshot);
            if !self.put(delta, None) {
                return Ok(StreamEnd::AtEnd);
            }
            if pace == Pace::Last {
                return Ok(damage.map_or(StreamEnd::AtEnd, StreamEnd::Ended));
            }
        }
    }

    /// Reads a stream as it comes; why there is no more.
    fn read_stream(&mut self, file: File, idle: Arc<AtomicBool>) -> Result<StreamEnd, SourceError> {
        let input = StreamInput::new(file, Arc::clone(self.feed.inbox.is_wanted()), idle);
        let mut stream = FollowedRecording::open(BufReader::new(input), &self.feed.name)?;
        self.feed.inbox.opened(self.feed.place, stream.host().clone());
        let mut snapshot = Snapshot::default();
        loop {
            match stream.next(&mut snapshot) {
                Ok(true) => {}
                Ok(false) => return Ok(StreamEnd::Ended("its recorder ended".into())),
                Err(why) => return Ok(StreamEnd::Ended(why)),
            }
            let delta = self.tracker.finish(&mut snapshot);
            if !self.put(delta, Some(clock::now())) {
                return Ok(StreamEnd::AtEnd);
            }
        }
    }

    /// Hands on what the host told, and when it came if that is live; `false` once nobody wants more.
    fn put(&mut self, delta: Delta, arrived: Option<(Timestamp, WallTime)>) -> bool {
        let (at, wall) = (delta.at, delta.wall);
        let arrived_wall = arrived.map(|(_, wall)| wall);
        let origin = *self.feed.origin.get_or_init(|| Origin::before(arrived_wall.unwrap_or(wall)));
        let (shift, clock_ahead_ms) = TimeShift::of(origin, (at, wall), arrived_wall);
        let shift =
            *self.feed.shift.get_or_init(|| if self.feed.host.is_some() { shift } else { TimeShift::default() });
        if let (None, Some(host)) = (&self.translator, self.feed.host) {
            self.translator = Some(HostTranslator::new(HostIds::new(host), shift));
        }
        let sample = match &mut self.translator {
            Some(translator) => {
                let delta = translator.delta(delta);
                HostSample { delta, numbers: Arc::clone(translator.ids().numbers()) }
            }
            None => HostSample { delta, numbers: Arc::default() },
        };
        let arrived = arrived.map_or(sample.delta.at, |(arrived, _)| arrived);
        self.feed.inbox.put(self.feed.place, Arrival { sample, at, wall, arrived, clock_ahead_ms })
    }
}
