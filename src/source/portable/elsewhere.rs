//! What the portable source can and cannot see on systems other than Linux: they have no inodes, so that a socket is
//! its addresses, and nothing tells a connection in an accept queue.

use netstat2::{ProtocolSocketInfo, SocketInfo};
use sysinfo::Uid;

use crate::model::process::Owner;
use crate::source::portable::table::NetstatRow;

/// What netstat2 leaves out. On macOS it asks the processes for their sockets, so what no process holds is not there.
pub const NOT_SEEN: &str = if cfg!(target_os = "macos") {
    "on macOS conntop sees only sockets that a process holds, so no TIME_WAIT, and without sudo only those of your own \
     processes; no queues, timers, round-trip times, byte counts or UDP peers"
} else {
    "on this system conntop sees no queues, timers, round-trip times, byte counts or UDP peers; Linux has them"
};
/// What to do where netstat2 fails.
pub const INSTEAD: &str = "run conntop as an administrator";

/// `info` as an entry; `None` for a state without a name.
pub fn entry(info: SocketInfo) -> Option<NetstatRow> {
    let mut entry = match &info.protocol_socket_info {
        ProtocolSocketInfo::Tcp(tcp) => NetstatRow::tcp(tcp)?,
        ProtocolSocketInfo::Udp(udp) => NetstatRow::udp(udp),
    };
    // Windows says 0, "the idle process", where a connection has lost its own.
    entry.pids = info.associated_pids.into_iter().filter(|pid| *pid != 0).collect();
    entry.pids.sort_unstable();
    Some(entry)
}

/// What this user may not look into; not known here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible {
    /// Processes whose descriptors may not be read.
    pub unreadable: u32,
}

impl Visible {
    /// Nothing to look at.
    pub fn look(_: &[NetstatRow]) -> Self {
        Self::default()
    }

    /// Why owners are missing: nothing to say.
    #[expect(clippy::unused_self, reason = "on Linux there is something to look at")]
    pub fn reasons(self) -> Vec<String> {
        Vec::new()
    }

    /// Whose `entry` is if no process is known to hold it: one that may not be asked, if netstat2 gave its pid.
    #[expect(clippy::unused_self, reason = "on Linux there is something to look at")]
    pub fn owner(self, entry: &NetstatRow) -> Owner {
        if entry.pids.is_empty() { Owner::None } else { Owner::Hidden }
    }
}

/// Ticks do not exist here; the seconds of sysinfo stand in.
pub fn start_ticks(_: u32) -> Option<u64> {
    None
}

/// The number of a user; Windows has none.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "users of Windows have no number")]
pub fn uid(uid: &Uid) -> Option<u32> {
    Some(**uid)
}

/// The number of a user; Windows has none.
#[cfg(not(unix))]
pub fn uid(_: &Uid) -> Option<u32> {
    None
}
