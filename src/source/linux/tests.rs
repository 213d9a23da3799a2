//! What a sample opens and reads follows from what it is asked for.

use super::*;
use crate::model::query::{QueryFields, SocketQuery};

fn sampled(fields: QueryFields) -> (LinuxSource, Snapshot) {
    let (mut source, mut snapshot) = (LinuxSource::open().expect("sockets can be read"), Snapshot::default());
    let needs = Needs { query: SocketQuery { fields, ..SocketQuery::default() }, ..Needs::default() };
    source.sample(&needs, &mut snapshot).expect("a sample");
    (source, snapshot)
}

#[test]
fn what_nobody_asks_for_is_neither_opened_nor_read() {
    let _socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let (source, snapshot) = sampled(QueryFields { owner: true, ..QueryFields::NONE });
    assert!(source.units.is_none() && source.facts.is_none() && source.meter.is_none());
    assert!(source.inquirer.get().is_none(), "no socket is bound to an interface");
    assert_eq!(*snapshot.facts, crate::model::facts::Facts::default());
    let names = &snapshot.names;
    assert!(names.users.is_empty() && names.units.is_empty() && names.reachable.is_empty(), "{names:?}");
    assert!(snapshot.descriptors.is_empty(), "no limit was read");
}

#[test]
fn what_is_asked_for_is_told() {
    let _socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let (source, snapshot) = sampled(QueryFields::ALL);
    assert!(source.units.is_some() && source.namespaces.was_looked_for());
    assert!(snapshot.facts.counters.is_some() && snapshot.facts.ephemeral_ports.is_some());
    assert!(!snapshot.names.reachable.is_empty(), "{:?}", snapshot.names);
    let me = std::process::id();
    assert!(snapshot.descriptors.iter().any(|(process, _)| process.pid == me), "this process holds a socket");
    let without = sampled(QueryFields { counters: false, reach: false, ..QueryFields::ALL }).1;
    assert!(without.facts.counters.is_none() && without.names.reachable.is_empty());
    assert_eq!(without.facts.ephemeral_ports, snapshot.facts.ephemeral_ports);
}
