//! `netstat -e`: what each interface counted, and with an interval how fast that grows.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::model::interface::{COUNTERS, CounterRow, Interface};
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
) -> impl Iterator<Item = (&'r Interface, &'static CounterRow, [Option<f64>; 2])> {
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

/// One object an interface: `rx_bytes`, `rx_bytes_per_second`, `tx_bytes`, ….
pub fn json(now: &NetstatSample, before: Option<&NetstatSample>) -> Vec<Value> {
    let mut objects: Vec<Map<String, Value>> = Vec::new();
    for (interface, row, [received, sent]) in each(now, before) {
        let is_same = objects
            .last()
            .and_then(|last| last.get("interface"))
            .is_some_and(|name| name.as_str() == Some(interface.name.as_str()));
        if !is_same {
            objects.push(Map::from_iter([("interface".to_owned(), Value::from(interface.name.as_str()))]));
        }
        let Some(object) = objects.last_mut() else { continue };
        let mut add = |way: &str, value: Option<u64>, rate: Option<f64>| {
            if let Some(value) = value {
                object.insert(format!("{way}_{}", row.key), Value::from(value));
                object.insert(format!("{way}_{}_per_second", row.key), rate_json(rate));
            }
        };
        add("rx", row.received.map(|get| get(&interface.received)), received);
        add("tx", row.sent.map(|get| get(&interface.sent)), sent);
    }
    objects.into_iter().map(Value::Object).collect()
}
