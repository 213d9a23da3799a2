//! Owners for a narrow question: the holders of few sockets, among processes that may have very many descriptors.
//!
//! What a walk costs is descriptors: some 1.2 us each. Most processes have few, and are looked through; nearly every socket
//! with several holders has one of them. Of those with very many descriptors only some are read: the lowest, the newest, some
//! that are spread, and where inodes say that a socket is (`giant`). What is left after that is sought in them one after the
//! other, in the order of what those reads have found, until all is found. Whatever is not found is then searched for like
//! in a full sample, to the end, so that "none", "hidden" and "vanished" take the same proof.
//!
//! What is found in one process may be held by others, too: a socket that was inherited by fork(2) has the same descriptor
//! in both, so there the others are read at that descriptor. Only such a holder stays unknown that has more than
//! [`SMALL_MAX`] descriptors, and has the socket under another number (`SCM_RIGHTS`, dup(2)) that was not read, or, of more
//! than [`SHARED_SAMPLE`] sockets, shares none of those that were compared.

use std::cmp::Ordering;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::io::Errno;

use super::giant::{Giant, SoughtSockets};
use super::search::{QUESTIONS_MAX, SearchRank, WIDE_SEARCH_STEP};
use super::walk::Visit;
use super::{AttributionContext, IsHeldFn, OwnerGaps, Owners, is_vanished};
use crate::model::query::{ProcessTest, SocketQuery};
use crate::model::socket::Socket;
use crate::source::clock;
use crate::source::linux::proc_dir::{FdHint, SocketFd};
use crate::source::linux::processes::ClockReading;

/// A process with at most so many descriptors is looked through.
const SMALL_MAX: u64 = 512;
/// Processes that have at least so many descriptors together are looked through on two threads, if that can be.
const WIDE_WALK_MIN: u64 = 500;
/// Of so many processes, the largest ones, single descriptors are read; all others are looked through.
const GIANTS_MAX: usize = 128;
/// Sockets are sought by their inodes as long as this many reads are made, and [`READS_PER_HIT`] for each one found.
const READS_FREE: u32 = 512;
/// So many reads for each socket that was found are worth it.
const READS_PER_HIT: u32 = 4;
/// After so many reads it is compared whether a walk would have cost fewer.
const READS_COMPARED_MIN: u32 = 64;
/// Where this part of the reads finds a socket, a walk over the process costs fewer reads than seeking them by their inodes.
const WALK_HIT_RATE: f64 = 0.2;
/// A socket is sought by its inode in so many processes.
const PLACES_MAX: usize = 3;
/// So many sockets that were found are compared with all processes that have very many descriptors.
const SHARED_SAMPLE: usize = 64;
/// Of each process with any of the sockets so many are compared at the least.
const SHARED_SAMPLE_MIN: usize = 8;

impl Owners {
    /// Fills in the owner of each of `sockets`, which are those that `query` asks for, dumped before the call. Nothing is
    /// forgotten of others. Holders of a socket beside the first one found can be missing: see the description of this file.
    pub fn attribute_query(
        &mut self,
        sockets: &mut [Socket],
        query: &SocketQuery,
        asked: AttributionContext<'_>,
    ) -> OwnerGaps {
        if !query.fields.owner && query.process.is_none() {
            return OwnerGaps::default();
        }
        let AttributionContext { now, own, some_invisible, held } = asked;
        let refreshed = if self.watched.values().any(|watched| watched.walked_at.is_some_and(|at| at < now.at)) {
            self.refresh(None, now)
        } else if self.listed_at == Some(now.at) {
            Ok(())
        } else {
            self.list(now)
        };
        let searched = refreshed.and_then(|()| self.search_narrow(sockets, now, held));
        self.is_narrow = true;
        let asked = AttributionContext { now, own, some_invisible, held };
        let gaps = self.fill_in(sockets, &[], &std::cell::OnceCell::new(), asked, searched.err());
        self.is_narrow = false;
        gaps
    }

    /// Seeks the holders of `sockets` among processes that were never looked through. To be followed by a search for
    /// what is left.
    fn search_narrow(&mut self, sockets: &[Socket], now: ClockReading, held: &mut IsHeldFn<'_>) -> Result<(), Errno> {
        let inode = |socket: &Socket| socket.inode.map(std::num::NonZeroU32::get);
        let all: FxHashSet<u32> = sockets.iter().filter_map(inode).collect();
        let is_left = |inode: &u32| self.holder_index.holders(*inode).is_none() && !self.unresolved.is_waiting(*inode);
        let left = all.iter().copied().filter(is_left).collect();
        let mut sought = SoughtSockets { all, left };
        if sought.all.is_empty() {
            return Ok(());
        }
        let giants = self.walk_small(&mut sought, now)?;
        let mut giants = self.open_giants(giants)?;
        self.read_giants(&mut giants, Giant::read_lowest, &mut sought)?;
        if !sought.left.is_empty() {
            self.read_giants(&mut giants, Giant::read_sample, &mut sought)?;
            self.walk_giants(&mut giants, WALK_HIT_RATE, sockets, &mut sought, now)?;
            self.seek_by_inode(&mut giants, &mut sought)?;
        }
        self.seek_passed_on(&mut giants, &mut sought)?;
        for giant in &giants {
            self.enter(giant, now)?;
        }
        if (1..=QUESTIONS_MAX).contains(&sought.left.len()) {
            let asked: Vec<&Socket> = sockets
                .iter()
                .filter(|socket| inode(socket).is_some_and(|inode| sought.left.contains(&inode)))
                .collect();
            for (socket, is_held) in asked.iter().zip(held(&asked)) {
                if let Some(inode) = inode(socket).filter(|_| is_held == Some(false)) {
                    sought.left.remove(&inode);
                }
            }
        }
        self.walk_giants(&mut giants, 0.0, sockets, &mut sought, now)?;
        self.compare_descriptors(&mut giants, &mut sought, now)
    }

    /// Looks through all processes but those that have very many descriptors, which it returns.
    fn walk_small(
        &mut self,
        sought: &mut SoughtSockets,
        now: ClockReading,
    ) -> Result<Vec<(u32, Option<FdHint>, u64)>, Errno> {
        let begun = clock::now().0;
        let mut giants = Vec::new();
        for pid in self.in_tier(SearchRank::New, now) {
            let hint = self.proc.fd_hint(pid).ok();
            giants.push((pid, hint, self.count_of(pid, hint)));
        }
        giants.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        let giant_count = giants.iter().take(GIANTS_MAX).take_while(|(_, _, count)| *count > SMALL_MAX).count();
        let small = giants.split_off(giant_count);
        let descriptors: u64 = small.iter().map(|(_, _, count)| count).sum();
        let inodes = if descriptors >= WIDE_WALK_MIN {
            let pids: Vec<u32> = small.iter().map(|(pid, _, _)| *pid).collect();
            let walked = pids.chunks(WIDE_SEARCH_STEP).map(|pids| self.walk_all(pids, now));
            walked.collect::<Result<Vec<_>, _>>()?
        } else {
            let walked = small.iter().map(|(pid, hint, _)| self.walk_with_hint(*pid, *hint, begun, now));
            walked.collect::<Result<Vec<_>, _>>()?
        };
        for inode in inodes.iter().flatten() {
            sought.left.remove(inode);
        }
        Ok(giants)
    }

    /// How many descriptors a process has; before Linux 6.2, how many it can have without a larger table.
    fn count_of(&mut self, pid: u32, hint: Option<FdHint>) -> u64 {
        if self.proc.tells_counts() {
            return hint.map_or(0, |hint| hint.count);
        }
        self.proc.process(pid).ok().and_then(|directory| self.describer.table_size(&directory)).unwrap_or(0)
    }

    fn open_giants(&mut self, pids: Vec<(u32, Option<FdHint>, u64)>) -> Result<Vec<Giant>, Errno> {
        let mut giants = Vec::new();
        for (pid, hint, count) in pids {
            let begun = clock::now().0;
            match Visit::with_hint(&self.proc, pid, hint, begun).and_then(|visit| Giant::open(visit, count)) {
                Ok(giant) => giants.push(giant),
                Err(error) => self.note_closed(pid, error, begun)?,
            }
        }
        Ok(giants)
    }

    /// Has descriptors of `giants` read, until all sockets are found. One that cannot be read is one no longer.
    fn read_giants(
        &mut self,
        giants: &mut Vec<Giant>,
        read: impl Fn(&mut Giant, &mut SoughtSockets) -> Result<(), Errno>,
        sought: &mut SoughtSockets,
    ) -> Result<(), Errno> {
        let mut failed = Vec::new();
        giants.retain_mut(|giant| match read(giant, sought) {
            Ok(()) => true,
            Err(error) => {
                failed.push((giant.visit.pid, error, giant.visit.begun));
                false
            }
        });
        failed.into_iter().try_for_each(|(pid, error, begun)| self.note_closed(pid, error, begun))
    }

    /// Seeks sockets where their inodes say that they are, as long as that finds enough.
    fn seek_by_inode(&mut self, giants: &mut Vec<Giant>, sought: &mut SoughtSockets) -> Result<(), Errno> {
        let mut left: Vec<u32> = sought.left.iter().copied().collect();
        left.sort_unstable();
        let reads = |giants: &[Giant]| giants.iter().map(|giant| giant.reads).sum::<u32>();
        let (before, mut hits, mut failed) = (reads(giants), 0u32, None);
        'sockets: for inode in left {
            let spent = reads(giants).saturating_sub(before);
            let too_many = spent > READS_FREE + hits.saturating_mul(READS_PER_HIT);
            if too_many || (spent > READS_COMPARED_MIN && costs_more_than_walk(giants, spent, hits, sought.left.len()))
            {
                break;
            }
            let place = |(at, giant): (usize, &Giant)| Some((at, giant.place_of(inode)?.density));
            let mut places: Vec<_> = giants.iter().enumerate().filter_map(place).collect();
            places.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
            for (at, _) in places.into_iter().take(PLACES_MAX) {
                let Some(giant) = giants.get_mut(at) else { continue };
                match giant.seek(inode, sought) {
                    Ok(true) => {
                        hits += 1;
                        break;
                    }
                    Ok(false) => {}
                    Err(error) => {
                        failed = Some((at, error));
                        break 'sockets;
                    }
                }
            }
        }
        let Some((at, error)) = failed else { return Ok(()) };
        let giant = giants.remove(at);
        self.note_closed(giant.visit.pid, error, giant.visit.begun)
    }

    fn count_reads(&mut self, giant: &Giant) {
        self.descriptors_read = self.descriptors_read.saturating_add(giant.reads.into());
    }

    /// Seeks those of few sockets that only small processes have, which may have been handed them (`SCM_RIGHTS`).
    fn seek_passed_on(&mut self, giants: &mut Vec<Giant>, sought: &mut SoughtSockets) -> Result<(), Errno> {
        let found: FxHashSet<u32> = giants.iter().flat_map(|giant| &giant.found).map(|socket| socket.inode).collect();
        let is_elsewhere = |inode: &u32| !found.contains(inode) && !sought.left.contains(inode);
        let passed_on: Vec<u32> = sought.all.iter().copied().filter(is_elsewhere).collect();
        if !(1..=SHARED_SAMPLE).contains(&passed_on.len()) || sought.all.len() > SHARED_SAMPLE {
            return Ok(());
        }
        let seek = |giant: &mut Giant, sought: &mut SoughtSockets| {
            giant.read_sample(sought)?;
            passed_on.iter().try_for_each(|inode| giant.seek(*inode, sought).map(drop))
        };
        self.read_giants(giants, seek, sought)
    }

    /// Enters what was found in a process that was not looked through.
    fn enter(&mut self, giant: &Giant, now: ClockReading) -> Result<(), Errno> {
        if giant.found.is_empty() {
            return Ok(());
        }
        let mut inodes = giant.found.iter().map(|socket| socket.inode).collect();
        self.note_hint(&giant.visit);
        self.hold(&giant.visit, &mut inodes, now).or_else(|error| self.note_failure(error))
    }

    /// Looks through one of `giants` after the other, those first in which reads have found most, then those of the users
    /// that the sockets have, until all sockets are found. Those are taken out of `giants`. Those stay in which less than
    /// `least` of the reads have found something.
    fn walk_giants(
        &mut self,
        giants: &mut Vec<Giant>,
        least: f64,
        sockets: &[Socket],
        sought: &mut SoughtSockets,
        now: ClockReading,
    ) -> Result<(), Errno> {
        let mut of_user = FxHashMap::<u32, u32>::default();
        let is_left = |socket: &&Socket| socket.inode.is_some_and(|inode| sought.left.contains(&inode.get()));
        for uid in sockets.iter().filter(is_left).filter_map(|socket| socket.uid) {
            *of_user.entry(uid).or_default() += 1;
        }
        let of_user = |giant: &Giant| giant.visit.hint.and_then(|hint| of_user.get(&hint.uid)).copied().unwrap_or(0);
        // The last one is the next one.
        giants.sort_by(|a, b| match a.hit_rate().total_cmp(&b.hit_rate()) {
            Ordering::Equal => of_user(a).cmp(&of_user(b)),
            order => order,
        });
        while !sought.left.is_empty()
            && let Some(giant) = giants.pop_if(|giant| giant.hit_rate() >= least)
        {
            self.count_reads(&giant);
            for inode in self.walk_all(&[giant.visit.pid], now)? {
                sought.left.remove(&inode);
            }
        }
        Ok(())
    }

    /// Reads in each of `giants` the descriptors under which others have the sockets, and looks through those that share one
    /// where not all could be compared.
    fn compare_descriptors(
        &mut self,
        giants: &mut Vec<Giant>,
        sought: &mut SoughtSockets,
        now: ClockReading,
    ) -> Result<(), Errno> {
        let mut found: Vec<(u32, Vec<SocketFd>)> =
            giants.iter().map(|giant| (giant.visit.pid, giant.found.clone())).collect();
        let is_sought = |socket: &SocketFd| sought.all.contains(&socket.inode);
        let walked =
            self.descriptors.iter().map(|(pid, known)| (*pid, known.iter().copied().filter(is_sought).collect()));
        found.extend(walked);
        found.retain(|(_, sockets)| !sockets.is_empty());
        let total: usize = found.iter().map(|(_, sockets)| sockets.len()).sum();
        let sample_max =
            if total <= SHARED_SAMPLE { total } else { (SHARED_SAMPLE / found.len()).max(SHARED_SAMPLE_MIN) };
        let (mut shared, mut failed) = (FxHashSet::default(), Vec::new());
        for giant in &mut *giants {
            let own = giant.visit.pid;
            let others = found.iter().filter(|(pid, _)| *pid != own).flat_map(|(pid, sockets)| {
                let sample = sockets.iter().step_by(sockets.len().div_ceil(sample_max.max(1)).max(1));
                sample.map(move |socket| (*pid, socket))
            });
            for (pid, socket) in others {
                match giant.read(socket.descriptor, sought) {
                    // Either may have more of what the other has, also where an earlier read has found this one.
                    Ok(inode) if inode == Some(socket.inode) => shared.extend([own, pid]),
                    Ok(_) => {}
                    Err(error) => {
                        failed.push((own, error, giant.visit.begun));
                        break;
                    }
                }
            }
            self.count_reads(giant);
        }
        failed.into_iter().try_for_each(|(pid, error, begun)| self.note_closed(pid, error, begun))?;
        giants.retain(|giant| shared.contains(&giant.visit.pid));
        for giant in &*giants {
            if total > sample_max {
                self.walk_all(&[giant.visit.pid], now)?;
            } else {
                self.enter(giant, now)?;
            }
        }
        Ok(())
    }

    /// The inodes of all sockets that processes hold which pass `test`. All processes with descriptors are described, and
    /// only those that pass are looked through.
    ///
    /// # Errors
    /// `/proc` cannot be listed, or very many processes cannot be read. What a single process does not show is told by the
    /// next attribution.
    pub fn held_by(&mut self, test: &ProcessTest, now: ClockReading) -> Result<FxHashSet<u32>, Errno> {
        if self.listed_at != Some(now.at) {
            self.list(now)?;
        }
        let mut pids: Vec<u32> = self.entries.iter().map(|entry| entry.pid).collect();
        let mut failed = Ok(());
        pids.retain(|pid| match self.may_hold(*pid, test, now) {
            Ok(may_hold) => may_hold,
            Err(error) => {
                failed = Err(error);
                false
            }
        });
        failed?;
        let mut held = FxHashSet::default();
        let hint = |pid: &u32| self.proc.fd_hint(*pid).map_or(0, |hint| hint.count);
        if pids.iter().map(hint).sum::<u64>() >= WIDE_WALK_MIN {
            for pids in pids.chunks(WIDE_SEARCH_STEP) {
                held.extend(self.walk_all(pids, now)?);
            }
        } else {
            for pid in &pids {
                held.extend(self.walk(*pid, now)?);
            }
        }
        for pid in pids {
            held.extend(self.search_tables_of(pid, now));
        }
        Ok(held)
    }

    /// Whether process `pid` has descriptors and passes `test`. One without a command line may have lost its main thread, and
    /// its other threads tell the rest: it is looked through.
    fn may_hold(&mut self, pid: u32, test: &ProcessTest, now: ClockReading) -> Result<bool, Errno> {
        let has_none = self.proc.tells_counts()
            && self.proc.fd_hint(pid).is_ok_and(|hint| hint.count == 0)
            && self.proc.thread_count(pid) == Ok(1);
        if has_none {
            return Ok(false);
        }
        match self.proc.process(pid).and_then(|directory| self.describe(&directory, pid, now)) {
            Ok(process) => Ok(process.command.as_str().is_empty() || test.passes(&process)),
            Err(error) if is_vanished(error) => Ok(false),
            Err(error) => self.note_failure(error).map(|()| false),
        }
    }
}

/// Whether seeking sockets by their inodes, which took `spent` reads for `hits` of them, reads more for those of the process
/// that has most of them, `left` included, than a walk over that process.
fn costs_more_than_walk(giants: &[Giant], spent: u32, hits: u32, left: usize) -> bool {
    let Some(most) = giants.iter().max_by_key(|giant| giant.found.len()) else { return false };
    let found: usize = giants.iter().map(|giant| giant.found.len()).sum();
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let share = number(most.found.len()) / number(found.max(1));
    let for_rest = f64::from(spent) / f64::from(hits.max(1)) * number(left);
    share * f64::from(spent).max(for_rest) > f64::from(most.count())
}

#[cfg(test)]
mod tests;
