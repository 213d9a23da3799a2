//! What the kernel throws away, and counts.

use serde_json::Value;

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, set, wait_until};
use crate::verdict::{Expected, check, check_with};

/// A number that `/proc/net/{snmp,netstat}` tells.
fn counted(group: &str, name: &str) -> u64 {
    let files = ["/proc/net/snmp", "/proc/net/netstat"].map(|path| std::fs::read_to_string(path).expect("/proc/net"));
    let lines: Vec<_> = files.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(": ")).collect();
    let mut of_group = lines.iter().filter(|(of, _)| *of == group).map(|(_, words)| words.split(' '));
    let (names, values) = (of_group.next().expect("names"), of_group.next().expect("values"));
    let value = names.zip(values).find(|(known, _)| *known == name).expect("the kernel has it").1;
    value.parse().expect("a number")
}

fn sentence(finding: &Value) -> &str {
    finding["sentence"].as_str().expect("a sentence")
}

/// A UDP server that does not read, beside one that nothing is sent to.
#[test]
fn datagrams_that_nobody_reads() {
    if !alone_in_namespace() {
        return;
    }
    let (mut slow, mut idle, mut sender) =
        (ScriptedProcess::new("slow-syslog"), ScriptedProcess::new("idle"), ScriptedProcess::new("sender"));
    slow.tell("bind 127.0.0.1 5140");
    idle.tell("bind 127.0.0.1 5141");
    check(&["--for", "1"]).none();
    sender.tell("datagrams 127.0.0.1 5140 1000");
    wait_until("datagrams are dropped", || counted("Udp", "RcvbufErrors") > 0);
    let expected =
        Expected { rule: "udp-receive-drops", severity: "warning", process: Some(&slow), place: "on 127.0.0.1:5140" };
    let checked = check(&["--for", "3"]);
    let finding = checked.only(&expected);
    assert!(sentence(finding).contains("receive buffer full"), "{checked}");
    let (rate, most) = (finding["evidence"]["dropped_per_second"].as_f64(), counted("Udp", "RcvbufErrors"));
    assert!(rate.is_some_and(|rate| rate > 10.0 && rate < 1_100.0) && most > 10, "{rate:?} of {most}: {checked}");
    sender.tell("stop");
    check(&["--for", "2"]).none();
}

/// The kernel is told to keep ten `TIME_WAIT` sockets.
#[test]
fn connections_that_get_no_time_wait() {
    if !alone_in_namespace() || !set("ipv4/tcp_max_tw_buckets", "10") {
        return;
    }
    let (_server, mut client) = server_and_client("brisk-server", "127.0.0.1 7060 128 answer", "short-lived");
    client.tell("requests 127.0.0.1 7060 60");
    let expected = Expected { rule: "time-wait-overflow", severity: "warning", process: None, place: "machine" };
    let checked = check(&["--for", "4"]);
    checked.only(&expected);
    assert!(counted("TcpExt", "TCPTimeWaitOverflow") > 10, "{checked}");
    client.tell("stop");
    check(&["--for", "2"]).none();
}

/// One packet in five of one peer is lost, none of the other's: the first is named, with how long it was watched.
#[test]
fn the_peer_to_which_segments_are_lost_is_named() {
    if !alone_in_namespace() {
        return;
    }
    let (mut lossy, mut clean) = (ScriptedProcess::new("lossy-server"), ScriptedProcess::new("clean-server"));
    lossy.tell("listen 127.0.0.7 7061 16 answer");
    clean.tell("listen 127.0.0.8 7061 16 answer");
    let (mut first, mut second) = (ScriptedProcess::new("first"), ScriptedProcess::new("second"));
    first.tell("connect 127.0.0.7 7061 4");
    second.tell("connect 127.0.0.8 7061 2");
    lossy.wait_for_count("accepted", 4);
    lossy.tell("drop-packets 20");
    first.tell("stream");
    second.tell("stream");
    let expected = Expected { rule: "retransmitting", severity: "warning", process: None, place: "machine" };
    let look = || check_with("retransmit-segments = 100\nretransmit-percent = 2", &["--for", "6"]);
    let is_found = |checked: &crate::verdict::Checked| checked.findings().iter().any(|finding| expected.is(finding));
    let checked = (0..3).map(|_| look()).find(is_found).unwrap_or_else(look);
    let found = checked.findings().iter().find(|finding| expected.is(finding));
    let found = found.unwrap_or_else(|| panic!("the share is missing: {checked}"));
    assert!(sentence(found).contains("127.0.0.7") && !sentence(found).contains("127.0.0.8"), "{checked}");
    assert_eq!(found["why"], "a receiver on this machine has no room", "{checked}");
    let over = found["evidence"]["over_seconds"].as_f64().expect("seconds");
    let is_told = [over.floor(), over.ceil()].iter().any(|over| sentence(found).contains(&format!(" in {over}s")));
    assert!((3.0..=12.0).contains(&over) && is_told, "{checked}");
}
