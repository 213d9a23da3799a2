//! Comma-separated values as in RFC 4180: a header, CRLF at the end of every line (as the RFC has it), quotes where needed.

use std::io::Write;

use crate::report::format::plain::{self, Notation};
use crate::table::value::Value;

/// The way of CSV to write values.
pub struct Csv;

impl Notation for Csv {
    fn null(_: &mut Vec<u8>) {}

    fn text(out: &mut Vec<u8>, text: &str) {
        if text.contains([',', '"', '\r', '\n']) {
            out.push(b'"');
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }

    fn bare_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        write(out);
    }

    fn float(out: &mut Vec<u8>, number: f64) {
        write!(out, "{number:?}").expect("a vector takes all");
    }
}

/// Appends one line of values, words among them: the same as in JSON, and nothing where JSON has `null`.
pub fn append_record<'v>(out: &mut Vec<u8>, values: impl Iterator<Item = Value<'v>>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        plain::write::<Csv>(out, &value);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_break_a_field_is_quoted() {
        let mut out = Vec::new();
        append_record(&mut out, ["plain", "a b", "a,b", "say \"hi\"", ""].map(Value::Text).into_iter());
        let values = [Value::Missing, Value::Count(1_204), Value::BytesPerSecond(0.5), Value::Text("x,y")];
        append_record(&mut out, values.into_iter());
        let text = String::from_utf8(out).expect("text in, text out");
        assert_eq!(text, "plain,a b,\"a,b\",\"say \"\"hi\"\"\",\r\n,1204,0.5,\"x,y\"\r\n");
    }
}
