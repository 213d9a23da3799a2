//! Many troubles at once, among much that is well: each is told with its own process and place.

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, silent_host, wait_for_sockets};
use crate::verdict::{Expected, check, check_soon};

/// One cause: a server that accepts nothing, and clients of this machine that wait for it, each a program of its own.
#[test]
fn a_full_queue_and_its_clients_are_one_finding() {
    if !alone_in_namespace() {
        return;
    }
    let mut stuck = ScriptedProcess::new("stuck-view");
    stuck.tell("listen 127.0.0.1 7070 4 never");
    let names = ["caller-a", "caller-b", "caller-c", "caller-d", "caller-e", "caller-f"];
    let mut callers = names.map(ScriptedProcess::new);
    for caller in &mut callers {
        caller.tell("try 127.0.0.1 7070 4");
    }
    wait_for_sockets("state syn-sent", 19);
    let expected =
        Expected { rule: "accept-queue-full", severity: "critical", process: Some(&stuck), place: "on 127.0.0.1:7070" };
    let checked = check(&["--for", "5"]);
    let finding = checked.only(&expected);
    let caused = &finding["caused"][0];
    assert_eq!((&caused["rule"], &caused["sockets"]), (&"syn-sent-stuck".into(), &19.into()), "{checked}");
    assert!(caused["processes"].as_u64() >= Some(5), "{checked}");
    // What is only a part of it fails the check as well, if asked for.
    assert_eq!(check(&["--for", "5", "--fail-on", "syn-sent-stuck"]).code, 2, "{checked}");
}

/// One dead host, called by many processes of one program.
#[test]
fn a_dead_host_of_many_processes_is_one_finding() {
    if !alone_in_namespace() || !silent_host() {
        return;
    }
    let mut workers = [0; 12].map(|_| ScriptedProcess::new("worker"));
    for worker in &mut workers {
        worker.tell("try 10.66.0.2 5432 2");
    }
    let checked = check(&["--for", "5"]);
    let [finding] = checked.findings() else { panic!("{checked}") };
    let counts = (&finding["processes"], &finding["sockets"], &finding["pid"], &finding["process"]);
    assert_eq!(counts, (&12.into(), &24.into(), &serde_json::Value::Null, &"worker".into()), "{checked}");
}

#[test]
fn troubles_are_told_apart() {
    if !alone_in_namespace() {
        return;
    }
    let (mut web, mut browsers) = server_and_client("web-server", "127.0.0.1 7060 128 answer", "browsers");
    browsers.tell("connect 127.0.0.1 7060 30");
    browsers.tell("keep-alive 127.0.0.1 7060 50");

    // Two processes leak to one server; one of them also to another.
    let (mut postgres, mut orders) = server_and_client("postgres", "127.0.0.1 5432 512 close", "orders");
    postgres.tell("listen 127.0.0.1 7061 256 close");
    let mut billing = ScriptedProcess::new("billing");
    orders.tell("connect 127.0.0.1 5432 130");
    orders.tell("connect 127.0.0.1 7061 110");
    billing.tell("connect 127.0.0.1 5432 120");
    wait_for_sockets("state close-wait", 360);

    // A server with a listener that leaks and one that accepts nothing.
    let mut legacy = ScriptedProcess::new("legacy-app");
    legacy.tell("listen 127.0.0.1 7062 256 leak");
    legacy.tell("listen 127.0.0.1 7063 10 never");
    browsers.tell("connect 127.0.0.1 7063 10");
    let mut clients = ScriptedProcess::new("clients");
    clients.tell("connect 127.0.0.1 7062 125");
    clients.tell("close");
    legacy.wait_for_count("ended", 125);

    // Not reachable from outside: there is no interface but lo.
    let mut open = ScriptedProcess::new("redis-server");
    open.tell("listen 0.0.0.0 6379 16 answer");
    web.tell("count");

    let leak =
        |process, place| Expected { rule: "close-wait-leak", severity: "warning", process: Some(process), place };
    let checked = check_soon(&["--for", "3"]);
    let found = checked.all([
        &leak(&orders, "to 127.0.0.1:5432"),
        &leak(&orders, "to 127.0.0.1:7061"),
        &leak(&billing, "to 127.0.0.1:5432"),
        &leak(&legacy, "on 127.0.0.1:7062"),
        &Expected {
            rule: "accept-queue-full",
            severity: "warning",
            process: Some(&legacy),
            place: "on 127.0.0.1:7063",
        },
    ]);
    let counts = found.map(|finding| finding["sockets"].as_u64());
    assert_eq!(counts[..4], [Some(130), Some(110), Some(120), Some(125)], "{checked}");
}
