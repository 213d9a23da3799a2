//! A recording that ends at a moment: whoever reads it to its end learns what was known then.

use std::time::Duration;

use crate::model::recorded::RecordedSpan;
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Needs, Snapshot, SourceInfo};
use crate::model::time::Timestamp;
use crate::source::{Pace, Source, SourceError};

/// Plays a recording up to a moment.
pub struct RecordingUntil {
    recording: Box<dyn Source>,
    end: Timestamp,
    /// The sample after the one at hand, which says whether that is the last.
    ahead: Option<(Snapshot, Pace)>,
}

impl RecordingUntil {
    /// `recording` up to its last sample at or before `end`, and `lead_in` before that, for what needs to have seen more than one
    /// moment.
    pub fn new(mut recording: Box<dyn Source>, end: Timestamp, lead_in: Duration) -> Result<Self, SourceError> {
        recording.seek(end.before(lead_in))?;
        Ok(Self { recording, end, ahead: None })
    }

    fn read(&mut self, needs: &Needs) -> Result<(Snapshot, Pace), SourceError> {
        let mut snapshot = Snapshot::default();
        let pace = self.recording.sample(needs, &mut snapshot)?;
        Ok((snapshot, pace))
    }
}

impl Source for RecordingUntil {
    fn info(&self) -> &SourceInfo {
        self.recording.info()
    }

    fn sample(&mut self, needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        let (snapshot, mut pace) = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.read(needs)?,
        };
        if pace != Pace::Last {
            let next = self.read(needs)?;
            if next.0.at > self.end {
                pace = Pace::Last;
            } else {
                self.ahead = Some(next);
            }
        }
        let _ = sink.begin(snapshot.at, snapshot.wall);
        sink.finish(snapshot);
        Ok(pace)
    }

    fn span(&self) -> Option<RecordedSpan> {
        self.recording.span()
    }
}
