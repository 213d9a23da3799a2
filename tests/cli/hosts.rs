//! Lines that stand alone say of which host and when they are; recordings of several hosts are told apart everywhere.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::commands::commands;
use crate::program::{Ended, run};

const DEMO: &str = "replay:assets/recordings/demo.conntop";

/// Formats of one record a line.
const LINE_FORMATS: [&str; 3] = ["ndjson", "csv", "csv-safe"];

/// Every command with a format of lines, and what makes it print some.
const PRINTING: &[&[&str]] = &[
    &["list", "--limit", "3"],
    &["list", "--group-by", "state"],
    &["list", "--group-by", "host,process"],
    &["list", "--count-only"],
    &["list", "--count-only", "--group-by", "process"],
    &["watch", "--count", "20"],
    &["watch", "--count", "3", "host:web-7"],
    &["diff", "assets/recordings/demo.conntop@+1s", "assets/recordings/demo.conntop"],
    &["kill", "--dry-run"],
    &["close", "--dry-run"],
];

/// What acts shows what it would do, to sockets of this test.
const ACTING: [&str; 2] = ["kill", "close"];

fn formats_of(command: &str) -> BTreeSet<String> {
    let help = run(&[command, "--help"]).stdout;
    let values = help.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'));
    values.map(|(name, _)| name.to_owned()).filter(|name| LINE_FORMATS.contains(&name.as_str())).collect()
}

/// What a line has under `name`.
fn cell<'a>(heading: &[&str], line: &'a str, name: &str) -> Option<&'a str> {
    let at = heading.iter().position(|known| known.trim_matches('"') == name)?;
    line.split(',').nth(at).map(|cell| cell.trim_matches('"'))
}

fn lines_with_host_and_at(ended: &Ended, format: &str) -> usize {
    let is_time = |at: &str| at.len() == "2026-01-01T00:00:00.000Z".len() && at.ends_with('Z');
    let mut lines = ended.stdout.lines();
    if format == "ndjson" {
        let count = lines.clone().count();
        for line in lines {
            let line: Value = serde_json::from_str(line).expect("every line is JSON");
            assert!(line["host"].as_str().is_some_and(|host| !host.is_empty()), "{line}");
            assert!(line["at"].as_str().is_some_and(is_time), "{line}");
        }
        return count;
    }
    let heading: Vec<&str> = lines.next().expect("a heading").split(',').collect();
    let count = lines.clone().count();
    for line in lines {
        assert!(cell(&heading, line, "host").is_some_and(|host| !host.is_empty()), "{heading:?}: {line}");
        assert!(cell(&heading, line, "at").is_some_and(is_time), "{heading:?}: {line}");
    }
    count
}

#[test]
fn every_line_of_every_command_says_host_and_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let _connection = TcpStream::connect(address).expect("it listens");
    let ours = format!("rport:{} state:established", address.port());
    for command in commands() {
        let formats = formats_of(&command);
        let ways: Vec<_> = PRINTING.iter().filter(|words| words[0] == command).collect();
        assert_eq!(formats.is_empty(), ways.is_empty(), "{command} has {formats:?}: list it in PRINTING");
        for (format, words) in formats.iter().flat_map(|format| ways.iter().map(move |words| (format, words))) {
            let from = match words[0] {
                "diff" => Vec::new(),
                name if ACTING.contains(&name) => vec![&*ours],
                _ => vec!["--source", DEMO],
            };
            let ended = run(&[words, &["--format", format][..], &from].concat());
            assert!(lines_with_host_and_at(&ended, format) > 0, "{words:?} {format}: {}{}", ended.stdout, ended.stderr);
        }
    }
}

/// A recording of a made-up server.
fn recorded(folder: &Path, seed: u32) -> PathBuf {
    let path = folder.join(format!("{seed}.conntop"));
    let file = path.to_str().expect("text");
    let ended = run(&["record", "--count", "3", "--source", &format!("synthetic:{seed}"), file]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    path
}

/// Two machines of one image: the same name, pids, cookies and addresses.
fn two() -> (tempfile::TempDir, [String; 2]) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let sources = [1, 2].map(|seed| format!("replay:{}", recorded(folder.path(), seed).display()));
    (folder, sources)
}

#[test]
fn two_hosts_of_one_name_are_two_and_that_is_said_once() {
    let (_folder, [a, b]) = two();
    let of_both = |words: &[&str]| run(&[words, &["--source", &a, "--source", &b]].concat());
    let ended = of_both(&["list", "--group-by", "host", "--format", "ndjson"]);
    assert_eq!(ended.code, 0);
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(said, ["conntop: another host is called web-7, too; this one is shown as web-7#2"]);
    let counts: Vec<(String, u64)> = ended
        .stdout
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            (line["host"].as_str().expect("a host").to_owned(), line["count"].as_u64().expect("a count"))
        })
        .collect();
    let alone = |source: &str| {
        let count = run(&["list", "--count-only", "--source", source]).stdout;
        count.trim().parse::<u64>().expect("a number")
    };
    let expected = [("web-7".to_owned(), alone(&a)), ("web-7#2".to_owned(), alone(&b))];
    assert_eq!(counts.into_iter().collect::<BTreeSet<_>>(), expected.into_iter().collect());
}

#[test]
fn what_has_the_same_number_on_two_hosts_is_never_one() {
    let (_folder, [a, b]) = two();
    let of = |source: &[&str]| {
        run(&[&["list", "--group-by", "pid", "--columns", "pid,count", "--format", "plain"], source].concat())
    };
    let both = of(&["--source", &a, "--source", &b]).stdout;
    let mut expected: Vec<String> = [&a, &b]
        .iter()
        .flat_map(|source| of(&["--source", source]).stdout.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut found: Vec<String> = both.lines().map(str::to_owned).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn every_finding_of_one_host_is_found_of_it_among_others_and_says_the_host() {
    let (_folder, [a, b]) = two();
    let findings = |sources: &[&str]| -> Vec<Value> {
        let sources: Vec<&str> = sources.iter().flat_map(|source| ["--source", *source]).collect();
        let document = run(&[&["check", "--format", "json"], &sources[..]].concat()).stdout;
        let document: Value = serde_json::from_str(&document).expect("JSON");
        document["findings"].as_array().expect("a list").clone()
    };
    let both = findings(&[&a, &b]);
    for (host, source) in [("web-7", &a), ("web-7#2", &b)] {
        let told = |finding: &Value| (finding["rule"].to_string(), finding["sockets"].to_string());
        let of_host: Vec<_> = both.iter().filter(|finding| finding["host"] == host).map(told).collect();
        let alone: Vec<_> = findings(&[source]).iter().map(told).collect();
        assert!(alone.len() > 3, "{alone:?}");
        assert_eq!(of_host, alone, "{host}");
        let prefix = format!("{host}: ");
        let is_said =
            |finding: &&Value| finding["sentence"].as_str().is_some_and(|sentence| sentence.starts_with(&prefix));
        assert_eq!(both.iter().filter(is_said).count(), alone.len());
    }
}

#[test]
fn the_filter_of_a_finding_shows_the_sockets_of_its_host_alone() {
    let (_folder, [a, b]) = two();
    let sources = ["--source", &*a, "--source", &*b];
    let document = run(&[&["check", "--format", "json"], &sources[..]].concat()).stdout;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let leak =
        document["findings"].as_array().expect("a list").iter().find(|finding| finding["rule"] == "close-wait-leak");
    let filter = leak.and_then(|leak| leak["filter"].as_str()).expect("a leak");
    let lines = run(&[&["list", "--columns", "host", "--format", "plain", filter], &sources[..]].concat()).stdout;
    let hosts: BTreeSet<&str> = lines.lines().collect();
    assert_eq!(hosts, ["web-7"].into(), "{filter}");
}

#[test]
fn one_host_is_asked_for_as_well_and_its_column_stays_away() {
    let count = |filter: &str| run(&["list", "--count-only", "--source", DEMO, filter]).stdout;
    assert_eq!(count("host:web-7"), count(""));
    assert_eq!(count("host:other").trim(), "0");
    let text = run(&["list", "--source", DEMO, "--limit", "1"]).stdout;
    assert!(text.starts_with("PROTO"), "{text}");
    // What packet filters call a host is an address.
    assert_eq!(count("host:10.0.0.20"), count("addr:10.0.0.20"));
    assert_ne!(count("host:10.0.0.20").trim(), "0");
}

#[test]
fn what_is_wrong_with_one_recording_is_said_and_the_others_are_shown() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let good = recorded(folder.path(), 1);
    let newer = folder.path().join("newer.conntop");
    fs::write(&newer, b"\x89conntop\xff\x7f").expect("writable");
    let sources: Vec<String> = [good.as_path(), Path::new("Cargo.toml"), &newer, Path::new("/nonexistent")]
        .map(|path| format!("replay:{}", path.display()))
        .into();
    let sources: Vec<&str> = sources.iter().flat_map(|source| ["--source", source]).collect();
    let ended = run(&[&["list", "--count-only"], &sources[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.trim().parse::<u64>().expect("a number") > 1_000);
    let said = |text: &str| assert_eq!(ended.stderr.matches(text).count(), 1, "{text}: {}", ended.stderr);
    for text in ["Cargo.toml is no recording", "newer.conntop has recording format 32767", "/nonexistent is not there"]
    {
        said(text);
    }
    let none = run(&["list", "--source", "replay:Cargo.toml", "--source", "replay:/nonexistent"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""));
    assert!(none.stderr.contains("Cargo.toml is no recording") && none.stderr.contains("/nonexistent is not there"));
}

#[test]
fn too_many_recordings_and_other_sources_among_them_are_refused() {
    let many: Vec<&str> = (0..65).flat_map(|_| ["--source", DEMO]).collect();
    let ended = run(&[&["list"], &many[..]].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("64"), "{}", ended.stderr);
    let mixed = run(&["list", "--source", DEMO, "--source", "auto"]);
    assert_eq!((mixed.code, mixed.stdout.as_str()), (2, ""));
    assert!(mixed.stderr.contains("replay:FILE for each"), "{}", mixed.stderr);
}

#[test]
fn the_same_recording_twice_is_two_hosts() {
    let ended = run(&[
        "list",
        "--group-by",
        "host",
        "--columns",
        "host,count",
        "--format",
        "plain",
        "--source",
        DEMO,
        "--source",
        DEMO,
    ]);
    let lines: Vec<(&str, &str)> = ended.stdout.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(lines.len(), 2, "{}", ended.stdout);
    assert_eq!(lines[0].1, lines[1].1);
}
