//! `netstat -s`: the counters of each protocol, under the names that `nstat` prints, with what they mean.

use std::io::{self, Write};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::knowledge::counters::{self, CounterKind};
use crate::model::interface::ProtocolCounter;
use crate::report::netstat::layout::{self, ColumnWidths, NetstatHeading, left, right};
use crate::report::netstat::protocol::{PROTOCOLS, ProtocolRow};
use crate::report::netstat::{NetstatSample, per_second, rate_json, rate_text};

/// The groups that an RFC defines (4293, 4022, 4113): their counters are shown even at zero.
const STANDARD: [&str; 7] = ["Ip", "Ip6", "Icmp", "Icmp6", "Tcp", "Udp", "Udp6"];

/// What is shown.
#[derive(Debug)]
pub struct StatisticsOptions {
    /// Only of this protocol.
    pub protocol: Option<&'static ProtocolRow>,
    /// Every counter at zero, too.
    pub all: bool,
    /// With the change per second.
    pub repeats: bool,
}

/// Writes one section a protocol, one line a counter.
pub fn write(
    shown: &StatisticsOptions,
    now: &NetstatSample,
    before: Option<&NetstatSample>,
    widths: &mut ColumnWidths,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut headings: Vec<NetstatHeading> = vec![left("Counter", 30), right("Value", 16)];
    headings.extend(shown.repeats.then_some(right("per second", 12)));
    headings.push(left("Meaning", 7));
    let passed = now.since(before);
    let sections: Vec<(&str, Vec<Vec<String>>)> = sections(shown.protocol, now)
        .into_iter()
        .map(|(title, counters)| {
            let counters = counters.into_iter().filter(|counter| shown.all || is_worth_a_line(counter));
            (title, counters.map(|counter| cells(shown, counter, before, passed)).collect())
        })
        .collect();
    // All sections have the same columns.
    for (_, rows) in &sections {
        layout::grow(&headings, rows, widths);
    }
    for (title, rows) in &sections {
        layout::title(out, title)?;
        layout::table(out, &headings, rows, widths)?;
    }
    Ok(())
}

fn is_worth_a_line(counter: &ProtocolCounter) -> bool {
    counter.value != 0 || STANDARD.contains(&counter.group.as_str())
}

fn cells(
    shown: &StatisticsOptions,
    counter: &ProtocolCounter,
    before: Option<&NetstatSample>,
    passed: Option<Duration>,
) -> Vec<String> {
    let about = counters::text(counter.group.as_str(), counter.name.as_str());
    let mut cells = vec![format!("{}{}", counter.group, counter.name), counter.value.to_string()];
    cells.extend(shown.repeats.then(|| rate_text(rate(counter, before, passed))));
    cells.push(about.map(|text| text.about.clone()).unwrap_or_default());
    cells
}

fn rate(counter: &ProtocolCounter, before: Option<&NetstatSample>, passed: Option<Duration>) -> Option<f64> {
    let kind =
        counters::text(counter.group.as_str(), counter.name.as_str()).map_or(CounterKind::Count, |text| text.kind);
    if kind == CounterKind::Setting {
        return None;
    }
    let same = |other: &&ProtocolCounter| other.name == counter.name && other.group == counter.group;
    let earlier = before?.counters.iter().find(same)?;
    per_second(counter.value, Some(earlier.value), passed, kind == CounterKind::Level)
}

/// The counters by protocol; those of groups that no protocol of ours has come last, under a title of their own.
fn sections<'r>(
    protocol: Option<&ProtocolRow>,
    now: &'r NetstatSample,
) -> Vec<(&'static str, Vec<&'r ProtocolCounter>)> {
    let of = |groups: &[&str]| now.counters.iter().filter(|counter| groups.contains(&counter.group.as_str())).collect();
    if let Some(row) = protocol {
        return vec![(row.title, of(row.groups))];
    }
    // TCPv6 has the same counters as TCP: Linux does not count them apart.
    let mut sections: Vec<(&str, Vec<&ProtocolCounter>)> = Vec::new();
    for row in &PROTOCOLS {
        let counters: Vec<_> = of(row.groups);
        if !counters.is_empty() && sections.iter().all(|(title, _)| *title != row.title) {
            sections.push((row.title, counters));
        }
    }
    let is_other = |counter: &&ProtocolCounter| protocol_of(counter).is_none();
    let others: Vec<_> = now.counters.iter().filter(is_other).collect();
    if !others.is_empty() {
        sections.push(("Other Statistics", others));
    }
    sections
}

fn protocol_of(counter: &ProtocolCounter) -> Option<&'static ProtocolRow> {
    PROTOCOLS.iter().find(|row| row.groups.contains(&counter.group.as_str()))
}

/// One object for each counter.
pub fn objects<'r>(
    protocol: Option<&ProtocolRow>,
    now: &'r NetstatSample,
    before: Option<&NetstatSample>,
) -> Vec<StatisticObject<'r>> {
    let passed = now.since(before);
    let counters = sections(protocol, now).into_iter().flat_map(|(_, counters)| counters);
    let object = |counter: &'r ProtocolCounter| StatisticObject {
        protocol: protocol_of(counter).map(|row| row.name),
        group: counter.group.as_str(),
        name: counter.name.as_str(),
        value: counter.value,
        per_second: rate_json(rate(counter, before, passed)),
    };
    counters.map(object).collect()
}

/// A counter of a protocol.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "statistic")]
pub struct StatisticObject<'a> {
    /// As -p has it; null for others.
    #[schemars(schema_with = "protocol_schema")]
    protocol: Option<&'static str>,
    /// The kernel's group of counters, by its name in /proc/net/snmp or /proc/net/netstat.
    group: &'a str,
    /// Its name in the group.
    name: &'a str,
    /// What it has counted.
    value: i64,
    /// Its change, with an interval.
    per_second: Option<f64>,
}

fn protocol_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<Option<&str>> = PROTOCOLS.iter().map(|row| Some(row.name)).chain([None]).collect();
    json_schema!({ "enum": names })
}
