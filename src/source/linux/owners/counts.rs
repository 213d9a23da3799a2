//! How many descriptors each holder of sockets has open, and how many it may: of all of them in every sample, so that
//! nothing that is judged by it depends on what somebody looks at.
//!
//! The numbers cost nothing: since Linux 6.2 the stat(2) of `/proc/PID/fd` that each sample does anyway has them, before
//! that each walk counts. Limits hardly ever change: they are read once, and again in turn, those of the fullest first.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::{Owners, Watched};
use crate::model::descriptors::Descriptors;
use crate::model::process::ProcessId;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::processes::ClockReading;

/// The first sample spends up to this on limits (some 10 us each).
const FIRST_BUDGET: Duration = Duration::from_millis(30);
/// Each later sample spends up to this on limits.
const BUDGET: Duration = Duration::from_millis(2);
/// A limit is read again after this time: prlimit(2) can change it.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Of a limit that is nearly reached more than this share is used.
const NEAR_PERCENT: u64 = 70;
/// A limit that is nearly reached is read again after this time.
const NEAR_AFTER: Duration = Duration::from_secs(5);
/// A limit is also read again when the descriptors have grown by this part, a quarter, since it was read.
const GROWN_BY: u64 = 4;

/// A limit that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct DescriptorLimit {
    /// `None` where it may not be read.
    max: Option<u64>,
    read_at: Timestamp,
    /// How many descriptors there were then.
    count: u64,
}

impl DescriptorLimit {
    /// Whether it is to be read again, at `now` and with `count` descriptors in use.
    fn is_stale(&self, count: u64, now: Timestamp) -> bool {
        let age = now.since(self.read_at);
        let is_near = self.max.is_some_and(|max| count.saturating_mul(100) >= max.saturating_mul(NEAR_PERCENT));
        let has_grown = count > self.count.saturating_add(self.count / GROWN_BY);
        age >= AGAIN_AFTER || has_grown || (is_near && age >= NEAR_AFTER)
    }
}

impl Owners {
    /// The descriptors of every process that holds a socket, ascending by process; the same value as before where nothing
    /// has changed. To be called once owners are known.
    pub fn descriptors(&mut self, now: ClockReading) -> Arc<Vec<(ProcessId, Descriptors)>> {
        self.read_limits(now);
        let mut all: Vec<_> = self.holder_index.pids().filter_map(|pid| self.descriptors_of(pid)).collect();
        all.sort_unstable_by_key(|(process, _)| *process);
        if *self.told != all {
            self.told = Arc::new(all);
        }
        Arc::clone(&self.told)
    }

    fn descriptors_of(&self, pid: u32) -> Option<(ProcessId, Descriptors)> {
        // What a thread has in a table of its own is not what /proc/PID/fd counts.
        let process = self.holder_index.process(pid).filter(|process| process.thread.is_none())?;
        let watched = self.watched.get(&pid).filter(|watched| watched.count > 0)?;
        let used = u32::try_from(watched.count).unwrap_or(u32::MAX);
        let max = watched.limit.and_then(|limit| limit.max);
        let sockets = self.unlisted.kinds.get(&pid).copied();
        // What holds no socket of these tables is in none of their rows.
        let is_of_tables = sockets.is_none_or(|kinds| kinds.tcp + kinds.closed + kinds.udp + kinds.unknown > 0);
        is_of_tables.then_some((process.id, Descriptors { used, max, counted_at: watched.counted_at, sockets }))
    }

    fn read_limits(&mut self, now: ClockReading) {
        let is_due = |watched: &Watched| watched.limit.is_none_or(|limit| limit.is_stale(watched.count, now.at));
        let due =
            |pid: u32| self.watched.get(&pid).filter(|watched| is_due(watched)).map(|watched| (watched.count, pid));
        let mut due: Vec<(u64, u32)> = self.holder_index.pids().filter_map(due).collect();
        due.sort_unstable_by_key(|(count, pid)| (Reverse(*count), *pid));
        let begun = clock::now().0;
        let budget = if self.told.is_empty() { FIRST_BUDGET } else { BUDGET };
        for (count, pid) in due {
            let max = self.proc.process(pid).ok().and_then(|directory| self.describer.descriptors_max(&directory));
            if let Some(watched) = self.watched.get_mut(&pid) {
                watched.limit = Some(DescriptorLimit { max, read_at: now.at, count });
            }
            if clock::now().0.since(begun) > budget {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_again_when_it_is_old_near_or_far_fewer_were_open() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let limit = DescriptorLimit { max: Some(1_000), read_at: at(100), count: 400 };
        for (count, second, stale) in
            [(400, 159, false), (400, 160, true), (500, 101, false), (501, 101, true), (300, 104, false)]
        {
            assert_eq!(limit.is_stale(count, at(second)), stale, "{count} at {second}");
        }
        let near = DescriptorLimit { count: 700, ..limit };
        assert!(!near.is_stale(700, at(104)) && near.is_stale(700, at(105)));
        assert!(!near.is_stale(699, at(105)), "below the share nothing is urgent");
    }
}
