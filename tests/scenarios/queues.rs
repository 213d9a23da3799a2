//! Queues of listeners that are full.

use serde_json::Value;

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, set, sockets, wait_until};
use crate::verdict::{Expected, SOON, check_soon, check_with};

fn says(finding: &Value, words: &str) -> bool {
    finding["sentence"].as_str().expect("a sentence").contains(words)
}

/// A listener that never accepts, among others that do: it is the one that the counters are tied to.
#[test]
fn a_listener_that_never_accepts() {
    if !alone_in_namespace() {
        return;
    }
    let (slow, mut impatient) = server_and_client("slow-acceptor", "127.0.0.1 7010 16 never", "impatient");
    let (_brisk, mut friend) = server_and_client("brisk-server", "127.0.0.1 7011 16 answer", "friend");
    friend.tell("keep-alive 127.0.0.1 7011 20");
    impatient.tell("connect 127.0.0.1 7010 17");
    // Given up before the rule for peers that do not answer applies.
    impatient.tell("attempts 127.0.0.1 7010 10 0.5");
    let checked = check_with(&format!("{SOON}syn-sent-age = 20"), &["--for", "4"]);
    let place = "on 127.0.0.1:7010";
    let full = Expected { rule: "accept-queue-full", severity: "critical", process: Some(&slow), place };
    let full = checked.only(&full);
    assert!(says(full, "17 of 16") && says(full, "accept()") && says(full, "/s dropped"), "{checked}");
    // One cause is one finding: it knows who waits, too.
    assert_eq!(
        (&full["other_rule"], &full["evidence"]["not_accepted"]),
        (&"not-accepted".into(), &17.into()),
        "{checked}"
    );
}

/// Three workers share a port, and one of them hangs: it alone is named, whoever else listens there.
#[test]
fn one_of_three_listeners_on_a_port() {
    if !alone_in_namespace() {
        return;
    }
    let mut workers = ["worker-a", "worker-b", "worker-c"].map(ScriptedProcess::new);
    for (worker, mode) in workers.iter_mut().zip(["answer", "never", "answer"]) {
        worker.tell(&format!("listen 127.0.0.1 7013 4 {mode} share"));
    }
    let mut impatient = ScriptedProcess::new("impatient");
    impatient.tell("attempts 127.0.0.1 7013 40 0.5");
    wait_until("all three listen", || sockets("state listening sport = :7013") == 3);
    let checked = check_with(&format!("{SOON}syn-sent-age = 20"), &["--for", "5"]);
    let full: Vec<_> = checked.findings().iter().filter(|finding| finding["rule"] == "accept-queue-full").collect();
    assert_eq!(full.len(), 1, "{checked}");
    assert_eq!((&full[0]["process"], &full[0]["listener"].is_u64()), (&"worker-b".into(), &true), "{checked}");
    assert!(says(full[0], "(1 of 3 listeners)") && says(full[0], "5 of 4"), "{checked}");
    let blamed = |name: &str| checked.findings().iter().any(|finding| finding["process"] == name);
    assert!(!blamed("worker-a") && !blamed("worker-c"), "{checked}");
}

/// A queue without newcomers: nearly full for ten seconds, so that `accept()` is to blame, but nothing is lost.
#[test]
fn an_accept_queue_that_is_nearly_full() {
    if !alone_in_namespace() {
        return;
    }
    let (slow, mut client) = server_and_client("slow-acceptor", "127.0.0.1 7010 20 never", "client");
    client.tell("connect 127.0.0.1 7010 18");
    let place = "on 127.0.0.1:7010";
    let full = Expected { rule: "accept-queue-full", severity: "warning", process: Some(&slow), place };
    let checked = check_soon(&["--for", "11"]);
    let full = checked.only(&full);
    assert_eq!((&full["why"], &full["other_rule"]), (&"accept() too slow".into(), &"not-accepted".into()), "{checked}");
}

/// Clients that never finish the handshake fill the SYN queue, and the kernel answers by cookies.
#[test]
fn a_syn_queue_that_is_full() {
    if !alone_in_namespace() || !set("ipv4/tcp_syncookies", "1") {
        return;
    }
    let mut server = ScriptedProcess::new("flooded");
    server.tell("listen 127.0.0.1 7012 32 answer");
    let mut ghosts = ScriptedProcess::new("ghosts");
    ghosts.tell("syn-flood 127.0.0.1 7012 200");
    wait_until("the queue is full", || sockets("state syn-recv sport = :7012") >= 30);
    // The kernel sends its answers to the ghosts again, which may make a large share of the few segments there are.
    let patient = "syn-sent-age = 20\nretransmit-percent = 100";
    let expected =
        Expected { rule: "syn-backlog", severity: "warning", process: Some(&server), place: "on 127.0.0.1:7012" };
    let checked = check_with(patient, &["--for", "4"]);
    assert!(says(checked.only(&expected), "cookies/s sent"), "{checked}");
    // Without cookies, what does not fit is dropped.
    assert!(set("ipv4/tcp_syncookies", "0"));
    let checked = check_with(patient, &["--for", "4"]);
    let dropped = checked.only(&Expected { rule: "syn-drops", severity: "critical", ..expected });
    assert!(says(dropped, "SYN queue full at ") && says(dropped, "(backlog of the listener 32)"), "{checked}");
}

/// With cookies off, a listener with a long backlog loses newcomers at three quarters of `tcp_max_syn_backlog`.
#[test]
fn syns_that_are_dropped_before_the_backlog_is_full() {
    let limits = [("ipv4/tcp_syncookies", "0"), ("ipv4/tcp_max_syn_backlog", "64")];
    if !alone_in_namespace() || !limits.iter().all(|(path, value)| set(path, value)) {
        return;
    }
    let (server, mut ghosts) = server_and_client("flooded", "127.0.0.1 7014 500 answer", "ghosts");
    ghosts.tell("syn-flood 127.0.0.1 7014 200");
    wait_until("the queue is full", || sockets("state syn-recv sport = :7014") >= 48);
    let checked = check_with("syn-sent-age = 20\nretransmit-percent = 100", &["--for", "4"]);
    let expected =
        Expected { rule: "syn-drops", severity: "critical", process: Some(&server), place: "on 127.0.0.1:7014" };
    let dropped = checked.only(&expected);
    assert!(says(dropped, "(3/4 of net.ipv4.tcp_max_syn_backlog 64), SYN cookies are off"), "{checked}");
    assert_eq!(
        (&dropped["evidence"]["syncookies"], &dropped["state"]),
        (&"off".into(), &"SYN_RECV".into()),
        "{checked}"
    );
}
