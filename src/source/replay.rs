//! Plays recordings: the same snapshots, at the pace they were taken. A recording is untrusted: what is wrong with it
//! ends the replay there, and what was good before is kept and shown.

mod delta_player;
pub mod deltas;
pub mod followed;
pub mod frames;
mod index_reader;
pub mod segments;
mod snapshot_player;

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use crate::model::recorded::RecordedSpan;
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Abilities, Needs, Snapshot, SourceInfo, SourceKind};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::guarded::{self, Unusable};
use crate::source::record::file;
use crate::source::record::format::{RecordingFault, VERSION};
use crate::source::record::header::Header;
use crate::source::replay::delta_player::DeltaPlayer;
use crate::source::replay::frames::{NotPlayable, RecordingFrames};
use crate::source::replay::segments::{RecordingInput, Segment, Timeline};
use crate::source::replay::snapshot_player::SnapshotPlayer;
use crate::source::{Pace, Source, SourceError};

/// The longest pause between two samples: nobody waits through a night that was recorded every hour.
pub const GAP_MAX: Duration = Duration::from_secs(10);

/// The shortest pause: a file cannot make conntop do nothing but play it.
pub const GAP_MIN: Duration = Duration::from_millis(20);

/// A recording that is being played.
pub struct Replay {
    info: SourceInfo,
    recorded_from: SourceKind,
    name: DisplayText,
    player: Player,
    /// The sample to be shown next: one is read ahead, so that the last one is known to be the last.
    ahead: Snapshot,
    has_ahead: bool,
    /// How many samples were read from the begin on; `None` after it was gone elsewhere.
    samples: Option<u64>,
}

/// What plays the format that the recording has.
enum Player {
    Snapshots(Box<SnapshotPlayer>),
    Deltas(Box<DeltaPlayer>),
}

impl Replay {
    /// Opens the recording at `path`, a file or the directory of a flight recorder, and reads its first sample.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let name = file::shown(path);
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return Self::open_directory(path, name);
        }
        match guarded::open(path) {
            Ok((file, _)) => Self::start(Box::new(BufReader::new(file)), name, Some(path)),
            Err(Unusable::Missing) => Err(failed(&format!("there is no file {name}; {GIVE_RECORDING}"))),
            Err(Unusable::Refused(error)) => {
                Err(failed(&format!("cannot read {name}: {}; {GIVE_RECORDING}", error.kind())))
            }
            Err(why) => Err(failed(&format!("{name} {why}; {GIVE_RECORDING}"))),
        }
    }

    /// Plays what `input` holds, which cannot be gone back in; `name` is for messages.
    pub fn read(input: RecordingInput, name: DisplayText) -> Result<Self, SourceError> {
        Self::start(input, name, None)
    }

    /// The segments of a flight recorder.
    fn open_directory(path: &Path, name: DisplayText) -> Result<Self, SourceError> {
        let (found, others) = segments::in_directory(path)
            .map_err(|error| failed(&format!("cannot read {name}: {}; {GIVE_RECORDING}", error.kind())))?;
        let Some((_, header)) = found.first().cloned() else {
            let no_one = "is a directory without a recording of conntop record in it";
            return Err(failed(&format!("{name} {no_one}; {GIVE_RECORDING}")));
        };
        if let Some((_, other)) = found.iter().find(|(_, other)| other.host != header.host) {
            let both = format!("recordings of {} and of {}", header.host, other.host);
            return Err(failed(&format!("{name} has {both}; give the names of those of one machine")));
        }
        let segments = found.iter().filter_map(|(path, header)| Segment::of_file(path, header.clone()).ok());
        let timeline = Timeline::new(segments.collect());
        let note = (others > 0).then(|| {
            DisplayText::new(&format!(
                "files in {name} that are left out, as they are no recordings of format 6: {others}"
            ))
        });
        Self::of_timeline(timeline, &header, name, note)
    }

    fn of_timeline(
        timeline: Timeline,
        header: &Header,
        name: DisplayText,
        note: Option<DisplayText>,
    ) -> Result<Self, SourceError> {
        let player = DeltaPlayer::of_timeline(timeline)
            .map_err(|fault| failed(&format!("cannot read {name}: {fault}; record again")))?;
        let Some(player) = player else { return Err(holds_nothing(&name)) };
        let mut replay = Self::of(Player::Deltas(Box::new(player)), header, name)?;
        replay.ahead.note(note);
        Ok(replay)
    }

    fn start(input: RecordingInput, name: DisplayText, path: Option<&Path>) -> Result<Self, SourceError> {
        let (frames, header) = RecordingFrames::open(input).map_err(|why| not_playable(&name, &why))?;
        let player = if frames.has_snapshots() {
            Ok(Player::Snapshots(Box::new(SnapshotPlayer::new(frames, path.map(Path::to_owned)))))
        } else {
            match path {
                Some(path) => DeltaPlayer::of_file(frames, header.clone(), path.to_owned()),
                None => DeltaPlayer::of_stream(frames, &header),
            }
            .map(|player| Player::Deltas(Box::new(player)))
        };
        let player = player.map_err(|fault| failed(&format!("cannot read {name}: {fault}; record again")))?;
        Self::of(player, &header, name)
    }

    fn of(player: Player, header: &Header, name: DisplayText) -> Result<Self, SourceError> {
        let mut replay = Self {
            info: SourceInfo { kind: SourceKind::Replay, host: header.host.clone(), abilities: Abilities::default() },
            recorded_from: header.kind,
            name,
            player,
            ahead: Snapshot::default(),
            has_ahead: false,
            samples: Some(0),
        };
        match replay.read_ahead() {
            Ok(()) if replay.has_ahead => Ok(replay),
            Ok(()) => Err(holds_nothing(&replay.name)),
            Err(fault) => {
                let begin = replay.begin();
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
        self.has_ahead = match &mut self.player {
            Player::Snapshots(player) => player.read(&mut self.ahead)?,
            Player::Deltas(player) => player.read(&mut self.ahead)?,
        };
        if self.has_ahead {
            self.samples = self.samples.map(|samples| samples + 1);
        }
        Ok(())
    }

    fn begin(&self) -> u64 {
        match &self.player {
            Player::Snapshots(player) => player.begin(),
            Player::Deltas(player) => player.begin(),
        }
    }

    /// What is said with the last good sample.
    fn damage(&self, fault: &RecordingFault) -> DisplayText {
        let (name, begin) = (&self.name, self.begin());
        let after = self.samples.map(|samples| format!(" after {samples} good samples")).unwrap_or_default();
        DisplayText::new(&format!("{name} ends at byte {begin}{after}: {fault}"))
    }
}

impl Snapshot {
    /// Says one more thing that it does not show.
    fn note(&mut self, note: Option<DisplayText>) {
        let Some(note) = note else { return };
        if let Some(delta) = &mut self.tracked {
            deltas::add_note(delta, note.clone());
        }
        self.coverage.degraded.push(note);
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
                snapshot.note(Some(self.damage(&fault)));
                Pace::Last
            }
        };
        sink.finish(snapshot);
        Ok(pace)
    }

    fn span(&self) -> Option<RecordedSpan> {
        match &self.player {
            Player::Snapshots(player) => player.span(),
            Player::Deltas(player) => player.span(),
        }
    }

    /// Goes to the last key frame at or before `at`; in a recording of format 1 to 5, which has none, to its first sample.
    fn seek(&mut self, at: Timestamp) -> Result<(), SourceError> {
        let is_there = match &mut self.player {
            Player::Snapshots(player) => Ok(player.seek()),
            Player::Deltas(player) => player.seek(at),
        };
        self.samples = None;
        let read = is_there.and_then(|is_there| if is_there { self.read_ahead().map(|()| true) } else { Ok(false) });
        match read {
            Ok(true) if self.has_ahead => Ok(()),
            Ok(_) => Err(failed(&format!("{} has no past to go to; record it to a file first", self.name))),
            Err(fault) => Err(failed(&format!("{} cannot be read there: {fault}; go to another time", self.name))),
        }
    }
}

const GIVE_RECORDING: &str = "give the name of a file that conntop record wrote";

fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::new(sentence))
}

fn holds_nothing(name: &DisplayText) -> SourceError {
    failed(&format!("{name} holds no sample; record again, and longer"))
}

fn not_playable(name: &DisplayText, why: &NotPlayable) -> SourceError {
    failed(&match why {
        NotPlayable::Foreign => format!("{name} is no recording; {GIVE_RECORDING}"),
        NotPlayable::Newer(version) => format!(
            "{name} has recording format {version}, this conntop reads up to {VERSION}; replay it with a newer conntop"
        ),
        NotPlayable::Older(version) => format!("{name} has recording format {version}, which has to be a file here"),
        NotPlayable::Header(fault) => format!("the header of {name} is damaged: {fault}; record again"),
    })
}

#[cfg(test)]
mod tests;
