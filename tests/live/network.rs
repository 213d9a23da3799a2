//! Interfaces, routes and counters are those that `ip -s link`, `ip route` and `nstat` show of the same network namespace.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use conntop::knowledge::counters;
use conntop::model::counters::COUNTERS;
use conntop::model::network::Network;
use conntop::model::route::TABLE_MAIN;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{Choice, Source, open};
use serde_json::Value;

use crate::netns::Netns;
use crate::skip::skip;

/// What a program prints that runs in the namespace `name`; `None` where it is not there or fails.
fn printed(name: &str, command: &[&str]) -> Option<String> {
    let output = Command::new("ip").args(["netns", "exec", name]).args(command).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn json(name: &str, command: &[&str]) -> Vec<Value> {
    let text = printed(name, command).expect("iproute2 works in a namespace that it made");
    serde_json::from_str(&text).unwrap_or_default()
}

fn sample(source: &mut dyn Source, network: bool) -> Snapshot {
    let mut snapshot = Snapshot::default();
    source.sample(&Needs { network, ..Needs::default() }, &mut snapshot).expect("a sample");
    snapshot
}

/// A veth pair with addresses, routes of several kinds, and traffic over loopback.
fn furnished() -> Option<Netns> {
    let netns = Netns::new()?;
    for command in [
        "link add v0 mtu 1400 type veth peer name v1",
        "address add 10.77.0.1/24 dev v0",
        "-6 address add 2001:db8:77::1/64 dev v0 nodad",
        "link set v0 up",
        "route add default via 10.77.0.9 metric 50",
        "route add 198.51.100.0/24 via 10.77.0.8",
        "route add blackhole 192.0.2.0/24",
        "-6 route add default via 2001:db8:77::9",
    ] {
        let made = Command::new("ip").args(["-n", &netns.name]).args(command.split(' ')).output();
        if !made.is_ok_and(|output| output.status.success()) {
            skip(&format!("ip {command} does not work here"));
            return None;
        }
    }
    netns.inside(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (mut server, _) = listener.accept().expect("it has connected");
        client.write_all(&[7; 10_000]).expect("there is room");
        server.read_exact(&mut [0; 10_000]).expect("it was sent");
    });
    Some(netns)
}

/// What the namespace `name` has, read on a thread inside of it.
fn network(netns: &Netns) -> (Network, Snapshot) {
    netns.inside(|| {
        let mut source = open(&Choice::Linux).expect("it works here");
        assert_eq!(sample(&mut *source, false).network, None, "nobody looks at it");
        let snapshot = sample(&mut *source, true);
        (Network::clone(snapshot.network.as_ref().expect("it is asked for")), snapshot)
    })
}

#[test]
fn interfaces_are_those_of_ip_link() {
    let Some(netns) = furnished() else { return };
    let before = json(&netns.name, &["ip", "-s", "-j", "link"]);
    let (network, _) = network(&netns);
    let after = json(&netns.name, &["ip", "-s", "-j", "link"]);
    assert_eq!((network.interfaces.len(), network.is_cut, network.degraded.len()), (before.len(), false, 0));
    let mut compared = 0;
    for interface in &network.interfaces {
        let name = interface.counted.name.as_str();
        let of = |links: &[Value]| links.iter().find(|link| link["ifname"] == name).cloned().expect("ip has it");
        let (before, after) = (of(&before), of(&after));
        assert_eq!(before["mtu"], interface.mtu_bytes.expect("every interface has one"), "{name}");
        assert_eq!(
            before["operstate"]
                .as_str()
                .map(str::to_lowercase)
                .as_deref()
                .map(|state| state.replace("lowerlayerdown", "lower down")),
            Some(interface.state.label().to_owned()),
            "{name}"
        );
        let (received, sent) = (interface.counted.received, interface.counted.sent);
        for (direction, field, ours) in [
            ("rx", "bytes", received.bytes),
            ("rx", "packets", received.packets),
            ("rx", "errors", received.errors),
            ("tx", "bytes", sent.bytes),
            ("tx", "packets", sent.packets),
            ("tx", "errors", sent.errors),
            ("tx", "dropped", sent.dropped),
        ] {
            let number = |link: &Value| link["stats64"][direction][field].as_u64().expect("a number");
            assert!(
                (number(&before)..=number(&after)).contains(&ours),
                "{name} {direction} {field}: {ours}, ip says {}",
                number(&before)
            );
            compared += usize::from(ours > 0);
        }
    }
    assert!(compared >= 4, "loopback has counted");
}

#[test]
fn routes_are_those_of_ip_route() {
    let Some(netns) = furnished() else { return };
    let (network, _) = network(&netns);
    let mut listed: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    for family in ["-4", "-6"] {
        for route in json(&netns.name, &["ip", "-j", family, "route", "show", "table", "main"]) {
            let text = |key: &str| route[key].as_str().map(str::to_owned);
            let destination = text("dst").expect("every route leads somewhere");
            // Routes of the kernel for multicast are of the table local.
            listed.push((destination, text("gateway"), text("dev")));
        }
    }
    let mut ours: Vec<_> = network
        .routes
        .iter()
        .map(|route| {
            assert_eq!(route.table, TABLE_MAIN);
            let hop = route.hops.first();
            let gateway = hop.and_then(|hop| hop.gateway).map(|gateway| gateway.to_string());
            (route.destination_text(), gateway, hop.and_then(|hop| hop.interface.as_ref()).map(ToString::to_string))
        })
        .collect();
    listed.sort();
    ours.sort();
    // ip names no interface for a route that leads nowhere; the kernel says lo for those of IPv6.
    assert_eq!(ours, listed);
    assert!(ours.iter().filter(|(destination, ..)| destination == "default").count() >= 2, "{ours:?}");
}

#[test]
fn counters_are_those_of_nstat() {
    let Some(netns) = furnished() else { return };
    let names: Vec<String> = COUNTERS
        .iter()
        .filter(|row| row.told_as.len() == 1)
        .map(|row| format!("{}{}", row.told_as[0].0, row.told_as[0].1))
        .collect();
    let told = || {
        let text = printed(&netns.name, &["nstat", "-asz"])?;
        let number = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse::<u64>().ok()?))
        };
        Some(text.lines().filter_map(number).collect::<std::collections::BTreeMap<_, _>>())
    };
    let Some(before) = told() else {
        skip("nstat is not here");
        return;
    };
    let (_, snapshot) = network(&netns);
    let after = told().expect("it was there before");
    let ours = snapshot.facts.counters.expect("counters");
    let mut compared = 0;
    for (row, name) in COUNTERS.iter().filter(|row| row.told_as.len() == 1).zip(&names) {
        let (Some(least), Some(most)) = (before.get(name), after.get(name)) else { continue };
        let value = (row.get)(&ours);
        assert!((*least..=*most).contains(&value), "{name}: {value}, nstat says {least} to {most}");
        compared += usize::from(value > 0);
        let (group, counter) = row.told_as[0];
        assert!(counters::text(group, counter).is_some(), "{name} has no meaning on the screen");
    }
    assert!(compared >= 4, "{compared} counters have counted");
}
