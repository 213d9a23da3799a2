//! What the ledger tells of groups: attempts to connect to a destination, and what came in by a listener.
//!
//! One pass over the ledger, which is bounded, for each table of groups that is made; no pass over sockets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::address::Destination;
use crate::model::delta::EventSource;
use crate::model::endpoint::Protocol;
use crate::model::event::EventSourceStatus;
use crate::model::hosts::whole_host;
use crate::model::process::Process;
use crate::model::socket::{NetnsId, SocketId};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::attempt_history::{AttemptCounts, AttemptHistory, AttemptKey, AttemptRecord, AttemptWindow};
use crate::store::groups::{Group, GroupKey, GroupTable, Grouping};
use crate::store::listeners::ListenAddress;

/// Attempts to connect in the last minute, or since the watch began: whoever made them, whatever the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupAttempts {
    /// How many began; or how many were decided, where that is more.
    pub made: u32,
    /// How many failed; at a listener, connections that were reset within a second of being established, too.
    pub failed: u32,
    /// When one last succeeded.
    pub success: LastSuccess,
}

/// When an attempt last succeeded, as far back as was watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastSuccess {
    /// None was seen to succeed or fail.
    #[default]
    Unknown,
    /// Then.
    At(Timestamp),
    /// Every attempt since then has failed, and none was seen before.
    NoneSince(Timestamp),
}

impl LastSuccess {
    fn of(entry: &AttemptRecord) -> Self {
        let none_since = || entry.row().map_or(Self::Unknown, |row| Self::NoneSince(row.since));
        entry.last_success().map_or_else(none_since, Self::At)
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(a), Self::At(b)) => Self::At(a.max(b)),
            (Self::At(at), _) | (_, Self::At(at)) => Self::At(at),
            (Self::NoneSince(a), Self::NoneSince(b)) => Self::NoneSince(a.min(b)),
            (Self::Unknown, known) | (known, Self::Unknown) => known,
        }
    }
}

impl GroupAttempts {
    /// Whether attempts are told at all: those that live and die between two samples by the trace only. What was seen
    /// without it would look like few attempts and fewer failures.
    pub fn are_told(store: &Store) -> bool {
        store.event_status().trace == EventSourceStatus::On
    }

    /// Whether the kernel dropped events in `window`, so that there were at least so many attempts as are told.
    pub fn are_at_least(store: &Store, window: AttemptWindow) -> bool {
        let since = store.at().before(store.attempt_history().over(window));
        store.gaps().iter().rev().any(|gap| gap.of == EventSource::Tracepoint && gap.to >= since)
    }

    fn of(ledger: &AttemptHistory, key: &AttemptKey, entry: &AttemptRecord) -> Self {
        let counts = ledger.counts(entry, AttemptWindow::Minute);
        let failed = match key {
            AttemptKey::To { .. } => counts.failed(),
            AttemptKey::On { .. } => lost_at_listener(&counts),
        };
        Self { made: counts.begun().max(counts.decided()), failed, success: LastSuccess::of(entry) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            made: self.made.saturating_add(other.made),
            failed: self.failed.saturating_add(other.failed),
            success: self.success.and(other.success),
        }
    }
}

fn lost_at_listener(counts: &AttemptCounts) -> u32 {
    [counts.reset_early(), counts.reset_early_here()].into_iter().fold(counts.failed(), u32::saturating_add)
}

/// A destination in a namespace.
type NamespacedDestination = (Destination, NetnsId);

/// The ledger as groups need it.
#[derive(Debug, Default)]
struct AttemptIndex<'a> {
    /// Peers choose addresses, so that this table hashes with a secret.
    to: HashMap<NamespacedDestination, (GroupAttempts, Option<&'a Arc<Process>>)>,
    on: HashMap<SocketId, GroupAttempts>,
    /// Ports with attempts of which nothing tells the listener.
    unclear: HashSet<(u16, NetnsId)>,
}

impl<'a> AttemptIndex<'a> {
    fn new(ledger: &'a AttemptHistory, grouping: Grouping) -> Self {
        let mut told = Self::default();
        for (key, entry) in ledger.entries() {
            let attempts = GroupAttempts::of(ledger, key, entry);
            match *key {
                AttemptKey::To { to, netns, .. } if grouping != Grouping::Listener => {
                    let place = (to, netns_of(grouping, to, netns));
                    let (sum, process) = told.to.entry(place).or_default();
                    (*sum, *process) = (sum.and(attempts), process.or(entry.process()));
                }
                AttemptKey::On { listener: Some(id), .. } => {
                    told.on.insert(id, attempts);
                }
                AttemptKey::On { listener: None, port, netns } if attempts.made > 0 => {
                    told.unclear.insert((port, netns));
                }
                AttemptKey::To { .. } | AttemptKey::On { .. } => {}
            }
        }
        told
    }

    /// What is told of the group of `key`; `None` where that is nothing, which may mean that there was no attempt.
    fn of(&self, key: GroupKey) -> Option<GroupAttempts> {
        match key {
            GroupKey::Listener { id, .. } => self.on.get(&id).copied(),
            key => destination(key).and_then(|place| self.to.get(&place)).map(|(attempts, _)| *attempts),
        }
    }

    /// Whether attempts of the group of `key` are told, if there are any.
    fn covers(&self, key: GroupKey) -> bool {
        match key {
            GroupKey::Listener { place: ListenAddress { protocol: Protocol::Tcp, local, netns, .. }, .. } => {
                !self.unclear.contains(&(local.port, netns))
            }
            key => destination(key).is_some(),
        }
    }
}

/// Groups of remotes tell namespaces apart for addresses with a zone only.
fn netns_of(grouping: Grouping, to: Destination, netns: NetnsId) -> NetnsId {
    if grouping == Grouping::Remote && to.address.zone().is_none() { whole_host(netns) } else { netns }
}

/// Where the attempts of the group of `key` go to, if it is a group of connections that we open.
const fn destination(key: GroupKey) -> Option<NamespacedDestination> {
    match key {
        GroupKey::Remote { protocol: Protocol::Tcp, address, netns, port: Some(port) } => {
            Some((Destination { address, port }, netns))
        }
        GroupKey::PortPool(route) => Some((route.to, route.netns)),
        _ => None,
    }
}

/// Tells each of `groups` its attempts; and, if they are `all` there are, adds remotes that were tried in the last minute and
/// have no socket now: what is refused at once never has one in a sample.
pub(super) fn tell(groups: &mut GroupTable, grouping: Grouping, store: &Store, all: bool) {
    if grouping == Grouping::Process || !GroupAttempts::are_told(store) {
        return;
    }
    let ledger = store.attempt_history();
    let told = AttemptIndex::new(ledger, grouping);
    for group in groups.found.iter_mut().filter(|group| told.covers(group.key)) {
        group.attempts = told.of(group.key).or_else(|| (!ledger.is_full()).then(GroupAttempts::default));
    }
    if grouping == Grouping::Remote && all {
        add_tried(groups, &told);
    }
}

fn add_tried(groups: &mut GroupTable, told: &AttemptIndex<'_>) {
    for (&(to, netns), &(attempts, process)) in told.to.iter().filter(|(_, (attempts, _))| attempts.made > 0) {
        let key = GroupKey::Remote { protocol: Protocol::Tcp, address: to.address, netns, port: Some(to.port) };
        if groups.places.contains_key(&key) {
            continue;
        }
        groups.places.insert(key, groups.found.len());
        let process = process.map(Arc::clone);
        groups.found.push(Group { peers: 1, process, attempts: Some(attempts), ..Group::empty(key) });
    }
}

#[cfg(test)]
mod tests;
