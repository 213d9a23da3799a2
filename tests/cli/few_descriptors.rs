//! A small limit of open files (`RLIMIT_NOFILE`): what cannot be opened is missing with a sentence, and nothing panics.
//! In a namespace with one listener, which each command must show where it can.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::namespace;

/// The port of the only socket that there is.
const PORT: u16 = 7_000;

/// With fewer than 4 the loader of shared libraries fails before there is a program.
const LEAST: u32 = 4;

/// A limit that is enough for every command.
const ENOUGH: u32 = 32;

/// A command, and whether it prints the sockets that there are.
const COMMANDS: [(&[&str], bool); 9] = [
    (&["list"], true),
    (&["list", "--source", "portable"], true),
    (&["list", "--all-netns"], true),
    (&["list", "--on-change", "--count", "1"], true),
    (&["ports"], true),
    (&["netstat", "-an"], true),
    (&["netstat", "-an", "1", "--count", "1"], true),
    (&["watch", "--count", "1", "--for", "0.2", "--interval", "0.1"], false),
    (&["record", "--count", "1", "recording"], false),
];

#[test]
fn whatever_the_limit_of_open_files_a_command_does_its_work_or_says_what_is_missing() {
    if !namespace::inside_namespace() {
        return;
    }
    let _listener = TcpListener::bind(("127.0.0.1", PORT)).expect("nobody else is here");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let recording = folder.path().join("recording");
    for limit in (LEAST..=24).chain([28, ENOUGH]) {
        for (command, prints_sockets) in COMMANDS {
            let output = Command::new("prlimit")
                .arg(format!("--nofile={limit}:{limit}"))
                .arg(env!("CARGO_BIN_EXE_conntop"))
                .args(command)
                .current_dir(folder.path())
                .env_remove("HOME")
                .env_remove("XDG_CONFIG_HOME")
                .output()
                .expect("prlimit(1) is there, as .ci/test sees to");
            let is_recorded = std::fs::remove_file(&recording).is_ok();
            let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let case = format!("{limit} {command:?}: {stdout}{stderr}");
            assert_eq!(output.status.signal(), None, "{case}");
            assert!(!stderr.contains("panicked"), "{case}");
            match output.status.code() {
                Some(0) => {
                    assert_eq!(stdout.contains(&PORT.to_string()), prints_sockets, "{case}");
                    assert_eq!(is_recorded, command[0] == "record", "{case}");
                }
                Some(1) if limit < ENOUGH => {
                    assert_eq!(stdout, "", "{case}");
                    assert!(stderr.contains("Too many open files"), "{case}");
                }
                _ => panic!("{case}"),
            }
        }
    }
}

/// Without descriptors for `/proc` the owner of a socket is not known, which is said: it is never told to have none.
#[test]
fn an_owner_that_cannot_be_looked_up_for_want_of_descriptors_is_hidden() {
    if !namespace::inside_namespace() {
        return;
    }
    let _listener = TcpListener::bind(("127.0.0.1", PORT)).expect("nobody else is here");
    let mut owners = std::collections::BTreeSet::new();
    for limit in LEAST + 1..=ENOUGH {
        let output = Command::new("prlimit")
            .arg(format!("--nofile={limit}:{limit}"))
            .args([env!("CARGO_BIN_EXE_conntop"), "list", "--config", "/dev/null", "--format", "ndjson"])
            .output()
            .expect("prlimit(1) is there, as .ci/test sees to");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let row: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{limit}: {stderr}"));
        let owner = row["owner"].as_str().expect("a word").to_owned();
        assert_eq!(owner == "hidden", stderr.contains("owners"), "{limit}: {owner}: {stderr}");
        owners.insert(owner);
    }
    assert_eq!(owners, ["hidden", "live"].map(str::to_owned).into(), "few descriptors hide it, enough of them do not");
}
