//! Held, pasted and typed-ahead keys act on nothing, in the real program.

use std::time::Duration;

use crate::server::Server;
use crate::session::Session;

/// A row is picked, and then: what is written at once, or again and again as a keyboard that is held down sends it.
#[test]
fn keys_that_nobody_can_have_meant_as_a_yes_end_nothing() {
    let mut server = Server::start("spared", "spared");
    let filter = format!("lport:{}", server.port);
    for (what, at_once, held) in [
        ("held K", "j", "K"),
        ("held X", "j", "X"),
        ("held Enter on the menu", "jK", "\r"),
        ("typed ahead", "jK\ry", "y"),
        ("typed ahead, with the second yes", "jKjjj\ryK", "K"),
        ("pasted without brackets", "jK\ryyyyKKKK\r\rjX y\ry", "y"),
        ("pasted with brackets", "jK\r\x1b[200~y\x1b[201~", ""),
        ("repeats of kitty's protocol", "jK\r", "\x1b[121;1:2u"),
        ("replies of the terminal", "jK\r", "\x1b]11;rgb:yyyy/yyyy/yyyy\x07"),
    ] {
        let mut session = Session::conntop(&[&filter], 120, 40);
        session.wait_for_text("spared");
        session.keys(at_once);
        for _ in 0..30 {
            session.keys(held);
            session.watch(Duration::from_millis(33));
        }
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
