//! Processes, and how sockets belong to them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::exposure::AddressKinds;
use crate::model::hosts::NamedHosts;
use crate::model::netns::NetnsId;
use crate::model::text::{DisplayText, deserialize_name};
use crate::model::time::WallTime;

/// What identifies a process for ever: a pid alone is reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid in the pid namespace conntop runs in.
    pub pid: u32,
    /// Start time in clock ticks since boot (`proc_pid_stat`(5), field 22); on systems without ticks, seconds.
    pub start_ticks: u64,
}

/// A process as it was when its sockets were last walked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Identity.
    pub id: ProcessId,
    /// The parent's pid.
    pub parent_pid: u32,
    /// `comm`: the short name.
    #[serde(deserialize_with = "deserialize_name")]
    pub name: DisplayText,
    /// The command line, arguments separated by spaces; empty for kernel threads and zombies.
    pub command: DisplayText,
    /// The real uid; `None` where it could not be read.
    pub uid: Option<u32>,
    /// When it started; `None` where it could not be read.
    pub started: Option<WallTime>,
    /// Whether it is pid 1 of a pid namespace below the one of `/proc` (`NSpid` in `proc_pid_status`(5)): its container
    /// ends with it. Recordings do not keep it, as nothing in them can be acted on.
    #[serde(skip)]
    pub is_container_init: bool,
    /// The thread whose descriptor table has the socket, where that is not the table of the main thread. Recordings do
    /// not keep it.
    #[serde(skip)]
    pub thread: Option<Thread>,
}

/// A thread with a descriptor table of its own: the main thread has ended, or it called `unshare`(`CLONE_FILES`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number, which no other thread or process has at the same time.
    pub tid: u32,
    /// `comm`: its short name.
    pub name: DisplayText,
}

/// As sentences name it: `nginx[812]`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.id.pid)
    }
}

impl Process {
    /// What to call it: its name, and that of the thread that holds the socket (`java (worker-7)`).
    pub fn title(&self) -> Cow<'_, str> {
        match &self.thread {
            Some(thread) => Cow::Owned(format!("{} ({})", self.name, thread.name)),
            None => Cow::Borrowed(self.name.as_str()),
        }
    }

    /// What tells descriptor tables apart: the number of the thread whose table it is, which for the main thread is the pid.
    pub fn table(&self) -> u32 {
        self.thread.as_ref().map_or(self.id.pid, |thread| thread.tid)
    }
}

impl Process {
    /// Whether people are logged in through it, by its name: OpenSSH (`sshd`, since 9.8 also `sshd-session` and
    /// `sshd-auth`), Dropbear, `TinySSH`, or the server of mosh, which ssh starts.
    pub fn is_ssh_server(&self) -> bool {
        let name = self.name.as_str();
        matches!(name, "sshd" | "dropbear" | "tinysshd" | "mosh-server") || name.starts_with("sshd-")
    }
}

/// The processes that hold a descriptor of one socket: never empty, ascending by pid.
///
/// Shared: a thousand sockets of one server point to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders(Vec<Arc<Process>>);

impl Holders {
    /// `processes` in order of their pids; `None` if there are none.
    pub fn new(mut processes: Vec<Arc<Process>>) -> Option<Self> {
        processes.sort_by_key(|process| process.id);
        processes.dedup_by_key(|process| process.id);
        (!processes.is_empty()).then_some(Self(processes))
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Process>] {
        &self.0
    }

    /// The one with the lowest pid, usually the parent of the rest.
    pub fn first(&self) -> &Process {
        &self.0[0]
    }
}

/// Whose a socket is.
#[derive(Clone, Debug, Default)]
pub enum Owner {
    /// These processes hold it now.
    Live(Arc<Holders>),
    /// The kernel no longer says (inode 0); these held it when it was last known.
    Remembered(Arc<Holders>),
    /// Connected, but no process has taken it by accept(2) yet.
    Unaccepted,
    /// A process holds it, and there are processes that this user may not look into.
    Hidden,
    /// It is held, and `/proc` does not show by whom: it lists not every process (another pid namespace, `hidepid`), or
    /// could not be read. JSON and filters call it `hidden`, too; the coverage says why.
    Unseen,
    /// Not found in time: a process held it, and it was closed or passed on before conntop looked at that process.
    Vanished,
    /// No process holds it: the kernel's own, an orphan, or on its way from one process to another.
    #[default]
    None,
}

/// Why no process is named: what [`Owner`] says where it has no holders, as JSON and filters tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoProcess {
    /// Waiting in an accept queue.
    Unaccepted,
    /// The process cannot be seen.
    Hidden,
    /// Not found in time.
    Vanished,
    /// Nobody's.
    None,
}

impl NoProcess {
    /// The name of the case in JSON (`owner`) and filters.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unaccepted => "unaccepted",
            Self::Hidden => "hidden",
            Self::Vanished => "vanished",
            Self::None => "none",
        }
    }
}

impl Owner {
    /// The name of the case in JSON (`owner`) and filters.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Live(_) => "live",
            Self::Remembered(_) => "remembered",
            Self::Unaccepted => NoProcess::Unaccepted.label(),
            Self::Hidden | Self::Unseen => NoProcess::Hidden.label(),
            Self::Vanished => NoProcess::Vanished.label(),
            Self::None => NoProcess::None.label(),
        }
    }

    /// Whether a process holds it that cannot be seen, whatever the reason.
    pub const fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden | Self::Unseen)
    }

    /// Why no process is named; `None` where one is.
    pub const fn no_process(&self) -> Option<NoProcess> {
        match self {
            Self::Live(_) | Self::Remembered(_) => None,
            Self::Unaccepted => Some(NoProcess::Unaccepted),
            Self::Hidden | Self::Unseen => Some(NoProcess::Hidden),
            Self::Vanished => Some(NoProcess::Vanished),
            Self::None => Some(NoProcess::None),
        }
    }

    /// The processes, live or remembered.
    pub fn holders(&self) -> Option<&Arc<Holders>> {
        match self {
            Self::Live(holders) | Self::Remembered(holders) => Some(holders),
            Self::Unaccepted | Self::Hidden | Self::Unseen | Self::Vanished | Self::None => None,
        }
    }

    /// The names of the processes (`comm`), live or remembered; none where they are not known.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.holders().into_iter().flat_map(|holders| holders.all()).map(|process| process.name.as_str())
    }

    /// The first process, live or remembered.
    pub fn process(&self) -> Option<&Process> {
        self.holders().map(|holders| holders.first())
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Live(a), Self::Live(b)) | (Self::Remembered(a), Self::Remembered(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => self.holders().is_none() && std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// Which program a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executable {
    /// This file; the kernel adds ` (deleted)` if it is gone.
    Path(DisplayText),
    /// This user may not know.
    Hidden,
    /// None: a thread of the kernel.
    None,
    /// The process has ended.
    Gone,
    /// It could not be read, for a reason that says nothing of the process.
    Unknown,
}

/// What a process uses now; collected for visible processes only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Share of one core, 1.0 is one core busy; `None` until two samples exist.
    pub cpu: Option<f32>,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}

/// What our own network namespace is called; one that is mounted under this name is called by its path.
pub const OWN_NAMESPACE: &str = "own";

/// Names of numbers that rows hold: they change rarely, so they travel as one shared table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// User names by uid.
    pub users: BTreeMap<u32, DisplayText>,
    /// Interface names by network namespace and index: every namespace counts its own.
    pub interfaces: BTreeMap<(NetnsId, u32), DisplayText>,
    /// Network namespaces that have a name, or that something can stand in for one.
    pub namespaces: BTreeMap<NetnsId, DisplayText>,
    /// The network namespace that conntop is in: it is told by its number, whatever others are called. `None` where it is not
    /// known.
    pub own: Option<NetnsId>,
    /// The interfaces that are up and lead to others, by network namespace and index, with the kinds of their addresses;
    /// index 0 stands for all interfaces of a namespace (see [`reach`](crate::model::reach)). A namespace that is not there
    /// is not known.
    pub reachable: BTreeMap<(NetnsId, u32), AddressKinds>,
    /// The service unit, container or pod of a cgroup, by the inode of its directory.
    pub units: BTreeMap<u64, DisplayText>,
    /// The hosts that are shown together, whose numbers all of these are; none where there is only one. Recordings are of one.
    #[serde(skip)]
    pub hosts: NamedHosts,
}

impl Names {
    /// The network namespace that conntop is in on the host of `netns`; `None` where it is not known.
    pub fn own_beside(&self, netns: NetnsId) -> Option<NetnsId> {
        if self.hosts.is_empty() { self.own } else { self.hosts.of(netns)?.own }
    }

    /// The number of the network namespace `netns` on its host: the inode of `/proc/PID/ns/net`.
    pub fn namespace_number(&self, netns: NetnsId) -> u32 {
        self.hosts.namespace_number(netns)
    }

    /// What the network namespace `netns` is called, or its number.
    pub fn namespace_text(&self, netns: NetnsId) -> String {
        let named = self.namespaces.get(&netns);
        named.map_or_else(|| self.namespace_number(netns).to_string(), ToString::to_string)
    }
}
