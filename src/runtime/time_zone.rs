//! The local time zone, from `TZ` (`tzset`(3)) or `/etc/localtime`. The files are read through the guard: `TZ` is an
//! argument of whoever starts the program, and containers mount what they like over `/etc/localtime`.

use std::env;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::source::guarded::{self, Unusable};

/// The system's zone.
const LOCALTIME: &str = "/etc/localtime";
/// Where zones are found by name unless `TZDIR` says otherwise.
const ZONES: &str = "/usr/share/zoneinfo";
/// The longest file that is read; the largest of the tz database has 3 KiB, with all its years 120 KiB.
const LEN_MAX: u64 = 1 << 20;

/// Local time minus UTC as of now, in seconds. Where it cannot be known the times are UTC, and a sentence says why.
pub fn utc_offset_seconds() -> (i32, Option<String>) {
    let tz = env::var_os("TZ").map(|tz| tz.to_string_lossy().into_owned());
    match zone(tz.as_deref()) {
        Ok(zone) => (zone.to_offset(Timestamp::now()).seconds(), None),
        Err(why) => (0, Some(format!("{why}; times of day are shown in UTC"))),
    }
}

/// The zone of a value of `TZ`: a name, a file, or a rule such as `CET-1CEST`; empty is UTC, as the C library has it.
fn zone(tz: Option<&str>) -> Result<TimeZone, String> {
    let Some(tz) = tz else {
        return match read(Path::new(LOCALTIME)) {
            // Many containers have none; the C library takes it for UTC as well.
            Err(ZoneError::Unusable(Unusable::Missing)) => Ok(TimeZone::UTC),
            read => read.map_err(|why| format!("{LOCALTIME} {}", why.words())),
        };
    };
    let name = tz.strip_prefix(':').unwrap_or(tz);
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    match read(&file_of(name)) {
        Err(ZoneError::Unusable(Unusable::Missing)) => TimeZone::posix(name)
            .map_err(|_| format!("TZ says '{tz}', which is neither a time zone of this system nor a rule")),
        read => read.map_err(|why| format!("TZ says '{tz}', and {} {}", file_of(name).display(), why.words())),
    }
}

/// The file of a zone; a path is one by itself.
fn file_of(name: &str) -> PathBuf {
    let folder = env::var_os("TZDIR").map_or_else(|| PathBuf::from(ZONES), PathBuf::from);
    // An absolute path takes the place of the folder.
    folder.join(name)
}

enum ZoneError {
    Unusable(Unusable),
    NoZone,
}

impl ZoneError {
    fn words(&self) -> String {
        match self {
            Self::Unusable(why) => why.to_string(),
            Self::NoZone => "is no time zone file".to_owned(),
        }
    }
}

fn read(path: &Path) -> Result<TimeZone, ZoneError> {
    let content = guarded::read(path, LEN_MAX).map_err(ZoneError::Unusable)?;
    TimeZone::tzif("local", &content).map_err(|_| ZoneError::NoZone)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn said(tz: &str) -> String {
        let moment: Timestamp = "2026-01-15T12:00:00Z".parse().expect("a moment");
        zone(Some(tz)).map_or_else(|why| why, |zone| zone.to_offset(moment).seconds().to_string())
    }

    #[test]
    fn a_zone_is_a_name_a_file_or_a_rule_and_what_is_neither_is_said() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        // RFC 9636, version 1: no transitions, one type (UTC+2) and its name.
        let counts = [0u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
        let tzif = [&b"TZif"[..], &[0; 16], &counts, &7_200i32.to_be_bytes(), &[0, 0], b"EET\0"].concat();
        std::fs::write(at("zone"), tzif).expect("writable");
        std::fs::write(at("text"), "UTC").expect("writable");
        for (tz, expected) in [
            ("", "0".to_owned()),
            (":", "0".to_owned()),
            ("UTC0", "0".to_owned()),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "3600".to_owned()),
            (":XYZ3", "-10800".to_owned()),
            (&at("zone"), "7200".to_owned()),
            (&format!(":{}", at("zone")), "7200".to_owned()),
            (&at("text"), format!("TZ says '{0}', and {0} is no time zone file", at("text"))),
            (&at(""), format!("TZ says '{0}', and {0} is a directory, not a regular file", at(""))),
            ("/dev/zero", "TZ says '/dev/zero', and /dev/zero is a device, not a regular file".to_owned()),
            (
                "Nowhere/At All",
                "TZ says 'Nowhere/At All', which is neither a time zone of this system nor a rule".to_owned(),
            ),
        ] {
            assert_eq!(said(tz), expected);
        }
        if Path::new(ZONES).join("Europe/Berlin").exists() {
            assert_eq!(said("Europe/Berlin"), "3600");
        }
    }
}
