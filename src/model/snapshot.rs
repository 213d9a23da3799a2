//! What a source hands over: every socket at one moment, and what came with it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::coverage::Coverage;
use crate::model::process::{Names, ProcessId, Usage};
use crate::model::socket::{Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};

/// Where snapshots come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// Linux `sock_diag`(7).
    Linux,
    /// Linux `/proc/net/{tcp,tcp6,udp,udp6}`.
    Procfs,
    /// The netstat2 and sysinfo libraries.
    Portable,
    /// A recording.
    Replay,
    /// Made up, from a seed.
    Synthetic,
}

impl SourceKind {
    /// The name in `--source` and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Procfs => "procfs",
            Self::Portable => "portable",
            Self::Replay => "replay",
            Self::Synthetic => "synthetic",
        }
    }
}

/// What can be done to what a source shows. A recording and a demo have none: they can never kill a live process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Its processes are live ones of this machine.
    pub kill: bool,
}

/// A source, described once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Which one.
    pub kind: SourceKind,
    /// The host it shows.
    pub host: DisplayText,
    /// What can be done to what it shows.
    pub abilities: Abilities,
}

/// What the screen needs beyond the sockets: only what is visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Processes whose CPU, memory and descriptors are shown.
    pub usage: Vec<ProcessId>,
    /// Connections whose whole `tcp_info` is shown.
    pub details: Vec<SocketRef>,
}

/// Every socket at one moment. Sources refill one value again and again, so that its memory is reused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When the sample was begun.
    pub at: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// How long taking it took.
    pub took: Duration,
    /// The sockets, each once.
    pub sockets: Vec<Socket>,
    /// What could not be seen.
    pub coverage: Coverage,
    /// Names of users and interfaces.
    pub names: Arc<Names>,
    /// What the processes of [`Needs::usage`] use.
    pub usage: Vec<(ProcessId, Usage)>,
    /// The details of [`Needs::details`], for those still there.
    pub details: Vec<(SocketId, TcpDetail)>,
}

impl Snapshot {
    /// Empties it for the next sample; keeps the memory.
    pub fn clear(&mut self) {
        self.sockets.clear();
        self.coverage = Coverage::default();
        self.usage.clear();
        self.details.clear();
    }
}
