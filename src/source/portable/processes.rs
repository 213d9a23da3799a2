//! The processes that hold sockets, by sysinfo: only the pids asked for, and one shared value for each set of holders.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::model::descriptors::Descriptors;
use crate::model::process::{Holders, Names, Process, ProcessId};
use crate::model::socket::Socket;
use crate::model::text::{COMMAND_LEN_MAX, DisplayText};
use crate::model::time::{Timestamp, WallTime};
use crate::source::portable::system;
use crate::source::users::Users;

/// sysinfo keeps what it has seen: with so many more processes than were asked for it starts afresh.
const STALE_MAX: usize = 1_024;
/// One sample counts the descriptors of so many processes: the library reads a directory for each.
const COUNTED_MAX: usize = 64;

/// What is known of processes.
#[derive(Debug)]
pub struct ProcessBook {
    /// Is empty where sysinfo does not support the system: then processes have no names.
    system: System,
    pids: Vec<Pid>,
    known: FxHashMap<u32, KnownProcess>,
    holders: FxHashMap<Vec<u32>, SharedHolders>,
    counted: BTreeMap<ProcessId, Descriptors>,
    /// Where the next sample goes on counting.
    counted_last: Option<ProcessId>,
}

#[derive(Debug)]
struct KnownProcess {
    process: Arc<Process>,
    started_seconds: u64,
}

/// A set of holders, and whether the sample at hand has it.
#[derive(Debug)]
struct SharedHolders {
    holders: Arc<Holders>,
    used: bool,
}

impl ProcessBook {
    /// Knows nothing yet.
    pub fn new() -> Self {
        let (known, holders) = (FxHashMap::default(), FxHashMap::default());
        let (counted, counted_last) = (BTreeMap::new(), None);
        Self { system: System::new(), pids: Vec::new(), known, holders, counted, counted_last }
    }

    /// Looks up `pids` and forgets all others.
    pub fn look_up(&mut self, pids: impl Iterator<Item = u32>) {
        self.pids.clear();
        self.pids.extend(pids.map(Pid::from_u32));
        self.pids.sort_unstable();
        self.pids.dedup();
        let system = &mut self.system;
        if system.processes().len() > self.pids.len() + STALE_MAX {
            *system = System::new();
        }
        // A process may change its name and command line, but not so often that it pays to read them each time.
        let wanted = ProcessRefreshKind::nothing()
            .with_cmd(UpdateKind::OnlyIfNotSet)
            .with_user(UpdateKind::OnlyIfNotSet)
            .without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&self.pids), true, wanted);
        let mut known = FxHashMap::default();
        for process in self.pids.iter().filter_map(|pid| system.process(*pid)) {
            let described = describe(process);
            let pid = described.id.pid;
            let before = self.known.remove(&pid).map(|known| known.process);
            let process_now = before.filter(|before| **before == described).unwrap_or_else(|| Arc::new(described));
            known.insert(pid, KnownProcess { process: process_now, started_seconds: process.start_time() });
        }
        self.known = known;
        self.holders.values_mut().for_each(|held| held.used = false);
    }

    /// The holders with these `pids`; `None` if none of them is there any more.
    pub fn holders(&mut self, pids: &[u32]) -> Option<Arc<Holders>> {
        let processes = || pids.iter().filter_map(|pid| self.known.get(pid)).map(|known| &known.process);
        if let Some(held) = self.holders.get_mut(pids)
            && held.holders.all().iter().eq(processes())
        {
            held.used = true;
            return Some(Arc::clone(&held.holders));
        }
        let holders = Arc::new(Holders::new(processes().cloned().collect())?);
        self.holders.insert(pids.to_vec(), SharedHolders { holders: Arc::clone(&holders), used: true });
        Some(holders)
    }

    /// Forgets sets of holders that this sample did not have.
    pub fn forget_unused(&mut self) {
        self.holders.retain(|_, held| held.used);
    }

    /// When `id` started, in seconds since 1970; `None` if it is not the process with this pid.
    pub fn started_seconds(&self, id: ProcessId) -> Option<u64> {
        self.known.get(&id.pid).filter(|known| known.process.id == id).map(|known| known.started_seconds)
    }

    /// What sysinfo says of the descriptors of the processes that hold sockets: of so many of them as one sample may ask
    /// for, in turn, and of the others what was said last.
    pub fn descriptors(&mut self, now: Timestamp) -> Arc<Vec<(ProcessId, Descriptors)>> {
        let mut ids: Vec<ProcessId> = self.known.values().map(|known| known.process.id).collect();
        ids.sort_unstable();
        let next = ids.partition_point(|id| Some(*id) <= self.counted_last);
        let (before, after) = ids.split_at(next);
        let asked: Vec<ProcessId> = after.iter().chain(before).take(COUNTED_MAX).copied().collect();
        self.counted_last = asked.last().copied();
        for id in asked {
            if let Some((used, max)) = self.count(id) {
                self.counted.insert(id, Descriptors { used, max, counted_at: Some(now), sockets: None });
            }
        }
        self.counted.retain(|id, _| ids.binary_search(id).is_ok());
        let all = self.counted.iter().map(|(id, descriptors)| {
            (*id, Descriptors { counted_at: descriptors.counted_at.filter(|at| *at != now), ..*descriptors })
        });
        Arc::new(all.collect())
    }

    fn count(&self, id: ProcessId) -> Option<(u32, Option<u64>)> {
        let process = self.system.process(Pid::from_u32(id.pid))?;
        let used = u32::try_from(process.open_files()?).ok()?;
        Some((used, process.open_files_limit().and_then(|count| u64::try_from(count).ok())))
    }
}

fn describe(process: &sysinfo::Process) -> Process {
    let pid = process.pid().as_u32();
    let started_seconds = process.start_time();
    let started = i64::try_from(started_seconds.saturating_mul(1_000)).ok().map(WallTime);
    Process {
        id: ProcessId { pid, start_ticks: system::start_ticks(pid).unwrap_or(started_seconds) },
        parent_pid: process.parent().map_or(0, Pid::as_u32),
        name: DisplayText::name(process.name().as_encoded_bytes()),
        command: command(process.cmd()),
        uid: process.user_id().and_then(system::uid),
        started,
        // sysinfo does not tell.
        is_container_init: false,
        thread: None,
    }
}

fn command(arguments: &[OsString]) -> DisplayText {
    let joined = arguments.join(std::ffi::OsStr::new(" "));
    DisplayText::from_bytes(joined.as_encoded_bytes(), COMMAND_LEN_MAX)
}

/// Names of users.
#[derive(Debug, Default)]
pub struct UserNames {
    names: Arc<Names>,
    users: Users,
    version: u64,
}

impl UserNames {
    /// The names of the users of `sockets` and of those before, as far as they come within this time.
    pub fn read(&mut self, sockets: &[Socket], wait: Duration) -> Arc<Names> {
        let version = self.users.want(sockets, wait);
        if std::mem::replace(&mut self.version, version) != version {
            self.names = Arc::new(Names { users: self.users.names(), ..Names::default() });
        }
        Arc::clone(&self.names)
    }

    /// Why users may be without a name.
    pub fn trouble(&self) -> Option<DisplayText> {
        self.users.trouble()
    }
}
