//! How many file descriptors a process has open and may open, and what its sockets are.

use serde::{Deserialize, Serialize};

use crate::model::process::ProcessId;
use crate::model::time::Timestamp;

/// The descriptors of one process. Told of every process that holds a socket, whatever is on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// How many are open (the size of `/proc/PID/fd` since Linux 6.2; counted before).
    pub used: u32,
    /// The soft limit (`RLIMIT_NOFILE`); `None` where it may not be read, or was not read yet.
    pub max: Option<u64>,
    /// When they were counted; `None` for "with this sample". Before Linux 6.2 they are counted in turn.
    pub counted_at: Option<Timestamp>,
    /// What of them is a socket; `None` where the source does not say.
    pub sockets: Option<SocketKinds>,
}

/// The descriptors of one process that are sockets, by kind. Two descriptors of one socket count twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketKinds {
    /// TCP (and MPTCP) sockets that the kernel lists: listeners, connections.
    pub tcp: u32,
    /// TCP sockets in `CLOSE`, which no table lists: reset or timed out and never closed, or never connected.
    pub closed: u32,
    /// UDP sockets, also those without a port, which no table lists.
    pub udp: u32,
    /// Unix sockets.
    pub unix: u32,
    /// Sockets of other families (netlink, packet, raw, vsock, ...) and of network namespaces that are not shown.
    pub other: u32,
    /// Sockets in no table whose kind was not looked at yet, or of which it could not be told where they are.
    pub unknown: u32,
}

impl SocketKinds {
    /// All of them.
    pub const fn total(&self) -> u32 {
        let Self { tcp, closed, udp, unix, other, unknown } = *self;
        tcp.saturating_add(closed)
            .saturating_add(udp)
            .saturating_add(unix)
            .saturating_add(other)
            .saturating_add(unknown)
    }

    /// The kinds there are and how many of each: `10 TCP, 150 TCP in CLOSE, 2 Unix`; empty if there are none.
    pub fn words(&self) -> String {
        let kinds = [
            (self.tcp, "TCP"),
            (self.closed, "TCP in CLOSE"),
            (self.udp, "UDP"),
            (self.unix, "Unix"),
            (self.other, "other"),
            (self.unknown, "not known"),
        ];
        let there = kinds.into_iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there.map(|(count, what)| format!("{count} {what}")).collect();
        words.join(", ")
    }
}

/// The descriptors of `process` in a list that is ascending by process.
pub fn of_process(all: &[(ProcessId, Descriptors)], process: ProcessId) -> Option<&Descriptors> {
    let place = all.binary_search_by_key(&process, |(id, _)| *id).ok()?;
    all.get(place).map(|(_, descriptors)| descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_summed_and_only_those_that_exist_are_named() {
        let kinds = SocketKinds { tcp: 10, closed: 150, unix: 2, ..SocketKinds::default() };
        assert_eq!((kinds.total(), kinds.words().as_str()), (162, "10 TCP, 150 TCP in CLOSE, 2 Unix"));
        assert_eq!(SocketKinds::default().words(), "");
    }

    #[test]
    fn a_process_is_found_in_the_list() {
        let id = |pid| ProcessId { pid, start_ticks: 1 };
        let all = [3, 5, 9].map(|pid| (id(pid), Descriptors { used: pid, ..Descriptors::default() }));
        assert_eq!(of_process(&all, id(5)).map(|found| found.used), Some(5));
        assert_eq!(of_process(&all, ProcessId { pid: 5, start_ticks: 2 }), None, "another process had the pid");
    }
}
