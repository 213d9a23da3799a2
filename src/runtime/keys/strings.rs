//! Control strings: what a terminal sends between an opening (OSC, DCS, APC, PM, SOS) and ST. No key sends one; they are
//! swallowed, whatever is in them, and a string that was cut short is given up (ECMA-48, section 5.6).

use std::time::Duration;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// ST in its 8-bit form, and what stands before it when it is written in UTF-8.
const ST: u8 = 0x9c;
const UTF8_C1: u8 = 0xc2;
/// How long a string may take, and how much more for each byte: a clipboard comes much faster, a person who types after a
/// string that was cut short, or holds a key down, much slower.
const STRING_TIME: Duration = Duration::from_secs(3);
const BYTE_TIME: Duration = Duration::from_millis(10);

/// A control string that has begun. What is in it is not kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct ControlString {
    begun: Duration,
    len: u32,
    last: u8,
    /// How many bytes the character that has begun still lacks.
    lacks: u8,
}

/// What a byte is to a control string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringProgress {
    /// A part of it.
    Swallowed,
    /// Its end.
    Ended,
    /// Something that stands in no string: it was cut short, and the byte is to be read as if there had been none.
    Aborted,
    /// The same, and the escape before the byte belongs to it.
    AbortedByEscape,
}

impl ControlString {
    /// A string that begins at `now`.
    pub(super) const fn begin(now: Duration) -> Self {
        Self { begun: now, len: 0, last: 0, lacks: 0 }
    }

    /// How long it may still take at `now`.
    pub(super) fn left(&self, now: Duration) -> Duration {
        (self.begun + STRING_TIME + BYTE_TIME * self.len).saturating_sub(now)
    }

    /// Whether its last byte was an escape: half an ST, or the Esc key after a string that was cut short.
    pub(super) const fn ends_with_escape(&self) -> bool {
        self.last == ESC
    }

    /// Takes the next byte.
    pub(super) fn take(&mut self, byte: u8) -> StringProgress {
        let last = std::mem::replace(&mut self.last, byte);
        self.len = self.len.saturating_add(1);
        if last == ESC {
            return if byte == b'\\' { StringProgress::Ended } else { StringProgress::AbortedByEscape };
        }
        let lacked = std::mem::take(&mut self.lacks);
        match byte {
            BEL => return StringProgress::Ended,
            ST if lacked == 0 || last == UTF8_C1 => return StringProgress::Ended,
            0x80..=0xbf if lacked > 0 => self.lacks = lacked - 1,
            0xc2..=0xdf => self.lacks = 1,
            0xe0..=0xef => self.lacks = 2,
            0xf0..=0xf4 => self.lacks = 3,
            // A string holds BS to CR and what is printed. Other control characters, 8-bit ones too, came after one that
            // was cut short: Ctrl-C always works.
            0..=0x06 | 0x0e..=0x1a | 0x1c..=0x1f | 0x80..=0x9f => return StringProgress::Aborted,
            _ => {}
        }
        StringProgress::Swallowed
    }
}

/// Whether `ESC byte` opens a control string: DCS, SOS, OSC, PM, APC.
pub(super) const fn opens_string(byte: u8) -> bool {
    matches!(byte, b'P' | b'X' | b']' | b'^' | b'_')
}

/// Whether `byte` looks like what follows `ESC second` in the replies that terminals send, for replies that come in
/// pieces: it is not enough where a key could be meant as well.
pub(super) const fn looks_like_rest(second: u8, byte: u8) -> bool {
    match second {
        b'[' => matches!(byte, b'0'..=b'9' | b'<'..=b'?'),
        b']' => matches!(byte, b'0'..=b'9' | b'l' | b'L'),
        b'P' => matches!(byte, b'0'..=b'9' | b'!' | b'$' | b'+' | b'>'),
        b'_' => byte == b'G',
        _ => false,
    }
}

/// `text` without the control strings in it that have an end.
pub(super) fn without_strings(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let string = after.split_first().filter(|(second, _)| byte == ESC && opens_string(**second));
        if let Some((_, inside)) = string
            && let Some(len) = len_of(inside)
        {
            rest = &inside[len..];
        } else {
            kept.push(byte);
            rest = after;
        }
    }
    kept
}

/// How long the string is that `inside` begins with, its end included; `None` if it has none.
fn len_of(inside: &[u8]) -> Option<usize> {
    let mut string = ControlString::begin(Duration::ZERO);
    let progress = inside
        .iter()
        .map(|byte| string.take(*byte))
        .enumerate()
        .find(|(_, progress)| *progress != StringProgress::Swallowed);
    progress.filter(|(_, progress)| *progress == StringProgress::Ended).map(|(at, _)| at + 1)
}
