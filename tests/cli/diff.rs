//! `conntop diff`: two moments of recordings, of one and of two hosts, and what cannot be compared.

use std::path::Path;

use crate::program::{conntop, run};

const LEAK: &str = "tests/recordings/close-wait-leak.conntop";
const DEMO: &str = "assets/recordings/demo.conntop";

/// Twenty seconds of the demo, in which its leak grows.
fn record(path: &Path) -> String {
    let path = path.to_str().expect("text").to_owned();
    conntop().args(["record", "--demo", "--count", "20", "--interval", "0.1", &path]).assert().success();
    path
}

#[test]
fn two_moments_of_one_recording_differ_by_what_happened_between() {
    let folder = tempfile::tempdir().expect("a directory");
    // A name that has an @ of its own.
    let path = record(&folder.path().join("me@web-7.conntop"));
    let diff = run(&["diff", &format!("{path}@+1s"), &path, "--format", "json", "--limit", "1000"]);
    assert_eq!((diff.code, diff.stderr.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&diff.stdout).expect("JSON");
    let groups = document["groups"].as_array().expect("a list");
    assert!(!groups.is_empty() && document["left_out"] == 0, "{document:#}");
    // Gone and new ones come to what the groups say.
    let sockets = document["sockets"].as_array().expect("a list");
    let count = |change: &str| sockets.iter().filter(|socket| socket["change"] == change).count();
    let sum: i64 = groups.iter().map(|group| group["difference"].as_i64().expect("a number")).sum();
    let net = i64::try_from(count("new")).expect("small") - i64::try_from(count("gone")).expect("small");
    assert_eq!(sum, net, "{document:#}");
    let sizes: Vec<i64> = groups.iter().filter_map(|group| group["difference"].as_i64().map(i64::abs)).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    // The other way round everything is the opposite.
    let back = run(&["diff", &path, &format!("{path}@+1s"), "--format", "json", "--limit", "1000"]);
    assert!(back.stderr.contains("the second moment is before the first"), "{}", back.stderr);
    let back: serde_json::Value = serde_json::from_str(&back.stdout).expect("JSON");
    assert_eq!(back["groups"].as_array().map(Vec::len), Some(groups.len()));
    // The same moment twice.
    let same = run(&["diff", &path, &path]);
    assert!(same.stdout.contains("no process has more or fewer sockets"), "{}", same.stdout);
}

#[test]
fn two_hosts_are_compared_by_names_and_that_is_said() {
    let diff = run(&["diff", LEAK, DEMO]);
    assert_eq!(diff.code, 0);
    assert!(diff.stderr.contains("test-host and web-7 are two hosts"), "{}", diff.stderr);
    assert!(diff.stdout.contains("jdbc-pool") && !diff.stdout.contains("FROM"), "{}", diff.stdout);
    let csv = run(&["diff", LEAK, DEMO, "--format", "csv"]);
    assert!(csv.stdout.starts_with("host,at,change,process,owner,peer,proto,state,before,after,difference\r\n"));
}

#[test]
fn what_cannot_be_compared_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = record(&folder.path().join("recording"));
    for (before, after, code, says) in [
        ("/nonexistent/leak.conntop", path.as_str(), 1, "/nonexistent/leak.conntop"),
        (&path, &format!("{path}@+1h"), 1, "is outside of what is recorded"),
        (&path, &format!("{path}@25:99"), 1, "25:99"),
        ("Cargo.toml", &path, 1, "Cargo.toml"),
    ] {
        let ended = run(&["diff", before, after]);
        assert_eq!((ended.code, ended.stderr.lines().count()), (code, 1), "{before} {after}: {}", ended.stderr);
        assert!(ended.stderr.contains(says) && ended.stdout.is_empty(), "{}", ended.stderr);
    }
    assert_eq!(run(&["diff", &path]).code, 2);
    assert_eq!(run(&["diff", &path, &path, "elephant:1"]).code, 2);
}
