//! Plays recordings: the same snapshots, at the pace they were taken. A recording is untrusted: what is wrong with it
//! ends the replay there, and what was good before is kept and shown.

mod frames;

use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use crate::model::sink::SampleSink;
use crate::model::snapshot::{Abilities, Needs, Snapshot, SourceInfo, SourceKind};
use crate::model::text::DisplayText;
use crate::source::guarded::{self, Unusable};
use crate::source::record::decode::SampleDecoder;
use crate::source::record::file;
use crate::source::record::format::{Header, RecordingFault, VERSION};
use crate::source::replay::frames::{NotPlayable, RecordingFrames};
use crate::source::{Pace, Source, SourceError};

/// The longest pause between two samples: nobody waits through a night that was recorded every hour.
pub const GAP_MAX: Duration = Duration::from_secs(10);

/// The shortest pause: a file cannot make conntop do nothing but play it.
pub const GAP_MIN: Duration = Duration::from_millis(20);

/// Where the bytes of a recording come from.
type RecordingInput = Box<dyn Read + Send>;

/// A recording that is being played.
pub struct Replay {
    info: SourceInfo,
    recorded_from: SourceKind,
    name: DisplayText,
    frames: RecordingFrames<RecordingInput>,
    decoder: SampleDecoder,
    /// The sample to be shown next: one is read ahead, so that the last one is known to be the last.
    ahead: Snapshot,
    has_ahead: bool,
    samples: u32,
}

impl Replay {
    /// Opens the recording at `path` and reads its first sample.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let name = file::shown(path);
        match guarded::open(path) {
            Ok((file, _)) => Self::read(Box::new(BufReader::new(file)), name),
            Err(Unusable::Missing) => Err(failed(&format!("there is no file {name}; {GIVE_RECORDING}"))),
            Err(Unusable::Refused(error)) => {
                Err(failed(&format!("cannot read {name}: {}; {GIVE_RECORDING}", error.kind())))
            }
            Err(why) => Err(failed(&format!("{name} {why}; {GIVE_RECORDING}"))),
        }
    }

    /// Plays what `input` holds; `name` is for messages.
    pub fn read(input: RecordingInput, name: DisplayText) -> Result<Self, SourceError> {
        let (frames, header) = RecordingFrames::open(input).map_err(|why| not_playable(&name, &why))?;
        let Header { host, kind } = header;
        let mut replay = Self {
            info: SourceInfo { kind: SourceKind::Replay, host, abilities: Abilities::default() },
            recorded_from: kind,
            name,
            decoder: SampleDecoder::of(frames.version()),
            frames,
            ahead: Snapshot::default(),
            has_ahead: false,
            samples: 0,
        };
        match replay.read_ahead() {
            Ok(()) if replay.has_ahead => Ok(replay),
            Ok(()) => Err(failed(&format!("{} holds no sample; record again, and longer", replay.name))),
            Err(fault) => {
                let begin = replay.frames.begin();
                Err(failed(&format!("{} is damaged at byte {begin}: {fault}; record again", replay.name)))
            }
        }
    }

    /// The source that the recording was made from.
    pub fn recorded_from(&self) -> SourceKind {
        self.recorded_from
    }

    fn read_ahead(&mut self) -> Result<(), RecordingFault> {
        self.has_ahead = false;
        if let Some(payload) = self.frames.next_sample()? {
            self.decoder.decode(payload, &mut self.ahead)?;
            self.has_ahead = true;
            self.samples += 1;
        }
        Ok(())
    }

    /// What is said with the last good sample.
    fn damage(&self, fault: &RecordingFault) -> DisplayText {
        let (name, begin, samples) = (&self.name, self.frames.begin(), self.samples);
        DisplayText::new(&format!("{name} ends at byte {begin} after {samples} good samples: {fault}"))
    }
}

impl Source for Replay {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// The next sample of the recording. It holds what was needed when it was recorded; `needs` changes nothing.
    fn sample(&mut self, _needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        if !self.has_ahead {
            return Err(failed(&format!("{} has ended; replay it again to see more", self.name)));
        }
        let memory = sink.begin(self.ahead.at, self.ahead.wall);
        let mut snapshot = std::mem::replace(&mut self.ahead, memory);
        let pace = match self.read_ahead() {
            Ok(()) if self.has_ahead => Pace::After(self.ahead.at.since(snapshot.at).clamp(GAP_MIN, GAP_MAX)),
            Ok(()) => Pace::Last,
            Err(fault) => {
                snapshot.coverage.degraded.push(self.damage(&fault));
                Pace::Last
            }
        };
        sink.finish(snapshot);
        Ok(pace)
    }
}

const GIVE_RECORDING: &str = "give the name of a file that conntop record wrote";

fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::new(sentence))
}

fn not_playable(name: &DisplayText, why: &NotPlayable) -> SourceError {
    failed(&match why {
        NotPlayable::Foreign => format!("{name} is no recording; {GIVE_RECORDING}"),
        NotPlayable::Newer(version) => format!(
            "{name} has recording format {version}, this conntop reads up to {VERSION}; replay it with a newer conntop"
        ),
        NotPlayable::Header(fault) => format!("the header of {name} is damaged: {fault}; record again"),
    })
}

#[cfg(test)]
mod tests;
