//! The numbers that the rules compare with, each with its default; the config file may set them.

use std::time::Duration;

use serde::Deserialize;

/// Limits of all rules. Names are those of the config file, section `[thresholds]`; times are in seconds there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Thresholds {
    /// A group of `CLOSE_WAIT` sockets of any size is a finding from this age on, if it grows.
    #[serde(deserialize_with = "seconds")]
    pub close_wait_age: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { close_wait_age: Duration::from_mins(1) }
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}
