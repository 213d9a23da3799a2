//! Routes, by `RTM_GETROUTE` (`rtnetlink`(7)): every table, IPv4 and IPv6.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::net::IpAddr;
use std::time::Duration;

use rustix::io::Errno;

use crate::model::endpoint::Family;
use crate::model::route::{Hop, Metric, Route, TABLE_MAIN};
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::model::time::CLOCK_TICK;
use crate::source::linux::netlink::{Attributes, NetlinkFamily, NetlinkSocket, Reader};

/// `RTM_GETROUTE` (`include/uapi/linux/rtnetlink.h`).
const GET_ROUTE: u16 = 26;
/// `AF_INET` and `AF_INET6`.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// The length of `struct rtmsg`.
const ROUTE_LEN: usize = 12;
/// The length of `struct rtnexthop`.
const HOP_LEN: usize = 8;
/// `RTM_F_CLONED`: a remembered path, not a route that somebody made.
const CLONED: u32 = 0x200;
/// `INFINITY_LIFE_TIME`; also what 0 means.
const FOR_EVER: i32 = i32::MAX;
/// The most routes that are kept: a full table of the internet has a million.
const ROUTES_MAX: usize = 2_000_000;

/// So many messages are read at most where only the first routes are wanted: some milliseconds.
const MAIN_MESSAGES_MAX: u32 = 4_096;

// RTA_* of include/uapi/linux/rtnetlink.h.
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_FLOW: u16 = 11;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_EXPIRES: u16 = 23;
const RTA_NH_ID: u16 = 30;
/// `RTAX_LOCK`, the set of those that are locked, and `RTAX_CC_ALGO`, a name; the other `RTAX_*` are numbers.
const RTAX_LOCK: u16 = 1;
const RTAX_CC_ALGO: u16 = 16;

/// The routes of the network namespace of this thread, IPv4 first, in the kernel's order.
#[derive(Debug, Default)]
pub struct RouteDump {
    /// Those that could be read.
    pub routes: Vec<Route>,
    /// Messages that made no sense, or that were too many.
    pub skipped: u32,
    /// The table changed while it was read.
    pub interrupted: bool,
    /// There are more than were to be read.
    pub gave_up: bool,
}

/// Asks for all routes. A system without IPv6 has none of it.
pub fn read() -> Result<RouteDump, Errno> {
    read_at_most(u32::MAX)
}

/// The routes of the table `main`, and whether some are missing: of each family, so many messages of the kernel at most are read
/// that a router with a full table of the internet does not hold up the sample.
pub fn read_main() -> Result<(Vec<Route>, bool), Errno> {
    let found = read_at_most(MAIN_MESSAGES_MAX)?;
    let is_cut = found.skipped > 0 || found.gave_up;
    let mut routes = found.routes;
    routes.retain(|route| route.table == TABLE_MAIN);
    Ok((routes, is_cut))
}

/// Reads at most so many messages of the kernel for each family.
fn read_at_most(most: u32) -> Result<RouteDump, Errno> {
    let mut found = RouteDump::default();
    let mut connection = NetlinkSocket::open_to(NetlinkFamily::Route)?;
    for family in [AF_INET, AF_INET6] {
        if found.gave_up {
            // The kernel still has the rest of the other answer to give.
            connection = NetlinkSocket::open_to(NetlinkFamily::Route)?;
        }
        let mut request = [0; ROUTE_LEN];
        request[0] = family;
        let exchange = connection.dump_at_most(most, GET_ROUTE, &request, |payload, _| {
            // A kernel without IPv6 answers a question for it with the routes of IPv4.
            if payload.first() != Some(&family) {
                return true;
            }
            match parse(payload) {
                Some(ParsedRoute::Route(route)) if found.routes.len() < ROUTES_MAX => found.routes.push(route),
                Some(ParsedRoute::Cloned) => {}
                Some(ParsedRoute::Route(_)) | None => return false,
            }
            true
        });
        found.skipped = found.skipped.saturating_add(exchange.skipped);
        found.interrupted |= exchange.interrupted;
        found.gave_up |= exchange.gave_up;
        match exchange.error {
            Some(Errno::OPNOTSUPP | Errno::AFNOSUPPORT) if family == AF_INET6 => {}
            Some(error) => return Err(error),
            None => {}
        }
    }
    name_interfaces(&connection, &mut found.routes);
    Ok(found)
}

/// Interfaces are few: each is asked for once.
fn name_interfaces(connection: &NetlinkSocket, routes: &mut [Route]) {
    let mut names = rustc_hash::FxHashMap::default();
    for hop in routes.iter_mut().flat_map(|route| &mut route.hops) {
        if let Some(index) = hop.index {
            hop.interface.clone_from(names.entry(index).or_insert_with(|| connection.interface_name(index)));
        }
    }
}

/// What a message is about.
#[derive(Debug, PartialEq, Eq)]
enum ParsedRoute {
    Route(Route),
    /// Not a route of a table.
    Cloned,
}

/// Reads `struct rtmsg` and its attributes.
fn parse(payload: &[u8]) -> Option<ParsedRoute> {
    let mut reader = Reader(payload);
    let [family, prefix_len, from_len, tos, table, protocol, scope, kind] = reader.take::<8>()?;
    let flags = reader.ne32()?;
    let family = match family {
        AF_INET => Family::Ipv4,
        AF_INET6 => Family::Ipv6,
        _ => return None,
    };
    if flags & CLONED != 0 {
        return Some(ParsedRoute::Cloned);
    }
    let any = family.unspecified();
    let bits_max = if family == Family::Ipv4 { 32 } else { 128 };
    let mut route = Route {
        family,
        table: u32::from(table),
        kind,
        destination: any,
        prefix_len: Some(prefix_len).filter(|len| *len <= bits_max)?,
        from: (from_len > 0 && from_len <= bits_max).then_some((any, from_len)),
        hops: Vec::new(),
        protocol,
        scope,
        source: None,
        metric: None,
        preference: None,
        metrics: Vec::new(),
        congestion: None,
        tos,
        realms: None,
        nexthop_id: None,
        expires: None,
    };
    // The low byte is RTNH_F_*; a single hop has its flags there.
    let [hop_flags, ..] = flags.to_le_bytes();
    let mut hop = Hop { flags: hop_flags, ..Hop::default() };
    for attribute in Attributes::new(reader.0) {
        let (name, value) = attribute.ok()?;
        read_attribute(&mut route, &mut hop, name, value)?;
    }
    if route.hops.is_empty() && (hop.gateway.is_some() || hop.index.is_some()) {
        route.hops.push(hop);
    }
    Some(ParsedRoute::Route(route))
}

fn read_attribute(route: &mut Route, hop: &mut Hop, name: u16, value: &[u8]) -> Option<()> {
    let family = route.family;
    match name {
        RTA_DST => route.destination = address(family, value)?,
        RTA_SRC => route.from = Some((address(family, value)?, route.from.map_or(0, |(_, len)| len))),
        RTA_PREFSRC => route.source = Some(address(family, value)?),
        RTA_PRIORITY => route.metric = Some(Reader(value).ne32()?),
        RTA_TABLE => route.table = Reader(value).ne32()?,
        RTA_PREF => route.preference = Some(Reader(value).byte()?),
        RTA_METRICS => read_metrics(route, value)?,
        RTA_FLOW => route.realms = Some(Reader(value).ne32()?),
        RTA_NH_ID => route.nexthop_id = Some(Reader(value).ne32()?),
        RTA_CACHEINFO => read_cache_info(route, value)?,
        RTA_EXPIRES => route.expires = Some(Duration::from_secs(Reader(value).ne32()?.into())),
        RTA_MULTIPATH => route.hops = hops(family, value)?,
        _ => read_hop_attribute(hop, family, name, value)?,
    }
    Some(())
}

fn read_hop_attribute(hop: &mut Hop, family: Family, name: u16, value: &[u8]) -> Option<()> {
    match name {
        RTA_OIF => hop.index = Some(Reader(value).ne32()?),
        RTA_GATEWAY => hop.gateway = Some(address(family, value)?),
        RTA_VIA => hop.gateway = Some(via(value)?),
        RTA_ENCAP_TYPE => hop.encapsulation = Some(Reader(value).ne16()?),
        _ => {}
    }
    Some(())
}

fn address(family: Family, value: &[u8]) -> Option<IpAddr> {
    match family {
        Family::Ipv4 => Reader(value).take::<4>().map(IpAddr::from),
        Family::Ipv6 => Reader(value).take::<16>().map(IpAddr::from),
    }
}

/// `struct rtvia`: the address family of the router, and its address.
fn via(value: &[u8]) -> Option<IpAddr> {
    let mut reader = Reader(value);
    let family = match u8::try_from(reader.ne16()?).ok()? {
        AF_INET => Family::Ipv4,
        AF_INET6 => Family::Ipv6,
        _ => return None,
    };
    address(family, reader.0)
}

fn read_metrics(route: &mut Route, value: &[u8]) -> Option<()> {
    let mut locked = 0;
    for attribute in Attributes::new(value) {
        let (kind, value) = attribute.ok()?;
        match kind {
            RTAX_LOCK => locked = Reader(value).ne32()?,
            RTAX_CC_ALGO => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                route.congestion = Some(DisplayText::from_bytes(name, NAME_LEN_MAX));
            }
            _ => route.metrics.push(Metric { kind, value: Reader(value).ne32()?, is_locked: false }),
        }
    }
    for metric in &mut route.metrics {
        metric.is_locked = locked.checked_shr(metric.kind.into()).is_some_and(|bits| bits & 1 != 0);
    }
    Some(())
}

/// `rta_expires` of `struct rta_cacheinfo`, its third number: ticks, 0 or the largest for ever.
fn read_cache_info(route: &mut Route, value: &[u8]) -> Option<()> {
    let mut reader = Reader(value);
    let (_, _, ticks) = (reader.ne32()?, reader.ne32()?, reader.take().map(i32::from_ne_bytes)?);
    let ticks = u32::try_from(ticks).ok().filter(|ticks| *ticks != 0 && ticks.cast_signed() != FOR_EVER);
    route.expires = ticks.map(|ticks| CLOCK_TICK.saturating_mul(ticks));
    Some(())
}

/// A row of `struct rtnexthop`, each with attributes of its own.
fn hops(family: Family, value: &[u8]) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let mut reader = Reader(rest);
        let (len, flags, share, index) = (reader.ne16()?, reader.byte()?, reader.byte()?, reader.ne32()?);
        let len = usize::from(len);
        let attributes = rest.get(HOP_LEN..len)?;
        let weight = u16::from(share).checked_add(1);
        let mut hop = Hop { flags, index: Some(index), weight, ..Hop::default() };
        for attribute in Attributes::new(attributes) {
            let (name, value) = attribute.ok()?;
            read_hop_attribute(&mut hop, family, name, value)?;
        }
        hops.push(hop);
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(hops)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(name: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [&len.to_ne_bytes()[..], &name.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// A route of the main table, made by dhcp, of link scope.
    fn message(family: u8, prefix_len: u8, flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        [&[family, prefix_len, 0, 0, 254, 16, 253, 1][..], &flags.to_ne_bytes(), &attributes.concat()].concat()
    }

    fn route(bytes: &[u8]) -> Route {
        match parse(bytes) {
            Some(ParsedRoute::Route(route)) => route,
            other => panic!("{other:?}"),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn all_that_ip_route_prints_is_read() {
        let metrics = [
            attribute(RTAX_LOCK, &(1u32 << 2).to_ne_bytes()),
            attribute(2, &1400u32.to_ne_bytes()),
            attribute(8, &1200u32.to_ne_bytes()),
            attribute(RTAX_CC_ALGO, b"cubic\0"),
        ]
        .concat();
        let attributes = [
            attribute(RTA_DST, &[10, 1, 0, 0]),
            attribute(RTA_GATEWAY, &[10, 0, 0, 1]),
            attribute(RTA_OIF, &7u32.to_ne_bytes()),
            attribute(RTA_PREFSRC, &[10, 0, 0, 9]),
            attribute(RTA_PRIORITY, &100u32.to_ne_bytes()),
            attribute(RTA_METRICS, &metrics),
            attribute(RTA_TABLE, &1000u32.to_ne_bytes()),
            attribute(RTA_FLOW, &(3u32 << 16 | 7).to_ne_bytes()),
            attribute(RTA_NH_ID, &20u32.to_ne_bytes()),
            attribute(RTA_ENCAP_TYPE, &1u16.to_ne_bytes()),
        ];
        let route = route(&message(AF_INET, 16, 4 | 16, &attributes));
        assert_eq!((route.destination_text(), route.table), ("10.1.0.0/16".to_owned(), 1000));
        assert_eq!((route.protocol_name(), route.scope_name()), ("dhcp".into(), "link".into()));
        assert_eq!((route.source, route.metric, route.mtu()), (Some(ip("10.0.0.9")), Some(100), Some(1400)));
        let metrics: Vec<_> = route.metrics.iter().map(|metric| (metric.name(), metric.is_locked)).collect();
        assert_eq!(metrics, [("mtu".into(), true), ("advmss".into(), false)]);
        assert_eq!(route.congestion.as_ref().map(AsRef::as_ref), Some("cubic"));
        assert_eq!((route.realms_text().as_deref(), route.nexthop_id), (Some("3/7"), Some(20)));
        let [hop] = &route.hops[..] else { panic!("{route:?}") };
        assert_eq!((hop.gateway, hop.index, hop.weight), (Some(ip("10.0.0.1")), Some(7), None));
        assert_eq!(hop.encapsulation_name(), Some("mpls".into()));
        assert_eq!(hop.flag_names().collect::<Vec<_>>(), ["onlink", "linkdown"]);
    }

    #[test]
    fn several_hops_and_routers_of_the_other_family_are_read() {
        let via = [&10u16.to_ne_bytes()[..], &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]].concat();
        let hop = |share: u8, index: u32, inner: Vec<u8>| {
            let len = u16::try_from(HOP_LEN + inner.len()).expect("short");
            [&len.to_ne_bytes()[..], &[0, share], &index.to_ne_bytes(), &inner].concat()
        };
        let several = [hop(0, 2, attribute(RTA_GATEWAY, &[10, 0, 0, 1])), hop(4, 3, attribute(RTA_VIA, &via))].concat();
        let route = route(&message(AF_INET, 0, 0, &[attribute(RTA_MULTIPATH, &several)]));
        assert_eq!(route.destination_text(), "default");
        let found: Vec<_> = route.hops.iter().map(|hop| (hop.gateway, hop.index, hop.weight)).collect();
        assert_eq!(found, [(Some(ip("10.0.0.1")), Some(2), Some(1)), (Some(ip("fd00::1")), Some(3), Some(5))]);
    }

    #[test]
    fn what_ends_by_itself_says_when_and_a_cloned_one_is_no_route() {
        let cache = |ticks: i32| [&[0; 8][..], &ticks.to_ne_bytes(), &[0; 20]].concat();
        let life = |ticks| route(&message(AF_INET6, 0, 0, &[attribute(RTA_CACHEINFO, &cache(ticks))])).expires;
        assert_eq!(life(1500), Some(Duration::from_secs(15)));
        assert_eq!((life(0), life(i32::MAX), life(-5)), (None, None, None));
        assert_eq!(parse(&message(AF_INET6, 128, CLONED, &[])), Some(ParsedRoute::Cloned));
        assert_eq!(parse(&message(7, 0, 0, &[])), None);
        assert_eq!(parse(&message(AF_INET, 33, 0, &[])), None);
    }

    #[test]
    fn this_machine_has_its_loopback_in_table_local() {
        let found = read().expect("netlink");
        assert_eq!(found.skipped, 0);
        let is_loopback = |route: &&Route| route.table == 255 && route.destination == ip("127.0.0.1");
        let route = found.routes.iter().find(is_loopback).expect("127.0.0.1");
        assert_eq!(route.hops[0].interface.as_ref().map(AsRef::as_ref), Some("lo"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), family in 0u8..2) {
            if let Some(first) = bytes.first_mut() { *first = [AF_INET, AF_INET6][usize::from(family)]; }
            let _ = parse(&bytes);
        }

        #[test]
        fn any_attribute_of_any_length_is_survived(
            name in 0u16..32, value in proptest::collection::vec(any::<u8>(), 0..60), prefix_len in 0u8..140,
        ) {
            for family in [AF_INET, AF_INET6] {
                let _ = parse(&message(family, prefix_len, 0, &[attribute(name, &value)]));
            }
        }
    }
}
