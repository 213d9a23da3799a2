//! Several hosts as one source, and recordings that are read as they come: files, directories, standard input, FIFOs and pipes.
//!
//! One thread a host (`feed`) reads, tracks what older formats hold, and translates: numbers become such that no other host has
//! them (`ids`), moments those of one time (`timeline`). What came waits in a bounded `inbox`. `merger`, a pure function, makes one
//! sample of it, in which what each host had alone is kept for who judges by host ([`Delta::by_host`](crate::model::delta::Delta::by_host)).

mod feed;
pub mod ids;
mod inbox;
mod input;
mod merged;
pub mod merger;
mod pacing;
mod statuses;
pub mod timeline;
pub mod translate;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::model::hosts::HOSTS_MAX;
use crate::model::text::DisplayText;
use crate::source::replay::Replay;
use crate::source::{Source, SourceError};
use crate::streams::inbox::{Arrivals, StreamEnd};
use crate::streams::input::RecordingPlace;
use crate::streams::merged::{MergedSource, OpenedStream, StreamOrigin};

/// After this time it is said for what is waited.
const SAY_AFTER: Duration = Duration::from_secs(2);
/// So long after the first header others are waited for.
const OTHERS_PATIENCE: Duration = Duration::from_secs(5);

/// Opens the recordings at `paths`. Waits until the first of them has told its host, and a little for the others; `say` is told
/// for what is waited.
///
/// Fails where none of them is a recording. What is wrong with one of several is said with the samples, and as its status.
pub fn open(paths: &[PathBuf], say: &mut dyn FnMut(&str)) -> Result<Box<dyn Source>, SourceError> {
    if paths.len() > HOSTS_MAX {
        return Err(usage(&format!(
            "{} recordings are too many: {HOSTS_MAX} can be shown together; name fewer",
            paths.len()
        )));
    }
    let mut places: Vec<_> = paths.iter().map(|path| input::open(path)).collect();
    refuse_twice(paths, &places)?;
    if let [only] = &mut places[..] {
        match std::mem::replace(only, Ok(RecordingPlace::Stored(PathBuf::new())))? {
            RecordingPlace::Stored(path) => return Ok(Box::new(Replay::open(&path)?)),
            stream @ RecordingPlace::Stream(_) => *only = Ok(stream),
        }
    }
    let mut opened = Vec::with_capacity(places.len());
    for (path, place) in paths.iter().zip(places) {
        let input = match place {
            Ok(RecordingPlace::Stored(path)) => look_at(&path),
            Ok(RecordingPlace::Stream(file)) => Ok(StreamOrigin::Stream(file)),
            Err(usage @ SourceError::Usage(_)) => return Err(usage),
            Err(why) => Err(DisplayText::new(&why.to_string())),
        };
        opened.push(OpenedStream { name: input::shown(path), input });
    }
    let mut source = MergedSource::start(opened)?;
    wait_for_headers(&source, paths, say)?;
    source.take_names();
    Ok(Box::new(source))
}

/// Whether `path` is a stream, which is read as it comes and cannot be gone back in.
pub fn is_stream(path: &Path) -> bool {
    matches!(input::open(path), Ok(RecordingPlace::Stream(_)) | Err(SourceError::Usage(_)))
}

/// A file is opened once before its thread does, to know the time that it covers.
fn look_at(path: &Path) -> Result<StreamOrigin, DisplayText> {
    let replay = Replay::open(path).map_err(|why| DisplayText::new(&why.to_string()))?;
    Ok(StreamOrigin::Stored(path.to_owned(), replay.span()))
}

/// A stream can be read once.
fn refuse_twice(paths: &[PathBuf], places: &[Result<RecordingPlace, SourceError>]) -> Result<(), SourceError> {
    let mut seen = Vec::new();
    for (path, place) in paths.iter().zip(places) {
        let Some(identity) = place.as_ref().ok().and_then(input::identity) else { continue };
        if seen.contains(&identity) {
            return Err(usage(&format!("{} is named twice, and can be read once; name it once", input::shown(path))));
        }
        seen.push(identity);
    }
    Ok(())
}

fn wait_for_headers(source: &MergedSource, paths: &[PathBuf], say: &mut dyn FnMut(&str)) -> Result<(), SourceError> {
    let inbox = source.inbox();
    let begun = Instant::now();
    let (mut first, mut has_said) = (None, false);
    let mut held = inbox.lock();
    loop {
        let is_known = |stream: &Arrivals| stream.host.is_some() || stream.end.is_some();
        if held.iter().any(|stream| stream.host.is_some()) {
            first.get_or_insert_with(Instant::now);
        }
        if held.iter().all(is_known) {
            return if first.is_some() { Ok(()) } else { Err(no_recording(&held)) };
        }
        if first.is_some_and(|first: Instant| first.elapsed() >= OTHERS_PATIENCE) {
            return Ok(());
        }
        if !has_said && begun.elapsed() >= SAY_AFTER {
            has_said = true;
            let waits: Vec<String> = paths
                .iter()
                .zip(held.iter())
                .filter(|(_, stream)| !is_known(stream))
                .map(|(path, _)| input::shown(path).to_string())
                .collect();
            say(&format!("waiting for the recording of {}; Ctrl-C ends", waits.join(", ")));
        }
        held = inbox.wait(held, Duration::from_millis(100));
    }
}

/// Why nothing can be shown: what is wrong with each.
fn no_recording(held: &[Arrivals]) -> SourceError {
    let why = |stream: &Arrivals| match &stream.end {
        Some(StreamEnd::Ended(why) | StreamEnd::Refused(why)) => Some(why.to_string()),
        Some(StreamEnd::AtEnd) | None => None,
    };
    let why: Vec<String> = held.iter().filter_map(why).collect();
    SourceError::Failed(DisplayText::new(&why.join("; ")))
}

fn usage(sentence: &str) -> SourceError {
    SourceError::Usage(DisplayText::new(sentence))
}
