//! Who listens, as far as the ledger needs to know it: kept from deltas, so that it is the same while the screen is frozen
//! (`store/merged_deltas`), when rows wait.

use rustc_hash::FxHashMap;

use crate::model::delta::Transition;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::ProcessId;
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;

/// The TCP listeners.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PortListeners {
    ports: FxHashMap<(u16, NetnsId), Vec<PortListener>>,
    ids: FxHashMap<SocketId, (u16, NetnsId)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct PortListener {
    id: SocketId,
    local: Endpoint,
    process: Option<ProcessId>,
}

/// Who listens on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortListenerMatch {
    /// Nobody.
    Nobody,
    /// This one, or the only one that can be meant.
    One(SocketId),
    /// Several, of which nothing tells which one is meant.
    Several,
}

impl PortListenerMatch {
    /// Whether anybody does.
    pub(super) fn is_anybody(self) -> bool {
        self != Self::Nobody
    }

    /// The listener that is meant, if one is known.
    pub(super) const fn one(self) -> Option<SocketId> {
        match self {
            Self::One(id) => Some(id),
            Self::Nobody | Self::Several => None,
        }
    }
}

/// The listener, if it is the only one.
fn only<'a>(mut found: impl Iterator<Item = &'a PortListener>) -> Option<SocketId> {
    let first = found.next()?;
    found.next().is_none().then_some(first.id)
}

impl PortListeners {
    /// Takes note of a row that is new or has changed.
    pub(super) fn see(&mut self, socket: &Socket) {
        if socket.protocol != Protocol::Tcp {
            return;
        }
        if socket.is_listener() {
            let place = (socket.local.port, socket.id.netns());
            let process = socket.owner.process().map(|process| process.id);
            let listener = PortListener { id: socket.id, local: socket.local, process };
            let here = self.ports.entry(place).or_default();
            match here.iter_mut().find(|known| known.id == socket.id) {
                Some(known) => *known = listener,
                None => here.push(listener),
            }
            self.ids.insert(socket.id, place);
        } else if matches!(socket.state, TcpState::Bound | TcpState::Close) {
            self.forget(socket.id);
        }
    }

    /// The socket `id` is gone.
    pub(super) fn forget(&mut self, id: SocketId) {
        let Some(place) = self.ids.remove(&id) else { return };
        if let Some(here) = self.ports.get_mut(&place) {
            here.retain(|listener| listener.id != id);
            if here.is_empty() {
                self.ports.remove(&place);
            }
        }
    }

    /// Who listens on our port of `transition`: the only listener that its connection can have come in by is told by
    /// address, then by the process that holds both.
    pub(super) fn of(&self, transition: &Transition) -> PortListenerMatch {
        let Some(here) = self.ports.get(&(transition.local.port, transition.id.netns())) else {
            return PortListenerMatch::Nobody;
        };
        if let [only] = here.as_slice() {
            return PortListenerMatch::One(only.id);
        }
        let holder = transition.owner.process().map(|process| process.id);
        let is_its = |listener: &&PortListener| {
            listener.local.addr.is_unspecified()
                || listener.local.addr.to_canonical() == transition.local.addr.to_canonical()
        };
        let is_held = |listener: &&PortListener| holder.is_some() && listener.process == holder;
        let by_address = only(here.iter().filter(is_its));
        by_address
            .or_else(|| only(here.iter().filter(is_its).filter(is_held)))
            .map_or(PortListenerMatch::Several, PortListenerMatch::One)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
