//! The JSON schemas of what is printed, as `assets/schemas` has them: made of the very types that are serialised.
//!
//! Descriptions are the doc comments of the fields; columns are described by their tables.

pub(in crate::report) mod list;

use schemars::JsonSchema;
use serde_json::Value;

use crate::report::act::close::{CloseLeftOut, CloseTarget};
use crate::report::act::kill::{KillLeftOut, KillTargetObject};
use crate::report::act::{PlanDocument, TargetLine};
use crate::report::check::CheckDocument;
use crate::report::diff::{DiffDocument, DifferenceLine};
use crate::report::fields::FieldsDocument;
use crate::report::format::schema;
use crate::report::netstat::NetstatDocument;
use crate::report::ports::PortsDocument;
use crate::report::schemas::list::{CountDocument, CountedLine, GroupLine, GroupsDocument, ListDocument, SocketLine};
use crate::report::watch::EventRow;

/// A schema and the name of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaFile {
    /// As `check.json`.
    pub name: &'static str,
    /// What it holds.
    pub schema: Value,
}

/// Every schema.
pub fn all() -> Vec<SchemaFile> {
    let file = |name, schema| SchemaFile { name, schema };
    let line = "a line of ndjson is $defs/line";
    vec![
        file("list.json", document::<ListDocument<'_>, SocketLine<'_>>(&format!("conntop list --format json; {line}"))),
        file(
            "list-groups.json",
            document::<GroupsDocument<'_>, GroupLine<'_>>(&format!("conntop list --group-by --format json; {line}")),
        ),
        file(
            "list-count.json",
            document::<CountDocument<'_>, CountedLine<'_>>(&format!("conntop list --count-only --format json; {line}")),
        ),
        file(
            "fields.json",
            document::<FieldsDocument<'_>, ()>(
                "conntop list --fields --format json, conntop watch --fields --format json",
            ),
        ),
        file("check.json", document::<CheckDocument<'_>, ()>("conntop check --format json")),
        file("watch.json", document::<EventRow<'_>, ()>("a line of conntop watch --format ndjson")),
        file(
            "diff.json",
            document::<DiffDocument<'_>, DifferenceLine<'_>>(&format!("conntop diff --format json; {line}")),
        ),
        file("ports.json", document::<PortsDocument<'_>, ()>("conntop ports --format json")),
        file(
            "netstat.json",
            document::<NetstatDocument<'_>, ()>("a line of conntop netstat --format json, one a sample"),
        ),
        file(
            "close.json",
            document::<PlanDocument<'_, CloseTarget<'_>, CloseLeftOut>, TargetLine<'_, CloseTarget<'_>>>(&format!(
                "conntop close --format json; {line}"
            )),
        ),
        file(
            "kill.json",
            document::<PlanDocument<'_, KillTargetObject<'_>, KillLeftOut>, TargetLine<'_, KillTargetObject<'_>>>(
                &format!("conntop kill --format json; {line}"),
            ),
        ),
    ]
}

/// The schema of `T` with that of what stands alone in a line of NDJSON, `L`, among its definitions; `()` for none.
fn document<T: JsonSchema, L: JsonSchema>(title: &str) -> Value {
    let mut generator = schema::generator();
    drop(generator.subschema_for::<L>());
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["title"] = title.into();
    close(&mut schema);
    schema
}

/// Says of every object that it has no other properties than those named, and leaves out how wide a number is in memory.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            map.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}
