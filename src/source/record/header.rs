//! The header of a recording.

use crate::model::snapshot::{SourceInfo, SourceKind};
use crate::model::text::DisplayText;
use crate::model::time::WallTime;
use crate::source::clock;
use crate::source::record::bytes::Relative;
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::{OlderHeader, RecordingFault};
use crate::source::record::relative::cases;

/// Who recorded, what, and which part of it this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The machine.
    pub host: DisplayText,
    /// The source that the samples came from.
    pub kind: SourceKind,
    /// The boot of the machine (`/proc/sys/kernel/random/boot_id`); empty where that is not known. Clocks of one boot go on from
    /// recording to recording.
    pub boot: DisplayText,
    /// The run of the recorder.
    pub run: RecorderRun,
    /// The number of the first sample in this run: recordings of one run are parts of one.
    pub sequence: u64,
}

/// One run of a recorder, which may write several files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecorderRun {
    /// When it began.
    pub begun: WallTime,
    /// A number that no other run has.
    pub number: u64,
}

impl RecorderRun {
    /// A run that begins at `begun`.
    pub fn new(begun: WallTime) -> Self {
        use std::hash::{BuildHasher, RandomState};
        // The only source of random numbers in the standard library.
        Self { begun, number: RandomState::new().hash_one(begun.0) }
    }
}

impl Header {
    /// A recording that begins now, of what `info` describes.
    pub fn of(info: &SourceInfo) -> Self {
        let is_live = matches!(info.kind, SourceKind::Linux | SourceKind::Procfs | SourceKind::Portable);
        let boot = if is_live { boot() } else { DisplayText::default() };
        Self::new(info, boot, RecorderRun::new(clock::now().1))
    }

    /// A recording of what `info` describes, on a machine that was booted as `boot`.
    pub fn new(info: &SourceInfo, boot: DisplayText, run: RecorderRun) -> Self {
        Self { host: info.host.clone(), kind: info.kind, boot, run, sequence: 0 }
    }

    /// Writes it.
    pub fn put(&self, out: &mut BytesOut) {
        out.structure(|fields| {
            let nothing = DisplayText::default();
            fields.put(0, &self.host, &nothing);
            fields.put(1, &self.kind, &SourceKind::Linux);
            fields.put(2, &self.boot, &nothing);
            fields.put(3, &self.run.begun, &WallTime(0));
            fields.put(4, &self.run.number, &0);
            fields.put(5, &self.sequence, &0);
        });
    }

    /// Reads it.
    pub fn take(bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let nothing = DisplayText::default();
        let mut fields = bytes.structure()?;
        Ok(Self {
            host: fields.take(0, &nothing)?,
            kind: fields.take(1, &SourceKind::Linux)?,
            boot: fields.take(2, &nothing)?,
            run: RecorderRun { begun: fields.take(3, &WallTime(0))?, number: fields.take(4, &0)? },
            sequence: fields.take(5, &0)?,
        })
    }
}

/// What the kernel calls this boot (`drivers/char/random.c`, `proc_do_uuid`); empty where it does not say.
fn boot() -> DisplayText {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    DisplayText::from_bytes(id.trim_ascii(), BOOT_LEN_MAX)
}

/// The length of a UUID.
const BOOT_LEN_MAX: usize = 36;

impl From<OlderHeader> for Header {
    fn from(OlderHeader { host, kind }: OlderHeader) -> Self {
        Self { host, kind, boot: DisplayText::default(), run: RecorderRun::default(), sequence: 0 }
    }
}

cases! {
    SourceKind: [
        SourceKind::Linux, SourceKind::Procfs, SourceKind::Portable, SourceKind::Replay, SourceKind::Synthetic,
    ];
}
