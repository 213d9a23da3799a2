//! Where a recording goes: to a new file, to standard output, or into the directory of a flight recorder.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{Failure, output, say};
use crate::model::delta::Delta;
use crate::model::snapshot::SourceInfo;
use crate::model::units;
use crate::source::RecordedMark;
use crate::source::flight_recorder::limits::SegmentLimits;
use crate::source::flight_recorder::{FlightRecorder, RecorderDirectory};
use crate::source::record::Recorder;
use crate::source::record::format::RecordingFault;
use crate::source::record::header::Header;
use crate::source::record::sample_writer::SampleWriter;

/// The file name that means standard output.
const STDOUT: &str = "-";

/// Where a recording goes.
#[derive(Debug, PartialEq)]
pub(super) enum RecordingDestination {
    /// To a new file.
    File(PathBuf),
    /// To standard output.
    Stdout,
    /// Into a directory of fixed size.
    Directory(PathBuf, SegmentLimits),
}

impl RecordingDestination {
    /// What `path` and the options mean.
    pub(super) fn parse(path: &Path, keep: Option<Duration>, max_size: Option<u64>) -> Result<Self, Failure> {
        let usage = |sentence: String| Err(Failure::Usage(sentence));
        let is_stdout = path.as_os_str() == STDOUT;
        match max_size {
            _ if is_stdout && (keep.is_some() || max_size.is_some()) => usage(
                "--keep and --max-size are for a directory; leave them out to record to standard output".to_owned(),
            ),
            None if keep.is_some() => {
                usage("--keep needs --max-size, such as --max-size 1G, so that the disk never fills up".to_owned())
            }
            None if is_stdout => Ok(Self::Stdout),
            None if path.is_dir() => usage(format!(
                "{} is a directory; add --max-size, such as --max-size 1G, to record into it, or name a new file",
                path.display()
            )),
            None => Ok(Self::File(path.to_owned())),
            Some(bytes) if bytes < SegmentLimits::BYTES_MIN => usage(format!(
                "--max-size is too small for several segments; give at least {}",
                units::bytes(SegmentLimits::BYTES_MIN)
            )),
            Some(_) if keep.is_some_and(|keep| keep < SegmentLimits::KEEP_MIN) => {
                usage(format!("--keep is too short; give at least {}", units::age(SegmentLimits::KEEP_MIN)))
            }
            Some(bytes) => Ok(Self::Directory(path.to_owned(), SegmentLimits { keep, bytes })),
        }
    }

    /// Whether it is to be recorded into for weeks, whatever happens.
    pub(super) const fn is_flight_recorder(&self) -> bool {
        matches!(self, Self::Directory(..))
    }
}

/// A recording that is being written.
pub(super) enum Recording {
    /// A file.
    File(Box<Recorder>),
    /// Standard output, of which so many samples were written.
    Stdout(Box<SampleWriter>, u64),
    /// Segments in a directory.
    Directory(Box<FlightRecorder<RecorderDirectory, SampleWriter>>),
}

impl Recording {
    /// Begins a recording of what `info` describes.
    pub(super) fn begin(destination: &RecordingDestination, info: &SourceInfo) -> Result<Self, Failure> {
        let encoder = SampleWriter::new(Header::of(info)).map_err(|fault| not_encoded(&fault))?;
        Ok(match destination {
            RecordingDestination::File(path) => Self::File(Box::new(Recorder::create(path, info)?)),
            RecordingDestination::Stdout if output::is_terminal() => {
                return Err(Failure::Usage(
                    "a recording is no text for a terminal; pipe it on, as in ssh HOST conntop record - | conntop replay -, or name a file"
                        .to_owned(),
                ));
            }
            RecordingDestination::Stdout => Self::Stdout(Box::new(encoder), 0),
            RecordingDestination::Directory(path, limits) => {
                let (directory, stored) = RecorderDirectory::open(path)?;
                Self::Directory(Box::new(FlightRecorder::new(directory, &stored, *limits, encoder)))
            }
        })
    }

    /// Records one sample; whether anybody reads it. What a flight recorder cannot write is said, and nothing ends by it.
    pub(super) fn write(&mut self, delta: &Delta, marks: &[RecordedMark]) -> Result<bool, Failure> {
        match self {
            Self::File(recorder) => recorder.write(delta, marks)?,
            Self::Stdout(encoder, samples) => {
                let mut bytes = Vec::new();
                encoder.sample(delta, marks, &mut bytes).map_err(|fault| not_encoded(&fault))?;
                match output::write_bytes(&bytes) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
                    written => written.map_err(|error| output::cannot_write(&error))?,
                }
                *samples += 1;
            }
            Self::Directory(recorder) => {
                recorder.write(delta, marks);
                recorder.take_remarks().iter().for_each(|remark| say(remark.as_str()));
            }
        }
        Ok(true)
    }

    /// How many samples are recorded.
    pub(super) fn samples(&self) -> u64 {
        match self {
            Self::File(recorder) => recorder.samples(),
            Self::Stdout(_, samples) => *samples,
            Self::Directory(recorder) => recorder.samples(),
        }
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::File(recorder) => recorder.finish()?,
            Self::Stdout(mut encoder, _) => {
                let mut bytes = Vec::new();
                encoder.finish(&mut bytes).map_err(|fault| not_encoded(&fault))?;
                match output::write_bytes(&bytes) {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                        return Err(output::cannot_write(&error));
                    }
                    _ => {}
                }
            }
            Self::Directory(recorder) => recorder.finish().iter().for_each(|remark| say(remark.as_str())),
        }
        Ok(())
    }
}

fn not_encoded(fault: &RecordingFault) -> Failure {
    Failure::Failed(format!("this sample cannot be recorded: {fault}; record with a longer interval"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(path: &str, keep: Option<u64>, max_size: Option<u64>) -> String {
        match RecordingDestination::parse(Path::new(path), keep.map(Duration::from_secs), max_size) {
            Err(Failure::Usage(sentence)) => sentence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error_that_names_the_way_out() {
        assert!(sentence("x", Some(60), None).contains("--keep needs --max-size"));
        assert!(sentence("-", None, Some(1 << 30)).contains("leave them out"));
        assert!(sentence("-", Some(60), None).contains("leave them out"));
        assert!(sentence("/", None, None).contains("is a directory; add --max-size"));
        assert_eq!(
            sentence("x", None, Some(1_000_000)),
            "--max-size is too small for several segments; give at least 4.0M"
        );
        assert_eq!(sentence("x", Some(59), Some(1 << 30)), "--keep is too short; give at least 1m");
    }

    #[test]
    fn a_path_a_dash_and_a_directory_are_told_apart() {
        let parse = |path: &str, max_size| RecordingDestination::parse(Path::new(path), None, max_size).expect("valid");
        assert_eq!(parse("new.conntop", None), RecordingDestination::File("new.conntop".into()));
        assert_eq!(parse("-", None), RecordingDestination::Stdout);
        assert!(parse("./-", None) == RecordingDestination::File("./-".into()), "a file can be called so");
        assert!(parse("dir", Some(4_000_000)).is_flight_recorder());
    }
}
