//! `conntop list --group-by`, `--top` and `--count-only` on recordings: what is added up is what the list has.

use std::collections::BTreeMap;

use conntop::report::list::can_group;
use conntop::table::column::ValueKind;
use conntop::table::connections::COLUMNS;
use conntop::table::sums::SUMS;
use serde_json::Value;

use crate::program::{conntop, ended, run};
use crate::readable::readable;

const RECORDING: &str = "replay:assets/recordings/demo.conntop";

fn printed(arguments: &[&str]) -> String {
    let ended = run(&[&["list", "--source", RECORDING], arguments].concat());
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

fn lines(arguments: &[&str]) -> Vec<Value> {
    let text = printed(&[&["--format", "ndjson"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

fn refused(arguments: &[&str]) -> String {
    let ended = run(&[&["list", "--source", RECORDING], arguments].concat());
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr
}

/// Added up by hand from the sockets of a list: how many, and the sums by name.
fn added_up(sockets: &[Value], keys: &[&str]) -> BTreeMap<String, BTreeMap<&'static str, f64>> {
    let mut groups: BTreeMap<String, BTreeMap<&'static str, f64>> = BTreeMap::new();
    for socket in sockets {
        let key: Vec<&Value> = keys.iter().map(|key| &socket[key]).collect();
        let group = groups.entry(serde_json::to_string(&key).expect("JSON")).or_default();
        for sum in SUMS {
            let is_listener = socket["state"] == "LISTEN";
            let states = |names: &[&str]| names.iter().any(|name| socket["state"] == **name);
            let value = match sum.key {
                "count" => Some(1.0),
                "established" => Some(f64::from(u8::from(states(&["ESTABLISHED"]) && socket["proto"] == "tcp"))),
                "close_wait" => Some(f64::from(u8::from(states(&["CLOSE_WAIT"])))),
                "time_wait" => Some(f64::from(u8::from(states(&["TIME_WAIT"])))),
                "listen" => Some(f64::from(u8::from(states(&["LISTEN"])))),
                "other" => {
                    let named = states(&["ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT", "LISTEN"]);
                    Some(f64::from(u8::from(!named || socket["proto"] == "udp")))
                }
                _ if is_listener => None,
                _ => socket[sum.json].as_f64(),
            };
            if let Some(value) = value {
                *group.entry(sum.json).or_default() += value;
            }
        }
    }
    groups
}

#[test]
fn every_column_that_can_group_adds_up_to_what_the_list_has() {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.json).collect();
    let sockets = lines(&["--columns", &names.join(",")]);
    assert!(sockets.len() > 100);
    let one = |key| vec![key];
    let keys = COLUMNS.iter().filter(|column| can_group(column)).map(|column| one(column.json));
    for keys in keys.chain([vec!["process", "state"], vec!["state", "user", "rport"]]) {
        let expected = added_up(&sockets, &keys);
        let groups = lines(&["--group-by", &keys.join(",")]);
        assert_eq!(groups.len(), expected.len(), "{keys:?}");
        for group in &groups {
            let key: Vec<&Value> = keys.iter().map(|key| &group[key]).collect();
            let sums = &expected[&serde_json::to_string(&key).expect("JSON")];
            for column in SUMS {
                let (sum, value) = (sums.get(column.json), group[column.json].as_f64());
                // Rates are rounded to a tenth, each for itself.
                let slack = if column.kind == ValueKind::Rate { 0.1 * (1.0 + sums["count"]) } else { 0.0 };
                let is_same = match (sum, value) {
                    (Some(sum), Some(value)) => (sum - value).abs() <= slack,
                    (sum, value) => sum.copied() == value,
                };
                assert!(is_same, "{} of {key:?}: {sum:?}, but {value:?} is printed", column.json);
            }
        }
        let counts: Vec<_> = groups.iter().map(|group| group["count"].as_u64()).collect();
        assert!(counts.is_sorted_by(|a, b| a >= b), "the largest first: {counts:?}");
    }
}

#[test]
fn what_differs_from_socket_to_socket_is_no_group() {
    let mut refused_keys = 0;
    for column in COLUMNS.iter().filter(|column| !can_group(column)) {
        let sentence = refused(&["--group-by", column.key]);
        let why = if column.is_hint {
            "is a reverse DNS name, and these are not trusted"
        } else {
            "differs from socket to socket"
        };
        assert!(sentence.contains(&format!("'{}' {why}", column.key)), "{sentence}");
        refused_keys += 1;
    }
    assert!(
        refused_keys > 8
            && ["state", "process", "pid", "user", "raddr", "rport", "lport", "unit", "netns", "verdict"]
                .iter()
                .all(|key| COLUMNS.iter().any(|column| column.key == *key && can_group(column)))
    );
}

#[test]
fn every_format_stays_as_it_is() {
    insta::assert_snapshot!("text", printed(&["--group-by", "state"]));
    insta::assert_snapshot!("text_top", printed(&["--group-by", "process,state", "--top", "4"]));
    insta::assert_snapshot!("json", readable(&printed(&["--group-by", "process", "--limit", "3", "--format", "json"])));
    insta::assert_snapshot!(
        "ndjson",
        readable(&printed(&["--group-by", "raddr,rport", "--top", "2", "--format", "ndjson"]))
    );
    let csv = printed(&["--group-by", "unit", "--sort", "unit", "--limit", "3", "--format", "csv"]);
    insta::assert_snapshot!("csv", csv.replace("\r\n", "<CRLF>\n"));
    insta::assert_snapshot!("fields", printed(&["--group-by", "process", "--fields"]));
    insta::assert_snapshot!(
        "fields_json",
        readable(&printed(&["--group-by", "state", "--fields", "--format", "json"]))
    );
    insta::assert_snapshot!(
        "count_json",
        readable(&printed(&["--count-only", "--format", "json", "state:close-wait"]))
    );
}

#[test]
fn what_is_left_out_is_said() {
    let left_out =
        |format: &str| run(&["list", "--source", RECORDING, "--group-by", "state", "--top", "2", "--format", format]);
    let groups = lines(&["--group-by", "state"]);
    let sockets: u64 = groups[2..].iter().filter_map(|group| group["count"].as_u64()).sum();
    let sentence = format!("{} more groups with {sockets} sockets", groups.len() - 2);
    let text = left_out("text");
    assert_eq!((text.stdout.lines().last(), text.stderr.as_str()), (Some(sentence.as_str()), ""));
    for format in ["csv", "ndjson"] {
        let ended = left_out(format);
        assert_eq!(ended.stderr, format!("conntop: {sentence} left out\n"));
        assert!(!ended.stdout.contains("more groups"));
    }
    let json: Value = serde_json::from_str(&left_out("json").stdout).expect("JSON");
    assert_eq!(json["left_out"]["sockets"], sockets);
    assert_eq!((&json["total"]["groups"], json["groups"].as_array().map(Vec::len)), (&groups.len().into(), Some(2)));
    let all = run(&["list", "--source", RECORDING, "--group-by", "state", "--limit", "99", "--format", "csv"]);
    assert_eq!(all.stderr, "");
}

#[test]
fn columns_and_order_are_those_of_the_groups() {
    let text =
        printed(&["--group-by", "state", "--columns", "count,state", "--sort", "state", "state:listen,close-wait"]);
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((&words[0][..], words[1][1], words[2][1]), (&["COUNT", "STATE"][..], "LISTEN", "CLOSE_WAIT"));
    for (arguments, key, falls) in [
        (&["--sort", "rx"][..], "rx_bytes", false),
        (&["--sort", "-rx_bytes"], "rx_bytes", true),
        (&["--sort", "recvq", "--top", "9"], "recvq_bytes", true),
        (&["--sort", "-recvq", "--top", "9"], "recvq_bytes", true),
        (&["--sort", "count"], "count", false),
        (&["--sort", "-pid"], "pid", true),
    ] {
        let groups = lines(&[&["--group-by", "pid"], arguments].concat());
        let values: Vec<f64> = groups.iter().filter_map(|group| group[key].as_f64()).collect();
        assert!(values.len() > 1 && values.is_sorted_by(|a, b| if falls { a >= b } else { a <= b }), "{arguments:?}");
        let known = groups.iter().take_while(|group| !group[key].is_null()).count();
        assert_eq!(known, values.len(), "what is not known comes last");
    }
}

#[test]
fn top_means_the_largest_first() {
    let ages: Vec<_> = lines(&["--top", "5", "--sort", "age"]).iter().map(|row| row["age_seconds"].as_f64()).collect();
    assert!(ages.len() == 5 && ages.is_sorted_by(|a, b| a >= b), "{ages:?}");
    assert_eq!(printed(&["--top", "5", "--sort", "-age"]), printed(&["--top", "5", "--sort", "age"]));
    assert_eq!(printed(&["--top", "5", "--sort", "-age"]), printed(&["--limit", "5", "--sort", "-age"]));
    assert_eq!(printed(&["--group-by", "user", "--top", "2"]), printed(&["--group-by", "user", "--limit", "2"]));
}

#[test]
fn count_only_is_a_number() {
    let sockets = lines(&["state:time-wait"]).len();
    assert!(sockets > 0);
    assert_eq!(printed(&["--count-only", "state:time-wait"]), format!("{sockets}\n"));
    assert_eq!(
        printed(&["--count-only", "--format", "csv", "state:time-wait"]),
        format!("host,at,counted,count\r\nweb-7,2026-06-01T12:00:11.000Z,sockets,{sockets}\r\n")
    );
    assert_eq!(lines(&["--count-only", "state:time-wait"])[0]["count"], sockets);
    assert_eq!(printed(&["--count-only", "nothing-is-called-so"]), "0\n");
    let remotes = lines(&["--group-by", "raddr"]).len();
    assert_eq!(printed(&["--count-only", "--group-by", "raddr"]), format!("{remotes}\n"));
    assert_eq!(lines(&["--count-only", "--group-by", "raddr"])[0]["counted"], "groups");
}

#[test]
fn wrong_use_is_one_sentence_with_a_way_out() {
    for (arguments, part) in [
        (&["--group-by", "proces"][..], "did you mean 'process'?"),
        (&["--group-by", "state,elephant"], "see conntop columns"),
        (&["--group-by", "state", "--sort", "cuont"], "did you mean 'count'?"),
        (&["--group-by", "state", "--sort", "process"], "add it to --group-by"),
        (&["--group-by", "state", "--columns", "age"], "there are state, count"),
        (&["--group-by", "state", "--columns", "state,pid"], "add it to --group-by"),
        (&["--group-by", "state,state"], "asked for twice"),
        (&["--group-by", "state", "--columns", "count,COUNT"], "asked for twice"),
        (&["--columns", "pid,process,pid"], "'pid' is asked for twice"),
        (&["--columns", "age,age_seconds"], "asked for twice"),
        (&["--top", "3"], "add --sort"),
        (&["--top", "3", "--limit", "3", "--sort", "age"], "cannot be used with"),
        (&["--top", "-3"], "whole number"),
        (&["--count-only", "--limit", "1"], "cannot be used with"),
        (&["--timeout", "3"], "--wait-for or --until-none"),
        (&["--wait-for", "lport:80", "--timeout", "soon"], "write a time, such as 30"),
        (&["--wait-for", " "], "needs a filter"),
        (&["--wait-for", "state:lissten"], "did you mean 'listen'?"),
        (&["--until-none", "prot:tcp"], "did you mean"),
        (&["--until-none", "udp", "--wait-for", "tcp"], "cannot be used with"),
        (&["--on-change", "--format", "csv"], "--format json"),
        (&["--on-change", "--timeout", "3"], "cannot be used with"),
        (&["--for", "3"], "--for goes with --on-change"),
        (&["--for", "3", "--wait-for", "udp"], "to wait, write --timeout"),
        (&["--count", "3"], "--on-change"),
        (&["--fields", "--format", "csv"], "there are text and json"),
    ] {
        let sentence = refused(arguments);
        assert!(sentence.contains(part), "{arguments:?}: {sentence}");
    }
    for (option, part) in [("--on-change", "conntop list --on-change"), ("--wait-for", "conntop list --wait-for")] {
        let ended = run(&["watch", "--source", RECORDING, option, "udp"]);
        assert!(
            ended.code == 2 && ended.stderr.contains(part) && ended.stderr.lines().count() == 1,
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn an_empty_environment_is_enough() {
    let arguments = ["list", "--source", RECORDING, "--group-by", "process", "--format", "json"];
    let bare = ended(conntop().env_clear().args(arguments));
    assert_eq!((bare.code, bare.stdout), (0, run(&arguments).stdout));
}

#[test]
fn new_options_are_explained() {
    for option in
        ["--group-by", "--top", "--count-only", "--wait-for", "--until-none", "--timeout", "--on-change", "--fields"]
    {
        let ended = run(&["explain", "--", option]);
        assert!(ended.code == 0 && ended.stdout.contains("conntop list"), "{option}: {}", ended.stderr);
        assert_eq!(run(&["explain", option]).stdout, ended.stdout, "{option}");
    }
}
