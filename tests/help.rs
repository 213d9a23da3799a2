//! The help of every command, short and long, stays as it is until somebody looks at the difference.

#[path = "common/program.rs"]
mod program;

use program::run;

const COMMANDS: [&str; 8] = ["list", "watch", "check", "explain", "record", "replay", "columns", "keys"];

/// The help of a command without the options that every command has: those are in the help of the program.
fn own(help: &str) -> String {
    let (before, rest) = help.split_once("Options of every command:\n").expect("they have a heading");
    let after = rest.find("\nExamples:").map_or("", |at| &rest[at..]);
    format!("{before}[options of every command]\n{after}")
}

#[test]
fn every_command_has_short_and_long_help() {
    for option in ["-h", "--help"] {
        let name = |command: &str| format!("{command}_{}", option.trim_start_matches('-'));
        insta::assert_snapshot!(name("conntop"), run(&[option]).stdout);
        for command in COMMANDS {
            let ended = run(&[command, option]);
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{command}");
            insta::assert_snapshot!(name(command), own(&ended.stdout));
        }
    }
}

#[test]
fn every_command_of_the_help_is_tested_here() {
    let help = run(&["-h"]).stdout;
    let (_, commands) = help.split_once("Commands:\n").expect("a list of commands");
    let names = commands.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, COMMANDS);
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf_8_are_wrong_use() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for (arguments, code) in [
        (&[&b"watch"[..], b"process:\xff"][..], 2),
        (&[b"explain", b"\xff"], 2),
        (&[b"check", b"--fail-on", b"\xff"], 3),
        (&[b"\xff", b"check"], 3),
    ] {
        let arguments = arguments.iter().map(|bytes| OsStr::from_bytes(bytes));
        let ended = program::ended(program::conntop().args(arguments));
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}
