//! `assets/schemas`: made from the types and tables of what is printed (`CONNTOP_BLESS=1 cargo test --test cli schemas` rewrites them), and
//! what the program prints is held against them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use assert_cmd::Command;
use conntop::diagnosis::rule::Rule;
use conntop::report::fields::{self, Field};
use conntop::report::list::{GroupBy, can_group};
use conntop::report::schemas::{self, SchemaFile};
use conntop::table::connections::COLUMNS;
use serde_json::{Map, Value, json};

use crate::schema;

/// Thresholds for small recordings.
const SMALL: &str = "tests/fixtures/small.toml";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schemas").join(name)
}

fn text(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).expect("JSON"))
}

/// Writes the schemas anew where that is asked for: once, and before any test reads one.
fn bless() {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("CONNTOP_BLESS").is_some() {
            for SchemaFile { name, schema } in schemas::all() {
                fs::write(path(name), text(&schema)).expect("the schema can be written");
            }
        }
    });
}

fn stored(name: &str) -> Value {
    bless();
    serde_json::from_str(&fs::read_to_string(path(name)).expect(name)).expect("JSON")
}

fn printed(arguments: &[&str], codes: &[i32]) -> String {
    let output = Command::cargo_bin("conntop").expect("built").args(arguments).output().expect("it runs");
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_schemas_are_those_of_the_program() {
    bless();
    for SchemaFile { name, schema } in schemas::all() {
        let stored = fs::read_to_string(path(name)).expect(name);
        assert!(
            stored == text(&schema),
            "{name} is behind the program: run CONNTOP_BLESS=1 cargo test --test cli schemas"
        );
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let schema = stored("check.json");
    let text = printed(&["check", "--demo", "--format", "json"], &[0, 1, 2]);
    let good: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(schema::faults(&schema, &good), Vec::<String>::new());
    let broken = |change: fn(&mut Map<String, Value>)| {
        let mut bad = good.clone();
        change(bad.as_object_mut().expect("an object"));
        schema::faults(&schema, &bad)
    };
    for (faults, at) in [
        (broken(|bad| drop(bad.insert("status".into(), "fine".into()))), ".status: enum"),
        (broken(|bad| drop(bad.remove("findings_left_out"))), ": required"),
        (broken(|bad| drop(bad.insert("more".into(), 1.into()))), ".more is not in the schema"),
        (broken(|bad| drop(bad.insert("findings".into(), json!([{}])))), ".findings[0]: required"),
    ] {
        assert!(faults.len() == 1 && faults[0].contains(at), "{at}: {faults:?}");
    }
}

#[test]
fn lists_are_valid() {
    let schema = stored("list.json");
    for source in ["synthetic:1", "synthetic:2", "replay:assets/recordings/demo.conntop"] {
        let text = printed(&["list", "--source", source, "--format", "json"], &[0]);
        let value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema::faults(&schema, &value), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn ports_and_netstat_are_valid() {
    let hold = |schema: &str, arguments: &[&str]| {
        let schema = stored(schema);
        let text = printed(&[arguments, &["--format", "json"]].concat(), &[0]);
        let values: Vec<Value> =
            serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().expect("JSON");
        assert!(!values.is_empty(), "{arguments:?} prints nothing");
        for value in values {
            assert_eq!(schema::faults(&schema, &value), Vec::<String>::new(), "{arguments:?}");
        }
    };
    hold("ports.json", &["ports", "--demo"]);
    hold("ports.json", &["ports", "--source", "replay:assets/recordings/demo.conntop", "--exposed"]);
    hold("netstat.json", &["netstat", "--demo", "-abno", "0.1", "--count", "2"]);
    if cfg!(target_os = "linux") {
        hold("ports.json", &["ports"]);
        hold("netstat.json", &["netstat", "-aesrt", "0.1", "--count", "2"]);
        hold("netstat.json", &["netstat", "-abno"]);
    }
}

#[test]
fn differences_are_valid() {
    let (schema, line) = (stored("diff.json"), part("diff.json", "line"));
    let leak = "tests/recordings/close-wait-leak.conntop";
    let demo = "assets/recordings/demo.conntop";
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("recording").display().to_string();
    printed(&["record", "--demo", "--count", "20", "--interval", "0.1", &path], &[0]);
    // Of two hosts, of one, and where nothing differs.
    for arguments in
        [[leak, demo, "--limit=9"], [&format!("{path}@+1s"), &path, "--limit=99"], [demo, demo, "--limit=9"]]
    {
        let text = printed(&[&["diff", "--format", "json"], &arguments[..]].concat(), &[0]);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema::faults(&schema, &value), Vec::<String>::new(), "{arguments:?}");
        for text in printed(&[&["diff", "--format", "ndjson"], &arguments[..]].concat(), &[0]).lines() {
            let value = serde_json::from_str(text).expect("JSON");
            assert_eq!(schema::faults(&line, &value), Vec::<String>::new(), "{arguments:?}");
        }
    }
}

/// The definition called `name` of the stored schema `file`, as a schema of its own.
fn part(file: &str, name: &str) -> Value {
    let mut schema = stored(file);
    let defs = schema["$defs"].take();
    let mut part = defs[name].clone();
    part["$defs"] = defs;
    part
}

#[test]
fn groups_counts_and_single_lines_are_valid() {
    let source = ["list", "--source", "replay:assets/recordings/demo.conntop"];
    let keys: Vec<&str> = COLUMNS.iter().filter(|column| can_group(column)).map(|column| column.key).collect();
    let all = keys.join(",");
    for by in keys.iter().copied().chain([all.as_str()]) {
        for (format, schema) in [("json", stored("list-groups.json")), ("ndjson", part("list-groups.json", "line"))] {
            let text = printed(&[&source[..], &["--group-by", by, "--top", "9", "--format", format]].concat(), &[0]);
            let values: Vec<Value> =
                serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().expect("JSON");
            assert!(!values.is_empty(), "{by} {format} prints nothing");
            let faults: Vec<String> = values.iter().flat_map(|value| schema::faults(&schema, value)).collect();
            assert_eq!(faults, Vec::<String>::new(), "{by} {format}");
        }
    }
    for (arguments, schema) in [
        (&["--count-only", "--format", "json"][..], stored("list-count.json")),
        (&["--count-only", "--format", "ndjson", "--group-by", "user"], part("list-count.json", "line")),
        (&["--format", "ndjson"], part("list.json", "line")),
        (&["--on-change", "--format", "json"], stored("list.json")),
        (&["--on-change", "--format", "json", "--group-by", "state"], stored("list-groups.json")),
        (&["--on-change", "--format", "json", "--count-only"], stored("list-count.json")),
        (&["--fields", "--format", "json"], stored("fields.json")),
        (&["--fields", "--format", "json", "--group-by", "state"], stored("fields.json")),
    ] {
        let text = printed(&[&source[..], arguments].concat(), &[0]);
        assert!(!text.is_empty(), "{arguments:?} prints nothing");
        for line in text.lines() {
            let value = serde_json::from_str(line).expect("one object a line");
            assert_eq!(schema::faults(&schema, &value), Vec::<String>::new(), "{arguments:?}");
        }
    }
}

/// The fields that `--fields` tells of what is called so, with their types.
fn told<'f>(fields: &'f [Field], of: &str) -> Vec<(&'f str, &'f str)> {
    let its = fields.iter().filter(|field| field.of == of);
    its.map(|field| (field.field.as_str(), field.r#type.as_str())).collect()
}

#[test]
fn the_fields_that_are_told_are_those_of_the_schemas() {
    let all_groups = COLUMNS.iter().filter(|column| can_group(column)).map(|column| column.key);
    let all_groups = GroupBy::by(all_groups).expect("they can");
    let (list, groups, events) = (fields::of_list(), fields::of_groups(&all_groups), fields::of_events());
    for (fields, of, schema) in [
        (&list, "list", stored("list.json")),
        (&list, "socket", part("list.json", "socket")),
        (&groups, "list", stored("list-groups.json")),
        (&groups, "group", part("list-groups.json", "group")),
        (&events, "change", part("watch.json", "change")),
        (&events, "gap", part("watch.json", "gap")),
        (&events, "finding", part("watch.json", "finding")),
    ] {
        let properties = schema["properties"].as_object().expect("an object");
        let told = told(fields, of);
        let names: Vec<&str> = told.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, properties.keys().collect::<Vec<_>>(), "{of}");
        for (name, r#type) in told {
            let rule = &properties[name];
            let types = match &rule["type"] {
                Value::Array(types) => types.clone(),
                Value::String(_) => vec![rule["type"].clone()],
                _ if rule["const"] == 2 => vec!["integer".into()],
                _ => vec!["string".into()],
            };
            assert!(types.contains(&r#type.into()), "{of} {name}: {type} is told, {rule}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_this_machine_shows_is_valid() {
    let list: Value = serde_json::from_str(&printed(&["list", "--format", "json"], &[0])).expect("JSON");
    assert_eq!(schema::faults(&stored("list.json"), &list), Vec::<String>::new());
    let check = printed(&["check", "--format", "json", "--interval", "0.1"], &[0, 1, 2]);
    let check: Value = serde_json::from_str(&check).expect("JSON");
    assert_eq!(schema::faults(&stored("check.json"), &check), Vec::<String>::new());
}

#[test]
fn checks_are_valid() {
    let schema = stored("check.json");
    for arguments in
        [&["--demo"][..], &["--demo", "--for", "90"], &["--source", "replay:assets/recordings/demo.conntop"]]
    {
        let text = printed(&[&["check", "--format", "json"], arguments].concat(), &[0, 1, 2]);
        let value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema::faults(&schema, &value), Vec::<String>::new(), "{arguments:?}");
    }
}

/// A recording for every rule: so every way in which a finding can be written is held against the schemas.
#[test]
fn what_every_rule_finds_is_valid() {
    let (check, watch) = (stored("check.json"), stored("watch.json"));
    for &rule in Rule::ALL {
        let source = format!("replay:tests/recordings/{}.conntop", rule.id());
        let text = printed(&["check", "--format", "json", "--source", &source, "--config", SMALL], &[1, 2]);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema::faults(&check, &value), Vec::<String>::new(), "{}", rule.id());
        let findings = value["findings"].as_array().expect("a list");
        assert!(findings.iter().any(|finding| finding["rule"] == rule.id()), "{}", rule.id());
        let text = printed(&["watch", "--format", "ndjson", "--source", &source, "--count", "300"], &[0]);
        for line in text.lines() {
            let value = serde_json::from_str(line).expect("JSON");
            assert_eq!(schema::faults(&watch, &value), Vec::<String>::new(), "{line}");
        }
    }
}

#[test]
fn every_line_of_watch_is_valid() {
    let schema = stored("watch.json");
    for source in
        [&["--demo", "--for", "5", "--interval", "0.1"][..], &["--source", "replay:assets/recordings/demo.conntop"]]
    {
        let text = printed(&[&["watch", "--format", "ndjson"], source].concat(), &[0]);
        assert!(text.lines().count() > 20, "{text}");
        for line in text.lines() {
            let value = serde_json::from_str(line).expect("JSON");
            assert_eq!(schema::faults(&schema, &value), Vec::<String>::new(), "{line}");
        }
    }
}
