//! What every command prints of one recording stays as it is until somebody looks at the difference: text, JSON, NDJSON
//! and CSV, each with what is long in it left out by a filter or a limit.

use conntop::app::keymap::bindings;
use conntop::table::connections::COLUMNS;
use serde_json::Value;

use crate::commands::commands;
use crate::program::{conntop, ended, run};
use crate::readable::readable;

const RECORDING: &str = "replay:assets/recordings/demo.conntop";
/// Ports that have the same name in every `/etc/services`.
const PORTS: &str = "lport:22 or lport:443 or process:redis-server";

/// Snapshot, arguments, exit code. What stands in front of the arguments is the source.
const PRINTED: &[(&str, &[&str], i32)] = &[
    ("list_text", &["list", "--limit", "12", "tcp"], 0),
    ("list_text_filtered", &["list", "state:close-wait process:jdbc", "--sort", "-lport", "--limit", "4"], 0),
    (
        "list_text_columns",
        &["list", "--columns", "process,state,lport,rport,age", "--limit", "4", "state:time-wait"],
        0,
    ),
    ("list_json", &["list", "--format", "json", "--limit", "3", "state:established"], 0),
    ("list_ndjson", &["list", "--format", "ndjson", "--limit", "3", "udp"], 0),
    ("list_csv", &["list", "--format", "csv", "--limit", "3", "state:close-wait"], 0),
    ("list_nothing", &["list", "pid:4000000000"], 0),
    ("list_json_nothing", &["list", "pid:4000000000", "--format", "json"], 0),
    ("without_a_command", &["state:syn-sent or age<3s"], 0),
    ("check_json", &["check", "--format", "json", "process:jdbc"], 1),
    ("check_text", &["check", "process:jdbc"], 1),
    ("netstat_text", &["netstat", "-ano", "--count", "1", "lport:51234-51240"], 0),
    ("netstat_listeners", &["netstat", "-abo", "LISTENING"], 0),
    ("netstat_names", &["netstat", "-a", "state:syn-sent or state:last-ack"], 0),
    ("netstat_json", &["netstat", "-ano", "--format", "json", "LISTENING", "lport:22"], 0),
    ("ports_text", &["ports", PORTS], 0),
    ("ports_exposed", &["ports", "--exposed", PORTS], 0),
    ("ports_json", &["ports", "--format", "json", "lport:22"], 0),
    ("ports_fail_on", &["ports", "--fail-on", "low", "lport:22"], 1),
    ("watch_text", &["watch", "--count", "10", "state:time-wait"], 0),
    ("watch_ndjson", &["watch", "--count", "4", "--format", "ndjson", "state:time-wait"], 0),
    ("metrics_openmetrics", &["metrics"], 0),
    ("columns_text", &["columns"], 0),
    ("keys_text", &["keys"], 0),
];
/// Commands whose output is held elsewhere, or that print nothing of their own.
const ELSEWHERE: [&str; 7] = ["diff", "explain", "record", "man", "completions", "kill", "close"];

#[test]
fn what_every_command_prints_stays_as_it_is() {
    for (name, arguments, code) in PRINTED {
        let ended = ended(conntop().env("TZ", "UTC").args(["--source", RECORDING]).args(*arguments));
        assert_eq!(ended.code, *code, "{name}: {}", ended.stderr);
        // What is said beside the data belongs to it.
        let is_json = arguments.iter().any(|argument| ["json", "ndjson"].contains(argument));
        let mut printed = if is_json { readable(&ended.stdout) } else { ended.stdout };
        for line in ended.stderr.lines() {
            printed += "stderr: ";
            printed += line;
            printed.push('\n');
        }
        insta::assert_snapshot!(*name, printed);
    }
}

#[test]
fn every_command_is_held_to_what_it_prints() {
    let is_held =
        |command: &str| PRINTED.iter().any(|(_, arguments, _)| arguments[0] == command) || command == "replay";
    for command in commands() {
        assert!(is_held(&command) || ELSEWHERE.contains(&&*command), "{command} has no golden test");
    }
}

#[test]
fn a_replay_without_a_terminal_is_the_list_of_its_end() {
    let replayed = run(&["replay", "assets/recordings/demo.conntop", "state:close-wait"]);
    let listed = run(&["list", "--source", RECORDING, "state:close-wait"]);
    assert_eq!((replayed.code, replayed.stdout), (0, listed.stdout));
}

fn json(arguments: &[&str]) -> Value {
    let ended = run(arguments);
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 1), "{arguments:?}");
    let value: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(value["schema"], 2);
    value
}

#[test]
fn columns_and_keys_say_the_same_in_json() {
    let columns = json(&["columns", "--format", "json"]);
    let columns = columns["columns"].as_array().expect("a list");
    assert_eq!(columns.len(), COLUMNS.len());
    for (row, column) in columns.iter().zip(COLUMNS) {
        let texts = [&row["column"], &row["title"], &row["field"], &row["meaning"]];
        assert_eq!(texts, [column.key, column.title, column.json, column.about]);
        assert_eq!(row["in_json"], column.in_json);
    }
    let keys = json(&["keys", "--format", "json"]);
    let keys = keys["keys"].as_array().expect("a list");
    assert_eq!(keys.len(), bindings().count());
    for row in keys {
        let is_said = |name: &str| row[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_said("where") && is_said("name") && is_said("help"), "{row}");
        assert!(row["keys"].as_array().is_some_and(|keys| !keys.is_empty()), "{row}");
    }
}
