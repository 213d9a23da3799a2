//! Which sockets are alike: whose a socket is, and who is at its other end. That depends on who listens.

use std::sync::Arc;

use crate::model::hosts::HostNumber;
use crate::model::process::{NoProcess, Owner, Process};
use crate::model::socket::{NetnsId, Socket};
use crate::model::tcp_state::TcpState;
use crate::store::alike::AlikeTable;
use crate::store::alike::key::{AlikeKey, AlikeOwner, AlikePeer, PortRole};
use crate::store::listeners::{Listener, ListenerMatch, Listeners};
use crate::store::row::{RowIndex, SocketRow};
use crate::store::tally::is_listening;

/// Puts the row at `index` into the set of sockets that are like it; a closed row is in none.
pub(super) fn place(alike: &mut AlikeTable, listeners: &Listeners, index: RowIndex, row: &SocketRow) {
    if row.is_closed() {
        return;
    }
    let socket = &row.connection.socket;
    let (holder, peer) = process_and_peer(listeners, socket);
    let owner = owner(alike, socket, holder);
    let host = HostNumber::of_namespace(socket.id.netns());
    let key = AlikeKey { owner, peer, protocol: socket.protocol, state: socket.state, cgroup: socket.cgroup, host };
    alike.place(index, &row.connection, key, holder);
}

/// The process that `socket` counts for and who is at its other end, as the tables of sockets that are alike have them.
pub(super) fn process_and_peer<'a>(
    listeners: &'a Listeners,
    socket: &'a Socket,
) -> (Option<&'a Arc<Process>>, AlikePeer) {
    let came_by = listeners.of_connection(socket).filter(|_| !is_listening(socket) && !socket.remote.is_unset());
    (holder(socket, came_by.as_ref()), peer(socket, came_by.is_some()))
}

/// The process that holds `socket`, or held it; of what nobody has accepted yet, the one whose listener it waits at, if
/// only one program listens there.
fn holder<'a>(socket: &'a Socket, came_by: Option<&ListenerMatch<'a>>) -> Option<&'a Arc<Process>> {
    let is_half_open = socket.state == TcpState::SynRecv && matches!(socket.owner, Owner::None);
    if !is_half_open && !matches!(socket.owner, Owner::Unaccepted) {
        return socket.owner.holders()?.all().first();
    }
    let listeners = came_by?.all();
    let processes = || listeners.iter().filter_map(Listener::process);
    let first = processes().min_by_key(|process| process.id)?;
    let is_theirs = |listener: &Listener| listener.process().is_some_and(|other| other.name == first.name);
    listeners.iter().all(is_theirs).then_some(first)
}

fn owner(alike: &mut AlikeTable, socket: &Socket, holder: Option<&Arc<Process>>) -> AlikeOwner {
    match (holder, &socket.owner) {
        (Some(process), Owner::Remembered(_)) => AlikeOwner::Remembered(alike.name(&process.name)),
        (Some(process), _) => AlikeOwner::Process(process.id),
        (None, owner) => AlikeOwner::Nobody(owner.no_process().unwrap_or(NoProcess::None)),
    }
}

fn peer(socket: &Socket, is_served: bool) -> AlikePeer {
    let port = socket.local.port;
    if is_listening(socket) {
        return AlikePeer::Here { port, role: PortRole::Listening };
    }
    if socket.remote.is_unset() {
        return AlikePeer::Nowhere;
    }
    if is_served {
        let waits = matches!(socket.owner, Owner::Unaccepted);
        return AlikePeer::Here { port, role: if waits { PortRole::Queue } else { PortRole::Clients } };
    }
    let address = socket.destination().address;
    let netns = address.zone().map_or(NetnsId::default(), |_| socket.id.netns());
    AlikePeer::Remote { address, netns, port: socket.remote.port }
}
