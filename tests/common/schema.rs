//! The part of JSON Schema (draft 2020-12) that `assets/schemas` uses: enough to hold real output against it. A keyword
//! that it does not know is a failure, so that none is silently not checked.

use serde_json::Value;

/// What of `value` breaks `schema`, each with its place; nothing if it is valid.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "$", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let is_fine =
            match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" | "unit" | "additionalProperties" => true,
                "$ref" => {
                    let name = rule.as_str().and_then(|path| path.strip_prefix("#/$defs/")).expect("a local reference");
                    check(root, &root["$defs"][name], value, at, faults);
                    true
                }
                "type" => match rule {
                    Value::Array(types) => types.iter().any(|one| is_of_type(value, one)),
                    one => is_of_type(value, one),
                },
                "enum" => rule.as_array().expect("a list").contains(value),
                "const" => rule == value,
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().expect("a number")),
                "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().expect("a number")),
                "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().expect("a number")),
                "anyOf" => rule.as_array().expect("a list").iter().any(|one| {
                    let mut others = Vec::new();
                    check(root, one, value, at, &mut others);
                    others.is_empty()
                }),
                "required" => rule.as_array().expect("a list").iter().all(|key| {
                    value.as_object().is_none_or(|object| object.contains_key(key.as_str().expect("a name")))
                }),
                "properties" => {
                    check_properties(root, schema, rule, value, at, faults);
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        check(root, rule, item, &format!("{at}[{index}]"), faults);
                    }
                    true
                }
                unknown => panic!("the validator knows no '{unknown}'"),
            };
        if !is_fine {
            faults.push(format!("{at}: {keyword} {rule} is broken by {value}"));
        }
    }
}

fn check_properties(root: &Value, schema: &Value, rules: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (key, item) in value.as_object().into_iter().flatten() {
        let place = format!("{at}.{key}");
        match rules.get(key).or_else(|| schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => faults.push(format!("{place} is not in the schema")),
            Some(rule @ Value::Object(_)) => check(root, rule, item, &place, faults),
            _ => {}
        }
    }
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("the name of a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the validator knows no type '{other}'"),
    }
}
