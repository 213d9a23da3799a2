//! The theme on a terminal: as the background is, as the environment says, and chosen by hand.

use std::fs;
use std::process::Command;

use crate::session::{Control, Session};

const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");

/// The backgrounds of the themes `light` and `dark`, as a terminal of 16 million colours is told them.
const LIGHT: &[u8] = b"48;2;250;250;250";
const DARK: &[u8] = b"48;2;20;23;28";
const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";

/// The demo with these arguments and environment.
fn demo(arguments: &[&str], environment: &[(&str, &str)]) -> Session {
    let mut command = Command::new(CONNTOP);
    command.arg("--demo").args(arguments).env("COLORTERM", "truecolor");
    command.envs(environment.iter().copied());
    Session::start(&command, Control::Controlling, (80, 24))
}

fn has_written(session: &Session, bytes: &[u8]) -> bool {
    session.bytes().windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn the_theme_follows_the_background_that_the_terminal_tells() {
    for (answer, told, other) in
        [("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", LIGHT, DARK), ("\x1b]11;rgb:0000/0000/0000\x07", DARK, LIGHT)]
    {
        let mut session = demo(&["--theme", "auto"], &[]);
        session.wait_until("the question", |session| has_written(session, QUESTION));
        session.keys(answer);
        session.wait_until("the theme", |session| has_written(session, told));
        assert!(!has_written(&session, other));
        session.keys("q");
        assert_eq!(session.wait().code(), Some(0));
        session.assert_restored();
    }
}

/// Nobody waits for a terminal that says nothing, and no letter of an answer that comes after all gets into the filter line.
#[test]
fn the_screen_does_not_wait_for_the_answer_and_never_takes_it_for_keys() {
    let mut session = demo(&["--theme", "auto"], &[]);
    session.wait_for_text("jdbc-pool");
    session.keys("/");
    session.wait_for_text("apply");
    session.keys("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    session.have_read();
    session.keys("lport");
    session.wait_for_text("/ lport");
    assert!(!session.text().contains("rgb"), "{}", session.text());
    session.keys("\x03");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

/// Who quits before the terminal has answered finds nothing typed into the shell.
#[test]
fn an_answer_that_comes_while_conntop_ends_is_read_by_it() {
    let mut session = demo(&["--theme", "auto"], &[]);
    session.wait_until("the question", |session| has_written(session, QUESTION));
    session.keys("q");
    session.keys("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
    assert_eq!(session.unread(), 0, "bytes that wait for the next reader");
}

#[test]
fn only_auto_asks_and_only_where_it_matters() {
    for (arguments, environment) in [
        (&["--theme", "default"][..], &[][..]),
        (&["--theme", "dark"], &[]),
        (&["--theme", "auto"], &[("TERM", "linux")]),
        (&["--theme", "auto"], &[("NO_COLOR", "1")]),
        (&["--theme", "auto", "--color", "never"], &[]),
    ] {
        let mut session = demo(arguments, environment);
        session.wait_for_text("jdbc-pool");
        assert!(!has_written(&session, b"\x1b]"), "{arguments:?} {environment:?}");
        session.keys("q");
        assert_eq!(session.wait().code(), Some(0));
    }
}

#[test]
fn colours_are_written_as_the_terminal_has_them() {
    for (environment, written, not_written) in [
        (&[][..], DARK, &b"48;5;"[..]),
        (&[("COLORTERM", "")], b"48;5;", b"48;2;"),
        (&[("TERM", "linux")], b"\x1b[1;36m", b"48;"),
        (&[("NO_COLOR", "1")], b"\x1b[1m", b"36m"),
        (&[("NO_COLOR", "")], DARK, b"48;5;"),
    ] {
        let mut session = demo(&["--theme", "dark"], environment);
        session.wait_for_text("jdbc-pool");
        assert!(has_written(&session, written) && !has_written(&session, not_written), "{environment:?}");
        session.keys("q");
        assert_eq!(session.wait().code(), Some(0));
    }
    // The command line counts more than the environment.
    let mut session = demo(&["--theme", "dark", "--color", "always"], &[("NO_COLOR", "1")]);
    session.wait_until("colours", |session| has_written(session, DARK));
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
}

#[test]
fn a_theme_is_chosen_from_the_menu_and_shown_meanwhile() {
    let mut session = demo(&[], &[]);
    session.wait_for_text("jdbc-pool");
    session.keys("T");
    session.wait_for_text("high-contrast");
    assert!(!has_written(&session, DARK));
    session.keys("jj");
    session.wait_until("the preview", |session| has_written(session, DARK));
    session.keys("\r");
    session.wait_until("the menu is closed", |session| !session.text().contains("high-contrast"));
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn themes_of_the_user_are_in_the_menu_and_one_that_is_wrong_is_left_out_with_a_sentence() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let folder = home.path().join(".config/conntop/themes");
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join("mine.toml"), "about = \"as I like it\"\nbase = \"dark\"\n").expect("writable");
    fs::write(folder.join("wrong.toml"), "base = \"drak\"\n").expect("writable");
    // That of conntop counts.
    fs::write(folder.join("light.toml"), "base = \"drak\"\n").expect("writable");
    let mut command = Command::new(CONNTOP);
    command.args(["--demo", "--theme", "mine"]).env("COLORTERM", "truecolor").env("HOME", home.path());
    command.env_remove("XDG_CONFIG_HOME");
    let mut session = Session::start(&command, Control::Controlling, (200, 40));
    session.wait_for_text("wrong.toml, line 1: unknown theme 'drak'; did you mean 'dark'?; it is left out");
    assert!(has_written(&session, DARK));
    session.keys("T");
    session.wait_for_text("✓ mine");
    let screen = session.text();
    assert!(screen.contains("as I like it") && !screen.contains("  wrong "), "{screen}");
    session.keys("\x03");
    assert_eq!(session.wait().code(), Some(0));
}
