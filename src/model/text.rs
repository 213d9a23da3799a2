//! [`DisplayText`]: the only door by which external text (process names, command lines, host and user names,
//! recordings, error messages that quote input) enters the program. What is inside can be written to a terminal.
//!
//! Why: `comm` is 15 arbitrary bytes, a command line 4,096 of them; written raw, they move the cursor, set the
//! window title or the clipboard (OSC 52), or reverse the reading order of what follows (CVE-2021-42574).

use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest process name, in bytes of sanitised text (`comm` holds 15; escapes make it longer).
pub const NAME_LEN_MAX: usize = 64;
/// The longest command line kept, in bytes of sanitised text.
pub const COMMAND_LEN_MAX: usize = 4096;
/// The longest host name, in bytes (RFC 1035, section 2.3.4).
pub const HOST_LEN_MAX: usize = 253;
/// The longest message (a notice or an error that quotes something external), in bytes.
pub const MESSAGE_LEN_MAX: usize = 1024;

/// Text that is safe to write to a terminal: valid UTF-8, no control characters (C0, DEL, C1), no format characters
/// (bidi overrides, soft hyphen, byte-order mark) but the two joiners that scripts and emoji need, no private-use or
/// unassigned code points, no line or paragraph separators; and no longer than its cap. What was refused is shown as
/// a visible escape (`␛`, `\x9b`, `\u{202e}`), so an attempt is seen, not hidden.
///
/// Cloning is cheap (shared).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayText(Arc<str>);

/// Characters that never reach the terminal: all of general category C (control, format, surrogate, private use,
/// unassigned) but U+200C and U+200D, and the line and paragraph separators.
static FORBIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{C}\p{Zl}\p{Zp}--[\u200C\u200D]]").expect("the pattern is a constant and is tested")
});

impl DisplayText {
    /// Sanitised `bytes`, at most `len_max` bytes of result; what is cut is marked with `…`.
    pub fn from_bytes(bytes: &[u8], len_max: usize) -> Self {
        // The usual case costs one pass and one allocation.
        if bytes.len() <= len_max && bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Self(String::from_utf8_lossy(bytes).into());
        }
        let mut clean = String::with_capacity(bytes.len().min(len_max));
        // An escape is at least as long as its byte: nothing past `len_max` input bytes can be part of the result.
        for chunk in bytes[..bytes.len().min(len_max.saturating_add(4))].utf8_chunks() {
            push_clean(&mut clean, chunk.valid());
            for byte in chunk.invalid() {
                push_hex(&mut clean, u32::from(*byte));
            }
        }
        Self(cut(clean, len_max).into())
    }

    /// Sanitised `text`, capped like a message.
    pub fn new(text: &str) -> Self {
        Self::from_bytes(text.as_bytes(), MESSAGE_LEN_MAX)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn push_clean(clean: &mut String, text: &str) {
    let mut from = 0;
    for found in FORBIDDEN.find_iter(text) {
        clean.push_str(&text[from..found.start()]);
        found.as_str().chars().for_each(|character| push_escape(clean, character));
        from = found.end();
    }
    clean.push_str(&text[from..]);
}

fn push_escape(clean: &mut String, character: char) {
    match character as u32 {
        // The control pictures of U+2400 are made for this and take one cell.
        code @ 0..=0x1f => clean.extend(char::from_u32(0x2400 + code)),
        0x7f => clean.push('␡'),
        code @ 0x80..=0x9f => push_hex(clean, code),
        code => clean.extend(["\\u{", &format!("{code:x}"), "}"]),
    }
}

/// `\x9b`, as C and Rust write a byte.
fn push_hex(clean: &mut String, byte: u32) {
    clean.extend(["\\x", &format!("{byte:02x}")]);
}

fn cut(mut text: String, len_max: usize) -> String {
    if text.len() <= len_max {
        return text;
    }
    let mark = '…';
    let room = len_max.saturating_sub(mark.len_utf8());
    text.truncate(text.floor_char_boundary(room));
    if len_max >= mark.len_utf8() {
        text.push(mark);
    }
    text
}

impl fmt::Display for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for DisplayText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DisplayText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for DisplayText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A recording is untrusted: its text is sanitised again on the way in.
impl<'de> Deserialize<'de> for DisplayText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_bytes(text.as_bytes(), COMMAND_LEN_MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(bytes: &[u8]) -> String {
        DisplayText::from_bytes(bytes, NAME_LEN_MAX).to_string()
    }

    #[test]
    fn plain_names_pass_unchanged() {
        for name in ["nginx", "kworker/0:1", "café", "漢字", "👩\u{200d}🚀", "a) R 1 ("] {
            assert_eq!(clean(name.as_bytes()), name);
        }
    }

    #[test]
    fn escapes_become_visible() {
        assert_eq!(clean(b"\x1b]0;PWN\x07a"), "␛]0;PWN␇a");
        assert_eq!(clean("a\u{9b}31m".as_bytes()), "a\\x9b31m");
        assert_eq!(clean(b"\xff\x9b"), "\\xff\\x9b");
        assert_eq!(clean("\u{202e}evil".as_bytes()), "\\u{202e}evil");
        assert_eq!(clean("a\u{2028}b\u{feff}\u{ad}\u{e000}".as_bytes()), "a\\u{2028}b\\u{feff}\\u{ad}\\u{e000}");
        assert_eq!(clean(b"\x7f\n\t\0"), "␡␊␉␀");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        let text = DisplayText::from_bytes(&[b'x'; 100], 10);
        assert_eq!(text.as_str(), "xxxxxxx…");
        assert_eq!(DisplayText::from_bytes("ééééé".as_bytes(), 2).as_str(), "");
    }

    #[test]
    fn a_recording_cannot_smuggle_escapes() {
        let text: DisplayText = serde_json::from_str(r#""a\u001b[2J""#).expect("valid JSON");
        assert_eq!(text.as_str(), "a␛[2J");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_nothing_dangerous_comes_out(bytes: Vec<u8>, len_max in 0usize..80) {
            let text = DisplayText::from_bytes(&bytes, len_max);
            prop_assert!(text.as_str().len() <= len_max);
            prop_assert!(!FORBIDDEN.is_match(text.as_str()), "{:?}", text);
            prop_assert!(!text.as_str().chars().any(char::is_control));
        }

        #[test]
        fn sanitising_twice_changes_nothing(text: String) {
            let once = DisplayText::from_bytes(text.as_bytes(), COMMAND_LEN_MAX);
            prop_assert_eq!(DisplayText::from_bytes(once.as_str().as_bytes(), COMMAND_LEN_MAX), once);
        }
    }
}
