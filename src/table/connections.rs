//! (skeleton) The columns of the connection table.

use crate::store::rows::Row;
use crate::table::column::{Align, Column, Order};
use crate::table::value::Value;

/// Every column of the connection table.
pub static COLUMNS: &[Column<Row>] = &[
    Column {
        key: "proto",
        title: "PROTO",
        about: "The protocol.",
        width: (5, 5),
        rank: Some(3),
        align: Align::Left,
        first_order: Order::Ascending,
        json: "proto",
        in_json: true,
        value: |row, _| Value::Text(row.connection.socket.protocol.name()),
    },
    Column {
        key: "local",
        title: "LOCAL",
        about: "Our end.",
        width: (15, 47),
        rank: Some(0),
        align: Align::Left,
        first_order: Order::Ascending,
        json: "local",
        in_json: false,
        value: |row, _| Value::Endpoint(row.connection.socket.local),
    },
    Column {
        key: "remote",
        title: "REMOTE",
        about: "The other end.",
        width: (15, 47),
        rank: Some(0),
        align: Align::Left,
        first_order: Order::Ascending,
        json: "remote",
        in_json: false,
        value: |row, _| Value::Endpoint(row.connection.socket.remote),
    },
    Column {
        key: "state",
        title: "STATE",
        about: "The state.",
        width: (11, 11),
        rank: Some(0),
        align: Align::Left,
        first_order: Order::Ascending,
        json: "state",
        in_json: true,
        value: |row, _| Value::State(row.connection.socket.state),
    },
];
