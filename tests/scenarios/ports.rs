//! Ephemeral ports that run out to one destination, and connections that are made too fast.

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, set, sockets, wait_until};
use crate::verdict::{Expected, check, check_with};

/// 200 ports, of which one destination takes most; another takes few and is not blamed.
#[test]
fn ephemeral_ports_run_out_to_one_destination() {
    if !alone_in_namespace() || !set("ipv4/ip_local_port_range", "40000 40199") {
        return;
    }
    let mut server = ScriptedProcess::new("upstream");
    server.tell("listen 127.0.0.1 7020 256 ignore");
    server.tell("listen 127.0.0.1 7021 256 ignore");
    let mut proxy = ScriptedProcess::new("proxy");
    proxy.tell("connect 127.0.0.1 7021 40");
    proxy.tell("connect 127.0.0.1 7020 120");
    server.wait_for_count("accepted", 160);
    check(&[]).none();
    proxy.tell("connect 127.0.0.1 7020 30");
    let expected =
        |severity| Expected { rule: "ephemeral-ports", severity, process: Some(&proxy), place: "to 127.0.0.1:7020" };
    let checked = check(&[]);
    let finding = checked.only(&expected("warning"));
    assert!(finding["sentence"].as_str().expect("words").contains("150 of 200"), "{checked}");
    proxy.tell("connect 127.0.0.1 7020 35");
    let checked = check(&[]);
    checked.only(&Expected {
        process: Some(&proxy),
        ..Expected { rule: "ephemeral-ports", severity: "critical", process: None, place: "to 127.0.0.1:7020" }
    });
}

/// Many short connections to one destination: churn, with its speed and by whom, and no leak.
#[test]
fn time_wait_churn_is_no_leak() {
    if !alone_in_namespace() {
        return;
    }
    let mut server = ScriptedProcess::new("upstream");
    server.tell("listen 127.0.0.1 7022 256 answer");
    let mut client = ScriptedProcess::new("no-keepalive");
    client.tell("requests 127.0.0.1 7022 400 0.5");
    wait_until("there is much TIME_WAIT", || sockets("state time-wait dport = :7022") > 1500);
    // Half the default: a busy machine makes fewer connections than it is told to.
    let checked = check_with("churn = 100", &["--for", "3"]);
    let expected = Expected { rule: "churn", severity: "warning", process: Some(&client), place: "to 127.0.0.1:7022" };
    let finding = checked.only(&expected);
    assert!(!finding["sentence"].as_str().expect("words").contains("leak"), "{checked}");
    client.tell("stop");
    assert!(sockets("state time-wait") > 1500);
    // However many are in TIME_WAIT, they are none too many.
    check_with("churn = 1000000", &[]).none();
}
