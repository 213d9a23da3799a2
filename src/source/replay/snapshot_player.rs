//! Plays recordings of format 1 to 5, which hold samples as the source gave them. They have no index: whoever goes back reads again
//! from the begin.

use std::cell::OnceCell;
use std::io::BufReader;
use std::path::PathBuf;

use crate::model::recorded::{RecordedMoment, RecordedSpan};
use crate::model::snapshot::Snapshot;
use crate::source::guarded;
use crate::source::record::format::{RecordingFault, SampleHead};
use crate::source::record::older::decode::SampleDecoder;
use crate::source::replay::frames::RecordingFrames;
use crate::source::replay::segments::RecordingInput;

/// A recording that is being played.
pub struct SnapshotPlayer {
    frames: RecordingFrames<RecordingInput>,
    decoder: SampleDecoder,
    /// The file, if it can be read again.
    path: Option<PathBuf>,
    span: OnceCell<Option<RecordedSpan>>,
}

impl SnapshotPlayer {
    /// Plays `frames`, of the file at `path` if there is one.
    pub fn new(frames: RecordingFrames<RecordingInput>, path: Option<PathBuf>) -> Self {
        Self { decoder: SampleDecoder::of(frames.version()), frames, path, span: OnceCell::new() }
    }

    /// Reads the next sample into `snapshot`; false at the end.
    pub fn read(&mut self, snapshot: &mut Snapshot) -> Result<bool, RecordingFault> {
        let Some(payload) = self.frames.next_sample()? else { return Ok(false) };
        self.decoder.decode(payload, snapshot)?;
        Ok(true)
    }

    /// The time that can be gone to, found by one pass over the heads of the samples; `None` for a stream.
    pub fn span(&self) -> Option<RecordedSpan> {
        self.span.get_or_init(|| self.reopen().and_then(look_through)).clone()
    }

    /// Goes to the begin, from which every moment can be read; false where that is not possible.
    pub fn seek(&mut self) -> bool {
        let Some(frames) = self.reopen() else { return false };
        (self.decoder, self.frames) = (SampleDecoder::of(frames.version()), frames);
        true
    }

    fn reopen(&self) -> Option<RecordingFrames<RecordingInput>> {
        let (file, _) = guarded::open(self.path.as_ref()?).ok()?;
        let input: RecordingInput = Box::new(BufReader::new(file));
        RecordingFrames::open(input).ok().map(|(frames, _)| frames)
    }

    /// Where the frame read last begins, in bytes.
    pub fn begin(&self) -> u64 {
        self.frames.begin()
    }
}

fn look_through(mut frames: RecordingFrames<RecordingInput>) -> Option<RecordedSpan> {
    let mut span: Option<RecordedSpan> = None;
    while let Ok(Some(payload)) = frames.next_sample() {
        let Ok((head, _)) = postcard::take_from_bytes::<SampleHead>(payload) else { break };
        let moment = RecordedMoment { at: head.at, wall: head.wall };
        let first = span.as_ref().map_or(moment, |span| span.first);
        let samples = span.map_or(0, |span| span.samples) + 1;
        span = Some(RecordedSpan { first, last: moment, samples, marks: Vec::new() });
    }
    span
}
