//! The numbers of one of several hosts, made such that no other host has them: namespaces, processes, users, control groups.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::hosts::{HostNumber, HostNumbers, NUMBERS_MAX};
use crate::model::netns::NetnsId;
use crate::model::process::{Holders, Names, Owner, Process, ProcessId};
use crate::model::socket::SocketId;

/// Holders and processes are looked through for those that nobody has any more when there are so many, and then at twice as many
/// as were left.
const SWEEP_MIN: usize = 1_024;

/// Gives the numbers of one host.
#[derive(Debug)]
pub struct HostIds {
    host: HostNumber,
    namespaces: FxHashMap<NetnsId, NetnsId>,
    uids: FxHashMap<u32, u32>,
    numbers: Arc<HostNumbers>,
    holders: SharedValues<Holders>,
    processes: SharedValues<Process>,
    /// The names translated last, from what.
    names: Option<(Arc<Names>, Arc<Names>)>,
}

/// What was made of shared values: a thousand sockets of one server point to one value, also after it was translated.
#[derive(Debug)]
struct SharedValues<T> {
    /// By the place of the original in memory, which is kept so that no other comes there.
    known: FxHashMap<usize, (Arc<T>, Arc<T>)>,
    sweep_at: usize,
}

impl<T> Default for SharedValues<T> {
    fn default() -> Self {
        Self { known: FxHashMap::default(), sweep_at: SWEEP_MIN }
    }
}

impl<T> SharedValues<T> {
    fn find(&self, original: &Arc<T>) -> Option<Arc<T>> {
        self.known.get(&Arc::as_ptr(original).addr()).map(|(_, made)| Arc::clone(made))
    }

    fn keep(&mut self, original: &Arc<T>, made: &Arc<T>) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, (original, made)| Arc::strong_count(original) > 1 || Arc::strong_count(made) > 1);
            self.sweep_at = SWEEP_MIN.max(self.known.len() * 2);
        }
        self.known.insert(Arc::as_ptr(original).addr(), (Arc::clone(original), Arc::clone(made)));
    }
}

impl HostIds {
    /// For `host`, of which nothing was seen yet.
    pub fn new(host: HostNumber) -> Self {
        Self {
            host,
            namespaces: [(NetnsId(0), NetnsId(host.short(0)))].into_iter().collect(),
            uids: FxHashMap::default(),
            numbers: Arc::default(),
            holders: SharedValues::default(),
            processes: SharedValues::default(),
            names: None,
        }
    }

    /// The host.
    pub const fn host(&self) -> HostNumber {
        self.host
    }

    /// What the host itself calls what was met so far.
    pub const fn numbers(&self) -> &Arc<HostNumbers> {
        &self.numbers
    }

    /// Whether there are so many namespaces or users that some are not told apart.
    pub fn are_full(&self) -> bool {
        self.numbers.namespaces.len() >= NUMBERS_MAX || self.numbers.uids.len() >= NUMBERS_MAX
    }

    /// The network namespace `netns`.
    pub fn netns(&mut self, netns: NetnsId) -> NetnsId {
        if let Some(known) = self.namespaces.get(&netns) {
            return *known;
        }
        let nth = self.numbers.namespaces.len();
        let number = NetnsId(self.host.short(nth));
        if nth < NUMBERS_MAX {
            Arc::make_mut(&mut self.numbers).namespaces.push(netns);
            self.namespaces.insert(netns, number);
        }
        number
    }

    /// The user `uid`.
    pub fn uid(&mut self, uid: u32) -> u32 {
        if let Some(known) = self.uids.get(&uid) {
            return *known;
        }
        let nth = self.numbers.uids.len();
        let number = self.host.short(nth);
        if nth < NUMBERS_MAX {
            Arc::make_mut(&mut self.numbers).uids.push(uid);
            self.uids.insert(uid, number);
        }
        number
    }

    /// The socket `id`.
    pub fn socket(&mut self, id: SocketId) -> SocketId {
        id.in_namespace(self.netns(id.netns()))
    }

    /// The control group `cgroup`.
    pub fn cgroup(&self, cgroup: NonZeroU64) -> NonZeroU64 {
        NonZeroU64::new(self.host.long(cgroup.get())).unwrap_or(cgroup)
    }

    /// The process `id`: its pid stays, the start time tells it from those of other hosts.
    pub const fn process(&self, id: ProcessId) -> ProcessId {
        ProcessId { start_ticks: self.host.long(id.start_ticks), ..id }
    }

    /// Whose a socket is.
    pub fn owner(&mut self, owner: &Owner) -> Owner {
        match owner {
            Owner::Live(holders) => Owner::Live(self.holders_of(holders)),
            Owner::Remembered(holders) => Owner::Remembered(self.holders_of(holders)),
            Owner::Unaccepted | Owner::Hidden | Owner::Unseen | Owner::Vanished | Owner::None => owner.clone(),
        }
    }

    fn holders_of(&mut self, holders: &Arc<Holders>) -> Arc<Holders> {
        if let Some(known) = self.holders.find(holders) {
            return known;
        }
        let processes = holders.all().iter().map(|process| self.shared_process(process)).collect();
        // Holders are never empty.
        let made = Holders::new(processes).map_or_else(|| Arc::clone(holders), Arc::new);
        self.holders.keep(holders, &made);
        made
    }

    fn shared_process(&mut self, process: &Arc<Process>) -> Arc<Process> {
        if let Some(known) = self.processes.find(process) {
            return known;
        }
        let uid = process.uid.map(|uid| self.uid(uid));
        let made = Arc::new(Process { id: self.process(process.id), uid, ..Process::clone(process) });
        self.processes.keep(process, &made);
        made
    }

    /// What numbers are called. The same value for the same names.
    pub fn names(&mut self, names: &Arc<Names>) -> Arc<Names> {
        if let Some((from, made)) = &self.names
            && Arc::ptr_eq(from, names)
        {
            return Arc::clone(made);
        }
        let of = &**names;
        let made = Arc::new(Names {
            users: of.users.iter().map(|(uid, name)| (self.uid(*uid), name.clone())).collect(),
            interfaces: self.by_interface(&of.interfaces),
            namespaces: of.namespaces.iter().map(|(netns, name)| (self.netns(*netns), name.clone())).collect(),
            own: of.own.map(|own| self.netns(own)),
            reachable: self.by_interface(&of.reachable),
            units: of.units.iter().map(|(unit, name)| (self.host.long(*unit), name.clone())).collect(),
            hosts: of.hosts.clone(),
        });
        self.names = Some((Arc::clone(names), Arc::clone(&made)));
        made
    }

    fn by_interface<T: Clone>(&mut self, of: &BTreeMap<(NetnsId, u32), T>) -> BTreeMap<(NetnsId, u32), T> {
        of.iter().map(|((netns, index), value)| ((self.netns(*netns), *index), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{process, tcp};

    fn ids(place: usize) -> HostIds {
        HostIds::new(HostNumber::at(place).expect("there is room"))
    }

    #[test]
    fn the_same_numbers_of_two_hosts_are_two() {
        let [mut a, mut b] = [0, 1].map(ids);
        let socket = tcp(1).netns(7).build();
        assert_ne!(a.socket(socket.id), b.socket(socket.id));
        assert_eq!(a.socket(socket.id), a.socket(socket.id));
        assert_eq!(a.socket(socket.id).cookie(), socket.id.cookie(), "the cookie is that of the kernel");
        let owner = tcp(1).held_by(&[process(7, "nginx")]).build().owner;
        let [of_a, of_b] = [&mut a, &mut b].map(|ids| ids.owner(&owner).process().expect("held").id);
        assert_ne!(of_a, of_b);
        assert_eq!([of_a.pid, of_b.pid], [7, 7]);
        assert_ne!(a.uid(1_000), b.uid(1_000));
        let cgroup = NonZeroU64::new(77).expect("not 0");
        assert_ne!(a.cgroup(cgroup), b.cgroup(cgroup));
    }

    #[test]
    fn what_was_shared_is_shared_again_and_what_is_gone_is_forgotten() {
        let mut ids = ids(0);
        let kept = tcp(1).held_by(&[process(1, "kept")]).build().owner;
        let first = ids.owner(&kept);
        for pid in 2..20_000 {
            ids.owner(&tcp(1).held_by(&[process(pid, "short")]).build().owner);
        }
        let again = ids.owner(&kept);
        assert!(Arc::ptr_eq(first.holders().expect("held"), again.holders().expect("held")));
        assert!(ids.holders.known.len() <= 2 * SWEEP_MIN, "{}", ids.holders.known.len());
        assert!(ids.processes.known.len() <= 4 * SWEEP_MIN, "{}", ids.processes.known.len());
    }

    #[test]
    fn a_host_with_very_many_namespaces_takes_bounded_memory() {
        let mut ids = ids(63);
        let all: std::collections::BTreeSet<NetnsId> = (0..200_000).map(|netns| ids.netns(NetnsId(netns))).collect();
        assert_eq!(all.len(), NUMBERS_MAX + 1, "all beyond share one");
        assert!(ids.are_full() && ids.numbers.namespaces.len() == NUMBERS_MAX);
    }
}
