//! Limits and counters are those of the network namespace that conntop runs in, and tell of what happens in it.

#![cfg(target_os = "linux")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use conntop::model::facts::{Facts, PortRange};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{Choice, Source, open};

use crate::namespace;
use crate::skip::skip;

fn facts(source: &mut dyn Source) -> Facts {
    let mut snapshot = Snapshot::default();
    source.sample(&Needs::default(), &mut snapshot).expect("a sample");
    Facts::clone(&snapshot.facts)
}

#[test]
fn facts_are_of_the_namespace_and_of_now() {
    if !namespace::inside_namespace() {
        return;
    }
    let set = |name: &str, value: &str| fs::write(format!("/proc/sys/net/{name}"), value).expect("our own namespace");
    set("ipv4/ip_local_port_range", "40000 40099");
    set("ipv4/ip_local_reserved_ports", "40000-40004,50000");
    // In a namespace of an ordinary user the kernel shows no such file.
    let somaxconn = fs::write("/proc/sys/net/core/somaxconn", "77").ok().map(|()| 77);
    if somaxconn.is_none() {
        skip("the part with net.core.somaxconn: it cannot be set here");
    }
    for choice in [Choice::Linux, Choice::Procfs] {
        let mut source = open(&choice).expect("it works here");
        let before = facts(&mut *source);
        assert_eq!(before.ephemeral_ports, Some(PortRange { first: 40_000, last: 40_099 }), "{choice:?}");
        assert_eq!((before.ephemeral_reserved, before.ephemeral_usable()), (5, Some(95)));
        if somaxconn.is_some() {
            assert_eq!(before.accept_queue_max, somaxconn, "{before:?}");
        }
        let _waiting = overflow();
        let (before, after) = (before.counters.expect("counters"), facts(&mut *source).counters.expect("counters"));
        let growth = after.since(&before);
        assert!(growth.listen_overflows > 0 && growth.listen_drops >= growth.listen_overflows, "{growth:?}");
        assert!(growth.active_opens > 0 && growth.segments_sent > 0, "{growth:?}");
    }
}

/// More connections than a queue of one takes.
fn overflow() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    rustix::net::listen(&listener, 1).expect("a shorter queue");
    let address = listener.local_addr().expect("bound");
    let mut clients = Vec::new();
    // The one that finds no room in the queue gets no answer.
    while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(150)) {
        clients.push(client);
        assert!(clients.len() < 50, "the queue has no end");
    }
    (listener, clients)
}
