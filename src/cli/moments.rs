//! A moment that a person names on the command line: `FILE`, `FILE@14:05`, `DIR@-5m`, or `now`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::commands::list;
use crate::cli::settings::Settings;
use crate::cli::{Failure, recorded_moment};
use crate::model::recorded::RecordedSpan;
use crate::source::Choice;
use crate::source::recording_until::RecordingUntil;
use crate::store::Store;

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
        match ends.find(|(path, time)| !path.is_empty() && RecordedSpan::is_time(time)) {
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
                        let outside = |why| Failure::Failed(format!("{}: {why}", path.display()));
                        let named = time.as_ref().map(|time| recorded_moment::named(&span, time).map_err(outside));
                        let at = named.transpose()?.unwrap_or(span.last.at);
                        list::look(Box::new(RecordingUntil::new(source, at, Duration::ZERO)?), settings)
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
