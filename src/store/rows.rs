//! The rows: live connections and those closed a moment ago, under indices that stay valid for the life of a row.

use std::time::Duration;

use crate::model::delta::Connection;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// How long a row stays marked as new or changed, and how long a closed one stays at all.
pub const MARK_TIME: Duration = Duration::from_secs(4);

/// Where a row lives; never reused while the row exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowIndex(pub u32);

/// What just happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Opened then.
    New(Timestamp),
    /// Changed its state then.
    Changed(Timestamp),
    /// Gone since then; its row shows what it was.
    Closed(Timestamp),
}

/// One line of the connection table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The connection as last seen.
    pub connection: Connection,
    /// What just happened to it; `None` once [`MARK_TIME`] has passed.
    pub mark: Option<Mark>,
}

impl Row {
    /// Whether the socket is gone.
    pub const fn is_closed(&self) -> bool {
        matches!(self.mark, Some(Mark::Closed(_)))
    }
}

/// Which rows a delta touched, for views that keep an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Rows that did not exist before.
    pub added: Vec<RowIndex>,
    /// Rows whose content or mark differs.
    pub changed: Vec<RowIndex>,
    /// Rows that no longer exist; their indices may be reused by the next delta, not by this one.
    pub purged: Vec<RowIndex>,
}

/// Live sockets by state. Closed rows do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP sockets, indexed by `TcpState as usize`.
    pub tcp: [u32; 12],
    /// UDP sockets.
    pub udp: u32,
}

impl Counts {
    /// TCP sockets in `state`.
    pub const fn of(&self, state: TcpState) -> u32 {
        self.tcp[state as usize]
    }

    /// All sockets.
    pub fn total(&self) -> u32 {
        self.tcp.iter().sum::<u32>() + self.udp
    }
}

/// The rows.
#[derive(Debug, Default)]
pub struct Rows {
    slots: Vec<Option<Row>>,
    counts: Counts,
}

impl Rows {
    /// The row at `index`, while it exists.
    pub fn get(&self, index: RowIndex) -> Option<&Row> {
        self.slots.get(index.0 as usize)?.as_ref()
    }

    /// Where the row of `id` is.
    pub fn find(&self, id: SocketId) -> Option<RowIndex> {
        self.iter().find(|(_, row)| row.connection.socket.id == id).map(|(index, _)| index)
    }

    /// Every row, closed ones too, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (RowIndex, &Row)> {
        self.slots.iter().enumerate().filter_map(|(at, row)| Some((RowIndex(u32::try_from(at).ok()?), row.as_ref()?)))
    }

    /// Live sockets by state.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }
}
