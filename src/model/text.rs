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

/// Text that is safe to write to a terminal and shows all that is in it: valid UTF-8, no control characters (C0, DEL, C1),
/// nothing that is drawn as nothing or as a blank (format characters, bidi overrides, fillers, spaces other than U+0020)
/// but joiners and variation selectors where a script or an emoji needs them, no private-use or unassigned code points;
/// and no longer than its cap. What was refused is shown as a visible escape (`␛`, `\x9b`, `\u{202e}`), so an attempt is
/// seen, and two texts that differ look different.
///
/// Cloning is cheap (shared).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayText(Arc<str>);

/// Characters that may deceive: all of general category C (control, format, surrogate, private use, unassigned), every
/// separator but the space, what is drawn as nothing (Unicode's `Default_Ignorable_Code_Point`: Hangul fillers, variation
/// selectors and the like), the blank braille pattern, and a combining mark with nothing before it.
static SUSPECT: LazyLock<Regex> =
    LazyLock::new(|| constant(r"[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800--[ ]]|\A\p{M}"));
/// A letter or mark of a script that joins its letters: between two of them U+200C and U+200D change what is read.
static JOINED: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"\A[\p{Arabic}\p{Syriac}\p{Nko}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Myanmar}\p{Khmer}]\z",
    )
});
/// A pictograph or the end of one: U+200D makes one picture of two.
static PICTURE: LazyLock<Regex> =
    LazyLock::new(|| constant(r"\A[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F]\z"));
/// A pictograph that is drawn as text unless U+FE0F follows it.
static DRAWN_AS_TEXT: LazyLock<Regex> =
    LazyLock::new(|| constant(r"\A[\p{Extended_Pictographic}--\p{Emoji_Presentation}]\z"));

/// The characters that join their neighbours.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// "Draw what is before this as a picture."
const AS_PICTURE: char = '\u{fe0f}';

fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant and is tested")
}

/// Whether `character` is needed between `before` and `after`: without it the text would read differently.
fn is_needed(before: Option<char>, character: char, after: Option<char>) -> bool {
    let (Some(before), after) = (before, after) else { return false };
    let is = |class: &Regex, character: char| class.is_match(character.encode_utf8(&mut [0; 4]));
    match character {
        AS_PICTURE => is(&DRAWN_AS_TEXT, before),
        '\u{200d}' if after.is_some_and(|after| is(&PICTURE, before) && is(&PICTURE, after)) => true,
        _ if JOINERS.contains(&character) => is(&JOINED, before) && after.is_some_and(|after| is(&JOINED, after)),
        _ => false,
    }
}

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

    /// Sanitised name of a process, user, interface or namespace. A blank at its start or end is shown as `␠`, and a name
    /// without a character as `""`, so that no name looks like another one or like none.
    pub fn name(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self(r#""""#.into());
        }
        let clean = Self::from_bytes(bytes, NAME_LEN_MAX);
        let inner = clean.0.trim_matches(' ');
        if inner.len() == clean.0.len() {
            return clean;
        }
        let after_start = clean.0.trim_start_matches(' ').len();
        let (start, end) = (clean.0.len() - after_start, after_start - inner.len());
        let text = [&BLANK.repeat(start), inner, &BLANK.repeat(end)].concat();
        Self(cut(text, NAME_LEN_MAX).into())
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

/// What a blank at the start or end of a name is shown as.
const BLANK: &str = "␠";

fn push_clean(clean: &mut String, text: &str) {
    let mut from = 0;
    for found in SUSPECT.find_iter(text) {
        clean.push_str(&text[from..found.start()]);
        from = found.end();
        let (before, after) = (text[..found.start()].chars().next_back(), text[from..].chars().next());
        for character in found.as_str().chars() {
            if is_needed(before, character, after) { clean.push(character) } else { push_escape(clean, character) }
        }
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

/// The last place of `text`, in bytes and at most `at`, where no character is cut apart.
/// `str::floor_char_boundary` of Rust 1.91, which is later than our `rust-version`.
pub fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Text that `write` writes. `fmt::from_fn` of Rust 1.93, which is later than our `rust-version`.
pub fn from_fn<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result>(write: F) -> impl fmt::Display {
    WrittenText(write)
}

struct WrittenText<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for WrittenText<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0(f)
    }
}

fn cut(mut text: String, len_max: usize) -> String {
    if text.len() <= len_max {
        return text;
    }
    let mark = '…';
    let room = len_max.saturating_sub(mark.len_utf8());
    text.truncate(floor_char_boundary(&text, room));
    // A joiner has nothing to join where the text ends.
    text.truncate(text.trim_end_matches(JOINERS).len());
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

/// Reads a name out of a recording: blanks are shown there, too.
pub fn deserialize_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DisplayText, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Ok(DisplayText::name(text.as_bytes()))
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
    fn what_is_drawn_as_nothing_or_as_a_blank_is_visible() {
        for (bytes, shown) in [
            ("nginx\u{200d}", "nginx\\u{200d}"),
            ("ng\u{200c}inx", "ng\\u{200c}inx"),
            ("\u{3164}", "\\u{3164}"),
            ("\u{115f}\u{1160}\u{ffa0}", "\\u{115f}\\u{1160}\\u{ffa0}"),
            ("a\u{a0}b\u{2003}c\u{3000}d\u{202f}", "a\\u{a0}b\\u{2003}c\\u{3000}d\\u{202f}"),
            ("\u{2800}x\u{34f}\u{17b4}\u{180e}", "\\u{2800}x\\u{34f}\\u{17b4}\\u{180e}"),
            ("sshd\u{fe0f}", "sshd\\u{fe0f}"),
            ("\u{301}x", "\\u{301}x"),
            ("🚀\u{fe0f}", "🚀\\u{fe0f}"),
            ("a\u{e0061}", "a\\u{e0061}"),
        ] {
            assert_eq!(clean(bytes.as_bytes()), shown);
        }
        for needed in ["می\u{200c}خواهم", "क्\u{200d}ष", "❤\u{fe0f}", "❤\u{fe0f}\u{200d}🔥", "👩🏽\u{200d}🚀", "e\u{301}"]
        {
            assert_eq!(clean(needed.as_bytes()), needed);
        }
    }

    #[test]
    fn a_blank_name_is_seen() {
        let name = |text: &str| DisplayText::name(text.as_bytes()).to_string();
        assert_eq!(name(""), "\"\"");
        assert_eq!(name("   "), "␠␠␠");
        assert_eq!(name(" a b  "), "␠a b␠␠");
        assert_eq!(name("nginx"), "nginx");
        assert!(name(&" ".repeat(NAME_LEN_MAX)).len() <= NAME_LEN_MAX);
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
            let hidden = |(at, found): (usize, &str)| !found.contains(JOINERS) && !found.contains(AS_PICTURE) || at == 0;
            prop_assert!(!SUSPECT.find_iter(text.as_str()).map(|found| (found.start(), found.as_str())).any(hidden), "{:?}", text);
            prop_assert!(!text.as_str().chars().any(char::is_control));
        }

        #[test]
        fn sanitising_twice_changes_nothing(text: String) {
            let once = DisplayText::from_bytes(text.as_bytes(), COMMAND_LEN_MAX);
            prop_assert_eq!(DisplayText::from_bytes(once.as_str().as_bytes(), COMMAND_LEN_MAX), once);
        }
    }
}
