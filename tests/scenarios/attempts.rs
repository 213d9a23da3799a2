//! Connections that cannot be made, that are reset at once, and that are made and closed without a pause.

use std::time::{Duration, Instant};

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, silent_host, wait_until};
use crate::verdict::{Checked, Expected, check, check_with};

/// Looks for `seconds` at what has gone on since `begun`: it began no later than it was first looked at, and not before it did.
fn look(begun: Instant, seconds: u32, thresholds: &str, expected: &Expected) -> Checked {
    let checked = check_with(thresholds, &["--for", &seconds.to_string()]);
    let since = checked.only(expected)["since_seconds"].as_f64().expect("it has lasted");
    // The last attempts were told up to a sample ago, and the kernel's clocks are coarse.
    let most = begun.elapsed() + Duration::from_secs(2);
    assert!(since >= f64::from(seconds) * 0.5 && since <= most.as_secs_f64(), "{since} s of {most:?}: {checked}");
    checked
}

fn sentence(checked: &Checked) -> &str {
    checked.findings()[0]["sentence"].as_str().expect("words")
}

/// A host that nobody answers for, and a client that gives up after a second: no socket is ever old.
#[test]
fn a_host_that_does_not_answer_and_a_short_time_out() {
    if !alone_in_namespace() || !silent_host() {
        return;
    }
    let (mut client, begun) = (ScriptedProcess::new("shop-api"), Instant::now());
    client.tell("attempts 10.66.0.2 7090 5 0.9");
    let expected =
        Expected { rule: "failing-connects", severity: "warning", process: Some(&client), place: "to 10.66.0.2:7090" };
    let checked = look(begun, 8, "", &expected);
    assert!(sentence(&checked).starts_with("shop-api[") && sentence(&checked).contains("0 of "), "{checked}");
    let (shortest, longest) = waited(&mut client);
    let said = sentence(&checked).rsplit_once(", given up after ").and_then(|(_, time)| time.strip_suffix('s'));
    let said: f64 = said.and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("no time: {checked}"));
    // Tenths are cut off, and the client's clock and the kernel's differ by some milliseconds.
    assert!((shortest - 0.2..longest + 0.05).contains(&said), "{said} s of {shortest} to {longest}: {checked}");
}

/// How long the shortest and the longest attempt lasted that the client has given up, in seconds, as the client saw it.
fn waited(client: &mut ScriptedProcess) -> (f64, f64) {
    let waited = &client.tell("count")["waited"];
    let seconds = |at: usize| waited[at].as_f64().expect("a time");
    assert!(seconds(0) >= 0.9, "{waited}");
    (seconds(0), seconds(1))
}

/// The backend is down: its host answers with a reset.
#[test]
fn a_port_on_which_nobody_listens() {
    if !alone_in_namespace() {
        return;
    }
    let (mut client, begun) = (ScriptedProcess::new("web-proxy"), Instant::now());
    client.tell("requests 127.0.0.1 7091 20");
    let expected =
        Expected { rule: "refused-connects", severity: "warning", process: Some(&client), place: "to 127.0.0.1:7091" };
    let checked = look(begun, 6, "", &expected);
    assert!(sentence(&checked).contains("is refused by 127.0.0.1:7091"), "{checked}");
}

/// A server that resets what it accepts: it is named, and its clients are no second trouble.
#[test]
fn a_server_that_resets_what_it_accepts() {
    if !alone_in_namespace() {
        return;
    }
    let (server, mut client) = server_and_client("gate", "127.0.0.1 7092 64 reset", "visitor");
    let begun = Instant::now();
    client.tell("requests 127.0.0.1 7092 20");
    let expected = Expected {
        rule: "reset-after-accept",
        severity: "warning",
        process: Some(&server),
        place: "on 127.0.0.1:7092",
    };
    let checked = look(begun, 6, "", &expected);
    assert!(sentence(&checked).contains("by the process itself"), "{checked}");
}

/// Connections without keep-alive whose `TIME_WAIT` lies at the end that closes first.
#[test]
fn churn_that_the_other_end_closes() {
    if !alone_in_namespace() {
        return;
    }
    let (_server, mut client) = server_and_client("upstream", "127.0.0.1 7093 256 once", "no-keepalive");
    let begun = Instant::now();
    client.tell("requests 127.0.0.1 7093 300 0.02");
    wait_until("requests are answered", || client.tell("count")["made"].as_u64() > Some(300));
    let expected = Expected { rule: "churn", severity: "warning", process: Some(&client), place: "to 127.0.0.1:7093" };
    // A busy machine makes fewer connections than it is told to.
    let checked = look(begun, 10, "churn-elsewhere = 40", &expected);
    assert!(sentence(&checked).contains("which the other end closes first"), "{checked}");
}

/// A client that tries IPv6 first, where nobody listens, and then IPv4; and health checks that send nothing.
#[test]
fn clients_that_try_both_families_and_health_checks_are_healthy() {
    if !alone_in_namespace() {
        return;
    }
    let (mut server, mut client) = server_and_client("web", "127.0.0.1 7094 64 answer", "browser");
    client.tell("requests ::1 7094 10");
    client.tell("requests 127.0.0.1 7094 10");
    let mut prober = ScriptedProcess::new("prober");
    prober.tell("attempts 127.0.0.1 7094 5 0");
    server.wait_for_count("accepted", 20);
    check(&["--for", "8"]).none();
    assert!(client.tell("count")["failed"].as_u64() > Some(20), "IPv6 is refused");
}
