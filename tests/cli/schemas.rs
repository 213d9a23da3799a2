//! `assets/schemas`: made from the program's tables (`CONNTOP_BLESS=1 cargo test --test cli schemas` rewrites them), and
//! what the program prints is held against them.

mod act;
mod commands;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use assert_cmd::Command;
use conntop::diagnosis::rule::Rule;
use conntop::model::outcome::Outcome;
use conntop::model::tcp_state::STATES;
use conntop::report::fields::{self, Field};
use conntop::report::list::{GroupBy, can_group};
use conntop::table::column::{Column, ValueKind};
use conntop::table::connections::COLUMNS;
use conntop::table::sums::SUMS;
use serde_json::{Map, Value, json};

use crate::schema;

/// Thresholds for small recordings.
const SMALL: &str = "tests/fixtures/small.toml";
const BASES: [&str; 3] = ["observed", "kernel", "at-least"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schemas").join(name)
}

/// The schemas as the program's tables have them, each with the name of its file.
fn fresh() -> [(&'static str, Value); 10] {
    [
        ("list.json", list()),
        ("list-groups.json", groups()),
        ("list-count.json", count()),
        ("fields.json", fields()),
        ("check.json", check()),
        ("watch.json", watch()),
        ("ports.json", commands::ports()),
        ("netstat.json", commands::netstat()),
        ("close.json", act::close()),
        ("kill.json", act::kill()),
    ]
}

fn text(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).expect("JSON"))
}

/// Writes the schemas anew where that is asked for: once, and before any test reads one.
fn bless() {
    static BLESSED: Once = Once::new();
    BLESSED.call_once(|| {
        if std::env::var_os("CONNTOP_BLESS").is_some() {
            for (name, schema) in fresh() {
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

fn or_null(values: impl IntoIterator<Item = &'static str>) -> Value {
    let values: Vec<Value> = values.into_iter().map(Value::from).chain([Value::Null]).collect();
    json!({ "enum": values })
}

fn states() -> impl Iterator<Item = &'static str> {
    STATES.iter().map(|row| row.name)
}

/// An object that has exactly these properties.
fn object(properties: Map<String, Value>) -> Value {
    let required: Vec<String> = properties.keys().cloned().collect();
    let properties = Value::Object(properties);
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("this is no object") };
    map
}

fn property<R>(column: &Column<R>) -> Value {
    let mut rule = match column.kind {
        ValueKind::Text | ValueKind::Address | ValueKind::Endpoint => {
            json!({ "type": ["string", "null"], "minLength": 1 })
        }
        ValueKind::Word(labels) => or_null(labels.iter().copied()),
        ValueKind::State => or_null(states()),
        ValueKind::Port | ValueKind::Count | ValueKind::Number | ValueKind::Bytes => {
            json!({ "type": ["integer", "null"], "minimum": 0 })
        }
        ValueKind::Flag => json!({ "type": ["boolean", "null"] }),
        ValueKind::Rate | ValueKind::Span | ValueKind::Share => json!({ "type": ["number", "null"], "minimum": 0 }),
    };
    rule["description"] = column.about.into();
    rule
}

fn socket_properties() -> Map<String, Value> {
    let columns = COLUMNS.iter().filter(|column| column.in_json);
    let mut properties: Map<String, Value> = columns.map(|column| (column.json.to_owned(), property(column))).collect();
    let owner = object(map(json!({ "pid": { "type": "integer" }, "process": { "type": "string" } })));
    properties.insert(
        "owners".to_owned(),
        json!({ "type": ["array", "null"], "description": "Every process that holds it.", "items": owner }),
    );
    properties.insert(
        "waiter".to_owned(),
        json!({ "enum": ["epoll", "thread", "none", null], "description": "What waits for the socket; null, as that is not asked for." }),
    );
    properties
}

fn coverage() -> Value {
    let count = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    object(map(json!({
        "sockets": count("Sockets in the sample."),
        "owners_hidden": count("Sockets whose process may not be looked into."),
        "processes_unreadable": count("Processes whose descriptors could not be read."),
        "records_skipped": count("Records of the kernel that made no sense."),
        "other_namespaces": count("Network namespaces that are not shown."),
        "degraded": { "type": "array", "items": { "type": "string" }, "description": "Why the sample is incomplete." },
    })))
}

fn head() -> Map<String, Value> {
    map(json!({
        "schema": { "const": 2, "description": "Changes when a name or a meaning does." },
        "at": { "type": "string", "description": "The time of the last sample, RFC 3339, UTC." },
        "host": { "type": "string" },
        "source": { "enum": ["linux", "procfs", "portable", "replay", "synthetic"] },
        "coverage": coverage(),
    }))
}

fn finding_properties() -> Map<String, Value> {
    let strings = |about: &str| json!({ "type": "array", "items": { "type": "string" }, "description": about });
    let number = |about: &str| json!({ "type": ["number", "null"], "description": about });
    let text = |about: &str| json!({ "type": ["string", "null"], "minLength": 1, "description": about });
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
    let mut other_rule = or_null(Rule::ALL.iter().map(|rule| rule.id()));
    other_rule["description"] = "Another rule that found the same cause.".into();
    let evidence = json!({
        "type": "object",
        "properties": {},
        "additionalProperties": { "type": ["number", "string"] },
        "description": "Numbers behind it; names end in their unit, and in _max for a limit.",
    });
    let caused = object(map(json!({
        "rule": { "enum": rules.clone() },
        "sentence": { "type": "string", "minLength": 1 },
        "sockets": { "type": "integer", "minimum": 0 },
        "processes": { "type": "integer", "minimum": 0 },
        "filter": text("A filter that shows its sockets."),
    })));
    let some = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    map(json!({
        "rule": { "enum": rules, "description": "conntop explain says what it means." },
        "other_rule": other_rule,
        "severity": { "enum": ["warning", "critical"] },
        "sentence": { "type": "string", "minLength": 1 },
        "why": text("Why, in a few words."),
        "process": text("The process, or the program of all of them, by name."),
        "pid": { "type": ["integer", "null"], "description": "The process; null where several share it." },
        "processes": some("How many known processes share it; at least so many from 1,024 on."),
        "pids": {
            "type": "array", "items": { "type": "integer" },
            "description": "The first 16 of them, those with most of the sockets first.",
        },
        "place": { "enum": ["to", "on", "process", "machine"], "description": "to a remote endpoint, on a local one." },
        "addr": text("The address of the place."),
        "port": { "type": ["integer", "null"], "description": "The port of the place." },
        "interface": text("The interface that the place is bound to, or that its address belongs to."),
        "netns": { "type": ["integer", "null"] },
        "listener": { "type": ["integer", "null"], "description": "The listener that it is about, as its inode." },
        "state": or_null(states()),
        "sockets": { "type": "integer", "minimum": 0, "description": "How many sockets it is about." },
        "since_seconds": number("How long it has lasted."),
        "since_basis": or_null(BASES),
        "slope_per_minute": number("How fast it grows."),
        "slope_confidence": number("How well a straight line explains that, 0 to 1."),
        "runs_out": text("What runs out."),
        "runs_out_seconds": number("In how long: what is left, by what is used up in that time."),
        "runs_out_left": { "type": ["integer", "null"], "description": "How many are left." },
        "runs_out_per_minute": number("How many more are used up."),
        "evidence": evidence,
        "caused": {
            "type": "array", "items": caused,
            "description": "What else was found and is explained by this: the first 8, with their sockets.",
        },
        "caused_left_out": some("How many more findings it explains."),
        "caused_left_out_sockets": some("The sockets of those."),
        "examples": { "type": "array", "items": { "$ref": "#/$defs/socket" } },
        "filter": text("A filter that shows its sockets."),
        "explain": text("The command that says what it means."),
        "remedy": strings("What to do, first thing first."),
        "does_not_help": strings("What does not help."),
    }))
}

fn document(title: &str, mut body: Value, defs: Value) -> Value {
    let mut document = map(json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title }));
    document.append(&mut map(body.take()));
    document.insert("$defs".to_owned(), defs);
    Value::Object(document)
}

/// An object that stands alone in its line, with the host and the time.
fn line(properties: Map<String, Value>) -> Value {
    let mut line = head();
    line.retain(|name, _| name == "host" || name == "at");
    // The host comes first.
    let mut line: Map<String, Value> = line.into_iter().rev().collect();
    line.extend(properties);
    object(line)
}

fn list() -> Value {
    let mut properties = head();
    properties.insert("sockets".to_owned(), json!({ "type": "array", "items": { "$ref": "#/$defs/socket" } }));
    let defs = json!({ "socket": object(socket_properties()), "line": line(socket_properties()) });
    document("conntop list --format json; a line of ndjson is $defs/line", object(properties), defs)
}

/// `rule` for a value that is always known.
fn known(mut rule: Value) -> Value {
    let types = rule["type"].as_array().expect("a type or null");
    rule["type"] = types[0].clone();
    rule
}

fn groups() -> Value {
    let keys: Vec<_> = COLUMNS.iter().filter(|column| can_group(column)).collect();
    let names: Vec<&str> = keys.iter().map(|column| column.json).collect();
    let sums = || SUMS.iter().map(|column| (column.json.to_owned(), property(column)));
    let mut group = object(sums().collect());
    // Those that it was grouped by are there.
    let mut properties: Map<String, Value> =
        keys.iter().map(|column| (column.json.to_owned(), property(column))).collect();
    properties.extend(sums());
    properties.insert("count".to_owned(), known(property(&SUMS[0])));
    group["properties"] = Value::Object(properties);
    let counts = |about: &str| {
        let count = json!({ "type": "integer", "minimum": 0 });
        let mut counts = object(map(json!({ "groups": count, "sockets": count })));
        counts["description"] = about.into();
        counts
    };
    let mut properties = head();
    properties.append(&mut map(json!({
        "group_by": { "type": "array", "items": { "enum": names } },
        "groups": { "type": "array", "items": { "$ref": "#/$defs/group" } },
        "total": counts("Those left out included."),
        "left_out": counts("By --limit or --top."),
    })));
    let title = "conntop list --group-by --format json; a line of ndjson is $defs/line";
    let mut alone = line(map(group["properties"].clone()));
    let required = alone["required"].as_array().expect("a list").iter();
    let is_optional = |name: &&Value| keys.iter().any(|column| *name == column.json);
    alone["required"] = required.filter(|name| !is_optional(name)).cloned().collect();
    document(title, object(properties), json!({ "group": group, "line": alone }))
}

fn count() -> Value {
    let own = || {
        map(json!({
            "counted": { "enum": ["sockets", "groups"] },
            "count": { "type": "integer", "minimum": 0 },
        }))
    };
    let mut properties = head();
    properties.append(&mut own());
    let title = "conntop list --count-only --format json; a line of ndjson is $defs/line";
    document(title, object(properties), json!({ "line": line(own()) }))
}

fn fields() -> Value {
    let text = json!({ "type": ["string", "null"], "minLength": 1 });
    let field = object(map(json!({
        "of": { "enum": ["list", "line", "socket", "group", "change", "gap", "finding"] },
        "field": { "type": "string", "minLength": 1 },
        "column": text,
        "type": { "enum": ["string", "integer", "number", "boolean", "array", "object"] },
        "unit": text,
        "values": { "type": ["array", "null"], "items": { "type": "string" } },
        "meaning": { "type": "string", "minLength": 1 },
    })));
    let list = json!({ "type": "array", "items": { "$ref": "#/$defs/field" } });
    let properties = map(json!({ "schema": head()["schema"], "fields": list }));
    let title = "conntop list --fields --format json, conntop watch --fields --format json";
    document(title, object(properties), json!({ "field": field }))
}

fn check() -> Value {
    let mut properties = head();
    properties.append(&mut map(json!({
        "status": { "enum": ["ok", "warning", "critical"], "description": "As the exit code: 0, 1, 2." },
        "watched_seconds": { "type": "number", "minimum": 0 },
        "findings": { "type": "array", "items": { "$ref": "#/$defs/finding" }, "description": "The worst first." },
        "findings_left_out": { "type": "integer", "minimum": 0, "description": "How many more there are." },
        "ignored": { "type": "integer", "minimum": 0, "description": "How many the user has acknowledged, by [[ignore]] in the config file or --ignore; they are not listed and do not count for the status." },
    })));
    let defs = json!({ "socket": object(socket_properties()), "finding": object(finding_properties()) });
    document("conntop check --format json", object(properties), defs)
}

fn watch() -> Value {
    let told_by =
        json!({ "enum": ["samples", "destroy-event", "tracepoint"], "description": "conntop explain told-by." });
    let at = json!({ "type": "string", "description": "When it happened, RFC 3339, UTC." });
    let host = json!({ "type": "string" });
    let mut change = map(json!({
        "event": { "enum": ["opened", "transition", "closed"] },
        "at": at,
        "host": host,
        "from": or_null(states()),
        "to": or_null(states()),
        "outcome": or_null(Outcome::ALL.into_iter().filter_map(Outcome::known).map(Outcome::label)),
        "lasted_seconds": { "type": ["number", "null"], "minimum": 0, "description": "The time spent in from." },
        "lasted_basis": or_null(BASES),
        "states_skipped": { "type": "boolean", "description": "Whether states between were not seen." },
        "told_by": told_by,
    }));
    change.append(&mut socket_properties());
    let gap = map(json!({
        "event": { "const": "gap" },
        "at": at,
        "host": host,
        "lost": { "type": ["integer", "null"], "description": "How many events; null where the kernel does not say." },
        "lost_from": at,
        "lost_to": at,
        "told_by": told_by,
    }));
    let mut finding = map(json!({
        "event": { "const": "finding" },
        "at": at,
        "host": host,
        "change": { "enum": ["found", "changed", "ended"], "description": "changed: its severity did." },
    }));
    finding.append(&mut finding_properties());
    let body = json!({ "anyOf": [
        { "$ref": "#/$defs/change" }, { "$ref": "#/$defs/gap" }, { "$ref": "#/$defs/finding" },
    ] });
    let defs = json!({
        "socket": object(socket_properties()),
        "change": object(change),
        "gap": object(gap),
        "finding": object(finding),
    });
    document("a line of conntop watch --format ndjson", body, defs)
}

#[test]
fn the_schemas_are_those_of_the_program() {
    bless();
    for (name, schema) in fresh() {
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
fn told(fields: &[Field], of: &str) -> Vec<(&'static str, &'static str)> {
    let its = fields.iter().filter(|field| field.of == of);
    its.map(|field| (field.field, field.r#type)).collect()
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
