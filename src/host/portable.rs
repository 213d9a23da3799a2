//! Signals where there is no pidfd: the start time is checked right before, through sysinfo. Compiled everywhere, so
//! that it is tested everywhere; used on systems other than Linux.

use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Signal as SystemSignal, System};

use crate::host::{ExitWatch, Host};
use crate::model::action::{Kill, KillOutcome, Protection, Signal};
use crate::model::process::ProcessId;
use crate::model::text::DisplayText;

/// The longest chain of parents that is followed.
const ANCESTORS_MAX: usize = 64;
/// How often a process is looked at until it ends.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// This machine, through sysinfo. Start times are in seconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortableHost;

impl Host for PortableHost {
    fn kill(&self, kill: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome> {
        let pid = kill.process.pid;
        if let Some(protection) = protection(pid) {
            return Err(KillOutcome::Refused(protection));
        }
        if !sysinfo::IS_SUPPORTED_SYSTEM {
            return Err(KillOutcome::Failed(DisplayText::new("the library sysinfo does not support this system")));
        }
        let mut system = System::new();
        let Some(process) = look(&mut system, pid) else {
            return Err(KillOutcome::AlreadyGone);
        };
        if process.start_time() != kill.process.start_ticks {
            return Err(KillOutcome::PidReused);
        }
        match process.kill_with(system_signal(kill.signal)) {
            Some(true) => Ok(Box::new(LookWatch { process: kill.process, system })),
            Some(false) if look(&mut system, pid).is_none() => Err(KillOutcome::AlreadyGone),
            Some(false) => Err(KillOutcome::NotPermitted),
            None => Err(KillOutcome::Failed(DisplayText::new(&format!(
                "this system has no signal {}; choose KILL",
                kill.signal
            )))),
        }
    }

    fn protected(&self) -> Vec<(u32, Protection)> {
        let mut protected = vec![(1, Protection::Init), (std::process::id(), Protection::Itself)];
        protected.extend(ancestors().into_iter().map(|pid| (pid, Protection::Ancestor)));
        protected
    }
}

fn protection(pid: u32) -> Option<Protection> {
    match pid {
        0 => Some(Protection::KernelThread),
        1 => Some(Protection::Init),
        pid if pid == std::process::id() => Some(Protection::Itself),
        pid => ancestors().contains(&pid).then_some(Protection::Ancestor),
    }
}

/// The process `pid`, if it is there and no zombie.
fn look(system: &mut System, pid: u32) -> Option<&sysinfo::Process> {
    let pid = Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    system.process(pid).filter(|process| !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead))
}

fn ancestors() -> Vec<u32> {
    let mut ancestors = Vec::new();
    let mut system = System::new();
    let mut pid = std::process::id();
    while ancestors.len() < ANCESTORS_MAX {
        let parent = look(&mut system, pid).and_then(sysinfo::Process::parent).map(Pid::as_u32);
        let Some(parent) = parent.filter(|parent| *parent > 1 && !ancestors.contains(parent)) else {
            break;
        };
        ancestors.push(parent);
        pid = parent;
    }
    ancestors
}

fn system_signal(signal: Signal) -> SystemSignal {
    match signal {
        Signal::Term => SystemSignal::Term,
        Signal::Int => SystemSignal::Interrupt,
        Signal::Hup => SystemSignal::Hangup,
        Signal::Kill => SystemSignal::Kill,
        Signal::Stop => SystemSignal::Stop,
        Signal::Cont => SystemSignal::Continue,
        Signal::Usr1 => SystemSignal::User1,
        Signal::Usr2 => SystemSignal::User2,
        Signal::Quit => SystemSignal::Quit,
    }
}

/// The end of a process, found by looking again and again.
struct LookWatch {
    process: ProcessId,
    system: System,
}

impl ExitWatch for LookWatch {
    fn ended_within(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let process = look(&mut self.system, self.process.pid);
            if process.is_none_or(|process| process.start_time() != self.process.start_ticks) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(LOOK_INTERVAL));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn victim() -> (Child, Kill) {
        let child = Command::new("sleep").arg("60").spawn().expect("sleep is there");
        let pid = child.id();
        let start_ticks = look(&mut System::new(), pid).expect("it was just started").start_time();
        let process = ProcessId { pid, start_ticks };
        (child, Kill { process, name: "sleep".into(), signal: Signal::Kill, holding: Vec::new() })
    }

    #[test]
    fn a_process_is_killed_and_seen_to_end() {
        let (mut child, kill) = victim();
        let mut watch = PortableHost.kill(&kill).map_err(drop).expect("it may be signalled");
        assert!(watch.ended_within(Duration::from_secs(60)));
        child.wait().expect("it is our child");
        assert_eq!(PortableHost.kill(&kill).err(), Some(KillOutcome::AlreadyGone));
    }

    #[test]
    fn an_impostor_with_the_same_pid_lives() {
        let (mut child, mut kill) = victim();
        kill.process.start_ticks -= 1;
        assert_eq!(PortableHost.kill(&kill).err(), Some(KillOutcome::PidReused));
        assert!(child.try_wait().expect("it is our child").is_none());
        child.kill().expect("it lives");
        child.wait().expect("it is our child");
    }

    #[test]
    fn what_must_not_be_signalled_is_refused() {
        for (pid, expected) in PortableHost.protected() {
            let process = ProcessId { pid, start_ticks: 0 };
            let kill = Kill { process, name: "x".into(), signal: Signal::Cont, holding: Vec::new() };
            assert_eq!(PortableHost.kill(&kill).err(), Some(KillOutcome::Refused(expected)), "{pid}");
        }
    }
}
