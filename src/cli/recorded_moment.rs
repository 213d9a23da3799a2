//! `--at TIME`: a command looks at a moment of a recording, not at its end.

use std::time::Duration;

use clap::Args;

use crate::cli::Failure;
use crate::cli::global::GlobalOptions;
use crate::model::recorded::{LEAD_IN, RecordedSpan};
use crate::model::time::Timestamp;
use crate::runtime;
use crate::source::recording_until::RecordingUntil;
use crate::source::{Choice, Source};

/// Which moment of a recording.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct MomentOption {
    /// With --source replay:FILE, look at this time: 14:05, 14:05:30, '2026-01-31 14:05', -5m before its end, +90s after its begin
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
}

impl MomentOption {
    /// Opens the source that was asked for; a recording ends at the moment.
    pub(in crate::cli) fn open(&self, global: &GlobalOptions) -> Result<Box<dyn Source>, Failure> {
        self.open_with(global, Duration::ZERO)
    }

    /// The same, with a quarter of an hour before the moment.
    pub(in crate::cli) fn open_with_lead_in(&self, global: &GlobalOptions) -> Result<Box<dyn Source>, Failure> {
        self.open_with(global, LEAD_IN)
    }

    fn open_with(&self, global: &GlobalOptions, lead_in: Duration) -> Result<Box<dyn Source>, Failure> {
        let Some(text) = &self.at else { return global.open() };
        let (recording, at) = find(text, global)?;
        Ok(Box::new(RecordingUntil::new(recording, at, lead_in)?))
    }

    /// Opens the source that was asked for, a recording a quarter of an hour before the moment, and gives the moment.
    pub(in crate::cli) fn open_from(
        &self,
        global: &GlobalOptions,
    ) -> Result<(Box<dyn Source>, Option<Timestamp>), Failure> {
        let Some(text) = &self.at else { return Ok((global.open()?, None)) };
        let (mut recording, at) = find(text, global)?;
        recording.seek(at.before(LEAD_IN))?;
        Ok((recording, Some(at)))
    }
}

/// The recording that was asked for, and the moment of it that `text` names.
fn find(text: &str, global: &GlobalOptions) -> Result<(Box<dyn Source>, Timestamp), Failure> {
    if !matches!(global.choice()?, Choice::Replay { .. }) {
        let sentence = "--at names a moment of a recording; name the recording with --source replay:FILE";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    if !RecordedSpan::is_time(text)
        && let Err(why) = RecordedSpan::default().parse(text, 0)
    {
        return Err(Failure::Usage(why));
    }
    let recording = global.open()?;
    let nowhere = || Failure::Failed("this recording has no times to go to; leave out --at".to_owned());
    let span = recording.span().ok_or_else(nowhere)?;
    let at = named(&span, text).map_err(Failure::Failed)?;
    Ok((recording, at))
}

/// The moment of `span` that `text` names, in the time zone of this machine. An error is a sentence that says what there is.
pub(in crate::cli) fn named(span: &RecordedSpan, text: &str) -> Result<Timestamp, String> {
    let (offset, _) = runtime::utc_offset_seconds();
    span.parse(text, offset)
}
