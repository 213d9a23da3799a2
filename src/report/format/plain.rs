//! Values as machines read them, written without an allocation each: a list can have millions.
//!
//! The bytes are those that `serde_json` and `{:?}` write for [`Value::to_plain`]; a test compares them.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::table::value::{Plain, Value};

/// Below, `f64` is written with an exponent.
const PLAIN_MICROS_MIN: u128 = 100;
/// Below, a decimal of so many digits is the shortest one for its `f64`.
const PLAIN_MICROS_MAX: u128 = 1_000_000_000_000_000;

/// How a format writes what is not a plain number.
pub trait Notation {
    /// What stands for a value that is not known.
    fn null(out: &mut Vec<u8>);
    /// Words.
    fn text(out: &mut Vec<u8>, text: &str);
    /// Words that need no quotes within, as addresses.
    fn bare_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>));
    /// A number with a fraction.
    fn float(out: &mut Vec<u8>, number: f64);
}

/// Appends `value`.
pub fn write<N: Notation>(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Missing => N::null(out),
        Value::Port(port) => decimal(out, u64::from(*port)),
        Value::Count(number) | Value::Number(number) | Value::Bytes(number) => decimal(out, *number),
        Value::Word { label, .. } => N::text(out, label),
        Value::Address(addr) => N::bare_text(out, |out| match addr.ip() {
            IpAddr::V4(ip) => ipv4(out, ip),
            IpAddr::V6(_) => drop(write!(out, "{}", addr.alone())),
        }),
        Value::Span(span) | Value::Age(span, _) => seconds::<N>(out, *span),
        other => match other.to_plain() {
            Plain::Null => N::null(out),
            Plain::Text(text) => N::text(out, &text),
            Plain::Integer(number) => decimal(out, number),
            Plain::Float(number) => N::float(out, number),
            Plain::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        },
    }
}

/// Appends `number` in decimal.
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Seconds to the microsecond, with at least one digit behind the point.
fn seconds<N: Notation>(out: &mut Vec<u8>, span: Duration) {
    let micros = span.as_micros();
    if micros != 0 && !(PLAIN_MICROS_MIN..PLAIN_MICROS_MAX).contains(&micros) {
        if let Plain::Float(number) = Value::Span(span).to_plain() {
            N::float(out, number);
        }
        return;
    }
    decimal(out, span.as_secs());
    out.push(b'.');
    let mut fraction = span.subsec_micros();
    let mut place = 100_000;
    loop {
        out.push(b'0' + u8::try_from(fraction / place).unwrap_or(0));
        fraction %= place;
        place /= 10;
        if fraction == 0 {
            break;
        }
    }
}

fn ipv4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    for (at, octet) in addr.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        decimal(out, u64::from(octet));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::address_text::AddressText;
    use crate::model::delta::AgeBasis;
    use crate::model::tcp_state::STATES;
    use crate::report::format::csv::Csv;
    use crate::report::format::json::Json;

    fn written<N: Notation>(value: &Value<'_>) -> String {
        let mut out = Vec::new();
        write::<N>(&mut out, value);
        String::from_utf8(out).expect("text in, text out")
    }

    fn value() -> impl Strategy<Value = Value<'static>> {
        let micros = prop_oneof![any::<u64>(), 0..2_000_000u64, (0..64u32).prop_map(|shift| 1u64 << shift)];
        prop_oneof![
            Just(Value::Missing),
            any::<String>().prop_map(Value::Owned),
            any::<u64>().prop_map(Value::Number),
            (any::<u64>(), 0..64u32).prop_map(|(number, shift)| Value::Bytes(number >> shift)),
            any::<u16>().prop_map(Value::Port),
            any::<bool>().prop_map(Value::Flag),
            any::<IpAddr>().prop_map(|ip| Value::Address(AddressText::plain(ip))),
            (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| Value::Endpoint(AddressText::plain(ip), port)),
            micros.prop_map(|micros| Value::Span(Duration::from_micros(micros))),
            any::<Duration>().prop_map(|span| Value::Age(span, AgeBasis::Kernel)),
            (0.0..1e12f64).prop_map(Value::BytesPerSecond),
            (0.0..2.0f64).prop_map(Value::Share),
            (0..12usize).prop_map(|state| Value::State(STATES[state].state)),
        ]
    }

    proptest! {
        #[test]
        fn json_is_what_serde_json_writes(value in value()) {
            prop_assert_eq!(written::<Json>(&value), serde_json::to_string(&value).expect("a value is plain JSON"));
        }

        #[test]
        fn csv_has_the_same_numbers_as_debug(value in value()) {
            let expected = match value.to_plain() {
                Plain::Null => String::new(),
                Plain::Integer(number) => number.to_string(),
                Plain::Float(number) => format!("{number:?}"),
                Plain::Flag(flag) => flag.to_string(),
                Plain::Text(text) if text.contains([',', '"', '\r', '\n']) => format!("\"{}\"", text.replace('"', "\"\"")),
                Plain::Text(text) => text.into_owned(),
            };
            prop_assert_eq!(written::<Csv>(&value), expected);
        }
    }

    #[test]
    fn short_and_long_spans_keep_their_digits() {
        for (micros, text) in [
            (0, "0.0"),
            (99, "9.9e-5"),
            (100, "0.0001"),
            (1_234, "0.001234"),
            (60_000_000, "60.0"),
            (999_999_999_999_999, "999999999.999999"),
        ] {
            assert_eq!(written::<Csv>(&Value::Span(Duration::from_micros(micros))), text);
        }
    }
}
