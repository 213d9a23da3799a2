//! A healthy busy machine, of which nothing is said.

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, sockets, wait_until};
use crate::verdict::check;

/// Keep-alive and short connections, idle ones, a slow client, a half-closed one, and unread mail: all of it normal.
#[test]
fn a_busy_server_raises_nothing() {
    if !alone_in_namespace() {
        return;
    }
    let mut server = ScriptedProcess::new("web-server");
    server.tell("listen 127.0.0.1 7050 128 answer");
    // Room for what comes while a busy machine holds the server up: its clients do not wait.
    server.tell("listen 127.0.0.1 7051 1024 answer");
    // Takes half a second to close what its clients have closed: always some CLOSE_WAIT, never old, never more.
    server.tell("listen 127.0.0.1 7052 1024 close-late");
    check(&[]).none();
    let mut idle = ScriptedProcess::new("idle-clients");
    idle.tell("connect 127.0.0.1 7050 60");
    let mut keep_alive = ScriptedProcess::new("keep-alive");
    for _ in 0..4 {
        keep_alive.tell("keep-alive 127.0.0.1 7050 100");
    }
    let (mut first, mut second) = (ScriptedProcess::new("short-lived"), ScriptedProcess::new("cron-jobs"));
    first.tell("requests 127.0.0.1 7051 120");
    second.tell("requests 127.0.0.1 7052 120");
    // At its start, over its run, and at its end.
    check(&["--for", "2"]).none();
    check(&["--for", "8"]).none();
    // What a sample met is long gone when the next one is taken.
    check(&["--interval", "6", "--for", "6"]).none();
    wait_until("thousands of connections were made", || second.tell("count")["made"].as_u64() > Some(1500));
    check(&[]).none();
    first.tell("stop");
    second.tell("stop");
    keep_alive.tell("stop");
    assert_eq!((&first.tell("count")["failed"], &second.tell("count")["failed"]), (&0.into(), &0.into()));
    assert!(sockets("state time-wait") > 1000);
    check(&["--for", "2"]).none();
    idle.tell("close");
    drop(keep_alive);
    check(&["--for", "1"]).none();
}
