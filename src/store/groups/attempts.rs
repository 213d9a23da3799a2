//! What the ledger tells of groups: attempts to connect to a destination, and what came in by a listener.
//!
//! One pass over the ledger, which is bounded, for each table of groups that is made; no pass over sockets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::address::Destination;
use crate::model::delta::ToldBy;
use crate::model::endpoint::Protocol;
use crate::model::event::Teller;
use crate::model::process::Process;
use crate::model::socket::{NetnsId, SocketId};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::groups::{Group, GroupKey, Grouping, Groups};
use crate::store::ledger::{Counts, Entry, Key, Ledger, Window};
use crate::store::listeners::ListenPlace;

/// Attempts to connect in the last minute, or since the watch began: whoever made them, whatever the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many began; or how many were decided, where that is more.
    pub made: u32,
    /// How many failed; at a listener, connections that were reset within a second of being established, too.
    pub failed: u32,
    /// When one last succeeded.
    pub success: Success,
}

/// When an attempt last succeeded, as far back as was watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Success {
    /// None was seen to succeed or fail.
    #[default]
    Unknown,
    /// Then.
    At(Timestamp),
    /// Every attempt since then has failed, and none was seen before.
    NoneSince(Timestamp),
}

impl Success {
    fn of(entry: &Entry) -> Self {
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

impl Attempts {
    /// Whether attempts are told at all: those that live and die between two samples by the trace only. What was seen
    /// without it would look like few attempts and fewer failures.
    pub fn are_told(store: &Store) -> bool {
        store.tellers().trace == Teller::On
    }

    /// Whether the kernel dropped events in `window`, so that there were at least so many attempts as are told.
    pub fn are_at_least(store: &Store, window: Window) -> bool {
        let since = store.at().before(store.ledger().over(window));
        store.gaps().iter().rev().any(|gap| gap.of == ToldBy::Tracepoint && gap.to >= since)
    }

    fn of(ledger: &Ledger, key: &Key, entry: &Entry) -> Self {
        let counts = ledger.counts(entry, Window::Minute);
        let failed = match key {
            Key::To { .. } => counts.failed(),
            Key::On { .. } => lost_at_listener(&counts),
        };
        Self { made: counts.begun().max(counts.decided()), failed, success: Success::of(entry) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            made: self.made.saturating_add(other.made),
            failed: self.failed.saturating_add(other.failed),
            success: self.success.and(other.success),
        }
    }
}

fn lost_at_listener(counts: &Counts) -> u32 {
    [counts.reset_early(), counts.reset_early_here()].into_iter().fold(counts.failed(), u32::saturating_add)
}

/// A destination in a namespace.
type Place = (Destination, NetnsId);

/// The ledger as groups need it.
#[derive(Debug, Default)]
struct Told<'a> {
    /// Peers choose addresses, so that this table hashes with a secret.
    to: HashMap<Place, (Attempts, Option<&'a Arc<Process>>)>,
    on: HashMap<SocketId, Attempts>,
    /// Ports with attempts of which nothing tells the listener.
    unclear: HashSet<(u16, NetnsId)>,
}

impl<'a> Told<'a> {
    fn new(ledger: &'a Ledger, grouping: Grouping) -> Self {
        let mut told = Self::default();
        for (key, entry) in ledger.entries() {
            let attempts = Attempts::of(ledger, key, entry);
            match *key {
                Key::To { to, netns, .. } if grouping != Grouping::Listener => {
                    let place = (to, netns_of(grouping, to, netns));
                    let (sum, process) = told.to.entry(place).or_default();
                    (*sum, *process) = (sum.and(attempts), process.or(entry.process()));
                }
                Key::On { listener: Some(id), .. } => {
                    told.on.insert(id, attempts);
                }
                Key::On { listener: None, port, netns } if attempts.made > 0 => {
                    told.unclear.insert((port, netns));
                }
                Key::To { .. } | Key::On { .. } => {}
            }
        }
        told
    }

    /// What is told of the group of `key`; `None` where that is nothing, which may mean that there was no attempt.
    fn of(&self, key: GroupKey) -> Option<Attempts> {
        match key {
            GroupKey::Listener { id, .. } => self.on.get(&id).copied(),
            key => destination(key).and_then(|place| self.to.get(&place)).map(|(attempts, _)| *attempts),
        }
    }

    /// Whether attempts of the group of `key` are told, if there are any.
    fn covers(&self, key: GroupKey) -> bool {
        match key {
            GroupKey::Listener { place: ListenPlace { protocol: Protocol::Tcp, local, netns, .. }, .. } => {
                !self.unclear.contains(&(local.port, netns))
            }
            key => destination(key).is_some(),
        }
    }
}

/// Groups of remotes tell namespaces apart for addresses with a zone only.
fn netns_of(grouping: Grouping, to: Destination, netns: NetnsId) -> NetnsId {
    if grouping == Grouping::Remote && to.address.zone().is_none() { NetnsId::default() } else { netns }
}

/// Where the attempts of the group of `key` go to, if it is a group of connections that we open.
const fn destination(key: GroupKey) -> Option<Place> {
    match key {
        GroupKey::Remote { protocol: Protocol::Tcp, address, netns, port: Some(port) } => {
            Some((Destination { address, port }, netns))
        }
        GroupKey::Route(route) => Some((route.to, route.netns)),
        _ => None,
    }
}

/// Tells each of `groups` its attempts; and, if they are `all` there are, adds remotes that were tried in the last minute and
/// have no socket now: what is refused at once never has one in a sample.
pub(super) fn tell(groups: &mut Groups, grouping: Grouping, store: &Store, all: bool) {
    if grouping == Grouping::Process || !Attempts::are_told(store) {
        return;
    }
    let ledger = store.ledger();
    let told = Told::new(ledger, grouping);
    for group in groups.found.iter_mut().filter(|group| told.covers(group.key)) {
        group.attempts = told.of(group.key).or_else(|| (!ledger.is_full()).then(Attempts::default));
    }
    if grouping == Grouping::Remote && all {
        add_tried(groups, &told);
    }
}

fn add_tried(groups: &mut Groups, told: &Told<'_>) {
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
