//! A service that asks for no password by itself can be reached from outside.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{FindingScope, Measure, Severity};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::subject::listening;
use crate::diagnosis::wording::{filter, of_interface};
use crate::knowledge::owners::{self, Basis, Invites};
use crate::knowledge::ports;
use crate::model::endpoint::Protocol;
use crate::model::exposure::Exposure;
use crate::model::reach::{Reach, exposure};
use crate::store::row::SocketRow;

/// The kinds of a group: its protocol, twice: of programs that are the service, then of those that may be.
const PROTOCOLS: [Protocol; 2] = Protocol::WITH_PORTS;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Listening], member, judge).standing();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if exposure(socket) < Exposure::Public || ports::danger(socket.protocol, socket.local.port).is_none() {
        return None;
    }
    let invites = owners::invites(socket.protocol, socket.local.port, &socket.owner.names())?;
    // A program that is known to be another service there (rsyslogd on 514) does not offer this one.
    if !invites.row.private {
        return None;
    }
    // Where no interface leads to others, every address is this machine's alone. What is not known may lead anywhere.
    let reach = Reach::of(socket, context.store.names());
    if reach == Some(Reach::Machine) {
        return None;
    }
    // IPv4 and IPv6 of one service are one finding.
    let protocol = PROTOCOLS.iter().position(|protocol| *protocol == socket.protocol.of_ports())?;
    let kind = protocol + if invites.basis == Basis::Program { 0 } else { PROTOCOLS.len() };
    // Two yes-or-no questions to be counted: whether it is known who reaches it, and whether that is the internet.
    let (settled, aged) = (reach.is_some(), reach == Some(Reach::Internet));
    Some(GroupMember { since: None, kind, settled, aged, ..GroupMember::new(FindingScope::on_any_family(socket), row) })
}

/// From where the sockets of a group can be reached, the widest; `None` where that is not known of one of them.
const fn reach(group: &SocketGroup) -> Option<Reach> {
    match (group.aged, group.settled == group.sockets) {
        (1.., _) => Some(Reach::Internet),
        (0, true) => Some(Reach::LocalNetwork),
        (0, false) => None,
    }
}

fn judge(case: &Case) -> Option<Judgement> {
    let local = case.group.endpoint()?;
    let kind = case.group.main_kind();
    let protocol = PROTOCOLS[kind % PROTOCOLS.len()];
    let basis = if kind < PROTOCOLS.len() { Basis::Program } else { Basis::Port };
    let invites = Invites { row: ports::danger(protocol, local.port)?, basis };
    let service = invites.row.service.as_deref().unwrap_or("a service");
    let subject = listening(case.group);
    let (offers, it) = match basis {
        Basis::Program => (subject.does("offers", "offer"), "it"),
        Basis::Port => (subject.does("may offer", "may offer"), service),
    };
    let everywhere = if local.address.ip().is_unspecified() { "on every address" } else { "on a public address" };
    let (interface, port) = (of_interface(case, local), local.port);
    let reach = reach(case.group);
    let to = reach.map_or_else(String::new, |reach| format!(" to {}", reach.words()));
    let sentence = format!("{offers} {service}{to} {everywhere}{interface}, port {port}: {it} is not safe to expose");
    let state = if protocol == Protocol::Tcp { "state:listen" } else { "proto:udp" };
    let risk = invites.text().unwrap_or_default();
    Some(
        Judgement {
            why: match reach {
                Some(Reach::Internet) => "reachable from the internet",
                Some(_) => "reachable from the local network",
                None => "perhaps reachable: the interfaces are not known",
            },
            filter: filter(case, state),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .evidence("port", "port", Measure::Id(local.port.into()))
        .evidence_if("reached_from", "reached from", reach.map(|reach| Measure::Words(reach.words().to_owned())))
        .evidence("risk", "risk", Measure::Words(risk)),
    )
}
