//! Comma-separated values as in RFC 4180: a header, CRLF at the end of every line (as the RFC has it), quotes where needed.
//!
//! Values are those of JSON, byte by byte, so that scripts read what there is. A spreadsheet may take a cell that begins
//! with `=`, `+`, `-` or `@` (the name of a process, say) for a formula; no quoting of the RFC prevents that, and a mark
//! before the cell would make it another value. Help says so; who opens it in a spreadsheet imports columns as text.

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
    use proptest::prelude::*;

    use super::*;

    /// The records of `text` by the grammar of RFC 4180, section 2: written apart from the writer, a character at a time.
    fn parse(text: &str) -> Result<Vec<Vec<String>>, String> {
        let (mut records, mut record, mut rest) = (Vec::new(), Vec::new(), text);
        while !rest.is_empty() {
            let mut field = String::new();
            if let Some(quoted) = rest.strip_prefix('"') {
                rest = quoted;
                loop {
                    let end = rest.find('"').ok_or("a quoted field has no end")?;
                    field.push_str(&rest[..end]);
                    rest = &rest[end + 1..];
                    match rest.strip_prefix('"') {
                        Some(more) => (field.push('"'), rest = more).1,
                        None => break,
                    }
                }
            } else {
                let end = rest.find([',', '"', '\r', '\n']).ok_or("a record has no end")?;
                field.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            record.push(field);
            if let Some(more) = rest.strip_prefix(',') {
                rest = more;
                if rest.is_empty() {
                    return Err("the file ends with a comma".to_owned());
                }
            } else {
                rest = rest.strip_prefix("\r\n").ok_or(format!("neither comma nor CRLF before {rest:?}"))?;
                records.push(std::mem::take(&mut record));
            }
        }
        Ok(records)
    }

    #[test]
    fn the_parser_of_this_test_refuses_what_is_no_csv() {
        assert_eq!(parse("a,\"b\"\"\r\n,\",\r\n"), Ok(vec![vec!["a".into(), "b\"\r\n,".into(), String::new()]]));
        for text in ["a\n", "a", "a\"b\r\n", "\"a\r\n", "\"a\"b\r\n", "a,"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(
            table in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![any::<String>(), "[\",\r\n=@ab ]{0,6}"], 1..5), 0..5),
        ) {
            let mut out = Vec::new();
            for record in &table {
                append_record(&mut out, record.iter().map(|field| Value::Text(field)));
            }
            let text = String::from_utf8(out).expect("text in, text out");
            prop_assert_eq!(parse(&text), Ok(table));
        }
    }

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
