//! How many sockets each process has with each peer in each state, at two moments.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::model::endpoint::Protocol;
use crate::model::process::NoProcess;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::folding::FoldPeer;
use crate::store::row::SocketRow;
use crate::table::folded::peer_text;

/// What the sockets of a group have in common. Names, not numbers: a program that was started again is the same, and the two
/// moments may be of two machines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName {
    /// The program that holds or held them, or why none is known.
    pub process: Result<String, NoProcess>,
    /// Who is at the other end: an address and port, or `:443 clients`; empty where there is nobody.
    pub peer: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The state.
    pub state: TcpState,
}

impl GroupName {
    /// The group of `row`.
    pub fn of(row: &SocketRow, store: &Store) -> Self {
        let socket = &row.connection.socket;
        let (process, peer) = store.process_and_peer(socket);
        let nobody = || socket.owner.no_process().unwrap_or(NoProcess::None);
        Self {
            process: process.map(|process| process.name.to_string()).ok_or_else(nobody),
            peer: peer_text(FoldPeer::Of(peer), store),
            protocol: socket.protocol,
            state: socket.state,
        }
    }
}

/// A group that has another number of sockets at the second moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDifference {
    /// Which group.
    pub name: GroupName,
    /// How many sockets it had, and has.
    pub before: u64,
    /// How many it has.
    pub after: u64,
}

impl GroupDifference {
    /// By how much it changed.
    pub const fn size(&self) -> u64 {
        self.before.abs_diff(self.after)
    }

    /// What became of it, in a word.
    pub const fn change(&self) -> &'static str {
        match (self.before, self.after) {
            (0, _) => "new",
            (_, 0) => "gone",
            (before, after) if after > before => "grew",
            _ => "shrank",
        }
    }

    /// Every word of [`Self::change`].
    pub const CHANGES: [&'static str; 4] = ["new", "gone", "grew", "shrank"];
}

/// How many sockets each group has.
pub(super) type CountsByGroup = FxHashMap<GroupName, u64>;

/// How many sockets of `rows` each group has.
pub(super) fn count<'s>(rows: impl Iterator<Item = &'s SocketRow>, store: &Store) -> CountsByGroup {
    let mut counts = FxHashMap::default();
    rows.for_each(|row| *counts.entry(GroupName::of(row, store)).or_insert(0) += 1);
    counts
}

/// The groups that differ, those that changed most first.
pub(super) fn differences(before: &CountsByGroup, after: &CountsByGroup) -> Vec<GroupDifference> {
    let number = |counts: &CountsByGroup, name: &GroupName| counts.get(name).copied().unwrap_or(0);
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let group = |name: &GroupName| GroupDifference {
        name: name.clone(),
        before: number(before, name),
        after: number(after, name),
    };
    let mut groups: Vec<_> = names.map(group).filter(|group| group.before != group.after).collect();
    groups.sort_by(|a, b| (Reverse(a.size()), &a.name).cmp(&(Reverse(b.size()), &b.name)));
    groups
}
