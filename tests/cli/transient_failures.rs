//! The kernel is short of something for a moment, or for good, while a command looks: made with strace(1), which the
//! tests need (else they say that they did not run).

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::namespace;
use crate::skip::skip;

/// Runs conntop with the failures that `injected` says, as strace(1) has it, at least one of which must have happened.
fn with_failures(injected: &str, arguments: &[&str]) -> Output {
    let call = injected.split_once(':').expect("a call and what happens to it").0;
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", &format!("inject={injected}"), "-o"])
        .arg(log.path());
    command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    let output = command.arg(env!("CARGO_BIN_EXE_conntop")).args(arguments).output().expect("strace ran a moment ago");
    let calls = std::fs::read_to_string(log.path()).expect("strace wrote it");
    assert!(calls.contains("(INJECTED)"), "{arguments:?}: {injected} hits no call:\n{calls}");
    output
}

fn strace_works() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !works {
        skip("strace(1) does not work here");
    }
    works
}

#[test]
fn every_command_rides_out_failures_that_pass_and_says_so_once() {
    if !namespace::inside_namespace() || !strace_works() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7000").expect("a network of its own");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let recording = folder.path().join("recording");
    let recording = recording.to_str().expect("UTF-8");
    let commands: [&[&str]; 11] = [
        &["list"],
        &["ports"],
        &["netstat", "-an"],
        &["watch", "--for", "2", "--no-trace", "--interval", "0.2"],
        &["check"],
        &["check", "--for", "1", "--interval", "0.2"],
        &["list", "--wait-for", "lport:7000"],
        &["list", "--on-change", "--count", "1"],
        &["record", "--count", "2", "--interval", "0.2", recording],
        &["metrics"],
        &["metrics", "--every", "0.2", "--for", "2", "--no-trace"],
    ];
    for command in commands {
        // The first request is whether sock_diag answers at all, and is made again without a word; a sample of two tables takes
        // up to three that fail, and one that asks for a part of them up to four; which replies are read when depends on the
        // threads.
        for (injected, sentences) in [
            ("sendto:error=ENOBUFS:when=2..7", &[1][..]),
            ("sendto:error=ENOMEM:when=1", &[0]),
            ("recvfrom:error=ENOBUFS:when=3..6", &[0, 1]),
        ] {
            let _ = std::fs::remove_file(recording);
            let output = with_failures(injected, command);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?} {injected}: {said}");
            let (again, over) = (said.matches("; trying again").count(), said.matches("works again").count());
            assert!(sentences.contains(&again) && again == over, "{command:?} {injected}: {said}");
            assert!(!said.contains("/proc/net stands in"), "{command:?} {injected}: for good: {said}");
        }
    }
    drop(listener);
}

#[test]
fn a_failure_that_lasts_ends_each_command_in_its_time_and_never_well() {
    if !namespace::inside_namespace() || !strace_works() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let recording = folder.path().join("recording");
    let record = ["record", "--for", "1", "--interval", "0.2", recording.to_str().expect("UTF-8")];
    let commands: [(&[&str], i32); 8] = [
        (&["list"], 1),
        (&["check"], 3),
        (&["check", "--for", "1"], 3),
        (&["watch", "--for", "1", "--no-trace", "--interval", "0.2"], 1),
        (&record, 1),
        (&["metrics", "--every", "0.2", "--for", "1", "--no-trace"], 1),
        (&["list", "--wait-for", "lport:1", "--timeout", "1"], 1),
        (&["list", "--on-change", "--for", "1", "--interval", "0.2"], 1),
    ];
    for (command, code) in commands {
        // From the first sample on, and after it.
        for injected in ["sendto:error=ENOBUFS:when=2+", "sendto:error=ENOMEM:when=5+"] {
            // A list has been printed by then.
            if command == ["list"] && injected.ends_with("5+") {
                continue;
            }
            let _ = std::fs::remove_file(&recording);
            let begun = Instant::now();
            let output = with_failures(injected, command);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{command:?} {injected}: {said}");
            assert!(said.contains("given up after"), "{command:?} {injected}: {said}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{command:?} {injected} took {:?}", begun.elapsed());
        }
    }
}
