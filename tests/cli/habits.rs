//! What the README answers to habits of netstat, ss and lsof is run, command by command.

#![cfg(target_os = "linux")]

use assert_cmd::Command;
use conntop::knowledge::habits::HABITS;

use crate::namespace;

#[test]
fn every_command_of_the_table_works() {
    if !namespace::inside_namespace() {
        return;
    }
    // One of them waits for a listener, one prints nothing where there is none; the namespace is our own.
    let _served = [80, 8080].map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).expect("nobody else is here"));
    for habit in HABITS.iter() {
        let mut words: Vec<&str> = habit.conntop.split(' ').skip(1).collect();
        // An interval goes on for ever.
        if words.first() == Some(&"netstat") && words.last().is_some_and(|word| word.parse::<u32>().is_ok()) {
            words.extend(["--count", "1"]);
        }
        // Nothing is there to be hit, and nothing must be.
        let acts = words.first().is_some_and(|word| ["kill", "close"].contains(word));
        if acts {
            words.push("--dry-run");
        }
        let assert = Command::cargo_bin("conntop").expect("built for its tests").args(&words).assert();
        let output = assert.get_output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        if acts {
            assert!(stderr.contains("nothing to"), "{}: {stderr}", habit.conntop);
            continue;
        }
        assert!(output.status.success(), "{}: {stderr}", habit.conntop);
        assert!(!output.stdout.is_empty(), "{}: {stderr}", habit.conntop);
    }
}
