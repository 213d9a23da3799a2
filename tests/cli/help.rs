//! The help of every command, short and long, stays as it is until somebody looks at the difference.

use crate::commands::commands;
use crate::program;
use crate::program::{conntop, ended};

/// The help for a terminal of 80 columns and 24 lines.
fn help(arguments: &[&str]) -> String {
    let ended = ended(conntop().args(arguments).env("COLUMNS", "80"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{arguments:?}");
    ended.stdout
}

/// The long help of a command without the options that every command has: those are in the help of the program.
fn own(help: &str) -> String {
    let (before, rest) = help.split_once("Options of every command:\n").expect("they have a heading");
    // Notes follow; they alone begin at the edge.
    let at = rest.match_indices("\n\n").map(|(at, _)| at + 2).find(|at| !rest[*at..].starts_with([' ', '\n']));
    format!("{before}[options of every command]\n\n{}", at.map_or("", |at| &rest[at..]))
}

#[test]
fn every_command_has_short_and_long_help() {
    insta::assert_snapshot!("conntop_h", help(&["-h"]));
    insta::assert_snapshot!("conntop_help", help(&["--help"]));
    for command in commands() {
        insta::assert_snapshot!(format!("{command}_h"), help(&[&command, "-h"]));
        insta::assert_snapshot!(format!("{command}_help"), own(&help(&[&command, "--help"])));
    }
}

#[test]
fn the_short_help_fits_on_one_screen() {
    let all = help(&["-h"]);
    assert!(all.lines().count() <= 24, "make room: {} lines\n{all}", all.lines().count());
    for command in commands() {
        let text = help(&[&command, "-h"]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(all.contains(&format!("  {command} ")), "{command}");
    }
}

#[test]
fn the_long_help_has_the_examples_first() {
    for command in std::iter::once(String::new()).chain(commands()) {
        let words: Vec<&str> = [command.as_str(), "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let text = help(&words);
        let (before, rest) = text.split_once("Examples:\n").unwrap_or_else(|| panic!("{command} has no examples"));
        assert_eq!(before.trim().lines().count(), 1, "only what it is for stands before: {before}");
        let examples: Vec<&str> = rest.lines().take_while(|line| line.starts_with("  ")).collect();
        assert!(examples.len() >= 2 && rest.contains("Usage: "), "{text}");
        let shows_it = |line: &&str| line.contains(format!("conntop {command}").trim());
        assert!(examples.iter().filter(|line| shows_it(line)).count() >= 2, "{command}: {examples:?}");
        assert!(examples.iter().all(|line| line.chars().count() <= 80), "{examples:?}");
    }
}

#[test]
fn help_is_in_colours_only_where_they_are_wanted() {
    let colours = |arguments: &[&str], name: &str, value: &str| {
        ended(conntop().args(arguments).env_remove("NO_COLOR").env(name, value)).stdout.contains('\u{1b}')
    };
    assert!(!colours(&["list", "--help"], "TERM", "xterm"), "stdout is no terminal");
    assert!(colours(&["list", "--color", "always", "--help"], "NO_COLOR", "1"), "the command line counts more");
    assert!(colours(&["--color=always", "-h"], "TERM", "dumb"));
    assert!(!colours(&["list", "--help"], "NO_COLOR", "1"));
    assert!(!colours(&["list", "--color=never", "--help"], "CLICOLOR_FORCE", "1"));
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
