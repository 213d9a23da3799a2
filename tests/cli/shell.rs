//! Every command in every bad place a shell can put it: nowhere to write, nobody who reads, nothing in the environment,
//! no terminal, signals. A new command is taken in by itself: `conntop -h` says which there are.

#![cfg(unix)]

mod invocations;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use invocations::{CONNTOP, Ended, Invocation, Running, all, ended, running};
use rustix::process::{Pid, Signal, kill_process};

use crate::commands;

/// Runs `script`, in which `"$@"` is the command.
fn shell(invocation: &Invocation, script: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut shell = Command::new("bash");
    shell.args(["-c", script, "bash", CONNTOP]).args(invocation.arguments(folder.path()));
    ended(invocation, plain(&mut shell).current_dir(folder.path()))
}

/// Without the settings of whoever runs the tests.
fn plain(command: &mut Command) -> &mut Command {
    ["HOME", "XDG_CONFIG_HOME", "TZ", "COLUMNS"].into_iter().fold(command, |command, name| command.env_remove(name))
}

/// Runs the command after `prepare` has changed where and how.
fn run(invocation: &Invocation, prepare: impl FnOnce(&mut Command)) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(CONNTOP);
    plain(&mut command).args(invocation.arguments(folder.path())).current_dir(folder.path()).stdin(Stdio::null());
    prepare(&mut command);
    ended(invocation, &mut command)
}

#[test]
fn every_command_does_its_work_here() {
    for invocation in all() {
        let ended = run(&invocation, |_| {});
        assert_eq!(ended.code, Some(invocation.code), "{}: {ended:?}", invocation.name);
        assert_eq!(ended.stdout.is_empty(), invocation.is_silent, "{}: {ended:?}", invocation.name);
    }
}

#[test]
fn a_closed_stdout_is_no_panic() {
    for invocation in all() {
        let ended = shell(&invocation, "exec \"$@\" >&-");
        // Rust opens /dev/null in its place.
        assert_eq!(ended.code, Some(invocation.code), "{}: {ended:?}", invocation.name);
    }
}

#[test]
fn a_closed_stderr_changes_nothing() {
    for invocation in all() {
        for script in ["exec \"$@\" 2>&-", "exec \"$@\" 2>/dev/full"] {
            let ended = shell(&invocation, script);
            assert_eq!(ended.code, Some(invocation.code), "{}: {ended:?}", invocation.name);
        }
        let ended = shell(&invocation, "exec \"$@\" <&- >/dev/null 2>&1");
        assert_eq!(ended.code, Some(invocation.code), "{}: {ended:?}", invocation.name);
    }
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    for invocation in all() {
        // The second reader is gone before the first byte comes.
        for script in
            ["\"$@\" | head -n 1; echo \"${PIPESTATUS[0]}\" >&2", "\"$@\" | true; echo \"${PIPESTATUS[0]}\" >&2"]
        {
            let ended = shell(&invocation, script);
            let code = ended.stderr.lines().last().unwrap_or_default();
            assert_eq!(code, invocation.code.to_string(), "{}: {ended:?}", invocation.name);
            assert!(!ended.stderr.contains("roken pipe"), "{}: {ended:?}", invocation.name);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence_and_a_failure() {
    for invocation in all().iter().filter(|invocation| !invocation.is_silent) {
        let ended = shell(invocation, "exec \"$@\" >/dev/full");
        assert_eq!(ended.code, Some(invocation.failed()), "{}: {ended:?}", invocation.name);
        let said = ended.stderr.lines().filter(|line| line.contains("cannot write the output")).count();
        assert_eq!(said, 1, "{}: {ended:?}", invocation.name);
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
    for invocation in all() {
        let ended = run(&invocation, |command| {
            command.args([OsStr::new("--color"), OsStr::from_bytes(b"\xff\x1b[2J")]);
        });
        assert_eq!(ended.code, Some(invocation.misused()), "{}: {ended:?}", invocation.name);
        assert_eq!(ended.stderr.lines().count(), 1, "{}: {ended:?}", invocation.name);
        // Alone behind the command: a filter, a topic, or the name of a file, which may be any bytes.
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(CONNTOP);
        command.args(Some(&invocation.name).filter(|name| !name.is_empty()));
        command.arg(OsStr::from_bytes(b"pid:\xff\x1b[2J")).current_dir(folder.path()).stdin(Stdio::null());
        if invocation.takes_a_new_file {
            command.args(["--demo", "--count", "1"]);
        }
        let ended = invocations::ended(&invocation, &mut command);
        let is_expected =
            |code| if invocation.takes_a_new_file { code == 0 } else { [invocation.misused(), 1].contains(&code) };
        assert!(ended.code.is_some_and(is_expected), "{}: {ended:?}", invocation.name);
        assert_eq!(ended.stderr.lines().count(), 1, "{}: {ended:?}", invocation.name);
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
    for invocation in all() {
        let usual = run(&invocation, |_| {});
        let ended = run(&invocation, |command| {
            command.env_clear();
        });
        assert_eq!((ended.code, ended.stdout), (usual.code, usual.stdout), "{}: {}", invocation.name, ended.stderr);
        for variables in ENVIRONMENTS {
            let ended = run(&invocation, |command| {
                command.env_clear().envs(variables.iter().copied());
            });
            assert_eq!(ended.code, Some(invocation.code), "{} with {variables:?}: {ended:?}", invocation.name);
            assert!(!ended.stdout.contains('\u{1b}'), "{} with {variables:?}: data has no colours", invocation.name);
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
    for invocation in all() {
        let usual = run(&invocation, |_| {});
        for option in ["--color=always", "--color=never"] {
            let ended = run(&invocation, |command| {
                command.arg(option);
            });
            assert_eq!((ended.code, &ended.stdout), (usual.code, &usual.stdout), "{} {option}", invocation.name);
        }
    }
}

#[test]
fn without_a_terminal_nothing_waits_for_one() {
    for invocation in all() {
        for variable in ["unset TERM", "export TERM=xterm-256color"] {
            let ended = shell(&invocation, &format!("{variable}; exec setsid -w \"$@\" </dev/null"));
            assert_eq!(ended.code, Some(invocation.code), "{} after {variable}: {ended:?}", invocation.name);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_where_nothing_can_be_written_is_enough() {
    for invocation in all() {
        let ended = run(&invocation, |command| {
            command.current_dir("/proc");
        });
        assert_eq!(ended.code, Some(invocation.code), "{} in /proc: {ended:?}", invocation.name);
        let ended = shell(&invocation, "cd \"$(mktemp -d)\" && rmdir \"$PWD\" && exec \"$@\"");
        assert_eq!(ended.code, Some(invocation.code), "{} in a folder that is gone: {ended:?}", invocation.name);
        if invocation.takes_a_new_file {
            let output =
                Command::new(CONNTOP).args([&*invocation.name, "/proc/new", "--demo", "--count", "1"]).output();
            let output = output.expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{}: {said}", invocation.name);
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
    for invocation in all() {
        let ended = run(&invocation, |command| {
            command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME");
        });
        // What prints only what conntop itself knows reads no settings.
        if ended.code == Some(invocation.code)
            && ["explain", "columns", "keys", "man", "completions"].contains(&&*invocation.name)
        {
            continue;
        }
        // Nobody named it: it is done without, and said.
        assert_eq!(ended.code, Some(invocation.code), "{}: {ended:?}", invocation.name);
        let names_it = |line: &&str| line.contains(path(&file)) && line.contains("line 2");
        assert_eq!(ended.stderr.lines().filter(names_it).count(), 1, "{}: {ended:?}", invocation.name);
        let named = run(&invocation, |command| {
            command.arg("--config").arg(&file);
        });
        assert_eq!(named.code, Some(invocation.misused()), "{}: {named:?}", invocation.name);
        let sentence = named.stderr.trim_end();
        assert_eq!(sentence.lines().count(), 1, "{}: {named:?}", invocation.name);
        assert!(names_it(&sentence), "{sentence}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn signals_end_those_that_run_on_and_tear_no_line() {
    // Ctrl-C is how one ends them; another signal ends them as it ends any program, but for a recording, which is finished first.
    for (signal, ending) in [(Signal::INT, (Some(0), None)), (Signal::TERM, (None, Some(Signal::TERM.as_raw())))] {
        for invocation in running() {
            let ending = if invocation.takes_a_new_file { (Some(0), None) } else { ending };
            let folder = tempfile::tempdir().expect("a temporary directory");
            let mut command = Command::new(CONNTOP);
            command.args(invocation.arguments(folder.path())).stdin(Stdio::null());
            let child = plain(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let mut running = Running(child.expect("it starts"));
            let mut stdout = BufReader::new(running.0.stdout.take().expect("piped"));
            let mut text = String::new();
            if invocation.is_silent {
                invocation.wait_for_file(folder.path(), &mut running);
            } else {
                assert!(stdout.read_line(&mut text).expect("text") > 0, "{} ended by itself", invocation.name);
            }
            kill_process(Pid::from_child(&running.0), signal).expect("it is ours");
            stdout.read_to_string(&mut text).expect("text");
            let mut stderr = String::new();
            running.0.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
            let status = running.0.wait().expect("it ends");
            assert_eq!((status.code(), status.signal()), ending, "{}: {stderr}", invocation.name);
            assert!(text.is_empty() || text.ends_with('\n'), "{}: a torn line", invocation.name);
            assert!(!stderr.contains("panicked"), "{}: {stderr}", invocation.name);
            invocation.is_whole(&text, folder.path());
        }
    }
}
