//! Writes recordings: what a source gave, sample by sample, exactly. [`replay`](crate::source::replay) plays them.
//!
//! A recording holds addresses and command lines, so the file is new and only its owner may read it. It is complete
//! after every sample: what ends the program does not spoil what was written before.

pub mod decode;
pub mod encode;
pub mod file;
pub mod format;
pub mod older;
pub mod wire;

#[cfg(unix)]
mod sudo;

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::model::snapshot::{Snapshot, SourceInfo};
use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::record::encode::Encoder;
use crate::source::record::format::{FRAMES_MAX, Header, MAGIC, RecordingFault, VERSION};

/// A recording that is being written.
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
        let writer = Writer::new(file, info).map_err(|fault| not_written(&shown, &fault))?;
        Ok(Self { path: shown, writer })
    }

    /// Appends one sample. After an error the file still holds every sample before.
    pub fn write(&mut self, snapshot: &Snapshot) -> Result<(), SourceError> {
        self.writer.write(snapshot).map_err(|fault| {
            // What was half written would spoil the samples that come after it.
            let whole = self.writer.bytes;
            let back = self.writer.out.set_len(whole).and_then(|()| self.writer.out.seek(SeekFrom::Start(whole)));
            self.writer.broken |= back.is_err();
            not_written(&self.path, &fault)
        })
    }

    /// Ends the recording with its end mark; without it the file replays as well, and says that it was interrupted.
    pub fn finish(mut self) -> Result<(), SourceError> {
        self.writer.finish().map_err(|fault| not_written(&self.path, &fault))
    }

    /// How many samples were written.
    pub fn samples(&self) -> u32 {
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

/// Writes the format to anything that takes bytes.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    encoder: Encoder,
    frame: Vec<u8>,
    samples: u32,
    bytes: u64,
    broken: bool,
}

impl<W: Write> Writer<W> {
    /// Writes magic, version and header.
    pub fn new(out: W, info: &SourceInfo) -> Result<Self, RecordingFault> {
        let header = postcard::to_stdvec(&Header { host: info.host.clone(), kind: info.kind })?;
        let mut frame = Vec::from(MAGIC);
        frame.extend_from_slice(&VERSION.to_le_bytes());
        push_frame(&mut frame, &header)?;
        let mut writer = Self { out, encoder: Encoder::default(), frame, samples: 0, bytes: 0, broken: false };
        writer.flush_frame()?;
        Ok(writer)
    }

    /// Writes one sample.
    pub fn write(&mut self, snapshot: &Snapshot) -> Result<(), RecordingFault> {
        if self.samples >= FRAMES_MAX {
            return Err(RecordingFault::TooMany("samples"));
        }
        self.frame.clear();
        push_frame(&mut self.frame, self.encoder.encode(snapshot)?)?;
        self.flush_frame().inspect_err(|_| self.encoder.start_anew())?;
        self.samples += 1;
        Ok(())
    }

    /// Writes the end mark.
    pub fn finish(&mut self) -> Result<(), RecordingFault> {
        self.frame.clear();
        self.frame.extend_from_slice(&[0; 8]);
        self.flush_frame()
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

fn push_frame(frame: &mut Vec<u8>, payload: &[u8]) -> Result<(), RecordingFault> {
    let length = u32::try_from(payload.len()).map_err(|_| RecordingFault::TooLong(u64::MAX))?;
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    frame.extend_from_slice(payload);
    Ok(())
}

#[cfg(test)]
mod tests;
