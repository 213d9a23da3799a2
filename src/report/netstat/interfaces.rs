//! `netstat -e`: what each interface counted, and with an interval how fast that grows.

use std::borrow::Cow;
use std::io::{self, Write};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, json};

use crate::model::interface::{COUNTERS, Interface, InterfaceCounter};
use crate::report::netstat::layout::{self, ColumnWidths, NetstatHeading, left, right};
use crate::report::netstat::{NetstatSample, per_second, rate_json, rate_text};

/// Writes one line a counter of each interface, so that every line says what it is about.
pub fn write(
    now: &NetstatSample,
    before: Option<&NetstatSample>,
    repeats: bool,
    widths: &mut ColumnWidths,
    out: &mut impl Write,
) -> io::Result<()> {
    let plain: &[NetstatHeading] =
        &[left("Interface", 9), left("Counter", 17), right("Received", 15), right("Sent", 15)];
    let changing: &[NetstatHeading] = &[
        left("Interface", 9),
        left("Counter", 17),
        right("Received", 15),
        right("per second", 12),
        right("Sent", 15),
        right("per second", 12),
    ];
    let rows: Vec<Vec<String>> = each(now, before)
        .map(|(interface, row, rates)| {
            let mut cells = vec![interface.name.to_string(), row.label.to_owned()];
            let values = [row.received.map(|get| get(&interface.received)), row.sent.map(|get| get(&interface.sent))];
            for (value, rate) in values.into_iter().zip(rates) {
                cells.push(value.map_or_else(String::new, |value| value.to_string()));
                cells.extend(repeats.then(|| rate_text(rate)));
            }
            cells
        })
        .collect();
    layout::title(out, "Interface Statistics")?;
    layout::table(out, if repeats { changing } else { plain }, &rows, widths)
}

/// Each counter of each interface with its change per second in both directions.
fn each<'r>(
    now: &'r NetstatSample,
    before: Option<&'r NetstatSample>,
) -> impl Iterator<Item = (&'r Interface, &'static InterfaceCounter, [Option<f64>; 2])> {
    let passed = now.since(before);
    now.interfaces.iter().flat_map(move |interface| {
        let earlier = before.and_then(|before| before.interfaces.iter().find(|other| other.name == interface.name));
        COUNTERS.iter().map(move |row| {
            let rate = |now: Option<u64>, before: Option<u64>| {
                let signed = |value: u64| i64::try_from(value).ok();
                per_second(now.and_then(signed)?, before.and_then(signed), passed, false)
            };
            let received = row
                .received
                .and_then(|get| rate(Some(get(&interface.received)), earlier.map(|earlier| get(&earlier.received))));
            let sent =
                row.sent.and_then(|get| rate(Some(get(&interface.sent)), earlier.map(|earlier| get(&earlier.sent))));
            (interface, row, [received, sent])
        })
    })
}

/// One object for each interface.
pub fn objects<'r>(now: &'r NetstatSample, before: Option<&'r NetstatSample>) -> Vec<InterfaceObject<'r>> {
    let mut objects: Vec<InterfaceObject<'r>> = Vec::new();
    for (interface, row, rates) in each(now, before) {
        match objects.last_mut().filter(|last| last.interface.name == interface.name) {
            Some(object) => object.rates.push((row, rates)),
            None => objects.push(InterfaceObject { interface, rates: vec![(row, rates)] }),
        }
    }
    objects
}

/// What an interface counted: `interface`, `rx_bytes`, `rx_bytes_per_second`, `tx_bytes`, ….
pub struct InterfaceObject<'r> {
    interface: &'r Interface,
    /// Each counter with its change per second in both directions.
    rates: Vec<(&'static InterfaceCounter, [Option<f64>; 2])>,
}

/// The names of a counter and of its change per second.
fn names(direction: &str, row: &InterfaceCounter) -> [String; 2] {
    [format!("{direction}_{}", row.key), format!("{direction}_{}_per_second", row.key)]
}

impl Serialize for InterfaceObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("interface", &self.interface.name)?;
        for (row, [received, sent]) in &self.rates {
            let values = [
                ("rx", row.received.map(|get| get(&self.interface.received)), *received),
                ("tx", row.sent.map(|get| get(&self.interface.sent)), *sent),
            ];
            for (direction, value, rate) in values {
                if let Some(value) = value {
                    let [name, name_of_rate] = names(direction, row);
                    map.serialize_entry(&name, &value)?;
                    map.serialize_entry(&name_of_rate, &rate_json(rate))?;
                }
            }
        }
        map.end()
    }
}

impl JsonSchema for InterfaceObject<'_> {
    fn schema_name() -> Cow<'static, str> {
        "interface".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::from_iter([("interface".to_owned(), json!({ "type": "string" }))]);
        for row in &COUNTERS {
            for (direction, is_there) in [("rx", row.received.is_some()), ("tx", row.sent.is_some())] {
                if is_there {
                    let [name, name_of_rate] = names(direction, row);
                    properties.insert(name, json!({ "type": "integer", "minimum": 0, "description": row.label }));
                    properties.insert(name_of_rate, json!({ "type": ["number", "null"] }));
                }
            }
        }
        let required: Vec<String> = properties.keys().cloned().collect();
        json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}
