//! `conntop check` as a monitoring system runs it: over and over, and without the permission to see everything.

use std::process::Command;

use crate::namespace::alone_in_namespace;
use crate::program_copy::ProgramCopy;
use crate::setup::{ScriptedProcess, run, server_and_client, wait_for_sockets, wait_until};
use crate::skip::skip;
use crate::verdict::{Expected, check, check_by};

/// How setpriv(1) becomes nobody.
const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// A leaking server, as it is in each of these scenes.
fn leaking() -> (ScriptedProcess, ScriptedProcess) {
    let (ledger, mut browser) = server_and_client("ledger-api", "127.0.0.1 7101 256 leak", "browser");
    browser.tell("connect 127.0.0.1 7101 120");
    browser.tell("close");
    wait_for_sockets("state close-wait sport = :7101", 120);
    (ledger, browser)
}

/// `copy` of conntop with these arguments, run by nobody.
fn by_nobody(copy: &ProgramCopy, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(NOBODY).arg(&copy.path).args(arguments);
    command
}

#[test]
fn the_same_trouble_is_the_same_finding_every_time() {
    if !alone_in_namespace() {
        return;
    }
    check(&[]).none();
    let (mut ledger, _browser) = leaking();
    let mut first = check(&[]);
    wait_until("the rule takes it for a leak", || {
        first = check(&[]);
        !first.findings().is_empty()
    });
    assert_eq!((first.findings().len(), first.code), (1, 1), "{first}");
    for round in 0..6 {
        let again = check(if round % 2 == 0 { &[] } else { &["--for", "1"] });
        assert_eq!((again.causes(), again.code), (first.causes(), first.code), "{again}");
    }
    ledger.tell("close");
    check(&[]).none();
}

#[test]
fn what_may_not_be_seen_is_said() {
    if !alone_in_namespace() {
        return;
    }
    let mut nobody = Command::new("setpriv");
    nobody.args(NOBODY).arg("true");
    if !run(nobody).status.success() {
        skip("who runs it cannot become nobody");
        return;
    }
    let (_ledger, _browser) = leaking();
    wait_until("the rule takes it for a leak", || !check(&[]).findings().is_empty());
    let copy = ProgramCopy::of(env!("CARGO_BIN_EXE_conntop"), "conntop");
    let checked = check_by(by_nobody(&copy, &["check", "--format", "json"]));
    // The leak is there for everybody to see; whose it is, is not.
    let expected = Expected { rule: "close-wait-leak", severity: "warning", process: None, place: "on 127.0.0.1:7101" };
    assert_eq!(checked.only(&expected)["sockets"], 120, "{checked}");
    assert!(checked.json["coverage"]["owners_hidden"].as_u64() >= Some(120), "{}", checked.json["coverage"]);
    let output = run(by_nobody(&copy, &["check"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("may not"), "{said}");
}

#[test]
fn nothing_that_can_be_looked_at_is_exit_code_3() {
    if !alone_in_namespace() {
        return;
    }
    let mut blind = Command::new("unshare");
    blind.args(["--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" check --source procfs"]);
    blind.arg(env!("CARGO_BIN_EXE_conntop"));
    let output = run(blind);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{stdout} {}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.starts_with("CONNTOP UNKNOWN"), "{stdout}");
}
