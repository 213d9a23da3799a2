//! `conntop netstat`: connections, interfaces, statistics, routes and offload features, in netstat's layout.
//!
//! A [`Netstat`] is written once a round. It keeps the widths of its columns from round to round, so that they stay where
//! they are, and knows the numbers of the round before, so that it can say how they change.

pub mod connections;
pub mod interfaces;
pub mod layout;
pub mod offload;
pub mod protocol;
pub mod routes;
pub mod statistics;

use std::io::{self, Write};
use std::time::Duration;

use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::coverage::Coverage;
use crate::model::interface::{Interface, Offload, ProtocolCounter};
use crate::model::process::{Executable, ProcessId};
use crate::model::route::Route;
use crate::model::time::{Timestamp, WallTime};
use crate::report::format::DocumentFormat;
use crate::report::format::json::{self, DocumentOrigin};
use crate::report::netstat::connections::{ConnectionObject, Connections};
use crate::report::netstat::interfaces::InterfaceObject;
use crate::report::netstat::offload::OffloadObject;
use crate::report::netstat::protocol::ProtocolRow;
use crate::report::netstat::routes::RouteObject;
use crate::report::netstat::statistics::StatisticObject;
use crate::store::Store;

/// What was asked for.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct NetstatOptions {
    /// The connections, if they are wanted.
    pub connections: Option<Connections>,
    /// `-e`.
    pub interfaces: bool,
    /// `-s`.
    pub statistics: bool,
    /// `-r`.
    pub routes: bool,
    /// `-t`.
    pub offload: bool,
    /// `-a`: also what is left out otherwise (listeners, counters at zero, other tables, features that cannot be on).
    pub all: bool,
    /// `-p`.
    pub protocol: Option<&'static ProtocolRow>,
    /// How each round is printed.
    pub format: DocumentFormat,
    /// Whether there is a change to be shown: it is shown again and again.
    pub repeats: bool,
}

/// Writes what was asked for, round after round.
#[derive(Debug)]
pub struct Netstat {
    wanted: NetstatOptions,
    widths: TableWidths,
}

/// The widths of the columns of each part, which only grow.
#[derive(Debug, Default)]
struct TableWidths {
    connections: layout::ColumnWidths,
    interfaces: layout::ColumnWidths,
    statistics: layout::ColumnWidths,
    routes: layout::ColumnWidths,
    offload: layout::ColumnWidths,
}

/// What was found in one round; a part that nobody asked for is empty.
#[derive(Debug, Default)]
pub struct NetstatSample {
    /// When.
    pub at: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// What each interface counted.
    pub interfaces: Vec<Interface>,
    /// What each protocol counted.
    pub counters: Vec<ProtocolCounter>,
    /// Routes of every table.
    pub routes: Vec<Route>,
    /// Features of every interface.
    pub offload: Vec<Offload>,
    /// What processes run, where it was asked for.
    pub executables: FxHashMap<ProcessId, Executable>,
}

impl NetstatSample {
    /// The time since `before`; `None` for the first round.
    fn since(&self, before: Option<&Self>) -> Option<Duration> {
        before.map(|before| self.at.since(before.at)).filter(|passed| !passed.is_zero())
    }
}

impl Netstat {
    /// One that has written nothing yet.
    pub fn new(wanted: NetstatOptions) -> Self {
        Self { wanted, widths: TableWidths::default() }
    }

    /// What was asked for.
    pub const fn wanted(&self) -> &NetstatOptions {
        &self.wanted
    }

    /// Writes one round: the connections of `store`, and what `now` holds, with its change since `before`.
    pub fn write(
        &mut self,
        store: &Store,
        now: &NetstatSample,
        before: Option<&NetstatSample>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match self.wanted.format {
            DocumentFormat::Text => self.write_text(store, now, before, out),
            DocumentFormat::Json => self.write_json(store, now, before, out),
        }
    }

    fn write_text(
        &mut self,
        store: &Store,
        now: &NetstatSample,
        before: Option<&NetstatSample>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let (wanted, widths) = (&self.wanted, &mut self.widths);
        if let Some(connections) = &wanted.connections {
            connections.write(store, now, &mut widths.connections, out)?;
        }
        if wanted.interfaces {
            interfaces::write(now, before, wanted.repeats, &mut widths.interfaces, out)?;
        }
        if wanted.statistics {
            let shown =
                statistics::StatisticsOptions { protocol: wanted.protocol, all: wanted.all, repeats: wanted.repeats };
            statistics::write(&shown, now, before, &mut widths.statistics, out)?;
        }
        if wanted.routes {
            routes::write(wanted.protocol, wanted.all, now, &mut widths.routes, out)?;
        }
        if wanted.offload {
            offload::write(wanted.all, now, &mut widths.offload, out)?;
        }
        Ok(())
    }

    /// One object on one line, so that samples are NDJSON.
    fn write_json(
        &self,
        store: &Store,
        now: &NetstatSample,
        before: Option<&NetstatSample>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let wanted = &self.wanted;
        let connections = wanted.connections.as_ref();
        let document = NetstatDocument {
            head: DocumentOrigin::of(store, now.wall),
            coverage: connections.map(|_| store.coverage()),
            connections: connections.map(|connections| connections.objects(store, now)),
            interfaces: wanted.interfaces.then(|| interfaces::objects(now, before)),
            statistics: wanted.statistics.then(|| statistics::objects(wanted.protocol, now, before)),
            routes: wanted.routes.then(|| routes::objects(wanted.protocol, wanted.all, now)),
            offload: wanted.offload.then(|| offload::objects(now)),
        };
        json::write_document(out, &document)
    }
}

/// What `conntop netstat --format json` prints for each sample; a part is there only where it was asked for.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct NetstatDocument<'a> {
    #[serde(flatten)]
    head: DocumentOrigin<'a>,
    /// How many sockets the sample has, and what could not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Coverage")]
    coverage: Option<&'a Coverage>,
    /// The connections, with -a listeners, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ConnectionObject<'a>>")]
    connections: Option<Vec<ConnectionObject<'a>>>,
    /// What each interface counted: -e.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<InterfaceObject<'a>>")]
    interfaces: Option<Vec<InterfaceObject<'a>>>,
    /// What each protocol counted: -s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<StatisticObject<'a>>")]
    statistics: Option<Vec<StatisticObject<'a>>>,
    /// The routes: -r.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<RouteObject<'a>>")]
    routes: Option<Vec<RouteObject<'a>>>,
    /// Offload features: -t.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<OffloadObject<'a>>")]
    offload: Option<Vec<OffloadObject<'a>>>,
}

/// What changed per second between two readings of one number; `None` where the number went back, so that it is
/// another one now, or where there is nothing to compare.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown with one decimal")]
fn per_second(now: i64, before: Option<i64>, passed: Option<Duration>, may_fall: bool) -> Option<f64> {
    let change = now.checked_sub(before?)?;
    (may_fall || change >= 0).then_some(change as f64 / passed?.as_secs_f64())
}

/// A rate with one decimal, as text; nothing where it is not known.
fn rate_text(rate: Option<f64>) -> String {
    rate.map_or_else(String::new, |rate| format!("{rate:.1}"))
}

/// A rate with one decimal, for JSON.
fn rate_json(rate: Option<f64>) -> Option<f64> {
    rate.map(|rate| (rate * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests;
