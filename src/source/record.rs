//! Writes recordings: what follows from each sample, as a tracker said it. [`replay`](crate::source::replay) plays them.
//!
//! A recording holds addresses and command lines, so the file is new and only its owner may read it. It is complete
//! after every sample: what ends the program does not spoil what was written before.

pub mod bytes;
pub mod compression;
pub mod context;
pub mod decode;
pub mod encode;
pub mod fact_values;
pub mod file;
pub mod format;
pub mod frame;
pub mod header;
pub mod holders;
pub mod index;
pub mod older;
pub mod relative;
pub mod row;
pub mod rows;
pub mod sample_writer;
pub mod transition;

#[cfg(unix)]
mod sudo;

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::model::delta::Delta;
use crate::model::recorded::RecordedMark;
use crate::model::snapshot::SourceInfo;
use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::record::format::RecordingFault;
use crate::source::record::header::Header;
use crate::source::record::sample_writer::SampleWriter;

/// A recording that is being written to a file.
#[derive(Debug)]
pub struct Recorder {
    path: DisplayText,
    writer: Writer<File>,
}

impl Recorder {
    /// Starts a recording of what `info` describes in a new file.
    pub fn create(path: &Path, info: &SourceInfo) -> Result<Self, SourceError> {
        let shown = file::shown(path);
        let file = file::create(path).map_err(|error| not_created(&shown, &error))?;
        let writer = Writer::new(file, Header::of(info)).map_err(|fault| not_written(&shown, &fault))?;
        Ok(Self { path: shown, writer })
    }

    /// Appends one sample. After an error the file still holds every sample before.
    pub fn write(&mut self, delta: &Delta, marks: &[RecordedMark]) -> Result<(), SourceError> {
        self.writer.write(delta, marks).map_err(|fault| {
            // What was half written would spoil the samples that come after it.
            let whole = self.writer.bytes;
            let back = self.writer.out.set_len(whole).and_then(|()| self.writer.out.seek(SeekFrom::Start(whole)));
            self.writer.broken |= back.is_err();
            not_written(&self.path, &fault)
        })
    }

    /// Ends the recording with its index; without it the file replays as well, and says that it was interrupted.
    pub fn finish(mut self) -> Result<(), SourceError> {
        self.writer.finish().map_err(|fault| not_written(&self.path, &fault))
    }

    /// How many samples were written.
    pub fn samples(&self) -> u64 {
        self.writer.samples
    }

    /// How long the file is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.writer.bytes
    }
}

fn not_created(path: &DisplayText, error: &io::Error) -> SourceError {
    use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    let sentence = match error.kind() {
        AlreadyExists => format!("{path} is there already, and a recording never replaces a file; choose another name"),
        kind @ (NotFound | NotADirectory | PermissionDenied | ReadOnlyFilesystem) => {
            format!("cannot create {path}: {kind}; choose a directory that you may write to")
        }
        _ => format!("cannot create {path}: {error}"),
    };
    SourceError::Failed(DisplayText::new(&sentence))
}

fn not_written(path: &DisplayText, fault: &RecordingFault) -> SourceError {
    let sentence = match fault {
        RecordingFault::Io(error) => format!("cannot write to {path}: {}; make room or record elsewhere", error.kind()),
        fault => format!("this sample was not recorded in {path}: {fault}; record with a filter or a longer interval"),
    };
    SourceError::Failed(DisplayText::new(&sentence))
}

/// Writes a recording to anything that takes bytes: a file, or a pipe to another conntop.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    frames: SampleWriter,
    frame: Vec<u8>,
    samples: u64,
    bytes: u64,
    broken: bool,
}

impl<W: Write> Writer<W> {
    /// Writes magic, version and header.
    pub fn new(out: W, header: Header) -> Result<Self, RecordingFault> {
        let mut frames = SampleWriter::new(header)?;
        let mut frame = Vec::new();
        frames.begin(&mut frame)?;
        let mut writer = Self { out, frames, frame, samples: 0, bytes: 0, broken: false };
        writer.flush_frame()?;
        Ok(writer)
    }

    /// Writes one sample, and what a person may want to go to. The first one has to add every row.
    pub fn write(&mut self, delta: &Delta, marks: &[RecordedMark]) -> Result<(), RecordingFault> {
        self.frame.clear();
        self.frames.sample(delta, marks, &mut self.frame)?;
        self.flush_frame().inspect_err(|_| self.frames.take_back())?;
        self.samples += 1;
        Ok(())
    }

    /// Writes the index and the end.
    pub fn finish(&mut self) -> Result<(), RecordingFault> {
        self.frame.clear();
        self.frames.finish(&mut self.frame)?;
        self.flush_frame()
    }

    /// How many samples were written.
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// How many bytes were written.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn flush_frame(&mut self) -> Result<(), RecordingFault> {
        if self.broken {
            return Err(RecordingFault::Io(io::ErrorKind::BrokenPipe.into()));
        }
        // One call for the whole frame: an interrupted program leaves whole frames behind.
        self.out.write_all(&self.frame)?;
        self.out.flush()?;
        self.bytes += u64::try_from(self.frame.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
