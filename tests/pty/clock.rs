//! The clock of the screen: a real recording is gone about in by keys and mouse, and a live screen goes back and comes to now.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::session::Session;

const END: &str = "\x1b[F";

/// Records 40 seconds of the made-up machine.
fn recorded(directory: &Path) -> String {
    let file = directory.join("demo.conntop").to_str().expect("UTF-8").to_owned();
    let output = Command::new(env!("CARGO_BIN_EXE_conntop"))
        .args(["record", "--source", "synthetic:7", "--interval", "0.1", "--count", "40", &file])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

/// The position that the header tells, such as `0:12`.
fn position(session: &Session) -> Option<u32> {
    let text = session.text();
    let (before, _) = text.split_once(" of 0:39")?;
    let (minutes, seconds) = before.rsplit(' ').next()?.split_once(':')?;
    Some(minutes.parse::<u32>().ok()? * 60 + seconds.parse::<u32>().ok()?)
}

fn wait_for_position(session: &mut Session, wanted: u32) {
    session.wait_until(&format!("the clock is at {wanted} s"), |session| position(session) == Some(wanted));
}

#[test]
fn a_recording_is_gone_about_in_by_keys_and_by_dragging_its_bar() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = recorded(directory.path());
    let mut session = Session::conntop(&["replay", &file, "--at", "+10s"], 120, 40);
    session.wait_until("it begins where it was told to", |session| position(session).is_some_and(|at| at >= 10));
    session.keys("z");
    session.wait_for_text("paused");
    session.keys("g+20s\r");
    wait_for_position(&mut session, 20);
    session.keys("[");
    wait_for_position(&mut session, 19);
    session.keys("[");
    wait_for_position(&mut session, 18);
    session.keys("]");
    wait_for_position(&mut session, 19);
    session.keys("{");
    wait_for_position(&mut session, 0);
    // The bar is the second line; its ends are the ends of the recording.
    session.keys("\x1b[<0;60;2M");
    session.wait_until("the bar was clicked", |session| position(session).is_some_and(|at| (15..25).contains(&at)));
    session.keys("\x1b[<32;90;2M\x1b[<32;30;2M");
    session.wait_until("the bar was dragged", |session| position(session).is_some_and(|at| (5..10).contains(&at)));
    session.keys("\x1b[<0;30;2m");
    session.keys(END);
    wait_for_position(&mut session, 39);
    session.wait_for_text("ended");
    session.keys("gnoon\r");
    session.wait_for_text("'noon' is no time");
    session.keys("\x1b");
    session.wait_until("the prompt is gone", |session| !session.text().contains("go to: noon"));
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn a_time_outside_of_the_recording_is_told_and_shows_no_screen() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = recorded(directory.path());
    let mut session = Session::conntop(&["replay", &file, "--at", "+10m"], 120, 40);
    assert_eq!(session.wait().code(), Some(2));
    session.take_all();
    assert!(session.text().contains("+10m is outside of what is recorded"), "{}", session.text());
    assert!(!session.is_on_screen());
}

#[test]
fn a_live_screen_goes_back_to_before_a_connection_and_end_is_now() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let mut session = Session::conntop(&["--interval", "0.2", &format!("lport:{port}")], 120, 40);
    session.wait_for_text("1 of ");
    let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let accepted = listener.accept().expect("it has connected");
    session.wait_for_text("2 of ");
    session.keys("{");
    session.wait_until("it is the past, without the connection", |session| {
        session.text().contains(" PAST ") && session.text().contains("1 of ")
    });
    session.keys("K");
    session.wait_for_text("this is the past: End goes back to now");
    session.keys(END);
    session.wait_until("it is now again, with the connection", |session| {
        !session.text().contains(" PAST ") && session.text().contains("2 of ")
    });
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    drop((client, accepted));
}
