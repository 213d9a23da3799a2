//! Listeners of every kind: what is known of them, their order, and what makes the program fail.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::model::delta::Delta;
use crate::model::endpoint::Protocol;
use crate::model::facts::Facts;
use crate::model::process::Owner;
use crate::model::testing::{BOOT, connection, listener, process, source_info, tcp, udp};
use crate::model::time::{Timestamp, WallTime};

fn store() -> Store {
    let python = [process(77, "python3")];
    let sockets = [
        listener(1, 6379).held_by(&python).build(),
        listener(2, 6379).local("127.0.0.1:6379").held_by(&[process(78, "redis-server")]).build(),
        listener(3, 22).held_by(&[process(79, "sshd")]).build(),
        listener(4, 22).local("[::]:22").remote("[::]:0").held_by(&[process(79, "sshd")]).build(),
        // Two sockets share the port, and one of them does not accept.
        listener(5, 8080).local("10.0.0.7:8080").held_by(&[process(81, "nginx")]).queues(129, 128).build(),
        listener(6, 8080).local("10.0.0.7:8080").held_by(&[process(80, "nginx")]).build(),
        listener(7, 873).owner(Owner::Hidden).build(),
        listener(8, 40_123).held_by(&python).build(),
        udp(9, 161).held_by(&[process(82, "snmpd")]).build(),
        tcp(10).local("10.0.0.7:6379").remote("10.0.0.8:50000").build(),
        udp(11, 50_001).local("10.0.0.7:50001").remote("10.0.0.8:53").build(),
    ];
    let ephemeral_ports = Some(PortRange { first: 32_768, last: 60_999 });
    let mut delta = Delta { at: Timestamp::from_millis(90_000), wall: WallTime(BOOT.0 + 90_000), ..Delta::default() };
    delta.facts = Arc::new(Facts { ephemeral_ports, ..Facts::default() });
    delta.added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    let mut store = Store::new(source_info());
    store.apply(delta);
    store
}

fn printed(ports: &Ports) -> String {
    let (store, services) = (store(), services());
    let mut out = Vec::new();
    ports.write(&ports.listeners(&store, &services), &store, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("text")
}

fn services() -> Services {
    Services::from_iter([((Protocol::Tcp, 40_123), "of-this-system".into()), ((Protocol::Tcp, 22), "not-taken".into())])
}

fn failure(fail_on: &[&str], filter: &str) -> Option<String> {
    let fail_on = fail_on.iter().map(|name| PortsFailOn::parse(name).expect("known")).collect();
    let ports = Ports { fail_on, filter: Filter::parse(filter).expect("valid"), ..Ports::default() };
    let (store, services) = (store(), services());
    ports.failure(&ports.listeners(&store, &services))
}

#[test]
fn listeners_stand_by_port_with_all_that_is_known() {
    insta::assert_snapshot!(printed(&Ports::default()));
}

#[test]
fn exposed_ones_stand_worst_first_and_loopback_is_left_out() {
    let text = printed(&Ports { exposed: true, ..Ports::default() });
    insta::assert_snapshot!(text);
    assert!(!text.contains("127.0.0.1"));
}

#[test]
fn an_unusual_owner_is_pointed_out_and_an_unknown_one_is_not() {
    let text = printed(&Ports::default());
    assert!(text.contains("6379 is usually redis-server; here it is python3."), "{text}");
    assert_eq!(text.matches("is usually").count(), 1);
}

#[test]
fn what_a_port_invites_is_stated_of_programs_that_are_that_service_only() {
    let of = |port: u16, process: &str| {
        let text = printed(&Ports::default());
        let line = text.lines().find(|line| line.contains(&format!(" {port} ")) && line.contains(process));
        line.unwrap_or_else(|| panic!("{port} of {process} in {text}")).to_owned()
    };
    assert!(!of(8080, "nginx").contains("proxy lets anyone"), "nginx is a web server");
    assert!(of(6379, "python3").contains("By its port it may be Redis. Without a password"));
    assert!(of(873, "hidden").contains("By its port it may be the rsync daemon. Modules"));
    assert!(of(161, "snmpd").contains("medium  The default community"), "snmpd is that service");
}

#[test]
fn json_says_null_where_nothing_is_known() {
    let text = printed(&Ports { format: DocumentFormat::Json, ..Ports::default() });
    let value: Value = serde_json::from_str(&text).expect("valid JSON");
    let listeners = value["listeners"].as_array().expect("an array");
    assert_eq!(listeners.len(), 9);
    assert_eq!(value["ephemeral_ports"], json!({"first": 32768, "last": 60999}));
    let of = |port: u16| listeners.iter().find(|row| row["lport"] == port).expect("listed");
    assert!(of(873)["process"].is_null() && of(873)["unexpected"].is_null() && of(873)["owner"] == "hidden");
    assert_eq!((&of(8080)["sockets"], &of(8080)["exposure"]), (&2.into(), &"private".into()));
    assert_eq!((&of(40_123)["ephemeral"], &of(40_123)["service"]), (&true.into(), &"of-this-system".into()));
    assert!(of(40_123)["risk"].is_null() && of(40_123)["danger"].is_null());
    assert_eq!(of(22)["service"], "ssh", "the catalogue comes first");
    insta::assert_snapshot!(serde_json::to_string_pretty(of(6379)).expect("JSON"));
}

#[test]
fn each_socket_of_a_shared_port_has_its_own_owner_and_queue() {
    let text = printed(&Ports {
        format: DocumentFormat::Json,
        filter: Filter::parse("lport:8080").expect("valid"),
        ..Ports::default()
    });
    let value: Value = serde_json::from_str(&text).expect("valid JSON");
    let of = |row: &Value| (row["pid"].clone(), row["backlog"].clone(), row["sockets"].clone(), row["inode"].clone());
    let rows: Vec<_> = value["listeners"].as_array().expect("an array").iter().map(of).collect();
    assert_eq!(rows, [(80, 0, 2, 7), (81, 129, 2, 6)].map(|(a, b, c, d)| (a.into(), b.into(), c.into(), d.into())));
}

#[test]
fn what_makes_it_fail_is_what_others_can_reach() {
    let sentence = failure(&["risk"], "").expect("Redis is open");
    assert_eq!(sentence, "3 listeners are what --fail-on names, the worst tcp 0.0.0.0:873 (rsync)");
    assert!(failure(&["risk"], "laddr:127.0.0.1").is_none(), "loopback is no exposure");
    assert!(failure(&["risk"], "lport:22").is_none() && failure(&["low"], "lport:22").is_some());
    assert!(failure(&["high"], "lport:161").is_none() && failure(&["medium"], "lport:161").is_some());
    assert!(failure(&["unexpected"], "lport:6379").is_some() && failure(&["unexpected"], "!lport:6379").is_none());
    assert!(failure(&[], "").is_none());
}
