//! Where sockets are bound, by V6ONLY, interface and link, beside what ss says of the same sockets. Needs root and ss.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::process::Command;

use crate::netns::Netns;
use crate::scene::Scene;

/// Listeners and UDP sockets in every way that a socket can be bound; says when they are there and stays until killed.
const SOCKETS: &str = r#"
import socket, time
keep = []
def bound(kind, family, host, port, only=None, device=b"", scope=""):
    s = socket.socket(family, kind)
    if only is not None: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    if device: s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
    s.bind((host, port) if family == socket.AF_INET else (host, port, 0, socket.if_nametoindex(scope) if scope else 0))
    if kind == socket.SOCK_STREAM: s.listen(5)
    keep.append(s)
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    four = lambda host, port, **how: bound(kind, socket.AF_INET, host, port, **how)
    six = lambda host, port, **how: bound(kind, socket.AF_INET6, host, port, **how)
    four("0.0.0.0", 7001); four("0.0.0.0", 7002, device=b"lo"); four("0.0.0.0", 7003, device=b"v0")
    four("127.0.0.2", 7004)
    six("::", 7005, only=1); six("::", 7006, only=0); six("::", 7007, only=0, device=b"lo"); six("::", 7008, only=1, device=b"v0")
    six("::1", 7009); six("::ffff:127.0.0.1", 7010, only=0)
    six("fe80::a", 7011, scope="v0"); six("fe80::a", 7011, scope="w0")
print("ready", flush=True)
time.sleep(60)
"#;

/// A namespace with two veths that are up, `v0` and `w0`.
fn scene() -> Option<Scene> {
    Scene::new(&["ss", "python3"], add_links, SOCKETS)
}

fn add_links(netns: &Netns) {
    for link in ["v", "w"] {
        let (a, b) = (format!("{link}0"), format!("{link}1"));
        for words in [
            vec!["link", "add", &a, "type", "veth", "peer", "name", &b],
            vec!["link", "set", &a, "up"],
            vec!["link", "set", &b, "up"],
            vec!["-6", "addr", "add", "fe80::a/64", "dev", &a, "nodad"],
            // Without one, nobody reaches what listens on every IPv4 address.
            vec!["addr", "add", "10.9.0.1/24", "dev", &a],
        ] {
            let made = Command::new("ip").args(["-n", &netns.name]).args(words).status();
            assert!(made.is_ok_and(|status| status.success()), "a new namespace is ours");
        }
    }
}

/// An end as ss writes it, written as conntop does: the interface within the brackets, mapped addresses as IPv4.
fn as_ours(end: &str) -> String {
    let end = end.replace("[::ffff:127.0.0.1]", "127.0.0.1");
    match end.split_once("]%").and_then(|(addr, rest)| Some((addr, rest.rsplit_once(':')?))) {
        Some((addr, (link, port))) => format!("{addr}%{link}]:{port}"),
        None => end,
    }
}

#[test]
fn sockets_are_bound_as_ss_says() {
    let Some(scene) = scene() else { return };
    let list = scene.run(&["ss", "-Htuln"]);
    let told = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {}", words[0], as_ours(words[4]))
    };
    let expected: BTreeSet<String> = list.lines().map(told).collect();
    let list = scene.conntop(&["list", "--format", "csv", "--columns", "proto,local"]);
    let found: BTreeSet<String> = list.lines().skip(1).map(|line| line.replace(',', " ")).collect();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 24);
}

#[test]
fn who_can_reach_a_port_follows_from_address_interface_and_family() {
    let Some(scene) = scene() else { return };
    let ports = scene.conntop(&["ports", "--exposed"]);
    let exposed: BTreeSet<&str> = ports.lines().filter_map(|line| line.split_whitespace().nth(1)).skip(1).collect();
    assert_eq!(exposed, ["7001", "7003", "7005", "7006", "7008", "7011"].into());
    assert!(ports.contains("0.0.0.0%v0") && ports.contains("[::%v0]") && ports.contains("[fe80::a%w0]"), "{ports}");
    for (protocol, family, others) in [
        ("TCP", ["7001", "7002", "7003", "7004", "7006", "7007", "7010"].as_slice(), "IPv4"),
        ("TCPv6", &["7005", "7006", "7007", "7008", "7009", "7011"], "IPv6"),
        ("UDP", &["7001", "7002", "7003", "7004", "7006", "7007", "7010"], "IPv4"),
    ] {
        let text = scene.conntop(&["netstat", "-an", "-p", protocol]);
        let port = |line: &str| Some(line.split_whitespace().nth(1)?.rsplit_once(':')?.1.to_owned());
        let found: BTreeSet<String> = text.lines().filter_map(port).filter(|port| port.starts_with('7')).collect();
        assert_eq!(found, family.iter().map(ToString::to_string).collect(), "{protocol} is {others}");
    }
    for (filter, count) in [
        ("laddr:0.0.0.0 proto:tcp", "5"),
        ("laddr:fe80::a%v0", "2"),
        ("[fe80::a]%w0:7011", "2"),
        ("v6only:true proto:tcp local:[::]", "2"),
        ("laddr:0.0.0.0%lo proto:udp", "2"),
    ] {
        assert_eq!(scene.conntop(&["list", "--count-only", filter]).trim(), count, "{filter}");
    }
}
