//! The whole program in a terminal, as a user meets it: look, filter, sort, kill, quit.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::namespace::inside_namespace;
use crate::server::Server;
use crate::session::{DEADLINE, Session};

/// The most that a refresh of a quiet 80x24 screen may write, in bytes (DESIGN.md, section 8).
const QUIET_REFRESH_MAX: usize = 600;

#[test]
fn a_leaking_server_is_found_and_ended_through_the_dialog() {
    let mut server = Server::start("leaky", "leaky");
    let mut bystander = Server::start("passer", "passer");
    let mut session = Session::conntop(&[], 120, 40);
    session.wait_for_text("conntop");

    session.keys(format!("/lport:{} or lport:{}\r", server.port, bystander.port));
    session.wait_for_text("leaky");
    session.wait_for_text("passer");
    assert!(session.text().contains(&format!(" :{} ", server.port)), "the line of the listener");

    // The filter can be made narrower; what does not match goes.
    session.keys("/\x15");
    session.keys(format!("lport:{}\r", server.port));
    session.wait_until("the bystander is filtered out", |session| !session.text().contains("passer"));

    // Down to the row, should none be selected yet; then the menu (TERM is first) and the dialog.
    session.keys("jK");
    session.wait_for_text("TERM");
    session.keys("\r");
    session.wait_for_text(&format!("sends TERM to pid {}", server.pid()));
    session.have_read();
    session.keys("y");
    let status = server.ended_within(DEADLINE).expect("TERM ends it");
    assert_eq!(status.signal(), Some(15));
    session.wait_for_text("ended");
    assert!(bystander.ended_within(Duration::ZERO).is_none(), "nobody else is hit");

    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn a_server_that_ignores_term_is_offered_kill_and_killed_after_two_questions() {
    let mut server = Server::stubborn("stubborn");
    let mut session = Session::conntop(&[&format!("lport:{}", server.port)], 120, 40);
    session.wait_for_text("stubborn");
    session.keys("jK\r");
    session.wait_for_text(&format!("sends TERM to pid {}", server.pid()));
    session.have_read();
    session.keys("y");
    session.wait_for_text("still running");
    session.keys("E");
    session.wait_for_text("Send KILL?");
    session.have_read();
    session.keys("y");
    session.wait_for_text("Send KILL: sure?");
    session.have_read();
    session.keys("K");
    let status = server.ended_within(DEADLINE).expect("KILL ends it");
    assert_eq!(status.signal(), Some(9));
    session.wait_for_text("ended");
}

#[test]
fn the_process_that_conntop_runs_inside_is_refused() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let mut session = Session::conntop(&[&format!("lport:{port}")], 120, 40);
    session.wait_for_text(&format!(" :{port} "));
    session.keys("jK");
    session.wait_for_text("conntop runs inside that process");
}

/// What the made-up server, on which much happens each second, sends in ten seconds.
fn bytes_of_demo(arguments: &[&str]) -> usize {
    let arguments = [&["--demo"], arguments].concat();
    let mut session = Session::conntop(&arguments, 120, 40);
    session.wait_for_text("jdbc-pool");
    session.watch(Duration::from_secs(2));
    let before = session.bytes.len();
    session.watch(Duration::from_secs(10));
    session.bytes.len() - before
}

/// What saves most is that samples come every five seconds; a refresh by itself is cheap already.
#[test]
fn with_low_bandwidth_less_is_sent() {
    let (usual, low) = (bytes_of_demo(&[]), bytes_of_demo(&["--low-bandwidth"]));
    println!("{} bytes a second, {} with --low-bandwidth", usual / 10, low / 10);
    assert!(low > 0 && low * 3 <= usual, "{low} of {usual} bytes");
}

#[test]
fn read_only_sends_no_signal() {
    let mut server = Server::start("guarded", "guarded");
    let mut session = Session::conntop(&["--read-only", &format!("lport:{}", server.port)], 120, 40);
    session.wait_for_text("guarded");
    session.keys("jK");
    session.wait_for_text("--read-only");
    // Enter leads to the sockets of the line, y to what can be copied.
    session.keys("\ry");
    session.wait_for_text("json");
    session.keys("q");
    session.wait_until("the menu is gone", |session| !session.text().contains("json"));
    session.keys("\x03");
    assert_eq!(session.wait().code(), Some(0));
    assert!(server.ended_within(Duration::ZERO).is_none());
}

#[test]
fn the_selected_line_goes_to_the_clipboard_and_a_paste_into_the_filter() {
    let server = Server::start("copied", "copied");
    let mut session = Session::conntop(&[&format!("lport:{}", server.port)], 120, 40);
    session.wait_for_text("copied");
    // The first line of the menu is the row.
    session.keys("jy\r");
    session.wait_until("OSC 52 is written", |session| String::from_utf8_lossy(&session.bytes).contains("\x1b]52;c;"));
    // An escape in a paste is text, and no key.
    session.keys("/\x15\x1b[200~lport:1 and\x1b[A\n rport:2\x1b[201~");
    session.wait_for_text("rport:2");
    session.keys("\x03");
    session.wait();
    session.assert_restored();
}

#[test]
fn rows_are_sorted_by_the_column_that_is_chosen() {
    let servers =
        [Server::start("sort-b", "sort-b"), Server::start("sort-c", "sort-c"), Server::start("sort-a", "sort-a")];
    let filter = format!(
        "state:listen /sort-[abc]/ lport>{}",
        servers.iter().map(|server| server.port).min().expect("three") - 1
    );
    let mut session = Session::conntop(&[&filter], 120, 40);
    for name in ["sort-a", "sort-b", "sort-c"] {
        session.wait_for_text(name);
    }
    let in_order = |session: &Session, names: [&str; 3]| {
        let text = session.text();
        let places = names.map(|name| text.rfind(name));
        places.is_sorted() && places.iter().all(Option::is_some)
    };
    // Through every column from the last one on: among them is the process, in both directions. A busy machine takes longer to show each.
    let (mut orders, mut time, deadline) = ((false, false), Duration::from_millis(60), Instant::now() + DEADLINE);
    while orders != (true, true) {
        assert!(Instant::now() < deadline, "{orders:?}: {}", session.text());
        for _ in 0..20 {
            for key in ["<", "I", "I"] {
                session.keys(key);
                session.watch(time);
                orders.0 |= in_order(&session, ["sort-a", "sort-b", "sort-c"]);
                orders.1 |= in_order(&session, ["sort-c", "sort-b", "sort-a"]);
            }
        }
        time *= 2;
    }
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
}

/// What is written in each of so many seconds, sorted; of the first of some rounds that is `wanted`, or of the last. A
/// busy machine can only add to it: what it holds up, the header tells, and two refreshes can fall into one second.
fn seconds(session: &mut Session, count: usize, wanted: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let mut written = Vec::new();
    for _ in 0..6 {
        let second = |_| {
            session.bytes.clear();
            session.watch(Duration::from_secs(1));
            session.bytes.len()
        };
        written = (0..count).map(second).collect();
        written.sort_unstable();
        if wanted(&written) {
            break;
        }
    }
    written
}

/// In a namespace of its own: elsewhere other programs open and close sockets, which the screen counts.
#[test]
fn a_quiet_screen_costs_few_bytes_and_an_unchanged_one_none() {
    if !inside_namespace() {
        return;
    }
    let server = Server::start("quiet", "quiet");
    let mut session = Session::conntop(&[&format!("lport:{}", server.port)], 80, 24);
    session.wait_for_text("quiet");
    session.watch(Duration::from_secs(1));
    let unchanged = seconds(&mut session, 6, |written| written[0] == 0);
    assert_eq!(unchanged[0], 0, "{unchanged:?}");

    // Ages that count up, in as many rows as fit.
    let clients: Vec<_> =
        (0..20).map(|_| TcpStream::connect(("127.0.0.1", server.port)).expect("it listens")).collect();
    session.keys("/\x15");
    session.keys(format!("port:{}\r", server.port));
    session.wait_for_text("ESTABLISHED");
    session.watch(Duration::from_secs(5));
    let refresh = seconds(&mut session, 5, |written| written[2] <= QUIET_REFRESH_MAX)[2];
    println!("{refresh} bytes a refresh (at most {QUIET_REFRESH_MAX})");
    assert!(refresh <= QUIET_REFRESH_MAX, "{refresh} bytes: {:?}", String::from_utf8_lossy(&session.bytes));
    drop(clients);
}
