//! Comma-separated values as in RFC 4180: a header, CRLF at the end of every line (as the RFC has it), quotes where needed.

use std::io::{self, Write};

use crate::table::value::{Plain, Value};

/// Writes one line of words.
pub fn write_header<'n>(out: &mut impl Write, names: impl Iterator<Item = &'n str>) -> io::Result<()> {
    write_fields(out, names.map(|name| Plain::Text(name.into())))
}

/// Writes one line of values: the same as in JSON, and nothing where JSON has `null`.
pub fn write_record<'v>(out: &mut impl Write, values: impl Iterator<Item = Value<'v>>) -> io::Result<()> {
    let values: Vec<_> = values.collect();
    write_fields(out, values.iter().map(Value::to_plain))
}

fn write_fields<'v>(out: &mut impl Write, fields: impl Iterator<Item = Plain<'v>>) -> io::Result<()> {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match field {
            Plain::Null => {}
            Plain::Integer(number) => write!(out, "{number}")?,
            Plain::Float(number) => write!(out, "{number:?}")?,
            Plain::Text(text) => write_text(out, &text)?,
        }
    }
    out.write_all(b"\r\n")
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    if text.contains([',', '"', '\r', '\n']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_break_a_field_is_quoted() {
        let mut out = Vec::new();
        write_header(&mut out, ["plain", "a b", "a,b", "say \"hi\"", ""].into_iter()).expect("a vector takes all");
        let values = [Value::Missing, Value::Count(1_204), Value::BytesPerSecond(0.5), Value::Text("x,y")];
        write_record(&mut out, values.into_iter()).expect("a vector takes all");
        let text = String::from_utf8(out).expect("text in, text out");
        assert_eq!(text, "plain,a b,\"a,b\",\"say \"\"hi\"\"\",\r\n,1204,0.5,\"x,y\"\r\n");
    }
}
