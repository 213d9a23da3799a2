//! What the portable source can and cannot see on Linux.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::Path;

use netstat2::{ProtocolSocketInfo, SocketInfo};
use sysinfo::Uid;

use crate::model::process::Owner;
use crate::model::tcp_state::TcpState;
use crate::source::linux::proc_stat;
use crate::source::linux::visibility::Visibility;
use crate::source::portable::table::NetstatRow;

/// What netstat2 leaves out.
pub const NOT_SEEN: &str = "the portable source sees no queues, timers, round-trip times, byte counts or UDP peers; \
                            use --source linux to see them";
/// What to do where netstat2 fails.
pub const INSTEAD: &str = "use --source linux or --source procfs";

/// `info` as an entry; `None` for a state without a name.
pub fn entry(info: SocketInfo) -> Option<NetstatRow> {
    let inode = NonZeroU32::new(info.inode);
    let mut entry = match &info.protocol_socket_info {
        ProtocolSocketInfo::Tcp(tcp) => NetstatRow::tcp(tcp)?,
        ProtocolSocketInfo::Udp(udp) => NetstatRow::udp(udp),
    };
    entry.inode = inode;
    // The kernel writes 0 for what it does not know; with an inode it knows.
    entry.uid = (info.uid != 0 || inode.is_some()).then_some(info.uid);
    entry.pids = info.associated_pids;
    entry.pids.sort_unstable();
    Some(entry)
}

/// What this user may not look into: netstat2 passes over it in silence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible {
    /// Processes whose descriptors may not be read.
    pub unreadable: u32,
    visibility: Visibility,
}

impl Visible {
    /// Looks only if some of `entries` have an inode and no process.
    pub fn look(entries: &[NetstatRow]) -> Self {
        if entries.iter().all(|entry| entry.inode.is_none() || !entry.pids.is_empty()) {
            return Self::default();
        }
        Self { unreadable: unreadable(), visibility: Visibility::look() }
    }

    /// Why owners are missing, one sentence each.
    pub fn reasons(self) -> Vec<String> {
        self.visibility.reasons(self.unreadable)
    }

    /// Whose `entry` is if no process is known to hold it.
    pub fn owner(self, entry: &NetstatRow) -> Owner {
        match (entry.inode, entry.state) {
            // Without an inode these two states mean: no process has accepted the connection (kernel-facts).
            (None, TcpState::Established | TcpState::CloseWait) => Owner::Unaccepted,
            (Some(_), _) if self.unreadable > 0 => Owner::Hidden,
            (Some(_), _) if self.visibility.is_limited() => Owner::Unseen,
            // netstat2 looks once, and does not say whether the socket was still there.
            (Some(_), _) => Owner::Vanished,
            (None, _) => Owner::None,
        }
    }
}

fn unreadable() -> u32 {
    let Ok(listing) = fs::read_dir("/proc") else { return 0 };
    let processes = listing.filter_map(Result::ok).map(|entry| entry.path());
    let denied = processes
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit)))
        .filter(|path| is_denied(&path.join("fd")));
    u32::try_from(denied.count()).unwrap_or(u32::MAX)
}

/// Whether the descriptors in this directory may not be looked at. Listing them asks for the rights of the owner,
/// following one for those of ptrace(2): the second can be refused where the first is granted.
fn is_denied(descriptors: &Path) -> bool {
    let first = fs::read_dir(descriptors).map(|mut entries| entries.find_map(Result::ok));
    let followed = first.and_then(|first| first.map(|entry| fs::read_link(entry.path())).transpose());
    followed.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// The start time of `pid` in ticks since boot, which sysinfo rounds to seconds.
pub fn start_ticks(pid: u32) -> Option<u64> {
    Some(proc_stat::read(pid)?.start_ticks)
}

/// The number of a user.
#[expect(clippy::unnecessary_wraps, reason = "users of other systems have no number")]
pub fn uid(uid: &Uid) -> Option<u32> {
    Some(**uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_descriptors_and_those_of_the_vanished_are_not_denied() {
        assert!(!is_denied(Path::new("/proc/self/fd")));
        assert!(!is_denied(Path::new("/proc/4294967295/fd")));
    }

    #[test]
    fn without_inode_only_open_connections_wait_to_be_accepted() {
        let endpoint = crate::model::endpoint::Endpoint::new("10.0.0.7".parse().expect("an address"), 1);
        let entry = |state, inode| NetstatRow {
            protocol: crate::model::endpoint::Protocol::Tcp,
            state,
            local: endpoint,
            remote: endpoint,
            inode: NonZeroU32::new(inode),
            uid: None,
            pids: Vec::new(),
        };
        let all = Visible::default();
        assert_eq!(all.owner(&entry(TcpState::CloseWait, 0)), Owner::Unaccepted);
        assert_eq!(all.owner(&entry(TcpState::LastAck, 0)), Owner::None);
        assert_eq!(all.owner(&entry(TcpState::Established, 7)), Owner::Vanished, "who knows");
        let some = Visible { unreadable: 1, ..all };
        assert_eq!(some.owner(&entry(TcpState::Established, 7)), Owner::Hidden);
        assert_eq!(some.owner(&entry(TcpState::TimeWait, 0)), Owner::None);
    }
}
