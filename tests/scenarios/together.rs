//! Many troubles at once, among much that is well: each is told with its own process and place.

use crate::namespace::alone_in_namespace;
use crate::stage::{Puppet, cast, wait_for_sockets};
use crate::verdict::{Expected, check_soon};

#[test]
fn troubles_are_told_apart() {
    if !alone_in_namespace("together::troubles_are_told_apart") {
        return;
    }
    let (mut web, mut browsers) = cast("web-server", "127.0.0.1 7060 128 answer", "browsers");
    browsers.tell("connect 127.0.0.1 7060 30");
    browsers.tell("chat 127.0.0.1 7060 50");

    // Two processes leak to one server; one of them also to another.
    let (mut postgres, mut orders) = cast("postgres", "127.0.0.1 5432 512 bye", "orders");
    postgres.tell("listen 127.0.0.1 7061 256 bye");
    let mut billing = Puppet::new("billing");
    orders.tell("connect 127.0.0.1 5432 130");
    orders.tell("connect 127.0.0.1 7061 110");
    billing.tell("connect 127.0.0.1 5432 120");
    wait_for_sockets("state close-wait", 360);

    // A server with a listener that leaks and one that accepts nothing.
    let mut legacy = Puppet::new("legacy-app");
    legacy.tell("listen 127.0.0.1 7062 256 leak");
    legacy.tell("listen 127.0.0.1 7063 10 never");
    browsers.tell("connect 127.0.0.1 7063 10");
    let mut clients = Puppet::new("clients");
    clients.tell("connect 127.0.0.1 7062 125");
    clients.tell("close");
    legacy.wait_for_count("ended", 125);

    let mut open = Puppet::new("redis-server");
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
        &Expected { rule: "exposed-risky-port", severity: "warning", process: Some(&open), place: "on 0.0.0.0:6379" },
    ]);
    let counts = found.map(|finding| finding["sockets"].as_u64());
    assert_eq!(counts[..4], [Some(130), Some(110), Some(120), Some(125)], "{checked}");
}
