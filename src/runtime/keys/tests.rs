//! Bytes as terminals send them, whole and in pieces.

use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Vec<Event> {
    decode_pieces([(Duration::ZERO, bytes)])
}

fn decode_pieces<'a>(pieces: impl IntoIterator<Item = (Duration, &'a [u8])>) -> Vec<Event> {
    fed(&mut Decoder::default(), pieces)
}

/// What `decoder` makes of `pieces`. Each comes so long after the one before; what is due in between is flushed, as the
/// reader does.
fn fed<'a>(decoder: &mut Decoder, pieces: impl IntoIterator<Item = (Duration, &'a [u8])>) -> Vec<Event> {
    let (mut events, mut now) = (Vec::new(), Duration::ZERO);
    for (pause, bytes) in pieces {
        let mut left = pause;
        while let Some(wait) = decoder.wait().filter(|wait| *wait <= left) {
            (now, left) = (now + wait, left.saturating_sub(wait));
            decoder.flush(now, &mut events);
        }
        now += left;
        decoder.feed(bytes, now, &mut events);
    }
    while let Some(wait) = decoder.wait() {
        now += wait;
        decoder.flush(now, &mut events);
    }
    events
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
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
    decoder.feed(b"\x1b", ms(0), &mut events);
    assert!(events.is_empty());
    assert_eq!(decoder.wait(), Some(ESCAPE_WAIT));
    decoder.feed(b"[A", ms(20), &mut events);
    assert_eq!(events, [key(KeyCode::Up, NONE)]);
    assert_eq!(decoder.wait(), None);
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
    // 0x9b alone begins a control sequence, as `ESC [` does.
    assert_eq!(decode(b"\xff\x9b?62cq"), [typed('q')]);
    assert_eq!(decode(b"\x1b[1;2\x1b[Bq"), [key(KeyCode::Down, NONE), typed('q')]);
}

/// What terminals send by themselves, in forms that they have, 7-bit and 8-bit.
const REPLIES: &[&[u8]] = &[
    b"\x1b]11;rgb:1e1e/1e1e/2e2e\x07",
    b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1b]4;1;rgb:cdcd/0000/0000\x9c",
    b"\x1b]52;c;S1h5eXlLS1gK\x07",
    b"\x1b]lK\xc3\x9cX \xe6\xbc\xa2 y\x1b\\",
    b"\x1bP1+r524742=38\x1b\\",
    b"\x1bP>|XTerm(390)\x1b\\",
    b"\x1bP1$r0;1m\x1b\\",
    b"\x1bP!|00000000\x1b\\",
    b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b^a private message, K\ry\x1b\\",
    b"\x1bXa string, X\ry\x1b\\",
    b"\x9d11;rgb:1e1e/1e1e/2e2e\x9c",
    b"\x901+r524742=38\x9c",
    b"\x9fGi=31;OK\x9c",
    b"\x9eK\x9c",
    b"\x98X\x9c",
    b"\xc2\x9d11;rgb:1e1e/1e1e/2e2e\xc2\x9c",
    b"\x1b[12;40R",
    b"\x1b[1;1R",
    b"\x1b[1;5R",
    b"\x1b[?12;40R",
    b"\x1b[?62;1;2;4;6;9;15;16;17;18;21;22;28c",
    b"\x1b[>0;276;0c",
    b"\x1b[0n",
    b"\x1b[?1;0;256S",
    b"\x1b[?2026;2$y",
    b"\x1b[8;40;120t",
    b"\x1b[?31u",
    b"\x1b[I",
    b"\x1b[O",
    b"\x9b?62;4c",
    b"\x9b12;40R",
    b"\x1b[32;10;5M",
    b"\x1b[?62;1;2;4;6;9;15;16;17;18;21;22;28;29;30;31;32;33;34;35;36;37;38;39;40;41;42;43;44;45c",
];

/// Keys, and what they are.
const KEYS: &[(&[u8], KeyCode)] = &[
    (b"K", KeyCode::Char('K')),
    (b"y", KeyCode::Char('y')),
    (b"\r", KeyCode::Enter),
    (b"2", KeyCode::Char('2')),
    (b"/", KeyCode::Char('/')),
    (b"\x1b[A", KeyCode::Up),
    (b"\x1bOB", KeyCode::Down),
    (b"\x1b[20~", KeyCode::F(9)),
    ("漢".as_bytes(), KeyCode::Char('漢')),
];

fn codes(events: &[Event]) -> Vec<KeyCode> {
    events.iter().map(|event| event.as_key_press_event().expect("only keys").code).collect()
}

#[test]
fn no_reply_is_a_key_and_no_key_is_lost_beside_one() {
    for reply in REPLIES {
        for (bytes, code) in KEYS {
            let all = [bytes, *reply, bytes].concat();
            assert_eq!(codes(&decode(&all)), [*code, *code], "{:?}", String::from_utf8_lossy(&all));
        }
    }
}

#[test]
fn a_reply_that_is_torn_apart_after_its_first_bytes_brings_no_more_than_a_key_that_does_nothing() {
    for reply in REPLIES.iter().filter(|reply| reply[0] == ESC && !matches!(reply[1], b'X' | b'^')) {
        for pause in [ms(30), ms(200), ms(400)] {
            let split_reply = decode_pieces([(ms(0), &reply[..1]), (pause, &reply[1..]), (ms(600), b"K")]);
            let more = codes(&split_reply);
            let is_known = matches!(reply[1..], [b'[', b'I' | b'O'] | [b']', b'l', ..]);
            assert!(more == [KeyCode::Esc, KeyCode::Char('K')] || is_known, "{reply:?} {pause:?}: {more:?}");
            let split_reply = decode_pieces([(ms(0), &reply[..2]), (pause, &reply[2..]), (ms(600), b"K")]);
            let alt = key(KeyCode::Char(char::from(reply[1])), KeyModifiers::ALT);
            let unshifted =
                |event: &Event| event.as_key_press_event().map(|key| (key.code, key.modifiers - KeyModifiers::SHIFT));
            let is_known = matches!(reply[1..], [b'[', b'I' | b'O']);
            assert!(
                split_reply.iter().map(unshifted).eq([&alt, &typed('K')].into_iter().map(unshifted)) || is_known,
                "{reply:?} {pause:?}: {split_reply:?}"
            );
        }
    }
}

#[test]
fn alt_and_a_letter_that_opens_replies_is_a_key_while_nothing_follows() {
    for letter in ["]", "P", "_", "^", "X", "[", "O"] {
        let alt = [b"\x1b", letter.as_bytes()].concat();
        let events = decode_pieces([(ms(0), &alt[..]), (ms(100), b"q"), (ms(0), b"j")]);
        let keys: Vec<_> = events.iter().filter_map(Event::as_key_press_event).collect();
        assert_eq!(keys[0].code, KeyCode::Char(letter.chars().next().expect("one")));
        assert!(keys[0].modifiers.contains(KeyModifiers::ALT));
        assert_eq!(codes(&events)[1..], [KeyCode::Char('q'), KeyCode::Char('j')]);
        // Two keys one after the other.
        let events = decode_pieces([(ms(0), &b"\x1b"[..]), (ms(100), letter.as_bytes()), (ms(100), b"q")]);
        assert_eq!(codes(&events), [KeyCode::Esc, keys[0].code, KeyCode::Char('q')], "{letter}");
    }
}

#[test]
fn a_reply_that_was_cut_short_swallows_for_a_moment_and_never_ctrl_c_or_esc() {
    for reply in REPLIES {
        for len in 2..reply.len() {
            let cut = &reply[..len];
            // What follows a whole sequence, or less than a character, is a case of its own.
            if decode(cut).iter().any(|event| !matches!(event, Event::Key(_))) || cut.ends_with(b"\x1b") {
                continue;
            }
            let later = decode_pieces([(ms(0), cut), (SEQUENCE_WAIT, b"K")]);
            assert_eq!(codes(&later).last(), Some(&KeyCode::Char('K')), "{:?}", String::from_utf8_lossy(cut));
            let stop = decode_pieces([(ms(0), cut), (ms(1), b"\x03")]);
            assert_eq!(stop.last(), Some(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)), "{cut:?}");
            let back = decode_pieces([(ms(0), cut), (ms(1), b"\x1b")]);
            assert_eq!(codes(&back).last(), Some(&KeyCode::Esc), "{cut:?}");
            let up = decode_pieces([(ms(0), cut), (ms(1), b"\x1b[A")]);
            assert_eq!(codes(&up).last(), Some(&KeyCode::Up), "{cut:?}");
        }
    }
}

#[test]
fn whoever_holds_a_key_down_after_a_reply_that_was_cut_short_is_heard_in_the_end() {
    let held = std::iter::repeat_n((ms(33), &b"j"[..]), 200);
    let events = decode_pieces(std::iter::once((ms(0), &b"\x1b]11;rgb:"[..])).chain(held));
    assert!(events.len() > 50, "{} of 200", events.len());
}

#[test]
fn a_long_reply_is_swallowed_as_long_as_it_comes_fast() {
    let text = vec![b'K'; 4_096];
    let pieces = std::iter::repeat_n((ms(100), &text[..]), 200);
    let begin = std::iter::once((ms(0), &b"\x1b]52;c;"[..]));
    let events = decode_pieces(begin.chain(pieces).chain([(ms(10), &b"\x07q"[..])]));
    assert_eq!(events, [typed('q')]);
}

#[test]
fn a_paste_into_which_the_terminal_answers_keeps_what_was_pasted() {
    assert_eq!(
        decode(b"\x1b[200~state:\x1b]11;rgb:1e1e/1e1e/2e2e\x07close\x1bP1+r38\x1b\\-wait\x1b[201~"),
        [Event::Paste("state:close-wait".into())]
    );
    assert_eq!(decode(b"\x1b[200~a\x1b]b\x1b[201~"), [Event::Paste("a\x1b]b".into())], "no end, no string");
}

#[test]
fn keys_of_kittys_protocol_are_keys_and_its_releases_are_not() {
    let shift = KeyModifiers::SHIFT;
    assert_eq!(decode(b"\x1b[107;2u"), [key(KeyCode::Char('K'), shift)]);
    assert_eq!(decode(b"\x1b[99;5u"), [key(KeyCode::Char('c'), KeyModifiers::CONTROL)]);
    assert_eq!(decode(b"\x1b[13u\x1b[27u"), [key(KeyCode::Enter, NONE), key(KeyCode::Esc, NONE)]);
    assert_eq!(decode(b"\x1b[121;1:3u\x1b[1;1:3A\x1b[57441;2u"), []);
    let repeat = |code| Event::Key(KeyEvent::new_with_kind(code, NONE, KeyEventKind::Repeat));
    assert_eq!(decode(b"\x1b[121;1:2u\x1b[1;1:2A"), [repeat(KeyCode::Char('y')), repeat(KeyCode::Up)]);
}

fn reply() -> impl Strategy<Value = Vec<u8>> {
    // A body without BEL, ST, ESC and the controls that no string holds.
    let body = "[ -~äÜ漢]{1,40}".prop_map(String::into_bytes);
    let string =
        (proptest::sample::select(vec!["]", "P", "_", "^", "X"]), body, 0..3u8).prop_map(|(open, body, end)| {
            let end: &[u8] = [&b"\x07"[..], b"\x1b\\", b"\x9c"][usize::from(end)];
            [b"\x1b", open.as_bytes(), &body, end].concat()
        });
    let sequence = ("[<=>?][0-9;:]{0,20}", "[ !$']{0,2}", "[@-Lj-ln-~]").prop_map(|(parameters, between, last)| {
        [b"\x1b[", parameters.as_bytes(), between.as_bytes(), last.as_bytes()].concat()
    });
    prop_oneof![proptest::sample::select(REPLIES).prop_map(<[u8]>::to_vec), string, sequence]
}

fn terminal_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b[200~".to_vec()),
        Just(b"\x1b[201~".to_vec()),
        Just(b"\x1b[<0;1;1M".to_vec()),
        reply(),
        "\\PC{0,3}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_does_not_matter(bytes in terminal_like(), cut in 0usize..80) {
        let whole = decode(&bytes);
        let (left, right) = bytes.split_at(cut.min(bytes.len()));
        prop_assert_eq!(decode_pieces([(ms(0), left), (ms(0), right)]), whole);
    }

    #[test]
    fn replies_between_keys_byte_by_byte_and_slowly_leave_exactly_the_keys(
        parts in proptest::collection::vec((proptest::sample::select(KEYS), reply(), 0u64..60, 0u64..25), 1..8),
    ) {
        let mut expected = Vec::new();
        let mut pieces: Vec<(Duration, Vec<u8>)> = Vec::new();
        for ((bytes, code), reply, slow, quick) in parts {
            expected.push(code);
            // All of a reply comes within the time that is given to one (`STRING_TIME`).
            let slow = slow.min(3_000 / reply.len() as u64);
            pieces.push((ms(slow), bytes.to_vec()));
            let pauses = [slow, quick, quick].into_iter().chain(std::iter::repeat(slow));
            pieces.extend(reply.iter().zip(pauses).map(|(byte, pause)| (ms(pause), vec![*byte])));
        }
        let events = decode_pieces(pieces.iter().map(|(pause, bytes)| (*pause, &bytes[..])));
        prop_assert_eq!(codes(&events), expected);
    }
}

/// What came of an answer to the question for the background in `pieces`: the background, and what counts as typed.
fn answered<'a>(pieces: impl IntoIterator<Item = (Duration, &'a [u8])>) -> (Option<Rgb>, Vec<Event>) {
    let mut decoder = Decoder::default();
    decoder.expect_background(ANSWER_WAIT);
    let events = fed(&mut decoder, pieces);
    (decoder.take_background(), events)
}

const ANSWERS: [&[u8]; 4] = [
    b"\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\",
    b"\x1b]11;rgb:fdfd/f6f6/e3e3\x07",
    b"\x9d11;rgb:fd/f6/e3\x9c",
    b"\xc2\x9d11;rgb:fdfd/f6f6/e3e3\xc2\x9c",
];

#[test]
fn the_background_is_told_however_the_answer_is_torn_apart_and_nothing_of_it_is_typed() {
    for answer in ANSWERS {
        for at in 0..answer.len() {
            let (first, rest) = answer.split_at(at);
            for pause in [0, 10, 30, 200, 400] {
                let told = answered([(ms(20), first), (ms(pause), rest)]);
                assert_eq!(told, (Some([0xfd, 0xf6, 0xe3]), Vec::new()), "{at} {pause} {answer:?}");
            }
        }
    }
}

#[test]
fn an_answer_that_comes_too_late_is_swallowed() {
    for answer in ANSWERS {
        assert_eq!(answered([(ANSWER_WAIT, answer)]), (None, Vec::new()));
        assert_eq!(answered([(ms(3_000), answer)]), (None, Vec::new()));
        // It began in time.
        for at in 1..answer.len() {
            let (first, rest) = answer.split_at(at);
            let told = answered([(ms(400), first), (ms(110), rest)]);
            assert_eq!(told.0, None);
            let keys = told.1.iter().filter(|event| **event != key(KeyCode::Esc, NONE)).count();
            assert_eq!(keys, 0, "{at} {answer:?} {:?}", told.1);
        }
    }
}

#[test]
fn keys_are_keys_while_the_background_is_awaited() {
    let (told, events) = answered([(ms(5), &b"j"[..]), (ms(5), b"\x1b[A"), (ms(5), ANSWERS[0]), (ms(5), b"q\x1b")]);
    assert_eq!(told, Some([0xfd, 0xf6, 0xe3]));
    let typed = [KeyCode::Char('j'), KeyCode::Up, KeyCode::Char('q'), KeyCode::Esc].map(|code| key(code, NONE));
    assert_eq!(events, typed);
    let (told, events) = answered([(ms(5), &b"\x1b"[..])]);
    assert_eq!((told, events), (None, vec![key(KeyCode::Esc, NONE)]), "Esc is told once nothing can follow it");
    let other = answered([(ms(5), &b"\x1b]10;rgb:0/0/0\x07"[..]), (ms(5), ANSWERS[1])]);
    assert_eq!(other, (Some([0xfd, 0xf6, 0xe3]), Vec::new()));
    let mut unasked = Decoder::default();
    unasked.feed(ANSWERS[0], ms(0), &mut Vec::new());
    assert_eq!(unasked.take_background(), None, "nobody asked");
}
