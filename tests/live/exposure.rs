//! Who can reach a listener, by the interfaces of its network namespace: nobody else where only lo exists. Needs root, ip(8)
//! and python3.

#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

use crate::netns::Netns;
use crate::scene::Scene;
use crate::skip::skip;

/// The port of redis, for which others than this machine are a risk.
const SOCKETS: &str = r#"
import socket, sys, time
keep = []
for port, device in ((6379, b""), (11211, b"lo"), (9200, b"v0")):
    s = socket.socket()
    if device: s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
    s.bind(("0.0.0.0", port)); s.listen(5); keep.append(s)
print("ready", flush=True)
time.sleep(60)
"#;

/// A namespace with lo and a veth that is down.
fn scene() -> Option<Scene> {
    Scene::new(&["python3"], |netns| ip(netns, &["link", "add", "v0", "type", "veth", "peer", "name", "v1"]), SOCKETS)
}

/// What conntop, run inside, says reaches each port, and for which of them it has a finding.
fn look(scene: &Scene) -> (Vec<(u64, String)>, Vec<u64>) {
    let ports = json(&scene.conntop(&["ports", "--format", "json"]));
    let reached =
        |one: &Value| (one["lport"].as_u64().expect("a port"), one["reached_from"].as_str().unwrap_or("?").to_owned());
    let reached = ports["listeners"].as_array().expect("a list").iter().map(reached).collect();
    (reached, exposed(&json(&scene.conntop(&["check", "--format", "json"]))))
}

fn ip(netns: &Netns, words: &[&str]) {
    assert!(try_ip(netns, words), "ip {words:?}");
}

fn try_ip(netns: &Netns, words: &[&str]) -> bool {
    let made = Command::new("ip").args(["-n", &netns.name]).args(words).output();
    made.is_ok_and(|output| output.status.success())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The ports of the findings about exposure.
fn exposed(check: &Value) -> Vec<u64> {
    let findings = check["findings"].as_array().expect("a list").iter();
    let mut ports: Vec<u64> = findings
        .filter(|finding| finding["rule"] == "exposed-risky-port")
        .map(|finding| finding["port"].as_u64().expect("a port"))
        .collect();
    ports.sort_unstable();
    ports
}

#[test]
fn a_listener_is_reached_by_others_only_through_an_interface_that_is_up_and_leads_to_them() {
    let Some(scene) = scene() else { return };
    let netns = &scene.netns;
    let all = |words: [&str; 3]| -> Vec<(u64, String)> {
        [6379, 9200, 11211].into_iter().zip(words).map(|(port, word)| (port, word.to_owned())).collect()
    };
    let nobody = (all(["this-machine", "this-machine", "this-machine"]), vec![]);
    assert_eq!(look(&scene), nobody, "there is only lo, and a veth that is down");
    ip(netns, &["addr", "add", "10.9.0.1/24", "dev", "v0"]);
    assert_eq!(look(&scene), nobody, "it has an address and is down");
    if try_ip(netns, &["link", "add", "d0", "type", "dummy"]) {
        ip(netns, &["addr", "add", "10.8.0.1/24", "dev", "d0"]);
        ip(netns, &["link", "set", "d0", "up"]);
        assert_eq!(look(&scene), nobody, "behind a dummy is nobody");
    } else {
        skip("the part with a dummy interface: this kernel has no dummy interfaces");
    }
    ip(netns, &["link", "set", "v0", "up"]);
    let local = all(["local-network", "local-network", "this-machine"]);
    assert_eq!(look(&scene), (local, vec![6379, 9200]));
    ip(netns, &["addr", "add", "198.51.100.7/32", "dev", "lo"]);
    let internet = all(["internet", "local-network", "this-machine"]);
    assert_eq!(look(&scene), (internet, vec![6379, 9200]), "an address on lo is reached through v0");
}

#[test]
fn from_another_namespace_the_interfaces_of_this_one_count_and_not_our_own() {
    let Some(scene) = scene() else { return };
    let Some(outside) = Netns::new() else { return };
    let look = || {
        let program = env!("CARGO_BIN_EXE_conntop");
        let words = ["check", "--all-netns", "--format", "json", &format!("netns:{}", scene.netns.inode)];
        let output = Command::new("ip").args(["netns", "exec", &outside.name, program]).args(words).output();
        exposed(&json(&String::from_utf8(output.expect("it runs").stdout).expect("text")))
    };
    assert_eq!(look(), [0; 0], "it has only lo");
    ip(&scene.netns, &["addr", "add", "10.9.0.1/24", "dev", "v0"]);
    ip(&scene.netns, &["link", "set", "v0", "up"]);
    assert_eq!(look(), [6379, 9200]);
}
