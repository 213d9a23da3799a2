//! The schemas of `conntop close` and `conntop kill`.

use conntop::model::action::{Caution, SIGNALS};
use serde_json::{Map, Value, json};

use super::{document, head, map, object, socket_properties};

fn body(left_out: &Value, target: Map<String, Value>, title: &str, mut defs: Map<String, Value>) -> Value {
    let count = |about: &Value| json!({ "type": "integer", "minimum": 0, "description": about });
    let counts: Map<String, Value> =
        map(left_out.clone()).into_iter().map(|(name, about)| (name, count(&about))).collect();
    let mut properties = head();
    properties.append(&mut map(json!({
        "dry_run": { "type": "boolean", "description": "Whether nothing was done." },
        "left_out": object(counts),
        "targets": { "type": "array", "items": { "$ref": "#/$defs/target" } },
    })));
    defs.insert("target".to_owned(), object(target));
    document(title, object(properties), Value::Object(defs))
}

fn command() -> Value {
    json!({ "type": ["string", "null"], "minLength": 1, "description": "The command line, with --command only." })
}

fn cautions(known: &[Caution]) -> Value {
    let labels: Vec<_> = known.iter().map(|caution| caution.label()).collect();
    json!({ "type": "array", "items": { "enum": labels }, "description": "What one should know before it is hit." })
}

pub fn close() -> Value {
    let outcomes = [
        "planned",
        "closed",
        "disconnected",
        "gone",
        "refused",
        "not-permitted",
        "unsupported",
        "still-there",
        "failed",
    ];
    let target = map(json!({
        "outcome": { "enum": outcomes },
        "note": { "type": ["string", "null"], "minLength": 1, "description": "What there is to say beyond that." },
        "cautions": cautions(&[Caution::Ssh]),
        "command": command(),
        "socket": { "$ref": "#/$defs/socket" },
    }));
    let left_out = json!({
        "listeners": "Listeners that match and were not asked for.",
        "without_identity": "Sockets that match and that the source cannot tell from others.",
        "ssh": "Targets, refused, that are of ssh servers and were not asked for.",
    });
    let defs = map(json!({ "socket": object(socket_properties()) }));
    body(&left_out, target, "conntop close --format json; a line of ndjson is $defs/target", defs)
}

pub fn kill() -> Value {
    let outcomes = [
        "planned",
        "sent",
        "ended",
        "still-running",
        "gone",
        "pid-reused",
        "let-go",
        "refused",
        "not-permitted",
        "failed",
    ];
    let count = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let target = map(json!({
        "outcome": { "enum": outcomes },
        "note": { "type": ["string", "null"], "minLength": 1, "description": "What there is to say beyond that." },
        "after_seconds": { "type": ["number", "null"], "minimum": 0, "description": "How long it was waited for." },
        "signal": { "enum": SIGNALS.iter().map(|row| row.name).collect::<Vec<_>>() },
        "pid": count("The process id."),
        "process": { "type": "string" },
        "command": command(),
        "user": { "type": ["string", "null"], "minLength": 1 },
        "uid": { "type": ["integer", "null"], "minimum": 0 },
        "sockets": count("How many of its sockets match."),
        "sockets_held": count("How many it holds in all."),
        "example": { "type": "string", "minLength": 1, "description": "One of those that match." },
        "cautions": cautions(&[Caution::Ssh, Caution::ContainerInit]),
        "netns": {
            "type": "array", "items": { "type": "integer", "minimum": 0 },
            "description": "The network namespaces of those that match, as inodes.",
        },
        "netns_names": {
            "type": "array", "items": { "type": "string", "minLength": 1 },
            "description": "The same by name, or number where there is none.",
        },
    }));
    let left_out = json!({
        "connections": "Connections left out because the filter names a port.",
        "sharing_with_parent": "Processes whose parent shares the socket and is meant.",
        "hidden": "Sockets whose process is hidden.",
        "vanished": "Sockets that were gone before it was seen whose they are.",
        "without_process": "Sockets that no process holds.",
        "ssh": "Targets, refused, that are ssh servers and were not asked for.",
    });
    body(&left_out, target, "conntop kill --format json; a line of ndjson is $defs/target", Map::new())
}
