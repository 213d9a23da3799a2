//! The command line keeps its promises: data on stdout, one sentence on stderr, the right exit code.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command as Plain, Stdio};

use assert_cmd::Command;

fn conntop() -> Command {
    Command::cargo_bin("conntop").expect("cargo builds the binary for its tests")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("conntop prints UTF-8")
}

/// Runs it, expects this exit code and exactly one sentence, and returns the sentence.
fn refused(arguments: &[&str], code: i32) -> String {
    let assert = conntop().args(arguments).assert().code(code).stdout("");
    let stderr = text(&assert.get_output().stderr);
    assert!(stderr.starts_with("conntop: ") && stderr.ends_with('\n'), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
    assert!(stderr.len() > 30, "{stderr:?}");
    stderr
}

fn printed(arguments: &[&str]) -> String {
    text(&conntop().args(arguments).assert().success().get_output().stdout)
}

#[test]
fn wrong_use_is_answered_by_one_sentence_and_exit_code_2() {
    for (arguments, part) in [
        (&["list", "--columns", "proces"][..], "did you mean 'process'?"),
        (&["list", "--columns", "state,elephant"], "see conntop columns"),
        (&["list", "--sort", "-ag"], "did you mean 'age'?"),
        (&["list", "--format", "jsn"], "did you mean 'json'?"),
        (&["list", "--limit", "-1"], "whole number"),
        (&["--interval", "-1"], "from 0.1 to 60"),
        (&["list", "stat:listen"], "did you mean 'state'?"),
        (&["list", "state:close-wiat"], "did you mean 'close-wait'?"),
        (&["list", "(udp"], "never closed"),
        (&["list", "/(/"], "not valid"),
        (&["state:close-wiat"], "did you mean 'close-wait'?"),
        (&["--source", "netlink"], "there are auto, linux, procfs"),
        (&["--source", "synthetic:x", "list"], "synthetic:7"),
        (&["--demo", "--source", "procfs"], "--demo"),
        (&["--all-netns", "--source", "portable", "list"], "--source linux"),
        (&["--interval", "0"], "from 0.1 to 60"),
        (&["--interval", "soon", "list"], "from 0.1 to 60"),
        (&["--color", "red"], "auto, always and never"),
        (&["listt"], "did you mean 'list'?"),
        (&["--no-such-option"], "--help"),
        (&["record"], "<FILE>"),
        (&["replay"], "<FILE>"),
    ] {
        let sentence = refused(arguments, 2);
        assert!(sentence.contains(part), "{arguments:?}: {sentence}");
    }
}

#[test]
fn what_cannot_be_done_is_answered_by_one_sentence_and_exit_code_1() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(file("garbage"), "this is no recording").expect("writable");
    for arguments in [
        &["replay", &file("missing")][..],
        &["replay", &file("garbage")],
        &["replay", dir.path().to_str().expect("UTF-8")],
        &["record", &file("no/such/dir"), "--source", "synthetic", "--count", "1"],
        &["record", &file("garbage"), "--source", "synthetic", "--count", "1"],
    ] {
        refused(arguments, 1);
    }
}

#[test]
fn what_a_message_quotes_cannot_reach_the_terminal() {
    let sentence = refused(&["list", "state:\u{1b}]0;pwn\u{7}"], 2);
    assert!(!sentence.trim_end().chars().any(char::is_control), "{sentence:?}");
    let sentence = refused(&["--source", "\u{1b}[2J\u{202e}"], 2);
    assert!(!sentence.trim_end().chars().any(char::is_control) && !sentence.contains('\u{202e}'), "{sentence:?}");
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf_8_are_wrong_use() {
    use std::os::unix::ffi::OsStrExt;
    for arguments in [&[&b"\xff\xfe"[..]][..], &[b"list", b"process:\xff"], &[b"--source", b"\xff"]] {
        let arguments = arguments.iter().map(|bytes| OsStr::from_bytes(bytes));
        let assert = conntop().args(arguments).assert().code(2).stdout("");
        assert_eq!(text(&assert.get_output().stderr).lines().count(), 1);
    }
}

#[test]
fn without_a_terminal_it_is_the_same_as_list() {
    let arguments = ["--source", "synthetic:3", "state:listen"];
    assert_eq!(printed(&arguments), printed(&[&["list"][..], &arguments[..]].concat()));
}

#[test]
fn the_same_seed_gives_the_same_list_in_every_format() {
    let rows = |format: &str| printed(&["list", "--source", "synthetic:3", "--format", format, "state:close-wait"]);
    let document: serde_json::Value = serde_json::from_str(&rows("json")).expect("valid JSON");
    let sockets = document["sockets"].as_array().expect("an array");
    assert_eq!(document["source"], "synthetic");
    assert!(!sockets.is_empty(), "the made-up server leaks");
    assert!(sockets.iter().all(|socket| socket["state"] == "CLOSE_WAIT"));
    assert_eq!(rows("ndjson").lines().count(), sockets.len());
    assert_eq!(rows("csv").matches("\r\n").count(), sockets.len() + 1);
    assert_eq!(rows("text").lines().count(), sockets.len() + 1);
}

#[test]
fn sort_limit_and_columns_shape_the_list() {
    let arguments =
        ["list", "--demo", "--columns", "lport,state", "--sort", "-lport", "--limit", "5", "--format", "csv"];
    let csv = printed(&arguments);
    let ports: Vec<u16> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().and_then(|port| port.parse().ok()).expect("a port"))
        .collect();
    assert!(csv.starts_with("lport,state\r\n"), "{csv}");
    assert_eq!(ports.len(), 5);
    assert!(ports.is_sorted_by(|a, b| a >= b), "{ports:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = Plain::new(assert_cmd::cargo::cargo_bin("conntop"))
        .args(["list", "--demo", "--format", "ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut [0; 16]).expect("a first line");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn an_empty_environment_is_enough() {
    let assert = conntop().env_clear().args(["list", "--source", "synthetic"]).assert().success();
    assert!(!assert.get_output().stdout.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_in_one_sentence() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = Plain::new(assert_cmd::cargo::cargo_bin("conntop"))
        .args(["list", "--demo"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr).lines().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_closed_stdout_does_not_panic() {
    let binary = assert_cmd::cargo::cargo_bin("conntop");
    let output = Plain::new("sh").args(["-c", "exec \"$0\" list --demo >&-"]).arg(binary).output().expect("sh starts");
    assert!(!text(&output.stderr).contains("panicked"), "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_is_recorded_is_what_is_replayed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("demo.rec");
    let file = path.to_str().expect("UTF-8");
    let record = ["record", file, "--source", "synthetic:5", "--count", "3", "--interval", "0.1"];
    let assert = conntop().args(record).assert().success().stdout("");
    assert!(text(&assert.get_output().stderr).contains("3 samples"));
    let replayed = printed(&["replay", file, "state:listen"]);
    let live = printed(&["list", "--source", "synthetic:5", "state:listen", "--columns", "lport"]);
    assert_eq!(replayed.lines().count(), live.lines().count());
    refused(&["record", file, "--source", "synthetic", "--count", "1"], 1);
}

#[test]
fn columns_prints_every_column_with_a_sentence() {
    let table = printed(&["columns"]);
    assert!(table.starts_with("KEY"));
    for line in table.lines().skip(1) {
        assert!(line.ends_with('.'), "{line}");
    }
    for name in ["age_seconds", "recvq_bytes", "backlog_limit", "verdict"] {
        assert!(table.contains(name), "{name}");
    }
}

#[test]
fn keys_prints_every_key_of_the_screen() {
    let table = printed(&["keys"]);
    assert_eq!(table.lines().count(), 1 + conntop::app::keymap::bindings().count());
    assert!(table.lines().any(|line| line.contains("F9") && line.contains("signal")), "{table}");
}

#[test]
fn help_has_examples_and_goes_to_stdout() {
    let help = printed(&["--help"]);
    assert!(help.contains("Examples:") && help.contains("--source"), "{help}");
    assert!(printed(&["-V"]).starts_with("conntop "));
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_of_this_test_is_listed_with_its_owner() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("lport:{port} state:listen");
    let list = || -> serde_json::Value {
        let lines = printed(&["list", "--format", "ndjson", &filter]);
        serde_json::from_str(lines.trim_end()).expect("one line of JSON")
    };
    // The children of other tests have copies of all descriptors until their exec.
    let is_mine = |socket: &serde_json::Value| socket["owners"].as_array().is_some_and(|owners| owners.len() == 1);
    let socket = (0..100).map(|_| list()).find(is_mine).unwrap_or_else(list);
    assert_eq!((&socket["pid"], &socket["owner"]), (&std::process::id().into(), &"live".into()), "{socket}");
    assert_eq!((&socket["laddr"], &socket["lport"]), (&"127.0.0.1".into(), &port.into()));
    assert_eq!((&socket["backlog"], &socket["raddr"]), (&0.into(), &serde_json::Value::Null));
}
