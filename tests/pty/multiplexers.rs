//! conntop inside tmux and inside GNU screen, which draw its screen anew and answer its questions in their own way.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use crate::session::{Control, Session};

const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");
const SIZE: (u16, u16) = (80, 24);

/// A folder of the test's own for the multiplexer's socket, which nobody else may enter.
fn own_folder() -> TempDir {
    let folder = TempDir::new().expect("a folder for a socket");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).expect("it is ours");
    folder
}

fn in_tmux(folder: &TempDir) -> Session {
    let mut tmux = Command::new("tmux");
    tmux.env("TMUX_TMPDIR", folder.path()).env_remove("TMUX").env("LC_ALL", "C.UTF-8");
    tmux.args(["-u", "-f", "/dev/null", "new-session", CONNTOP, "--demo"]);
    Session::start(&tmux, Control::Controlling, SIZE)
}

fn in_screen(folder: &TempDir) -> Session {
    let mut screen = Command::new("screen");
    screen.env("SCREENDIR", folder.path()).env_remove("STY").env("LC_ALL", "C.UTF-8");
    screen.args(["-U", "-c", "/dev/null", "-q", CONNTOP, "--demo"]);
    Session::start(&screen, Control::Controlling, SIZE)
}

/// The first look, a filter, a detail, a larger window, and the way out.
fn story(mut session: Session) {
    session.wait_for_text("accept queue full");
    assert_readable(&session);

    session.keys("/process:jdbc-pool state:close-wait\r");
    session.wait_until("only the leak is left", |session| {
        let text = session.text();
        text.contains("never closed") && !text.contains("backup-agent")
    });
    // An escape that waits for more bytes would swallow the key behind it.
    session.keys("\x1b");
    session.wait_until("Esc has removed the filter", |session| session.text().contains("backup-agent"));

    session.keys("\x1b[B\r");
    session.wait_until("Enter has opened it", |session| !session.text().contains("backup-agent"));
    session.keys("\x1b");
    session.wait_for_text("backup-agent");

    session.resize(120, 40);
    session.wait_for_text(" TREND ");
    assert_readable(&session);

    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    // What is given back is the multiplexer's terminal.
    assert!(!session.is_on_screen(), "the alternate screen is left");
}

/// What a terminal answers, and sequences that the multiplexer does not know, are not on the screen.
fn assert_readable(session: &Session) {
    let text = session.text();
    for rest in ["]11;", "rgb:", "?2026", "?1004", "[I", "_G"] {
        assert!(!text.contains(rest), "{rest:?} is on the screen:\n{text}");
    }
    assert!(text.contains('▲') && text.contains('─'), "the characters are those that were sent:\n{text}");
}

#[test]
fn inside_tmux_it_looks_and_answers_as_outside() {
    let folder = own_folder();
    story(in_tmux(&folder));
}

#[test]
fn inside_gnu_screen_it_looks_and_answers_as_outside() {
    let folder = own_folder();
    story(in_screen(&folder));
}
