//! One row of the connection table, and the index by which it is found.

use crate::model::delta::{Connection, ObservedSocket, Transition};
use crate::model::endpoint::Endpoint;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::time::CompactTimestamp;

/// Where a row lives; never reused while the row exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowIndex(pub u32);

/// What just happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Opened then.
    New(CompactTimestamp),
    /// Changed its state then.
    Changed(CompactTimestamp),
    /// Gone since then; its row shows what it was.
    Closed(CompactTimestamp),
    /// No row of the table, but of the end of a socket that no sample showed, and of which nothing tells the last state:
    /// what is `state` of it means nothing. `is_emptied` says that its local address does not either, if it is unspecified:
    /// see [`Transition::is_emptied`](crate::model::delta::Transition::is_emptied).
    StateUnknown {
        /// The kernel had emptied the socket.
        is_emptied: bool,
    },
}

/// One line of the connection table.
#[derive(Clone, Debug, PartialEq)]
pub struct SocketRow {
    /// The connection as last seen.
    pub connection: Connection,
    /// What just happened to it; `None` once [`MARK_TIME`](crate::store::rows::MARK_TIME) has passed.
    pub mark: Option<Mark>,
}

impl SocketRow {
    /// The row of a socket of which only `transition` tells.
    pub fn unseen(transition: &Transition) -> Self {
        let state = transition.to.or(transition.from).unwrap_or(TcpState::Close);
        let socket = Socket::known_by(&transition.socket(), state, transition.owner.clone());
        let known = ObservedSocket { socket, state_since: None, first_seen: transition.at };
        Self { connection: known.into(), mark: None }
    }

    /// Whether the socket is gone.
    pub const fn is_closed(&self) -> bool {
        matches!(self.mark, Some(Mark::Closed(_)))
    }

    /// The state; `None` where nothing tells it.
    pub fn state(&self) -> Option<TcpState> {
        (!matches!(self.mark, Some(Mark::StateUnknown { .. }))).then_some(self.connection.socket.state)
    }

    /// Our end; `None` where its address is not known.
    pub fn local(&self) -> Option<Endpoint> {
        let local = self.connection.socket.local;
        let is_blank = self.mark == Some(Mark::StateUnknown { is_emptied: true }) && local.addr.is_unspecified();
        // Nothing tells any more where a socket was that left the tables before it was seen.
        let is_unknown = self.connection.socket.is_unhashed() && local.port == 0 && local.addr.is_unspecified();
        (!is_blank && !is_unknown).then_some(local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Connection;

    #[test]
    fn a_row_stays_small() {
        assert_eq!((size_of::<Option<Mark>>(), size_of::<Connection>(), size_of::<Option<SocketRow>>()), (6, 16, 24));
    }
}
