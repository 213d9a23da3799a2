//! stdout for data and stderr for sentences, in ASCII where nothing else may be written.
//!
//! Only here does a command get its stdout, so `--ascii` and a C locale hold for every output. What stands for a
//! character depends on who reads: people read a similar glyph, JSON has an escape that means the same, and values
//! (CSV, plain) the visible escape that [`DisplayText`](crate::model::text::DisplayText) uses.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::Failure;
use crate::model::ascii;
use crate::report::format::Format;

/// Whether only ASCII may be written. Decided once the command line and the config file are read, for the whole run.
static ONLY_ASCII: AtomicBool = AtomicBool::new(false);
/// Output goes out in pieces of this length.
const BUFFER_LEN: usize = 64 * 1024;
/// The longest UTF-8 sequence of one character.
const SEQUENCE_LEN_MAX: usize = 4;

/// Says whether only ASCII may be written from now on.
pub(super) fn set_only_ascii(only_ascii: bool) {
    ONLY_ASCII.store(only_ascii, Ordering::Relaxed);
}

/// Where the data of a command goes.
pub(super) type Out = AsciiEncoder<io::BufWriter<io::StdoutLock<'static>>>;

/// stdout for data in `format`, in large pieces; flush it at the end.
pub(super) fn stdout(format: impl Into<Format>) -> Out {
    AsciiEncoder::new(io::BufWriter::with_capacity(BUFFER_LEN, io::stdout().lock()), format.into())
}

/// `text` as [`stdout`] writes it in `format`, for who writes it later.
pub(super) fn encoded(format: impl Into<Format>, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = AsciiEncoder::new(Vec::with_capacity(text.len()), format.into());
    encoder.write_all(text)?;
    Ok(encoder.inner)
}

/// stdout for what was [`encoded`].
pub(super) fn stdout_of_encoded() -> io::StdoutLock<'static> {
    io::stdout().lock()
}

/// Writes `bytes`, which are no text, to stdout at once.
pub(super) fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Whether stdout is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes data in `format` to stdout. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(
    format: impl Into<Format>,
    write: impl FnOnce(&mut Out) -> io::Result<()>,
) -> Result<ExitCode, Failure> {
    let mut out = stdout(format);
    let written = write(&mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes text whose format asks for UTF-8 whatever the locale is; whether there is still a reader.
pub(super) fn print_utf8(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(cannot_write(&error)),
        Ok(()) => Ok(true),
    }
}

/// Why there is no output.
pub(super) fn cannot_write(error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot write the output: {error}; make room or choose another place for it"))
}

/// stderr, for what is no data.
pub(super) fn stderr() -> AsciiEncoder<io::StderrLock<'static>> {
    AsciiEncoder::new(io::stderr().lock(), Format::Text)
}

/// A writer that passes UTF-8 on, or what stands for it in ASCII.
pub(super) struct AsciiEncoder<W> {
    inner: W,
    /// What stands for a character, where only ASCII may be written.
    ascii: Option<fn(&mut String, char)>,
    /// The beginning of a character whose end was not written yet.
    begun: Vec<u8>,
}

impl<W: Write> AsciiEncoder<W> {
    fn new(inner: W, format: Format) -> Self {
        let only_ascii = ONLY_ASCII.load(Ordering::Relaxed);
        Self { inner, ascii: only_ascii.then_some(escape_of(format)), begun: Vec::new() }
    }

    fn write_ascii(&mut self, bytes: &[u8], escape: fn(&mut String, char)) -> io::Result<()> {
        if self.begun.is_empty() && bytes.is_ascii() {
            return self.inner.write_all(bytes);
        }
        self.begun.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.begun);
        let mut plain = String::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (valid, after) = match std::str::from_utf8(rest) {
                Ok(valid) => (valid, rest.len()),
                Err(error) => {
                    (std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(), error.valid_up_to())
                }
            };
            valid.chars().for_each(|character| {
                if character.is_ascii() { plain.push(character) } else { escape(&mut plain, character) }
            });
            rest = &rest[after..];
            let Some(&first) = rest.first() else { break };
            if is_begun_character(rest) {
                self.begun = rest.to_vec();
                break;
            }
            // Not UTF-8: all text of the program is, so nobody wrote it on purpose.
            escape(&mut plain, char::from(first));
            rest = &rest[1..];
        }
        self.inner.write_all(plain.as_bytes())
    }
}

/// Whether `bytes`, which do not begin with a whole character, may be the beginning of one.
fn is_begun_character(bytes: &[u8]) -> bool {
    bytes.len() < SEQUENCE_LEN_MAX && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// What stands for a character in ASCII for those who read `format`.
const fn escape_of(format: Format) -> fn(&mut String, char) {
    match format {
        Format::Text => ascii::push,
        Format::Json | Format::Ndjson => json_escape,
        Format::Csv | Format::CsvSafe | Format::Plain => visible_escape,
    }
}

/// `\u00e9`: the same text to whoever reads JSON (RFC 8259, section 7).
fn json_escape(plain: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(plain, "\\u{unit:04x}"); // A string takes all.
    }
}

/// `\u{e9}`.
fn visible_escape(plain: &mut String, character: char) {
    plain.extend(character.escape_unicode());
}

impl<W: Write> Write for AsciiEncoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.ascii {
            None => self.inner.write(bytes),
            Some(escape) => self.write_ascii(bytes, escape).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `text` as it is written for `format`, in pieces of `len` bytes.
    fn encoded(text: &str, format: Format, len: usize) -> String {
        let mut out = AsciiEncoder { inner: Vec::new(), ascii: Some(escape_of(format)), begun: Vec::new() };
        text.as_bytes().chunks(len).for_each(|piece| out.write_all(piece).expect("a vector takes all"));
        String::from_utf8(out.inner).expect("ASCII is UTF-8")
    }

    #[test]
    fn each_reader_gets_its_own_escape() {
        assert_eq!(encoded("a → é🚀…", Format::Text, 3), "a > ???~");
        assert_eq!(encoded("\"é🚀\"", Format::Json, 2), "\"\\u00e9\\ud83d\\ude80\"");
        assert_eq!(encoded("é,x", Format::Csv, 1), "\\u{e9},x");
    }

    proptest! {
        #[test]
        fn json_means_the_same_in_ascii_and_nothing_else_is_ever_written(text: String, len in 1usize..9) {
            let json = serde_json::to_string(&text).expect("a string is JSON");
            let ascii = encoded(&json, Format::Ndjson, len);
            prop_assert!(ascii.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&ascii).expect("still JSON"), text.clone());
            for format in [Format::Text, Format::Csv, Format::Plain] {
                prop_assert!(encoded(&text, format, len).is_ascii());
            }
        }
    }
}
