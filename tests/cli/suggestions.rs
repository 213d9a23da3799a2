//! "Did you mean": a word with one letter wrong is answered with the word that was meant, wherever words are taken.

use conntop::diagnosis::rule::Rule;
use conntop::model::action::SIGNALS;
use conntop::model::tcp_state::STATES;
use conntop::table::column;
use conntop::table::connections::COLUMNS;
use conntop::table::filter::Filter;
use conntop::table::sort::SortKey;

use crate::commands::commands;
use crate::program::run;

/// One sentence, the exit code of wrong use, and what was meant.
fn suggests(arguments: &[&str], meant: &str) {
    let ended = run(arguments);
    let code = if arguments.contains(&"check") { 3 } else { 2 };
    assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
    let hint = format!("did you mean '{meant}'?");
    assert!(ended.stderr.contains(&hint) && ended.stderr.lines().count() == 1, "{arguments:?}: {}", ended.stderr);
}

/// `word` with its last two letters swapped; with one more if they are equal.
fn wrong(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    match letters.len() {
        len if len > 2 && letters[len - 1] != letters[len - 2] => letters.swap(len - 1, len - 2),
        _ => letters.push('x'),
    }
    letters.into_iter().collect()
}

#[test]
fn wherever_a_word_is_taken_the_nearest_one_is_offered() {
    for (arguments, meant) in [
        // Options.
        (&["--colour", "never"][..], "--color"),
        (&["list", "--limt", "3"], "--limit"),
        (&["watch", "--formt", "text"], "--format"),
        // Values of options.
        (&["--color", "alwys"], "always"),
        (&["--source", "procf"], "procfs"),
        (&["--source", "synthetc:7"], "synthetic"),
        (&["list", "--source", "reply:x.conntop"], "replay"),
        (&["list", "--columns", "state,proces"], "process"),
        (&["list", "--sort", "-ag"], "age"),
        (&["list", "--group-by", "proces"], "process"),
        (&["list", "--format", "jsn"], "json"),
        (&["watch", "--format", "ndjsn"], "ndjson"),
        (&["check", "--format", "txt"], "text"),
        (&["check", "--fail-on", "close-wait-leek"], "close-wait-leak"),
        (&["check", "--fail-on", "criticl"], "critical"),
        (&["ports", "--fail-on", "unexpeted"], "unexpected"),
        (&["ports", "--format", "jsno"], "json"),
        (&["netstat", "--format", "jsno"], "json"),
        (&["netstat", "-p", "tpc"], "TCP"),
        (&["netstat", "-s", "-p", "icmpv4"], "ICMPv6"),
        (&["columns", "--format", "jason"], "json"),
        (&["keys", "--format", "tex"], "text"),
        (&["completions", "bsh"], "bash"),
        (&["completions", "power-shell"], "powershell"),
        (&["man", "wacth"], "watch"),
        // Topics.
        (&["explain", "time-wiat"], "time-wait"),
        (&["explain", "handshak"], "handshake"),
        (&["explain", "close-wait-leek"], "close-wait-leak"),
        (&["explain", "--intervall"], "--interval"),
        (&["explain", "redsi"], "redis"),
        // Filters: keys, states, labels, services.
        (&["stat:listen"], "state"),
        (&["list", "rprot:443"], "rport"),
        (&["watch", "state:close-wiat"], "close-wait"),
        (&["check", "state:listn"], "listen"),
        (&["ports", "proto:tpc"], "tcp"),
        (&["netstat", "-ano", "owner:remembred"], "remembered"),
        (&["list", "lport:htps"], "https"),
        (&["list", "--wait-for", "sate:listen"], "state"),
    ] {
        suggests(arguments, meant);
    }
}

#[test]
fn every_command_is_offered_for_a_slip() {
    for command in commands() {
        suggests(&[&format!("{command}x")], &command);
        suggests(&[&wrong(&command)], &command);
        suggests(&["man", &wrong(&command)], &command);
    }
}

#[test]
fn every_format_of_every_command_is_offered_for_a_slip() {
    for command in commands() {
        let help = run(&[&command, "-h"]).stdout;
        if help.contains("--format") {
            // Some first ask for a filter.
            let arguments = [&command, "--format", "txet", "--demo", "state:listen"];
            let said = [run(&arguments[..4]).stderr, run(&arguments).stderr].concat();
            let is_of_engines = command == "metrics";
            let offer = if is_of_engines { "there are openmetrics and otlp-json" } else { "did you mean 'text'?" };
            assert!(said.contains(offer), "{command}: {said}");
        }
    }
}

#[test]
fn every_signal_is_offered_for_a_slip_where_signals_are_taken() {
    for command in commands() {
        if run(&[&command, "-h"]).stdout.contains("--signal") {
            for row in &SIGNALS {
                let ended = run(&[&command, "--demo", "--dry-run", "--signal", &format!("{}X", row.name), "port:1"]);
                assert_eq!(ended.code, 2, "{}", ended.stderr);
                // One letter more than USR1 is as near to USR2.
                assert!(ended.stderr.contains("did you mean '"), "{}", ended.stderr);
            }
        }
    }
}

/// The screen's filter field shows the very sentence of `Filter::parse`.
#[test]
fn every_column_state_and_rule_is_offered_for_a_slip() {
    let offers = |sentence: String, meant: &str| {
        assert!(sentence.contains(&format!("did you mean '{meant}'?")), "{meant}: {sentence}");
    };
    for key in COLUMNS.iter().map(|column| column.key).filter(|key| key.len() > 2) {
        let word = wrong(key);
        if column::find(COLUMNS, &word).is_ok() {
            continue;
        }
        offers(column::find(COLUMNS, &word).expect_err(&word), key);
        offers(SortKey::parse(COLUMNS, &format!("-{word}")).expect_err(&word), key);
        if let Err(error) = Filter::parse(&format!("{word}:1")) {
            offers(error.message.clone(), key);
        }
    }
    for row in &STATES {
        let name = row.name.to_lowercase().replace('_', "-");
        let error = Filter::parse(&format!("state:{}", wrong(&name))).expect_err("no state is called so");
        offers(error.message.clone(), &name);
        suggests(&["list", &format!("state:{}", wrong(&name))], &name);
    }
    for &rule in Rule::ALL {
        suggests(&["check", "--fail-on", &wrong(rule.id())], rule.id());
        // A topic may be nearer (orphan): whatever is offered is explained.
        let sentence = run(&["explain", &wrong(rule.id())]).stderr;
        let (_, offered) = sentence.split_once("did you mean '").unwrap_or_else(|| panic!("{sentence}"));
        let offered = offered.split('\'').next().expect("a word");
        assert!(rule.id().starts_with(offered), "{}: {offered}", rule.id());
        assert_eq!(run(&["explain", offered]).code, 0, "{offered}");
    }
}
