//! A service that asks for no password by itself can be reached from outside.

use std::net::IpAddr;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{Measure, Place, Severity};
use crate::diagnosis::group::Member;
use crate::diagnosis::wording::filter;
use crate::knowledge::ports;
use crate::model::endpoint::Endpoint;
use crate::model::endpoint::Family;
use crate::model::endpoint::Protocol;
use crate::store::rows::Row;

/// The kinds of a group: its protocol.
const PROTOCOLS: [Protocol; 2] = Protocol::ALL;

pub(in crate::diagnosis) fn member<'a>(_: &Context<'a>, row: &'a Row) -> Option<Member<'a>> {
    let socket = &row.connection.socket;
    let local = socket.local;
    if !is_reachable(local.addr) || ports::danger(socket.protocol, local.port).is_none() {
        return None;
    }
    // IPv4 and IPv6 of one service are one finding.
    let any = if local.addr.is_unspecified() { Family::Ipv4.unspecified() } else { local.addr };
    let kind = PROTOCOLS.iter().position(|protocol| *protocol == socket.protocol)?;
    Some(Member { since: None, kind, ..Member::new(Place::On(Endpoint { addr: any, ..local }), row) })
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let local = case.group.endpoint()?;
    let protocol = PROTOCOLS[case.group.main_kind().min(1)];
    let row = ports::danger(protocol, local.port)?;
    let who = super::listening_process(case.group);
    let service = row.service.as_deref().unwrap_or("a service");
    let everywhere = if local.addr.is_unspecified() { "on every address" } else { "on a public address" };
    let sentence =
        format!("{who} offers {service} {everywhere}, port {}: it is not made to be reached from outside", local.port);
    let state = if protocol == Protocol::Tcp { "state:listen" } else { "proto:udp" };
    let risk = row.risk.clone().unwrap_or_default();
    Some(
        Judgement {
            why: "reachable from outside",
            filter: filter(case, state),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .evidence("port", "port", Measure::Count(local.port.into()))
        .evidence("risk", "risk", Measure::Words(risk)),
    )
}

/// Whether an address can be reached from other networks: all addresses, or a public one.
fn is_reachable(addr: IpAddr) -> bool {
    match addr.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast() || is_shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_and_all_addresses_are_reachable() {
        for addr in ["0.0.0.0", "::", "203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9"] {
            assert!(is_reachable(addr.parse().expect("an address")), "{addr}");
        }
        for addr in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_reachable(addr.parse().expect("an address")), "{addr}");
        }
    }
}
