//! Peers that do not read, answer, close or get what is sent to them.

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, silent_host, wait_for_sockets};
use crate::verdict::{Checked, Expected, check, check_soon, check_with};

/// A peer that does not read: the window is closed and the kernel probes it. It is a process of this machine, and named.
#[test]
fn a_zero_window_reader() {
    if !alone_in_namespace() {
        return;
    }
    let (mut sleeper, mut uploader) = server_and_client("sleepy-reader", "127.0.0.1 7030 16 ignore", "uploader");
    uploader.tell("connect 127.0.0.1 7030 3");
    sleeper.wait_for_count("accepted", 3);
    uploader.tell("fill");
    let expected = Expected {
        rule: "local-reader-stuck",
        severity: "warning",
        process: Some(&sleeper),
        place: "on 127.0.0.1:7030",
    };
    let checked = check_soon(&["--for", "4"]);
    assert_eq!(checked.only(&expected)["sockets"], 3, "{checked}");
}

/// A peer that nobody answers for: packets leave over a link at whose other end nobody has the address.
#[test]
fn a_peer_that_does_not_answer() {
    if !alone_in_namespace() || !silent_host() {
        return;
    }
    let mut sync = ScriptedProcess::new("order-sync");
    sync.tell("try 10.66.0.2 8443 4");
    // The first SYN was sent again after a second, the next time two seconds later: that is younger than this, however
    // busy the machine is.
    check_with("syn-sent-age = 100", &[]).none();
    let expected =
        Expected { rule: "syn-sent-stuck", severity: "warning", process: Some(&sync), place: "to 10.66.0.2:8443" };
    let checked = check(&["--for", "5"]);
    let finding = checked.only(&expected);
    assert_eq!((&finding["sockets"], &finding["state"]), (&4.into(), &"SYN_SENT".into()), "{checked}");
}

/// A connection whose peer has gone without a word: data is sent and never acknowledged.
#[test]
fn a_dead_peer() {
    if !alone_in_namespace() {
        return;
    }
    let (mut dead, mut shipper) = server_and_client("dead-host", "127.0.0.1 7031 16 ignore", "log-shipper");
    shipper.tell("connect 127.0.0.1 7031 2");
    dead.wait_for_count("accepted", 2);
    dead.tell("drop-packets 100");
    shipper.tell("send 500");
    let expected =
        Expected { rule: "dead-peer", severity: "warning", process: Some(&shipper), place: "to 127.0.0.1:7031" };
    let checked = check_soon(&["--for", "6"]);
    assert_eq!(checked.only(&expected)["sockets"], 2, "{checked}");
}

/// A bad way: one packet in seven is lost in each direction.
#[test]
fn a_way_that_loses_packets() {
    if !alone_in_namespace() {
        return;
    }
    let (mut server, mut client) = server_and_client("far-server", "127.0.0.1 7032 16 answer", "replicator");
    client.tell("connect 127.0.0.1 7032 4");
    server.wait_for_count("accepted", 4);
    client.tell("stream");
    client.tell("drop-packets 15");
    server.tell("drop-packets 15");
    let expected = Expected { rule: "retransmitting", severity: "warning", process: None, place: "machine" };
    // A busy machine sends fewer segments than the rule wants to see, and chance may hold all connections up at once.
    let look = || check_with("retransmit-segments = 200", &["--for", "8"]);
    let is_shared = |checked: &Checked| checked.findings().iter().any(|finding| expected.is(finding));
    let checked = (0..4).map(|_| look()).find(is_shared).unwrap_or_else(look);
    let share = checked.findings().iter().find(|finding| expected.is(finding));
    let sentence = share.unwrap_or_else(|| panic!("the share is missing: {checked}"))["sentence"].as_str();
    assert!(sentence.expect("words").contains("% of its segments"), "{checked}");
    // By chance a connection may have lost three in a row.
    assert!(checked.findings().iter().all(|finding| finding["rule"] == "retransmitting"), "{checked}");
}

/// Half-closed for ever: we have closed our side, the peer never closes its.
#[test]
fn a_peer_that_never_closes() {
    if !alone_in_namespace() {
        return;
    }
    let (_peer, mut client) = server_and_client("half-open", "127.0.0.1 7033 16 leak", "half-closer");
    client.tell("connect 127.0.0.1 7033 12");
    client.tell("half-close");
    wait_for_sockets("state fin-wait-2 dport = :7033", 12);
    let expected =
        Expected { rule: "fin-wait2-stuck", severity: "warning", process: Some(&client), place: "to 127.0.0.1:7033" };
    let checked = check_soon(&["--for", "6"]);
    assert_eq!(checked.only(&expected)["sockets"], 12, "{checked}");
}
