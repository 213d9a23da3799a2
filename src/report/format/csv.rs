//! Values in lines: CSV as in RFC 4180, CSV that is safe in a spreadsheet, and bare values for shells.
//!
//! CSV has the values of JSON, byte by byte, CRLF at the end of every line (as the RFC has it) and quotes where needed, so
//! that scripts read what there is. A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` (the name of a process,
//! say) for a formula, and no quoting of the RFC prevents that. `csv-safe` puts an apostrophe before such a value and quotes
//! all words, so that a spreadsheet that splits at semicolons finds no second cell in one (OWASP, "CSV Injection").

use std::io::{self, Write};

use crate::report::format::plain::{self, Notation};
use crate::table::value::Value;

/// What a spreadsheet takes for the beginning of a formula, the full-width forms of East Asian spreadsheets too.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// The way of CSV to write values.
pub struct Csv;

impl Notation for Csv {
    fn null(_: &mut Vec<u8>) {}

    fn text(out: &mut Vec<u8>, text: &str) {
        if text.contains([',', '"', '\r', '\n']) {
            quoted(out, "", text);
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

/// The way to write values that no spreadsheet takes for a formula.
pub struct CsvSafe;

impl Notation for CsvSafe {
    fn null(_: &mut Vec<u8>) {}

    fn text(out: &mut Vec<u8>, text: &str) {
        let is_formula = text.trim_start().starts_with(FORMULA);
        quoted(out, if is_formula { "'" } else { "" }, text);
    }

    fn bare_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        write(out);
    }

    fn float(out: &mut Vec<u8>, number: f64) {
        Csv::float(out, number);
    }
}

/// The way to write bare values: what is inside a value has neither tab nor line end, see `DisplayText`.
pub struct PlainRecords;

impl Notation for PlainRecords {
    fn null(_: &mut Vec<u8>) {}

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(text.as_bytes());
    }

    fn bare_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        write(out);
    }

    fn float(out: &mut Vec<u8>, number: f64) {
        Csv::float(out, number);
    }
}

fn quoted(out: &mut Vec<u8>, mark: &str, text: &str) {
    out.push(b'"');
    out.extend_from_slice(mark.as_bytes());
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

/// A format of one record a line.
pub trait RecordFormat: Notation {
    /// What stands between two values.
    const DELIMITER: u8;
    /// What ends a record.
    const LINE_END: &'static [u8];
    /// Whether a line with the names of the columns comes first.
    const HAS_HEADING: bool;
}

impl RecordFormat for Csv {
    const DELIMITER: u8 = b',';
    const LINE_END: &'static [u8] = b"\r\n";
    const HAS_HEADING: bool = true;
}

impl RecordFormat for CsvSafe {
    const DELIMITER: u8 = b',';
    const LINE_END: &'static [u8] = b"\r\n";
    const HAS_HEADING: bool = true;
}

impl RecordFormat for PlainRecords {
    const DELIMITER: u8 = b'\t';
    const LINE_END: &'static [u8] = b"\n";
    const HAS_HEADING: bool = false;
}

/// Writes the line that names the columns, where the format has one.
pub fn write_heading<'v, F: RecordFormat>(
    out: &mut impl Write,
    names: impl Iterator<Item = Value<'v>>,
) -> io::Result<()> {
    let mut line = Vec::new();
    if F::HAS_HEADING {
        append_record::<F>(&mut line, names);
    }
    out.write_all(&line)
}

/// Appends one line of values. They are the values of JSON; where JSON has `null` there is nothing.
pub fn append_record<'v, F: RecordFormat>(out: &mut Vec<u8>, values: impl Iterator<Item = Value<'v>>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(F::DELIMITER);
        }
        plain::write::<F>(out, &value);
    }
    out.extend_from_slice(F::LINE_END);
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
                append_record::<Csv>(&mut out, record.iter().map(|field| Value::Text(field)));
            }
            let text = String::from_utf8(out).expect("text in, text out");
            prop_assert_eq!(parse(&text), Ok(table));
        }
    }

    #[test]
    fn only_what_would_break_a_field_is_quoted() {
        let mut out = Vec::new();
        append_record::<Csv>(&mut out, ["plain", "a b", "a,b", "say \"hi\"", ""].map(Value::Text).into_iter());
        let values = [Value::Missing, Value::Count(1_204), Value::BytesPerSecond(0.5), Value::Text("x,y")];
        append_record::<Csv>(&mut out, values.into_iter());
        let text = String::from_utf8(out).expect("text in, text out");
        assert_eq!(text, "plain,a b,\"a,b\",\"say \"\"hi\"\"\",\r\n,1204,0.5,\"x,y\"\r\n");
    }

    #[test]
    fn no_spreadsheet_takes_a_safe_value_for_a_formula() {
        let line = |text: &str| {
            let mut out = Vec::new();
            append_record::<CsvSafe>(&mut out, [Value::Text(text), Value::Count(7)].into_iter());
            String::from_utf8(out).expect("text in, text out")
        };
        assert_eq!(line("nginx"), "\"nginx\",7\r\n");
        assert_eq!(line("a;=1+1"), "\"a;=1+1\",7\r\n");
        assert_eq!(line("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\",7\r\n");
        for text in ["+1", "-1", "@SUM(A1)", "  =1", "＝1", "=\"\""] {
            assert!(line(text).starts_with("\"'"), "{text}");
        }
    }

    #[test]
    fn bare_values_are_one_line_each_with_tabs_between() {
        let mut out = Vec::new();
        append_record::<PlainRecords>(&mut out, [Value::Number(812)].into_iter());
        append_record::<PlainRecords>(&mut out, [Value::Missing, Value::Text("say \"hi\", x")].into_iter());
        assert_eq!(String::from_utf8_lossy(&out), "812\n\tsay \"hi\", x\n");
    }
}
