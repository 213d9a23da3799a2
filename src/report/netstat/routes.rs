//! `netstat -r`: routes, with all that `ip route` and `ip -6 route` have of them.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::endpoint::Family;
use crate::model::route::{Hop, Route, TABLE_MAIN};
use crate::report::format::label::Label;
use crate::report::netstat::NetstatSample;
use crate::report::netstat::layout::{self, ColumnWidths, NetstatHeading, left, right};
use crate::report::netstat::protocol::ProtocolRow;

/// The tables of both families.
const FAMILIES: [(Family, &str); 2] = [(Family::Ipv4, "IPv4 Route Table"), (Family::Ipv6, "IPv6 Route Table")];

/// Writes the table `main` of each family, or with `all` every table; one line a next hop.
pub fn write(
    protocol: Option<&ProtocolRow>,
    all: bool,
    now: &NetstatSample,
    widths: &mut ColumnWidths,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut headings: Vec<NetstatHeading> = vec![
        left("Destination", 18),
        left("Gateway", 15),
        left("Interface", 9),
        left("Type", 7),
        left("Protocol", 8),
        left("Scope", 6),
        left("Source", 15),
        right("Metric", 6),
    ];
    headings.extend(all.then_some(left("Table", 5)));
    headings.push(left("Notes", 5));
    for (family, title) in FAMILIES.into_iter().filter(|(family, _)| is_wanted(protocol, *family)) {
        let routes = shown(all, now).filter(|route| route.family == family);
        let rows: Vec<_> = routes.flat_map(|route| lines(route, all)).collect();
        layout::title(out, title)?;
        layout::table(out, &headings, &rows, widths)?;
    }
    Ok(())
}

fn is_wanted(protocol: Option<&ProtocolRow>, family: Family) -> bool {
    protocol.is_none_or(|row| row.routes == Some(family))
}

fn shown(all: bool, now: &NetstatSample) -> impl Iterator<Item = &Route> {
    now.routes.iter().filter(move |route| all || route.table == TABLE_MAIN)
}

fn lines(route: &Route, all: bool) -> Vec<Vec<String>> {
    let nowhere = [Hop::default()];
    let hops = if route.hops.is_empty() { &nowhere[..] } else { &route.hops };
    let line = |hop: &Hop| {
        let mut cells = vec![
            route.destination_text(),
            hop.gateway.map_or_else(String::new, |gateway| gateway.to_string()),
            hop.interface.as_ref().map_or_else(String::new, ToString::to_string),
            route.kind_name().into_owned(),
            route.protocol_name().into_owned(),
            route.scope_name().into_owned(),
            route.source.map_or_else(String::new, |source| source.to_string()),
            route.metric.map_or_else(String::new, |metric| metric.to_string()),
        ];
        cells.extend(all.then(|| route.table_name().into_owned()));
        cells.push(notes(route, hop));
        cells
    };
    hops.iter().map(line).collect()
}

/// What few routes have, in `ip route`'s words.
fn notes(route: &Route, hop: &Hop) -> String {
    let mut notes: Vec<String> = Vec::new();
    notes.extend(route.from_text().map(|from| format!("from {from}")));
    notes.extend((route.tos != 0).then(|| format!("tos {:#04x}", route.tos)));
    notes.extend(route.nexthop_id.map(|id| format!("nhid {id}")));
    notes.extend(hop.encapsulation_name().map(|name| format!("encap {name}")));
    notes.extend(route.realms_text().map(|realms| format!("realm {realms}")));
    notes.extend(route.metrics.iter().map(|metric| {
        let lock = if metric.is_locked { "lock " } else { "" };
        format!("{} {lock}{}", metric.name(), metric.text())
    }));
    notes.extend(route.congestion.as_ref().map(|name| format!("congctl {name}")));
    notes.extend(hop.weight.map(|weight| format!("weight {weight}")));
    notes.extend(hop.flag_names().map(str::to_owned));
    notes.extend(route.expires.map(|left| format!("expires {}sec", left.as_secs())));
    notes.extend(route.preference_name().map(|preference| format!("pref {preference}")));
    notes.join(" ")
}

/// One object for each route, under the names that `ip -json route` has; what is not known is `null`.
pub fn objects<'r>(protocol: Option<&ProtocolRow>, all: bool, now: &'r NetstatSample) -> Vec<RouteObject<'r>> {
    let routes = shown(all, now).filter(|route| is_wanted(protocol, route.family));
    routes.map(RouteObject::of).collect()
}

/// A route.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "route")]
pub struct RouteObject<'a> {
    /// Of which family of addresses.
    family: Label<Family>,
    /// unicast, blackhole, unreachable, ...
    r#type: Cow<'a, str>,
    /// default, a prefix or an address.
    dst: String,
    /// Only packets from there.
    #[schemars(length(min = 1))]
    from: Option<String>,
    /// The router; null on the link, and where there are nexthops.
    #[schemars(with = "Option<String>", length(min = 1))]
    gateway: Option<IpAddr>,
    /// The interface.
    #[schemars(length(min = 1))]
    dev: Option<&'a str>,
    /// main, local, default, or its number.
    table: Cow<'a, str>,
    /// Who made it.
    protocol: Cow<'a, str>,
    /// How far its addresses are valid, as ip route names it.
    scope: Cow<'a, str>,
    /// The source address.
    #[schemars(with = "Option<String>", length(min = 1))]
    prefsrc: Option<IpAddr>,
    /// The smaller one wins.
    metric: Option<u32>,
    /// The largest packet, in bytes.
    #[schemars(extend("unit" = "bytes"))]
    mtu: Option<u32>,
    /// What it sets for connections, as ip route names it; times in ms.
    #[schemars(schema_with = "metrics_schema")]
    metrics: Map<String, Value>,
    /// The congestion control.
    #[schemars(length(min = 1))]
    congestion: Option<&'a str>,
    /// Only packets with this type of service.
    tos: Option<u8>,
    /// Its realms.
    #[schemars(length(min = 1))]
    realm: Option<String>,
    /// Its nexthop object.
    nhid: Option<u32>,
    /// What packets are wrapped into.
    #[schemars(length(min = 1))]
    encap: Option<Cow<'a, str>>,
    /// When it ends by itself.
    #[schemars(extend("unit" = "seconds"))]
    expires_seconds: Option<u64>,
    /// The preference of a router (RFC 4191).
    #[schemars(length(min = 1))]
    pref: Option<Cow<'a, str>>,
    /// What is special about it, as ip route names it.
    flags: Vec<&'a str>,
    /// Several that share the load.
    nexthops: Vec<HopObject<'a>>,
}

/// One of several next hops of a route.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct HopObject<'a> {
    /// The router; null on the link.
    #[schemars(with = "Option<String>", length(min = 1))]
    gateway: Option<IpAddr>,
    /// The interface.
    #[schemars(length(min = 1))]
    dev: Option<&'a str>,
    /// Its share.
    weight: Option<u16>,
    /// What packets are wrapped into.
    #[schemars(length(min = 1))]
    encap: Option<Cow<'a, str>>,
    /// What is special about it, as ip route names it.
    flags: Vec<&'a str>,
}

fn metrics_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "properties": {}, "additionalProperties": { "type": "integer" } })
}

impl<'a> RouteObject<'a> {
    fn of(route: &'a Route) -> Self {
        let single = match &route.hops[..] {
            [hop] if hop.weight.is_none() => Some(hop),
            _ => None,
        };
        Self {
            family: Label(route.family),
            r#type: route.kind_name(),
            dst: route.destination_text(),
            from: route.from_text(),
            gateway: single.and_then(|hop| hop.gateway),
            dev: single.and_then(|hop| hop.interface.as_ref()).map(AsRef::as_ref),
            table: route.table_name(),
            protocol: route.protocol_name(),
            scope: route.scope_name(),
            prefsrc: route.source,
            metric: route.metric,
            mtu: route.mtu(),
            metrics: route.metrics.iter().map(|metric| (metric.name().into_owned(), metric.number().into())).collect(),
            congestion: route.congestion.as_ref().map(AsRef::as_ref),
            tos: (route.tos != 0).then_some(route.tos),
            realm: route.realms_text(),
            nhid: route.nexthop_id,
            encap: single.and_then(Hop::encapsulation_name),
            expires_seconds: route.expires.map(|left| left.as_secs()),
            pref: route.preference_name(),
            flags: single.into_iter().flat_map(Hop::flag_names).collect(),
            nexthops: if single.is_some() { Vec::new() } else { route.hops.iter().map(HopObject::of).collect() },
        }
    }
}

impl<'a> HopObject<'a> {
    fn of(hop: &'a Hop) -> Self {
        Self {
            gateway: hop.gateway,
            dev: hop.interface.as_ref().map(AsRef::as_ref),
            weight: hop.weight,
            encap: hop.encapsulation_name(),
            flags: hop.flag_names().collect(),
        }
    }
}
