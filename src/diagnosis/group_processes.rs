//! The processes that have one trouble in common, counted by their sockets.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnosis::finding::ProcessShare;
use crate::model::process::{Process, ProcessId};

/// The most processes of one group that are listed. Sockets of others are counted, their processes are not.
pub(super) const PROCESSES_MAX: usize = 1_024;

/// The processes of a group, each with its sockets.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupProcesses {
    found: BTreeMap<ProcessId, ProcessShare>,
    /// Sockets of which no process is known.
    pub(super) ownerless: u32,
    /// Sockets of processes beyond [`PROCESSES_MAX`].
    uncounted: u32,
}

impl GroupProcesses {
    /// One process, with so many sockets; nobody for `None`.
    pub(super) fn of(process: Option<Arc<Process>>, sockets: u32) -> Self {
        let found = process.map(|process| (process.id, ProcessShare { process, sockets })).into_iter().collect();
        Self { found, ..Self::default() }
    }

    /// Counts `sockets` for `process`.
    pub(super) fn note(&mut self, process: Option<&Arc<Process>>, sockets: u32) {
        let Some(process) = process else {
            self.ownerless += sockets;
            return;
        };
        if let Some(share) = self.found.get_mut(&process.id) {
            share.sockets += sockets;
        } else if self.found.len() < PROCESSES_MAX {
            self.found.insert(process.id, ProcessShare { process: Arc::clone(process), sockets });
        } else {
            self.uncounted += sockets;
        }
    }

    /// Takes those of another group in.
    pub(super) fn merge(&mut self, other: &Self) {
        other.found.values().for_each(|share| self.note(Some(&share.process), share.sockets));
        self.ownerless += other.ownerless;
        self.uncounted += other.uncounted;
    }

    /// How many processes they are; at least so many from [`PROCESSES_MAX`] on.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.found.len()).unwrap_or(u32::MAX)
    }

    /// All of them, by pid.
    pub(super) fn all(&self) -> impl Iterator<Item = &ProcessShare> {
        self.found.values()
    }

    /// The process, if it is the only one and all sockets are its own.
    pub(super) fn only(&self) -> Option<&Arc<Process>> {
        let is_alone = self.found.len() == 1 && self.ownerless == 0;
        self.found.values().next().filter(|_| is_alone).map(|share| &share.process)
    }

    /// The process with most sockets; among equals the one with the lowest pid.
    pub(super) fn first(&self) -> Option<&ProcessShare> {
        self.found.values().max_by_key(|share| (share.sockets, Reverse(share.process.id)))
    }

    /// The `most` processes with most sockets, those with most first.
    pub(super) fn worst(&self, most: usize) -> Vec<ProcessShare> {
        let mut all: Vec<&ProcessShare> = self.found.values().collect();
        all.sort_by_key(|share| (Reverse(share.sockets), share.process.id));
        all.into_iter().take(most).cloned().collect()
    }

    /// Their programs with the sockets of each, those with most first.
    pub(super) fn programs(&self) -> Vec<(&str, u32)> {
        let mut sockets: BTreeMap<&str, u32> = BTreeMap::new();
        for share in self.found.values() {
            *sockets.entry(share.process.name.as_str()).or_default() += share.sockets;
        }
        let mut programs: Vec<(&str, u32)> = sockets.into_iter().collect();
        programs.sort_by_key(|(name, sockets)| (Reverse(*sockets), *name));
        programs
    }

    /// The name of their program, if all sockets are of processes of one.
    pub(super) fn program(&self) -> Option<&str> {
        let mut names = self.found.values().map(|share| share.process.name.as_str());
        let first = names.next().filter(|_| self.ownerless == 0)?;
        names.all(|name| name == first).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::process;

    #[test]
    fn processes_and_programs_are_told_by_their_sockets() {
        let mut group = GroupProcesses::default();
        for (pid, name, sockets) in [(7, "worker", 1), (9, "api", 5), (8, "worker", 3), (7, "worker", 1)] {
            group.note(Some(&process(pid, name)), sockets);
        }
        assert_eq!((group.len(), group.program(), group.only()), (3, None, None));
        assert_eq!(group.programs(), [("api", 5), ("worker", 5)]);
        let pids: Vec<_> = group.worst(2).iter().map(|share| (share.process.id.pid, share.sockets)).collect();
        assert_eq!(pids, [(9, 5), (8, 3)]);
    }

    #[test]
    fn sockets_that_are_nobodys_are_not_put_down_to_the_others() {
        let mut group = GroupProcesses::of(Some(process(7, "worker")), 2);
        assert_eq!((group.program(), group.only().map(|one| one.id.pid)), (Some("worker"), Some(7)));
        group.note(None, 1);
        assert_eq!((group.program(), group.only()), (None, None));
    }

    #[test]
    fn processes_beyond_the_limit_lose_no_socket() {
        let mut group = GroupProcesses::default();
        let len = u32::try_from(PROCESSES_MAX).expect("small") + 5;
        (0..len).for_each(|pid| group.note(Some(&process(pid, "curl")), 1));
        let listed: u32 = group.all().map(|share| share.sockets).sum();
        assert_eq!((group.len(), listed + group.uncounted), (len - 5, len));
    }
}
