//! What the user acts on. Kill, close, copy and explain take a selection; which tab it comes from does not matter to them.

use crate::app::network_line::NetworkLine;
use crate::app::states::StateLine;
use crate::app::tags::Tag;
use crate::diagnosis::finding::FindingKey;
use crate::model::socket::SocketId;
use crate::store::folding::FoldKey;
use crate::store::groups::GroupKey;
use crate::store::groups::members::MembersOf;

/// What is said where there is nothing to act on.
pub const NOTHING: &str = "there is nothing to act on here";

/// The identity of what is selected. It stays valid when rows change places, and finds nothing once its thing is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// Nothing: the list is empty.
    None,
    /// One connection or listener.
    Socket(SocketId),
    /// A row that stands for several sockets: a process, a peer, a listener or a route.
    Group(GroupKey),
    /// A line of the folded table: sockets that have a cause in common.
    Fold(FoldKey),
    /// A state.
    State(StateLine),
    /// A finding.
    Finding(FindingKey),
    /// A line of the log, by its number since the start.
    LogLine(u64),
    /// A line of the tab Network.
    Network(NetworkLine),
}

impl From<MembersOf> for Selected {
    fn from(of: MembersOf) -> Self {
        match of {
            MembersOf::Group(key) => Self::Group(key),
            MembersOf::Fold(key) => Self::Fold(key),
        }
    }
}

impl From<Tag> for Selected {
    fn from(tag: Tag) -> Self {
        match tag {
            Tag::Socket(id) => Self::Socket(id),
            Tag::Fold(key) => Self::Fold(key),
            Tag::Group(key) => Self::Group(key),
        }
    }
}

/// What kind of thing can be selected: of this a binding says whether it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionKind {
    /// One connection or listener.
    Socket,
    /// A row that stands for several sockets.
    Group,
    /// A state.
    State,
    /// A finding.
    Finding,
    /// A line of the log.
    LogLine,
    /// An interface, a counter or a route.
    Network,
}
