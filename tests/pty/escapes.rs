//! Nothing that another process chooses (its name, its arguments) can steer the terminal.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::session::{DEADLINE, Session};

/// Sets the window title; 15 bytes, the most that a name holds. No slash, as it is a file name.
const EVIL_NAME: &[u8] = b"\x1b]0;PWNED\x07\x9b7m";
/// The clipboard (OSC 52), C1 CSI in UTF-8, right-to-left override, DCS, APC, a line feed, invalid UTF-8.
const EVIL_ARGUMENT: &[u8] =
    b"srv\x1b]52;c;UFdORUQ=\x07\xc2\x9b31m\xe2\x80\xaegnp.exe\x1bPq\x1b\\\x1b_x\x1b\\\n\xff\xfe\xef\xbb\xbf\xe2\x81\xa6";

fn evil_server() -> Server {
    Server::start(OsStr::from_bytes(EVIL_NAME), OsStr::from_bytes(EVIL_ARGUMENT))
}

/// Characters that reorder or hide what follows them, and C1 controls.
fn is_treacherous(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What in `bytes` is neither text nor one of the sequences that conntop writes itself.
fn foreign_sequences(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|byte| *byte == 0x1b) {
        rest = &rest[start..];
        let len = match rest.get(1) {
            Some(b'[') => rest[2..].iter().position(|byte| (0x40..=0x7e).contains(byte)).map_or(2, |end| end + 3),
            _ => 2,
        };
        let sequence = &rest[..len.min(rest.len())];
        if !is_own(sequence) {
            found.push(format!("{:?}", String::from_utf8_lossy(sequence)));
        }
        rest = &rest[len.min(rest.len())..];
    }
    let text = String::from_utf8_lossy(bytes);
    found.extend(text.chars().filter(|character| is_treacherous(*character)).map(|character| format!("{character:?}")));
    let controls = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\x1b' | b'\r' | b'\n') || *byte == 0x7f;
    found.extend(bytes.iter().copied().filter(controls).map(|byte| format!("\\x{byte:02x}")));
    found
}

/// Looks (m), cursor (H, C), erasing (J, K) and the modes that are set on the way in and out.
fn is_own(sequence: &[u8]) -> bool {
    let Some(body) = sequence.strip_prefix(b"\x1b[") else { return false };
    let Some((last, parameters)) = body.split_last() else { return false };
    match last {
        b'm' | b'H' | b'C' | b'J' | b'K' => parameters.iter().all(|byte| byte.is_ascii_digit() || *byte == b';'),
        b'h' | b'l' => [&b"?1049"[..], b"?25", b"?2004", b"?1000", b"?1002", b"?1006"].contains(&parameters),
        _ => false,
    }
}

#[test]
fn the_checker_finds_what_it_is_there_for() {
    assert_eq!(foreign_sequences(b"\x1b[1;31mred\x1b[m\x1b[3;4Hx\r\n\x1b[?25l"), Vec::<String>::new());
    for evil in [EVIL_NAME, EVIL_ARGUMENT, b"\x1b[6n", b"\x1b[?1003h", b"\x1bc", b"\x08", "\u{202e}".as_bytes()] {
        assert!(!foreign_sequences(evil).is_empty(), "{:?}", String::from_utf8_lossy(evil));
    }
}

#[test]
fn no_view_lets_an_escape_through() {
    let server = evil_server();
    let filter = format!("lport:{}", server.port);
    // Wide enough for the name beside the columns that only the trace fills.
    let mut session = Session::conntop(&[&filter], 140, 40);
    session.wait_for_text("PWNED");
    // Every tab, the detail view, the kill dialog, a filter on the name, the help; and whether the name is on the screen then.
    for (keys, shows_name) in [
        ("j\r", true),
        ("\x1b", true),
        ("2", true),
        ("3", false),
        ("4", true),
        ("5", false),
        ("8", false),
        ("1", true),
        ("K\r", true),
        ("\x1b\x1b", true),
        ("/process:PWNED\r", true),
        ("?", false),
        ("\x1b", true),
    ] {
        session.keys(keys);
        session.watch(Duration::from_millis(150));
        if shows_name {
            session.wait_for_text("PWNED");
        }
    }
    session.keys("\x03");
    session.wait();
    assert_eq!(foreign_sequences(&session.bytes), Vec::<String>::new());
}

#[test]
fn no_output_lets_an_escape_through() {
    let server = evil_server();
    let filter = format!("lport:{}", server.port);
    for format in ["text", "json", "ndjson", "csv"] {
        let list = || {
            let mut conntop = Command::new(env!("CARGO_BIN_EXE_conntop"));
            conntop.args(["list", &filter, "--format", format]).output().expect("conntop runs")
        };
        let names_it = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("PWNED");
        // A child that another test starts at this moment holds the listener, too, until its exec.
        let (mut output, deadline) = (list(), Instant::now() + DEADLINE);
        while !names_it(&output) {
            assert!(Instant::now() < deadline, "{format}: {output:?}");
            output = list();
        }
        assert_eq!(foreign_sequences(&output.stdout), Vec::<String>::new(), "{format}");
    }
}
