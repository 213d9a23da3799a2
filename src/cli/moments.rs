//! A moment that a person names on the command line: `FILE`, `FILE@14:05`, `DIR@-5m`, or `now`.

use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::cli::commands::list;
use crate::cli::settings::Settings;
use crate::model::recorded::{MOMENT_HINT, RecordedSpan};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::runtime;
use crate::source::{Choice, Pace, Source};
use crate::store::Store;
use crate::tracker::{Tracker, Tracking};

/// The live machine, where no recording has that name.
const NOW: &str = "now";

/// A moment of a recording, or of this machine.
#[derive(Debug, PartialEq)]
pub(super) enum NamedMoment {
    /// What is live now.
    Now,
    /// The end of a recording, or the moment of it that the text names.
    Recorded(PathBuf, Option<String>),
}

impl NamedMoment {
    /// The moment that `text` names. The last `@` before a time divides path and time, so that a path may hold others.
    pub(super) fn parse(text: &Path) -> Self {
        let whole = || Self::Recorded(text.to_owned(), None);
        let Some(words) = text.to_str() else { return whole() };
        if words == NOW && !text.exists() {
            return Self::Now;
        }
        let mut ends = words.rmatch_indices('@').map(|(at, _)| (&words[..at], &words[at + 1..]));
        match ends.find(|(path, time)| !path.is_empty() && is_time(time)) {
            Some((path, time)) => Self::Recorded(path.into(), Some(time.to_owned())),
            None => whole(),
        }
    }

    /// What there was at that moment.
    pub(super) fn look(&self, live: &Choice, settings: &Settings) -> Result<Store, Failure> {
        match self {
            Self::Now => list::look(settings.open(live)?, settings),
            Self::Recorded(path, time) => {
                let source = settings.open(&Choice::Replay { path: path.clone() })?;
                match source.span() {
                    Some(span) => {
                        let at = named(&span, time.as_deref(), path)?;
                        read_to(source, at, settings)
                    }
                    None if time.is_some() => Err(Failure::Failed(format!(
                        "{} has no times to go to; leave out the time to look at its end",
                        path.display()
                    ))),
                    None => list::look(source, settings),
                }
            }
        }
    }
}

/// Whether a time may have been meant: one whose form is right need not be in the recording.
fn is_time(text: &str) -> bool {
    let is_none = |why: &String| why.ends_with(MOMENT_HINT);
    !RecordedSpan::default().parse(text, 0).is_err_and(|why| is_none(&why))
}

/// The moment of `span` that `time` names; its end where there is none.
fn named(span: &RecordedSpan, time: Option<&str>, path: &Path) -> Result<Timestamp, Failure> {
    let Some(time) = time else { return Ok(span.last.at) };
    let (offset, _) = runtime::utc_offset_seconds();
    let outside = |why| Failure::Failed(format!("{}: {why}", path.display()));
    span.parse(time, offset).map_err(outside)
}

/// Reads the recording from the last moment before `at` on from which it can be read, up to `at`.
fn read_to(mut source: Box<dyn Source>, at: Timestamp, settings: &Settings) -> Result<Store, Failure> {
    source.seek(at)?;
    let needs = settings.needs();
    let (mut store, mut tracker, mut snapshot) =
        (Store::new(source.info().clone()), Tracker::new(), Snapshot::default());
    loop {
        let pace = source.sample(&needs, &mut Tracking { tracker: &mut tracker, snapshot: &mut snapshot })?;
        if snapshot.at > at && store.deltas() > 0 {
            return Ok(store);
        }
        store.apply(tracker.finish(&mut snapshot));
        if !matches!(pace, Pace::After(_)) {
            return Ok(store);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_at_sign_before_a_time_divides() {
        let parse = |text: &str| match NamedMoment::parse(Path::new(text)) {
            NamedMoment::Recorded(path, time) => (path.display().to_string(), time),
            NamedMoment::Now => ("now".to_owned(), None),
        };
        let at = |path: &str, time: &str| (path.to_owned(), Some(time.to_owned()));
        let whole = |path: &str| (path.to_owned(), None);
        assert_eq!(parse("leak.conntop"), whole("leak.conntop"));
        assert_eq!(parse("leak.conntop@14:05"), at("leak.conntop", "14:05"));
        assert_eq!(parse("dir@-5m"), at("dir", "-5m"));
        assert_eq!(parse("dir@2026-01-31 14:05"), at("dir", "2026-01-31 14:05"));
        assert_eq!(parse("me@web-7.conntop"), whole("me@web-7.conntop"));
        assert_eq!(parse("me@web-7.conntop@+90s"), at("me@web-7.conntop", "+90s"));
        assert_eq!(parse("a@14:05@14:06"), at("a@14:05", "14:06"));
        assert_eq!(parse("@14:05"), whole("@14:05"), "there is no path before it");
        assert_eq!(parse("now"), whole("now"));
        assert_eq!(NamedMoment::parse(Path::new("now")), NamedMoment::Now);
    }
}
