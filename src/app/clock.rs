//! Times of day as people read them. The offset from UTC is given; no clock is read.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::model::time::WallTime;

/// `wall` as `12:01:03.214`.
pub fn time_of_day(wall: WallTime, utc_offset_seconds: i32) -> String {
    format(wall, utc_offset_seconds, "%H:%M:%S%.3f")
}

/// `wall` as `2026-01-31 12:01`.
pub fn date_and_time(wall: WallTime, utc_offset_seconds: i32) -> String {
    format(wall, utc_offset_seconds, "%Y-%m-%d %H:%M")
}

/// `wall` as `2026-01-31 12:01:03`.
pub fn date_and_seconds(wall: WallTime, utc_offset_seconds: i32) -> String {
    format(wall, utc_offset_seconds, "%Y-%m-%d %H:%M:%S")
}

/// `wall` as a part of a file name: `20260131-120103`.
pub fn file_time(wall: WallTime, utc_offset_seconds: i32) -> String {
    format(wall, utc_offset_seconds, "%Y%m%d-%H%M%S")
}

/// Blank if `wall` is out of what a calendar holds.
fn format(wall: WallTime, utc_offset_seconds: i32, form: &str) -> String {
    let zone = TimeZone::fixed(Offset::from_seconds(utc_offset_seconds).unwrap_or(Offset::UTC));
    let Ok(at) = Timestamp::from_millisecond(wall.0) else { return String::new() };
    at.to_zoned(zone).strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local() {
        let wall = WallTime(1_767_225_663_214);
        assert_eq!(time_of_day(wall, 0), "00:01:03.214");
        assert_eq!(time_of_day(wall, -3_600), "23:01:03.214");
        assert_eq!(date_and_time(wall, 7_200), "2026-01-01 02:01");
        assert_eq!(file_time(wall, 0), "20260101-000103");
        assert_eq!(time_of_day(WallTime(i64::MAX), 0), "");
    }
}
