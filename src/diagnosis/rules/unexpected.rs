//! A well-known port is held by a process that does not usually serve it.

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{FindingScope, Measure, Severity};
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::wording::{filter, listens, who};
use crate::knowledge::{owners, ports};
use crate::model::endpoint::Protocol;
use crate::model::process::Owner;
use crate::store::row::SocketRow;

/// The kinds of a group: its protocol.
const PROTOCOLS: [Protocol; 2] = Protocol::WITH_PORTS;

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Listening], member, judge).standing();

fn member<'a>(_: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let Owner::Live(holders) = &socket.owner else { return None };
    let is_usual = |name: &str| owners::is_usual(socket.protocol, socket.local.port, name);
    // Where a runtime is usual (java for WebLogic on 7001), another program is a choice and nothing odd. systemd and its
    // like hold a socket together with the service: one usual holder is enough.
    if owners::usual_program(socket.protocol, socket.local.port).is_none()
        || holders.all().iter().any(|process| is_usual(process.name.as_str()))
    {
        return None;
    }
    let kind = PROTOCOLS.iter().position(|protocol| *protocol == socket.protocol.of_ports())?;
    Some(GroupMember { since: None, kind, ..GroupMember::new(FindingScope::on_any_family(socket), row) })
}

fn judge(case: &Case) -> Option<Judgement> {
    let local = case.group.endpoint()?;
    let protocol = PROTOCOLS[case.group.main_kind().min(1)];
    let service = ports::service(protocol, local.port)?;
    let usual = ports::usual_owners(protocol, local.port).join(", ");
    let expected = owners::usual_program(protocol, local.port)?;
    let sentence = format!(
        "{} listens on {}, the port of {service}, where {expected} is usual",
        who(case.group),
        listens(case, local)
    );
    let state = if protocol == Protocol::Tcp { "state:listen" } else { "proto:udp" };
    Some(
        Judgement {
            why: "an unusual process",
            filter: filter(case, state),
            ..Judgement::new(case, Severity::Warning, sentence)
        }
        .evidence("port", "port", Measure::Id(local.port.into()))
        .evidence("usual", "usually held by", Measure::Words(usual)),
    )
}
