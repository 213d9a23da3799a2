//! Which process made a step of the trace by a call of its own: looked up soon after, while it is most likely still there.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::event::{Caller, TracedStateChange};
use crate::model::process::{Holders, ProcessId};
use crate::model::socket::NetnsId;
use crate::model::time::{CLOCK_TICK, Timestamp};
use crate::source::clock;
use crate::source::linux::proc_dir::{ProcDir, ProcessDir};
use crate::source::linux::proc_stat::{ProcessStat, name_in};
use crate::source::linux::processes::{ClockReading, Describer};

/// The most processes that are remembered; past that all are described anew.
const KNOWN_MAX: usize = 4_096;

/// Names processes by their pids.
#[derive(Debug)]
pub struct Callers {
    proc: ProcDir,
    describer: Describer,
    content: Vec<u8>,
    known: FxHashMap<u32, KnownCaller>,
    /// How often the rings were emptied so far.
    turn: u64,
}

#[derive(Debug)]
struct KnownCaller {
    process: Arc<Holders>,
    netns: Option<NetnsId>,
    /// The turn in which it was last seen to be there.
    turn: u64,
}

impl Callers {
    /// `None` where there is no /proc.
    pub fn open() -> Option<Self> {
        let (describer, content, known) = (Describer::default(), Vec::new(), FxHashMap::default());
        Some(Self { proc: ProcDir::open().ok()?, describer, content, known, turn: 0 })
    }

    /// Begins to empty the rings once more: from now on each process is looked at anew, once.
    pub fn begin(&mut self) {
        self.turn += 1;
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
    }

    /// Who made `step`, where `pid` did (in the pid namespace of conntop; 0 for one outside of it). `None` for a process that
    /// is gone, or for another one under its pid, and for threads of the kernel, which work for others.
    pub fn caller(&mut self, step: &TracedStateChange, pid: u32) -> Option<Caller> {
        if pid == 0 || !step.is_own_call() {
            return None;
        }
        if self.known.get(&pid).is_none_or(|known| known.turn != self.turn) {
            self.look_at(pid);
        }
        let KnownCaller { process, netns, .. } = self.known.get(&pid)?;
        let started =
            Timestamp(0).after(CLOCK_TICK.saturating_mul(u32::try_from(process.first().id.start_ticks).ok()?));
        let (process, netns) = (Arc::clone(process), *netns);
        (started <= step.at).then_some(Caller { at: step.at, key: step.key, process, netns })
    }

    fn look_at(&mut self, pid: u32) {
        let Some(directory) = self.proc.process(pid).ok().filter(|directory| self.is_of_users(directory)) else {
            self.known.remove(&pid);
            return;
        };
        let turn = self.turn;
        // A process keeps its name and command line until execve(2), which as a rule gives it another name.
        let is_same = |known: &KnownCaller, content: &[u8]| {
            let first = known.process.first();
            ProcessStat::parse(content).zip(name_in(content)).is_some_and(|(stat, name)| {
                let id = ProcessId { pid, start_ticks: stat.start_ticks };
                first.id == id && first.name.as_str().as_bytes() == name
            })
        };
        if let Some(known) = self.known.get_mut(&pid).filter(|known| is_same(known, &self.content)) {
            known.turn = turn;
            return;
        }
        let (at, wall) = clock::now();
        let described = self.describer.describe(&directory, pid, ClockReading { at, wall }).ok();
        match described.and_then(|process| Holders::new(vec![Arc::new(process)])) {
            Some(process) => {
                let netns = directory.inode_of(c"ns/net").ok().and_then(|inode| u32::try_from(inode).ok());
                self.known.insert(pid, KnownCaller { process: Arc::new(process), netns: netns.map(NetnsId), turn });
            }
            None => drop(self.known.remove(&pid)),
        }
    }

    /// Reads the stat of a process; whether it is one of users.
    fn is_of_users(&mut self, directory: &ProcessDir) -> bool {
        directory.read(c"stat", &mut self.content).is_ok()
            && ProcessStat::parse(&self.content).is_some_and(|stat| !stat.is_kernel_thread())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::tcp_state::TcpState::{self, Close, CloseWait, Established, SynSent};

    fn step(at: Timestamp, (from, to): (TcpState, TcpState)) -> TracedStateChange {
        let end = Endpoint::new(std::net::Ipv4Addr::LOCALHOST.into(), 1);
        TracedStateChange { at, key: 7, local: end, remote: end, from, to }
    }

    #[test]
    fn the_process_behind_a_call_is_named_with_its_namespace() {
        let mut callers = Callers::open().expect("/proc");
        callers.begin();
        let (pid, now) = (std::process::id(), clock::now().0);
        let caller = callers.caller(&step(now, (Close, SynSent)), pid).expect("it is there");
        assert_eq!((caller.at, caller.key, caller.process.first().id.pid), (now, 7, pid));
        let own = std::fs::read_link("/proc/self/ns/net").expect("it has one");
        let netns = caller.netns.map(|netns| format!("net:[{}]", netns.0));
        assert_eq!(netns.as_deref(), own.to_str());
        let again = callers.caller(&step(now, (CloseWait, TcpState::LastAck)), pid).expect("it is there");
        assert!(Arc::ptr_eq(&again.process, &caller.process), "described once");
        callers.begin();
        let later = callers.caller(&step(now, (Close, SynSent)), pid).expect("it is there");
        assert!(Arc::ptr_eq(&later.process, &caller.process), "nothing of it has changed");
    }

    #[test]
    fn nobody_is_named_who_need_not_have_done_it() {
        let mut callers = Callers::open().expect("/proc");
        callers.begin();
        let (pid, now) = (std::process::id(), clock::now().0);
        assert_eq!(callers.caller(&step(now, (Established, CloseWait)), pid), None, "a packet did that");
        assert_eq!(callers.caller(&step(now, (Close, SynSent)), 0), None);
        assert_eq!(callers.caller(&step(now, (Close, SynSent)), u32::MAX), None, "there is no such process");
        assert_eq!(callers.caller(&step(Timestamp(1), (Close, SynSent)), pid), None, "the pid was another's then");
    }
}
