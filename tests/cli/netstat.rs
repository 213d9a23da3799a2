//! `conntop netstat` and `conntop ports` against the running kernel, beside `ip`, `ss` and `/proc/net`, field by field.
//! Each test runs in a network namespace of its own, where nobody else makes traffic.

#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use serde_json::Value;

use crate::namespace;
use crate::skip::skip;

/// How often something is looked at until it stands still meanwhile.
const LOOKS: usize = 200;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn conntop(arguments: &[&str]) -> String {
    run(env!("CARGO_BIN_EXE_conntop"), arguments)
}

fn json(program: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(program, arguments)).expect("valid JSON")
}

fn part(arguments: &[&str], name: &str) -> Vec<Value> {
    let value = json(env!("CARGO_BIN_EXE_conntop"), &[&["netstat", "--format", "json"], arguments].concat());
    value[name].as_array().unwrap_or_else(|| panic!("{name} in {value}")).clone()
}

/// Compares `ours` with `theirs` at a moment at which `theirs` is the same before and after.
fn compare<T: PartialEq + Debug>(ours: impl Fn() -> T, theirs: impl Fn() -> T) {
    for _ in 0..LOOKS {
        let (before, found, after) = (theirs(), ours(), theirs());
        if before == after {
            assert_eq!(found, before);
            return;
        }
    }
    panic!("it never stood still");
}

fn ip(line: &str) {
    run("ip", &line.split(' ').collect::<Vec<_>>());
}

/// A pair of interfaces with addresses.
fn make_interfaces() {
    for line in [
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "link set v1 up",
        "addr add 10.1.0.1/24 dev v0",
        "addr add 10.2.0.1/24 dev v1",
        "-6 addr add fd00:1::1/64 dev v0 nodad",
    ] {
        ip(line);
    }
}

/// The fields of a route that both have, without those that are not set.
type Route = BTreeMap<&'static str, String>;

fn fields(route: &Value) -> Route {
    let mut found = Route::new();
    for name in ["type", "dst", "from", "gateway", "dev", "table", "protocol", "scope", "prefsrc", "metric", "pref"] {
        let value = &route[name];
        if !value.is_null() {
            found.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    let via = &route["via"]["host"]; // ip's way to write a router of the other family
    if let Some(via) = via.as_str() {
        found.insert("gateway", via.to_owned());
    }
    found.insert("metrics", metrics(route).join(" "));
    // ip writes the numbers of these three as text.
    for (name, of_ip) in [("tos", &route["tos"]), ("nhid", &route["nhid"]), ("realm", &route["flow"]["to"])] {
        let value = if route[name].is_null() { of_ip } else { &route[name] };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let number = text.strip_prefix("0x").map_or(text.parse(), |digits| u32::from_str_radix(digits, 16));
        found.extend(number.ok().map(|number| (name, number.to_string())));
    }
    // One of its words: it comes as a list of fields from ip.
    if let Some(encapsulation) = route["encap"].as_str() {
        found.insert("encap", encapsulation.to_owned());
    }
    // A second may pass between two looks.
    let lasts = [&route["expires"], &route["expires_seconds"]].into_iter().find(|left| left.is_u64());
    found.extend(lasts.map(|_| ("expires", "some time".to_owned())));
    let flags = route["flags"].as_array().cloned().unwrap_or_default();
    found.insert("flags", flags.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    let hops = route["nexthops"].as_array().cloned().unwrap_or_default();
    let hop = |hop: &Value| {
        let via = hop["gateway"].as_str().or(hop["via"]["host"].as_str()).unwrap_or_default().to_owned();
        format!("{via} {} {}", hop["dev"].as_str().unwrap_or_default(), hop["weight"])
    };
    found.insert("nexthops", hops.iter().map(hop).collect::<Vec<_>>().join(", "));
    found
}

/// Routes that only some kernels take: source routes, realms, another congestion control, nexthop objects.
const MAYBE: [&str; 7] = [
    "-6 route add fd00:22::/32 from fd00:1::/64 via fd00:1::9",
    "route add 10.25.0.0/16 via 10.1.0.9 realm 7",
    "route add 10.26.0.0/16 via 10.1.0.9 congctl reno",
    "nexthop add id 10 via 10.1.0.7 dev v0",
    "nexthop add id 20 group 10",
    "route add 10.27.0.0/16 nhid 10",
    "route add 10.28.0.0/16 nhid 20",
];

/// The metrics of a route as `name value`, in alphabetical order. ip has them in an object within an array, and writes
/// the features as names without a value.
fn metrics(route: &Value) -> Vec<String> {
    let found = route["metrics"].as_object().or_else(|| route["metrics"][0].as_object()).cloned().unwrap_or_default();
    let text = |(name, value): (String, Value)| match (name.as_str(), &value) {
        ("ecn", Value::Null) => "features 1".to_owned(),
        ("congestion", value) => format!("congestion {value}"),
        (name, value) => format!("{name} {value}"),
    };
    let mut metrics: Vec<_> = found.into_iter().map(text).collect();
    if !route["congestion"].is_null() {
        metrics.push(format!("congestion {}", route["congestion"]));
    }
    metrics.sort();
    metrics
}

#[test]
fn routes_are_those_of_ip_route_field_by_field() {
    if !namespace::inside_namespace() {
        return;
    }
    make_interfaces();
    for line in [
        "route add default via 10.1.0.254 metric 100",
        "route add default via 10.2.0.254 metric 200 proto dhcp src 10.2.0.1",
        "route add 10.9.0.0/16 nexthop via 10.1.0.7 weight 1 nexthop via 10.2.0.7 weight 5",
        "route add 10.10.0.0/16 via 10.1.0.9 mtu 1400 proto static",
        "route add 10.11.0.7 dev v0 scope link",
        "route add blackhole 198.51.100.0/24",
        "route add unreachable 203.0.113.0/24 metric 7",
        "route add 10.12.0.0/16 via inet6 fd00:1::9 dev v0",
        "route add 10.13.0.0/16 via 10.99.0.1 dev v1 onlink",
        "route add 10.14.0.0/16 via 10.1.0.9 table 1000",
        "-6 route add default via fd00:1::fe metric 512 pref high",
        "-6 route add fd00:9::/32 nexthop via fd00:1::7 weight 1 nexthop via fd00:1::8 weight 2",
        "-6 route add prohibit fd00:10::/32",
        "-6 route add fd00:11::7 via fd00:1::9 proto bgp mtu 1300",
        "route add throw 10.20.0.0/16",
        "route add 10.21.0.0/16 via 10.1.0.9 tos 0x10",
        "route add 10.22.0.0/16 via 10.1.0.9 advmss 1200 initcwnd 20 window 9000 quickack 1",
        "route add 10.23.0.0/16 via 10.1.0.9 mtu lock 1400 rtt 300ms rto_min 5ms features ecn",
        "-6 route add fd00:20::/32 via fd00:1::9 expires 3600 hoplimit 33",
        "-6 route add unreachable fd00:21::/32 metric 9 table 77",
    ] {
        ip(line);
    }
    for line in MAYBE {
        // A kernel may have been built without one of these.
        let made = Command::new("ip").args(line.split(' ')).output().expect("ip(8) is there, as .ci/test sees to");
        if !made.status.success() {
            skip(&format!("the part with `ip {line}`: {}", String::from_utf8_lossy(&made.stderr)));
        }
    }
    for (family, protocol) in [("-4", "IP"), ("-6", "IPv6")] {
        for (ours, table) in [("-rn", "main"), ("-rna", "all")] {
            let sorted = |routes: Vec<Value>| {
                let mut routes: Vec<Route> = routes.iter().map(fields).collect();
                routes.sort();
                routes
            };
            let theirs = || {
                let mut routes = json("ip", &["-d", "-j", family, "route", "show", "table", table]);
                let routes = routes.as_array_mut().expect("an array");
                for route in &mut *routes {
                    // ip leaves out what one knows: the table that was asked for.
                    if route["table"].is_null() {
                        route["table"] = "main".into();
                    }
                }
                sorted(std::mem::take(routes))
            };
            assert!(theirs().len() >= 3, "ip saw too little");
            compare(|| sorted(part(&[ours, "-p", protocol], "routes")), theirs);
        }
    }
    let text = conntop(&["netstat", "-rn"]);
    for line in ["10.10.0.0/16", "blackhole", "weight 5", "mtu 1400", "bgp", "throw", "tos 0x10"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // Notes have ip's own words, in its order.
    for words in ["window 9000 advmss 1200 initcwnd 20 quickack 1", "mtu lock 1400 rtt 300ms features ecn rto_min"] {
        assert!(text.contains(words) && run("ip", &["-d", "route"]).contains(words), "{words}: {text}");
    }
    for words in ["hoplimit 33", "expires 3"] {
        assert!(text.contains(words) && run("ip", &["-6", "route"]).contains(words), "{words}: {text}");
    }
}

/// The numbers of each interface, in the order of the names that are compared.
type Counters = BTreeMap<String, Vec<u64>>;

#[test]
fn interfaces_are_those_of_ip_s_link_field_by_field() {
    if !namespace::inside_namespace() {
        return;
    }
    make_interfaces();
    let socket = UdpSocket::bind("10.1.0.1:0").expect("our address");
    for _ in 0..10 {
        let _ = socket.send_to(&[7; 100], "10.1.0.2:9");
        let _ = UdpSocket::bind("127.0.0.1:0").expect("loopback").send_to(&[7; 500], "127.0.0.1:9");
    }
    let names = [
        ("rx_bytes", "rx", "bytes"),
        ("rx_packets", "rx", "packets"),
        ("rx_errors", "rx", "errors"),
        ("rx_discards", "rx", "dropped"),
        ("rx_multicast", "rx", "multicast"),
        ("tx_bytes", "tx", "bytes"),
        ("tx_packets", "tx", "packets"),
        ("tx_errors", "tx", "errors"),
        ("tx_discards", "tx", "dropped"),
        ("tx_carrier", "tx", "carrier_errors"),
        ("tx_collisions", "tx", "collisions"),
    ];
    let number = |value: &Value| value.as_u64().expect("a number");
    let ours = || -> Counters {
        let row = |row: &Value| names.iter().map(|(name, ..)| number(&row[*name])).collect();
        let name = |row: &Value| row["interface"].as_str().expect("a name").to_owned();
        part(&["-e"], "interfaces").iter().map(|value| (name(value), row(value))).collect()
    };
    let theirs = || -> Counters {
        let links = json("ip", &["-s", "-j", "link"]);
        let row = |link: &Value| names.iter().map(|(_, way, name)| number(&link["stats64"][*way][*name])).collect();
        let name = |link: &Value| link["ifname"].as_str().expect("a name").to_owned();
        links.as_array().expect("an array").iter().map(|link| (name(link), row(link))).collect()
    };
    compare(ours, theirs);
    assert!(ours()["lo"][0] >= 10 * 500 && ours().len() >= 3, "{:?}", ours());
}

#[test]
fn statistics_are_those_of_proc_net_field_by_field() {
    if !namespace::inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    drop(TcpStream::connect(listener.local_addr().expect("bound")));
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/net/{name}")).expect("/proc/net");
    let theirs = || {
        let mut found = BTreeMap::new();
        for text in [read("snmp"), read("netstat")] {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.chunks(2) {
                let (names, values) = (pair[0].split_whitespace(), pair[1].split_whitespace());
                let group = pair[0].split(':').next().expect("a group");
                for (name, value) in names.zip(values).skip(1) {
                    found.insert(format!("{group}{name}"), value.parse::<i64>().expect("a number"));
                }
            }
        }
        for line in read("snmp6").lines() {
            let (name, value) = line.split_once(char::is_whitespace).expect("a name and a value");
            found.insert(name.to_owned(), value.trim().parse().expect("a number"));
        }
        found
    };
    let ours = || {
        let name =
            |row: &Value| format!("{}{}", row["group"].as_str().expect("text"), row["name"].as_str().expect("text"));
        let all = part(&["-s"], "statistics");
        all.iter().map(|row| (name(row), row["value"].as_i64().expect("a number"))).collect::<BTreeMap<_, _>>()
    };
    compare(ours, theirs);
    assert!(ours()["TcpActiveOpens"] >= 1 && ours().len() > 200);

    // The text has the same numbers, and -p divides them.
    let text = conntop(&["netstat", "-s", "-p", "tcp"]);
    assert!(text.contains("TcpActiveOpens") && !text.contains("IpInReceives"), "{text}");
    let (six, icmp) = (part(&["-s", "-p", "IPv6"], "statistics"), part(&["-s", "-p", "icmpv6"], "statistics"));
    for (rows, group) in [(six, "Ip6"), (icmp, "Icmp6")] {
        assert!(!rows.is_empty() && rows.iter().all(|row| row["group"] == group), "{group}: {rows:?}");
    }
}

/// `SIOCETHTOOL` with `ETHTOOL_G{SG,TSO,GSO,GRO,RXCSUM}`, after the generic segmentation of loopback was turned off.
const SCRIPT: &str = "
import array, fcntl, socket, struct
s = socket.socket()
def call(command, value=0):
    data = array.array('B', struct.pack('II', command, value))
    fcntl.ioctl(s, 0x8946, struct.pack('16sP16x', b'lo', data.buffer_info()[0]))
    return struct.unpack('II', data)[1]
call(0x24, 0)
print(*[call(command) for command in (0x18, 0x1e, 0x23, 0x2b, 0x14)])
";

#[test]
fn offload_features_are_those_that_the_older_call_tells() {
    if !namespace::inside_namespace() {
        return;
    }
    let theirs = run("python3", &["-c", SCRIPT]);
    let names = ["tx-scatter-gather", "tx-tcp-segmentation", "tx-generic-segmentation", "rx-gro", "rx-checksum"];
    let found = part(&["-t"], "offload");
    let Some(lo) = found.iter().find(|row| row["interface"] == "lo") else {
        assert!(found.is_empty(), "a kernel without ethtool netlink tells of no interface");
        skip("this kernel has no ethtool netlink (Linux 5.6)");
        return;
    };
    let features = lo["features"].as_array().expect("an array");
    let is_on = |name: &str| features.iter().find(|row| row["name"] == name).expect(name)["on"] == true;
    let ours: Vec<_> = names.iter().map(|name| if is_on(name) { "1" } else { "0" }).collect();
    assert_eq!(ours.join(" "), theirs.trim());
    assert!(!is_on("tx-generic-segmentation"), "it was turned off");
}

/// Sockets of every kind that netstat tells apart; they live as long as the value.
struct Sockets {
    _tcp: Vec<TcpListener>,
    _streams: Vec<TcpStream>,
    _udp: Vec<UdpSocket>,
}

impl Sockets {
    fn make() -> Self {
        let listen = |address: &str| TcpListener::bind(address).expect("nobody else is here");
        let tcp = vec![listen("127.0.0.1:7080"), listen("[::1]:7081"), listen("[::]:7082"), listen("0.0.0.0:6379")];
        let mut streams = Vec::new();
        for listener in &tcp[..3] {
            streams.push(TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens"));
            streams.push(listener.accept().expect("a client").0);
        }
        // A peer that closed: CLOSE_WAIT here, FIN_WAIT2 there.
        streams[0].shutdown(std::net::Shutdown::Write).expect("connected");
        // The kernel delays the acknowledgement that makes it so.
        let is_settled = || run("ss", &["-Htn", "state", "fin-wait-2"]).lines().count() == 1;
        assert!((0..10 * LOOKS).any(|_| is_settled()), "it never settles");
        let udp =
            ["127.0.0.1:7090", "[::1]:7091", "127.0.0.1:7092"].map(|address| UdpSocket::bind(address).expect("free"));
        udp[2].connect("127.0.0.1:7090").expect("loopback");
        Self { _tcp: tcp, _streams: streams, _udp: udp.into() }
    }
}

#[test]
fn connections_are_those_of_ss_field_by_field() {
    if !namespace::inside_namespace() {
        return;
    }
    let sockets = Sockets::make();
    let theirs = || -> BTreeSet<Vec<String>> {
        // An IPv4 address is written as one, whatever the family of the socket.
        let endpoint = |text: &str| match text.strip_prefix("[::ffff:").and_then(|text| text.split_once(']')) {
            Some((addr, port)) => format!("{addr}{port}"),
            None => text.to_owned(),
        };
        let row = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let state = match (fields[0], fields[1]) {
                ("udp", "UNCONN") => "-",
                (_, "LISTEN") => "LISTENING",
                (_, "ESTAB") => "ESTABLISHED",
                (_, "FIN-WAIT-2") => "FIN_WAIT2",
                (_, "CLOSE-WAIT") => "CLOSE_WAIT",
                (_, other) => other,
            };
            let pid = line.split("pid=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("-");
            vec![fields[0].to_uppercase(), endpoint(fields[4]), endpoint(fields[5]), state.to_owned(), pid.to_owned()]
        };
        run("ss", &["-Htuanp"]).lines().map(row).collect()
    };
    let ours = |arguments: &[&str]| -> BTreeSet<Vec<String>> {
        let text = conntop(&[&["netstat"], arguments].concat());
        let lines = text.lines().skip_while(|line| !line.contains("Proto")).skip(1);
        lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    };
    compare(|| ours(&["-ano"]), theirs);
    let all = ours(&["-ano"]);
    assert_eq!(ours(&["-a", "-n", "-o"]), all, "options may be bundled");
    assert!(all.len() >= 13, "{all:?}");
    let of = |arguments: &[&str]| ours(arguments).len();
    assert_eq!(of(&["-no"]), all.iter().filter(|row| !row[2].ends_with(":*")).count());
    assert_eq!(of(&["-ano", "-p", "udpV6"]), 1);
    assert_eq!(of(&["-ano", "LISTENING"]), 4);
    assert_eq!(ours(&["-ano", "state:listen"]), ours(&["-ano", "LISTENING"]));
    assert_eq!(of(&["-ano", "port:7082"]), 3);
    // Who listens on 7082 takes IPv4, too.
    assert!(ours(&["-ano", "-p", "TCP"]).iter().any(|row| row[1] == "*:7082" && row[3] == "LISTENING"));

    let text = conntop(&["netstat", "-bno", "lport:7080"]);
    let program = std::env::current_exe().expect("a test knows its program");
    assert!(text.contains(program.to_str().expect("UTF-8")), "{text}");
    drop(sockets);
}

#[test]
fn ports_tell_who_listens_and_what_that_invites() {
    if !namespace::inside_namespace() {
        return;
    }
    namespace::lead_to_others();
    let sockets = Sockets::make();
    let conntop = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_conntop")).arg("ports").args(arguments).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, text, _) = conntop(&["--format", "json"]);
    let value: Value = serde_json::from_str(&text).expect("valid JSON");
    let of = |port: u16| {
        let all = value["listeners"].as_array().expect("an array");
        all.iter().find(|row| row["lport"] == port).unwrap_or_else(|| panic!("{port} in {value}")).clone()
    };
    assert_eq!(code, Some(0));
    let redis = of(6379);
    assert_eq!(
        (&redis["exposure"], &redis["service"], &redis["danger"]),
        (&"all".into(), &"redis".into(), &"high".into())
    );
    assert_eq!((&redis["pid"], &redis["unexpected"]), (&std::process::id().into(), &true.into()));
    assert_eq!((&of(7080)["exposure"], &of(7082)["exposure"]), (&"loopback".into(), &"all".into()));
    assert_eq!((&of(7090)["proto"], &of(7080)["class"]), (&"udp".into(), &"registered".into()));

    let (_, exposed, _) = conntop(&["--exposed"]);
    assert!(exposed.lines().nth(1).is_some_and(|line| line.contains("6379 is usually redis-server")), "{exposed}");
    assert!(!exposed.contains("7080"), "{exposed}");
    let (code, text, sentence) = conntop(&["--fail-on", "risk"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("PROTO") && sentence.contains("6379"), "{sentence}");
    assert_eq!(conntop(&["--fail-on", "risk", "!lport:6379"]).0, Some(0));
    drop(sockets);
}
