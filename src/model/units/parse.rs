//! How quantities are read from filters, options and the config file: with the units in which they are written.

use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};

use crate::model::units::STEPS;

/// What a time looks like, for the sentence about one that is none.
pub const SPAN_HINT: &str = "write a time, such as 30, 0.5, 500ms or 2m";

/// Time units, longest first; `d` is 24 hours.
const SPANS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("us", 1_000),
    ("s", 1_000_000_000),
];

/// The number that `text` writes, with an optional decimal unit (`12`, `1.5k`, `10M`, `2G`), times `scale`.
pub fn parse_amount(text: &str, scale: u64) -> Option<u64> {
    let text = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let unit = STEPS.iter().find(|(unit, _)| {
        text.len() > unit.len()
            && text.is_char_boundary(text.len() - 1)
            && text[text.len() - 1..].eq_ignore_ascii_case(unit)
    });
    match unit {
        Some((_, size)) => decimal(&text[..text.len() - 1], size.checked_mul(scale)?),
        None => decimal(text, scale),
    }
}

/// What a size looks like, for the sentence about one that is none.
pub const SIZE_HINT: &str = "write a size in bytes, such as 500M, 1G or 64MiB";

/// Binary units, as IEC 80000-13 writes them.
const BINARY_UNITS: [(&str, u64); 4] = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40)];

/// The bytes that `text` writes: decimal units (`500M`, `1GB`) or binary ones (`64MiB`, `64Mi`); a bare number is bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let bare = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let unit = BINARY_UNITS.iter().find(|(unit, _)| {
        bare.len()
            .checked_sub(unit.len())
            .and_then(|at| bare.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(unit))
    });
    match unit {
        Some((unit, size)) => decimal(&bare[..bare.len() - unit.len()], *size),
        None => parse_amount(text, 1),
    }
}

/// The nanoseconds that `text` writes: `60s`, `1.5h`, `1h30m`, `250ms`; a bare number is seconds.
pub fn parse_span(text: &str) -> Option<u64> {
    if let Some(nanos) = decimal(text, 1_000_000_000) {
        return Some(nanos);
    }
    let (mut rest, mut total) = (text, 0u64);
    while !rest.is_empty() {
        let number = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (digits, tail) = rest.split_at(number);
        let end = tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let size = SPANS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
        total = total.checked_add(decimal(digits, size)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// `digits[.digits]` times `scale`, exact; `None` if it is no such number or too large.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let part = &part[..part.len().min(9)];
    let fraction =
        u128::from(part.parse::<u64>().ok()?) * u128::from(scale) / 10u128.pow(u32::try_from(part.len()).ok()?);
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(u64::try_from(fraction).ok()?)
}

/// A time in a config file: a number of seconds, or a text as [`parse_span`] reads it.
pub fn deserialize_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct TimeVisitor;
    impl Visitor<'_> for TimeVisitor {
        type Value = Duration;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a time, such as 30, 0.5, 500ms or 2m")
        }

        fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
            Duration::try_from_secs_f64(seconds).map_err(|_| E::custom(SPAN_HINT))
        }

        fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
            u64::try_from(seconds).map(Duration::from_secs).map_err(|_| E::custom(SPAN_HINT))
        }

        fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
            Ok(Duration::from_secs(seconds))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            parse_span(text).map(Duration::from_nanos).ok_or_else(|| E::custom(SPAN_HINT))
        }
    }
    deserializer.deserialize_any(TimeVisitor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_and_spans_are_read_with_their_units() {
        for (text, number) in [
            ("12", Some(12)),
            ("1.5k", Some(1_500)),
            ("10M", Some(10_000_000)),
            ("2GB", Some(2_000_000_000)),
            ("", None),
            ("k", None),
            ("-1", None),
            ("1.2.3", None),
        ] {
            assert_eq!(parse_amount(text, 1), number, "{text}");
        }
        for (text, bytes) in [
            ("500M", Some(500_000_000)),
            ("1GB", Some(1_000_000_000)),
            ("64MiB", Some(64 << 20)),
            ("1.5gib", Some(3 << 29)),
            ("2Ki", Some(2_048)),
            ("4096", Some(4_096)),
            ("Mi", None),
            ("é", None),
            ("-1G", None),
            ("many", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
        for (text, seconds) in [
            ("60s", Some(60.0)),
            ("1h30m", Some(5_400.0)),
            ("250ms", Some(0.25)),
            ("90", Some(90.0)),
            ("1.5h", Some(5_400.0)),
            ("2min", Some(120.0)),
            ("5x", None),
            ("s", None),
            ("", None),
        ] {
            assert_eq!(parse_span(text).map(|nanos| Duration::from_nanos(nanos).as_secs_f64()), seconds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = (parse_amount(&text, 1_000), parse_span(&text), parse_size(&text));
        }
    }
}
