//! A small limit of open files (`RLIMIT_NOFILE`): what cannot be opened is missing with a sentence, and nothing panics.

#![cfg(target_os = "linux")]

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::skip::skip;

#[test]
fn no_command_panics_whatever_the_limit_of_open_files() {
    if !Command::new("prlimit").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip("there is no prlimit(1)");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let recording = folder.path().join("recording");
    let record = ["record", "--count", "1", recording.to_str().expect("UTF-8")];
    let commands: [&[&str]; 9] = [
        &["list"],
        &["list", "--source", "portable"],
        &["list", "--all-netns"],
        &["list", "--on-change", "--count", "1"],
        &["ports"],
        &["netstat", "-an"],
        &["netstat", "-an", "-c", "1", "1"],
        &["watch", "--count", "1", "--for", "0.2", "--interval", "0.1"],
        &record,
    ];
    // With fewer than 4 the loader of shared libraries fails before there is a program.
    for limit in (4..=24).chain([28, 32]) {
        for command in commands {
            let _ = std::fs::remove_file(&recording);
            let output = Command::new("prlimit")
                .arg(format!("--nofile={limit}:{limit}"))
                .arg(env!("CARGO_BIN_EXE_conntop"))
                .args(command)
                .env_remove("HOME")
                .env_remove("XDG_CONFIG_HOME")
                .output()
                .expect("prlimit ran a moment ago");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.signal(), None, "{limit} {command:?}: {said}");
            assert!(!said.contains("panicked"), "{limit} {command:?}: {said}");
            let code = output.status.code().expect("no signal");
            assert!(code <= 2 && (code == 0 || !said.is_empty()), "{limit} {command:?}: {code}: {said}");
        }
    }
}
