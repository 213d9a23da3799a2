//! CPU and memory of a few processes, by sysinfo: the part that the Linux sources and the portable one share.
//!
//! Only the pids asked for are looked at: a machine with 10,000 processes costs no more than one with 10.

use std::time::Duration;

use rustc_hash::FxHashMap;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::model::process::Usage;
use crate::model::time::Timestamp;
use crate::source::clock;

/// sysinfo cannot tell CPU usage over a shorter time than this.
const CPU_INTERVAL_MIN: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// A process as sysinfo knows it, measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The process.
    pub pid: u32,
    /// When it started, in seconds since 1970: whether it is still the one meant.
    pub started_seconds: u64,
    /// CPU and memory; descriptors are the caller's.
    pub usage: Usage,
}

/// Above this many processes the meter starts afresh, so that those long gone are forgotten.
const KNOWN_MAX: usize = 1024;

/// Measures processes again and again.
#[derive(Debug, Default)]
pub struct Meter {
    /// Is empty where sysinfo does not support the system: then nothing is measured.
    system: System,
    known: FxHashMap<u32, MeasuredBefore>,
    measured_at: Option<Timestamp>,
}

/// A process that was measured before.
#[derive(Clone, Copy, Debug)]
struct MeasuredBefore {
    started_seconds: u64,
    /// There were two measurements: the CPU share means something.
    compared: bool,
}

impl Meter {
    /// A meter that has measured nothing.
    pub fn new() -> Self {
        Self { system: System::new(), known: FxHashMap::default(), measured_at: None }
    }

    /// Measures those of `pids` that exist. A process has a CPU share from the second time on.
    pub fn measure(&mut self, pids: impl IntoIterator<Item = u32>) -> Vec<Measured> {
        let mut pids: Vec<_> = pids.into_iter().map(Pid::from_u32).collect();
        pids.sort_unstable();
        pids.dedup();
        if pids.is_empty() {
            return Vec::new();
        }
        if self.known.len() > KNOWN_MAX {
            *self = Self::new();
        }
        let now = clock::now().0;
        let too_soon = self.measured_at.is_some_and(|before| now.since(before) < CPU_INTERVAL_MIN);
        if !(too_soon && pids.iter().all(|pid| self.known.contains_key(&pid.as_u32()))) {
            self.refresh(&pids, now);
        }
        pids.iter().filter_map(|pid| self.measured(*pid)).collect()
    }

    fn refresh(&mut self, pids: &[Pid], now: Timestamp) {
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(pids), true, wanted);
        self.measured_at = Some(now);
        for pid in pids {
            let Some(process) = self.system.process(*pid) else {
                self.known.remove(&pid.as_u32());
                continue;
            };
            let started_seconds = process.start_time();
            let before = self.known.get(&pid.as_u32());
            let compared = before.is_some_and(|before| before.started_seconds == started_seconds);
            self.known.insert(pid.as_u32(), MeasuredBefore { started_seconds, compared });
        }
    }

    fn measured(&self, pid: Pid) -> Option<Measured> {
        let process = self.system.process(pid)?;
        let known = self.known.get(&pid.as_u32())?;
        let cpu = known.compared.then(|| process.cpu_usage() / 100.0);
        let usage = Usage { cpu, memory_bytes: process.memory() };
        Some(Measured { pid: pid.as_u32(), started_seconds: known.started_seconds, usage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_itself_and_no_pid_that_does_not_exist() {
        let me = std::process::id();
        let mut meter = Meter::new();
        let first = meter.measure([me, u32::MAX >> 1, me]);
        assert_eq!(first.iter().map(|measured| measured.pid).collect::<Vec<_>>(), [me]);
        assert!(first[0].usage.memory_bytes > 100_000, "{first:?}");
        assert_eq!(first[0].usage.cpu, None, "one measurement says nothing of a share");
        assert!(meter.measure([]).is_empty());
    }
}
