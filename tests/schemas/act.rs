//! The schemas of `conntop close` and `conntop kill`.

use conntop::model::action::SIGNALS;
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
        "socket": { "$ref": "#/$defs/socket" },
    }));
    let left_out = json!({
        "listeners": "Listeners that match and were not asked for.",
        "nameless": "Sockets that match and that the source cannot tell from others.",
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
        "command": { "type": ["string", "null"], "minLength": 1 },
        "user": { "type": ["string", "null"], "minLength": 1 },
        "uid": { "type": ["integer", "null"], "minimum": 0 },
        "sockets": count("How many of its sockets match."),
        "sockets_held": count("How many it holds in all."),
        "example": { "type": "string", "minLength": 1, "description": "One of those that match." },
    }));
    let left_out = json!({
        "connections": "Connections left out because the filter names a port.",
        "sharers": "Processes whose parent shares the socket and is meant.",
        "hidden": "Sockets whose process is hidden.",
        "unheld": "Sockets that no process holds.",
    });
    body(&left_out, target, "conntop kill --format json; a line of ndjson is $defs/target", Map::new())
}
