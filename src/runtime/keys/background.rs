//! The terminal's answer to the question which colour its background has (OSC 11; "Operating System Commands" of xterm's
//! ctlseqs): `ESC ] 11 ; rgb:RRRR/GGGG/BBBB ST`, each part of one to four hexadecimal digits.

use std::time::Duration;

use crate::ui::theme::depth::Rgb;

/// The question. Terminals that do not know it say nothing.
pub const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";
/// How long the answer may take. A slow line needs a round trip; a screen that changed its colours later than that would
/// surprise, so a later answer is swallowed like any other reply.
pub const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// The longest answer, in bytes; a longer string is none.
const ANSWER_LEN_MAX: usize = 40;

/// Whether the answer is waited for, and what of a control string may be it.
#[derive(Debug, Default)]
pub(super) struct Background {
    /// Until when; `None`: nobody has asked, or the answer is there.
    until: Option<Duration>,
    /// The operating system command that is being read.
    command: Vec<u8>,
    found: Option<Rgb>,
}

impl Background {
    /// Waits for the answer until `until`.
    pub(super) fn expect(&mut self, until: Duration) {
        self.until = Some(until);
    }

    /// Whether an answer is not there yet, be it late.
    pub(super) const fn is_due(&self) -> bool {
        self.until.is_some()
    }

    /// How long the answer may still take at `now`; `None` where none is waited for.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        self.until.map(|until| until.saturating_sub(now)).filter(|left| !left.is_zero())
    }

    /// A control string begins.
    pub(super) fn begin(&mut self) {
        self.command.clear();
    }

    /// The next byte of it.
    pub(super) fn push(&mut self, byte: u8) {
        if self.until.is_some() && self.command.len() <= ANSWER_LEN_MAX {
            self.command.push(byte);
        }
    }

    /// It has ended at `now`.
    pub(super) fn end(&mut self, now: Duration) {
        if self.left(now).is_none() {
            return;
        }
        // Of an ST in two bytes the first has been taken for a part of the string: ESC, or the first byte of UTF-8.
        let end = [b"\x1b", b"\xc2"].into_iter().find_map(|end| self.command.strip_suffix(end));
        let command = end.unwrap_or(&self.command);
        if let Some(color) = std::str::from_utf8(command).ok().and_then(color) {
            (self.until, self.found) = (None, Some(color));
        }
    }

    /// The answer, once.
    pub(super) fn take(&mut self) -> Option<Rgb> {
        self.found.take()
    }
}

/// The colour in `command`, if that is the answer.
fn color(command: &str) -> Option<Rgb> {
    let color = command.strip_prefix("11;")?;
    let parts = color.strip_prefix("rgb:").or_else(|| color.strip_prefix("rgba:"))?;
    let mut parts = parts.split('/').map(part);
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// One of red, green and blue, of which `f`, `ff`, `fff` and `ffff` are all.
fn part(digits: &str) -> Option<u8> {
    let is_part = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u32::from_str_radix(digits, 16).ok().filter(|_| is_part)?;
    let all = (1_u32 << (4 * digits.len())) - 1;
    u8::try_from(value * 255 / all).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_is_read_whatever_the_number_of_digits() {
        for (command, rgb) in [
            ("11;rgb:ffff/ffff/ffff", Some([255; 3])),
            ("11;rgb:0000/2b2b/3636", Some([0, 0x2b, 0x36])),
            ("11;rgb:1c/1C/1c", Some([0x1c; 3])),
            ("11;rgb:f/0/8", Some([255, 0, 136])),
            ("11;rgba:ffff/0000/0000/cccc", Some([255, 0, 0])),
            ("10;rgb:ffff/ffff/ffff", None),
            ("11;rgb:ffff/ffff", None),
            ("11;rgb:fffff/0/0", None),
            ("11;rgb:+1/0/0", None),
            ("11;?", None),
            ("11;#ffffff", None),
            ("", None),
        ] {
            assert_eq!(color(command), rgb, "{command}");
        }
    }
}
