//! Folded lines: many sockets that have a cause in common as one line, and those that are unfolded below it.

pub mod causes;
pub mod columns;
pub mod standing;
mod tree;
pub mod view;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::address_text::AddressText;
use crate::model::delta::Since;
use crate::model::process::{NoProcess, Process};
use crate::model::socket::{CloseWaitVerdict, SocketId};
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::alike::AlikeSums;
use crate::store::alike::history::Trend;
use crate::store::alike::key::{AlikePeer, PortRole};
use crate::store::folding::{FoldKey, FoldPeer};
use crate::store::row::SocketRow;

/// How bad the worst finding about a line is, and what it says in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldMark {
    /// 2 for critical, 1 for a warning.
    pub badness: u8,
    /// Why, in a few words.
    pub why: Cow<'static, str>,
}

/// Something of which the sockets of a line may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Several<T> {
    /// The first that was met.
    pub first: Option<T>,
    /// How many.
    pub count: u32,
}

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self { first: None, count: 0 }
    }
}

impl<T: Copy> Several<T> {
    /// The only one.
    pub fn only(&self) -> Option<T> {
        self.first.filter(|_| self.count == 1)
    }
}

/// Sockets that are one line.
#[derive(Clone, Debug)]
pub struct FoldedRow {
    /// What they have in common.
    pub key: FoldKey,
    /// A process that holds or held them.
    pub process: Option<Arc<Process>>,
    /// Whether no process holds them any more, and one is only remembered.
    pub is_remembered: bool,
    /// Why no process is known of some of them.
    pub nobody: Option<NoProcess>,
    /// How many programs and how many processes hold them.
    pub programs: u32,
    /// See `programs`.
    pub processes: u32,
    /// Their other ends.
    pub peers: Several<AlikePeer>,
    /// Their states.
    pub states: Several<TcpState>,
    /// What they add up to.
    pub sums: AlikeSums,
    /// Since when the oldest is in its state.
    pub oldest: Option<Since>,
    /// How many there were over the last two minutes; `None` where that is not known of those that pass the filter.
    pub trend: Option<Trend>,
    /// How many came per second over the last minute.
    pub opened_per_second: Option<f64>,
    /// The worst finding about them.
    pub mark: Option<FoldMark>,
    /// How many processes stand between it and the top of the tree of processes.
    pub depth: u8,
    /// Whether its sockets are shown below it.
    pub is_unfolded: bool,
}

/// One line of the folded table.
#[derive(Clone, Debug)]
pub enum FoldedLine {
    /// Sockets that are one line.
    Row(Box<FoldedRow>),
    /// A socket of the line above it that is unfolded.
    Socket(SocketRow),
    /// How many more sockets the line above has than are shown.
    More(FoldKey, u64),
}

impl FoldedLine {
    /// The address of the other end, where there is one.
    pub fn remote_address(&self) -> Option<IpAddr> {
        match self {
            Self::Row(row) => match row.peers.only() {
                Some(AlikePeer::Remote { address, .. }) => Some(address.ip()),
                _ => None,
            },
            Self::Socket(row) => {
                let remote = row.connection.socket.remote;
                (!remote.is_unset()).then_some(remote.addr)
            }
            Self::More(..) => None,
        }
    }
}

/// What identifies a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineKey {
    /// Sockets that are one line.
    Row(FoldKey),
    /// A socket.
    Socket(SocketId),
    /// The end of what is unfolded.
    More(FoldKey),
}

impl FoldedRow {
    /// Why sockets of the line are in `CLOSE_WAIT`, as most of those are, and how many have that verdict.
    pub fn verdict(&self) -> Option<(CloseWaitVerdict, u32)> {
        self.sums.verdict()
    }
}

/// Who is at the other end, in words: `10.0.0.20:5432`, `:443 clients`, `:9090 queue`, `to :5432`.
pub fn peer_text(peer: FoldPeer, store: &Store) -> String {
    match peer {
        FoldPeer::Of(AlikePeer::Remote { address, netns, port }) => {
            AddressText::of(address, netns, store.names()).with_port(port).to_string()
        }
        FoldPeer::Of(AlikePeer::Here { port, role }) => match role {
            PortRole::Listening => format!(":{port}"),
            PortRole::Clients => format!(":{port} clients"),
            PortRole::Queue => format!(":{port} queue"),
        },
        FoldPeer::Of(AlikePeer::Nowhere) => String::new(),
        FoldPeer::Of(AlikePeer::Others) => "other remotes".to_owned(),
        FoldPeer::ToPort(port) => format!("to :{port}"),
        FoldPeer::AtPort(port) => format!("at :{port}"),
    }
}
