//! Values of options: numbers and times, and what to write instead of a wrong one.

use std::str::FromStr;
use std::time::Duration;

use crate::table::units;

/// The shortest and the longest time between samples.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// A whole number.
pub(in crate::cli) fn amount<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number, such as 100".to_owned())
}

/// A time span as filters read it: a number of seconds, or one with units.
pub(in crate::cli) fn span(text: &str) -> Result<Duration, String> {
    let nanos = units::parse_span(text).ok_or_else(|| units::SPAN_HINT.to_owned())?;
    Ok(Duration::from_nanos(nanos))
}

/// A time between samples.
pub(in crate::cli) fn interval(text: &str) -> Result<Duration, String> {
    let asked = span(text).ok().filter(|asked| is_interval(*asked));
    asked.ok_or_else(|| INTERVAL_HINT.to_owned())
}

/// What a time between samples looks like.
pub(in crate::cli) const INTERVAL_HINT: &str = "write a time from 0.1 to 60 seconds, such as 2, 0.5 or 500ms";

/// Whether samples may be so far apart.
pub(in crate::cli) fn is_interval(asked: Duration) -> bool {
    (INTERVAL_MIN..=INTERVAL_MAX).contains(&asked)
}
