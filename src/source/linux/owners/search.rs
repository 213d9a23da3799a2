//! The search for the holders of sockets that no known process has: as few processes as possible, those that are
//! likely to have them first, and less often the less it finds.

use std::time::Duration;

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use super::{IsHeldFn, Owners, Watched};
use crate::model::socket::Socket;
use crate::source::clock;
use crate::source::linux::processes::ClockReading;

/// A search that took longer than this makes the next one wait.
const SEARCH_FREE: Duration = Duration::from_millis(20);
/// After a long search the next one waits for this many times what it took: at most a fifth of a core while sockets come and go.
const SEARCH_DUTY: u32 = 4;
/// A search for at least this many sockets takes two threads, if it can.
const WIDE_SEARCH_MIN: usize = 500;
/// A wide search takes so many processes at a time, as each is kept open meanwhile.
pub(super) const WIDE_SEARCH_STEP: usize = 128;
/// Of at most so many sockets the kernel is asked whether they are still there, before a search takes in processes
/// that never had one: some 3 milliseconds.
pub(super) const QUESTIONS_MAX: usize = 1_000;
/// Of at most so many sockets the kernel is asked at the end of a search, where all else is done: 60 milliseconds. More
/// sockets without a holder at once do not come from a race.
const LAST_QUESTIONS_MAX: usize = 20_000;
/// A socket that no process has is sought again after this time, then after twice that, and so on up to [`RETRY_MAX`].
pub(super) const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest time until a socket that no process has is sought again.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(60);

impl Owners {
    /// Seeks the holders of the pending sockets.
    pub(super) fn resolve<'l>(
        &mut self,
        sockets: &[Socket],
        live: &dyn Fn() -> &'l FxHashSet<u32>,
        now: ClockReading,
        held: &mut IsHeldFn<'_>,
    ) -> Result<(), Errno> {
        let mut wanted = self.wanted(sockets, now);
        let begun = clock::now().0;
        if wanted.is_empty() || begun < self.search_after {
            return Ok(());
        }
        if self.listed_at != Some(now.at) {
            self.list(now)?;
        }
        self.holder_index.reserve(wanted.len());
        if self.is_narrow && wanted.len() <= QUESTIONS_MAX {
            self.drop_closed(sockets, &mut wanted, held, QUESTIONS_MAX);
        }
        if !self.is_narrow || !wanted.is_empty() {
            self.search_new(&mut wanted, now)?;
        }
        for rank in [SearchRank::ChangedHolder, SearchRank::Holder, SearchRank::Other] {
            if rank == SearchRank::Other && wanted.len() <= QUESTIONS_MAX {
                self.drop_closed(sockets, &mut wanted, held, QUESTIONS_MAX);
            }
            for pid in self.in_tier(rank, now) {
                if wanted.is_empty() && rank >= SearchRank::Holder {
                    break;
                }
                for inode in self.partial_walk(pid, live(), now)? {
                    wanted.remove(&inode);
                }
            }
        }
        self.drop_found(&mut wanted);
        self.make_sure(sockets, &mut wanted, now, held)?;
        for inode in wanted {
            self.unresolved.put_off(inode, now.at);
        }
        let ended = clock::now().0;
        let took = ended.since(begun);
        self.search_after = if took > SEARCH_FREE { ended.after(took * SEARCH_DUTY) } else { ended };
        Ok(())
    }

    /// Walks the processes that have never been walked, all of them: they may share sockets whose holders are known.
    fn search_new(&mut self, wanted: &mut FxHashSet<u32>, now: ClockReading) -> Result<(), Errno> {
        let step = if wanted.len() >= WIDE_SEARCH_MIN { WIDE_SEARCH_STEP } else { 1 };
        for pids in self.in_tier(SearchRank::New, now).chunks(step) {
            let found = match pids {
                [pid] if step == 1 => self.walk(*pid, now)?,
                _ => self.walk_all(pids, now)?,
            };
            for inode in found {
                wanted.remove(&inode);
            }
        }
        Ok(())
    }

    /// All processes have been looked through, and `wanted` was not found: those that were closed meanwhile are told
    /// apart, and for the others it is looked where it was not, or where a descriptor that was handed on between two looks
    /// would be: in private tables, in processes that are new or have changed.
    fn make_sure(
        &mut self,
        sockets: &[Socket],
        wanted: &mut FxHashSet<u32>,
        now: ClockReading,
        held: &mut IsHeldFn<'_>,
    ) -> Result<(), Errno> {
        self.drop_closed(sockets, wanted, held, LAST_QUESTIONS_MAX);
        if wanted.is_empty() {
            return Ok(());
        }
        self.search_tables(wanted, now);
        self.list(now)?;
        self.search_new(wanted, now)?;
        let pids: Vec<u32> = self.pids().collect();
        for pid in pids {
            self.check_descriptors_of(pid);
            if self.watched.get(&pid).is_some_and(|watched| watched.changed && !watched.unreadable) {
                self.walk(pid, now)?;
            }
        }
        self.drop_found(wanted);
        self.drop_closed(sockets, wanted, held, LAST_QUESTIONS_MAX);
        Ok(())
    }

    fn drop_found(&self, wanted: &mut FxHashSet<u32>) {
        wanted.retain(|inode| self.holder_index.holders(*inode).is_none());
    }

    /// Seeks no longer what was closed between the dump and the search. What the kernel does not tell is sought on.
    pub(super) fn drop_closed(
        &mut self,
        sockets: &[Socket],
        wanted: &mut FxHashSet<u32>,
        held: &mut IsHeldFn<'_>,
        questions_max: usize,
    ) {
        let pending = self.pending.iter().filter_map(|index| sockets.get(*index as usize));
        let inode = |socket: &Socket| socket.inode.map_or(0, std::num::NonZeroU32::get);
        let asked: Vec<&Socket> =
            pending.filter(|socket| wanted.contains(&inode(socket))).take(questions_max).collect();
        // As large as what is in it: `wanted` has the room that all had, before they were found.
        self.unanswered = wanted.iter().copied().collect();
        for (socket, is_held) in asked.iter().zip(held(&asked)) {
            if is_held.is_some() {
                self.unanswered.remove(&inode(socket));
            }
            if is_held == Some(false) {
                wanted.remove(&inode(socket));
                self.vanished.insert(inode(socket));
            }
        }
    }

    /// The processes of a tier that this sample has not looked at, ascending.
    pub(super) fn in_tier(&self, rank: SearchRank, now: ClockReading) -> Vec<u32> {
        let is_due = |pid: u32, watched: &Watched| {
            let looked_at = watched.walked_at.map(|walked_at| walked_at.max(watched.partially_walked_at));
            !watched.kernel_thread && self.rank(pid, watched) == rank && looked_at.is_none_or(|at| at < now.at)
        };
        let mut pids: Vec<_> =
            self.watched.iter().filter(|(pid, watched)| is_due(**pid, watched)).map(|(pid, _)| *pid).collect();
        pids.sort_unstable();
        pids
    }

    /// The inodes of the pending sockets that are worth a search now.
    fn wanted(&mut self, sockets: &[Socket], now: ClockReading) -> FxHashSet<u32> {
        let mut wanted = FxHashSet::default();
        for index in &self.pending {
            let Some(inode) = sockets.get(*index as usize).and_then(|socket| socket.inode) else {
                continue;
            };
            if self.unresolved.is_due(inode.get(), now.at) {
                wanted.insert(inode.get());
            }
        }
        wanted
    }

    fn rank(&self, pid: u32, watched: &Watched) -> SearchRank {
        let holder = self.holder_index.process(pid).is_some();
        match (watched.walked_at, holder) {
            (None, _) => SearchRank::New,
            (Some(_), true) if watched.changed => SearchRank::ChangedHolder,
            (Some(_), true) => SearchRank::Holder,
            (Some(_), false) => SearchRank::Other,
        }
    }
}

/// In which order a search goes; it stops only from [`SearchRank::Holder`] on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SearchRank {
    New,
    ChangedHolder,
    Holder,
    Other,
}
