//! How quantities are written: bytes, time spans, counts. Short and at most a fixed number of cells wide, so that columns
//! do not dance. Reading them back is the business of filters (`table::units`).

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
