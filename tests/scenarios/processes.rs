//! Processes near a limit, and listeners that should not be there.

use std::process::Command;

use crate::namespace::{alone_in_namespace, lead_to_others};
use crate::setup::{ScriptedProcess, run, server_and_client, wait_for_sockets};
use crate::skip::skip;
use crate::verdict::{Expected, check, check_by, config};

/// A process with many open connections, all of them healthy, and few descriptors left.
#[test]
fn few_descriptors_left() {
    if !alone_in_namespace() {
        return;
    }
    let (mut server, mut gateway) = server_and_client("backend", "127.0.0.1 7040 256 answer", "gateway");
    gateway.tell("limit 100");
    gateway.tell("connect 127.0.0.1 7040 84");
    server.wait_for_count("accepted", 84);
    let expected =
        Expected { rule: "descriptor-limit", severity: "warning", process: Some(&gateway), place: "process" };
    check(&["--for", "2"]).only(&expected);
}

/// Redis for everybody who can reach the machine; the one on loopback is nobody's business.
#[test]
fn a_risky_port_that_is_exposed() {
    if !alone_in_namespace() {
        return;
    }
    let mut redis = ScriptedProcess::new("redis-server");
    redis.tell("listen 127.0.0.1 6379 16 answer");
    check(&[]).none();
    let mut open = ScriptedProcess::new("redis-server");
    open.tell("listen 0.0.0.0 6380 16 answer");
    check(&[]).none();
    drop(redis);
    open.tell("listen 0.0.0.0 6379 16 answer");
    // Nobody can reach it as long as there is only the loopback interface.
    check(&[]).none();
    lead_to_others();
    let expected =
        Expected { rule: "exposed-risky-port", severity: "warning", process: Some(&open), place: "on 0.0.0.0:6379" };
    check(&[]).only(&expected);
}

/// The port of a database is held by something else.
#[test]
fn a_listener_that_is_not_expected() {
    if !alone_in_namespace() {
        return;
    }
    let mut postgres = ScriptedProcess::new("postgres");
    postgres.tell("listen 127.0.0.1 5432 16 answer");
    check(&[]).none();
    drop(postgres);
    let mut miner = ScriptedProcess::new("kdevtmpfsi");
    miner.tell("listen 127.0.0.1 5432 16 answer");
    let expected = Expected {
        rule: "unexpected-listener",
        severity: "warning",
        process: Some(&miner),
        place: "on 127.0.0.1:5432",
    };
    check(&[]).only(&expected);
}

/// Sockets that nobody holds and that still have data to send. The kernel counts them for the whole machine and shows
/// their limit to its first network namespace only, so this is looked at from where the test was started.
#[test]
fn orphans_are_many() {
    if !alone_in_namespace() {
        return;
    }
    let limit = run(outside("cat", &["/proc/sys/net/ipv4/tcp_max_orphans"])).stdout;
    let Ok(limit) = String::from_utf8_lossy(&limit).trim().parse::<f64>() else {
        skip("the limit of orphans is not shown to where the test was started");
        return;
    };
    let (mut server, mut client) = server_and_client("sender", "127.0.0.1 7041 128 ignore", "not-reading");
    client.tell("connect 127.0.0.1 7041 60 2048");
    server.wait_for_count("accepted", 60);
    server.tell("send 20000");
    server.tell("close");
    wait_for_sockets("state fin-wait-1 sport = :7041", 60);
    let config = config(&format!("orphans-warning = {:.6}", 100.0 * 50.0 / limit));
    let config = config.path().to_str().expect("a plain name");
    let conntop = env!("CARGO_BIN_EXE_conntop");
    let checked = check_by(outside(conntop, &["check", "--format", "json", "--config", config]));
    let found = checked.findings().iter().find(|finding| finding["rule"] == "orphans");
    let found = found.unwrap_or_else(|| panic!("no orphans: {checked}"));
    assert_eq!((&found["place"], &found["severity"]), (&"machine".into(), &"warning".into()), "{checked}");
}

/// A program that looks at the network namespace that the test was started in: its standard input.
fn outside(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{}/fd/0", std::process::id())).arg(program).args(arguments);
    command
}
