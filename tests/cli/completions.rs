//! `conntop completions`: every shell reads what is written for it, and bash completes what it should.

use std::fs;
use std::process::Command;

use clap::ValueEnum;
use conntop::diagnosis::rule::Rule;
use conntop::report::format::Format;
use conntop::table::connections::COLUMNS;
use conntop::table::sums::SUMS;

use crate::commands::commands;
use crate::program::run;
use crate::skip::skip;

fn script(shell: &str) -> String {
    let ended = run(&["completions", shell]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{shell}");
    ended.stdout
}

#[test]
fn every_shell_is_told_of_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "BASH"] {
        let script = script(shell);
        // clap_complete knows no values in PowerShell.
        let values = if shell == "powershell" { [].as_slice() } else { &["close-wait-leak", "recvq"] };
        let words = commands().into_iter().chain(["format", "config"].iter().chain(values).map(ToString::to_string));
        for word in words {
            assert!(script.contains(&word), "{shell}: {word}");
        }
        assert!(!script.contains("linux_"), "what is hidden is not offered");
    }
}

#[test]
fn the_shells_themselves_can_read_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for shell in ["bash", "zsh", "fish"] {
        let file = folder.path().join(shell);
        fs::write(&file, script(shell)).expect("writable");
        match Command::new(shell).arg("-n").arg(&file).output() {
            Err(error) => skip(&format!("{shell} cannot be started ({error}), its completions are not checked")),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.is_empty(), "{shell}: {said}");
            }
        }
    }
}

/// What bash offers after the words, of which the last one is not complete.
#[cfg(unix)]
fn offered(words: &[&str]) -> Vec<String> {
    const COMPLETE: &str = "source <(\"$0\" completions bash) || exit 9
        COMP_WORDS=(conntop \"$@\"); COMP_CWORD=$#
        _conntop conntop \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\" 2>/dev/null
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output =
        Command::new("bash").args(["-c", COMPLETE, env!("CARGO_BIN_EXE_conntop")]).args(words).output().expect("bash");
    assert!(output.status.success(), "{words:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_options_and_values() {
    let columns = |start: &str| -> Vec<String> {
        let of_sockets = || COLUMNS.iter().map(|column| column.key);
        let of_groups = SUMS.iter().map(|column| column.key).filter(|key| of_sockets().all(|known| known != *key));
        of_sockets().chain(of_groups).filter(|key| key.starts_with(start)).map(str::to_owned).collect()
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (typed, expected) in [
        (&["li"][..], words("list")),
        (&["co"], words("columns completions")),
        (&["--col"], words("--color")),
        (&["--color", "a"], words("auto always")),
        (&["--source", "p"], words("procfs portable")),
        (&["list", "--format", ""], formats()),
        (&["list", "--format", "n"], words("ndjson")),
        (&["--demo", "list", "--format", "c"], words("csv csv-safe")),
        (&["watch", "--format", ""], words("text ndjson")),
        (&["columns", "--format", ""], words("text json")),
        (&["list", "--columns", "l"], columns("l")),
        (&["list", "--sort", ""], columns("")),
        (&["list", "--columns", "lport,state,rp"], words("lport,state,rport")),
        (&["check", "--fail-on", "crit"], words("critical")),
        (&["ports", "--fail-on", "un"], words("unexpected")),
        (&["netstat", "-p", "ICMP"], words("ICMP ICMPv6")),
        (&["explain", "time-w"], words("time-wait time-wait-overflow")),
        (&["completions", "z"], words("zsh")),
        (&["man", "rec"], words("record")),
    ] {
        let offered = offered(typed);
        if typed == ["co"] {
            assert!(expected.iter().all(|word| offered.contains(word)), "{typed:?}: {offered:?}");
            assert!(offered.iter().all(|word| word.starts_with("co")), "{typed:?}: {offered:?}");
        } else {
            assert_eq!(offered, expected, "{typed:?}");
        }
    }
    let rules = offered(&["check", "--fail-on", ""]);
    assert!(Rule::ALL.iter().all(|rule| rules.iter().any(|word| word == rule.id())), "{rules:?}");
    let all = offered(&[""]);
    assert!(commands().iter().all(|command| all.contains(command)), "{all:?}");
    for command in commands() {
        let options = offered(&[&command, "--"]);
        assert!(
            options.iter().any(|word| word == "--source") && options.iter().any(|word| word == "--help"),
            "{command}"
        );
    }
}

fn formats() -> Vec<String> {
    Format::value_variants()
        .iter()
        .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
        .collect()
}

/// A format that is offered is taken, and one that is not offered is refused.
#[cfg(unix)]
#[test]
fn the_formats_that_are_offered_are_those_there_are() {
    for command in commands() {
        let offered = offered(&[&command, "--format", ""]);
        if !run(&[&command, "-h"]).stdout.contains("--format") {
            continue;
        }
        assert!(offered.len() > 1, "{command}: {offered:?}");
        // Some first ask for a filter.
        let wrong = [&command, "--format", "elephant", "--demo", "state:listen"];
        let refusals = [run(&wrong[..4]), run(&wrong)];
        let refusal = refusals.iter().find(|refusal| refusal.stderr.contains("'elephant' for '--format <FORMAT>'"));
        let refusal = refusal.unwrap_or_else(|| panic!("{command}: {}", refusals[1].stderr));
        assert!([2, 3].contains(&refusal.code), "{command}: {}", refusal.code);
        for format in formats() {
            let is_named = refusal.stderr.split([' ', ',', '\n']).any(|word| word == format);
            assert_eq!(offered.contains(&format), is_named, "{command} {format}: {}", refusal.stderr);
        }
    }
}
