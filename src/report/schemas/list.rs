//! What `conntop list` prints as JSON, as types for its schema: lists can be long, so that their writer writes them member by
//! member.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::report::format::json::{DocumentHead, LineHead};
use crate::report::format::socket::{SocketFields, SocketObject, column_schema};
use crate::report::list::can_group;
use crate::table::connections::COLUMNS;
use crate::table::sums::SUMS;

/// What `conntop list --format json` prints.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct ListDocument<'a> {
    #[schemars(flatten)]
    head: DocumentHead<'a>,
    /// The sockets; with ndjson one a line, without the list.
    sockets: Vec<SocketObject<'a>>,
}

/// A socket that stands alone in its line.
#[derive(JsonSchema)]
#[schemars(rename = "line")]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct SocketLine<'a> {
    #[schemars(flatten)]
    head: LineHead<'a>,
    #[schemars(flatten)]
    socket: SocketFields<'a>,
}

/// What `conntop list --group-by --format json` prints.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct GroupsDocument<'a> {
    #[schemars(flatten)]
    head: DocumentHead<'a>,
    /// The fields that the sockets of a group have in common.
    group_by: Vec<GroupKeyName>,
    /// The groups; with ndjson one a line, without the list.
    groups: Vec<GroupObject>,
    /// How many groups and sockets there are, those left out included.
    total: GroupCounts,
    /// How many groups and sockets --limit or --top left out.
    left_out: GroupCounts,
}

/// A group that stands alone in its line.
#[derive(JsonSchema)]
#[schemars(rename = "line")]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct GroupLine<'a> {
    #[schemars(flatten)]
    head: LineHead<'a>,
    #[schemars(flatten)]
    group: GroupObject,
}

/// How many groups, and how many sockets in them.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct GroupCounts {
    /// How many groups.
    groups: usize,
    /// How many sockets in them.
    sockets: u64,
}

/// The name of a column that sockets can be grouped by.
pub(in crate::report) struct GroupKeyName;

impl JsonSchema for GroupKeyName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "group_key".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = COLUMNS.iter().filter(|column| can_group(column)).map(|column| column.json).collect();
        json_schema!({ "enum": names })
    }
}

/// A group: what its sockets have in common, of the columns that it was asked for by, and what they add up to.
pub(in crate::report) struct GroupObject;

impl JsonSchema for GroupObject {
    fn schema_name() -> Cow<'static, str> {
        "group".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let keys = COLUMNS.iter().filter(|column| can_group(column));
        let keys = keys.map(|column| (column.json.to_owned(), column_schema(column).to_value()));
        let sums = SUMS.iter().map(|column| (column.json.to_owned(), column_schema(column).to_value()));
        let mut properties: Map<String, Value> = keys.chain(sums).collect();
        // How many sockets it has is always known.
        properties[SUMS[0].json]["type"] = "integer".into();
        let required: Vec<&str> = SUMS.iter().map(|column| column.json).collect();
        json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}

/// What `conntop list --count-only --format json` prints.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct CountDocument<'a> {
    #[schemars(flatten)]
    head: DocumentHead<'a>,
    #[schemars(flatten)]
    count: CountFields,
}

/// A count that stands alone in its line.
#[derive(JsonSchema)]
#[schemars(rename = "line")]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct CountedLine<'a> {
    #[schemars(flatten)]
    head: LineHead<'a>,
    #[schemars(flatten)]
    count: CountFields,
}

/// How many there are.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the writer of long lists writes it member by member")]
pub(in crate::report) struct CountFields {
    /// What was counted.
    #[schemars(extend("enum" = ["sockets", "groups"]))]
    counted: &'static str,
    /// How many there are.
    count: usize,
}
