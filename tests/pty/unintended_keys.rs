//! Held, pasted and typed-ahead keys act on nothing, in the real program.

use std::time::Duration;

use crate::server::Server;
use crate::session::Session;

/// A row is picked, and then: what is written at once, what is written again and again as a keyboard that is held down sends
/// it, and what is on the screen then, so that the keys have come as far as a question.
#[test]
fn keys_that_nobody_can_have_meant_as_a_yes_end_nothing() {
    let mut server = Server::start("spared", "spared");
    let filter = format!("lport:{}", server.port);
    let (term, kill) = (format!("sends TERM to pid {}", server.pid()), format!("sends KILL to pid {}", server.pid()));
    for (what, at_once, held, question) in [
        ("held K", "j", "K", "ask to end, cleanly"),
        ("held X", "j", "X", "nobody can connect any more"),
        ("held Enter on the menu", "jK", "\r", &term),
        ("typed ahead", "jK\ry", "y", &term),
        ("typed ahead, with the second yes", "jKjjj\ryK", "K", &kill),
        ("pasted without brackets", "jK\ryyyyKKKK\r\rjX y\ry", "y", &term),
        ("pasted with brackets", "jK\r\x1b[200~y\x1b[201~", "", &term),
        ("repeats of kitty's protocol", "jK\r", "\x1b[121;1:2u", &term),
        ("replies of the terminal", "jK\r", "\x1b]11;rgb:yyyy/yyyy/yyyy\x07", &term),
    ] {
        let mut session = Session::conntop(&[&filter], 120, 40);
        session.wait_for_text("spared");
        session.keys(at_once);
        for _ in 0..30 {
            session.keys(held);
            session.watch(Duration::from_millis(33));
        }
        session.wait_for_text(question);
        assert!(server.ended_within(Duration::ZERO).is_none(), "{what}: {}", session.text());
        session.keys("\x03");
        session.wait();
    }
}

#[test]
fn a_dialog_in_a_window_that_became_too_small_does_nothing_until_it_is_large_again() {
    let mut server = Server::start("resized", "resized");
    let mut session = Session::conntop(&[&format!("lport:{}", server.port)], 100, 30);
    session.wait_for_text("resized");
    session.keys("jK\r");
    session.wait_for_text(&format!("sends TERM to pid {}", server.pid()));
    session.resize(30, 8);
    session.wait_for_text("make the");
    session.have_read();
    session.keys("y");
    session.watch(Duration::from_millis(300));
    assert!(server.ended_within(Duration::ZERO).is_none(), "{}", session.text());
    session.resize(100, 30);
    session.wait_for_text("sends TERM to pid");
    session.watch(Duration::from_millis(1_100));
    session.keys("y");
    assert!(server.ended_within(Duration::from_secs(10)).is_some(), "{}", session.text());
}
