//! Whose a socket is: finds the processes that hold its inode, remembers them, and keeps what it remembers true.
//!
//! A walk over all descriptors costs more than the dump of all sockets, so it is avoided: no socket without a known
//! holder, no search. A search takes new processes and those whose descriptors changed first and stops when all are
//! found. In between, a little of every sample is spent on looking again at processes in turn, so that a socket
//! passed on, shared by fork or kept alone by a survivor is put right. The dump always comes first: an attribution
//! never predates it.

mod holdings;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::io::Errno;

use self::holdings::Holdings;
use self::walk::{Found, Visit, walk_all};
use crate::model::endpoint::Protocol;
use crate::model::process::Owner;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::proc_dir::{Entry, ProcDir, ProcessDir};
use crate::source::linux::processes::{Describer, Now};
use crate::source::linux::threads;

/// How long one sample may spend on looking again at what is believed.
const RECHECK_BUDGET: Duration = Duration::from_millis(3);
/// A process is looked at again after this time,
const RECHECK_AFTER: Duration = Duration::from_secs(5);
/// or this many times what looking at it took, if that is longer: at most a fiftieth of a core for one giant.
const RECHECK_DUTY: u32 = 50;
/// After a search that took longer than this,
const SEARCH_FREE: Duration = Duration::from_millis(20);
/// the next one waits for this many times what it took: at most a fifth of a core while sockets come and go.
const SEARCH_DUTY: u32 = 4;
/// A search for at least this many sockets takes two threads, if it can,
const WIDE_SEARCH_MIN: usize = 4_000;
/// and so many processes at a time, as each is kept open meanwhile.
const WIDE_SEARCH_STEP: usize = 128;
/// `/proc` is listed for new processes this often when nothing is sought.
const LIST_AFTER: Duration = Duration::from_secs(1);
/// A socket that no process has is sought again after this time, then after twice that, and so on,
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// up to this.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Finds and remembers the owners of sockets.
#[derive(Debug)]
pub struct Owners {
    proc: ProcDir,
    /// For a second thread; `None` where there is no core for it.
    second: Option<ProcDir>,
    describer: Describer,
    watched: FxHashMap<u32, Watched>,
    holdings: Holdings,
    unresolved: FxHashMap<u32, Retry>,
    listed_at: Option<Timestamp>,
    /// Not to search before this moment.
    search_after: Timestamp,
    /// Buffers, kept for their memory.
    entries: Vec<Entry>,
    pending: Vec<u32>,
}

/// A process in `/proc`.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// The inode of `/proc/PID`, a cheap sign of identity.
    entry_inode: u64,
    /// `stat("/proc/PID/fd")` before the last walk.
    fd_inode: u64,
    fd_count: u64,
    /// `None` before the first walk.
    walked_at: Option<Timestamp>,
    walk_took: Duration,
    /// The number of its descriptors has changed since the last walk.
    changed: bool,
    unreadable: bool,
    /// It holds no descriptors and never will.
    kernel_thread: bool,
}

/// When to seek a socket again that no process had.
#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Timestamp,
    wait: Duration,
    seen_at: Timestamp,
}

/// What could not be seen while owners were sought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blind {
    /// Processes whose descriptors this user may not read.
    pub processes_unreadable: u32,
    /// Sockets that some process holds, but none that could be looked into.
    pub owners_hidden: u32,
    /// Sockets whose holder was not found, whatever the reason.
    pub owners_unresolved: u32,
    /// Why the search itself failed (descriptors or memory run out).
    pub error: Option<Errno>,
}

impl Owners {
    /// Nothing is known yet; the first sample will walk.
    pub fn open() -> Result<Self, Errno> {
        Ok(Self {
            proc: ProcDir::open()?,
            second: if threads::cores() > 1 { ProcDir::open().ok() } else { None },
            describer: Describer::default(),
            watched: FxHashMap::default(),
            holdings: Holdings::default(),
            unresolved: FxHashMap::default(),
            listed_at: None,
            search_after: Timestamp(0),
            entries: Vec::new(),
            pending: Vec::new(),
        })
    }

    /// The directory of a process, for other readers.
    pub fn process_dir(&self, pid: u32) -> Result<ProcessDir, Errno> {
        self.proc.process(pid)
    }

    /// The pids of all processes that the last listing showed, in no order.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.watched.iter().filter(|(_, watched)| !watched.kernel_thread).map(|(pid, _)| *pid)
    }

    /// Fills in the owner of every socket of a dump that was taken before the call. `some_invisible` says that
    /// processes exist that `/proc` does not list, so that a socket without a holder is not nobody's.
    pub fn attribute(&mut self, sockets: &mut [Socket], now: Now, some_invisible: bool) -> Blind {
        let blind = self.attribute_part(sockets, now, some_invisible);
        self.unresolved.retain(|_, retry| retry.seen_at == now.at);
        blind
    }

    /// The same for a part of all sockets; nothing is forgotten of the others.
    pub fn attribute_part(&mut self, sockets: &mut [Socket], now: Now, some_invisible: bool) -> Blind {
        let error = self.refresh(now).err();
        let blind = self.attribute_more(sockets, now, some_invisible);
        Blind { error: error.or(blind.error), ..blind }
    }

    /// The same for sockets that complete the sample of `now`.
    pub fn attribute_more(&mut self, sockets: &mut [Socket], now: Now, some_invisible: bool) -> Blind {
        let mut blind = Blind::default();
        self.pending.clear();
        for (index, socket) in sockets.iter_mut().enumerate() {
            match socket.inode.map(|inode| self.holdings.holders(inode.get())) {
                None => socket.owner = owner_without_inode(socket.protocol, socket.state),
                Some(Some(holders)) => socket.owner = Owner::Live(Arc::clone(holders)),
                Some(None) => self.pending.extend(u32::try_from(index)),
            }
        }
        if !self.pending.is_empty() {
            blind.error = self.resolve(sockets, now).err();
        }
        blind.processes_unreadable = count(self.watched.values().filter(|watched| watched.unreadable));
        let hidden = some_invisible || blind.processes_unreadable > 0 || blind.error.is_some();
        for index in std::mem::take(&mut self.pending) {
            let Some(socket) = sockets.get_mut(index as usize) else {
                continue;
            };
            let holders = socket.inode.and_then(|inode| self.holdings.holders(inode.get()));
            socket.owner = match holders {
                Some(holders) => Owner::Live(Arc::clone(holders)),
                None if hidden => Owner::Hidden,
                None => Owner::None,
            };
            blind.owners_unresolved += u32::from(holders.is_none());
        }
        blind.owners_hidden = if hidden { blind.owners_unresolved } else { 0 };
        blind
    }

    /// Makes sure that what is remembered is still true, within the budget of one sample.
    fn refresh(&mut self, now: Now) -> Result<(), Errno> {
        let begun = clock::now().0;
        self.check_holders();
        if self.listed_at.is_none_or(|listed_at| now.at.since(listed_at) >= LIST_AFTER) {
            self.list(now)?;
        }
        let mut due: Vec<_> =
            self.watched.iter().filter_map(|(pid, watched)| recheck_rank(*pid, watched, now)).collect();
        due.sort_unstable();
        for (_, _, pid) in due {
            self.walk(pid, now)?;
            if clock::now().0.since(begun) > RECHECK_BUDGET {
                break;
            }
        }
        self.holdings.tidy();
        Ok(())
    }

    /// One stat(2) a holder tells the dead, the reborn and those with other descriptors than before.
    fn check_holders(&mut self) {
        let pids: Vec<_> = self.holdings.pids().collect();
        for pid in pids {
            let hint = match self.proc.fd_hint(pid) {
                Ok(hint) => hint,
                Err(Errno::NOENT | Errno::SRCH) => {
                    self.forget(pid);
                    continue;
                }
                Err(_) => continue,
            };
            let Some(watched) = self.watched.get_mut(&pid) else {
                continue;
            };
            watched.changed |= hint.count != watched.fd_count;
            if hint.inode != watched.fd_inode {
                watched.fd_inode = hint.inode;
                self.check_identity(pid);
            }
        }
    }

    /// Forgets what is known of `pid` if another process has it now.
    fn check_identity(&mut self, pid: u32) {
        let start_ticks = self.proc.process(pid).ok().and_then(|directory| self.describer.identify(&directory));
        let known = self.holdings.process(pid).map(|process| process.id.start_ticks);
        if known.is_none() || known != start_ticks.map(|(ticks, _)| ticks) {
            self.holdings.forget(pid);
            self.watched.insert(pid, Watched::default());
        }
    }

    /// Brings `watched` in line with the processes there are.
    fn list(&mut self, now: Now) -> Result<(), Errno> {
        self.listed_at = Some(now.at);
        let mut entries = std::mem::take(&mut self.entries);
        let listed = self.proc.list(&mut entries);
        if listed.is_ok() {
            let gone = |pid: &u32| entries.binary_search_by_key(pid, |entry| entry.pid).is_err();
            let gone: Vec<_> = self.watched.keys().copied().filter(gone).collect();
            for pid in gone {
                self.forget(pid);
            }
        }
        for entry in &entries {
            let new = !self.watched.contains_key(&entry.pid);
            let watched = self.watched.entry(entry.pid).or_default();
            let before = std::mem::replace(&mut watched.entry_inode, entry.inode);
            if !new && before != entry.inode {
                self.check_identity(entry.pid);
                self.watched.entry(entry.pid).or_default().entry_inode = entry.inode;
            }
        }
        self.entries = entries;
        listed
    }

    fn forget(&mut self, pid: u32) {
        self.holdings.forget(pid);
        self.watched.remove(&pid);
    }

    /// Looks at all descriptors of one process; returns the sockets. That it is gone or may not be read is no error.
    fn walk(&mut self, pid: u32, now: Now) -> Result<Vec<u32>, Errno> {
        let begun = clock::now().0;
        match Visit::begin(&self.proc, pid) {
            Ok(visit) => {
                let found = visit.walk(&mut self.proc);
                self.conclude(&visit, found, now)
            }
            Err(error) => self.note_closed(pid, error, begun).map(|()| Vec::new()),
        }
    }

    /// The same for several processes, on two threads.
    fn walk_all(&mut self, pids: impl Iterator<Item = u32>, now: Now) -> Result<Vec<Vec<u32>>, Errno> {
        let Some(mut second) = self.second.take() else {
            return pids.map(|pid| self.walk(pid, now)).collect();
        };
        let begun = clock::now().0;
        let mut visits = Vec::new();
        for pid in pids {
            match Visit::begin(&self.proc, pid) {
                Ok(visit) => visits.push(visit),
                Err(error) => self.note_closed(pid, error, begun)?,
            }
        }
        let found = walk_all(&visits, &mut self.proc, &mut second);
        self.second = Some(second);
        visits.iter().zip(found).map(|(visit, found)| self.conclude(visit, found, now)).collect()
    }

    /// Remembers what a walk found; returns the sockets.
    fn conclude(&mut self, visit: &Visit, found: Found, now: Now) -> Result<Vec<u32>, Errno> {
        let Found { mut inodes, count, took, error } = found;
        if let Some(error) = error {
            return self.note_closed(visit.pid, error, visit.begun).map(|()| Vec::new());
        }
        let identity = if count == 0 { self.describer.identify(&visit.directory) } else { None };
        let kernel_thread = identity.is_some_and(|(_, kernel_thread)| kernel_thread);
        self.hold(visit, &mut inodes, now);
        let watched = self.watched.entry(visit.pid).or_default();
        (watched.changed, watched.unreadable, watched.kernel_thread) = (false, false, kernel_thread);
        if let Some(hint) = visit.hint {
            (watched.fd_inode, watched.fd_count) = (hint.inode, hint.count);
        }
        (watched.walked_at, watched.walk_took) = (Some(visit.begun), took);
        Ok(inodes)
    }

    /// Enters the sockets just found in a process.
    fn hold(&mut self, visit: &Visit, inodes: &mut Vec<u32>, now: Now) {
        if inodes.is_empty() {
            return self.holdings.forget(visit.pid);
        }
        // Described again each time: exec(2) gives it another name and command line.
        match self.describer.describe(&visit.directory, visit.pid, now) {
            Ok(process) => self.holdings.set(&Arc::new(process), inodes),
            Err(_) => self.holdings.forget(visit.pid),
        }
    }

    /// A process could not be looked through: it is gone, or this user may not. Anything else is an error of ours.
    fn note_closed(&mut self, pid: u32, error: Errno, begun: Timestamp) -> Result<(), Errno> {
        match error {
            Errno::NOENT | Errno::SRCH => self.forget(pid),
            Errno::ACCESS | Errno::PERM => {
                self.holdings.forget(pid);
                self.note_unreadable(pid, begun);
            }
            error => return Err(error),
        }
        Ok(())
    }

    fn note_unreadable(&mut self, pid: u32, walked_at: Timestamp) {
        let watched = self.watched.entry(pid).or_default();
        if !watched.unreadable {
            let directory = self.proc.process(pid).ok();
            let identity = directory.and_then(|directory| self.describer.identify(&directory));
            watched.kernel_thread = identity.is_some_and(|(_, kernel_thread)| kernel_thread);
        }
        watched.unreadable = !watched.kernel_thread;
        watched.changed = false;
        watched.walked_at = Some(walked_at);
        watched.walk_took = clock::now().0.since(walked_at);
    }

    /// Seeks the holders of the pending sockets.
    fn resolve(&mut self, sockets: &[Socket], now: Now) -> Result<(), Errno> {
        let mut wanted = self.wanted(sockets, now);
        let begun = clock::now().0;
        if wanted.is_empty() || begun < self.search_after {
            return Ok(());
        }
        if self.listed_at != Some(now.at) {
            self.list(now)?;
        }
        let mut candidates: Vec<_> =
            self.watched.iter().map(|(pid, watched)| (self.tier(*pid, watched), *pid)).collect();
        candidates.sort_unstable();
        let step = if wanted.len() >= WIDE_SEARCH_MIN { WIDE_SEARCH_STEP } else { 1 };
        self.holdings.reserve(wanted.len());
        for batch in candidates.chunks(step) {
            if wanted.is_empty() && batch.first().is_some_and(|(tier, _)| *tier >= Tier::Holder) {
                break;
            }
            let due: Vec<_> = batch.iter().map(|(_, pid)| *pid).filter(|pid| self.is_to_walk(*pid, now)).collect();
            let found = match due.as_slice() {
                [] => continue,
                [pid] if step == 1 => vec![self.walk(*pid, now)?],
                _ => self.walk_all(due.into_iter(), now)?,
            };
            for inode in found.iter().flatten() {
                wanted.remove(inode);
            }
        }
        wanted.retain(|inode| self.holdings.holders(*inode).is_none());
        for inode in wanted {
            self.back_off(inode, now);
        }
        let ended = clock::now().0;
        let took = ended.since(begun);
        self.search_after = if took > SEARCH_FREE { ended.after(took * SEARCH_DUTY) } else { ended };
        Ok(())
    }

    /// Whether a search has still to look at this process.
    fn is_to_walk(&self, pid: u32, now: Now) -> bool {
        let watched = self.watched.get(&pid).copied().unwrap_or_default();
        !watched.kernel_thread && watched.walked_at.is_none_or(|walked_at| walked_at < now.at)
    }

    /// The inodes of the pending sockets that are worth a search now.
    fn wanted(&mut self, sockets: &[Socket], now: Now) -> FxHashSet<u32> {
        let mut wanted = FxHashSet::default();
        for index in &self.pending {
            let Some(inode) = sockets.get(*index as usize).and_then(|socket| socket.inode) else {
                continue;
            };
            let retry = self.unresolved.get_mut(&inode.get());
            let not_yet = retry.is_some_and(|retry| {
                retry.seen_at = now.at;
                retry.at > now.at
            });
            if !not_yet {
                wanted.insert(inode.get());
            }
        }
        wanted
    }

    fn tier(&self, pid: u32, watched: &Watched) -> Tier {
        let holder = self.holdings.process(pid).is_some();
        match (watched.walked_at, holder) {
            (None, _) => Tier::New,
            (Some(_), true) if watched.changed => Tier::ChangedHolder,
            (Some(_), true) => Tier::Holder,
            (Some(_), false) => Tier::Other,
        }
    }

    fn back_off(&mut self, inode: u32, now: Now) {
        let wait = self.unresolved.get(&inode).map_or(RETRY_FIRST, |retry| (retry.wait * 2).min(RETRY_MAX));
        self.unresolved.insert(inode, Retry { at: now.at.after(wait), wait, seen_at: now.at });
    }
}

/// In which order a search walks; it stops only from [`Tier::Holder`] on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    New,
    ChangedHolder,
    Holder,
    Other,
}

/// The place of a process in the queue of those to look at again: changed and new ones first, then the longest
/// not looked at; `None` if it is not due.
fn recheck_rank(pid: u32, watched: &Watched, now: Now) -> Option<(bool, Option<Timestamp>, u32)> {
    let urgent = watched.changed || watched.walked_at.is_none();
    let after = if urgent { Duration::ZERO } else { RECHECK_AFTER };
    let wait = after.max(watched.walk_took.saturating_mul(RECHECK_DUTY));
    let due = watched.walked_at.is_none_or(|walked_at| now.at.since(walked_at) >= wait);
    (due && !watched.kernel_thread).then_some((!urgent, watched.walked_at, pid))
}

/// A connection is in the accept queue while it has no inode. Once its owner has closed it, it leaves `ESTABLISHED`
/// and `CLOSE_WAIT` in the same breath (`tcp_close`), so that without an inode in these two means: not accepted yet.
/// The other states without an inode are orphans and mini-sockets.
fn owner_without_inode(protocol: Protocol, state: TcpState) -> Owner {
    match (protocol, state) {
        (Protocol::Tcp, TcpState::Established | TcpState::CloseWait) => Owner::Unaccepted,
        _ => Owner::None,
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(millis: u64) -> Now {
        Now { at: Timestamp::from_millis(millis), ..Now::default() }
    }

    #[test]
    fn without_an_inode_only_two_states_mean_not_accepted() {
        for row in &crate::model::tcp_state::STATES {
            let owner = owner_without_inode(Protocol::Tcp, row.state);
            let waiting = matches!(row.state, TcpState::Established | TcpState::CloseWait);
            assert_eq!(owner == Owner::Unaccepted, waiting, "{}", row.name);
        }
        assert_eq!(owner_without_inode(Protocol::Udp, TcpState::Established), Owner::None);
    }

    #[test]
    fn changed_and_new_processes_are_looked_at_first_then_the_longest_unseen() {
        let walked = |millis, changed| Watched {
            walked_at: Some(Timestamp::from_millis(millis)),
            changed,
            ..Watched::default()
        };
        let processes =
            [(1, walked(2_000, false)), (2, walked(1_000, false)), (3, walked(9_000, true)), (4, Watched::default())];
        let mut due: Vec<_> =
            processes.iter().filter_map(|(pid, watched)| recheck_rank(*pid, watched, now(10_000))).collect();
        due.sort_unstable();
        assert_eq!(due.iter().map(|(_, _, pid)| *pid).collect::<Vec<_>>(), [4, 3, 2, 1]);
    }

    #[test]
    fn a_giant_is_looked_at_again_less_often() {
        let walked_at = Some(Timestamp::from_millis(1_000));
        let giant = Watched { walked_at, walk_took: Duration::from_millis(200), ..Watched::default() };
        assert_eq!(recheck_rank(1, &giant, now(10_999)), None);
        assert!(recheck_rank(1, &giant, now(11_000)).is_some());
        let kernel_thread = Watched { kernel_thread: true, ..giant };
        assert_eq!(recheck_rank(1, &kernel_thread, now(99_000)), None);
    }
}
