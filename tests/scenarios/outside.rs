//! Sockets that left the kernel's tables and not the process: reset and held, never connected; and a leak that changes form.

use std::thread;
use std::time::Duration;

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, sockets, wait_for_sockets, wait_until};
use crate::verdict::{Expected, check_soon};

const MANY: usize = 120;

#[test]
fn what_was_reset_and_is_held_is_found() {
    if !alone_in_namespace() {
        return;
    }
    let (mut ledger, mut browser) = server_and_client("ledger-api", "127.0.0.1 7101 256 ignore", "browser");
    browser.tell(&format!("connect 127.0.0.1 7101 {MANY}"));
    ledger.wait_for_count("accepted", MANY as u64);
    browser.tell("reset");
    wait_until("nothing is listed", || sockets("state connected sport = :7101") == 0);
    let expected =
        Expected { rule: "held-dead-sockets", severity: "warning", process: Some(&ledger), place: "machine" };
    let checked = check_soon(&["--for", "3"]);
    let finding = checked.only(&expected);
    assert_eq!((&finding["sockets"], &finding["state"]), (&MANY.into(), &"CLOSE".into()), "{finding:#}");
    let said = finding["sentence"].as_str().expect("words");
    assert!(said.contains("120 TCP sockets") && said.contains("reset by the peer and never closed"), "{said}");
}

#[test]
fn a_leak_that_is_reset_stays_one_finding_with_its_beginning() {
    if !alone_in_namespace() {
        return;
    }
    let (mut ledger, mut browser) = server_and_client("ledger-api", "127.0.0.1 7101 256 ignore", "browser");
    browser.tell(&format!("connect 127.0.0.1 7101 {MANY}"));
    ledger.wait_for_count("accepted", MANY as u64);
    browser.tell("half-close");
    wait_for_sockets("state close-wait sport = :7101", MANY);
    let looking = thread::spawn(|| check_soon(&["--for", "14"]));
    thread::sleep(Duration::from_secs(6));
    browser.tell("reset");
    let checked = looking.join().expect("it ended");
    let expected =
        Expected { rule: "close-wait-leak", severity: "warning", process: Some(&ledger), place: "on 127.0.0.1:7101" };
    let finding = checked.only(&expected);
    assert_eq!(finding["sockets"], MANY, "{finding:#}");
    let said = finding["sentence"].as_str().expect("words");
    assert!(said.contains("120 reset and still held"), "{said}");
    assert!(finding["since_seconds"].as_f64().expect("known") >= 13.0, "since the peers closed: {finding:#}");
}

#[test]
fn tcp_sockets_that_never_connected_are_found_and_unix_sockets_are_not() {
    if !alone_in_namespace() {
        return;
    }
    let (mut leaky, mut chatty, mut few) =
        (ScriptedProcess::new("leaky"), ScriptedProcess::new("chatty"), ScriptedProcess::new("few"));
    leaky.tell(&format!("hold tcp {MANY}"));
    chatty.tell("hold unix 300");
    few.tell("hold tcp 5");
    let expected = Expected { rule: "held-dead-sockets", severity: "warning", process: Some(&leaky), place: "machine" };
    let checked = check_soon(&["--for", "3"]);
    let finding = checked.only(&expected);
    let said = finding["sentence"].as_str().expect("words");
    assert!(said.contains("120 TCP sockets") && said.contains("never connected"), "{said}");
}
