//! Descriptor tables that `/proc/PID/fd` does not show: those of a process whose main thread has ended, and those of
//! threads that called `unshare`(`CLONE_FILES`). They are under `/proc/PID/task/TID/fd`.
//!
//! As a rule all threads share one table, and nothing says which do (kcmp(2) apart), so reading them all would cost the
//! descriptors of a process once a thread. A thread is taken to share a table that has as many descriptors, and the same
//! sockets at some places.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use super::{Owners, is_refusal, is_vanished};
use crate::model::process::Process;
use crate::source::clock;
use crate::source::linux::proc_dir::{ProcessDir, SocketFd};
use crate::source::linux::processes::ClockReading;

/// One visit looks at so many threads of a process.
const THREADS_MAX: usize = 4_096;
/// One visit finds so many descriptor tables of a process.
const TABLES_MAX: usize = 64;
/// A table of up to so many descriptors is compared whole.
const COMPARED_WHOLE: u64 = 64;
/// A larger table is compared at so many descriptors: the highest, which are the newest as a rule, and as many spread over the rest.
const COMPARED: usize = 8;
/// One search spends up to this on tables of threads; the next one goes on from there.
const TABLES_BUDGET: Duration = Duration::from_millis(50);
/// A process with as many threads as before is looked through for private tables again after this time.
const TABLES_AGAIN: Duration = Duration::from_secs(30);

/// A table that was read.
struct DescriptorTable {
    /// How many descriptors it has; 0 before Linux 6.2.
    count: u64,
    /// Its sockets, ascending by descriptor.
    sockets: Vec<SocketFd>,
}

impl Owners {
    /// Looks through the tables of the threads of process `pid` that are not the one of its main thread, which has
    /// `sockets`. What they have beside that is entered as the threads' own; returns their sockets.
    pub(super) fn walk_tables(
        &mut self,
        directory: &ProcessDir,
        pid: u32,
        sockets: &[SocketFd],
        now: ClockReading,
    ) -> Vec<u32> {
        self.forget_private(pid);
        let threads = match directory.threads(THREADS_MAX) {
            Ok(threads) => threads,
            Err(error) => {
                self.note_thread_error(error);
                return Vec::new();
            }
        };
        let count = directory.descriptors_hint().unwrap_or(0);
        let mut tables = vec![DescriptorTable { count, sockets: sockets.to_vec() }];
        let mut inodes = Vec::new();
        for tid in threads.into_iter().filter(|tid| *tid != pid) {
            if tables.len() > TABLES_MAX {
                break;
            }
            match self.read_table(directory, tid, &tables) {
                Ok(Some(table)) => {
                    inodes.append(&mut self.hold_table(directory, (pid, tid), &table, &tables, now));
                    tables.push(table);
                }
                Ok(None) => {}
                Err(error) => self.note_thread_error(error),
            }
        }
        inodes
    }

    /// The table of a thread; `None` if it is one of `tables`, as far as can be told.
    fn read_table(
        &mut self,
        directory: &ProcessDir,
        tid: u32,
        tables: &[DescriptorTable],
    ) -> Result<Option<DescriptorTable>, Errno> {
        let thread = directory.thread(tid)?;
        let count = thread.descriptors_hint()?;
        let mut sockets = Vec::new();
        if count <= COMPARED_WHOLE {
            self.proc.sockets(&thread, 0..u32::MAX, &mut sockets)?;
            let known = tables.iter().any(|table| table.count == count && table.sockets == sockets);
            return Ok((!known).then_some(DescriptorTable { count, sockets }));
        }
        for table in tables.iter().filter(|table| table.count == count) {
            if self.has_the_same(&thread, &table.sockets)? {
                return Ok(None);
            }
        }
        self.proc.sockets(&thread, 0..u32::MAX, &mut sockets)?;
        Ok(Some(DescriptorTable { count, sockets }))
    }

    /// Whether a thread has, at some places, the sockets that a table has there.
    fn has_the_same(&self, thread: &ProcessDir, sockets: &[SocketFd]) -> Result<bool, Errno> {
        let spread = sockets.iter().step_by(sockets.len() / COMPARED + 1);
        let mut expected: Vec<_> = sockets.iter().rev().take(COMPARED).chain(spread).copied().collect();
        expected.sort_unstable();
        expected.dedup();
        let mut found = Vec::with_capacity(expected.len());
        self.proc.sockets_of(thread, expected.iter().map(|socket| socket.descriptor), &mut found)?;
        Ok(found == expected)
    }

    /// Enters what a thread holds that no table before it has.
    fn hold_table(
        &mut self,
        directory: &ProcessDir,
        (pid, tid): (u32, u32),
        table: &DescriptorTable,
        before: &[DescriptorTable],
        now: ClockReading,
    ) -> Vec<u32> {
        let is_known = |inode: u32| before.iter().any(|table| table.sockets.iter().any(|known| known.inode == inode));
        let mut inodes: Vec<u32> =
            table.sockets.iter().map(|socket| socket.inode).filter(|inode| !is_known(*inode)).collect();
        if inodes.is_empty() {
            return inodes;
        }
        let process = self.describe(directory, pid, now).and_then(|process| {
            let of_thread = directory.thread(tid)?;
            let thread = Some(self.describer.thread(&of_thread, tid)?);
            // With the main thread its command line is gone from /proc/PID; the others have it still.
            let command = if process.command.as_str().is_empty() {
                self.describer.command(&of_thread)
            } else {
                process.command.clone()
            };
            Ok(Process { command, thread, ..process })
        });
        match process {
            Ok(process) => {
                self.holder_index.set(&Arc::new(process), &mut inodes);
                self.private.entry(pid).or_default().push(tid);
            }
            Err(error) => {
                self.note_thread_error(error);
                inodes.clear();
            }
        }
        inodes
    }

    /// Looks through all processes with several threads for private tables that have any of `wanted`, within a budget.
    pub(super) fn search_tables(&mut self, wanted: &mut FxHashSet<u32>, now: ClockReading) {
        let begun = clock::now().0;
        let mut pids: Vec<u32> = self.pids().collect();
        pids.sort_unstable();
        let next = pids.partition_point(|pid| *pid < self.next_table);
        pids.rotate_left(next);
        self.tables_left = false;
        for pid in pids {
            if wanted.is_empty() {
                return;
            }
            if clock::now().0.since(begun) > TABLES_BUDGET {
                (self.tables_left, self.next_table) = (true, pid);
                return;
            }
            for inode in self.search_tables_of(pid, now) {
                wanted.remove(&inode);
            }
        }
    }

    pub(super) fn search_tables_of(&mut self, pid: u32, now: ClockReading) -> Vec<u32> {
        let is_readable = self.watched.get(&pid).is_some_and(|watched| !watched.unreadable);
        if !is_readable {
            return Vec::new();
        }
        let Ok(threads @ 2..) = self.proc.thread_count(pid) else { return Vec::new() };
        let watched = self.watched.entry(pid).or_default();
        let looked_at = watched.tables_at.filter(|_| watched.threads == threads);
        if looked_at.is_some_and(|at| now.at.since(at) < TABLES_AGAIN) && !self.private.contains_key(&pid) {
            return Vec::new();
        }
        (watched.threads, watched.tables_at) = (threads, Some(now.at));
        let Ok(directory) = self.proc.process(pid) else { return Vec::new() };
        let sockets = self.descriptors.get(&pid).map(|known| known.to_vec()).unwrap_or_default();
        self.walk_tables(&directory, pid, &sockets, now)
    }

    /// Forgets what the threads of a process hold in tables of their own.
    pub(super) fn forget_private(&mut self, pid: u32) {
        for tid in self.private.remove(&pid).unwrap_or_default() {
            self.holder_index.forget(tid);
        }
    }

    /// A thread that ended meanwhile is nothing wrong.
    fn note_thread_error(&mut self, error: Errno) {
        if !is_vanished(error) && !is_refusal(error) {
            self.failed = self.failed.or(Some(error));
        }
    }
}
