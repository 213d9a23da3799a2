//! Runs a test again inside a network namespace of its own, where nothing but its own sockets exists.

use std::process::Command;

/// Set in the environment of the run inside.
const INSIDE: &str = "CONNTOP_TEST_NAMESPACE";

/// Whether the caller runs inside a namespace made by this function; if not, runs the test called `test` again inside
/// one and reports its failure as its own. Where the system allows no namespaces, says loudly that it was skipped.
pub fn inside_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let flags = if rustix::process::geteuid().is_root() { "-n" } else { "-Urn" };
    let works = Command::new("unshare").args([flags, "ip", "link", "set", "lo", "up"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED {test}: `unshare {flags}` or `ip` does not work here");
        return false;
    }
    let this = std::env::current_exe().expect("a test knows its program");
    let status = Command::new("unshare")
        .args([flags, "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare ran a moment ago");
    assert!(status.success(), "{test} failed inside its namespace");
    false
}
