//! Values of options: numbers and times, and what to write instead of a wrong one.

use std::str::FromStr;
use std::time::Duration;

/// The shortest and the longest time between samples.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_mins(1);

/// A whole number.
pub(in crate::cli) fn amount<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number, such as 100".to_owned())
}

/// A span in seconds, with decimals.
pub(in crate::cli) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "write a number of seconds, such as 30 or 0.5".to_owned())
}

/// A time between samples.
pub(in crate::cli) fn interval(text: &str) -> Result<Duration, String> {
    let asked = seconds(text).ok().filter(|asked| is_interval(*asked));
    asked.ok_or_else(|| INTERVAL_HINT.to_owned())
}

/// What a time between samples looks like.
pub(in crate::cli) const INTERVAL_HINT: &str = "write a number of seconds from 0.1 to 60, such as 2 or 0.5";

/// Whether samples may be so far apart.
pub(in crate::cli) fn is_interval(asked: Duration) -> bool {
    (INTERVAL_MIN..=INTERVAL_MAX).contains(&asked)
}
