//! Which processes hold which sockets: the index from inode to [`Holders`]. Pure; the walking is `owners`' part.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::pair_table::PairTable;
use crate::model::process::{Holders, Process};

/// More sockets than a machine has; beyond it new ones get no owner instead of eating memory.
const INODES_MAX: usize = 8_000_000;

/// The sockets of every process walked, and from them the holders of every socket.
///
/// Sockets with the same holders share one value: a thousand connections of one server cost one, and a number each.
#[derive(Debug, Default)]
pub struct HolderIndex {
    /// The number of its holders, by the inode of each socket; every inode is in it once.
    holders_of: PairTable,
    held_by: FxHashMap<u32, HeldSockets>,
    /// The holders, by their number; `None` is a number that waits to be used again.
    sets: Vec<Option<HolderSet>>,
    free: Vec<u32>,
    /// The number of the holders, by the numbers of the descriptor tables ([`Process::table`]).
    numbers: FxHashMap<Box<[u32]>, u32>,
    changes: u64,
}

#[derive(Debug)]
struct HeldSockets {
    process: Arc<Process>,
    /// Ascending, each once.
    inodes: Box<[u32]>,
}

/// Processes that hold the same sockets.
#[derive(Debug)]
struct HolderSet {
    holders: Arc<Holders>,
    /// How many sockets have these holders.
    sockets: u32,
}

impl HolderIndex {
    /// The processes that hold the socket `inode`.
    pub fn holders(&self, inode: u32) -> Option<&Arc<Holders>> {
        let number = self.number_of(inode)?;
        self.sets.get(number as usize)?.as_ref().map(|set| &set.holders)
    }

    /// Another number means that some process holds other sockets than before.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Makes room for `len` sockets more, at once.
    pub fn reserve(&mut self, len: usize) {
        self.holders_of.reserve(len.min(INODES_MAX));
    }

    /// The process `pid`, if it holds sockets; by the number of a thread, what that holds in a table of its own.
    pub fn process(&self, pid: u32) -> Option<&Arc<Process>> {
        self.held_by.get(&pid).map(|held| &held.process)
    }

    /// The numbers of the processes that hold sockets, and of the threads with a table of their own, in no order.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.held_by.keys().copied()
    }

    /// Says that `process` (or the thread of it that it names) holds exactly the sockets `inodes`; puts them in order.
    pub fn set(&mut self, process: &Arc<Process>, inodes: &mut Vec<u32>) {
        inodes.sort_unstable();
        inodes.dedup();
        let pid = process.table();
        if self.process(pid).is_some_and(|known| *known != *process) {
            self.forget(pid);
        }
        if inodes.is_empty() {
            return self.forget(pid);
        }
        let held = self
            .held_by
            .entry(pid)
            .or_insert_with(|| HeldSockets { process: Arc::clone(process), inodes: Box::default() });
        let process = Arc::clone(&held.process);
        let before = std::mem::take(&mut held.inodes);
        for inode in missing_from(&before, inodes) {
            self.take(inode, pid);
        }
        self.give(missing_from(inodes, &before), &process);
        // As long as it is, not as long as it has ever been.
        let now = inodes.as_slice().into();
        self.held_by.entry(pid).and_modify(|held| held.inodes = now);
    }

    /// Says that process or thread `pid` is gone, or holds nothing.
    pub fn forget(&mut self, pid: u32) {
        let Some(held) = self.held_by.remove(&pid) else {
            return;
        };
        for inode in held.inodes {
            self.take(inode, pid);
        }
        self.drop_sets(|set, tables| set.sockets == 0 && tables.contains(&pid));
    }

    /// Drops the sets of holders that no socket has any more.
    pub fn tidy(&mut self) {
        self.drop_sets(|set, _| set.sockets == 0 && Arc::strong_count(&set.holders) == 1);
    }

    /// Drops the sets of holders that `is_over`, which no socket has.
    fn drop_sets(&mut self, is_over: impl Fn(&HolderSet, &[u32]) -> bool) {
        let Self { sets, free, numbers, .. } = self;
        numbers.retain(|tables, number| {
            let Some(slot) = sets.get_mut(*number as usize) else { return false };
            let dropped = slot.take_if(|set| is_over(set, tables)).is_some();
            free.extend(dropped.then_some(*number));
            !dropped
        });
    }

    fn number_of(&self, inode: u32) -> Option<u32> {
        self.holders_of.find(inode, |_| true)
    }

    fn give(&mut self, inodes: impl Iterator<Item = u32>, process: &Arc<Process>) {
        let mut alone = None;
        for inode in inodes {
            self.changes = self.changes.wrapping_add(1);
            // Most sockets have one holder, and those of one process share the value that says so.
            if self.number_of(inode).is_some() {
                self.share(inode, process);
            } else if self.holders_of.len() < INODES_MAX {
                alone = alone.or_else(|| self.set_of(vec![Arc::clone(process)]));
                self.assign(inode, alone);
            }
        }
    }

    fn share(&mut self, inode: u32, process: &Arc<Process>) {
        let mut processes = self.holders(inode).map(|holders| holders.all().to_vec()).unwrap_or_default();
        let place =
            processes.partition_point(|other| (other.id.pid, other.table()) < (process.id.pid, process.table()));
        processes.insert(place, Arc::clone(process));
        let number = self.set_of(processes);
        self.assign(inode, number);
    }

    fn take(&mut self, inode: u32, pid: u32) {
        self.changes = self.changes.wrapping_add(1);
        let Some(holders) = self.holders(inode) else {
            return;
        };
        let left = holders.all().iter().filter(|process| process.table() != pid).cloned().collect();
        let number = self.set_of(left);
        self.assign(inode, number);
    }

    /// From now on the socket `inode` has the holders with this number; `None`: nobody holds it.
    fn assign(&mut self, inode: u32, number: Option<u32>) {
        if let Some(before) = self.number_of(inode) {
            self.holders_of.remove(inode, before);
            if let Some(Some(set)) = self.sets.get_mut(before as usize) {
                set.sockets -= 1;
            }
        }
        if let Some(number) = number
            && let Some(Some(set)) = self.sets.get_mut(number as usize)
        {
            set.sockets += 1;
            self.holders_of.insert(inode, number);
        }
    }

    /// The number of the one value for these processes; `None` for none.
    fn set_of(&mut self, processes: Vec<Arc<Process>>) -> Option<u32> {
        let tables: Box<[u32]> = processes.iter().map(|process| process.table()).collect();
        if let Some(known) = self.numbers.get(&tables) {
            return Some(*known);
        }
        let set = HolderSet { holders: Arc::new(Holders::new(processes)?), sockets: 0 };
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.sets.len()).ok()?,
        };
        match self.sets.get_mut(number as usize) {
            Some(slot) => *slot = Some(set),
            None => self.sets.push(Some(set)),
        }
        self.numbers.insert(tables, number);
        Some(number)
    }
}

/// What is in `all` and not in `other`, both ascending.
fn missing_from<'a>(all: &'a [u32], other: &'a [u32]) -> impl Iterator<Item = u32> + use<'a> {
    let mut other = other.iter().peekable();
    all.iter().copied().filter(move |inode| {
        while other.next_if(|candidate| *candidate < inode).is_some() {}
        other.peek() != Some(&inode)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::model::process::ProcessId;

    fn process(pid: u32, start_ticks: u64) -> Arc<Process> {
        Arc::new(Process {
            id: ProcessId { pid, start_ticks },
            parent_pid: 1,
            name: "server".into(),
            command: "server --run".into(),
            uid: Some(0),
            started: None,
            is_container_init: false,
            thread: None,
        })
    }

    fn pids_of(holder_index: &HolderIndex, inode: u32) -> Vec<u32> {
        let holders = holder_index.holders(inode).map(|holders| holders.all());
        holders.unwrap_or_default().iter().map(|process| process.id.pid).collect()
    }

    #[test]
    fn all_workers_of_a_shared_listener_are_its_holders() {
        let mut holder_index = HolderIndex::default();
        for pid in [12, 10, 11] {
            holder_index.set(&process(pid, 5), &mut vec![100, 200 + pid]);
        }
        assert_eq!(pids_of(&holder_index, 100), [10, 11, 12]);
        assert_eq!(pids_of(&holder_index, 211), [11]);
        holder_index.forget(10);
        assert_eq!(pids_of(&holder_index, 100), [11, 12]);
        holder_index.set(&process(11, 5), &mut vec![211]);
        assert_eq!(pids_of(&holder_index, 100), [12]);
    }

    #[test]
    fn sockets_with_the_same_holders_share_one_value() {
        let mut holder_index = HolderIndex::default();
        holder_index.set(&process(1, 5), &mut vec![7, 8, 9]);
        holder_index.set(&process(2, 5), &mut vec![8, 9]);
        let holders = |inode| holder_index.holders(inode).expect("held");
        assert!(Arc::ptr_eq(holders(8), holders(9)));
        assert!(!Arc::ptr_eq(holders(7), holders(8)));
    }

    #[test]
    fn a_new_name_or_a_reused_pid_replaces_the_process_everywhere() {
        let mut holder_index = HolderIndex::default();
        holder_index.set(&process(1, 5), &mut vec![7, 8]);
        holder_index.set(&process(2, 5), &mut vec![8]);
        let renamed = Arc::new(Process { name: "other".into(), ..(*process(1, 5)).clone() });
        holder_index.set(&renamed, &mut vec![7, 8]);
        assert_eq!(holder_index.holders(7).expect("held").first().name.as_str(), "other");
        assert_eq!(holder_index.holders(8).expect("held").first().name.as_str(), "other");
        holder_index.set(&process(1, 99), &mut vec![8]);
        assert!(pids_of(&holder_index, 7).is_empty());
        assert_eq!(holder_index.holders(8).expect("held").first().id.start_ticks, 99);
    }

    proptest! {
        #[test]
        fn whatever_is_set_and_forgotten_the_index_agrees(
            steps in proptest::collection::vec((0u32..6, proptest::collection::vec(0u32..8, 0..6), any::<bool>()), 0..40)
        ) {
            let mut holder_index = HolderIndex::default();
            let mut model: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (pid, mut inodes, forget) in steps {
                if forget {
                    holder_index.forget(pid);
                    model.remove(&pid);
                } else {
                    model.insert(pid, inodes.iter().copied().collect());
                    holder_index.set(&process(pid, 5), &mut inodes);
                }
                holder_index.tidy();
                for inode in 0..8 {
                    let expected: Vec<_> = model.iter().filter(|(_, held)| held.contains(&inode)).map(|(pid, _)| *pid).collect();
                    prop_assert_eq!(pids_of(&holder_index, inode), expected);
                }
            }
            let sets: Vec<_> = holder_index.sets.iter().flatten().collect();
            prop_assert!(sets.len() <= 8 && sets.iter().all(|set| set.sockets > 0));
            let held: u32 = sets.iter().map(|set| set.sockets).sum();
            prop_assert_eq!(held as usize, holder_index.holders_of.len());
        }
    }
}
