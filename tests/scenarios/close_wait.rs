//! The four causes of a `CLOSE_WAIT` leak, each with its verdict.

use serde_json::Value;

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, wait_for_sockets};
use crate::verdict::{Expected, check_soon};

/// As many sockets as make a leak whatever their age.
const MANY: usize = 120;

/// A leak of [`MANY`] sockets that `server` holds on 127.0.0.1:7101 is found, with this verdict, and nothing else.
fn assert_leak(server: &ScriptedProcess, why: &str, verdict: &str) {
    wait_for_sockets("state close-wait sport = :7101", MANY);
    let expected =
        Expected { rule: "close-wait-leak", severity: "warning", process: Some(server), place: "on 127.0.0.1:7101" };
    let checked = check_soon(&["--for", "2"]);
    assert_about(checked.only(&expected), why, verdict);
}

fn assert_about(finding: &Value, why: &str, verdict: &str) {
    assert_eq!((&finding["sockets"], &finding["state"]), (&MANY.into(), &"CLOSE_WAIT".into()), "{finding:#}");
    let said = finding["why"].as_str().expect("a cause");
    assert!(said.contains(why), "{said}");
    let examples = finding["examples"].as_array().expect("examples");
    assert!(!examples.is_empty(), "{finding:#}");
    for example in examples {
        assert_eq!((&example["verdict"], &example["lport"]), (&verdict.into(), &7101.into()), "{example:#}");
    }
}

#[test]
fn missing_close() {
    if !alone_in_namespace() {
        return;
    }
    let (mut ledger, mut browser) = server_and_client("ledger-api", "127.0.0.1 7101 256 leak", "browser");
    browser.tell(&format!("connect 127.0.0.1 7101 {MANY}"));
    browser.tell("send 100");
    browser.tell("close");
    ledger.wait_for_count("ended", MANY as u64);
    assert_leak(&ledger, "never closed", "missing-close");
}

#[test]
fn not_reading() {
    if !alone_in_namespace() {
        return;
    }
    let (mut pool, mut browser) = server_and_client("idle-pool", "127.0.0.1 7101 256 ignore", "browser");
    browser.tell(&format!("connect 127.0.0.1 7101 {MANY}"));
    pool.wait_for_count("accepted", MANY as u64);
    browser.tell("close");
    assert_leak(&pool, "not reading", "not-reading");
}

#[test]
fn stuck_reader() {
    if !alone_in_namespace() {
        return;
    }
    let (mut parser, mut browser) = server_and_client("stuck-parser", "127.0.0.1 7101 256 ignore", "browser");
    browser.tell(&format!("connect 127.0.0.1 7101 {MANY}"));
    parser.wait_for_count("accepted", MANY as u64);
    browser.tell("send 300");
    browser.tell("close");
    assert_leak(&parser, "stuck", "stuck-reader");
}

#[test]
fn not_accepted() {
    if !alone_in_namespace() {
        return;
    }
    let (sleeper, mut browser) = server_and_client("sleepy-server", "127.0.0.1 7101 256 never", "browser");
    browser.tell(&format!("connect 127.0.0.1 7101 {MANY}"));
    browser.tell("close");
    wait_for_sockets("state close-wait sport = :7101", MANY);
    let expected =
        Expected { rule: "not-accepted", severity: "warning", process: Some(&sleeper), place: "on 127.0.0.1:7101" };
    assert_about(check_soon(&["--for", "2"]).only(&expected), "", "not-accepted");
}
