//! How quantities are written: bytes, time spans, counts. Short and at most a fixed number of cells wide, so that columns
//! do not dance. [`parse`] reads them back.

pub mod parse;

use std::time::Duration;

/// Decimal steps: 1k is 1,000, as ls(1) `--si` and network rates have it.
pub const STEPS: [(&str, u64); 5] =
    [("P", 1_000_000_000_000_000), ("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

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

/// `number` things called `noun`: `1 socket`, `2,012 sockets`, `2 processes`.
pub fn counted(number: u64, noun: &str) -> String {
    let ending = match (number, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {noun}{ending}", count(number))
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

/// `span` in seconds as JSON writes them, to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years fit an f64 exactly")]
pub fn seconds(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

/// `number` as JSON writes it, to the thousandth; 0 for what is no number.
pub fn thousandths(number: f32) -> f64 {
    let rounded = (f64::from(number) * 1e3).round() / 1e3;
    if rounded.is_finite() { rounded } else { 0.0 }
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

/// Bytes per second with their unit: `0 B/s`, `9,999 B/s`, `12.1 kB/s`.
pub fn bytes_per_second(rate: u64) -> String {
    let text = bytes(rate);
    match text.strip_suffix(|unit: char| unit.is_ascii_alphabetic()) {
        Some(number) => format!("{number} {}B/s", &text[number.len()..]),
        None => format!("{text} B/s"),
    }
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

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_promises(number: u64) {
            prop_assert!(bytes(number).len() <= 6, "{}", bytes(number));
            prop_assert!(age(Duration::from_secs(number)).len() <= 6);
            prop_assert!(span(Duration::from_micros(number)).len() <= 6);
        }
    }
}
