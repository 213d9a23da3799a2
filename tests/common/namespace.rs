//! Runs a test again in a process of its own, inside a network namespace where nothing but its own sockets exists.

#![allow(dead_code, reason = "each test that uses this file takes one of the two ways")]

use std::process::{Command, Stdio};

use crate::skip::{skip, this_test};

/// Set in the environment of the run inside.
const INSIDE: &str = "CONNTOP_TEST_NAMESPACE";

/// How the namespace of a test is made: of the network alone.
const NETWORK: &[&str] = &["-n"];

/// Also of processes: those of the test are all there are, and all end with it.
const NETWORK_AND_PROCESSES: &[&str] = &["-n", "-p", "-f", "--mount-proc"];

/// Also of mounts: files of the system can be put aside there.
const NETWORK_AND_MOUNTS: &[&str] = &["-n", "-m"];

/// Whether the caller runs inside a namespace made by this function; if not, runs the calling test again inside one and
/// reports its failure as its own. Where the system allows no namespaces, the test says that it was skipped.
pub fn inside_namespace() -> bool {
    inside(NETWORK)
}

/// The same with a `/proc` that shows no other processes. The standard input is the network namespace that the test
/// was started in.
pub fn alone_in_namespace() -> bool {
    inside(NETWORK_AND_PROCESSES)
}

/// The same with mounts of its own.
pub fn inside_namespace_of_mounts() -> bool {
    inside(NETWORK_AND_MOUNTS)
}

/// Whether the caller is the only test of its process; if not, runs it again in a process of its own and reports its failure
/// as its own. For tests that count what their process has open.
pub fn alone_in_process() -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let test = this_test();
    let this = std::env::current_exe().expect("a test knows its program");
    let status = Command::new(this).args(["--exact", &test, "--nocapture"]).env(INSIDE, "1").status();
    assert!(status.expect("it runs already").success(), "{test} failed in a process of its own");
    false
}

fn inside(flags: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let test = this_test();
    let root: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["-Ur"] };
    let flags = [root, flags].concat();
    let works = Command::new("unshare").args(&flags).args(["ip", "link", "set", "lo", "up"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip(&format!("`unshare {}` or `ip` does not work here", flags.join(" ")));
        return false;
    }
    let this = std::env::current_exe().expect("a test knows its program");
    let outside = std::fs::File::open("/proc/self/ns/net").expect("this is Linux");
    let status = Command::new("unshare")
        .args(&flags)
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(this)
        .args(["--exact", &test, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::from(outside))
        .status()
        .expect("unshare ran a moment ago");
    assert!(status.success(), "{test} failed inside its namespace");
    false
}

/// Gives the namespace that the caller is inside of an interface that leads to others, 10.9.0.1 on one end of a veth pair:
/// where only lo is, nothing is exposed.
pub fn lead_to_others() {
    let commands =
        ["link add v0 type veth peer name v1", "addr add 10.9.0.1/24 dev v0", "link set v1 up", "link set v0 up"];
    for command in commands {
        let output = Command::new("ip").args(command.split(' ')).output().expect("ip(8) has set lo up");
        assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
