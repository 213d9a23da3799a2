//! This machine. Signals through pidfds: what was checked is what is hit, because a pidfd never changes its process.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal as SystemSignal, kill_process, pidfd_open, pidfd_send_signal, test_kill_process,
};
use rustix::time::Timespec;

use crate::host::ancestry::Ancestry;
use crate::host::identity::{self, PidfdTarget};
use crate::host::session::OwnSession;
use crate::host::{ExitWatch, Host, closing, holding};
use crate::model::action::{Kill, KillOutcome, ProcMismatch, Protection, Signal};
use crate::model::closing::{Close, CloseOutcome, CloseRefusal};
use crate::model::process::ProcessId;
use crate::model::text::DisplayText;
use crate::source::linux::proc_stat;

/// How often a process is looked at where the kernel cannot tell its end (Linux before 5.3).
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// This machine, through `/proc` and pidfds.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxHost;

impl Host for LinuxHost {
    fn kill(&self, kill: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome> {
        // Without that no number from /proc may be given to the kernel at all.
        if let Some(doubt) = identity::doubt() {
            return Err(KillOutcome::Unsure(doubt));
        }
        let pid = killable(kill.process.pid)?;
        // Opened before the check: from here on the pid may be reused, the descriptor stays with the process.
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::NOSYS) => return kill_without_pidfd(pid, kill),
            Err(errno) => return Err(outcome(errno)),
        };
        if ended(&pidfd, Duration::ZERO) {
            return Err(KillOutcome::AlreadyGone);
        }
        is_meant(&pidfd, kill.process.pid)?;
        check(kill)?;
        match pidfd_send_signal(&pidfd, system_signal(kill.signal)) {
            Ok(()) => Ok(Box::new(PidfdWatch(pidfd))),
            // Linux 5.1 and 5.2 can send but not open, so both calls are there or the first one is missing.
            Err(errno) => Err(outcome(errno)),
        }
    }

    fn protected(&self) -> Vec<(u32, Protection)> {
        Ancestry::look().protected()
    }

    fn doubt(&self) -> Option<ProcMismatch> {
        identity::doubt()
    }

    fn may_close(&self) -> bool {
        closing::is_permitted()
    }

    fn spared(&self, closes: &[Close]) -> Vec<Option<CloseRefusal>> {
        let session = OwnSession::of(&Ancestry::look());
        closes.iter().map(|close| session.spares(close)).collect()
    }

    fn close(&self, closes: &[Close]) -> Vec<CloseOutcome> {
        match identity::doubt() {
            Some(doubt) => vec![CloseOutcome::Unsure(doubt); closes.len()],
            None => closing::close(closes, &self.spared(closes)),
        }
    }
}

/// Sets `no_new_privs` (prctl(2)); an old kernel that does not know it changes nothing.
pub(super) fn forgo_new_rights() {
    let _ = rustix::thread::set_no_new_privs(true);
}

/// A pid that can be given to kill(2) and means one process: 0 and negative ones mean groups.
fn killable(pid: u32) -> Result<Pid, KillOutcome> {
    if pid == 1 {
        return Err(KillOutcome::Refused(Protection::Init));
    }
    let pid = i32::try_from(pid).map_err(|_| KillOutcome::AlreadyGone)?;
    Pid::from_raw(pid).ok_or_else(|| KillOutcome::Failed("pid 0 is not a process; choose another row".into()))
}

/// Whether the pidfd holds the process that `/proc` calls `pid`.
fn is_meant(pidfd: &OwnedFd, pid: u32) -> Result<(), KillOutcome> {
    match identity::target_of(pidfd) {
        Ok(PidfdTarget::Process(held)) if held == pid => Ok(()),
        Ok(PidfdTarget::Ended) => Err(KillOutcome::AlreadyGone),
        Ok(PidfdTarget::Process(_) | PidfdTarget::Elsewhere) => Err(KillOutcome::Unsure(ProcMismatch::ForeignProc)),
        Err(error) => Err(failed(&format!("/proc does not say which process that is ({error}); nothing was done"))),
    }
}

/// Whether the process is still the one that was meant, may be signalled, and holds what it was chosen for.
fn check(kill: &Kill) -> Result<(), KillOutcome> {
    let process = kill.process;
    let Some(stat) = proc_stat::read(process.pid) else {
        // The pidfd says that it lives, so /proc hides it (hidepid): without the start time nothing is sure.
        return Err(failed("/proc hides this process; run conntop as root to signal it"));
    };
    if stat.start_ticks != process.start_ticks {
        return Err(KillOutcome::PidReused);
    }
    if stat.has_ended() {
        return Err(KillOutcome::AlreadyGone);
    }
    if let Some(protection) = Ancestry::look().protection(process.pid, stat) {
        return Err(KillOutcome::Refused(protection));
    }
    if kill.holding.is_empty() {
        return Ok(());
    }
    match holding::holds_any(process.pid, &kill.holding) {
        Ok(true) => Ok(()),
        Ok(false) => Err(KillOutcome::LetGo),
        Err(error) => Err(failed(&format!(
            "whether it still holds the socket cannot be seen ({error}); nothing was done; run conntop as root"
        ))),
    }
}

fn failed(sentence: &str) -> KillOutcome {
    KillOutcome::Failed(DisplayText::new(sentence))
}

fn system_signal(signal: Signal) -> SystemSignal {
    match signal {
        Signal::Term => SystemSignal::TERM,
        Signal::Int => SystemSignal::INT,
        Signal::Hup => SystemSignal::HUP,
        Signal::Kill => SystemSignal::KILL,
        Signal::Stop => SystemSignal::STOP,
        Signal::Cont => SystemSignal::CONT,
        Signal::Usr1 => SystemSignal::USR1,
        Signal::Usr2 => SystemSignal::USR2,
        Signal::Quit => SystemSignal::QUIT,
    }
}

fn outcome(errno: Errno) -> KillOutcome {
    match errno {
        Errno::PERM => KillOutcome::NotPermitted,
        Errno::SRCH => KillOutcome::AlreadyGone,
        errno => KillOutcome::Failed(DisplayText::new(&format!(
            "the kernel refused the signal: {errno}; try `kill` in a shell"
        ))),
    }
}

/// The end of a process, told by its descriptor: it becomes readable when the last thread has ended (`pidfd_poll`,
/// `fs/pidfs.c`), not already with the main thread.
struct PidfdWatch(OwnedFd);

impl ExitWatch for PidfdWatch {
    fn ended_within(&mut self, timeout: Duration) -> bool {
        ended(&self.0, timeout)
    }
}

fn ended(pidfd: &OwnedFd, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(count) if count > 0 => return true,
            Err(Errno::INTR) => {}
            // An error cannot say that it ended.
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Linux before 5.3: the process could end between the check and the signal, and its pid be given away.
fn kill_without_pidfd(pid: Pid, kill: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome> {
    if test_kill_process(pid) == Err(Errno::SRCH) {
        return Err(KillOutcome::AlreadyGone);
    }
    check(kill)?;
    kill_process(pid, system_signal(kill.signal)).map_err(outcome)?;
    Ok(Box::new(ProcWatch(kill.process)))
}

/// The end of a process, found by looking again and again.
struct ProcWatch(ProcessId);

impl ExitWatch for ProcWatch {
    fn ended_within(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let stat = proc_stat::read(self.0.pid);
            if stat.is_none_or(|stat| stat.has_ended() || stat.start_ticks != self.0.start_ticks) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(LOOK_INTERVAL));
        }
    }

    fn note(&self) -> Option<DisplayText> {
        Some("this kernel has no pidfd: the process was checked right before the signal, not together with it".into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, ChildStdout, Command, Stdio};

    use super::*;

    /// A child that has said that it is ready; it is killed when the test ends.
    struct Victim(Child, #[expect(dead_code, reason = "keeps the pipe open")] BufReader<ChildStdout>);

    impl Victim {
        fn new(script: &str) -> Self {
            let mut child = Command::new("sh")
                .args(["-c", &format!("{script} echo ready; read line")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("sh is there");
            let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
            let mut line = String::new();
            lines.read_line(&mut line).expect("the child writes");
            assert_eq!(line, "ready\n");
            Self(child, lines)
        }

        fn kill(&self, signal: Signal) -> Kill {
            kill(self.0.id(), signal)
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().expect("it is our child").is_none()
        }
    }

    impl Drop for Victim {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn kill(pid: u32, signal: Signal) -> Kill {
        let start_ticks = proc_stat::read(pid).map_or(0, |stat| stat.start_ticks);
        Kill { process: ProcessId { pid, start_ticks }, name: "victim".into(), signal, holding: Vec::new() }
    }

    fn refusal(kill: &Kill) -> KillOutcome {
        LinuxHost.kill(kill).err().expect("the kill is refused")
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_process_that_obeys_term_is_seen_to_end() {
        let victim = Victim::new("");
        let mut watch = LinuxHost.kill(&victim.kill(Signal::Term)).map_err(drop).expect("it may be signalled");
        assert!(watch.ended_within(LONG));
        assert_eq!(watch.note(), None);
    }

    #[test]
    fn a_process_that_ignores_term_lives_until_kill() {
        let mut victim = Victim::new("trap '' TERM;");
        let mut watch = LinuxHost.kill(&victim.kill(Signal::Term)).map_err(drop).expect("it may be signalled");
        assert!(!watch.ended_within(SHORT));
        assert!(victim.lives());
        let mut watch = LinuxHost.kill(&victim.kill(Signal::Kill)).map_err(drop).expect("it may be signalled");
        assert!(watch.ended_within(LONG));
    }

    #[test]
    fn an_impostor_with_the_same_pid_lives() {
        let mut impostor = Victim::new("");
        let mut kill = impostor.kill(Signal::Kill);
        kill.process.start_ticks -= 1;
        assert_eq!(refusal(&kill), KillOutcome::PidReused);
        assert!(impostor.lives());
    }

    #[test]
    fn what_has_ended_is_already_gone_reaped_or_not() {
        let mut victim = Victim::new("");
        let kill = victim.kill(Signal::Term);
        let mut watch = LinuxHost.kill(&kill).map_err(drop).expect("it may be signalled");
        assert!(watch.ended_within(LONG));
        assert_eq!(refusal(&kill), KillOutcome::AlreadyGone, "a zombie");
        victim.0.wait().expect("it is our child");
        assert_eq!(refusal(&kill), KillOutcome::AlreadyGone, "reaped");
    }

    #[test]
    fn stop_and_cont_do_not_end_a_process() {
        let mut victim = Victim::new("");
        for signal in [Signal::Stop, Signal::Cont] {
            let mut watch = LinuxHost.kill(&victim.kill(signal)).map_err(drop).expect("it may be signalled");
            assert!(!watch.ended_within(SHORT));
        }
        assert!(victim.lives());
    }

    #[test]
    fn init_itself_and_ancestors_are_refused() {
        let parent = std::os::unix::process::parent_id();
        for (pid, protection) in [
            (1, Protection::Init),
            (std::process::id(), Protection::Itself),
            (parent, if parent == 1 { Protection::Init } else { Protection::Ancestor }),
        ] {
            // CONT does no harm should the refusal fail.
            assert_eq!(refusal(&kill(pid, Signal::Cont)), KillOutcome::Refused(protection), "{pid}");
            assert!(LinuxHost.protected().contains(&(pid, protection)), "{pid}");
        }
    }

    #[test]
    fn kernel_threads_are_refused() {
        // pid 2 is kthreadd, except in a pid namespace.
        if proc_stat::read(2).is_some_and(|stat| stat.is_kernel_thread()) {
            assert_eq!(refusal(&kill(2, Signal::Cont)), KillOutcome::Refused(Protection::KernelThread));
        }
    }

    #[test]
    fn numbers_that_are_no_process_are_never_given_to_the_kernel() {
        assert!(matches!(refusal(&kill(0, Signal::Cont)), KillOutcome::Failed(_)));
        assert_eq!(refusal(&kill(u32::MAX, Signal::Cont)), KillOutcome::AlreadyGone, "-1 would mean everybody");
        assert_eq!(refusal(&kill(4_194_305, Signal::Cont)), KillOutcome::AlreadyGone, "above the largest pid_max");
    }

    #[test]
    fn errors_of_the_kernel_become_outcomes() {
        assert_eq!(outcome(Errno::PERM), KillOutcome::NotPermitted);
        assert_eq!(outcome(Errno::SRCH), KillOutcome::AlreadyGone);
        assert!(matches!(outcome(Errno::INVAL), KillOutcome::Failed(_)));
    }

    #[test]
    fn an_old_kernel_is_served_by_looking_twice_and_says_so() {
        let mut victim = Victim::new("trap '' TERM;");
        let pid = killable(victim.0.id()).expect("a child");
        let mut watch = kill_without_pidfd(pid, &victim.kill(Signal::Term)).map_err(drop).expect("it may be signalled");
        assert!(!watch.ended_within(SHORT));
        assert!(watch.note().is_some());
        let mut wrong = victim.kill(Signal::Kill);
        wrong.process.start_ticks -= 1;
        assert_eq!(kill_without_pidfd(pid, &wrong).err(), Some(KillOutcome::PidReused));
        assert!(victim.lives());
        let right = victim.kill(Signal::Kill);
        let mut watch = kill_without_pidfd(pid, &right).map_err(drop).expect("it may be signalled");
        victim.0.wait().expect("it is our child");
        assert!(watch.ended_within(LONG));
        assert_eq!(kill_without_pidfd(pid, &right).err(), Some(KillOutcome::AlreadyGone));
    }
}
