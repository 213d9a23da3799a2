//! Whose a socket is: finds the processes that hold its inode, remembers them, and keeps what it remembers true.
//!
//! A walk over all descriptors costs more than the dump of all sockets, so it is avoided: no socket without a known
//! holder, no search. A search takes new processes and those whose descriptors changed first and stops when all are
//! found; in a process that it knows it looks only at what can be new. In between, a little of every sample is spent on looking again at processes in turn, so that a socket
//! passed on, shared by fork or kept alone by a survivor is put right. The dump always comes first: an attribution
//! never predates it.
//!
//! What is not found is told apart: closed before its process was looked at (`vanished`), held where this user or this
//! `/proc` shows nothing (`hidden`), held by nobody (`none`). The last one takes proof: the kernel says that the socket is
//! still there after everything was looked through, twice.

mod counts;
mod giant;
mod holder_index;
mod narrow;
mod search;
mod tables;
pub mod unlisted;
mod walk;

use std::cell::OnceCell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::io::Errno;

use self::counts::DescriptorLimit;
use self::holder_index::HolderIndex;
use self::search::{RETRY_FIRST, RETRY_MAX};
use self::unlisted::UnlistedRecords;
use self::walk::{DescriptorWalk, Visit, walk_all};
use crate::model::descriptors::Descriptors;
use crate::model::endpoint::Protocol;
use crate::model::process::{Holders, Owner, Process, ProcessId};
use crate::model::socket::{NetnsId, Socket};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::backoff::Backoff;
use crate::source::linux::proc_dir::{FdHint, ProcDir, ProcessDir, ProcessEntry, SocketFd};
use crate::source::linux::processes::{ClockReading, Describer};
use crate::source::linux::threads;

/// How long one sample may spend on looking again at processes whose sockets are known.
const RECHECK_BUDGET: Duration = Duration::from_millis(3);
/// The same where the kernel does not tell which processes have other descriptors than before (until Linux 6.2).
const RECHECK_BUDGET_WITHOUT_COUNTS: Duration = Duration::from_millis(10);
/// A process is looked at again after this time, and after twice that for each time in a row that found nothing new.
const RECHECK_AFTER: Duration = Duration::from_secs(5);
/// The time to the next look at a process doubles at most so often.
const QUIET_MAX: u32 = 4;
/// A process is looked at again after this many times what looking at it took, if that is longer: at most a fiftieth of a
/// core for one with very many descriptors.
const RECHECK_DUTY: u32 = 50;
/// A large one with as many descriptors as before is looked at again after this many times what looking at all processes
/// takes, if that is longer: a four-hundredth of a core, however many descriptors there are.
const RECHECK_ALL_DUTY: u32 = 400;
/// Large is what takes longer than this to look at: some 400 descriptors.
const RECHECK_LARGE: Duration = Duration::from_millis(1);
/// But not later than this.
const RECHECK_ALL_MAX: Duration = Duration::from_secs(10 * 60);
/// The name of a holder is read again after this time, for exec(2); so many of them a sample.
const DESCRIBE_AFTER: Duration = Duration::from_secs(2);
const DESCRIBED_MAX: usize = 32;
/// One sample asks so many processes that hold no socket whether they have other descriptors now: a millisecond.
const OTHERS_MAX: usize = 512;
/// `/proc` is listed for new processes this often when nothing is sought: with each sample a second.
const LIST_AFTER: Duration = Duration::from_millis(900);
/// After so many processes that could not be read, for other reasons than permissions, a sample gives up looking.
const FAILURES_MAX: u32 = 16;
/// One sample spends up to this on processes that are new: they may share sockets whose holders are known.
const NEW_BUDGET: Duration = Duration::from_millis(30);

/// Finds and remembers the owners of sockets.
#[derive(Debug)]
pub struct Owners {
    proc: ProcDir,
    /// For a second thread; `None` until it is needed.
    second: Option<ProcDir>,
    describer: Describer,
    watched: FxHashMap<u32, Watched>,
    holder_index: HolderIndex,
    /// The descriptors of each process that are sockets.
    descriptors: FxHashMap<u32, Box<[SocketFd]>>,
    /// The threads of a process that were found to have sockets in descriptor tables of their own.
    private: FxHashMap<u32, Vec<u32>>,
    unresolved: Backoff<u32>,
    /// Where the look for private tables goes on.
    next_table: u32,
    /// Some processes were not looked through for private tables: what was not found may be there.
    tables_left: bool,
    /// What this sample found to be closed before its holder was found.
    vanished: FxHashSet<u32>,
    /// Of what is still sought the kernel did not tell this sample whether it is there.
    unanswered: FxHashSet<u32>,
    /// The first error of this sample in reading processes, and how many there were.
    failed: Option<Errno>,
    failures: u32,
    /// Why the last listing of processes failed.
    list_failed: Option<Errno>,
    listed_at: Option<Timestamp>,
    /// Not to search before this moment.
    search_after: Timestamp,
    /// Where to go on asking processes that hold nothing.
    next_other: u32,
    /// The processes of the last listing, ascending.
    entries: Vec<ProcessEntry>,
    /// Kept for its memory.
    pending: Vec<u32>,
    /// The sample is for a narrow question, which does not take in processes that never were looked through where all that
    /// it wants is found.
    is_narrow: bool,
    descriptors_read: u64,
    /// The descriptors of the holders, as they were told last.
    told: Arc<Vec<(ProcessId, Descriptors)>>,
    unlisted: UnlistedRecords,
}

/// A process in `/proc`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a process")]
struct Watched {
    /// The inode of `/proc/PID`, a cheap sign of identity.
    entry_inode: u64,
    /// `stat("/proc/PID/fd")` before the last walk.
    fd_inode: u64,
    fd_count: u64,
    /// How many descriptors it has now, and when they were counted: `None` for "in this sample".
    count: u64,
    counted_at: Option<Timestamp>,
    /// How many it may have; `None` before that was read.
    limit: Option<DescriptorLimit>,
    /// `None` before the first walk.
    walked_at: Option<Timestamp>,
    /// When a search last looked at what may be new in it.
    partially_walked_at: Timestamp,
    walk_took: Duration,
    /// How often in a row a walk has found what was known.
    quiet: u32,
    /// When its name and command line were last read.
    described_at: Timestamp,
    /// The number of its descriptors has changed since the last walk.
    changed: bool,
    unreadable: bool,
    /// It is in another network namespace, where sockets of ours are not to be expected.
    elsewhere: bool,
    /// It could not be read the last time, for another reason than permissions.
    failed: Option<Errno>,
    /// It holds no descriptors and never will.
    kernel_thread: bool,
    /// How many threads it had when it was looked through for private descriptor tables, and when that was.
    threads: u32,
    tables_at: Option<Timestamp>,
}

impl Watched {
    /// Takes in the size of `/proc/PID/fd`, which says nothing before Linux 6.2.
    const fn note_count(&mut self, count: u64) {
        if count > 0 {
            (self.count, self.counted_at) = (count, None);
        }
    }
}

/// What could not be seen while owners were sought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerGaps {
    /// Processes whose descriptors this user may not read.
    pub processes_unreadable: u32,
    /// Sockets that some process holds, but none that could be looked into.
    pub owners_hidden: u32,
    /// Why the search itself failed: descriptors or memory run out, a process that cannot be read; `ENODEV` where there is
    /// no `/proc`.
    pub error: Option<Errno>,
    /// The longest time ago that a process which holds sockets was looked through, where the kernel does not tell which have
    /// other descriptors since then (until Linux 6.2); `None` where it does, and in the first sample.
    pub walked_before: Option<Duration>,
}

/// What an attribution goes by.
pub struct AttributionContext<'a> {
    /// When the sample was begun.
    pub now: ClockReading,
    /// The network namespace that conntop is in.
    pub own: NetnsId,
    /// Whether processes exist that `/proc` does not list, so that a socket without a holder is not nobody's. Asked only where
    /// one has none.
    pub some_invisible: &'a dyn Fn() -> bool,
    /// Asks which of these sockets still have an inode, so that something holds them.
    pub held: &'a mut IsHeldFn<'a>,
}

/// Says of each of some sockets whether it still has an inode; `None` where the kernel does not tell.
pub type IsHeldFn<'a> = dyn FnMut(&[&Socket]) -> Vec<Option<bool>> + 'a;

/// What came of comparing the sockets of a full dump while it was taken.
#[derive(Debug)]
pub struct DumpComparison {
    /// Whether the known holders could be looked at again before: see [`Owners::recheck`].
    pub rechecked: Result<(), Errno>,
    /// The inodes of the sockets that the sample does not list, as they and their holders are known.
    pub known: Vec<u32>,
}

impl Owners {
    /// Nothing is known yet; the first sample will walk.
    pub fn open() -> Self {
        Self {
            proc: ProcDir::open_or_wait(),
            second: None,
            describer: Describer::default(),
            watched: FxHashMap::default(),
            holder_index: HolderIndex::default(),
            descriptors: FxHashMap::default(),
            private: FxHashMap::default(),
            unresolved: Backoff::new(RETRY_FIRST, RETRY_MAX),
            next_table: 0,
            tables_left: false,
            vanished: FxHashSet::default(),
            unanswered: FxHashSet::default(),
            failed: None,
            failures: 0,
            list_failed: None,
            listed_at: None,
            search_after: Timestamp(0),
            next_other: 0,
            entries: Vec::new(),
            pending: Vec::new(),
            is_narrow: false,
            descriptors_read: 0,
            told: Arc::default(),
            unlisted: UnlistedRecords::default(),
        }
    }

    /// The directory of a process, for other readers.
    pub fn process_dir(&self, pid: u32) -> Result<ProcessDir, Errno> {
        self.proc.process(pid)
    }

    /// How many descriptors all searches and whole walks together have read.
    pub const fn descriptors_read(&self) -> u64 {
        self.descriptors_read
    }

    /// The pids of all processes that the last listing showed, in no order.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.watched.iter().filter(|(_, watched)| !watched.kernel_thread).map(|(pid, _)| *pid)
    }

    /// Looks at known holders again before a dump, for those who ask for [`known_holders`](Self::known_holders) during it.
    pub fn recheck(&mut self, now: ClockReading) -> Result<(), Errno> {
        self.refresh(None, now)
    }

    /// Who held the socket with this inode when its holders were last looked at.
    pub fn known_holders(&self, inode: NonZeroU32) -> Option<&Arc<Holders>> {
        self.holder_index.holders(inode.get())
    }

    /// Fills in the owner of every socket of a full dump that was taken before the call: those that it lists, and where it was
    /// `compared` while it was taken, those that are known.
    pub fn attribute(
        &mut self,
        sockets: &mut [Socket],
        compared: Option<&DumpComparison>,
        asked: AttributionContext<'_>,
    ) -> OwnerGaps {
        let now = asked.now;
        let known = known_of(compared);
        let live = OnceCell::new();
        let rechecked = match compared {
            Some(compared) => compared.rechecked,
            None => self.refresh(Some(&|| live.get_or_init(|| inodes_of(sockets, known))), now),
        };
        let gaps = self.fill_in(sockets, known, &live, asked, rechecked.err());
        self.unresolved.forget_unwanted(now.at);
        gaps
    }

    /// The same for a part of all sockets; nothing is forgotten of the others.
    pub fn attribute_part(&mut self, sockets: &mut [Socket], asked: AttributionContext<'_>) -> OwnerGaps {
        let rechecked = self.refresh(None, asked.now);
        self.fill_in(sockets, &[], &OnceCell::new(), asked, rechecked.err())
    }

    /// `live` are the inodes of the sockets at hand, made when they are needed. Where those are a part of all, a search
    /// that does not find a known socket among them reads its descriptor again, which mostly finds nothing new and is never wrong.
    fn fill_in(
        &mut self,
        sockets: &mut [Socket],
        others: &[u32],
        live: &OnceCell<FxHashSet<u32>>,
        asked: AttributionContext<'_>,
        error: Option<Errno>,
    ) -> OwnerGaps {
        let AttributionContext { now, own, some_invisible, held } = asked;
        self.vanished.clear();
        self.unanswered.clear();
        let mut gaps = OwnerGaps { error, ..OwnerGaps::default() };
        self.pending.clear();
        for (index, socket) in sockets.iter_mut().enumerate() {
            match socket.inode.map(|inode| self.holder_index.holders(inode.get())) {
                None => socket.owner = owner_without_inode(socket),
                Some(Some(holders)) => socket.owner = Owner::Live(Arc::clone(holders)),
                Some(None) => self.pending.extend(u32::try_from(index)),
            }
        }
        if !self.pending.is_empty() {
            let live = || live.get_or_init(|| inodes_of(sockets, others));
            let searched = self.resolve(sockets, &live, now, held).err();
            gaps.error = gaps.error.or(searched);
        }
        let failed = || self.watched.values().find_map(|watched| watched.failed);
        gaps.error = gaps.error.or(self.list_failed).or(self.failed).or_else(failed);
        (self.failed, self.failures) = (None, 0);
        gaps.walked_before = self.walked_before(now);
        gaps.processes_unreadable = count(self.watched.values().filter(|watched| watched.unreadable));
        if self.pending.is_empty() {
            return gaps;
        }
        // A process in another network namespace can be handed a socket of ours; as a rule it is not.
        let unreadable_here = count(self.watched.values().filter(|watched| watched.unreadable && !watched.elsewhere));
        let nowhere = |unreadable: u32| match (unreadable, gaps.error) {
            (1.., _) => Owner::Hidden,
            (0, Some(_)) => Owner::Unseen,
            (0, None) if some_invisible() => Owner::Unseen,
            (0, None) if self.tables_left => Owner::Vanished,
            (0, None) => Owner::None,
        };
        let (in_ours, in_others) = (nowhere(unreadable_here), nowhere(gaps.processes_unreadable));
        for index in std::mem::take(&mut self.pending) {
            let Some(socket) = sockets.get_mut(index as usize) else {
                continue;
            };
            let inode = socket.inode.map_or(0, NonZeroU32::get);
            let nowhere = if socket.id.netns() == own { &in_ours } else { &in_others };
            socket.owner = match self.holder_index.holders(inode) {
                Some(holders) => Owner::Live(Arc::clone(holders)),
                None if self.vanished.contains(&inode) => Owner::Vanished,
                // Sought before without a result, and there it is again: so it is held. Or nothing can be sought.
                None if self.unanswered.contains(&inode) && *nowhere == Owner::None => Owner::Vanished,
                None if self.unresolved.is_waiting(inode) || gaps.error.is_some() => nowhere.clone(),
                None => Owner::Vanished,
            };
            gaps.owners_hidden += u32::from(socket.owner.is_hidden());
        }
        gaps
    }

    /// Makes sure that what is remembered is still true, within the budget of one sample. `live` are the inodes of all
    /// sockets; without them nothing is looked at before its turn.
    fn refresh<'l>(&mut self, live: Option<&dyn Fn() -> &'l FxHashSet<u32>>, now: ClockReading) -> Result<(), Errno> {
        let begun = clock::now().0;
        self.check_descriptors();
        let first = self.listed_at.is_none();
        let is_due = |listed_at| now.at.since(listed_at) >= LIST_AFTER;
        if self.listed_at.is_none_or(is_due) || self.list_failed.is_some() {
            self.list(now)?;
        }
        if first {
            // Nothing is known yet.
            return Ok(());
        }
        // Without a sign of change all have the same turn.
        let quiet_max = if self.proc.tells_counts() { QUIET_MAX } else { 0 };
        let all_take = self.watched.values().map(|watched| watched.walk_took).sum();
        let pace = RecheckPace { quiet_max, all_take };
        let rank = |pid, watched: &Watched| recheck_rank(pid, watched, pace, now);
        let mut due: Vec<_> = self.watched.iter().filter_map(|(pid, watched)| rank(*pid, watched)).collect();
        due.sort_unstable();
        for (_, _, pid) in due {
            let watched = self.watched.get(&pid).copied().unwrap_or_default();
            let settled = Watched { changed: false, ..watched };
            match live {
                // Its turn will come; only what it has just opened cannot wait.
                Some(live) if rank(pid, &settled).is_none() => self.partial_walk(pid, live(), now).map(drop)?,
                _ => self.walk(pid, now).map(drop)?,
            }
            let budget = match watched.walked_at {
                None => NEW_BUDGET,
                Some(_) if self.proc.tells_counts() => RECHECK_BUDGET,
                Some(_) => RECHECK_BUDGET_WITHOUT_COUNTS,
            };
            if clock::now().0.since(begun) > budget {
                break;
            }
        }
        self.describe_again(now)?;
        self.holder_index.tidy();
        Ok(())
    }

    /// How old the oldest walk of a holder is, where nothing but looking again would show that it has changed.
    fn walked_before(&self, now: ClockReading) -> Option<Duration> {
        if self.proc.tells_counts() {
            return None;
        }
        let walked_at = |pid: u32| self.watched.get(&pid)?.walked_at;
        let oldest = self.holder_index.pids().filter_map(walked_at).min()?;
        Some(now.at.since(oldest)).filter(|age| !age.is_zero())
    }

    /// One stat(2) a holder tells the dead, the reborn and those with other descriptors than before; of the others some
    /// are asked in turn.
    fn check_descriptors(&mut self) {
        let holders: Vec<_> = self.holder_index.pids().collect();
        for pid in holders {
            self.check_descriptors_of(pid);
        }
        let next = self.entries.partition_point(|entry| entry.pid < self.next_other);
        let (before, after) = self.entries.split_at(next);
        let may_have = |pid: &u32| {
            let walked = |watched: &Watched| watched.walked_at.is_some() && !watched.kernel_thread;
            self.watched.get(pid).is_some_and(walked) && self.holder_index.process(*pid).is_none()
        };
        let others = after.iter().chain(before).map(|entry| entry.pid).filter(may_have);
        let others: Vec<_> = others.take(OTHERS_MAX).collect();
        self.next_other = others.last().map_or(0, |pid| pid.saturating_add(1));
        for pid in others {
            self.check_descriptors_of(pid);
        }
    }

    fn check_descriptors_of(&mut self, pid: u32) {
        let hint = match self.proc.fd_hint(pid) {
            Ok(hint) => hint,
            Err(Errno::NOENT | Errno::SRCH) => return self.forget(pid),
            Err(_) => return,
        };
        let Some(watched) = self.watched.get_mut(&pid) else { return };
        watched.changed |= hint.count != watched.fd_count;
        watched.note_count(hint.count);
        if hint.inode != watched.fd_inode {
            watched.fd_inode = hint.inode;
            self.check_identity(pid);
        }
    }

    /// Reads the names of holders again, some in each sample. One that is another program now is looked through: exec(2)
    /// closes descriptors too.
    fn describe_again(&mut self, now: ClockReading) -> Result<(), Errno> {
        let is_due = |watched: &&Watched| now.at.since(watched.described_at) >= DESCRIBE_AFTER;
        let due = |pid: u32| Some((self.watched.get(&pid).filter(is_due)?.described_at, pid));
        let mut due: Vec<_> = self.holder_index.pids().filter_map(due).collect();
        due.sort_unstable();
        for (_, pid) in due.into_iter().take(DESCRIBED_MAX) {
            let described = self.proc.process(pid).and_then(|directory| self.describe(&directory, pid, now));
            if described.is_ok_and(|process| self.holder_index.process(pid).is_some_and(|known| **known != process)) {
                self.walk(pid, now)?;
            }
        }
        Ok(())
    }

    /// The process as it is now.
    fn describe(&mut self, directory: &ProcessDir, pid: u32, now: ClockReading) -> Result<Process, Errno> {
        if let Some(watched) = self.watched.get_mut(&pid) {
            watched.described_at = now.at;
        }
        let mut process = self.describer.describe(directory, pid, now)?;
        // When it started is worked out from two clocks, which are never read at once.
        if let Some(known) = self.holder_index.process(pid).filter(|known| known.id == process.id) {
            process.started = known.started;
        }
        Ok(process)
    }

    /// Forgets what is known of `pid` if another process has it now.
    fn check_identity(&mut self, pid: u32) {
        let start_ticks = self.proc.process(pid).ok().and_then(|directory| self.describer.start_ticks(&directory));
        let known = self.holder_index.process(pid).map(|process| process.id.start_ticks);
        if known.is_none() || known != start_ticks {
            self.forget(pid);
            self.watched.insert(pid, Watched::default());
        }
    }

    /// Brings `watched` in line with the processes there are.
    fn list(&mut self, now: ClockReading) -> Result<(), Errno> {
        self.listed_at = Some(now.at);
        let mut entries = std::mem::take(&mut self.entries);
        let listed = self.proc.list(&mut entries);
        self.list_failed = listed.err();
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
        self.holder_index.forget(pid);
        self.forget_private(pid);
        self.descriptors.remove(&pid);
        self.watched.remove(&pid);
    }

    /// Looks at all descriptors of one process; returns the sockets. That it is gone or may not be read is no error.
    fn walk(&mut self, pid: u32, now: ClockReading) -> Result<Vec<u32>, Errno> {
        let begun = clock::now().0;
        let hint = self.proc.fd_hint(pid).ok();
        self.walk_with_hint(pid, hint, begun, now)
    }

    /// The same where its `hint` was read, after `begun`.
    fn walk_with_hint(
        &mut self,
        pid: u32,
        hint: Option<FdHint>,
        begun: Timestamp,
        now: ClockReading,
    ) -> Result<Vec<u32>, Errno> {
        if hint.is_some_and(|hint| self.has_nothing(pid, hint, begun)) {
            return Ok(Vec::new());
        }
        match Visit::with_hint(&self.proc, pid, hint, begun) {
            Ok(visit) => {
                let found = visit.walk(&mut self.proc);
                self.conclude_walk(&visit, found, now)
            }
            Err(error) => self.note_closed(pid, error, begun).map(|()| Vec::new()),
        }
    }

    /// Whether a process that was never walked is known to hold no descriptors without looking: the kernel counts none, and
    /// there is one thread, so that there is no other table. Most are threads of the kernel. What it is, the next walk tells.
    fn has_nothing(&mut self, pid: u32, hint: FdHint, begun: Timestamp) -> bool {
        let is_new = self.watched.get(&pid).is_none_or(|watched| watched.walked_at.is_none());
        let counts_none = self.proc.tells_counts() && hint.count == 0;
        if !is_new || !counts_none || self.proc.thread_count(pid) != Ok(1) {
            return false;
        }
        let watched = self.watched.entry(pid).or_default();
        (watched.fd_inode, watched.fd_count, watched.walked_at) = (hint.inode, 0, Some(begun));
        (watched.changed, watched.failed) = (false, None);
        true
    }

    /// The same for several processes, on two threads.
    fn walk_all(&mut self, pids: &[u32], now: ClockReading) -> Result<Vec<u32>, Errno> {
        let open = || (threads::cores() > 1).then(ProcDir::open).and_then(Result::ok);
        let Some(mut second) = self.second.take().or_else(open) else {
            return Ok(pids.iter().map(|pid| self.walk(*pid, now)).collect::<Result<Vec<_>, _>>()?.concat());
        };
        let begun = clock::now().0;
        let mut visits = Vec::new();
        for pid in pids {
            let hint = self.proc.fd_hint(*pid).ok();
            if hint.is_some_and(|hint| self.has_nothing(*pid, hint, begun)) {
                continue;
            }
            match Visit::with_hint(&self.proc, *pid, hint, begun) {
                Ok(visit) => visits.push(visit),
                Err(error) => self.note_closed(*pid, error, begun)?,
            }
        }
        let found = walk_all(&visits, &mut self.proc, &mut second);
        self.second = Some(second);
        let mut inodes = Vec::new();
        for (visit, found) in visits.iter().zip(found) {
            inodes.append(&mut self.conclude_walk(visit, found, now)?);
        }
        Ok(inodes)
    }

    /// Looks only at what can be new in a process that was walked before; walks it if that is hardly less.
    fn partial_walk(&mut self, pid: u32, live: &FxHashSet<u32>, now: ClockReading) -> Result<Vec<u32>, Errno> {
        let begun = clock::now().0;
        let visit = match Visit::begin(&self.proc, pid) {
            Ok(visit) => visit,
            Err(error) => return self.note_closed(pid, error, begun).map(|()| Vec::new()),
        };
        // What is known must be known of this process, not of an earlier one with the same pid.
        let same = visit.hint.map(|hint| hint.inode) == self.watched.get(&pid).map(|watched| watched.fd_inode);
        let known = self.descriptors.get(&pid).map(|known| &known[..]).unwrap_or_default();
        let found = same.then(|| visit.partial_walk(&mut self.proc, known, |inode| !live.contains(&inode))).flatten();
        let Some(found) = found else {
            return self.walk(pid, now);
        };
        let inodes = self.conclude(&visit, found, now)?;
        if let Some(watched) = self.watched.get_mut(&pid) {
            watched.partially_walked_at = begun;
        }
        Ok(inodes)
    }

    fn conclude_walk(&mut self, visit: &Visit, found: DescriptorWalk, now: ClockReading) -> Result<Vec<u32>, Errno> {
        let took = found.took;
        self.descriptors_read = self.descriptors_read.saturating_add(found.count.into());
        let (count, is_whole) = (u64::from(found.count), found.error.is_none());
        let as_known = self.descriptors.get(&visit.pid).is_some_and(|known| **known == *found.sockets);
        let inodes = self.conclude(visit, found, now)?;
        if let Some(watched) = self.watched.get_mut(&visit.pid) {
            (watched.walked_at, watched.walk_took) = (Some(visit.begun), took);
            if is_whole && visit.hint.is_none_or(|hint| hint.count == 0) {
                (watched.count, watched.counted_at) = (count, Some(visit.begun));
            }
            watched.quiet = if as_known { (watched.quiet + 1).min(QUIET_MAX) } else { 0 };
        }
        Ok(inodes)
    }

    /// Remembers what was found in a process; returns the sockets.
    fn conclude(&mut self, visit: &Visit, found: DescriptorWalk, now: ClockReading) -> Result<Vec<u32>, Errno> {
        if let Some(error) = found.error {
            self.note_closed(visit.pid, error, visit.begun)?;
            if is_vanished(error) || is_refusal(error) {
                self.note_hint(visit);
                return Ok(Vec::new());
            }
        }
        let is_whole = found.error.is_none();
        let (mut is_kernel_thread, mut has_lost_its_main_thread) = (false, false);
        if found.count == 0
            && is_whole
            && let Ok(stat) = self.describer.stat(&visit.directory)
        {
            (is_kernel_thread, has_lost_its_main_thread) = (stat.is_kernel_thread(), stat.has_lost_its_main_thread());
        }
        let mut inodes: Vec<u32> = found.sockets.iter().map(|socket| socket.inode).collect();
        if !is_whole {
            // What could not be read may be what was known.
            let known = self.descriptors.get(&visit.pid).map(|known| &known[..]).unwrap_or_default();
            inodes.extend(known.iter().map(|socket| socket.inode));
        }
        let described = self.hold(visit, &mut inodes, now);
        described.map_or_else(|error| self.note_failure(error), Ok)?;
        if has_lost_its_main_thread || self.private.contains_key(&visit.pid) {
            inodes.append(&mut self.walk_tables(&visit.directory, visit.pid, &found.sockets, now));
        }
        self.descriptors.insert(visit.pid, found.sockets.into());
        let watched = self.watched.entry(visit.pid).or_default();
        watched.kernel_thread = is_kernel_thread;
        watched.failed = found.error.or(described.err());
        (watched.changed, watched.unreadable) = (watched.failed.is_some(), false);
        self.note_hint(visit);
        Ok(inodes)
    }

    fn note_hint(&mut self, visit: &Visit) {
        if let (Some(hint), Some(watched)) = (visit.hint, self.watched.get_mut(&visit.pid)) {
            (watched.fd_inode, watched.fd_count) = (hint.inode, hint.count);
            watched.note_count(hint.count);
        }
    }

    /// Enters the sockets just found in a process. Where that has vanished there are none.
    fn hold(&mut self, visit: &Visit, inodes: &mut Vec<u32>, now: ClockReading) -> Result<(), Errno> {
        if inodes.is_empty() {
            self.holder_index.forget(visit.pid);
            return Ok(());
        }
        // Described again each time: exec(2) gives it another name and command line.
        match self.describe(&visit.directory, visit.pid, now) {
            Ok(process) => {
                self.holder_index.set(&Arc::new(process), inodes);
                Ok(())
            }
            Err(error) => {
                self.holder_index.forget(visit.pid);
                inodes.clear();
                if is_vanished(error) { Ok(()) } else { Err(error) }
            }
        }
    }

    /// A process could not be looked through: it is gone, or this user may not. Anything else says nothing of it: it is
    /// looked at again.
    fn note_closed(&mut self, pid: u32, error: Errno, begun: Timestamp) -> Result<(), Errno> {
        if is_vanished(error) {
            self.forget(pid);
        } else if is_refusal(error) {
            self.holder_index.forget(pid);
            self.forget_private(pid);
            self.descriptors.remove(&pid);
            self.note_unreadable(pid, begun);
        } else {
            let watched = self.watched.entry(pid).or_default();
            (watched.changed, watched.failed) = (true, Some(error));
            return self.note_failure(error);
        }
        Ok(())
    }

    /// Something could not be read that may hold sockets. One process that cannot be read does not keep the others from
    /// being read; many errors in one sample mean that it is of no use, as where descriptors have run out.
    fn note_failure(&mut self, error: Errno) -> Result<(), Errno> {
        self.failed = self.failed.or(Some(error));
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX { Err(error) } else { Ok(()) }
    }

    fn note_unreadable(&mut self, pid: u32, walked_at: Timestamp) {
        let watched = self.watched.entry(pid).or_default();
        if !watched.unreadable {
            let directory = self.proc.process(pid).ok();
            let is_kernel_thread =
                |directory| self.describer.stat(&directory).is_ok_and(|stat| stat.is_kernel_thread());
            watched.elsewhere = directory.as_ref().is_some_and(|directory| self.proc.is_elsewhere(directory));
            watched.kernel_thread = directory.is_some_and(is_kernel_thread);
        }
        watched.unreadable = !watched.kernel_thread;
        (watched.changed, watched.failed) = (false, None);
        watched.walked_at = Some(walked_at);
        watched.walk_took = clock::now().0.since(walked_at);
    }
}

/// What decides how often processes that seem unchanged are looked at again.
#[derive(Clone, Copy, Debug)]
struct RecheckPace {
    /// See [`QUIET_MAX`].
    quiet_max: u32,
    /// What looking at every process takes.
    all_take: Duration,
}

/// The place of a process in the queue of those to look at again: changed and new ones first, then the longest
/// not looked at; `None` if it is not due.
fn recheck_rank(
    pid: u32,
    watched: &Watched,
    pace: RecheckPace,
    now: ClockReading,
) -> Option<(bool, Option<Timestamp>, u32)> {
    let urgent = watched.changed || watched.walked_at.is_none();
    let after = RECHECK_AFTER * (1 << watched.quiet.min(pace.quiet_max));
    // Where the count of descriptors shows no change, looking again has to.
    let may_wait = pace.quiet_max > 0 && watched.walk_took > RECHECK_LARGE;
    let all_take = if may_wait { pace.all_take } else { Duration::ZERO };
    let after = after.max(all_take.saturating_mul(RECHECK_ALL_DUTY).min(RECHECK_ALL_MAX));
    let after = if urgent { Duration::ZERO } else { after };
    let wait = after.max(watched.walk_took.saturating_mul(RECHECK_DUTY));
    let due = watched.walked_at.is_none_or(|walked_at| now.at.since(walked_at) >= wait);
    (due && !watched.kernel_thread).then_some((!urgent, watched.walked_at, pid))
}

/// A connection is in the accept queue while it has no inode. Once its owner has closed it, it leaves `ESTABLISHED`
/// and `CLOSE_WAIT` in the same breath (`tcp_close`), so that without an inode in these two means: not accepted yet.
/// The other states without an inode are orphans and mini-sockets.
///
/// With Fast Open a connection is queued before its handshake is done: a full socket in `SYN_RECV`, which has a `tcp_info`, and since
/// Linux 5.8 a control group, which comes unasked;
/// a request that is not, has none (`tcp_fastopen_create_child`, `net/ipv4/tcp_fastopen.c`).
fn owner_without_inode(socket: &Socket) -> Owner {
    match (socket.protocol, socket.state) {
        (Protocol::Tcp | Protocol::Mptcp, TcpState::Established | TcpState::CloseWait) => Owner::Unaccepted,
        (Protocol::Tcp, TcpState::SynRecv) if socket.tcp.is_some() || socket.cgroup.is_some() => Owner::Unaccepted,
        _ => Owner::None,
    }
}

/// A process or file that is no more, which between listing and reading is nothing wrong.
const fn is_vanished(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::SRCH)
}

/// This user may not look.
const fn is_refusal(error: Errno) -> bool {
    matches!(error, Errno::ACCESS | Errno::PERM)
}

/// The inodes of the sockets that a dump, if it was compared, does not list.
fn known_of(compared: Option<&DumpComparison>) -> &[u32] {
    compared.map(|compared| &compared.known[..]).unwrap_or_default()
}

fn inodes_of(sockets: &[Socket], others: &[u32]) -> FxHashSet<u32> {
    sockets.iter().filter_map(|socket| Some(socket.inode?.get())).chain(others.iter().copied()).collect()
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tcp;

    fn now(millis: u64) -> ClockReading {
        ClockReading { at: Timestamp::from_millis(millis), ..ClockReading::default() }
    }

    #[test]
    fn without_an_inode_only_two_states_mean_not_accepted() {
        let owner = |protocol, socket: Socket| owner_without_inode(&Socket { protocol, inode: None, ..socket });
        for row in &crate::model::tcp_state::STATES {
            let waiting = matches!(row.state, TcpState::Established | TcpState::CloseWait);
            for protocol in [Protocol::Tcp, Protocol::Mptcp] {
                let told = owner(protocol, tcp(1).state(row.state).build());
                assert_eq!(told == Owner::Unaccepted, waiting, "{} {}", protocol.name(), row.name);
            }
        }
        let fast_open = tcp(1).state(TcpState::SynRecv).info(|_| ()).build();
        assert_eq!(owner(Protocol::Tcp, fast_open), Owner::Unaccepted);
        assert_eq!(owner(Protocol::Udp, tcp(1).build()), Owner::None);
    }

    fn pace(quiet_max: u32, all_take_ms: u64) -> RecheckPace {
        RecheckPace { quiet_max, all_take: Duration::from_millis(all_take_ms) }
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
        let mut due: Vec<_> = processes
            .iter()
            .filter_map(|(pid, watched)| recheck_rank(*pid, watched, pace(0, 0), now(10_000)))
            .collect();
        due.sort_unstable();
        assert_eq!(due.iter().map(|(_, _, pid)| *pid).collect::<Vec<_>>(), [4, 3, 2, 1]);
    }

    #[test]
    fn a_process_without_descriptors_is_known_to_hold_nothing_by_its_counts_alone() {
        let mut owners = Owners::open();
        // It has ended and is not waited for: so it has one thread and no descriptors, as threads of the kernel have.
        let mut child = std::process::Command::new("true").spawn().expect("it is a part of coreutils");
        let (pid, begun) = (child.id(), clock::now().0);
        let mut hint = owners.proc.fd_hint(pid).expect("it is not reaped");
        while hint.count > 0 && clock::now().0.since(begun) < Duration::from_secs(60) {
            hint = owners.proc.fd_hint(pid).expect("it is not reaped");
        }
        let me = owners.proc.fd_hint(std::process::id()).expect("this process");
        assert!(!owners.has_nothing(std::process::id(), me, begun), "this process has some");
        let counts = owners.proc.tells_counts();
        assert_eq!(owners.has_nothing(pid, hint, begun), counts, "before Linux 6.2 it is looked through");
        assert_eq!(owners.watched.get(&pid).and_then(|watched| watched.walked_at), counts.then_some(begun));
        assert!(!owners.has_nothing(pid, hint, begun), "the next look tells what it is");
        child.wait().expect("it is our child");
    }

    #[test]
    fn a_giant_is_looked_at_again_less_often() {
        let walked_at = Some(Timestamp::from_millis(1_000));
        let giant = Watched { walked_at, walk_took: Duration::from_millis(200), ..Watched::default() };
        assert_eq!(recheck_rank(1, &giant, pace(QUIET_MAX, 0), now(10_999)), None);
        assert!(recheck_rank(1, &giant, pace(QUIET_MAX, 0), now(11_000)).is_some());
        let among_giants = |seconds: u64| recheck_rank(1, &giant, pace(QUIET_MAX, 800), now(1_000 + seconds * 1_000));
        assert!(among_giants(319).is_none() && among_giants(320).is_some(), "0.8 s in all, a four-hundredth of a core");
        let changed = Watched { changed: true, ..giant };
        assert!(recheck_rank(1, &changed, pace(QUIET_MAX, 800), now(11_000)).is_some());
        let small = Watched { walk_took: RECHECK_LARGE, ..giant };
        assert!(recheck_rank(1, &small, pace(QUIET_MAX, 800), now(6_000)).is_some());
        assert!(recheck_rank(1, &giant, pace(QUIET_MAX, 9_999_999), now(601_000)).is_some(), "at last");
        let kernel_thread = Watched { kernel_thread: true, ..giant };
        assert_eq!(recheck_rank(1, &kernel_thread, pace(QUIET_MAX, 0), now(99_000)), None);
    }

    #[test]
    fn where_no_count_shows_a_change_a_quiet_process_is_looked_at_as_often_as_others() {
        let quiet = Watched { walked_at: Some(Timestamp::from_millis(1_000)), quiet: 4, ..Watched::default() };
        assert_eq!(recheck_rank(1, &quiet, pace(QUIET_MAX, 0), now(80_999)), None);
        assert!(recheck_rank(1, &quiet, pace(QUIET_MAX, 0), now(81_000)).is_some());
        assert_eq!(recheck_rank(1, &quiet, pace(0, 0), now(5_999)), None);
        assert!(recheck_rank(1, &quiet, pace(0, 0), now(6_000)).is_some());
    }

    /// A socket that this process hands to another descriptor of its own stays its; one that it closes is not.
    #[test]
    fn before_linux_6_2_owners_are_found_and_their_age_is_told() {
        let mut owners = Owners::open();
        owners.proc = ProcDir::open().expect("/proc").with_only(vec![std::process::id()]).without_counts();
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let inode = u32::try_from(rustix::fs::fstat(&udp).expect("open").st_ino).ok().and_then(NonZeroU32::new);
        let mut attribute = |millis: u64| {
            let at = clock::now().0.after(Duration::from_millis(millis));
            let mut sockets = [Socket { inode, protocol: Protocol::Udp, ..tcp(1).build() }];
            let asked = AttributionContext {
                now: ClockReading { at, ..ClockReading::default() },
                own: NetnsId(1),
                some_invisible: &|| false,
                held: &mut |sockets| vec![Some(true); sockets.len()],
            };
            let gaps = owners.attribute(&mut sockets, None, asked);
            let [socket] = sockets;
            (socket.owner, gaps.walked_before)
        };
        let (owner, walked_before) = attribute(0);
        assert!(owner.holders().is_some_and(|holders| holders.first().id.pid == std::process::id()), "{owner:?}");
        assert_eq!(walked_before, None, "all of it is of now");
        let (_, walked_before) = attribute(4_000);
        assert!(walked_before.is_some_and(|age| age >= Duration::from_secs(3)), "{walked_before:?}");
        let (_, walked_before) = attribute(6_000);
        assert!(walked_before.is_none_or(|age| age < Duration::from_secs(6)), "{walked_before:?}: looked at again");
    }
}
