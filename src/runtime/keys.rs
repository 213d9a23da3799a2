//! Bytes of a terminal in, events out: a total function over whatever arrives, in whatever pieces.
//!
//! Why not crossterm's reader: it spins for ever when the terminal vanishes (crossterm#793), loses what is beyond
//! 1,024 bytes of a paste until the next key, and may start `tput`. Its event types are kept.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// The longest control sequence that is kept; a longer one is thrown away as noise.
const SEQUENCE_LEN_MAX: usize = 64;
/// The longest paste, in bytes; the rest is thrown away.
pub const PASTE_LEN_MAX: usize = 64 * 1024;

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Takes terminal input apart.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes of a sequence that is not complete yet.
    pending: Vec<u8>,
    /// What was pasted so far, between the brackets of a bracketed paste.
    paste: Option<Vec<u8>>,
}

/// What the first bytes of the input are.
enum Found {
    /// This many bytes make this event, or nothing that is known.
    Event(usize, Option<Event>),
    /// A paste begins after this many bytes.
    Paste(usize),
    /// More bytes are needed.
    Incomplete,
}

impl Decoder {
    /// Takes `bytes` in and appends what they complete to `events`.
    pub fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        for byte in bytes {
            if self.paste.is_some() {
                self.feed_paste(*byte, events);
            } else {
                self.pending.push(*byte);
                self.decode(false, events);
            }
        }
    }

    /// Whether a part of a sequence waits for the rest.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether a paste has begun and not ended.
    pub fn is_pasting(&self) -> bool {
        self.paste.is_some()
    }

    /// Nothing more came for a while: a lone escape was the Esc key, an open paste is over.
    pub fn flush(&mut self, events: &mut Vec<Event>) {
        self.decode(true, events);
        self.pending.clear();
        self.end_paste(events);
    }

    fn decode(&mut self, last: bool, events: &mut Vec<Event>) {
        while !self.pending.is_empty() {
            match first(&self.pending, last) {
                Found::Incomplete if self.pending.len() < SEQUENCE_LEN_MAX => return,
                Found::Incomplete => self.pending.clear(),
                Found::Event(len, event) => {
                    self.pending.drain(..len);
                    events.extend(event);
                }
                Found::Paste(len) => {
                    self.pending.drain(..len);
                    self.paste = Some(Vec::new());
                    return;
                }
            }
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
            events.push(Event::Paste(String::from_utf8_lossy(&paste).into_owned()));
        }
    }
}

/// What `bytes` (not empty) begin with; `last` says that nothing follows them.
fn first(bytes: &[u8], last: bool) -> Found {
    match bytes {
        [ESC] if last => Found::Event(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESC, b'[' | b'O'] if last => Found::Event(2, with_alt(&bytes[1..])),
        [ESC] | [ESC, b'O'] => Found::Incomplete,
        // Two escapes are two keys, or the second one begins something.
        [ESC, ESC, ..] => Found::Event(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESC, b'[', rest @ ..] => control_sequence(rest),
        [ESC, b'O', letter, ..] => Found::Event(3, single_shift(*letter)),
        [ESC, rest @ ..] => match character(rest, last) {
            Found::Event(len, _) => Found::Event(len + 1, with_alt(&rest[..len])),
            other => other,
        },
        _ => character(bytes, last),
    }
}

fn with_alt(bytes: &[u8]) -> Option<Event> {
    match character(bytes, true) {
        Found::Event(_, Some(Event::Key(event))) => Some(key(event.code, event.modifiers | KeyModifiers::ALT)),
        _ => None,
    }
}

/// One key that is no sequence: a control character or a character in UTF-8.
fn character(bytes: &[u8], last: bool) -> Found {
    let code = match bytes[0] {
        b'\r' => KeyCode::Enter,
        b'\t' => KeyCode::Tab,
        0x08 | 0x7f => KeyCode::Backspace,
        ESC => KeyCode::Esc,
        0 => return Found::Event(1, Some(key(KeyCode::Char(' '), KeyModifiers::CONTROL))),
        byte @ 0x01..=0x1a => {
            return Found::Event(1, Some(key(KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL)));
        }
        // Ctrl-\ to Ctrl-_ share their codes with Ctrl-4 to Ctrl-7; crossterm names the digits.
        byte @ 0x1c..=0x1f => {
            return Found::Event(1, Some(key(KeyCode::Char(char::from(byte - 0x1c + b'4')), KeyModifiers::CONTROL)));
        }
        byte => return utf8(byte, bytes, last),
    };
    Found::Event(1, Some(key(code, KeyModifiers::NONE)))
}

fn utf8(lead: u8, bytes: &[u8], last: bool) -> Found {
    let len = match lead {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Found::Event(1, None),
    };
    match std::str::from_utf8(&bytes[..len.min(bytes.len())]) {
        Ok(text) => Found::Event(len, text.chars().next().filter(|character| !character.is_control()).map(typed)),
        Err(error) if error.error_len().is_none() && !last => Found::Incomplete,
        Err(_) => Found::Event(1, None),
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
fn control_sequence(rest: &[u8]) -> Found {
    // The Linux console's F1 to F5.
    if rest.first() == Some(&b'[') {
        return match rest.get(1) {
            None => Found::Incomplete,
            Some(letter @ b'A'..=b'E') => Found::Event(4, Some(key(KeyCode::F(letter - b'A' + 1), KeyModifiers::NONE))),
            Some(_) => Found::Event(4, None),
        };
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return Found::Incomplete;
    };
    let (parameters, len) = (&rest[..end], 2 + end + 1);
    match rest[end] {
        b'M' if parameters.is_empty() => match rest.get(end + 1..end + 4) {
            Some(bytes) => Found::Event(len + 3, old_mouse(bytes)),
            None => Found::Incomplete,
        },
        letter @ (b'M' | b'm') if parameters.first() == Some(&b'<') => {
            Found::Event(len, mouse(&numbers(&parameters[1..]), letter == b'm'))
        }
        b'~' if numbers(parameters).first() == Some(&200) => Found::Paste(len),
        letter @ 0x40..=0x7e => Found::Event(len, function_key(&numbers(parameters), letter)),
        // A byte that cannot be in a sequence ends it; it may begin the next one.
        _ => Found::Event(len - 1, None),
    }
}

fn function_key(numbers: &[u32], letter: u8) -> Option<Event> {
    let modifiers = modifiers(numbers.get(1).copied().unwrap_or(1));
    let code = match letter {
        b'~' => numbered(*numbers.first()?)?,
        b'Z' => return Some(key(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT)),
        // `ESC [ row ; column R` would be an answer about the cursor, which is never asked for.
        letter => lettered(letter)?,
    };
    Some(key(code, modifiers))
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        decoder.feed(bytes, &mut events);
        decoder.flush(&mut events);
        events
    }

    fn keys(bytes: &[u8]) -> Vec<(KeyCode, KeyModifiers)> {
        let key = |event: &Event| event.as_key_press_event().map(|key| (key.code, key.modifiers));
        decode(bytes).iter().map(|event| key(event).expect("only keys")).collect()
    }

    const NONE: KeyModifiers = KeyModifiers::NONE;

    #[test]
    fn keys_as_terminals_send_them() {
        for (bytes, code, modifiers) in [
            (&b"q"[..], KeyCode::Char('q'), NONE),
            (b"K", KeyCode::Char('K'), KeyModifiers::SHIFT),
            ("é".as_bytes(), KeyCode::Char('é'), NONE),
            ("漢".as_bytes(), KeyCode::Char('漢'), NONE),
            (b"\r", KeyCode::Enter, NONE),
            (b"\x7f", KeyCode::Backspace, NONE),
            (b"\x03", KeyCode::Char('c'), KeyModifiers::CONTROL),
            (b"\x1a", KeyCode::Char('z'), KeyModifiers::CONTROL),
            (b"\x1b", KeyCode::Esc, NONE),
            (b"\x1bj", KeyCode::Char('j'), KeyModifiers::ALT),
            (b"\x1b[A", KeyCode::Up, NONE),
            (b"\x1bOB", KeyCode::Down, NONE),
            (b"\x1b[1;5C", KeyCode::Right, KeyModifiers::CONTROL),
            (b"\x1b[5~", KeyCode::PageUp, NONE),
            (b"\x1b[20~", KeyCode::F(9), NONE),
            (b"\x1bOP", KeyCode::F(1), NONE),
            (b"\x1b[[A", KeyCode::F(1), NONE),
            (b"\x1b[15~", KeyCode::F(5), NONE),
            (b"\x1b[24~", KeyCode::F(12), NONE),
            (b"\x1b[Z", KeyCode::BackTab, KeyModifiers::SHIFT),
        ] {
            assert_eq!(keys(bytes), [(code, modifiers)], "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_lone_escape_waits_for_the_rest_until_it_is_flushed() {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        decoder.feed(b"\x1b", &mut events);
        assert!(events.is_empty() && decoder.is_waiting());
        decoder.feed(b"[A", &mut events);
        assert_eq!(events, [key(KeyCode::Up, NONE)]);
        assert!(!decoder.is_waiting());
    }

    #[test]
    fn two_escapes_are_two_keys() {
        assert_eq!(keys(b"\x1b\x1b"), [(KeyCode::Esc, NONE), (KeyCode::Esc, NONE)]);
    }

    #[test]
    fn the_mouse_clicks_and_scrolls() {
        let mouse = |bytes: &[u8]| match decode(bytes)[..] {
            [Event::Mouse(event)] => (event.kind, event.column, event.row),
            ref other => panic!("{other:?}"),
        };
        assert_eq!(mouse(b"\x1b[<0;10;5M"), (MouseEventKind::Down(MouseButton::Left), 9, 4));
        assert_eq!(mouse(b"\x1b[<0;10;5m"), (MouseEventKind::Up(MouseButton::Left), 9, 4));
        assert_eq!(mouse(b"\x1b[<65;1;300M"), (MouseEventKind::ScrollDown, 0, 299));
        assert_eq!(mouse(b"\x1b[<64;1;1M"), (MouseEventKind::ScrollUp, 0, 0));
        assert_eq!(mouse(b"\x1b[M !!"), (MouseEventKind::Down(MouseButton::Left), 0, 0));
    }

    #[test]
    fn a_paste_is_one_event_and_its_escapes_are_no_keys() {
        assert_eq!(decode(b"\x1b[200~a\x1b[Ab\x1b[201~q"), [Event::Paste("a\x1b[Ab".into()), typed('q')]);
    }

    #[test]
    fn a_paste_is_capped_and_still_ends() {
        let mut bytes = b"\x1b[200~".to_vec();
        bytes.resize(bytes.len() + 3 * PASTE_LEN_MAX, b'x');
        bytes.extend(b"\x1b[201~q");
        let events = decode(&bytes);
        let [Event::Paste(text), last] = &events[..] else { panic!("{} events", events.len()) };
        assert_eq!(text.len(), PASTE_LEN_MAX);
        assert_eq!(*last, typed('q'));
    }

    #[test]
    fn unknown_sequences_and_answers_are_swallowed_whole() {
        assert_eq!(decode(b"\x1b[?62;4cq"), [typed('q')]);
        assert_eq!(decode(b"\x1b[I\x1b[Oq"), [typed('q')]);
        assert_eq!(decode(b"\x1b[99999999999999;9~q"), [typed('q')]);
        assert_eq!(decode(b"\xff\x9bq"), [typed('q')]);
        assert_eq!(decode(b"\x1b[1;2\x1b[Bq"), [key(KeyCode::Down, NONE), typed('q')]);
    }

    fn terminal_like() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..6),
            Just(b"\x1b[".to_vec()),
            Just(b"\x1b[200~".to_vec()),
            Just(b"\x1b[201~".to_vec()),
            Just(b"\x1b[<0;1;1M".to_vec()),
            "\\PC{0,3}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(bytes in terminal_like(), cut in 0usize..80) {
            let whole = decode(&bytes);
            let mut decoder = Decoder::default();
            let mut events = Vec::new();
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            decoder.feed(left, &mut events);
            decoder.feed(right, &mut events);
            decoder.flush(&mut events);
            prop_assert_eq!(events, whole);
            prop_assert!(!decoder.is_waiting() && !decoder.is_pasting());
        }
    }
}
