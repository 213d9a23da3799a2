//! What conntop can do to the machine: signals, their targets, and what came of it.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::process::{Process, ProcessId};
use crate::model::text::DisplayText;

/// A signal that can be sent from the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below says what each does")]
pub enum Signal {
    Term,
    Int,
    Hup,
    Kill,
    Stop,
    Cont,
    Usr1,
    Usr2,
    Quit,
}

/// One row of the signal menu.
pub struct SignalRow {
    /// The signal; rows stand in the order of the enum.
    pub signal: Signal,
    /// Its name without `SIG`.
    pub name: &'static str,
    /// Its number on Linux but for MIPS, Alpha and SPARC (signal(7)).
    pub number: u8,
    /// What it does, in a few words (signal(7)).
    pub about: &'static str,
    /// Whether the process is expected to end.
    pub ends: bool,
}

/// Every signal of the menu, in its order.
#[rustfmt::skip]
pub const SIGNALS: [SignalRow; 9] = [
    SignalRow { signal: Signal::Term, name: "TERM", number: 15, about: "ask to end, cleanly",             ends: true },
    SignalRow { signal: Signal::Int,  name: "INT",  number: 2,  about: "interrupt, as Ctrl-C does",       ends: true },
    SignalRow { signal: Signal::Hup,  name: "HUP",  number: 1,  about: "hang up; servers often reload",   ends: false },
    SignalRow { signal: Signal::Kill, name: "KILL", number: 9,  about: "end at once, nothing is cleaned", ends: true },
    SignalRow { signal: Signal::Stop, name: "STOP", number: 19, about: "pause",                           ends: false },
    SignalRow { signal: Signal::Cont, name: "CONT", number: 18, about: "go on after STOP",                ends: false },
    SignalRow { signal: Signal::Usr1, name: "USR1", number: 10, about: "application-defined",             ends: false },
    SignalRow { signal: Signal::Usr2, name: "USR2", number: 12, about: "application-defined",             ends: false },
    SignalRow { signal: Signal::Quit, name: "QUIT", number: 3,  about: "end with a core; Java prints threads", ends: false },
];

impl Signal {
    /// The signal's row in the table.
    pub const fn row(self) -> &'static SignalRow {
        &SIGNALS[self as usize]
    }

    /// The signal called `name`, with or without `SIG`, in any case, or with this number.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let number = name.parse::<u8>().ok();
        SIGNALS.iter().find(|row| row.name == name || Some(row.number) == number).map(|row| row.signal)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().name)
    }
}

/// So many processes can be signalled and watched at the same time.
pub const KILLS_MAX: usize = 32;

/// Exactly what a confirmed kill does: this signal to this process, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The process; the start time makes sure that a reused pid is never hit.
    pub process: ProcessId,
    /// Its name, for messages.
    pub name: DisplayText,
    /// The signal.
    pub signal: Signal,
    /// Inodes of the sockets for which it was chosen: it is signalled only while it holds one of them. Empty where it
    /// was chosen for itself, or where the source has no inodes.
    pub holding: Vec<NonZeroU32>,
}

/// As sentences name its process: `nginx[812]`.
impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.process.pid)
    }
}

/// Why nothing can be done to anything: pids in `/proc` do not, or may not, mean the processes that a signal hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcMismatch {
    /// The mounted `/proc` is of a pid namespace in which conntop is not: `nsenter -m` without `-p`.
    ForeignProc,
    /// The mounted `/proc` is of a pid namespace above ours: `unshare -p` without a new `/proc`.
    OuterProc,
    /// What is at `/proc` is no proc file system, or nothing is.
    NoProc,
}

impl ProcMismatch {
    /// What is wrong and the way out, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ForeignProc => "/proc belongs to another pid namespace; enter it with nsenter -p as well",
            Self::OuterProc => {
                "/proc belongs to another pid namespace, the one outside; run conntop out there, enter the mounts as well \
                 (nsenter -m), or give it a /proc of its own (unshare --mount-proc)"
            }
            Self::NoProc => {
                "/proc is not mounted, so nobody can tell which process is which, nor what carries this session; mount \
                 it: mount -t proc proc /proc"
            }
        }
    }
}

/// What one should know of a target before it is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caution {
    /// An ssh server, or a connection of one: sessions end with it, maybe the one that conntop runs in, even if no
    /// parent of conntop holds it (tmux, sudo, mosh).
    Ssh,
    /// pid 1 of a pid namespace below ours: the kernel ends all processes of the container with it.
    ContainerInit,
}

impl Caution {
    /// Its name in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::ContainerInit => "container-init",
        }
    }

    /// As a sentence, for a process as for a connection.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Ssh => "an ssh server has it: whoever is logged in over it is cut off, maybe you",
            Self::ContainerInit => "it is pid 1 of a container: when it ends, the kernel ends the whole container",
        }
    }

    /// What has to be typed before it is done; `None` where showing [`Self::sentence`] is enough.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Ssh => Some("ssh"),
            Self::ContainerInit => None,
        }
    }

    /// What one should know before `process` is sent a signal.
    pub fn of(process: &Process) -> impl Iterator<Item = Self> {
        let ssh = process.is_ssh_server().then_some(Self::Ssh);
        ssh.into_iter().chain(process.is_container_init.then_some(Self::ContainerInit))
    }
}

/// Why a process is not sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protection {
    /// pid 1: the machine or the container would stop.
    Init,
    /// conntop itself.
    Itself,
    /// A parent of conntop: the shell or the ssh session one sits in.
    Ancestor,
    /// It has a terminal, and `/proc` hides (hidepid) which processes conntop runs inside.
    Terminal,
    /// A kernel thread: signals do nothing to it.
    KernelThread,
    /// An ssh server ([`Caution::Ssh`]), and nobody has asked for it by name.
    Ssh,
}

impl Protection {
    /// The refusal, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Init => "pid 1 keeps this machine (or container) running; conntop does not signal it",
            Self::Itself => "that is conntop itself; leave it to end it",
            Self::Ancestor => "conntop runs inside that process (your shell or session); signal it from elsewhere",
            Self::Terminal => {
                "/proc hides who started conntop, so this may be the session it runs in; run conntop as root"
            }
            Self::KernelThread => "that is a kernel thread; signals do nothing to it",
            Self::Ssh => {
                "an ssh server: who is logged in over it is cut off, maybe you; --including-ssh signals it too"
            }
        }
    }
}

/// What came of a signal. One kill can report twice: first that it was sent, then what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillOutcome {
    /// The kernel took the signal; the process is being watched.
    Sent,
    /// The process ended.
    Ended {
        /// How long after the signal.
        after: Duration,
    },
    /// The process is still there.
    StillRunning {
        /// How long after the signal.
        after: Duration,
    },
    /// It had ended before the signal was sent; nothing was done.
    AlreadyGone,
    /// The pid belongs to another process now; nothing was done.
    PidReused,
    /// It holds none of the sockets any more for which it was chosen; nothing was done.
    LetGo,
    /// conntop refuses; nothing was done.
    Refused(Protection),
    /// conntop cannot make sure whom it would hit; nothing was done.
    Unsure(ProcMismatch),
    /// The user may not; nothing was done.
    NotPermitted,
    /// The system said something else; nothing was done.
    Failed(DisplayText),
}

/// What came of which kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillReport {
    /// What was asked for.
    pub kill: Kill,
    /// What came of it.
    pub outcome: KillOutcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_stand_in_the_order_of_the_enum_and_parse() {
        for (index, row) in SIGNALS.iter().enumerate() {
            assert_eq!(row.signal as usize, index);
            assert_eq!(Signal::parse(row.name), Some(row.signal));
            assert_eq!(Signal::parse(&row.number.to_string()), Some(row.signal));
            assert_eq!(Signal::parse(&format!("sig{}", row.name.to_lowercase())), Some(row.signal));
        }
        assert_eq!(Signal::parse("SEGV"), None);
    }
}
