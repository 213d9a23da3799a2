//! Owners for a narrow question: the holders of few sockets, among processes that may have very many descriptors.

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use super::{AttributionContext, OwnerGaps, Owners, is_vanished};
use crate::model::query::{ProcessTest, SocketQuery};
use crate::model::socket::Socket;
use crate::source::linux::processes::ClockReading;

impl Owners {
    /// Fills in the owner of each of `sockets`, which are those that `query` asks for, dumped before the call. Nothing is
    /// forgotten of others.
    pub fn attribute_query(
        &mut self,
        sockets: &mut [Socket],
        _query: &SocketQuery,
        asked: AttributionContext<'_>,
    ) -> OwnerGaps {
        self.attribute_part(sockets, asked)
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
        let pids: Vec<u32> = self.entries.iter().map(|entry| entry.pid).collect();
        let mut held = FxHashSet::default();
        for pid in pids {
            if self.may_hold(pid, test, now)? {
                held.extend(self.walk(pid, now)?);
                held.extend(self.search_tables_of(pid, now));
            }
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
