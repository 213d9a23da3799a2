//! The names of segments: `00000042-20261128T194731Z.conntop`.
//!
//! First comes a number that only grows, so that names sort in the order in which the segments were recorded, however the clock of the
//! machine is set. The time of day at which the segment begins (UTC) is there for people, and for tools that look for a time.

use std::fmt;

use crate::model::time::WallTime;

/// What the name of every recording ends with.
const ENDING: &str = ".conntop";
/// Digits of the number.
const DIGITS: usize = 8;
/// The last number that has so many digits: at a segment a minute it is reached after 190 years.
const NUMBER_MAX: u32 = 99_999_999;
/// The time in the form of ISO 8601 without separators, which a file name may hold everywhere.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// The name of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// Which segment it is, from 1 on.
    pub number: u32,
    /// The time of day at which it begins, in whole seconds.
    pub begins: WallTime,
}

impl SegmentName {
    /// The name of a segment that begins at `wall`; `None` where all numbers are used up.
    pub fn new(number: u32, wall: WallTime) -> Option<Self> {
        let begins = WallTime(wall.0.clamp(0, YEAR_9999).div_euclid(1_000) * 1_000);
        (number <= NUMBER_MAX).then_some(Self { number, begins })
    }

    /// The name that `text` is; `None` for that of any other file.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, time) = text.strip_suffix(ENDING)?.split_once('-')?;
        let is_number = number.len() == DIGITS && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_number)?;
        let begins = jiff::civil::DateTime::strptime(TIME, time).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        let name = Self { number, begins: WallTime(begins.timestamp().as_millisecond()) };
        // Other ways to write the same are not ours.
        (name.to_string() == text).then_some(name)
    }
}

/// The last millisecond of the year 9999, as more digits would not sort.
const YEAR_9999: i64 = 253_402_300_799_999 - 86_400_000 * 2;

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = jiff::Timestamp::from_millisecond(self.begins.0).unwrap_or_default();
        write!(f, "{:0DIGITS$}-{}{ENDING}", self.number, begins.strftime(TIME))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_number_and_time_and_nothing_else_is_one() {
        let name = SegmentName::new(42, WallTime(1_795_895_251_999)).expect("a number of eight digits");
        assert_eq!(name.to_string(), "00000042-20261128T194731Z.conntop");
        assert_eq!(SegmentName::parse("00000042-20261128T194731Z.conntop"), Some(name));
        for other in [
            "",
            "leak.conntop",
            "recorder.lock",
            "42-20261128T194731Z.conntop",
            "000000042-20261128T194731Z.conntop",
            "+0000042-20261128T194731Z.conntop",
            "00000042-20261128T194731.conntop",
            "00000042-20261328T194731Z.conntop",
            "00000042-20261128T194731Z.conntop~",
            "00000042-20261128T194731Z.conntop.gz",
            " 00000042-20261128T194731Z.conntop",
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other:?}");
        }
        assert_eq!(SegmentName::new(NUMBER_MAX + 1, WallTime(0)), None);
    }

    proptest! {
        #[test]
        fn names_sort_by_number_whatever_the_clock_says(number in 1..NUMBER_MAX, a: i64, b: i64) {
            let (first, second) = (SegmentName::new(number, WallTime(a)), SegmentName::new(number + 1, WallTime(b)));
            let (first, second) = (first.expect("a name"), second.expect("a name"));
            prop_assert!(first.to_string() < second.to_string() && first < second);
            prop_assert_eq!(SegmentName::parse(&first.to_string()), Some(first));
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = SegmentName::parse(&text);
        }
    }
}
