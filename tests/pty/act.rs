//! `conntop kill` and `conntop close` ask on a terminal, and only a yes is a yes; `X` in the screen does.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::namespace::inside_namespace;
use crate::server::Server;
use crate::session::{DEADLINE, Session};

/// A process that holds the accepted end of a connection; the test holds the client's.
struct Pair {
    client: TcpStream,
    holder: Child,
    port: u16,
}

impl Pair {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let (accepted, _) = listener.accept().expect("it has connected");
        let mut sleep = Command::new("sleep");
        sleep.arg("600").stdin(Stdio::from(OwnedFd::from(accepted)));
        Self { client, holder: sleep.spawn().expect("sleep is there"), port }
    }

    fn is_reset(&self) -> bool {
        use std::io::Read;
        self.client.set_nonblocking(true).expect("it is a socket");
        (&self.client).read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn only_a_yes_kills() {
    // Ctrl-D on an empty line is the end of the input.
    for (answer, code) in [("n\n", Some(1)), ("\n", Some(1)), ("maybe y\n", Some(1)), ("\x04", Some(1)), ("\x03", None)]
    {
        let mut server = Server::start("asked", "asked");
        let mut session = Session::conntop(&["kill", &format!("lport:{}", server.port)], 120, 40);
        session.wait_for_text("[y/N]");
        assert!(session.text().contains("asked") && session.text().contains("Send TERM"), "{}", session.text());
        session.keys(answer);
        let status = session.wait();
        assert_eq!(status.code(), code, "{answer:?}");
        assert_eq!(status.signal(), code.is_none().then_some(2), "{answer:?}");
        assert!(server.ended_within(Duration::ZERO).is_none(), "{answer:?}");
    }
    for answer in ["y\n", "Yes\n"] {
        let mut server = Server::start("asked", "asked");
        let mut session = Session::conntop(&["kill", &format!("lport:{}", server.port)], 120, 40);
        session.wait_for_text("[y/N]");
        session.keys(answer);
        assert_eq!(session.wait().code(), Some(0), "{answer:?}: {}", session.text());
        assert_eq!(server.ended_within(DEADLINE).expect("TERM ends it").signal(), Some(15));
        assert!(session.text().contains("sent"), "{}", session.text());
    }
}

#[test]
fn only_a_yes_closes() {
    if !inside_namespace() {
        return;
    }
    let pair = Pair::new();
    let filter = format!("lport:{} state:established", pair.port);
    for (answer, code, closed) in [("n\n", 1, false), ("\x04", 1, false), ("y\n", 0, true)] {
        let mut session = Session::conntop(&["close", &filter], 120, 40);
        session.wait_for_text("[y/N]");
        assert!(session.text().contains("Close 1 socket now?"), "{}", session.text());
        session.keys(answer);
        assert_eq!(session.wait().code(), Some(code), "{answer:?}: {}", session.text());
        assert_eq!(pair.is_reset(), closed, "{answer:?}");
    }
}

#[test]
fn x_closes_the_socket_that_its_dialog_shows() {
    if !inside_namespace() {
        return;
    }
    let (pair, other) = (Pair::new(), Pair::new());
    let filter = format!("lport:{} state:established", pair.port);
    let mut session = Session::conntop(&[&filter], 120, 40);
    session.wait_for_text("sleep");
    session.keys("jX");
    session.wait_for_text("Close this socket?");
    assert!(session.text().contains(&format!("127.0.0.1:{} -> 127.0.0.1:", pair.port)), "{}", session.text());
    session.keys("n");
    session.wait_until("the dialog is gone", |session| !session.text().contains("Close this socket?"));
    assert!(!pair.is_reset());
    session.keys("X");
    session.wait_for_text("Close this socket?");
    session.have_read();
    session.keys("y");
    session.wait_for_text("is closed");
    assert!(pair.is_reset() && !other.is_reset());
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();

    let mut session = Session::conntop(&["--read-only", &format!("lport:{}", other.port)], 120, 40);
    session.wait_for_text("sleep");
    session.keys("jX");
    session.wait_for_text("--read-only");
    session.keys("y");
    session.keys("qq");
    session.wait();
    assert!(!other.is_reset());
}
