//! A recording that is read as it comes: each sample is handed on when it is there, none is read ahead.

use std::io::Read;

use crate::model::snapshot::Snapshot;
use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::record::format::RecordingFault;
use crate::source::replay::delta_player::DeltaPlayer;
use crate::source::replay::frames::RecordingFrames;
use crate::source::replay::segments::RecordingInput;
use crate::source::replay::snapshot_player::SnapshotPlayer;
use crate::source::replay::{Player, failed, not_playable};

/// A stream of samples.
pub struct FollowedRecording {
    player: Player,
    host: DisplayText,
    samples: u64,
}

impl FollowedRecording {
    /// Waits for the header; `name` is for messages.
    pub fn open(input: impl Read + Send + 'static, name: &DisplayText) -> Result<Self, SourceError> {
        let (frames, header) =
            RecordingFrames::open(Box::new(input) as RecordingInput).map_err(|why| not_playable(name, &why))?;
        let player = if frames.has_snapshots() {
            Player::Snapshots(Box::new(SnapshotPlayer::new(frames, None)))
        } else {
            let player = DeltaPlayer::of_stream(frames, &header);
            Player::Deltas(Box::new(
                player.map_err(|fault| failed(&format!("cannot read {name}: {fault}; record again")))?,
            ))
        };
        Ok(Self { player, host: header.host, samples: 0 })
    }

    /// The host that it is of.
    pub const fn host(&self) -> &DisplayText {
        &self.host
    }

    /// Waits for the next sample; `false` where the recorder ended as it should. An error says why there are no more.
    pub fn next(&mut self, snapshot: &mut Snapshot) -> Result<bool, DisplayText> {
        snapshot.clear();
        let read = match &mut self.player {
            Player::Snapshots(player) => player.read(snapshot),
            Player::Deltas(player) => player.read(snapshot),
        };
        match read {
            Ok(is_there) => {
                self.samples += u64::from(is_there);
                Ok(is_there)
            }
            Err(RecordingFault::Unfinished) => Err("the stream was cut off".into()),
            Err(RecordingFault::Cut) => Err("the stream was cut off in the middle of a sample".into()),
            Err(fault) => Err(DisplayText::new(&format!("its sample {} is damaged: {fault}", self.samples + 1))),
        }
    }
}
