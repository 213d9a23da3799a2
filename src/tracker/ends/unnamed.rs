//! Connections that a source without cookies showed and that are over: the kernel may tell of their ends later, under
//! cookies that no row has.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::model::endpoint::Protocol;
use crate::model::event::Ended;
use crate::model::memory::TableSize;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::tracker::ends::{JIFFY, OVER_EARLY_MAX, latest};
use crate::tracker::entry::TrackedSocket;

/// Protocol, local port, remote address, remote port, local address: in the order in which an emptied socket forgets them
/// last.
type EmptiedTuple = (Protocol, u16, IpAddr, u16, IpAddr);

/// Those over, oldest first; past [`OVER_EARLY_MAX`] the oldest is forgotten.
#[derive(Debug, Default)]
pub(super) struct EndsWithoutCookie {
    over: BTreeMap<EmptiedTuple, (SocketId, Timestamp)>,
    order: VecDeque<(EmptiedTuple, Timestamp)>,
}

impl EndsWithoutCookie {
    pub(super) fn bury(&mut self, entry: &TrackedSocket, at: Timestamp) {
        let socket = entry.socket();
        let (local, remote) = (socket.local, socket.remote);
        let key = (socket.protocol, local.port, remote.addr, remote.port, local.addr);
        if self.over.contains_key(&key) {
            return;
        }
        if self.order.len() >= OVER_EARLY_MAX
            && let Some((oldest, at)) = self.order.pop_front()
            && self.over.get(&oldest).is_some_and(|(_, over_at)| *over_at == at)
        {
            self.over.remove(&oldest);
        }
        self.over.insert(key, (entry.id, at));
        self.order.push_back((key, at));
    }

    /// Which of them `ended` is the end of, if it is of any: that is none of them any more.
    pub(super) fn unbury(&mut self, ended: &Ended) -> Option<SocketId> {
        if self.over.is_empty() {
            return None;
        }
        let (protocol, local, remote) = (ended.socket.protocol, ended.socket.local, ended.socket.remote);
        let key = if ended.is_emptied() {
            let from = (protocol, local.port, remote.addr, 0, IpAddr::from([0; 4]));
            let of_port =
                self.over.range(from..).take_while(|(key, _)| (key.0, key.1, key.2) == (from.0, from.1, from.2));
            // Connections only: a listener is not emptied.
            of_port.map(|(key, _)| *key).find(|key| key.3 != 0 && (local.addr.is_unspecified() || key.4 == local.addr))
        } else {
            Some((protocol, local.port, remote.addr, remote.port, local.addr))
        };
        let key = key?;
        let (id, over_at) = *self.over.get(&key)?;
        // One that took part in something later is another connection with the same endpoints.
        let is_later = ended.info.as_ref().is_some_and(|info| latest(info) > over_at.after(JIFFY));
        if is_later && !ended.is_emptied() {
            return None;
        }
        self.over.remove(&key);
        Some(id)
    }

    pub(super) fn table_sizes(&self) -> TableSize {
        TableSize::by("order of unnamed sockets", &self.order)
    }
}
