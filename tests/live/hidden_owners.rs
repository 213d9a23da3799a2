//! What an unprivileged user is told about sockets of others, with and without a `hidepid` mount. Needs root to set
//! the scene; the test runs itself again as nobody, who looks.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::process::Command;

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::Socket;
use conntop::source::{Choice, open};

use crate::program_copy::ProgramCopy;
use crate::skip::{skip, this_test};

/// Set in the run as nobody: the port of root's listener.
const PORT: &str = "CONNTOP_TEST_PORT";

#[test]
fn owners_that_may_not_be_seen_are_hidden_and_counted() {
    if let Some(seen) = look_as_nobody("true") {
        assert!(seen.coverage.processes_unreadable > 0, "{:?}", seen.coverage);
        let mut reasons = seen.coverage.degraded.iter();
        assert!(reasons.any(|reason| reason.as_str().contains("run conntop as root")), "{:?}", seen.coverage);
    }
}

#[test]
fn a_hidepid_mount_is_given_as_the_reason() {
    let hide = "mount -t proc -o hidepid=2 proc /proc";
    if let Some(seen) = look_as_nobody(hide) {
        let mut reasons = seen.coverage.degraded.iter();
        assert!(reasons.any(|reason| reason.as_str().contains("hidepid")), "{:?}", seen.coverage);
    }
}

/// As root: runs the calling test again as nobody after `scene`, in a mount namespace of its own. As nobody: takes a
/// sample, in which root's listener is there and its owner is hidden.
fn look_as_nobody(scene: &str) -> Option<Snapshot> {
    let Ok(port) = std::env::var(PORT) else {
        if rustix::process::geteuid().is_root() {
            run_as_nobody(scene);
        } else {
            skip("only root can hide a socket from another user");
        }
        return None;
    };
    let mut snapshot = Snapshot::default();
    let mut source = open(&Choice::Auto).expect("sockets can be listed all the same");
    source.sample(&Needs::default(), &mut snapshot).expect("a sample");
    let is_it = |socket: &&Socket| socket.is_listener() && socket.local.port.to_string() == port;
    let listener = snapshot.sockets.iter().find(is_it).expect("listed");
    assert!(listener.owner.is_hidden(), "{:?}", listener.owner);
    assert_eq!(listener.uid, Some(0), "the socket itself says whose it is");
    assert!(snapshot.coverage.owners_hidden > 0 && !snapshot.coverage.is_complete());
    Some(snapshot)
}

fn run_as_nobody(scene: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let program = ProgramCopy::of(std::env::current_exe().expect("this test"), "test");
    let as_nobody = "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$0\" --exact \"$1\" --nocapture";
    let status = Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("{scene} && {as_nobody}")])
        .arg(&program.path)
        .arg(this_test())
        .env(PORT, listener.local_addr().expect("bound").port().to_string())
        .status();
    assert!(status.expect("unshare(1) exists").success());
}
