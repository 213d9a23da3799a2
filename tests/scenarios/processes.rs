//! Processes near a limit, and listeners that should not be there.

use crate::namespace::inside_namespace;
use crate::stage::{Puppet, cast};
use crate::verdict::{Expected, check};

/// A process with many open connections, all of them healthy, and few descriptors left.
#[test]
fn few_descriptors_left() {
    if !inside_namespace("processes::few_descriptors_left") {
        return;
    }
    let (mut server, mut gateway) = cast("backend", "127.0.0.1 7040 256 answer", "gateway");
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
    if !inside_namespace("processes::a_risky_port_that_is_exposed") {
        return;
    }
    let mut redis = Puppet::new("redis-server");
    redis.tell("listen 127.0.0.1 6379 16 answer");
    check(&[]).none();
    let mut open = Puppet::new("redis-server");
    open.tell("listen 0.0.0.0 6380 16 answer");
    check(&[]).none();
    drop(redis);
    open.tell("listen 0.0.0.0 6379 16 answer");
    let expected =
        Expected { rule: "exposed-risky-port", severity: "warning", process: Some(&open), place: "on 0.0.0.0:6379" };
    check(&[]).only(&expected);
}

/// The port of a database is held by something else.
#[test]
fn a_listener_that_is_not_expected() {
    if !inside_namespace("processes::a_listener_that_is_not_expected") {
        return;
    }
    let mut postgres = Puppet::new("postgres");
    postgres.tell("listen 127.0.0.1 5432 16 answer");
    check(&[]).none();
    drop(postgres);
    let mut miner = Puppet::new("kdevtmpfsi");
    miner.tell("listen 127.0.0.1 5432 16 answer");
    let expected = Expected {
        rule: "unexpected-listener",
        severity: "warning",
        process: Some(&miner),
        place: "on 127.0.0.1:5432",
    };
    check(&[]).only(&expected);
}
