//! netstat on made-up numbers: layout, choice, change per second, JSON.

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::model::delta::Delta;
use crate::model::endpoint::Family;
use crate::model::host_name::HostName;
use crate::model::interface::{Feature, Received, Sent};
use crate::model::process::{Holders, Owner};
use crate::model::route::{Hop, Metric};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{BOOT, connection, listener, process, source_info, tcp, udp};
use crate::table::filter::Filter;

fn store() -> Store {
    let nginx = process(812, "nginx");
    let remembered = Owner::Remembered(Arc::new(Holders::new(vec![nginx.clone()]).expect("one process")));
    let sockets: Vec<Socket> = vec![
        udp(1, 53).held_by(&[process(611, "dnsmasq")]).build(),
        udp(2, 40_000).local("10.0.0.7:40000").remote("192.0.2.123:123").build(),
        tcp(3).local("10.0.0.7:80").remote("192.0.2.4:50001").mini(TcpState::TimeWait).owner(remembered).build(),
        tcp(4).local("10.0.0.7:50000").remote("192.0.2.5:443").state(TcpState::CloseWait).owner(Owner::Hidden).build(),
        listener(5, 80).held_by(&[nginx.clone(), process(813, "nginx")]).build(),
        listener(6, 50_000).local("[::]:50000").remote("[::]:0").held_by(&[nginx]).build(),
        tcp(7).local("[2001:db8:0:7::7]:443").remote("[2001:db8:ffff:1234:5678:9abc:def0:1]:50002").build(),
    ];
    let mut delta = Delta { at: Timestamp::from_millis(90_000), wall: WallTime(BOOT.0 + 90_000), ..Delta::default() };
    delta.added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    let mut store = Store::new(source_info());
    store.apply(delta);
    store
}

fn executables() -> FxHashMap<ProcessId, Executable> {
    let path = |path: &str| Executable::Path(path.into());
    let of = |pid, name| process(pid, name).id;
    [(of(812, "nginx"), path("/usr/sbin/nginx")), (of(611, "dnsmasq"), Executable::Hidden)].into_iter().collect()
}

fn connections() -> Connections {
    Connections { all: true, numeric: true, pid: true, executable: true, ..Connections::default() }
}

fn round(at_ms: u64) -> NetstatSample {
    let at = Timestamp::from_millis(at_ms);
    NetstatSample { at, wall: WallTime(BOOT.0.saturating_add_unsigned(at_ms)), ..NetstatSample::default() }
}

fn text_of(netstat: &mut Netstat, now: &NetstatSample, before: Option<&NetstatSample>) -> String {
    let mut out = Vec::new();
    netstat.write(&store(), now, before, &mut out).expect("a vector takes all");
    let text = String::from_utf8(out).expect("text in, text out");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    text
}

fn printed(wanted: NetstatOptions, now: &NetstatSample, before: Option<&NetstatSample>) -> String {
    text_of(&mut Netstat::new(wanted), now, before)
}

fn json_of(wanted: NetstatOptions, now: &NetstatSample, before: Option<&NetstatSample>) -> Value {
    let text = printed(NetstatOptions { format: DocumentFormat::Json, ..wanted }, now, before);
    assert_eq!(text.lines().count(), 1, "a round is one line");
    serde_json::from_str(&text).expect("valid JSON")
}

#[test]
fn connections_stand_in_netstats_layout() {
    let now = NetstatSample { executables: executables(), ..round(90_000) };
    insta::assert_snapshot!(printed(
        NetstatOptions { connections: Some(connections()), ..NetstatOptions::default() },
        &now,
        None
    ));
}

#[test]
fn without_a_there_are_connections_only_and_without_n_services_have_names() {
    let plain = Connections::default();
    insta::assert_snapshot!(printed(
        NetstatOptions { connections: Some(plain), ..NetstatOptions::default() },
        &round(90_000),
        None
    ));
}

#[test]
fn every_line_has_the_same_number_of_fields() {
    let wanted = NetstatOptions {
        connections: Some(Connections { executable: false, ..connections() }),
        ..NetstatOptions::default()
    };
    let text = printed(wanted, &round(90_000), None);
    let fields: Vec<usize> = text.lines().skip(4).map(|line| line.split_whitespace().count()).collect();
    assert_eq!(fields, [5; 7], "{text}");
}

#[test]
fn a_protocol_and_a_filter_choose_and_both_words_for_listeners_are_taken() {
    let rows = |protocol: &str, filter: &str| {
        let chosen = Connections {
            protocol: protocol::find(protocol),
            filter: Filter::parse(filter).expect("valid"),
            ..connections()
        };
        chosen.rows(&store()).len()
    };
    assert_eq!((rows("", ""), rows("tcp", ""), rows("TCPv6", ""), rows("udp", ""), rows("udpv6", "")), (7, 4, 2, 2, 0));
    assert_eq!((rows("", "state:LISTENING"), rows("", "state:listen"), rows("tcp", "state:LISTENING")), (2, 2, 2));
}

#[test]
fn columns_stay_where_they_are_from_round_to_round() {
    let filter = |text: &str| Connections { filter: Filter::parse(text).expect("valid"), ..connections() };
    let mut netstat = Netstat::new(NetstatOptions { connections: Some(filter("")), ..NetstatOptions::default() });
    let heading = |text: &str| text.lines().nth(3).expect("a heading").to_owned();
    let wide = heading(&text_of(&mut netstat, &round(1000), None));
    netstat.wanted.connections = Some(filter("udp"));
    assert_eq!(heading(&text_of(&mut netstat, &round(2000), None)), wide);
}

#[test]
fn names_of_hosts_take_the_place_of_addresses_once_somebody_finds_them() {
    let mut store = store();
    store.host_names_mut().learn([192, 0, 2, 5].into(), HostName::new(b"db.example"));
    let names = Connections { names: true, ..connections() };
    let mut netstat = Netstat::new(NetstatOptions { connections: Some(names), ..NetstatOptions::default() });
    let mut out = Vec::new();
    netstat.write(&store, &round(90_000), None, &mut out).expect("a vector takes all");
    let text = String::from_utf8(out).expect("text in, text out");
    assert!(text.contains("db.example:443 ") && !text.contains("192.0.2.5"), "{text}");
}

#[test]
fn connections_in_json_are_those_of_list_and_have_their_executable() {
    let now = NetstatSample { executables: executables(), ..round(90_000) };
    let value = json_of(NetstatOptions { connections: Some(connections()), ..NetstatOptions::default() }, &now, None);
    assert_eq!((&value["schema"], &value["at"]), (&2.into(), &"2026-01-01T00:01:30.000Z".into()));
    let sockets = value["connections"].as_array().expect("an array");
    let of = |state: &str| sockets.iter().find(|socket| socket["state"] == state).expect(state);
    assert_eq!((&of("LISTEN")["executable"], &of("LISTEN")["lport"]), (&"/usr/sbin/nginx".into(), &80.into()));
    assert_eq!(of("TIME_WAIT")["owner"], "remembered");
    assert!(of("CLOSE_WAIT")["executable"].is_null() && of("CLOSE_WAIT")["pid"].is_null());
    assert!(value.get("interfaces").is_none(), "only what was asked for");
}

fn counted(at_ms: u64, factor: u64) -> NetstatSample {
    let received = Received { bytes: 1000 * factor, packets: 10 * factor, multicast: factor, ..Received::default() };
    let sent = Sent { bytes: 500 * factor, packets: 5 * factor, collisions: 7, ..Sent::default() };
    let counter = |group: &str, name: &str, value: u64| ProtocolCounter {
        group: group.into(),
        name: name.into(),
        value: i64::try_from(value).expect("small"),
    };
    NetstatSample {
        interfaces: vec![Interface { name: "eth0".into(), received, sent }],
        counters: vec![
            counter("Ip", "InReceives", 100 * factor),
            counter("Tcp", "RtoMin", 200),
            counter("Tcp", "CurrEstab", 10 / factor),
            counter("Tcp", "RetransSegs", 3 * factor),
            counter("TcpExt", "ListenDrops", 4 * factor),
            counter("TcpExt", "TW", 0),
            counter("Udp6", "NoPorts", 0),
            counter("Sctp", "Odd", 1),
        ],
        ..round(at_ms)
    }
}

#[test]
fn interfaces_are_told_line_by_line() {
    let wanted = || NetstatOptions { interfaces: true, ..NetstatOptions::default() };
    insta::assert_snapshot!(printed(wanted(), &counted(1000, 1), None));
    let value = json_of(wanted(), &counted(3000, 3), Some(&counted(1000, 1)));
    let eth0 = &value["interfaces"][0];
    assert_eq!(
        (&eth0["interface"], &eth0["rx_bytes"], &eth0["rx_bytes_per_second"]),
        (&"eth0".into(), &3000.into(), &1000.0.into())
    );
    assert!(eth0.get("tx_multicast").is_none() && eth0["tx_collisions"] == 7);
}

#[test]
fn an_interval_shows_the_change_per_second_beside_the_total() {
    let wanted = NetstatOptions { interfaces: true, statistics: true, repeats: true, ..NetstatOptions::default() };
    let mut netstat = Netstat::new(wanted);
    let first = text_of(&mut netstat, &counted(1000, 1), None);
    assert!(first.contains("per second"), "{first}");
    insta::assert_snapshot!(text_of(&mut netstat, &counted(3000, 3), Some(&counted(1000, 1))));
}

#[test]
fn a_counter_that_went_back_has_no_rate() {
    let wanted = || NetstatOptions { interfaces: true, statistics: true, repeats: true, ..NetstatOptions::default() };
    let value = json_of(wanted(), &counted(3000, 1), Some(&counted(1000, 3)));
    assert!(value["interfaces"][0]["rx_bytes_per_second"].is_null());
    let of = |name: &str| {
        let all = value["statistics"].as_array().expect("an array");
        all.iter().find(|counter| counter["name"] == name).expect(name).clone()
    };
    assert!(of("RetransSegs")["per_second"].is_null() && of("RtoMin")["per_second"].is_null());
    assert_eq!(of("CurrEstab")["per_second"], 3.5, "a level may fall");
}

#[test]
fn statistics_are_divided_by_protocol() {
    let shown = |protocol: Option<&str>, all| {
        let wanted = NetstatOptions {
            statistics: true,
            all,
            protocol: protocol.and_then(protocol::find),
            ..NetstatOptions::default()
        };
        printed(wanted, &counted(1000, 1), None)
    };
    let tcp = shown(Some("tcpv6"), false);
    assert!(
        tcp.contains("TcpRetransSegs") && tcp.contains("TcpExtListenDrops") && !tcp.contains("IpInReceives"),
        "{tcp}"
    );
    assert!(!tcp.contains("TcpExtTW") && shown(Some("tcp"), true).contains("TcpExtTW"));
    let all = shown(None, false);
    assert!(all.contains("Udp6NoPorts") && all.contains("Other Statistics") && all.contains("SctpOdd"), "{all}");
    assert_eq!(all.matches("TCP Statistics").count(), 1);
}

fn route(family: Family, destination: &str, prefix_len: u8) -> Route {
    Route {
        family,
        table: 254,
        kind: 1,
        destination: destination.parse().expect("an address"),
        prefix_len,
        from: None,
        hops: Vec::new(),
        protocol: 3,
        scope: 0,
        source: None,
        metric: None,
        preference: None,
        metrics: Vec::new(),
        congestion: None,
        tos: 0,
        realms: None,
        nexthop_id: None,
        expires: None,
    }
}

fn hop(gateway: &str, interface: &str) -> Hop {
    Hop {
        gateway: gateway.parse().ok(),
        index: Some(2),
        interface: Some(interface.into()),
        flags: 0,
        weight: None,
        encapsulation: None,
    }
}

fn routed() -> NetstatSample {
    let default =
        Route { hops: vec![hop("192.0.2.1", "eth0")], metric: Some(100), ..route(Family::Ipv4, "0.0.0.0", 0) };
    let link = Route {
        hops: vec![Hop { flags: 16, ..hop("", "eth0") }],
        protocol: 2,
        scope: 253,
        source: "192.0.2.2".parse().ok(),
        metrics: vec![
            Metric { kind: 2, value: 1400, is_locked: true },
            Metric { kind: 4, value: 2400, is_locked: false },
            Metric { kind: 12, value: 1, is_locked: false },
        ],
        congestion: Some("cubic".into()),
        tos: 0x10,
        realms: Some(7),
        ..route(Family::Ipv4, "192.0.2.0", 24)
    };
    let shared = Route {
        hops: [("10.0.0.1", 1), ("10.0.0.2", 3)]
            .map(|(gateway, weight)| Hop { weight: Some(weight), ..hop(gateway, "eth1") })
            .to_vec(),
        ..route(Family::Ipv4, "10.9.0.0", 16)
    };
    let nowhere = Route { kind: 6, ..route(Family::Ipv4, "198.51.100.0", 24) };
    let six = Route {
        hops: vec![hop("fe80::1", "eth0")],
        preference: Some(0),
        protocol: 9,
        metric: Some(1024),
        expires: Some(Duration::from_secs(30 * 60)),
        ..route(Family::Ipv6, "::", 0)
    };
    let local = Route { table: 255, kind: 2, hops: vec![hop("", "lo")], ..route(Family::Ipv6, "::1", 128) };
    NetstatSample { routes: vec![default, link, shared, nowhere, six, local], ..round(1000) }
}

#[test]
fn routes_have_what_ip_route_has() {
    insta::assert_snapshot!(printed(NetstatOptions { routes: true, ..NetstatOptions::default() }, &routed(), None));
    let value = json_of(
        NetstatOptions { routes: true, protocol: protocol::find("ip"), ..NetstatOptions::default() },
        &routed(),
        None,
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&value["routes"]).expect("JSON"));
    let six = printed(
        NetstatOptions { routes: true, all: true, protocol: protocol::find("ipv6"), ..NetstatOptions::default() },
        &routed(),
        None,
    );
    assert!(six.contains("local") && !six.contains("IPv4"), "{six}");
}

#[test]
fn offload_features_are_shown_if_they_are_on_or_could_be() {
    let feature = |name: &str, is_on, is_fixed| Feature { name: name.into(), is_on, is_fixed };
    let features = vec![
        feature("tx-tcp-segmentation", true, false),
        feature("rx-lro", false, true),
        feature("rx-gro", false, false),
    ];
    let now = NetstatSample { offload: vec![Offload { interface: "eth0".into(), features }], ..round(1000) };
    insta::assert_snapshot!(printed(NetstatOptions { offload: true, ..NetstatOptions::default() }, &now, None));
    assert!(
        printed(NetstatOptions { offload: true, all: true, ..NetstatOptions::default() }, &now, None)
            .contains("off[fixed]")
    );
    let value = json_of(NetstatOptions { offload: true, ..NetstatOptions::default() }, &now, None);
    assert_eq!(value["offload"][0]["features"].as_array().map(Vec::len), Some(3));
}
