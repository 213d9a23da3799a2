//! Bytes of a terminal in, events out: a total function over whatever arrives, in whatever pieces.
//!
//! What a terminal says by itself (replies to questions, also to those of the program before) is never a key: control
//! strings (OSC, DCS, APC, PM, SOS) are swallowed up to BEL or ST, control sequences that no key sends up to their final
//! byte, in their 7-bit and their 8-bit form (ECMA-48, sections 5.4 and 5.6). Times are told by the caller.
//!
//! Why not crossterm's reader: it spins for ever when the terminal vanishes (crossterm#793), loses what is beyond
//! 1,024 bytes of a paste until the next key, and may start `tput`. Its event types are kept.

mod background;
mod strings;

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

pub use crate::runtime::keys::background::{ANSWER_WAIT, QUESTION};

use crate::runtime::keys::background::Background;
use crate::runtime::keys::strings::{ControlString, StringProgress, looks_like_rest, opens_string, without_strings};
use crate::ui::theme::depth::Rgb;

/// The longest control sequence that is kept; what a longer one has beyond that is no key's.
const SEQUENCE_LEN_MAX: usize = 64;
/// The longest paste, in bytes; the rest is thrown away.
pub const PASTE_LEN_MAX: usize = 64 * 1024;
/// How long after an escape the rest of its sequence may come. Longer makes the Esc key slow, shorter tears the
/// sequences of slow lines apart.
const ESCAPE_WAIT: Duration = Duration::from_millis(25);
/// How long a sequence that is no key by itself, or a control string, may pause. Nobody waits for it but who types
/// after one that was cut short.
const SEQUENCE_WAIT: Duration = Duration::from_millis(500);
/// How long a paste may pause before it counts as over.
const PASTE_WAIT: Duration = Duration::from_secs(1);

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Takes terminal input apart. Moments are durations since any fixed one.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes of a sequence that is not complete yet.
    pending: Vec<u8>,
    /// What the escape at the start of `pending` is.
    escape: EscapeOrigin,
    /// What was pasted so far, between the brackets of a bracketed paste.
    paste: Option<Vec<u8>>,
    /// The control string that has begun and not ended.
    string: Option<ControlString>,
    /// What was told as a key and may have been the beginning of a reply that came in pieces, and when.
    split_reply: Option<(u8, Duration)>,
    /// The answer to the question for the background, if it was asked.
    background: Background,
    /// When the last byte came.
    at: Duration,
}

/// What the escape at the start of a sequence is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EscapeOrigin {
    /// An escape that came.
    #[default]
    Escape,
    /// One that was told as the Esc key already, because nothing followed it for a while.
    Reported,
    /// It stands for an 8-bit control, so that it is no key.
    Control,
}

/// What the first bytes of the input are.
enum InputPrefix {
    /// This many bytes make this event, or nothing that is known.
    Event(usize, Option<Event>),
    /// A paste begins after this many bytes.
    Paste(usize),
    /// A control string begins after this many bytes.
    String(usize),
    /// This many bytes are this 8-bit control (C1).
    Control(usize, u8),
    /// More bytes are needed.
    Incomplete,
}

impl Decoder {
    /// Takes `bytes`, which came at `now`, in and appends what they complete to `events`.
    pub fn feed(&mut self, bytes: &[u8], now: Duration, events: &mut Vec<Event>) {
        if self.wait().is_some_and(|wait| now.saturating_sub(self.at) >= wait) {
            self.flush(now, events);
        }
        self.at = now;
        for byte in bytes {
            self.take(*byte, events);
        }
    }

    /// Waits until `until` for the terminal to tell its background. Meanwhile an escape is taken for the beginning of the
    /// answer for as long.
    pub fn expect_background(&mut self, until: Duration) {
        self.background.expect(until);
    }

    /// The background, once the terminal has told it in time.
    pub fn take_background(&mut self) -> Option<Rgb> {
        self.background.take()
    }

    /// How long after the last byte [`flush`](Self::flush) is due; `None` while nothing waits.
    pub fn wait(&self) -> Option<Duration> {
        if let Some(string) = &self.string {
            return Some(string.left(self.at).min(SEQUENCE_WAIT));
        }
        match self.pending.as_slice() {
            [] => self.paste.is_some().then_some(PASTE_WAIT),
            // Few press Alt-], and the answer begins like that.
            [ESC, b']'] if self.background.is_due() => Some(SEQUENCE_WAIT),
            [ESC] if self.escape == EscapeOrigin::Escape => {
                Some(self.background.left(self.at).map_or(ESCAPE_WAIT, |left| left.max(ESCAPE_WAIT)))
            }
            // Each of these may be a key.
            [ESC] | [ESC, b'[' | b'O'] if self.escape != EscapeOrigin::Control => Some(ESCAPE_WAIT),
            [ESC, second] if self.escape != EscapeOrigin::Control && opens_string(*second) => Some(ESCAPE_WAIT),
            _ => Some(SEQUENCE_WAIT),
        }
    }

    /// Nothing more came for as long as [`wait`](Self::wait) says: a lone escape was the Esc key, an open paste is over,
    /// and what was cut short is dropped.
    pub fn flush(&mut self, now: Duration, events: &mut Vec<Event>) {
        if self.string.take().is_some_and(|string| string.ends_with_escape()) {
            self.pending = vec![ESC];
        }
        match (self.escape, self.pending.as_slice()) {
            (EscapeOrigin::Control, _) => {}
            (EscapeOrigin::Reported, [ESC, second]) => {
                self.split_reply = Some((*second, now));
                events.extend(plain(*second));
            }
            (_, [first] | [ESC, first]) => {
                self.split_reply = Some((*first, now));
                self.decode(true, events);
            }
            _ => self.decode(true, events),
        }
        self.pending.clear();
        self.escape = EscapeOrigin::Escape;
        self.end_paste(events);
    }

    fn take(&mut self, byte: u8, events: &mut Vec<Event>) {
        if self.paste.is_some() {
            self.feed_paste(byte, events);
        } else if let Some(mut string) = self.string.take() {
            match string.take(byte) {
                StringProgress::Swallowed => {
                    self.background.push(byte);
                    self.string = Some(string);
                }
                StringProgress::Ended => self.background.end(self.at),
                StringProgress::Aborted => self.take_first(byte, events),
                StringProgress::AbortedByEscape => {
                    self.pending = vec![ESC];
                    self.take_first(byte, events);
                }
            }
        } else {
            self.take_first(byte, events);
        }
    }

    fn take_first(&mut self, byte: u8, events: &mut Vec<Event>) {
        if let Some((begun, told)) = self.split_reply.take()
            && self.pending.is_empty()
            && self.at.saturating_sub(told) < SEQUENCE_WAIT
        {
            if begun == ESC && (byte == b'[' || opens_string(byte)) {
                self.pending = vec![ESC, byte];
                self.escape = EscapeOrigin::Reported;
                return;
            }
            if looks_like_rest(begun, byte) {
                self.pending = vec![ESC, begun];
            }
        }
        self.pending.push(byte);
        if self.escape == EscapeOrigin::Reported {
            self.escape = EscapeOrigin::Escape;
            if let [ESC, second, third] = self.pending[..]
                && !looks_like_rest(second, third)
            {
                events.extend(plain(second));
                self.pending = vec![third];
            }
        }
        self.decode(false, events);
    }

    fn decode(&mut self, last: bool, events: &mut Vec<Event>) {
        while !self.pending.is_empty() {
            match first(&self.pending, last) {
                InputPrefix::Incomplete if self.pending.len() < SEQUENCE_LEN_MAX => return,
                // No key has so many parameters; what ends the sequence is still to come.
                InputPrefix::Incomplete => return self.pending.truncate(SEQUENCE_LEN_MAX - 1),
                InputPrefix::Event(len, event) => {
                    self.pending.drain(..len);
                    self.escape = EscapeOrigin::Escape;
                    events.extend(event);
                }
                InputPrefix::Paste(len) => {
                    self.pending.drain(..len);
                    self.escape = EscapeOrigin::Escape;
                    self.paste = Some(Vec::new());
                    return;
                }
                InputPrefix::String(len) => return self.begin_string(len, events),
                InputPrefix::Control(len, control) => {
                    let second = control - 0x40;
                    if opens_string(second) {
                        return self.begin_string(len, events);
                    }
                    self.pending.drain(..len);
                    if matches!(second, b'[' | b'O') {
                        self.pending.splice(..0, [ESC, second]);
                        self.escape = EscapeOrigin::Control;
                    }
                }
            }
        }
    }

    fn begin_string(&mut self, len: usize, events: &mut Vec<Event>) {
        let rest = self.pending.split_off(len);
        self.pending.clear();
        self.escape = EscapeOrigin::Escape;
        self.string = Some(ControlString::begin(self.at));
        self.background.begin();
        for byte in rest {
            self.take(byte, events);
        }
    }

    fn feed_paste(&mut self, byte: u8, events: &mut Vec<Event>) {
        let Some(paste) = &mut self.paste else { return };
        if paste.len() == PASTE_LEN_MAX + PASTE_END.len() {
            // Keeps room for the end mark to be recognised.
            paste.drain(PASTE_LEN_MAX..=PASTE_LEN_MAX);
        }
        paste.push(byte);
        if paste.ends_with(PASTE_END) {
            paste.truncate(paste.len() - PASTE_END.len());
            self.end_paste(events);
        }
    }

    fn end_paste(&mut self, events: &mut Vec<Event>) {
        if let Some(mut paste) = self.paste.take() {
            paste.truncate(PASTE_LEN_MAX);
            // A terminal that answers while it pastes; in what people paste there are no such strings.
            let paste = without_strings(&paste);
            events.push(Event::Paste(String::from_utf8_lossy(&paste).into_owned()));
        }
    }
}

/// What `bytes` (not empty) begin with; `last` says that nothing follows them.
fn first(bytes: &[u8], last: bool) -> InputPrefix {
    match bytes {
        [ESC] if last => InputPrefix::Event(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESC, b'[' | b'O'] if last => InputPrefix::Event(2, with_alt(&bytes[1..])),
        [ESC] | [ESC, b'O'] => InputPrefix::Incomplete,
        [ESC, second] if !last && opens_string(*second) => InputPrefix::Incomplete,
        [ESC, second, _, ..] if opens_string(*second) => InputPrefix::String(2),
        // Two escapes are two keys, or the second one begins something.
        [ESC, ESC, ..] => InputPrefix::Event(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESC, b'[', rest @ ..] => control_sequence(rest),
        [ESC, b'O', letter, ..] => InputPrefix::Event(3, single_shift(*letter)),
        [ESC, rest @ ..] => match character(rest, last) {
            InputPrefix::Event(len, _) => InputPrefix::Event(len + 1, with_alt(&rest[..len])),
            other => other,
        },
        _ => character(bytes, last),
    }
}

/// The key of one byte, no modifier held.
fn plain(byte: u8) -> Option<Event> {
    match character(&[byte], true) {
        InputPrefix::Event(_, event) => event,
        _ => None,
    }
}

fn with_alt(bytes: &[u8]) -> Option<Event> {
    match character(bytes, true) {
        InputPrefix::Event(_, Some(Event::Key(event))) => Some(key(event.code, event.modifiers | KeyModifiers::ALT)),
        _ => None,
    }
}

/// One key that is no sequence: a control character or a character in UTF-8.
fn character(bytes: &[u8], last: bool) -> InputPrefix {
    let code = match bytes[0] {
        b'\r' => KeyCode::Enter,
        b'\t' => KeyCode::Tab,
        0x08 | 0x7f => KeyCode::Backspace,
        ESC => KeyCode::Esc,
        0 => return InputPrefix::Event(1, Some(key(KeyCode::Char(' '), KeyModifiers::CONTROL))),
        byte @ 0x01..=0x1a => {
            return InputPrefix::Event(1, Some(key(KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL)));
        }
        // Ctrl-\ to Ctrl-_ share their codes with Ctrl-4 to Ctrl-7; crossterm names the digits.
        byte @ 0x1c..=0x1f => {
            return InputPrefix::Event(
                1,
                Some(key(KeyCode::Char(char::from(byte - 0x1c + b'4')), KeyModifiers::CONTROL)),
            );
        }
        byte => return utf8(byte, bytes, last),
    };
    InputPrefix::Event(1, Some(key(code, KeyModifiers::NONE)))
}

fn utf8(lead: u8, bytes: &[u8], last: bool) -> InputPrefix {
    let len = match lead {
        0..=0x7f => 1,
        // In the middle of a character they are parts of it; alone they are the 8-bit controls.
        0x80..=0x9f => return InputPrefix::Control(1, lead),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return InputPrefix::Event(1, None),
    };
    match std::str::from_utf8(&bytes[..len.min(bytes.len())]) {
        Ok(text) => match text.chars().next() {
            Some(control @ '\u{80}'..='\u{9f}') => InputPrefix::Control(len, u8::try_from(control).unwrap_or(0x80)),
            character => InputPrefix::Event(len, character.filter(|character| !character.is_control()).map(typed)),
        },
        Err(error) if error.error_len().is_none() && !last => InputPrefix::Incomplete,
        Err(_) => InputPrefix::Event(1, None),
    }
}

fn typed(character: char) -> Event {
    let modifiers = if character.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    key(KeyCode::Char(character), modifiers)
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

/// `ESC O x`: keypad and function keys of the VT100.
fn single_shift(letter: u8) -> Option<Event> {
    let code = if letter == b'M' { KeyCode::Enter } else { lettered(letter)? };
    Some(key(code, KeyModifiers::NONE))
}

/// The key that a final letter stands for, after `ESC [` or `ESC O`.
fn lettered(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

/// The key that a number stands for, in `ESC [ number ~` (the VT220's).
fn numbered(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(u8::try_from(number - 10).ok()?),
        17..=21 => KeyCode::F(u8::try_from(number - 11).ok()?),
        23..=24 => KeyCode::F(u8::try_from(number - 12).ok()?),
        _ => return None,
    })
}

/// What follows `ESC [`: parameters, intermediates and a final byte (ECMA-48, section 5.4).
fn control_sequence(rest: &[u8]) -> InputPrefix {
    // The Linux console's F1 to F5.
    if rest.first() == Some(&b'[') {
        return match rest.get(1) {
            None => InputPrefix::Incomplete,
            Some(letter @ b'A'..=b'E') => {
                InputPrefix::Event(4, Some(key(KeyCode::F(letter - b'A' + 1), KeyModifiers::NONE)))
            }
            Some(_) => InputPrefix::Event(4, None),
        };
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return InputPrefix::Incomplete;
    };
    let (parameters, len) = (&rest[..end], 2 + end + 1);
    match rest[end] {
        b'M' if parameters.is_empty() => match rest.get(end + 1..end + 4) {
            Some(bytes) => InputPrefix::Event(len + 3, old_mouse(bytes)),
            // No mouse sends a control character; a report that was cut short must not hide Ctrl-C.
            None if rest[end + 1..].iter().any(|byte| *byte < b' ') => InputPrefix::Event(len, None),
            None => InputPrefix::Incomplete,
        },
        letter @ (b'M' | b'm') if parameters.first() == Some(&b'<') => {
            InputPrefix::Event(len, mouse(&numbers(&parameters[1..]), letter == b'm'))
        }
        b'~' if parameters == b"200" => InputPrefix::Paste(len),
        letter @ 0x40..=0x7e => InputPrefix::Event(len, function_key(parameters, letter)),
        // A byte that cannot be in a sequence ends it; it may begin the next one.
        _ => InputPrefix::Event(len - 1, None),
    }
}

/// The key that a sequence stands for; `None` for what no key sends, such as a reply. Keys have only digits, `;` and the
/// `:` of kitty's protocol; one with a letter has nothing, or 1 and the modifiers.
fn function_key(parameters: &[u8], letter: u8) -> Option<Event> {
    if parameters.iter().any(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':')) {
        return None;
    }
    let numbers = numbers(parameters);
    let (code, mut modifiers) = (numbers[0], modifiers(numbers.get(1).copied().unwrap_or(1)));
    let code = match letter {
        b'~' if numbers.len() <= 2 => numbered(code)?,
        b'u' => unicode(code, modifiers)?,
        // `ESC [ row ; column R` is where the cursor is, also in row 1: F3 comes without parameters.
        b'R' if !parameters.is_empty() => return None,
        b'Z' => {
            modifiers |= KeyModifiers::SHIFT;
            KeyCode::BackTab
        }
        letter if numbers.len() <= 2 && matches!(code, 0 | 1) => lettered(letter)?,
        _ => return None,
    };
    let kind = match event_type(parameters) {
        0 | 1 => KeyEventKind::Press,
        2 => KeyEventKind::Repeat,
        _ => return None,
    };
    Some(Event::Key(KeyEvent::new_with_kind(code, modifiers, kind)))
}

/// What happened to a key, behind a `:` after its modifiers (kitty's protocol, which a program before may have left on):
/// 1 it was pressed, 2 repeated, 3 let go.
fn event_type(parameters: &[u8]) -> u32 {
    let modifiers = parameters.split(|byte| *byte == b';').nth(1).unwrap_or_default();
    modifiers.split(|byte| *byte == b':').nth(1).map_or(1, |digits| numbers(digits)[0])
}

/// The key of a character in kitty's protocol, which names a capital by its small letter.
fn unicode(code: u32, modifiers: KeyModifiers) -> Option<KeyCode> {
    Some(match char::from_u32(code)? {
        '\r' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\u{1b}' => KeyCode::Esc,
        '\u{7f}' => KeyCode::Backspace,
        // Those beyond are the keys without a character.
        character if character.is_control() || code >= 0xe000 => return None,
        letter if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::Char(letter.to_ascii_uppercase()),
        character => KeyCode::Char(character),
    })
}

/// xterm's modifier parameter: one more than a bit set.
fn modifiers(parameter: u32) -> KeyModifiers {
    let bits = parameter.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, bits & 1 != 0);
    modifiers.set(KeyModifiers::ALT, bits & 2 != 0);
    modifiers.set(KeyModifiers::CONTROL, bits & 4 != 0);
    modifiers
}

/// Parameters separated by `;`; what is no number counts as 0, what is too large as the largest.
fn numbers(parameters: &[u8]) -> Vec<u32> {
    let number = |digits: &[u8]| {
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
    };
    parameters.split(|byte| *byte == b';').map(number).collect()
}

/// `ESC [ M` and three bytes, each 32 too large: the mouse of terminals without SGR reports.
fn old_mouse(bytes: &[u8]) -> Option<Event> {
    let numbers: Vec<_> = bytes.iter().map(|byte| u32::from(byte.saturating_sub(32))).collect();
    mouse(&numbers, false)
}

/// Button code, column, row (both from 1), as xterm's "Mouse Tracking" has them.
fn mouse(numbers: &[u32], released: bool) -> Option<Event> {
    let [code, column, row] = numbers else { return None };
    let button = match code & 3 {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        _ => MouseButton::Right,
    };
    let kind = match (code >> 6 & 3, code & 3, code & 32 != 0) {
        (0, 3, true) => MouseEventKind::Moved,
        (0, 3, false) => MouseEventKind::Up(MouseButton::Left),
        (0, _, true) => MouseEventKind::Drag(button),
        (0, _, false) if released => MouseEventKind::Up(button),
        (0, _, false) => MouseEventKind::Down(button),
        (1, 0, _) => MouseEventKind::ScrollUp,
        (1, 1, _) => MouseEventKind::ScrollDown,
        (1, 2, _) => MouseEventKind::ScrollLeft,
        (1, 3, _) => MouseEventKind::ScrollRight,
        _ => return None,
    };
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, code & 4 != 0);
    modifiers.set(KeyModifiers::ALT, code & 8 != 0);
    modifiers.set(KeyModifiers::CONTROL, code & 16 != 0);
    let cell = |number: u32| u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX);
    Some(Event::Mouse(MouseEvent { kind, column: cell(*column), row: cell(*row), modifiers }))
}

#[cfg(test)]
mod tests;
