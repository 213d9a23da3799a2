//! Every command in every bad place a shell can put it: nowhere to write, nobody who reads, nothing in the environment,
//! no terminal, signals. A new command is taken in by itself: `conntop -h` says which there are.

#![cfg(unix)]

mod ways;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use ways::{CONNTOP, Ended, Running, Way, all, ended, running};

use crate::commands;

/// Runs `script`, in which `"$@"` is the command.
fn shell(way: &Way, script: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut shell = Command::new("bash");
    shell.args(["-c", script, "bash", CONNTOP]).args(way.arguments(folder.path()));
    ended(way, plain(&mut shell).current_dir(folder.path()))
}

/// Without the settings of whoever runs the tests.
fn plain(command: &mut Command) -> &mut Command {
    ["HOME", "XDG_CONFIG_HOME", "TZ", "COLUMNS"].into_iter().fold(command, |command, name| command.env_remove(name))
}

/// Runs the command after `prepare` has changed where and how.
fn run(way: &Way, prepare: impl FnOnce(&mut Command)) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(CONNTOP);
    plain(&mut command).args(way.arguments(folder.path())).current_dir(folder.path()).stdin(Stdio::null());
    prepare(&mut command);
    ended(way, &mut command)
}

#[test]
fn every_command_does_its_work_here() {
    for way in all() {
        let ended = run(&way, |_| {});
        assert_eq!(ended.code, Some(way.code), "{}: {ended:?}", way.name);
        assert_eq!(ended.stdout.is_empty(), way.is_silent, "{}: {ended:?}", way.name);
    }
}

#[test]
fn a_closed_stdout_is_no_panic() {
    for way in all() {
        let ended = shell(&way, "exec \"$@\" >&-");
        assert!(ended.code.is_some_and(|code| code == way.code || code == way.failed()), "{}: {ended:?}", way.name);
    }
}

#[test]
fn a_closed_stderr_changes_nothing() {
    for way in all() {
        for script in ["exec \"$@\" 2>&-", "exec \"$@\" 2>/dev/full"] {
            let ended = shell(&way, script);
            assert_eq!(ended.code, Some(way.code), "{}: {ended:?}", way.name);
        }
        let ended = shell(&way, "exec \"$@\" <&- >/dev/null 2>&1");
        assert_eq!(ended.code, Some(way.code), "{}: {ended:?}", way.name);
    }
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    for way in all() {
        // The second reader is gone before the first byte comes.
        for script in
            ["\"$@\" | head -n 1; echo \"${PIPESTATUS[0]}\" >&2", "\"$@\" | true; echo \"${PIPESTATUS[0]}\" >&2"]
        {
            let ended = shell(&way, script);
            let code = ended.stderr.lines().last().unwrap_or_default();
            assert_eq!(code, way.code.to_string(), "{}: {ended:?}", way.name);
            assert!(!ended.stderr.contains("roken pipe"), "{}: {ended:?}", way.name);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence_and_a_failure() {
    for way in all().iter().filter(|way| !way.is_silent) {
        let ended = shell(way, "exec \"$@\" >/dev/full");
        assert_eq!(ended.code, Some(way.failed()), "{}: {ended:?}", way.name);
        let said = ended.stderr.lines().filter(|line| line.contains("cannot write the output")).count();
        assert_eq!(said, 1, "{}: {ended:?}", way.name);
    }
    for words in ["-h", "--help", "--version", "list -h", "watch --help"] {
        let script = format!("exec {CONNTOP} {words} >/dev/full");
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{words}: {said}");
    }
}

#[test]
fn bytes_that_are_no_text_are_answered_in_one_sentence() {
    for way in all() {
        let ended = run(&way, |command| {
            command.args([OsStr::new("--color"), OsStr::from_bytes(b"\xff\x1b[2J")]);
        });
        assert_eq!(ended.code, Some(way.misused()), "{}: {ended:?}", way.name);
        assert_eq!(ended.stderr.lines().count(), 1, "{}: {ended:?}", way.name);
        // Alone behind the command: a filter, a topic, or the name of a file, which may be any bytes.
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(CONNTOP);
        command.args(Some(&way.name).filter(|name| !name.is_empty()));
        command.arg(OsStr::from_bytes(b"pid:\xff\x1b[2J")).current_dir(folder.path()).stdin(Stdio::null());
        if way.takes_a_new_file {
            command.args(["--demo", "--count", "1"]);
        }
        let ended = ways::ended(&way, &mut command);
        let is_expected = |code| if way.takes_a_new_file { code == 0 } else { [way.misused(), 1].contains(&code) };
        assert!(ended.code.is_some_and(is_expected), "{}: {ended:?}", way.name);
        assert_eq!(ended.stderr.lines().count(), 1, "{}: {ended:?}", way.name);
    }
}

/// Nothing, nonsense, and what other programs take as a wish.
const ENVIRONMENTS: [&[(&str, &str)]; 4] = [
    &[("HOME", "/nonexistent"), ("TERM", "dumb"), ("LC_ALL", "C"), ("COLUMNS", "1"), ("NO_COLOR", "1")],
    &[("HOME", ""), ("TERM", ""), ("LANG", "tr_TR.ISO-8859-9"), ("COLUMNS", "0"), ("CLICOLOR_FORCE", "1")],
    &[("HOME", "relative"), ("XDG_CONFIG_HOME", "/dev/null"), ("TERM", "no-such-terminal"), ("TZ", "No/Such_Zone")],
    &[("XDG_CONFIG_HOME", "/nonexistent"), ("COLUMNS", "99999999999999999999"), ("NO_COLOR", "")],
];

#[test]
fn an_environment_without_anything_is_enough() {
    for way in all() {
        let usual = run(&way, |_| {});
        let ended = run(&way, |command| {
            command.env_clear();
        });
        assert_eq!((ended.code, ended.stdout), (usual.code, usual.stdout), "{}: {}", way.name, ended.stderr);
        for variables in ENVIRONMENTS {
            let ended = run(&way, |command| {
                command.env_clear().envs(variables.iter().copied());
            });
            assert_eq!(ended.code, Some(way.code), "{} with {variables:?}: {ended:?}", way.name);
            assert!(!ended.stdout.contains('\u{1b}'), "{} with {variables:?}: data has no colours", way.name);
        }
    }
}

#[test]
fn a_width_that_makes_no_sense_spoils_no_help() {
    for columns in ["0", "1", "many", "99999999999999999999"] {
        for command in std::iter::once(String::new()).chain(commands::commands()) {
            for option in ["-h", "--help"] {
                let mut help = Command::new(CONNTOP);
                help.args(Some(&command).filter(|name| !name.is_empty())).arg(option).env("COLUMNS", columns);
                let output = help.output().expect("it runs");
                let text = String::from_utf8(output.stdout).expect("UTF-8");
                assert!(output.status.success() && text.contains("Usage:"), "{command} {option} at {columns}");
            }
        }
    }
}

#[test]
fn data_is_the_same_with_and_without_colours() {
    for way in all() {
        let usual = run(&way, |_| {});
        for option in ["--color=always", "--color=never"] {
            let ended = run(&way, |command| {
                command.arg(option);
            });
            assert_eq!((ended.code, &ended.stdout), (usual.code, &usual.stdout), "{} {option}", way.name);
        }
    }
}

#[test]
fn without_a_terminal_nothing_waits_for_one() {
    for way in all() {
        for variable in ["unset TERM", "export TERM=xterm-256color"] {
            let ended = shell(&way, &format!("{variable}; exec setsid -w \"$@\" </dev/null"));
            assert_eq!(ended.code, Some(way.code), "{} after {variable}: {ended:?}", way.name);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_where_nothing_can_be_written_is_enough() {
    for way in all() {
        let ended = run(&way, |command| {
            command.current_dir("/proc");
        });
        assert_eq!(ended.code, Some(way.code), "{} in /proc: {ended:?}", way.name);
        let ended = shell(&way, "cd \"$(mktemp -d)\" && rmdir \"$PWD\" && exec \"$@\"");
        assert_eq!(ended.code, Some(way.code), "{} in a folder that is gone: {ended:?}", way.name);
        if way.takes_a_new_file {
            let output = Command::new(CONNTOP).args([&*way.name, "/proc/new", "--demo", "--count", "1"]).output();
            let output = output.expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{}: {said}", way.name);
        }
    }
}

#[test]
fn a_broken_config_file_is_named_with_its_line() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let folder = home.path().join(".config/conntop");
    std::fs::create_dir_all(&folder).expect("writable");
    let file = folder.join("config.toml");
    std::fs::write(&file, "interval = 2\nascii = 'perhaps'\n").expect("writable");
    for way in all() {
        let ended = run(&way, |command| {
            command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME");
        });
        // What prints only what conntop itself knows reads no settings.
        if ended.code == Some(way.code) && ["explain", "columns", "keys", "man", "completions"].contains(&&*way.name) {
            continue;
        }
        // Nobody named it: it is done without, and said.
        assert_eq!(ended.code, Some(way.code), "{}: {ended:?}", way.name);
        let names_it = |line: &&str| line.contains(path(&file)) && line.contains("line 2");
        assert_eq!(ended.stderr.lines().filter(names_it).count(), 1, "{}: {ended:?}", way.name);
        let named = run(&way, |command| {
            command.arg("--config").arg(&file);
        });
        assert_eq!(named.code, Some(way.misused()), "{}: {named:?}", way.name);
        let sentence = named.stderr.trim_end();
        assert_eq!(sentence.lines().count(), 1, "{}: {named:?}", way.name);
        assert!(names_it(&sentence), "{sentence}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn signals_end_those_that_run_on_and_tear_no_line() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for way in running() {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let mut command = Command::new(CONNTOP);
            command.args(way.arguments(folder.path())).stdin(Stdio::null());
            let child = plain(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let mut running = Running(child.expect("it starts"));
            let mut stdout = BufReader::new(running.0.stdout.take().expect("piped"));
            let mut text = String::new();
            if way.is_silent {
                way.wait_for_file(folder.path(), &mut running);
            } else {
                assert!(stdout.read_line(&mut text).expect("text") > 0, "{} ended by itself", way.name);
            }
            kill_process(Pid::from_child(&running.0), signal).expect("it is ours");
            stdout.read_to_string(&mut text).expect("text");
            let mut stderr = String::new();
            running.0.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
            let status = running.0.wait().expect("it ends");
            let is_asked = signal == Signal::INT && status.code() == Some(0);
            let is_told = status.code() == Some(code) || status.signal() == Some(signal.as_raw());
            assert!(is_asked || is_told, "{}: {status:?} {stderr}", way.name);
            assert!(text.is_empty() || text.ends_with('\n'), "{}: a torn line", way.name);
            assert!(!stderr.contains("panicked"), "{}: {stderr}", way.name);
            way.is_whole(&text, folder.path());
        }
    }
}
