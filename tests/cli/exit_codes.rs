//! How each command ends: 0 done, 1 failed, 2 wrong use; a check has the codes of monitoring plugins.

use crate::program::run;

#[test]
fn every_command_ends_as_the_contract_says() {
    let gone = "replay:/nonexistent/leak.conntop";
    let leak = "replay:tests/recordings/close-wait-leak.conntop";
    for (arguments, code) in [
        (&["list", "--demo"][..], 0),
        (&["list", "--source", gone], 1),
        (&["list", "--columns", "elephant"], 2),
        (&["list", "--demo", "--wait-for", "lport:1", "--timeout", "0"], 1),
        (&["ports", "--demo"], 0),
        (&["ports", "--source", gone], 1),
        (&["ports", "--fail-on", "elephant"], 2),
        (&["explain", "time-wait"], 0),
        (&["explain", "elephant-in-the-room"], 2),
        (&["watch", "--source", leak], 0),
        (&["watch", "--source", gone], 1),
        (&["watch", "--count", "0"], 2),
        (&["metrics", "--source", leak], 0),
        (&["metrics", "--source", gone], 1),
        (&["metrics", "--every", "0"], 2),
        (&["check", "--source", leak, "--fail-on", "critical", "process:nobody-has-this-name"], 0),
        (&["check", "--source", leak], 2),
        (&["check", "--source", gone], 3),
        (&["check", "--fail-on", "elephant"], 3),
        (&["record", "--demo", "/nonexistent/new.conntop"], 1),
        (&["record"], 2),
        (&["record", "--keep", "1h", "/nonexistent/recorder"], 2),
        (&["record", "--max-size", "1M", "/nonexistent/recorder"], 2),
        (&["record", "--max-size", "1G", "/nonexistent/no/recorder"], 1),
        (&["record", "--max-size", "1G", "Cargo.toml"], 2),
        (&["record", "--max-size", "1G", "src"], 1),
        (&["diff", "tests/recordings/close-wait-leak.conntop", "assets/recordings/demo.conntop"], 0),
        (&["diff", "tests/recordings/close-wait-leak.conntop", "/nonexistent/leak.conntop"], 1),
        (&["diff", "tests/recordings/close-wait-leak.conntop"], 2),
        (&["replay", "tests/recordings/close-wait-leak.conntop"], 0),
        (&["replay", "/nonexistent/leak.conntop"], 1),
        (&["kill", "--demo", "--dry-run", "lport:1"], 2),
        (&["kill", "--yes"], 2),
        (&["kill", "--read-only", "--yes", "lport:1"], 2),
        (&["kill", "--dry-run", "process:nobody-has-this-name"], 1),
        (&["close", "--demo", "--dry-run", "lport:1"], 2),
        (&["close", "--yes"], 2),
        (&["close", "--read-only", "--yes", "lport:1"], 2),
        (&["close", "--dry-run", "process:nobody-has-this-name"], 1),
        (&["netstat", "--demo", "-r"], 2),
        (&["man", "elephant"], 2),
        (&["completions", "elephant"], 2),
        (&["man", "--dir", "/nonexistent"], 1),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
    }
}
