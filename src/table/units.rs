//! How quantities are written and read: bytes, time spans, counts. Written short and at most a fixed number of cells
//! wide, so that columns do not dance; read from filters with the same units.

use std::time::Duration;

/// Decimal steps: 1k is 1,000, as ls(1) `--si` and network rates have it.
const STEPS: [(&str, u64); 5] =
    [("P", 1_000_000_000_000_000), ("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

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

/// `count` with its thousands grouped: `1,204`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `bytes` in at most 5 cells: `9,999`, `12.1k`, `999k`, `1.2M`.
pub fn bytes(bytes: u64) -> String {
    if bytes < 10_000 {
        return count(bytes);
    }
    // 999,950 would round to `1000k`: such a number belongs to the next unit.
    let (unit, size) =
        STEPS.iter().find(|(_, size)| u128::from(bytes) * 10_000 >= u128::from(*size) * 9_995).unwrap_or(&STEPS[4]);
    let tenths = (u128::from(bytes) * 10 + u128::from(*size) / 2) / u128::from(*size);
    if tenths >= 1_000 {
        format!("{}{unit}", (tenths + 5) / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

/// Bytes per second in at most 5 cells; less than one is `0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates; negative rates do not exist"
)]
pub fn rate(bytes_per_second: f64) -> String {
    bytes(bytes_per_second.max(0.0) as u64)
}

/// Events per second in at most 5 cells: `0`, `<0.1`, `0.4`, `12`, `1,204`, `12.1k`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates; negative rates do not exist"
)]
pub fn per_second(rate: f64) -> String {
    match rate {
        ..=0.0 => "0".to_owned(),
        ..0.05 => "<0.1".to_owned(),
        ..9.95 => format!("{rate:.1}"),
        _ => bytes(rate.round() as u64),
    }
}

/// `share` as a percentage: `0.4%`, `12%`, `250%`.
pub fn share(share: f64) -> String {
    let percent = share.max(0.0) * 100.0;
    if percent < 9.95 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

/// A time that was measured, in at most 5 cells: `840us`, `1.2ms`, `123ms`, `4.2s`, and from 10 s as [`age`].
pub fn span(span: Duration) -> String {
    let us = span.as_micros();
    match us {
        0..1_000 => format!("{us}us"),
        1_000..10_000 => format!("{}.{}ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{}ms", us / 1_000),
        1_000_000..10_000_000 => format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000),
        _ => age(span),
    }
}

/// An age in at most 6 cells, coarser the longer it is so that it seldom changes: `42s`, `52m`, `3h10m`, `2d03h`, `100d`.
pub fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m"),
        3_600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        86_400..8_640_000 => format!("{days}d{:02}h", hours % 24),
        _ => format!("{}d", days.min(99_999)),
    }
}

/// A length of time where its exact value matters (how long a state lasted): `0.2s`, `4m12s`, `3h10m`, `2d03h`.
pub fn lasted(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{}s", span.subsec_millis() / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => age(span),
    }
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_short_and_rounded() {
        let table: &[(u64, &str)] = &[
            (0, "0"),
            (999, "999"),
            (9_999, "9,999"),
            (10_000, "10.0k"),
            (12_149, "12.1k"),
            (99_949, "99.9k"),
            (99_960, "100k"),
            (999_400, "999k"),
            (999_960, "1.0M"),
            (1_204_000, "1.2M"),
            (2_147_483_648, "2.1G"),
        ];
        for (number, text) in table {
            assert_eq!(bytes(*number), *text);
        }
    }

    #[test]
    fn spans_and_ages_are_short() {
        let ms = Duration::from_millis;
        for (time, text) in
            [(ms(0), "0us"), (ms(1), "1.0ms"), (ms(123), "123ms"), (ms(4_270), "4.2s"), (ms(61_000), "1m")]
        {
            assert_eq!(span(time), text);
        }
        let s = Duration::from_secs;
        for (time, text) in [
            (s(0), "0s"),
            (s(59), "59s"),
            (s(3_130), "52m"),
            (s(11_400), "3h10m"),
            (s(183_700), "2d03h"),
            (s(8_640_000), "100d"),
        ] {
            assert_eq!(age(time), text);
        }
        assert_eq!(lasted(s(252)), "4m12s");
        assert_eq!(lasted(ms(290)), "0.2s");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            (count(0), count(999), count(1_204), count(1_234_567)),
            ("0".into(), "999".into(), "1,204".into(), "1,234,567".into())
        );
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!((share(0.004), share(0.12), share(2.5)), ("0.4%".into(), "12%".into(), "250%".into()));
    }

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
        fn nothing_is_wider_than_it_promises(number: u64) {
            prop_assert!(bytes(number).len() <= 6, "{}", bytes(number));
            prop_assert!(age(Duration::from_secs(number)).len() <= 6);
            prop_assert!(span(Duration::from_micros(number)).len() <= 6);
        }

        #[test]
        fn reading_never_panics(text: String) {
            let _ = (parse_amount(&text, 1_000), parse_span(&text));
        }
    }
}
