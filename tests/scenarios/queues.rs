//! Queues of listeners that are full.

use crate::namespace::alone_in_namespace;
use crate::stage::{Puppet, cast, set, wait_for_sockets};
use crate::verdict::{Checked, Expected, check};

fn assert_says(checked: &Checked, words: &str) {
    let sentence = checked.findings()[0]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains(words), "{words:?}: {checked}");
}

/// A listener that never accepts, among others that do: it is the one that the counters are tied to.
#[test]
fn a_listener_that_never_accepts() {
    if !alone_in_namespace("queues::a_listener_that_never_accepts") {
        return;
    }
    let (slow, mut impatient) = cast("slow-acceptor", "127.0.0.1 7010 16 never", "impatient");
    let (_brisk, mut friend) = cast("brisk-server", "127.0.0.1 7011 16 answer", "friend");
    friend.tell("chat 127.0.0.1 7011 20");
    impatient.tell("connect 127.0.0.1 7010 17");
    // Given up before the rule for peers that do not answer applies.
    impatient.tell("knock 127.0.0.1 7010 10 1");
    let expected =
        Expected { rule: "accept-queue-full", severity: "critical", process: Some(&slow), place: "on 127.0.0.1:7010" };
    let checked = check(&["--for", "4"]);
    checked.only(&expected);
    assert_says(&checked, "accept()");
}

/// The same without newcomers: full, but nothing is lost now.
#[test]
fn an_accept_queue_that_is_nearly_full() {
    if !alone_in_namespace("queues::an_accept_queue_that_is_nearly_full") {
        return;
    }
    let (slow, mut client) = cast("slow-acceptor", "127.0.0.1 7010 20 never", "client");
    client.tell("connect 127.0.0.1 7010 18");
    let expected =
        Expected { rule: "accept-queue-full", severity: "warning", process: Some(&slow), place: "on 127.0.0.1:7010" };
    check(&["--for", "3"]).only(&expected);
}

/// Clients that never finish the handshake fill the SYN queue, and the kernel answers by cookies.
#[test]
fn a_syn_queue_that_is_full() {
    if !alone_in_namespace("queues::a_syn_queue_that_is_full")
        || !set("a_syn_queue_that_is_full", "ipv4/tcp_syncookies", "1")
    {
        return;
    }
    let mut server = Puppet::new("flooded");
    server.tell("listen 127.0.0.1 7012 32 answer");
    let mut ghosts = Puppet::new("ghosts");
    ghosts.tell("vanish 127.0.0.1 7012 200");
    wait_for_sockets("state syn-recv sport = :7012", 33);
    let checked = check(&["--for", "4"]);
    let expected =
        Expected { rule: "syn-backlog", severity: "critical", process: Some(&server), place: "on 127.0.0.1:7012" };
    checked.only(&expected);
}
