//! Plays recordings of format 6: from a stream, or from recordings of one timeline, in which it can go anywhere.

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::model::delta::Delta;
use crate::model::recorded::RecordedSpan;
use crate::model::snapshot::Snapshot;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::record::format::RecordingFault;
use crate::source::record::header::Header;
use crate::source::replay::deltas::{FrameDecoder, add_note};
use crate::source::replay::frames::RecordingFrames;
use crate::source::replay::segments::{RecordingInput, Segment, Timeline};

/// A recording that is being played.
pub struct DeltaPlayer {
    frames: RecordingFrames<RecordingInput>,
    decoder: FrameDecoder,
    place: PlayerPlace,
    /// What is to be said with the next sample.
    note: Option<DisplayText>,
}

/// What is played.
#[derive(Debug)]
enum PlayerPlace {
    /// What comes.
    Stream,
    /// One file, whose index is read when it is needed.
    File { path: PathBuf, header: Header, timeline: OnceCell<Option<Timeline>> },
    /// Recordings of one timeline, and which of them is at hand.
    Timeline { timeline: Timeline, nth: usize },
}

impl DeltaPlayer {
    /// Plays what comes.
    pub fn of_stream(frames: RecordingFrames<RecordingInput>, header: &Header) -> Result<Self, RecordingFault> {
        let decoder = FrameDecoder::new(header.run)?;
        Ok(Self { frames, decoder, place: PlayerPlace::Stream, note: None })
    }

    /// Plays the file at `path`, whose `frames` are open.
    pub fn of_file(
        frames: RecordingFrames<RecordingInput>,
        header: Header,
        path: PathBuf,
    ) -> Result<Self, RecordingFault> {
        let decoder = FrameDecoder::new(header.run)?;
        Ok(Self { frames, decoder, place: PlayerPlace::File { path, header, timeline: OnceCell::new() }, note: None })
    }

    /// Plays recordings of one timeline; `None` where there is no sample.
    pub fn of_timeline(timeline: Timeline) -> Result<Option<Self>, RecordingFault> {
        let Some(first) = timeline.segments.first() else { return Ok(None) };
        let frames = first.frames_at(first.begin())?;
        let mut decoder = FrameDecoder::new(first.header.run)?;
        decoder.begin_recording(first.header.run, first.shift);
        Ok(Some(Self { frames, decoder, place: PlayerPlace::Timeline { timeline, nth: 0 }, note: None }))
    }

    /// Reads the next sample into `snapshot`; false at the end.
    pub fn read(&mut self, snapshot: &mut Snapshot) -> Result<bool, RecordingFault> {
        loop {
            let fault = match self.decoder.next(&mut self.frames) {
                Ok(Some(sample)) => {
                    let mut delta = sample.delta;
                    self.note.take().into_iter().for_each(|note| add_note(&mut delta, note));
                    fill(snapshot, delta);
                    return Ok(true);
                }
                Ok(None) => None,
                Err(fault) => Some(fault),
            };
            match (self.next_segment(), fault) {
                (Some(next), fault) => self.go_on(next, fault.as_ref())?,
                (None, Some(fault)) => return Err(fault),
                (None, None) => return Ok(false),
            }
        }
    }

    /// The number of the recording after the one at hand.
    fn next_segment(&self) -> Option<usize> {
        match &self.place {
            PlayerPlace::Timeline { timeline, nth } => Some(nth + 1).filter(|next| *next < timeline.segments.len()),
            PlayerPlace::Stream | PlayerPlace::File { .. } => None,
        }
    }

    /// Goes on with the recording `next`, after a fault of the one before or its end.
    fn go_on(&mut self, next: usize, fault: Option<&RecordingFault>) -> Result<(), RecordingFault> {
        let PlayerPlace::Timeline { timeline, nth } = &mut self.place else { return Ok(()) };
        let name = timeline.segments.get(*nth).map(Segment::name);
        // A recorder that was killed leaves no end: nothing is missing.
        if let (Some(fault), Some(name)) = (fault.filter(|fault| !matches!(fault, RecordingFault::Unfinished)), name) {
            let begin = self.frames.begin();
            self.note = Some(DisplayText::new(&format!("{name} ends at byte {begin}: {fault}")));
        }
        let Some(segment) = timeline.segments.get(next) else { return Ok(()) };
        self.decoder.begin_recording(segment.header.run, segment.shift);
        *nth = next;
        self.frames = segment.frames_at(segment.begin())?;
        Ok(())
    }

    fn timeline(&self) -> Option<&Timeline> {
        match &self.place {
            PlayerPlace::Stream => None,
            PlayerPlace::File { path, header, timeline } => timeline
                .get_or_init(|| {
                    let segment = Segment::of_file(path, header.clone()).ok()?;
                    Some(Timeline::new(vec![segment]))
                })
                .as_ref(),
            PlayerPlace::Timeline { timeline, .. } => Some(timeline),
        }
    }

    /// The time that can be gone to; `None` for a stream.
    pub fn span(&self) -> Option<RecordedSpan> {
        self.timeline()?.span()
    }

    /// Goes to the last key frame at or before `at`; false where that is not possible.
    pub fn seek(&mut self, at: Timestamp) -> Result<bool, RecordingFault> {
        let found = self.timeline().and_then(|timeline| {
            let (nth, place) = timeline.find(at)?;
            let segment = timeline.segments.get(nth)?;
            Some((nth, segment.frames_at(place), segment.header.run, segment.shift))
        });
        let Some((to, frames, run, shift)) = found else { return Ok(false) };
        let frames = frames?;
        let mut decoder = FrameDecoder::new(run)?;
        decoder.begin_recording(run, shift);
        (self.frames, self.decoder, self.note) = (frames, decoder, None);
        if let PlayerPlace::Timeline { nth, .. } = &mut self.place {
            *nth = to;
        }
        Ok(true)
    }

    /// Where the frame read last begins, in bytes.
    pub fn begin(&self) -> u64 {
        self.frames.begin()
    }
}

/// A snapshot that brings `delta`, and what is read of it beside that.
fn fill(snapshot: &mut Snapshot, delta: Delta) {
    snapshot.clear();
    (snapshot.at, snapshot.wall, snapshot.took) = (delta.at, delta.wall, delta.took);
    snapshot.coverage.clone_from(&delta.coverage);
    snapshot.names.clone_from(&delta.names);
    snapshot.facts.clone_from(&delta.facts);
    snapshot.usage.clone_from(&delta.usage);
    snapshot.descriptors.clone_from(&delta.descriptors);
    snapshot.details.clone_from(&delta.details);
    snapshot.events.event_status.clone_from(&delta.event_status);
    snapshot.tracked = Some(Box::new(delta));
}
