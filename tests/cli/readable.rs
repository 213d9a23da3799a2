//! JSON with each field on a line of its own, so that a snapshot, and a difference between two, can be read.

use serde_json::{Deserializer, Value};

/// The documents of `text`, which must be compact JSON: no blanks, and line breaks only between values.
pub fn readable(text: &str) -> String {
    let documents: Vec<Value> =
        Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().expect("nothing but JSON");
    let compact: String = documents.iter().map(Value::to_string).collect();
    assert_eq!(text.replace('\n', ""), compact, "conntop prints compact JSON");
    let pretty = documents.iter().map(|document| serde_json::to_string_pretty(document).expect("it was JSON"));
    format!("{} lines of JSON\n{}\n", text.lines().count(), pretty.collect::<Vec<_>>().join("\n"))
}
