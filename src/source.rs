//! Where snapshots come from: one trait, several implementations, chosen once when the program starts.
//!
//! A source takes one sample at a time, on the thread that calls it, and pushes it into a [`SampleSink`], which lends the memory
//! for it. A missing permission or a vanished process is data ([`Coverage`](crate::model::coverage::Coverage)), not an error; an error means that
//! no sample could be taken at all.

pub mod clock;
pub mod descriptors;
pub mod flight_recorder;
pub mod guarded;
pub mod machine;
pub mod portable;
pub mod record;
pub mod recording_until;
pub mod replay;
pub mod retries;
pub mod services;
pub mod synthetic;
pub mod usage;
pub mod users;

#[cfg(target_os = "linux")]
pub mod linux;

use std::path::PathBuf;
use std::time::Duration;

pub use crate::model::recorded::{MarkSeverity, RecordedMark, RecordedMoment, RecordedSpan};
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Needs, SourceInfo};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::synthetic::actions::MadeUpMachine;

/// Takes samples.
pub trait Source: Send {
    /// What this source is; the same for its whole life.
    fn info(&self) -> &SourceInfo;

    /// Takes a sample of now and brings it to `sink`, to its end or not at all.
    ///
    /// After an error `sink` was not told of an end, and the next call may succeed.
    fn sample(&mut self, needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError>;

    /// Whether this source can take partial samples of what `needs` ask for. Who plans samples has to know before it asks
    /// for one: where it cannot, every sample is a full one, and is announced as such.
    fn has_parts(&self, _needs: &Needs) -> bool {
        false
    }

    /// The screen is to show this source. One that is made up starts with a past then: samples of it come at once
    /// ([`Pace::After`] no time), before the first of now. It can be acted on as well; the answer is how.
    fn show_on_screen(&mut self) -> Option<MadeUpMachine> {
        None
    }

    /// From now on samples carry what the kernel tells between them, as far as it may be heard: see
    /// [`Events`](crate::model::event::Events). With `trace`, from the second sample on also of every change of state. No part
    /// of a request: it begins once, before the first sample, and goes on between them.
    fn listen(&mut self, _trace: bool) {}

    /// The time that a recording covers; `None` for a source that has only now, or cannot go back (a stream).
    fn span(&self) -> Option<RecordedSpan> {
        None
    }

    /// Goes to the last moment at or before `at` from which the recording can be read. The next sample is that of this moment and
    /// lists every socket; who compares samples starts anew. Those that follow lead to `at`.
    ///
    /// Fails where there is no [`Self::span`], or what is recorded there cannot be read.
    fn seek(&mut self, _at: Timestamp) -> Result<(), SourceError> {
        Err(SourceError::Failed("this source has no past to go to; record it first, with conntop record".into()))
    }
}

/// When the next sample is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After the interval the user chose.
    Interval,
    /// After this time: a recording keeps its own.
    After(Duration),
    /// Never: that was the last one of a recording.
    Last,
    /// When it comes, which is waited for: it is asked for at once. A stream has no pace of its own.
    AsItComes,
    /// It has not come yet, and `sink` was told of no sample: it is asked for again at once.
    NotYet,
}

/// Why no sample could be taken, as one sentence that says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The user asked for something that does not exist; exit code 2.
    #[error("{0}")]
    Usage(DisplayText),
    /// The system refused or the data is bad; exit code 1.
    #[error("{0}")]
    Failed(DisplayText),
}

/// Which source the user wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The best this system has; falls back, and says so in the coverage.
    #[default]
    Auto,
    /// `sock_diag`, or an error.
    Linux,
    /// `/proc/net`, or an error.
    Procfs,
    /// netstat2 and sysinfo.
    Portable,
    /// Made up from this seed.
    Synthetic {
        /// The same seed gives the same life.
        seed: u64,
    },
    /// A recording, or a stream of one.
    Replay {
        /// The file.
        path: PathBuf,
    },
    /// Several of them, shown together.
    Replays {
        /// The files.
        paths: Vec<PathBuf>,
    },
}

impl Choice {
    /// The source that `--source` names: `auto`, `linux`, `procfs`, `portable`, `synthetic[:SEED]` or
    /// `replay:FILE`.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if let Some(path) = text.strip_prefix("replay:") {
            return Ok(Self::Replay { path: PathBuf::from(path) });
        }
        let seed = text.strip_prefix("synthetic:").map(str::parse);
        Ok(match (text, seed) {
            ("auto", _) => Self::Auto,
            ("linux", _) => Self::Linux,
            ("procfs", _) => Self::Procfs,
            ("portable", _) => Self::Portable,
            ("synthetic", _) => Self::Synthetic { seed: SEED_DEFAULT },
            (_, Some(Ok(seed))) => Self::Synthetic { seed },
            (_, Some(Err(_))) => {
                return Err(usage(&format!("bad seed in '{text}'; write a whole number, as in --source synthetic:7")));
            }
            _ => {
                let known = "auto, linux, procfs, portable, synthetic[:SEED] and replay:FILE";
                return Err(usage(&format!("unknown source '{text}'; there are {known}")));
            }
        })
    }
}

/// The life that `--source synthetic` shows if no seed is given.
const SEED_DEFAULT: u64 = 1;

/// Opens the source of `choice`.
pub fn open(choice: &Choice) -> Result<Box<dyn Source>, SourceError> {
    match choice {
        Choice::Auto => open_auto(),
        Choice::Linux | Choice::Procfs => open_linux(choice),
        Choice::Portable => Ok(Box::new(portable::PortableSource::open()?)),
        Choice::Synthetic { seed } => Ok(Box::new(synthetic::Synthetic::new(*seed))),
        Choice::Replay { path } => Ok(Box::new(replay::Replay::open(path)?)),
        // They are tracked before they are one source: see `streams`.
        Choice::Replays { .. } => Err(usage("recordings of several hosts are shown by list, check, watch and replay")),
    }
}

#[cfg(target_os = "linux")]
fn open_auto() -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(linux::LinuxSource::open()?))
}

#[cfg(not(target_os = "linux"))]
fn open_auto() -> Result<Box<dyn Source>, SourceError> {
    open(&Choice::Portable)
}

#[cfg(target_os = "linux")]
fn open_linux(choice: &Choice) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(if *choice == Choice::Procfs {
        linux::LinuxSource::procfs()?
    } else {
        linux::LinuxSource::sock_diag()?
    }))
}

#[cfg(not(target_os = "linux"))]
fn open_linux(_: &Choice) -> Result<Box<dyn Source>, SourceError> {
    Err(usage("sources linux and procfs exist on Linux only; use --source portable"))
}

fn usage(sentence: &str) -> SourceError {
    SourceError::Usage(DisplayText::new(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::SourceKind;

    #[test]
    fn sources_are_chosen_by_name() {
        let parse = |text| Choice::parse(text).ok();
        assert_eq!(parse("auto"), Some(Choice::Auto));
        assert_eq!(parse("linux"), Some(Choice::Linux));
        assert_eq!(parse("procfs"), Some(Choice::Procfs));
        assert_eq!(parse("portable"), Some(Choice::Portable));
        assert_eq!(parse("synthetic"), Some(Choice::Synthetic { seed: SEED_DEFAULT }));
        assert_eq!(parse("synthetic:42"), Some(Choice::Synthetic { seed: 42 }));
        assert_eq!(parse("replay:a:b"), Some(Choice::Replay { path: PathBuf::from("a:b") }));
    }

    #[test]
    fn an_unknown_source_is_answered_with_those_there_are() {
        let error = |text| match Choice::parse(text) {
            Err(SourceError::Usage(sentence)) => sentence.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            error("netlink"),
            "unknown source 'netlink'; there are auto, linux, procfs, portable, synthetic[:SEED] and replay:FILE"
        );
        assert!(error("synthetic:x").contains("synthetic:7"));
        assert!(error("\u{1b}[2J").contains('␛'));
    }

    #[test]
    fn every_choice_opens_the_source_it_names() {
        let kind = |text| open(&Choice::parse(text).expect("known")).map(|source| source.info().kind).ok();
        assert_eq!(kind("portable"), Some(SourceKind::Portable));
        assert_eq!(kind("synthetic:7"), Some(SourceKind::Synthetic));
        let missing = open(&Choice::Replay { path: PathBuf::from("/nonexistent") });
        assert!(matches!(missing, Err(SourceError::Failed(_))));
        if cfg!(target_os = "linux") {
            assert_eq!(kind("procfs"), Some(SourceKind::Procfs));
        }
    }
}
