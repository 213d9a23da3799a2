//! A service that asks for no password by itself can be reached from outside.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{Measure, Place, Severity};
use crate::diagnosis::group::Member;
use crate::diagnosis::subject::listening;
use crate::diagnosis::wording::{filter, of_interface};
use crate::knowledge::ports;
use crate::model::endpoint::Protocol;
use crate::model::exposure::Exposure;
use crate::store::rows::Row;

/// The kinds of a group: its protocol.
const PROTOCOLS: [Protocol; 2] = Protocol::WITH_PORTS;

pub(in crate::diagnosis) fn member<'a>(_: &Context<'a>, row: &'a Row) -> Option<Member<'a>> {
    let socket = &row.connection.socket;
    let local = socket.local;
    if Exposure::of_socket(socket) < Exposure::Public || ports::danger(socket.protocol, local.port).is_none() {
        return None;
    }
    // IPv4 and IPv6 of one service are one finding.
    let kind = PROTOCOLS.iter().position(|protocol| *protocol == socket.protocol.of_ports())?;
    Some(Member { since: None, kind, ..Member::new(Place::on_any_family(socket), row) })
}

pub(in crate::diagnosis) fn judge(case: &Case) -> Option<Judgement> {
    let local = case.group.endpoint()?;
    let protocol = PROTOCOLS[case.group.main_kind().min(1)];
    let row = ports::danger(protocol, local.port)?;
    let offers = listening(case.group).does("offers", "offer");
    let service = row.service.as_deref().unwrap_or("a service");
    let everywhere = if local.address.ip().is_unspecified() { "on every address" } else { "on a public address" };
    let (interface, port) = (of_interface(case, local), local.port);
    let sentence =
        format!("{offers} {service} {everywhere}{interface}, port {port}: it is not made to be reached from outside");
    let state = if protocol == Protocol::Tcp { "state:listen" } else { "proto:udp" };
    let risk = row.risk.clone().unwrap_or_default();
    Some(
        Judgement {
            why: "reachable from outside",
            filter: filter(case, state),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .evidence("port", "port", Measure::Id(local.port.into()))
        .evidence("risk", "risk", Measure::Words(risk)),
    )
}
